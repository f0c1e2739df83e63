//! Stores of HZL 3.2.0 open in place.

use std::fs;
use std::time::Duration;

use hzl_store::Access;
use hzl_store::Error;
use hzl_store::Note;
use rusqlite::Connection;

use crate::files::TABLES;
use crate::files::a_new_cache;
use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::open_within;
use crate::files::paths;
use crate::files::text;

const LOG: &str = include_str!("files_upgrade/events_3_2_0.sql");
const CACHE: &str = include_str!("files_upgrade/cache_3_2_0.sql");

/// The columns of 3.2.0, in a form in which one changed byte shows.
const ROWS: &str = "
    select group_concat(hex(id || '|' || event_id || '|' || task_id || '|' || type || '|' || data
      || '|' || schema_version || '|' || coalesce(author, 'null') || '|' || timestamp), char(10))
      from (select * from events order by id)";

pub(crate) fn lay_down(paths: &hzl_store::StorePaths) {
    for (path, sql) in [(&paths.events, LOG), (&paths.cache, CACHE)] {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("pragma journal_mode = wal").unwrap();
        conn.execute_batch(sql).unwrap();
    }
}

fn lay_down_minimal(paths: &hzl_store::StorePaths, schema_version: &str) {
    let conn = Connection::open(&paths.events).unwrap();
    conn.execute_batch(&format!(
        "create table events (id integer primary key autoincrement, event_id text not null unique,
           task_id text not null, type text not null, data text not null, {schema_version}
           author text, agent_id text, session_id text, correlation_id text, causation_id text,
           timestamp text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"
    ))
    .unwrap();
    append(&conn, "OLD");
}

#[test]
fn rows_stay_as_they_are_and_the_old_triggers_hold() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    let before = text(&Connection::open(&paths.events).unwrap(), ROWS);
    let files = open(&paths, Access::Existing).unwrap();
    assert_eq!(text(&files.events, ROWS), before);
    assert_eq!(text(&files.events, "pragma user_version"), "1001");
    assert!(files.notes.contains(&Note::Upgraded), "{:?}", files.notes);
    let unset = "select count(*) from events where basis_seq is null and epoch is null";
    assert_eq!(text(&files.events, unset), "3");
    let triggers = "select group_concat(sql) from sqlite_master where name like 'events_no_%'";
    assert!(text(&files.events, triggers).contains("3.2.0 says no to delete"));
    let error = files
        .events
        .execute_batch("update events set type = 'y'")
        .unwrap_err();
    assert!(
        error.to_string().contains("3.2.0 says no to update"),
        "{error}"
    );
    assert!(files.events.execute_batch("delete from events").is_err());
    append(&files.events, "NEW");
    assert_eq!(text(&files.events, "select max(id) from events"), "8");
    assert_eq!(text(&files.events, "pragma integrity_check"), "ok");
}

#[test]
fn the_prune_of_the_older_program_is_still_refused() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    drop(open(&paths, Access::Existing).unwrap());
    let old_program = Connection::open(&paths.events).unwrap();
    let error = old_program
        .execute_batch(
            "begin immediate; drop trigger events_no_update; drop trigger events_no_delete;
             delete from events where task_id = 'T1'",
        )
        .unwrap_err();
    assert!(error.to_string().contains("prune with that one"), "{error}");
    old_program.execute_batch("rollback").unwrap();
    assert_eq!(text(&old_program, "select count(*) from events"), "3");
    append(&old_program, "ADDED-BY-OLD");
}

#[test]
fn queue_workflows_and_device_move_to_the_log_and_the_old_cache_is_kept() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    let files = open(&paths, Access::Existing).unwrap();
    let hooks = "select group_concat(id || status || url || headers || payload || attempts
        || coalesce(last_error, '-') || created_at, ';') from (select * from hook_outbox order by id)";
    let expected = "4queuedhttp://h/1{}{\"n\":1}0-2026-01-01T00:00:00.000Z;\
                    7failedhttp://h/2{\"a\":\"b\"}{\"n\":2}3gone2026-01-02T00:00:00.000Z";
    assert_eq!(text(&files.events, hooks), expected);
    let next =
        "insert into hook_outbox (hook_name, url, payload) values ('n', 'u', '{}') returning id";
    assert_eq!(text(&files.events, next), "8", "ids are not used twice");
    let workflows = "select group_concat(op_id || workflow_name || input_hash || state
        || result_payload) from workflow_ops";
    assert_eq!(
        text(&files.events, workflows),
        "op1starthashcompleted{\"ok\":true}"
    );
    let device = "select value from sync_state where key = 'device_id'";
    assert_eq!(text(&files.events, device), "01OLDDEVICE");
    let instance = "select value from hzl_global_meta where key = 'hzl_instance_id'";
    assert_eq!(text(&files.events, instance), "01OLDINSTANCE");

    let backup = fs::canonicalize(directory.path())
        .unwrap()
        .join("cache.v5.bak");
    assert!(
        files.notes.contains(&Note::OldCacheKept(backup.clone())),
        "{:?}",
        files.notes
    );
    assert_eq!(text(&files.cache, TABLES), text(&a_new_cache(), TABLES));
    let kept = Connection::open(&backup).unwrap();
    assert_eq!(text(&kept, "select title from tasks_current"), "Old");
    assert_eq!(
        text(
            &kept,
            "select count(*) from task_search where task_search match 'old'"
        ),
        "1"
    );
    assert_eq!(text(&kept, "select count(*) from hook_outbox"), "2");
}

