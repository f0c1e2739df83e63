//! When a command fails: one JSON line, a stable code, and nothing left behind.

use std::fs;

use hzl_testkit::home::Home;
use serde_json::Value;

use crate::add;
use crate::home;

/// Everything a command could have changed: the log, and what is derived from it.
#[derive(Debug, PartialEq)]
struct State {
    events: Vec<Value>,
    tasks: Value,
    hash: Value,
}

impl State {
    fn of(home: &Home) -> Self {
        let doctor = home.json(&["doctor"]);
        assert_eq!(
            doctor["checks"]["projections"]["status"], "pass",
            "{doctor}"
        );
        Self {
            events: crate::log(home),
            tasks: home.json(&["task", "list", "--view", "full", "--stale-threshold", "0"]),
            hash: home.json(&["status"])["data"]["stateHash"].clone(),
        }
    }
}

#[test]
fn a_failed_command_writes_nothing_in_either_file() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let other = add(&home, &["Other"]);
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    let long = "x".repeat(20_000);
    let before = State::of(&home);
    for (arguments, exit) in [
        (&["project", "create", "inbox"][..], 1),
        (&["project", "create", "bad name"], 1),
        (&["task", "add", ""], 1),
        (&["task", "add", "T", "-P", "nosuch"], 1),
        (&["task", "add", "T", "-s", "done", "--comment", &long], 1),
        (&["task", "add", "T", "--depends-on", "00NO"], 4),
        (&["task", "claim", &task, "--agent", "bob"], 3),
        (&["task", "start", &other], 3),
        (&["task", "complete", &other, "--comment", "x"], 3),
        (&["task", "complete", &task, "--comment", &long], 1),
        (&["task", "complete", &task, "--claim", "00NO"], 7),
        (&["task", "release", &other], 3),
        (&["task", "checkpoint", &task, ""], 1),
        (&["task", "comment", &task, " "], 1),
        (&["task", "comment", "00NO", "x"], 4),
        (&["task", "progress", "00NO", "5"], 4),
        (
            &["task", "update", &task, "--title", "New", "-t", "a,,b"],
            1,
        ),
        (
            &["task", "update", &task, "--title", "New", "--parent", &task],
            3,
        ),
        (&["task", "set-status", "00NO", "done"], 4),
    ] {
        let answer = home.fails(arguments, exit);
        assert_eq!(answer["ok"], false, "{arguments:?}: {answer}");
        assert_eq!(State::of(&home), before, "{arguments:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let home = home();
    let content = "this is not a database file at all, not even close to one";
    let path = home.write("broken.db", content);
    for arguments in [
        &["task", "list"][..],
        &["task", "add", "T"],
        &["status"],
        &["events"],
        &["init"],
    ] {
        let mut line = arguments.to_vec();
        line.extend(["--db", "broken.db"]);
        let error = home.fails(&line, 5)["error"].clone();
        assert_eq!(error["code"], "database_error", "{error}");
        assert!(
            error["message"].as_str().unwrap().contains("broken.db"),
            "{error}"
        );
        let hints = error["suggestions"].to_string();
        assert!(
            !hints.contains("rm ") && !hints.contains("force"),
            "{hints}"
        );
    }
    assert_eq!(fs::read_to_string(path).unwrap(), content);
    assert!(
        !home.config().exists(),
        "a place that does not work is not remembered"
    );
    let error = home.fails(&["task", "add", "T", "--db", "broken.db"], 5);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("nothing was written: "), "{message}");
}

#[test]
fn a_database_of_something_else_is_left_alone() {
    let home = home();
    home.json(&["init", "--db", "a/events.db"]);
    // A cache is a database, but no log.
    let error = home.fails(&["task", "list", "--db", "a/cache.db"], 5);
    assert_eq!(error["error"]["code"], "database_error", "{error}");
}

#[test]
fn a_lost_or_broken_cache_costs_nothing() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready", "-t", "a", "--comment", "x"]);
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    let before = State::of(&home);
    let cache = home.data().join("hzl/cache.db");
    fs::remove_file(&cache).unwrap();
    assert_eq!(State::of(&home), before);
    fs::write(
        &cache,
        "rubbish that is long enough to look like something at all",
    )
    .unwrap();
    let run = home.hzl(&["task", "list"]);
    assert_eq!(run.exit, 0, "{run}");
    assert!(run.stderr.starts_with("Note: the cache was"), "{run}");
    assert_eq!(State::of(&home), before);
}
