//! Several commands in one transaction, and the hook queue that commits with them.

use hzl_core::command::{Actor, AddTask, ClaimTask, Command, Transition};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_store::batch::Batch;
use hzl_store::ledger::{ExecuteError, Ledger};
use hzl_store::outbox::HookTarget;
use hzl_store::{log, projector};

use crate::files::fresh;

fn add(task_id: &TaskId) -> Command {
    Command::AddTask(Box::new(AddTask {
        status: Status::Ready,
        ..AddTask::new(task_id.clone(), "in a batch", ProjectName::inbox())
    }))
}

/// Adds a task, claims it and completes it.
fn whole_life(batch: &mut Batch<'_>) -> Result<TaskId, ExecuteError> {
    let task_id = batch.new_task_id();
    let ann = Actor {
        author: Some("ann".to_owned()),
        ..Actor::default()
    };
    batch.execute(&add(&task_id), &ann)?;
    let claim = ClaimTask {
        task_id: task_id.clone(),
        lease_minutes: None,
    };
    batch.execute(&Command::ClaimTask(claim), &ann)?;
    let transition = Transition {
        task_id: task_id.clone(),
        comment: None,
    };
    batch.execute(&Command::CompleteTask(transition), &ann)?;
    Ok(task_id)
}

fn rows(ledger: &Ledger, table: &str) -> i64 {
    let sql = format!("select count(*) from {table}");
    ledger
        .files()
        .events
        .query_row(&sql, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn each_command_sees_what_the_ones_before_it_did() {
    let (_home, mut ledger) = fresh();
    let task_id = ledger.transact(whole_life).unwrap();
    let stored = ledger
        .read(|cache| projector::find_task(cache, &task_id))
        .unwrap()
        .unwrap();
    assert_eq!(stored.task.status, Status::Done);
    let events = log::list_stored_of_task(&ledger.files().events, &task_id, 10).unwrap();
    assert_eq!(events.len(), 4);
    let first = events[0].event_id.as_str();
    assert!(
        events
            .iter()
            .all(|event| event.causation_id.as_deref() == Some(first))
    );
    let kept = ledger.read(projector::state_sum).unwrap();
    ledger.rebuild().unwrap();
    assert_eq!(ledger.read(projector::state_sum).unwrap(), kept);
}

#[test]
fn one_refusal_undoes_all() {
    let (_home, mut ledger) = fresh();
    let before = (
        rows(&ledger, "events"),
        ledger.read(projector::state_sum).unwrap(),
    );
    let refused = ledger.transact(|batch| {
        let task_id = whole_life(batch)?;
        let claim = ClaimTask {
            task_id,
            lease_minutes: None,
        };
        batch.execute(&Command::ClaimTask(claim), &Actor::default())
    });
    assert!(
        matches!(refused, Err(ExecuteError::Rejected(_))),
        "{refused:?}"
    );
    let after = (
        rows(&ledger, "events"),
        ledger.read(projector::state_sum).unwrap(),
    );
    assert_eq!(before, after);
}

#[test]
fn hooks_are_queued_with_their_events_or_not_at_all() {
    let (_home, mut ledger) = fresh();
    ledger.set_hooks(vec![HookTarget {
        trigger: "on_done".to_owned(),
        url: "http://127.0.0.1:9/".to_owned(),
        headers: serde_json::Map::new(),
        body: None,
    }]);
    ledger.transact(whole_life).unwrap();
    assert_eq!(rows(&ledger, "hook_outbox"), 1);
    let refused: Result<(), ExecuteError> = ledger.transact(|batch| {
        let task_id = whole_life(batch)?;
        batch.execute(&add(&task_id), &Actor::default())?;
        let claim = ClaimTask {
            task_id,
            lease_minutes: None,
        };
        batch
            .execute(&Command::ClaimTask(claim), &Actor::default())
            .map(drop)
    });
    assert!(refused.is_err());
    assert_eq!(rows(&ledger, "hook_outbox"), 1);
}
