//! The real binary in a home of its own: what scripts and people see of it.

mod agents;
mod batch_add;
mod claims;
mod cloud;
mod command_line;
mod compat;
mod completions;
mod contention;
mod defaults;
mod dep_list;
mod deps;
mod documents;
mod durability;
mod events;
mod extras;
mod failures;
mod fields;
mod health;
mod hooks;
mod init;
mod large_store;
mod lifecycle;
mod lists;
#[cfg(target_arch = "x86_64")]
mod memory;
mod moves;
mod notes;
mod ownership;
mod projects;
mod prune;
mod reference;
mod schemas;
mod search;
mod secrets;
mod settings;
mod sizes;
mod tasks;
mod text;
mod torture;
mod transfer;
mod transitions;
mod undo;
mod workflows;

use hzl_testkit::home::Home;
use serde_json::Value;

/// Returns an empty home for the binary under test.
fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_hzl"))
}

/// Adds a task and returns its id.
#[track_caller]
fn add(home: &Home, arguments: &[&str]) -> String {
    let mut line = vec!["task", "add"];
    line.extend(arguments);
    id(&home.json(&line))
}

/// Returns the `task_id` of an answer.
#[track_caller]
fn id(answer: &Value) -> String {
    let id = answer["task_id"].as_str();
    id.unwrap_or_else(|| panic!("no task_id in {answer}"))
        .to_owned()
}

/// Returns the values of one key of all objects in a list.
fn each<'a>(list: &'a Value, key: &str) -> Vec<&'a Value> {
    let items = list.as_array().expect("a list");
    items.iter().map(|item| &item[key]).collect()
}

/// Returns all events of the ledger.
#[track_caller]
fn log(home: &Home) -> Vec<Value> {
    let run = home.hzl(&["events"]);
    assert_eq!(run.exit, 0, "{run}");
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an event is a JSON line"))
        .collect()
}
