//! What must not last: damage, stale names, wrong clocks; and projections that a rebuild agrees with.

use hzl_core::command::{Actor, AddTask, Command};
use hzl_core::ids::{DeviceId, EventId, ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_store::ledger::Ledger;
use hzl_store::log::StoredEvent;
use hzl_store::replica::{CloudRow, Outgoing, PullBasis};
use hzl_store::state::{self, Key};
use hzl_store::{Access, Error, StorePaths, projector, query};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::files::fresh;

fn paths(home: &TempDir) -> StorePaths {
    StorePaths {
        events: home.path().join("events.db"),
        cache: home.path().join("cache.db"),
    }
}

/// The next event to send of this task.
fn outgoing_of(ledger: &Ledger, task_id: &str) -> Outgoing {
    let outgoing = ledger.list_outgoing(100).unwrap();
    let of_task = |out: &Outgoing| out.event.task_id == task_id;
    outgoing.into_iter().find(of_task).unwrap()
}

fn run(ledger: &mut Ledger, command: &Command) {
    let actor = Actor {
        author: Some("ann".to_owned()),
        ..Actor::default()
    };
    ledger.execute(command, &actor).unwrap();
}

fn add_to(ledger: &mut Ledger, project: &str, title: &str) -> TaskId {
    let task_id = ledger.new_task_id();
    let command = Command::AddTask(Box::new(AddTask {
        status: Status::Ready,
        ..AddTask::new(task_id.clone(), title, ProjectName::new(project))
    }));
    run(ledger, &command);
    task_id
}

fn row(seq: i64, id: &str, task_id: &str, kind: &str, data: &str, at: &str) -> CloudRow {
    CloudRow {
        seq,
        received_at: "2026-03-01T09:00:00.000Z".to_owned(),
        device: Some(DeviceId::new("other")),
        event: StoredEvent {
            rowid: 0,
            event_id: EventId::new(id),
            task_id: task_id.to_owned(),
            kind: kind.to_owned(),
            data: data.to_owned(),
            schema_version: 1,
            author: None,
            agent_id: None,
            session_id: None,
            correlation_id: None,
            causation_id: None,
            timestamp: at.to_owned(),
            basis_seq: Some(0),
            epoch: Some(0),
        },
    }
}

const AT: &str = "2026-03-01T09:00:00.000Z";

fn basis(ledger: &Ledger) -> PullBasis {
    PullBasis {
        joined: ledger.membership().unwrap().joined,
        cursor: ledger.cloud_cursor().unwrap(),
        rewind_points: ledger.sync_state().unwrap().rewind_points,
    }
}

fn settle(ledger: &mut Ledger, rows: &[CloudRow]) {
    let basis = basis(ledger);
    assert!(!ledger.settle(&basis, rows, 0).unwrap().is_stale);
}

/// Every row of the projections, as text.
fn dump(cache: &Connection) -> Vec<String> {
    let mut lines = vec![];
    for table in [
        "p_tasks",
        "p_tags",
        "p_edges",
        "p_comments",
        "p_projects",
        "p_conflicts",
    ] {
        let skipped = if table == "p_tasks" { 1 } else { 0 };
        let mut statement = cache.prepare(&format!("select * from {table}")).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (skipped..width).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!(
                "{table} {:?}",
                cells.collect::<Result<Vec<_>, _>>()?
            ))
        });
        lines.extend(rows.unwrap().map(Result::unwrap));
    }
    lines.sort();
    lines
}

/// All projections are what a rebuild makes of the log, row by row.
fn agrees_with_a_rebuild(ledger: &mut Ledger) {
    let kept = ledger.read(|cache| Ok(dump(cache))).unwrap();
    let sum = ledger.read(projector::state_sum).unwrap();
    ledger.rebuild().unwrap();
    assert_eq!(ledger.read(|cache| Ok(dump(cache))).unwrap(), kept);
    assert_eq!(ledger.read(projector::state_sum).unwrap(), sum);
}

#[test]
fn an_empty_log_is_read_after_a_rebuild() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&paths(&home), Access::ReadWrite).unwrap();
    ledger.rebuild().unwrap();
    assert_eq!(ledger.read(query::conflicts::count).unwrap(), 0);
}

fn damage(path: &std::path::Path) {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let conn = Connection::open(path).unwrap();
    drop(conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())));
    let root = |name: &str| {
        let sql = "select rootpage from sqlite_master where name = ?1";
        conn.query_row(sql, [name], |row| row.get::<_, u32>(0))
    };
    let page = root("p_tasks").or_else(|_| root("events")).unwrap();
    let size: u32 = conn
        .query_row("pragma page_size", [], |row| row.get(0))
        .unwrap();
    drop(conn);
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(u64::from((page - 1) * size)))
        .unwrap();
    file.write_all(&[0xee; 200]).unwrap();
}

