//! Every refusal, once; and what a decision looks like.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::kit::{CLAIM, NOW, actor, add, change, decided, facts, task, transition, under, with};
use super::{Facts, Undone, decide};
use crate::command::{
    AddTask, ClaimTask, Command, ProjectTasks, PruneFilter, StealTask, SubtaskPolicy, UpdateTask,
};
use crate::event::{Payload, ProjectCreated};
use crate::ids::TaskId;
use crate::limits;
use crate::rejection::Rejection;
use crate::task::{Status, Task};

fn steal(force: bool, if_expired: bool, agent: Option<&str>) -> Command {
    Command::StealTask(StealTask {
        task_id: "t".into(),
        agent: agent.map(str::to_owned),
        force,
        if_expired,
        lease_minutes: None,
    })
}

fn update(change: impl FnOnce(&mut UpdateTask)) -> Command {
    let mut update = UpdateTask {
        task_id: "t".into(),
        ..UpdateTask::default()
    };
    change(&mut update);
    Command::UpdateTask(Box::new(update))
}

fn added(change: impl FnOnce(&mut AddTask)) -> Command {
    let mut new = add("title");
    change(&mut new);
    Command::AddTask(Box::new(new))
}

fn claim() -> Command {
    Command::ClaimTask(ClaimTask {
        task_id: "t".into(),
        lease_minutes: None,
    })
}

fn create(name: &str) -> Command {
    Command::CreateProject {
        name: name.into(),
        description: None,
        is_protected: false,
    }
}

fn rename(old: &str, new: &str) -> Command {
    Command::RenameProject {
        old_name: old.into(),
        new_name: new.into(),
    }
}

fn delete(name: &str, tasks: Option<ProjectTasks>) -> Command {
    Command::DeleteProject {
        name: name.into(),
        tasks,
    }
}

fn archive(subtasks: SubtaskPolicy) -> Command {
    Command::ArchiveTask {
        transition: transition("t"),
        subtasks,
    }
}

fn checkpoint(name: &str, data: Option<Map<String, Value>>, progress: Option<u8>) -> Command {
    Command::RecordCheckpoint {
        task_id: "t".into(),
        name: name.to_owned(),
        data,
        progress,
    }
}

fn deep(levels: usize) -> Map<String, Value> {
    let value = (0..levels).fold(json!(1), |inner, _| json!([inner]));
    Map::from_iter([("a".to_owned(), value)])
}

/// One task `t` in the given status.
fn one(status: Status) -> Facts {
    facts(vec![task("t", status)])
}

/// A parent `t` in progress with a child `c` in the given status.
fn family(child: Status) -> Facts {
    let mut parent = task("t", Status::InProgress);
    parent.children = vec!["c".into()];
    let mut child = with(task("c", child), |child| child.parent_id = Some("t".into()));
    child.parent = Some("t".into());
    facts(vec![parent, child, task("other", Status::Ready)])
}

/// `t` is held by ann; its lease ends so many milliseconds after now.
fn leased(millis: i64) -> Facts {
    let held = task("t", Status::InProgress);
    facts(vec![with(held, |t| {
        t.lease_until = Some(NOW.plus_millis(millis));
    })])
}

fn id(id: &str) -> TaskId {
    id.into()
}

/// Which refusal it is. Exhaustive: a new one has to be added here, and then a row to the table.
fn name(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::TaskNotFound { .. } => "TaskNotFound",
        Rejection::ProjectNotFound { .. } => "ProjectNotFound",
        Rejection::UnknownProject { .. } => "UnknownProject",
        Rejection::ProjectExists { .. } => "ProjectExists",
        Rejection::InvalidProjectName { .. } => "InvalidProjectName",
        Rejection::ProtectedRename { .. } => "ProtectedRename",
        Rejection::ProtectedDelete { .. } => "ProtectedDelete",
        Rejection::ProjectNotEmpty { .. } => "ProjectNotEmpty",
        Rejection::MoveIntoDeleted { .. } => "MoveIntoDeleted",
        Rejection::TooLong { .. } => "TooLong",
        Rejection::TooMany { .. } => "TooMany",
        Rejection::Empty { .. } => "Empty",
        Rejection::OutOfRange { .. } => "OutOfRange",
        Rejection::TooDeep { .. } => "TooDeep",
        Rejection::TooLarge { .. } => "TooLarge",
        Rejection::InvalidTime { .. } => "InvalidTime",
        Rejection::StatusRefused { .. } => "StatusRefused",
        Rejection::InvalidTransition { .. } => "InvalidTransition",
        Rejection::CreatedArchived => "CreatedArchived",
        Rejection::NotClaimable { .. } => "NotClaimable",
        Rejection::DependencyCycle { .. } => "DependencyCycle",
        Rejection::ParentNotFound { .. } => "ParentNotFound",
        Rejection::ParentArchived { .. } => "ParentArchived",
        Rejection::ParentIsSubtask { .. } => "ParentIsSubtask",
        Rejection::HasSubtasks { .. } => "HasSubtasks",
        Rejection::OwnParent { .. } => "OwnParent",
        Rejection::ActiveSubtasks { .. } => "ActiveSubtasks",
        Rejection::StealUnjustified { .. } => "StealUnjustified",
        Rejection::LeaseNotExpired { .. } => "LeaseNotExpired",
        Rejection::NoLease { .. } => "NoLease",
        Rejection::StealNeedsAgent { .. } => "StealNeedsAgent",
        Rejection::ClaimLost { .. } => "ClaimLost",
        Rejection::NothingToUndo => "NothingToUndo",
        Rejection::NothingLeftToUndo => "NothingLeftToUndo",
        Rejection::UndoStale { .. } => "UndoStale",
        Rejection::UndoStaleProject { .. } => "UndoStaleProject",
        Rejection::UndoDeleted { .. } => "UndoDeleted",
    }
}