#[test]
fn a_crash_after_the_log_was_upgraded_carries_nothing_twice() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    let old_cache = fs::read(&paths.cache).unwrap();
    let files = open(&paths, Access::Existing).unwrap();
    files
        .events
        .execute_batch("delete from hook_outbox")
        .unwrap();
    drop(files);
    // As if only the log had been upgraded.
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(directory.path().join(format!("cache.db{suffix}"))).unwrap();
    }
    fs::write(&paths.cache, old_cache).unwrap();
    fs::remove_file(directory.path().join("cache.v5.bak")).unwrap();
    fs::write(directory.path().join("cache.v5.bak.partial"), "half a copy").unwrap();

    let files = open(&paths, Access::Existing).unwrap();
    assert_eq!(text(&files.events, "select count(*) from hook_outbox"), "0");
    assert_eq!(text(&files.cache, "select count(*) from p_meta"), "0");
    let kept = Connection::open(directory.path().join("cache.v5.bak")).unwrap();
    assert_eq!(text(&kept, "select title from tasks_current"), "Old");
    assert!(!directory.path().join("cache.v5.bak.partial").exists());
}

#[test]
fn an_earlier_copy_is_never_overwritten() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    fs::write(directory.path().join("cache.v5.bak"), "precious").unwrap();
    drop(open(&paths, Access::Existing).unwrap());
    assert_eq!(
        fs::read(directory.path().join("cache.v5.bak")).unwrap(),
        b"precious"
    );
    assert!(directory.path().join("cache.v5.bak.2").exists());
}

#[test]
fn attempts_that_fail_leave_one_copy_together() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    let short = Duration::from_millis(50);
    let program = Connection::open(&paths.cache).unwrap();
    program.execute_batch("begin immediate").unwrap();
    for _ in 0..2 {
        let error = open_within(&paths, Access::Existing, short).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error:?}");
    }
    program.execute_batch("commit").unwrap();
    open(&paths, Access::Existing).unwrap();
    let copies = fs::read_dir(directory.path()).unwrap();
    let names = copies.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(
        names
            .filter(|name| name.contains("bak"))
            .collect::<Vec<_>>(),
        ["cache.v5.bak"]
    );
}

#[test]
fn a_damaged_old_cache_does_not_keep_the_log_shut() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    let mut bytes = fs::read(&paths.cache).unwrap();
    // The schema page, after the header.
    bytes[100..4096].fill(0x5a);
    fs::write(&paths.cache, bytes).unwrap();
    let files = open(&paths, Access::Existing).unwrap();
    assert_eq!(text(&files.events, "select count(*) from events"), "3");
    assert!(
        files.notes.contains(&Note::OldCacheUnreadable),
        "{:?}",
        files.notes
    );
    assert!(directory.path().join("cache.db.corrupt-1").exists());
    assert_eq!(text(&files.cache, "select count(*) from p_meta"), "0");
}

#[test]
fn a_store_of_one_bare_table_becomes_a_whole_one() {
    for schema_version in ["schema_version integer not null default 1,", ""] {
        let directory = directory();
        let paths = paths(directory.path());
        lay_down_minimal(&paths, schema_version);
        let files = open(&paths, Access::ReadWrite).unwrap();
        assert_eq!(
            text(
                &files.events,
                "select event_id || schema_version from events"
            ),
            "OLD1"
        );
        assert_eq!(text(&files.events, "pragma journal_mode"), "wal");
        assert!(
            files
                .events
                .execute_batch("update events set type = 'y'")
                .is_err()
        );
        let indexes = "select count(*) from sqlite_master
            where type = 'index' and name like 'idx_events_%'";
        assert_eq!(text(&files.events, indexes), "2");
    }
}

#[test]
fn a_database_of_something_else_is_left_alone() {
    let directory = directory();
    let paths = paths(directory.path());
    for (sql, complaint) in [
        ("create table users (id)", "it holds the table users"),
        ("create view events as select 1", "it holds the view events"),
        (
            "create table events (id integer primary key, when_ text)",
            "no column event_id",
        ),
        ("pragma user_version = 7", "its user_version is 7"),
    ] {
        Connection::open(&paths.events)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let before = text(
            &Connection::open(&paths.events).unwrap(),
            "pragma schema_version",
        );
        let error = open(&paths, Access::ReadWrite).unwrap_err();
        assert!(matches!(error, Error::NotALog { .. }), "{error:?}");
        assert!(error.to_string().ends_with(complaint), "{error}");
        assert_eq!(
            text(
                &Connection::open(&paths.events).unwrap(),
                "pragma schema_version"
            ),
            before
        );
        fs::remove_file(&paths.events).unwrap();
    }
    fs::write(&paths.events, vec![b'x'; 5000]).unwrap();
    assert!(matches!(
        open(&paths, Access::ReadWrite),
        Err(Error::NotADatabase { .. })
    ));
    assert_eq!(fs::read(&paths.events).unwrap(), vec![b'x'; 5000]);
}

#[test]
fn an_embedded_replica_opens_and_is_noted() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    fs::write(directory.path().join("events.db-info"), "{}").unwrap();
    let files = open(&paths, Access::Existing).unwrap();
    assert!(files.notes.contains(&Note::Replica), "{:?}", files.notes);
}
