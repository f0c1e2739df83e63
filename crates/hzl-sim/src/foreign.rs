//! Events of other programs: HZL 3.2.0, a later hzl, and rows that no hzl would write.

use std::rc::Rc;

use hzl_core::event::PROJECT_TASK_ID;
use hzl_core::ids::EventId;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_remote::hrana::Value;
use hzl_store::log::{self, StoredEvent};
use hzl_store::projector;
use hzl_store::transaction::WriteTransaction;
use serde_json::json;

use crate::device::Device;
use crate::random::Random;
use crate::world::World;

/// HZL 3.2.0 knows neither claims nor devices; it says what a status was, and adds to the same log.
pub(crate) fn write_as_old_hzl(world: &World, device: &Rc<Device>, salt: u64) {
    let mut random = Random::new(salt);
    let tasks = world.tasks.borrow();
    if tasks.is_empty() {
        return;
    }
    let task_id = tasks[random.index(tasks.len())].clone();
    drop(tasks);
    let found = device.look(|ledger| ledger.read(|cache| projector::find_task(cache, &task_id)));
    let Ok(Some(stored)) = found else { return };
    let from = stored.task.status;
    let to = [
        Status::Ready,
        Status::InProgress,
        Status::Done,
        Status::Blocked,
    ][random.index(4)];
    let (kind, data) = match random.below(4) {
        0 => ("comment_added", json!({"text": "an old remark"})),
        1 => (
            "task_updated",
            json!({"field": "title", "new_value": "an old title"}),
        ),
        _ if from == to || from == Status::Archived => return,
        _ => ("status_changed", json!({"from": from, "to": to})),
    };
    let event = foreign(
        &mut random,
        world.true_time(),
        task_id.as_str(),
        kind,
        &data.to_string(),
    );
    append(world, device, &event);
    world.has_old_events.set(true);
}

/// A later hzl writes what this one does not know: it is kept, sent, and changes nothing.
pub(crate) fn write_as_new_hzl(world: &World, device: &Rc<Device>, salt: u64) {
    let mut random = Random::new(salt);
    let tasks = world.tasks.borrow();
    let task_id = tasks
        .get(random.index(tasks.len()))
        .map_or(PROJECT_TASK_ID, |id| id.as_str());
    let kind = ["task_estimated", "comment_added"][random.index(2)];
    let mut event = foreign(
        &mut random,
        world.true_time(),
        task_id,
        kind,
        r#"{"hours":3}"#,
    );
    event.schema_version = 9;
    event.epoch = device.look(|ledger| ledger.sync_state().ok().map(|state| state.epoch()));
    event.basis_seq = device.look(|ledger| {
        ledger
            .cloud_cursor()
            .ok()
            .flatten()
            .map(|cursor| cursor.seq)
    });
    append(world, device, &event);
}

fn foreign(
    random: &mut Random,
    now: Timestamp,
    task_id: &str,
    kind: &str,
    data: &str,
) -> StoredEvent {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let bits = u128::from(random.number()) << 64 | u128::from(random.number());
    StoredEvent {
        rowid: 0,
        event_id: EventId::new(ulid::Ulid::from_parts(millis, bits).to_string()),
        task_id: task_id.to_owned(),
        kind: kind.to_owned(),
        data: data.to_owned(),
        schema_version: 1,
        author: Some("somebody".to_owned()),
        agent_id: None,
        session_id: None,
        correlation_id: None,
        causation_id: None,
        timestamp: now.to_string(),
        basis_seq: None,
        epoch: None,
    }
}

/// Another program on the same machine: what it wrote is as safe as what we write.
fn append(world: &World, device: &Rc<Device>, event: &StoredEvent) {
    device.look(|ledger| {
        let log = WriteTransaction::begin(&ledger.files().events).expect("nobody else is writing");
        log::append_stored(&log, event).expect("a row of an older hzl fits");
        log.commit_log(None).expect("a log in memory takes a row");
    });
    world.learn(device);
    world.acknowledge(event.event_id.as_str());
}

/// Rows that no hzl would write, with a device that nobody is. Some can be read, some cannot.
pub(crate) fn plant_junk(world: &World, salt: u64) {
    if world.cloud_is_empty() {
        return;
    }
    let mut random = Random::new(salt);
    let tasks = world.tasks.borrow();
    let task_id = tasks
        .get(random.index(tasks.len()))
        .map_or("nothing", |id| id.as_str());
    let long = "x".repeat(3_000);
    let (kind, data) = match random.below(8) {
        0 => (
            "status_changed",
            r#"{"from":"ready","to":"flying"}"#.to_owned(),
        ),
        1 => ("task_exploded", "{}".to_owned()),
        2 => (
            "task_updated",
            r#"{"field":"title","new_value":[1]}"#.to_owned(),
        ),
        3 => (
            "dependency_added",
            json!({"depends_on_id": task_id}).to_string(),
        ),
        4 => (
            "task_updated",
            json!({"field": "title", "new_value": long}).to_string(),
        ),
        5 => (
            "project_renamed",
            r#"{"old_name":"a","new_name":"a"}"#.to_owned(),
        ),
        6 => ("task_created", "[]".to_owned()),
        _ => ("", "{}".to_owned()),
    };
    let event = foreign(&mut random, world.true_time(), task_id, kind, &data);
    drop(tasks);
    world.expect_foreign(&event);
    let text = |text: &str| Value::from(text);
    world.cloud.tamper(
        "insert into hzl_events (event_id, device_id, epoch, basis_seq, task_id, type, data, author, timestamp, received_at)
         values (?1, 'stranger', 0, 0, ?2, ?3, ?4, 'somebody', ?5, ?5)",
        vec![
            text(event.event_id.as_str()),
            text(&event.task_id),
            text(&event.kind),
            text(&event.data),
            text(&event.timestamp),
        ],
        world.now_ms(),
    );
}
