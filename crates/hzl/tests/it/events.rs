//! `hzl events`.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::home::Home;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

#[test]
fn the_log_is_printed_line_by_line() {
    let home = home();
    let task = add(&home, &["T", "--author", "kim", "-s", "ready"]);
    let events = crate::log(&home);
    let events = json!(events);
    assert_eq!(each(&events, "rowid"), [1, 2, 3]);
    assert_eq!(events[0]["task_id"], "__project__");
    assert_eq!(
        events[0]["data"],
        json!({"name": "inbox", "is_protected": true})
    );
    assert_eq!(events[1]["task_id"], task);
    assert_eq!(events[1]["author"], "kim");
    assert_eq!(events[2]["causation_id"], events[1]["event_id"]);
    assert_eq!(events[0].get("author"), None);
}

#[test]
fn a_part_of_the_log_can_be_asked_for() {
    let home = home();
    for title in ["a", "b", "c"] {
        add(&home, &[title]);
    }
    let lines = |arguments: &[&str]| {
        let mut line = vec!["events"];
        line.extend(arguments);
        let run = home.hzl(&line);
        assert_eq!(run.exit, 0, "{run}");
        run.stdout.lines().count()
    };
    assert_eq!(lines(&["--from", "2"]), 2);
    assert_eq!(lines(&["--limit", "3"]), 3);
    assert_eq!(lines(&["--from", "1", "--limit", "2"]), 2);
    assert_eq!(lines(&["--from", "99"]), 0);
    home.fails(&["events", "--from", "-1"], 3);
    home.fails(&["events", "--limit", "0"], 3);
    let run = home.hzl(&["events", "--format", "md"]);
    assert_eq!((run.exit, run.stdout.as_str()), (3, ""), "{run}");
}

fn follow(home: &Home, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_hzl"))
        .args(["events", "--follow"])
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.data())
        .env("XDG_CONFIG_HOME", home.config())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

#[test]
fn following_prints_new_events_and_ends_with_its_reader() {
    let home = home();
    add(&home, &["Before"]);
    let mut child = follow(&home, &["--from", "1"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut title = || {
        let line = lines.next().unwrap().unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        event["data"]["title"].clone()
    };
    assert_eq!(title(), "Before");
    add(&home, &["After"]);
    assert_eq!(title(), "After");
    drop(lines);
    add(&home, &["Unread"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
