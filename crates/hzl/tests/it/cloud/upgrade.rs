//! A store of HZL 3.2.0 is opened in place and synced.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use crate::add;

const SCHEMA: &str = include_str!("../../../../hzl-store/tests/it/files_upgrade/events_3_2_0.sql");
const CACHE: &str = include_str!("../../../../hzl-store/tests/it/files_upgrade/cache_3_2_0.sql");

const HELD: &str = "01HZX000000000000000000001";
const MOVED: &str = "01HZX000000000000000000002";
const READY: &str = "01HZX000000000000000000003";
const PROJECT: &str = "__project__";

/// What older versions wrote: some types and fields are not written any more.
const EVENTS: [(&str, &str, &str, Option<&str>); 15] = [
    (PROJECT, "project_created", r#"{"name":"first"}"#, None),
    (PROJECT, "project_created", r#"{"name":"doomed"}"#, None),
    (
        HELD,
        "task_created",
        r#"{"title": "Created  with \u00e4ssignee",  "project":"first","assignee":"old-agent","metadata":{"ticket":"X-1"},"due_at":"2031-01-31T00:00:00.000Z"}"#,
        Some("human"),
    ),
    (
        HELD,
        "status_changed",
        r#"{"from":"backlog","to":"in_progress"}"#,
        None,
    ),
    (
        MOVED,
        "task_created",
        r#"{"title":"Moved and renamed","project":"first"}"#,
        None,
    ),
    (
        MOVED,
        "task_updated",
        r#"{"field":"assignee","old_value":null,"new_value":"second-agent"}"#,
        None,
    ),
    (
        MOVED,
        "task_updated",
        r#"{"field":"metadata","old_value":{},"new_value":{"a":[1,2]}}"#,
        None,
    ),
    (
        MOVED,
        "task_moved",
        r#"{"from_project":"first","to_project":"inbox"}"#,
        None,
    ),
    (
        PROJECT,
        "project_renamed",
        r#"{"old_name":"first","new_name":"renamed"}"#,
        None,
    ),
    (
        PROJECT,
        "project_deleted",
        r#"{"name":"doomed","task_count":0,"archived_task_count":0}"#,
        None,
    ),
    (
        READY,
        "task_created",
        r#"{"title":"With reasons","project":"renamed","priority":1}"#,
        None,
    ),
    (
        READY,
        "status_changed",
        r#"{"from":"backlog","to":"in_progress","assignee":"third"}"#,
        None,
    ),
    (
        READY,
        "status_changed",
        r#"{"from":"in_progress","to":"blocked","reason":"waiting for parts"}"#,
        Some("third"),
    ),
    (
        READY,
        "status_changed",
        r#"{"from":"blocked","to":"ready","reason":"parts came"}"#,
        Some("third"),
    ),
    (READY, "comment_added", r#"{"text":"at last"}"#, Some("kim")),
];

/// The columns of 3.2.0, in a form in which one changed byte shows.
const ROWS: &str = "
    select group_concat(hex(event_id || '|' || task_id || '|' || type || '|' || data || '|'
      || schema_version || '|' || coalesce(author, 'null') || '|' || timestamp), char(10))
      from (select * from events where event_id < '01HZZ9' order by event_id)";

/// Lays the files of 3.2.0 down.
fn lay_down(device: &Device) {
    let folder = device.data().join("hzl");
    fs::create_dir_all(&folder).expect("a directory can be made");
    for (file, sql) in [("events.db", SCHEMA), ("cache.db", CACHE)] {
        let conn = Connection::open(folder.join(file)).expect("a file can be made");
        conn.execute_batch("pragma journal_mode = wal")
            .and_then(|()| conn.execute_batch(sql))
            .expect("the tables can be made");
    }
    let log = Connection::open(folder.join("events.db")).expect("the log opens");
    for (number, (task, kind, data, author)) in EVENTS.iter().enumerate() {
        let id = format!("01HZZ{number:021}");
        let time = format!("2025-03-01T00:00:{number:02}.000Z");
        let sql = "insert into events (event_id, task_id, type, data, author, timestamp)
                   values (?1, ?2, ?3, ?4, ?5, ?6)";
        log.execute(sql, (id, task, kind, data, author, time))
            .expect("an event can be added");
    }
}

fn rows(device: &Device) -> String {
    let log = Connection::open(device.data().join("hzl/events.db")).expect("the log opens");
    log.query_row(ROWS, [], |row| row.get(0)).expect("rows")
}

fn tasks(device: &Device) -> Vec<Value> {
    let show = |id: &str| device.json(&["task", "show", id]);
    [HELD, MOVED, READY, "T1"].into_iter().map(show).collect()
}

#[test]
fn a_store_of_3_2_0_reads_the_same_here_and_on_the_other_machine() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.device(), cloud.device());
    lay_down(&a);
    let before = rows(&a);
    let first = a.hzl(&["task", "list"]);
    assert_eq!(first.exit, 0, "{first}");
    assert!(first.stderr.contains("its events are unchanged"), "{first}");
    let read = tasks(&a);
    for (task, expected) in read.iter().zip([
        json!({"title": "Created  with ässignee", "project": "renamed", "status": "in_progress",
               "agent": "old-agent", "metadata": {"ticket": "X-1"}, "priority": 0}),
        json!({"title": "Moved and renamed", "project": "inbox", "status": "backlog",
               "agent": "second-agent", "metadata": {"a": [1, 2]}, "priority": 0}),
        json!({"title": "With reasons", "project": "renamed", "status": "ready",
               "agent": "third", "priority": 1}),
        json!({"title": "Old ä", "project": "inbox", "status": "ready", "agent": null}),
    ]) {
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&task["task"][key], value, "{key} of {task}");
        }
    }
    assert_eq!(read[2]["comments"][0]["text"], "at last");

    let pushed = a.sync()["pushed"].clone();
    assert_eq!(pushed, EVENTS.len() + 3);
    assert_eq!(b.sync()["pulled"], pushed);
    assert_eq!(tasks(&b), read);
    assert_same(&a, &b);
    assert_eq!(rows(&a), before, "nothing in the log was rewritten");
    assert_eq!(rows(&b), before, "nor on the way");

    b.json(&["task", "complete", HELD, "--author", "bob"]);
    add(&a, &["New", "-P", "renamed"]);
    b.sync();
    a.sync();
    b.sync();
    assert_same(&a, &b);
    assert_eq!(a.json(&["task", "show", HELD])["task"]["status"], "done");
    assert_eq!(rows(&a), before);
}
