//! What the tables of tests in this module are made of.

use super::{Draft, Facts, TaskFacts, decide};
use crate::command::{Actor, AddTask, Command, Transition};
use crate::event::{Event, Payload, PlacedEvent, ProjectCreated, TaskCreated};
use crate::fold::{FoldContext, TaskFold};
use crate::ids::{EventId, TaskId};
use crate::order::Position;
use crate::project::Projects;
use crate::rejection::Rejection;
use crate::task::{Status, Task};
use crate::time::Timestamp;

/// When every table decides.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// The claim of every task that somebody holds or held.
pub(super) const CLAIM: &str = "claim-1";

pub(super) fn placed(at: i64, task_id: Option<&str>, payload: Payload) -> PlacedEvent {
    PlacedEvent {
        event: Event {
            event_id: EventId::new(format!("event-{at}")),
            task_id: task_id.map(TaskId::from),
            payload,
            author: None,
            agent_id: None,
            session_id: None,
            correlation_id: None,
            causation_id: None,
            timestamp: Timestamp::from_millis(at),
            basis_seq: 0,
            epoch: Some(0),
        },
        position: Position::tail(at),
        seq: None,
        received_at: None,
        device: Some("device-1".into()),
    }
}

/// Projects `inbox` (protected) and `p`.
pub(super) fn facts(tasks: Vec<TaskFacts>) -> Facts {
    let created = |name: &str, is_protected| {
        Payload::ProjectCreated(ProjectCreated {
            name: name.into(),
            is_protected,
            ..ProjectCreated::default()
        })
    };
    let projects = [
        placed(1, None, created("inbox", Some(true))),
        placed(2, None, created("p", None)),
    ];
    Facts {
        tasks: tasks
            .into_iter()
            .map(|task| (task.task.task_id.clone(), task))
            .collect(),
        projects: Projects::of(&projects),
        ..Facts::default()
    }
}

/// A task in `p`; held and finished ones were claimed by `ann` under [`CLAIM`], without a lease.
pub(super) fn task(id: &str, status: Status) -> TaskFacts {
    let created = Payload::TaskCreated(TaskCreated {
        title: "title".to_owned(),
        project: "p".into(),
        ..TaskCreated::default()
    });
    let projects = Projects::default();
    let context = FoldContext {
        projects: &projects,
        rewind_points: &[],
    };
    let fold = TaskFold::of(&[placed(3, Some(id), created)], context);
    let mut task = fold.task.expect("it was created");
    task.status = status;
    if status.is_held() || status.is_terminal() {
        task.claim = Some(CLAIM.into());
        task.agent = Some("ann".to_owned());
        task.memory.claim_is_over = status.is_terminal();
    }
    TaskFacts {
        task,
        project: "p".into(),
        parent: None,
        children: vec![],
        blockers: vec![],
        lost_claims: vec![],
    }
}

/// The same task with something else about it.
pub(super) fn with(mut facts: TaskFacts, change: impl FnOnce(&mut Task)) -> TaskFacts {
    change(&mut facts.task);
    facts
}

pub(super) fn actor(author: &str) -> Actor {
    Actor {
        author: Some(author.to_owned()),
        ..Actor::default()
    }
}

pub(super) fn under(claim: &str) -> Actor {
    Actor {
        claim: Some(claim.into()),
        ..actor("ann")
    }
}

pub(super) fn transition(id: &str) -> Transition {
    Transition {
        task_id: id.into(),
        comment: None,
    }
}

pub(super) fn add(title: &str) -> AddTask {
    AddTask {
        ..AddTask::new("new".into(), title, "p".into())
    }
}

pub(super) fn decided(facts: &Facts, command: &Command) -> Result<Vec<Draft>, Rejection> {
    decide(facts, command, &actor("ann"), NOW)
}

/// The only status change among the drafts.
pub(super) fn change(drafts: &[Draft]) -> (Status, Status) {
    let mut changes = drafts.iter().filter_map(|draft| {
        if let Payload::StatusChanged(change) = &draft.payload {
            Some((change.from, change.to))
        } else if let Payload::TaskArchived(archived) = &draft.payload {
            Some((archived.from?, Status::Archived))
        } else {
            None
        }
    });
    let change = changes.next().expect("a status changes");
    assert_eq!(changes.next(), None, "once");
    change
}