const REFUSALS: usize = 37;

fn about_projects() -> Vec<(&'static str, Facts, Command)> {
    let holding = || Facts {
        project_tasks: vec![id("t")],
        ..one(Status::Ready)
    };
    let move_to = |target: &str| Some(ProjectTasks::MoveTo(target.into()));
    vec![
        ("ProjectExists", one(Status::Ready), create("p")),
        (
            "InvalidProjectName",
            one(Status::Ready),
            create("no spaces"),
        ),
        ("InvalidProjectName", one(Status::Ready), rename("p", "")),
        ("UnknownProject", one(Status::Ready), rename("nowhere", "q")),
        ("ProjectExists", one(Status::Ready), rename("p", "inbox")),
        ("ProjectExists", one(Status::Ready), rename("p", "p")),
        ("ProtectedRename", one(Status::Ready), rename("inbox", "q")),
        ("ProtectedDelete", one(Status::Ready), delete("inbox", None)),
        (
            "ProjectNotFound",
            one(Status::Ready),
            delete("nowhere", None),
        ),
        ("ProjectNotEmpty", holding(), delete("p", None)),
        ("MoveIntoDeleted", holding(), delete("p", move_to("p"))),
        ("UnknownProject", holding(), delete("p", move_to("nowhere"))),
        (
            "ProjectNotFound",
            one(Status::Ready),
            Command::MoveTask {
                task_id: id("t"),
                project: "nowhere".into(),
            },
        ),
    ]
}

fn about_undoing() -> Vec<(&'static str, Facts, Command)> {
    let undo = || Command::Undo { events: vec![] };
    let was = |before: Option<Task>, after: Option<Task>| Facts {
        undone: vec![Undone {
            task_id: id("t"),
            before,
            project_before: "p".into(),
            after,
        }],
        ..one(Status::Ready)
    };
    let as_it_is = || Some(task("t", Status::Ready).task);
    let titled = |title: &str| {
        let mut task = task("t", Status::Ready).task;
        task.title = title.to_owned();
        Some(task)
    };
    let created = ProjectCreated {
        name: "p".into(),
        ..ProjectCreated::default()
    };
    let full = Facts {
        undone_projects: vec![Payload::ProjectCreated(created)],
        project_tasks: vec![id("t")],
        ..one(Status::Ready)
    };
    vec![
        ("NothingToUndo", one(Status::Ready), undo()),
        ("NothingLeftToUndo", was(as_it_is(), as_it_is()), undo()),
        ("UndoStale", was(as_it_is(), titled("mine")), undo()),
        ("UndoDeleted", was(as_it_is(), None), undo()),
        ("UndoStaleProject", full, undo()),
    ]
}