#[test]
fn a_write_heals_damaged_projections() {
    let (home, mut ledger) = fresh();
    let task = add_to(&mut ledger, "inbox", "before");
    drop(ledger);
    damage(&paths(&home).cache);
    let mut ledger = Ledger::open(&paths(&home), Access::ReadWrite).unwrap();
    let comment = Command::AddComment {
        task_id: task,
        text: "still here".to_owned(),
    };
    run(&mut ledger, &comment);
    agrees_with_a_rebuild(&mut ledger);
}

#[test]
fn a_damaged_log_is_reported_and_not_read_for_ever() {
    let (home, mut ledger) = fresh();
    (0..50).for_each(|n| drop(add_to(&mut ledger, "inbox", &format!("task {n}"))));
    drop(ledger);
    damage(&paths(&home).events);
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            home.path().join(format!("cache.db{suffix}")),
        ));
    }
    let read = Ledger::open(&paths(&home), Access::ReadWrite)
        .and_then(|mut ledger| ledger.read(query::conflicts::count));
    assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
}

#[test]
fn a_clock_in_the_future_is_not_catching() {
    let (_home, mut ledger) = fresh();
    add_to(&mut ledger, "inbox", "mine");
    let mut far = row(
        1,
        "01FAR",
        "t",
        "comment_added",
        r#"{"text":"x"}"#,
        "2099-12-31T23:59:59.999Z",
    );
    settle(&mut ledger, &[far.clone()]);
    // Somebody who can write to the cloud can also invent an arrival.
    far.seq = 2;
    far.event.event_id = EventId::new("02FAR");
    far.received_at = "2099-12-31T23:59:59.999Z".to_owned();
    settle(&mut ledger, &[far]);
    let before = ledger.now();
    let task = add_to(&mut ledger, "inbox", "after");
    let found = ledger
        .read(|cache| projector::find_task(cache, &task))
        .unwrap()
        .unwrap();
    assert!(
        found.task.created_at <= before.plus_minutes(2),
        "{}",
        found.task.created_at
    );
}

#[test]
fn an_invalid_parent_is_listed_under_the_write_that_stands() {
    let (_home, mut ledger) = fresh();
    let created = r#"{"title":"T","project":"x"}"#;
    settle(
        &mut ledger,
        &[row(1, "01T", "t", "task_created", created, AT)],
    );
    let parent = r#"{"field":"parent_id","old_value":null,"new_value":"nobody"}"#;
    let event = StoredEvent {
        task_id: "t".to_owned(),
        ..row(1, "09MINE", "", "task_updated", parent, AT).event
    };
    hzl_store::log::append_stored(&ledger.files().events, &event).unwrap();
    ledger.read(query::conflicts::count).unwrap();
    // The same write comes back settled, and a later one of another device with the same value.
    let mut mine = row(2, "09MINE", "t", "task_updated", parent, AT);
    mine.device = Some(ledger.sync_state().unwrap().device);
    let other = row(
        3,
        "08OTHER",
        "t",
        "task_updated",
        parent,
        "2026-04-01T09:00:00.000Z",
    );
    settle(&mut ledger, &[mine, other]);
    agrees_with_a_rebuild(&mut ledger);
}

#[test]
fn a_name_that_a_lost_rename_gave_goes_with_it() {
    let (_home, mut ledger) = fresh();
    let created = r#"{"title":"T","project":"x"}"#;
    settle(
        &mut ledger,
        &[row(1, "01T", "t", "task_created", created, AT)],
    );
    let rename = StoredEvent {
        task_id: "__project__".to_owned(),
        ..row(
            1,
            "02RENAME",
            "",
            "project_renamed",
            r#"{"old_name":"x","new_name":"y"}"#,
            AT,
        )
        .event
    };
    hzl_store::log::append_stored(&ledger.files().events, &rename).unwrap();
    let name = |ledger: &mut Ledger| {
        let task = TaskId::from("t");
        let found = ledger
            .read(|cache| projector::find_task(cache, &task))
            .unwrap();
        found.unwrap().project.as_str().to_owned()
    };
    assert_eq!(name(&mut ledger), "y");
    let deleted = r#"{"name":"x","task_count":0,"archived_task_count":0}"#;
    settle(
        &mut ledger,
        &[row(
            2,
            "01DEL",
            "__project__",
            "project_deleted",
            deleted,
            AT,
        )],
    );
    assert_eq!(name(&mut ledger), "x");
    agrees_with_a_rebuild(&mut ledger);
}

