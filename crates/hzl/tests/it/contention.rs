//! Many processes on one ledger: each task is handed out once, and nobody sees an error.

use std::collections::BTreeSet;

use hzl_testkit::home::Home;
use hzl_testkit::home::Running;
use serde_json::Value;

use crate::each;
use crate::home;

const PROCESSES: usize = 64;

fn add(home: &Home, number: usize) -> Running {
    let title = format!("Task {number}");
    home.spawn(&["task", "add", &title, "-s", "ready"])
}

fn claim(home: &Home, number: usize) -> Running {
    let agent = format!("a{number}");
    home.spawn(&["task", "claim", "--next", "--agent", &agent])
}

/// Waits for all of them; every one has to succeed.
fn answers(running: Vec<Running>) -> Vec<Value> {
    let answer = |running: Running| {
        let run = running.wait();
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
        run.json()
    };
    running.into_iter().map(answer).collect()
}

/// Returns the tasks that were claimed; none twice.
fn claimed(answers: &[Value]) -> BTreeSet<String> {
    let mut tasks = BTreeSet::new();
    for answer in answers {
        if let Some(task_id) = answer["task_id"].as_str() {
            assert!(
                tasks.insert(task_id.to_owned()),
                "{task_id} is handed out twice"
            );
        }
    }
    tasks
}

#[track_caller]
fn assert_sound(home: &Home, tasks: usize) {
    let doctor = home.json(&["doctor"]);
    assert_eq!(doctor["checks"]["database"]["status"], "pass", "{doctor}");
    assert_eq!(
        doctor["checks"]["projections"]["status"], "pass",
        "{doctor}"
    );
    let list = home.json(&["task", "list", "--limit", "1000"]);
    assert_eq!(list["total"], tasks);
    let claims = crate::log(home);
    let claims = claims
        .iter()
        .filter(|event| event["data"]["to"] == "in_progress");
    let held = each(&list["tasks"], "status");
    let held = held.iter().filter(|status| **status == "in_progress");
    assert_eq!(
        claims.count(),
        held.count(),
        "one claim event for each held task"
    );
}

#[test]
fn each_of_64_processes_gets_a_task_of_its_own() {
    let home = home();
    let added = answers((0..PROCESSES + 4).map(|n| add(&home, n)).collect());
    assert_eq!(claimed(&added).len(), PROCESSES + 4);
    let answers = answers((0..PROCESSES).map(|n| claim(&home, n)).collect());
    assert_eq!(claimed(&answers).len(), PROCESSES);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["agent"], format!("a{number}"));
    }
    assert_sound(&home, PROCESSES + 4);
}

#[test]
fn tasks_are_handed_out_once_while_others_are_added() {
    let home = home();
    answers((0..16).map(|n| add(&home, n)).collect());
    let mut adders = Vec::new();
    let mut claimers = Vec::new();
    for number in 0..PROCESSES {
        if number % 2 == 0 {
            adders.push(add(&home, 16 + number));
        }
        claimers.push(claim(&home, number));
    }
    assert_eq!(claimed(&answers(adders)).len(), PROCESSES / 2);
    let mut all = answers(claimers);
    // What came too late for them is still there, once.
    while let [rest] = &answers(vec![claim(&home, 999)])[..]
        && rest["task_id"].is_string()
    {
        all.push(rest.clone());
    }
    assert_eq!(claimed(&all).len(), 16 + PROCESSES / 2);
    assert_sound(&home, 16 + PROCESSES / 2);
}