fn about_values() -> Vec<(&'static str, Facts, Command)> {
    let long = |limit: usize| "ä".repeat(limit + 1);
    let many = |limit: usize| vec!["x".to_owned(); limit + 1];
    let commands = [
        (
            "UnknownProject",
            added(|new| new.project = "nowhere".into()),
        ),
        (
            "CreatedArchived",
            added(|new| new.status = Status::Archived),
        ),
        ("Empty", added(|new| new.title = String::new())),
        (
            "TooLong",
            added(|new| new.title = long(limits::TITLE_CHARS)),
        ),
        (
            "TooLong",
            added(|new| new.description = Some(long(limits::DESCRIPTION_CHARS))),
        ),
        (
            "TooLong",
            added(|new| new.links = vec![long(limits::LINK_CHARS)]),
        ),
        (
            "TooLong",
            added(|new| new.tags = vec![long(limits::TAG_CHARS)]),
        ),
        ("Empty", added(|new| new.tags = vec![String::new()])),
        ("TooMany", added(|new| new.tags = many(limits::LIST_ITEMS))),
        ("TooMany", added(|new| new.links = many(limits::LIST_ITEMS))),
        (
            "TooMany",
            added(|new| new.depends_on = vec![id("t"); limits::LIST_ITEMS + 1]),
        ),
        (
            "TaskNotFound",
            added(|new| new.depends_on = vec![id("gone")]),
        ),
        ("OutOfRange", added(|new| new.priority = 4)),
        (
            "TooLong",
            added(|new| new.agent = Some(long(limits::IDENTIFIER_CHARS))),
        ),
        (
            "InvalidTime",
            added(|new| new.due_at = Some("soon".to_owned())),
        ),
        (
            "TooDeep",
            added(|new| new.metadata = Some(deep(limits::JSON_DEPTH))),
        ),
        (
            "TooLarge",
            // Each of it is allowed: it is characters that are counted there.
            added(|new| {
                new.links = vec!["\u{1}".repeat(limits::LINK_CHARS); limits::LIST_ITEMS];
            }),
        ),
        (
            "TooMany",
            added(|new| {
                let keys = 0..=limits::METADATA_KEYS;
                new.metadata = Some(keys.map(|key| (key.to_string(), Value::Null)).collect());
            }),
        ),
        (
            "TooLong",
            added(|new| {
                let text = json!(long(limits::METADATA_CHARS));
                new.metadata = Some(Map::from_iter([("a".to_owned(), text)]));
            }),
        ),
        (
            "OutOfRange",
            added(|new| new.stale_after_minutes = Some(limits::MINUTES_MAX + 1)),
        ),
        (
            "TooLong",
            added(|new| new.comment = Some(long(limits::COMMENT_CHARS))),
        ),
        (
            "TooLong",
            update(|u| u.title = Some(long(limits::TITLE_CHARS))),
        ),
        ("OutOfRange", update(|u| u.priority = Some(9))),
        (
            "InvalidTime",
            update(|u| u.due_at = Some(Some("x".to_owned()))),
        ),
        (
            "TooMany",
            update(|u| u.tags = Some(many(limits::LIST_ITEMS))),
        ),
        ("Empty", checkpoint("", None, None)),
        (
            "TooLong",
            checkpoint(&long(limits::CHECKPOINT_NAME_CHARS), None, None),
        ),
        (
            "TooDeep",
            checkpoint("half", Some(deep(limits::JSON_DEPTH)), None),
        ),
        ("OutOfRange", checkpoint("half", None, Some(101))),
        (
            "Empty",
            Command::AddComment {
                task_id: id("t"),
                text: " \n".to_owned(),
            },
        ),
        (
            "TooLong",
            Command::AddComment {
                task_id: id("t"),
                text: long(limits::COMMENT_CHARS),
            },
        ),
    ];
    let with_facts = |(name, command)| (name, one(Status::Ready), command);
    commands.into_iter().map(with_facts).collect()
}

fn about_links() -> Vec<(&'static str, Facts, Command)> {
    let edge = |task_id: &str, depends_on: &str| Command::AddDependency {
        task_id: task_id.into(),
        depends_on: depends_on.into(),
    };
    let parent = |parent: &str| update(|u| u.parent = Some(Some(parent.into())));
    let under = |parent: &str| added(|new| new.parent = Some(parent.into()));
    let cyclic = Facts {
        closes_cycle: true,
        ..family(Status::Ready)
    };
    let archived = || facts(vec![task("t", Status::Ready), task("a", Status::Archived)]);
    vec![
        ("DependencyCycle", one(Status::Ready), edge("t", "t")),
        ("DependencyCycle", cyclic, edge("t", "c")),
        ("TaskNotFound", one(Status::Ready), edge("t", "gone")),
        ("TaskNotFound", one(Status::Ready), edge("gone", "t")),
        (
            "TaskNotFound",
            one(Status::Ready),
            Command::RemoveDependency {
                task_id: id("t"),
                depends_on: id("gone"),
            },
        ),
        ("OwnParent", one(Status::Ready), parent("t")),
        ("ParentNotFound", one(Status::Ready), parent("gone")),
        ("ParentNotFound", one(Status::Ready), under("gone")),
        ("ParentArchived", archived(), parent("a")),
        ("ParentArchived", archived(), under("a")),
        ("ParentIsSubtask", family(Status::Ready), under("c")),
        ("HasSubtasks", family(Status::Ready), parent("other")),
        (
            "ActiveSubtasks",
            family(Status::Ready),
            archive(SubtaskPolicy::Refuse),
        ),
    ]
}