#[test]
fn what_was_set_aside_stays_behind_projects_that_arrive() {
    let (_home, mut ledger) = fresh();
    let created = r#"{"title":"T","project":"x"}"#;
    settle(
        &mut ledger,
        &[row(1, "01T", "t", "task_created", created, AT)],
    );
    let moved = StoredEvent {
        task_id: "t".to_owned(),
        ..row(
            1,
            "02MOVE",
            "",
            "task_moved",
            r#"{"from_project":"x","to_project":"a"}"#,
            AT,
        )
        .event
    };
    hzl_store::log::append_stored(&ledger.files().events, &moved).unwrap();
    let outgoing = outgoing_of(&ledger, "t");
    ledger.quarantine(&outgoing, "refused").unwrap();
    ledger.read(query::conflicts::count).unwrap();
    let create = r#"{"name":"a"}"#;
    settle(
        &mut ledger,
        &[
            row(2, "03A", "__project__", "project_created", create, AT),
            row(
                3,
                "04A",
                "__project__",
                "project_renamed",
                r#"{"old_name":"a","new_name":"b"}"#,
                AT,
            ),
            row(4, "05A", "__project__", "project_created", create, AT),
        ],
    );
    agrees_with_a_rebuild(&mut ledger);
}

#[test]
fn a_page_of_another_moment_is_not_taken() {
    let (_home, mut ledger) = fresh();
    let comment = |seq: i64| {
        row(
            seq,
            &format!("0{seq}C"),
            "t",
            "comment_added",
            r#"{"text":"x"}"#,
            AT,
        )
    };
    settle(&mut ledger, &[comment(1), comment(2), comment(3)]);
    let asked = basis(&ledger);
    ledger.rewind_to(1, &[1]).unwrap();
    assert!(ledger.settle(&asked, &[comment(4)], 0).unwrap().is_stale);
    assert_eq!(ledger.cloud_cursor().unwrap().unwrap().seq, 1);
}

#[test]
fn rewinds_in_a_row_keep_the_order_of_what_waits() {
    let (_home, mut ledger) = fresh();
    let comment = |seq: i64, id: &str| row(seq, id, "t", "comment_added", r#"{"text":"x"}"#, AT);
    let mut waiting: Vec<String> = vec![];
    for round in 0..4_i64 {
        let ids: Vec<String> = (1..4).map(|seq| format!("{round}C{seq}")).collect();
        let rows: Vec<CloudRow> = (1..4).zip(&ids).map(|(seq, id)| comment(seq, id)).collect();
        settle(&mut ledger, &rows);
        ledger
            .rewind_to(0, &vec![0; usize::try_from(round).unwrap() + 1])
            .unwrap();
        waiting.splice(0..0, ids);
    }
    let outgoing = ledger.list_outgoing(100).unwrap();
    let ids = outgoing.iter().map(|out| out.event.event_id.as_str());
    let ids: Vec<&str> = ids.take(waiting.len()).collect();
    assert_eq!(ids, waiting);
}

#[test]
fn rows_that_the_log_cannot_hold_are_set_aside() {
    let (_home, mut ledger) = fresh();
    // JSON for us, too deep for SQLite.
    let deep = format!("{}{}", "[".repeat(1_500), "]".repeat(1_500));
    settle(
        &mut ledger,
        &[
            row(1, "01DEEP", "t", "task_exploded", &deep, AT),
            row(
                2,
                "02T",
                "t",
                "task_created",
                r#"{"title":"T","project":"x"}"#,
                AT,
            ),
        ],
    );
    assert!(
        ledger
            .read(|cache| projector::find_task(cache, &TaskId::from("t")))
            .unwrap()
            .is_some()
    );
}

#[test]
fn an_event_that_was_given_another_id_has_it_everywhere() {
    let (_home, mut ledger) = fresh();
    add_to(&mut ledger, "inbox", "first");
    let task = add_to(&mut ledger, "inbox", "second");
    ledger.read(query::conflicts::count).unwrap();
    let mine = outgoing_of(&ledger, task.as_str());
    let theirs = row(
        1,
        mine.event.event_id.as_str(),
        "t",
        "comment_added",
        r#"{"text":"x"}"#,
        AT,
    );
    settle(&mut ledger, &[theirs]);
    agrees_with_a_rebuild(&mut ledger);
    let events = &ledger.files().events;
    let ids: Vec<String> = ledger
        .list_outgoing(100)
        .unwrap()
        .into_iter()
        .map(|out| out.event.event_id.as_str().to_owned())
        .collect();
    assert!(ids.is_sorted(), "ids of one device ascend: {ids:?}");
    assert!(state::number(events, Key::Generation).unwrap() > 0);
    assert!(
        ledger
            .read(|cache| projector::find_task(cache, &task))
            .unwrap()
            .is_some()
    );
}

#[test]
fn long_chains_of_dependencies_are_judged_in_no_time() {
    let (_home, mut ledger) = fresh();
    let events = &ledger.files().events;
    events
        .execute_batch(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 8000)
             insert into events (event_id, task_id, type, data, timestamp, basis_seq, epoch)
             select printf('01E%08d', i), printf('T%08d', i), 'task_created',
                    json_object('title', 'T', 'project', 'inbox', 'depends_on',
                                json_array(printf('T%08d', i - 1))),
                    '2026-03-01T09:00:00.000Z', 0, 0
               from n",
        )
        .unwrap();
    let started = std::time::Instant::now();
    ledger.rebuild().unwrap();
    // Quadratic, it takes minutes.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