fn about_owners() -> Vec<(&'static str, Facts, Command)> {
    let mut waiting = task("t", Status::Ready);
    waiting.blockers = vec![id("c")];
    let nobody_acts = |facts, command| ("StealNeedsAgent", facts, command);
    let renew = |lease_minutes| Command::RenewLease {
        task_id: id("t"),
        lease_minutes,
    };
    vec![
        ("TaskNotFound", facts(vec![]), claim()),
        ("NotClaimable", one(Status::InProgress), claim()),
        ("NotClaimable", facts(vec![waiting]), claim()),
        (
            "OutOfRange",
            one(Status::Ready),
            Command::ClaimTask(ClaimTask {
                task_id: id("t"),
                lease_minutes: Some(0),
            }),
        ),
        nobody_acts(one(Status::InProgress), steal(true, false, None)),
        (
            "StealUnjustified",
            one(Status::InProgress),
            steal(false, false, Some("bob")),
        ),
        (
            "LeaseNotExpired",
            leased(1),
            steal(false, true, Some("bob")),
        ),
        (
            "LeaseNotExpired",
            leased(0),
            steal(false, true, Some("bob")),
        ),
        (
            "NoLease",
            one(Status::InProgress),
            steal(false, true, Some("bob")),
        ),
        (
            "StatusRefused",
            one(Status::Ready),
            steal(true, false, Some("bob")),
        ),
        ("OutOfRange", one(Status::InProgress), renew(0)),
        ("StatusRefused", one(Status::Ready), renew(5)),
        (
            "StatusRefused",
            one(Status::InProgress),
            update(|u| u.agent = Some(Some("bob".to_owned()))),
        ),
        (
            "InvalidTransition",
            one(Status::Ready),
            Command::ReleaseTask(transition("t")),
        ),
    ]
}

#[test]
fn every_refusal_has_its_case() {
    let mut seen = BTreeSet::from(["ClaimLost"]);
    let tables = [
        about_projects(),
        about_values(),
        about_links(),
        about_owners(),
        about_undoing(),
    ];
    for (expected, facts, command) in tables.into_iter().flatten() {
        let nobody = expected == "StealNeedsAgent";
        let actor = if nobody {
            Default::default()
        } else {
            actor("ann")
        };
        let refused = decide(&facts, &command, &actor, NOW).expect_err(expected);
        assert_eq!(name(&refused), expected, "{command:?}: {refused}");
        assert!(!refused.to_string().is_empty() && !refused.code().is_empty());
        seen.insert(expected);
    }
    assert_eq!(seen.len(), REFUSALS, "{seen:?}");
}

#[test]
fn whoever_lost_the_claim_hears_that_first() {
    let acts = [
        Command::CompleteTask(transition("t")),
        Command::ReleaseTask(transition("t")),
        Command::BlockTask(transition("t")),
        Command::UnblockTask {
            transition: transition("t"),
            release: false,
        },
        Command::ReopenTask {
            transition: transition("t"),
            to: Status::Ready,
        },
        Command::RenewLease {
            task_id: id("t"),
            lease_minutes: 5,
        },
        archive(SubtaskPolicy::Refuse),
        Command::SetStatus {
            task_id: id("t"),
            status: Status::Done,
        },
    ];
    for status in Status::ALL {
        for act in &acts {
            let refused = decide(&one(status), act, &under("claim-0"), NOW);
            let refused = refused.expect_err("the claim is another");
            assert_eq!(name(&refused), "ClaimLost", "{act:?} when {status}");
        }
    }
    // Given back meanwhile: the claim was the last one, but it is over.
    let released = with(task("t", Status::Ready), |t| {
        t.claim = Some(CLAIM.into());
        t.memory.claim_is_over = true;
    });
    let refused = decide(&facts(vec![released]), &acts[0], &under(CLAIM), NOW);
    assert_eq!(refused.as_ref().map_err(name), Err("ClaimLost"));
}

#[test]
fn the_current_claim_opens_the_door() {
    for (status, act) in [
        (Status::InProgress, Command::CompleteTask(transition("t"))),
        (Status::Blocked, Command::CompleteTask(transition("t"))),
        (
            Status::Done,
            Command::ReopenTask {
                transition: transition("t"),
                to: Status::Ready,
            },
        ),
        (Status::Done, archive(SubtaskPolicy::Refuse)),
    ] {
        let drafts = decide(&one(status), &act, &under(CLAIM), NOW).expect("it may");
        assert_eq!(change(&drafts).0, status);
    }
    // Twice the same: finished is not lost.
    let again = decide(
        &one(Status::Done),
        &Command::CompleteTask(transition("t")),
        &under(CLAIM),
        NOW,
    );
    assert_eq!(again.as_ref().map_err(name), Err("StatusRefused"));
}

#[test]
fn notes_are_taken_whatever_became_of_the_claim() {
    let note = checkpoint("half", None, Some(50));
    let drafts = decide(&one(Status::Done), &note, &under("claim-0"), NOW).expect("it is kept");
    let Payload::CheckpointRecorded(kept) = &drafts[0].payload else {
        panic!("a checkpoint");
    };
    assert_eq!(
        kept.claim,
        Some("claim-0".into()),
        "so that its progress does not count"
    );
}

#[test]
fn an_expired_lease_may_be_taken_over() {
    let drafts = decided(&leased(-1), &steal(false, true, Some("bob"))).expect("it has run out");
    let Payload::StatusChanged(change) = &drafts[0].payload else {
        panic!("a take-over");
    };
    assert!(change.if_expired && change.agent.as_deref() == Some("bob"));
    assert_eq!(change.claim, Some(CLAIM.into()));
    let drafts = decided(&leased(1), &steal(true, true, Some("bob"))).expect("force wins");
    let Payload::StatusChanged(change) = &drafts[0].payload else {
        panic!("a take-over");
    };
    assert!(!change.if_expired);
}

#[test]
fn archiving_takes_care_of_subtasks() {
    let drafts = decided(&family(Status::Ready), &archive(SubtaskPolicy::Cascade));
    let archived = drafts
        .expect("it may")
        .into_iter()
        .map(|d| (d.task_id, d.payload));
    let ids: Vec<_> = archived
        .map(|(id, payload)| (id, payload.kind().to_owned()))
        .collect();
    let expected = ["c", "t"].map(|task| (Some(id(task)), "task_archived".to_owned()));
    assert_eq!(ids, expected);
    let drafts = decided(&family(Status::Done), &archive(SubtaskPolicy::Orphan)).expect("it may");
    assert_eq!(
        drafts[0].payload.kind(),
        "task_updated",
        "finished ones are cut loose too"
    );
    assert!(decided(&family(Status::Done), &archive(SubtaskPolicy::Refuse)).is_ok());
}

#[test]
fn nothing_to_do_is_no_refusal() {
    for command in [
        Command::SetStatus {
            task_id: id("t"),
            status: Status::Ready,
        },
        Command::MoveTask {
            task_id: id("t"),
            project: "p".into(),
        },
        Command::PruneTasks(PruneFilter::default()),
        update(|u| u.title = Some(String::new())),
        update(|u| u.parent = Some(None)),
    ] {
        assert_eq!(
            decided(&one(Status::Ready), &command),
            Ok(vec![]),
            "{command:?}"
        );
    }
}

#[test]
fn a_log_without_an_inbox_gets_one_with_its_first_task() {
    let first = AddTask {
        project: "inbox".into(),
        ..add("first")
    };
    let drafts = decided(&Facts::default(), &Command::AddTask(Box::new(first))).unwrap();
    let kinds: Vec<&str> = drafts.iter().map(|draft| draft.payload.kind()).collect();
    assert_eq!(kinds[..2], ["project_created", "task_created"]);
}

#[test]
fn whoever_lost_a_claim_cannot_act_on_the_task_by_name() {
    let mut held = task("t", Status::InProgress);
    held.lost_claims = vec![super::LostClaim {
        claim: "claim-of-bob".into(),
        agent: "bob".to_owned(),
    }];
    let facts = facts(vec![held]);
    let complete = Command::CompleteTask(transition("t"));
    let by = |name: &str| decide(&facts, &complete, &actor(name), NOW);
    let Err(Rejection::ClaimLost { claim, holder, .. }) = by("bob") else {
        panic!("bob lost it");
    };
    assert_eq!(
        (claim.as_str(), holder.as_deref()),
        ("claim-of-bob", Some("ann"))
    );
    assert!(by("ann").is_ok(), "the holder");
    assert!(by("eve").is_ok(), "somebody who never claimed it");
    let under_the_current = decide(&facts, &complete, &under(CLAIM), NOW);
    assert!(under_the_current.is_ok(), "a named claim speaks for itself");
}
