//! `hzl workflow`.

use std::collections::BTreeSet;

use hzl_testkit::home::Home;
use hzl_testkit::home::Running;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

const AGENTS: usize = 8;
const TASKS: usize = 3;

fn claimed(home: &Home, title: &str, agent: &str) -> String {
    let task = add(home, &[title, "-s", "ready"]);
    home.json(&["task", "claim", &task, "--agent", agent]);
    task
}

/// Everything that a refused command must leave as it was.
fn state(home: &Home) -> (Vec<Value>, Value) {
    (crate::log(home), home.json(&["task", "list"]))
}

#[test]
fn parallel_starts_hand_each_task_out_once() {
    let home = home();
    let tasks: BTreeSet<String> = (0..TASKS)
        .map(|number| add(&home, &[&format!("Task {number}"), "-s", "ready"]))
        .collect();
    let start = |number: usize| {
        let agent = format!("a{number}");
        home.spawn(&["workflow", "run", "start", "-P", "inbox", "--agent", &agent])
    };
    let running: Vec<Running> = (0..AGENTS).map(start).collect();
    let mut taken = BTreeSet::new();
    let mut without = 0;
    for run in running {
        let run = run.wait();
        assert_eq!(run.exit, 0, "{run}");
        let answer = run.json();
        match answer["selected"]["task_id"].as_str() {
            Some(task) => {
                assert_eq!(answer["mode"], "claim_next");
                assert!(taken.insert(task.to_owned()), "{task} is handed out twice");
            }
            None => {
                assert_eq!(answer["mode"], "none");
                without += 1;
            }
        }
    }
    assert_eq!((taken, without), (tasks, AGENTS - TASKS));
}

#[test]
fn parallel_runs_of_one_operation_are_one() {
    let home = home();
    let task = claimed(&home, "Source", "ann");
    let delegate = |_: usize| {
        home.spawn(&[
            "workflow", "run", "delegate", "--from", &task, "--title", "Help", "--op-id", "k",
        ])
    };
    let running: Vec<Running> = (0..AGENTS).map(delegate).collect();
    let answers: Vec<Value> = running
        .into_iter()
        .map(|running| {
            let run = running.wait();
            assert_eq!(run.exit, 0, "{run}");
            run.json()
        })
        .collect();
    let delegated: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer["delegated"]["task_id"].to_string())
        .collect();
    assert_eq!(delegated.len(), 1);
    let first = |answer: &&Value| answer["idempotency"]["replayed"] == false;
    assert_eq!(answers.iter().filter(first).count(), 1);
    assert_eq!(home.json(&["task", "list"])["total"], 2);
}

#[test]
fn a_resumed_task_gets_its_lease_and_keeps_its_claim() {
    let home = home();
    let task = claimed(&home, "T", "ann");
    let before = home.json(&["task", "show", &task]);
    let start = ["workflow", "run", "start", "-P", "inbox", "--agent", "ann"];
    let resumed = home.json(&[&start[..], &["--lease", "30"]].concat());
    assert_eq!(resumed["mode"], "resume");
    assert!(resumed["selected"]["lease_until"].is_string());
    let after = home.json(&["task", "show", &task]);
    assert_eq!(after["task"]["claimed_at"], before["task"]["claimed_at"]);
    assert_eq!(
        after["task"]["lease_until"],
        resumed["selected"]["lease_until"]
    );
    let events = crate::log(&home).len();
    home.json(&start);
    assert_eq!(
        crate::log(&home).len(),
        events,
        "resuming alone writes nothing"
    );
    let refused = home.fails(&[&start[..], &["--resume-policy", "newest"]].concat(), 3);
    assert_eq!(refused["error"]["code"], "invalid_input");
}

#[test]
fn whoever_starts_or_goes_on_can_act_under_the_claim() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let start = ["workflow", "run", "start", "-P", "inbox", "--agent", "ann"];
    let claimed = home.json(&start)["claim_id"].clone();
    let resumed = home.json(&start)["claim_id"].clone();
    assert_eq!(claimed, resumed);
    let claim = claimed.as_str().expect("an id");
    home.json(&["task", "checkpoint", &task, "half", "--claim", claim]);
    home.json(&["task", "steal", &task, "--agent", "bob", "--force"]);
    home.fails(&["task", "complete", &task, "--claim", claim], 7);
    assert_eq!(home.json(&start).get("claim_id"), None);
}

#[test]
fn others_are_what_could_be_taken_instead() {
    let home = home();
    for title in ["A", "B", "C", "D"] {
        add(&home, &[title, "-s", "ready", "-t", "x"]);
    }
    add(&home, &["Not mine", "-s", "ready", "--agent", "bob"]);
    let start = |more: &[&str]| {
        let line = ["workflow", "run", "start", "--any-project", "--agent"];
        home.json(&[&line[..], more].concat())
    };
    let found = start(&["ann", "--others-limit", "2", "--tags", "x"]);
    assert_eq!(found["others_total"], 3);
    assert_eq!(
        each(&found["others"], "title"),
        [&json!("B"), &json!("C")],
        "{found}"
    );
    assert_eq!(found["filters"], json!({"tags": ["x"]}));
    let found = start(&["bob", "--others-limit", "all"]);
    assert_eq!(found["others_total"], 3);
    assert_eq!(found["others"].as_array().unwrap().len(), 3);
    let found = start(&["cyd", "--no-include-others"]);
    assert_eq!(
        (&found["others_total"], &found["others"]),
        (&json!(1), &json!([]))
    );
    let line = [
        "workflow",
        "run",
        "start",
        "--any-project",
        "--agent",
        "dan",
        "--no-include-others",
        "--include-others",
    ];
    let found = home.json(&line);
    assert_eq!(
        found["mode"], "claim_next",
        "the last of the two counts: {found}"
    );
}

#[test]
fn a_handoff_is_one_transaction() {
    let home = home();
    let task = claimed(&home, "Source", "ann");
    home.json(&["task", "checkpoint", &task, "half", "--data", "{\"a\":1}"]);
    let events = crate::log(&home).len();
    let answer = home.json(&[
        "workflow", "run", "handoff", "--from", &task, "--title", "Next", "-P", "inbox",
    ]);
    let log = crate::log(&home);
    let new = &log[events..];
    let causes: BTreeSet<_> = new
        .iter()
        .map(|event| event["causation_id"].to_string())
        .collect();
    assert_eq!(causes, BTreeSet::from([new[0]["event_id"].to_string()]));
    let follow_on = answer["follow_on"]["task_id"].as_str().unwrap();
    let shown = home.json(&["task", "show", follow_on]);
    let description = shown["task"]["description"].as_str().unwrap();
    assert!(description.ends_with("half {\"a\":1}"), "{description}");
    assert_eq!(
        home.json(&["task", "show", &task])["task"]["status"],
        "done"
    );
}

#[test]
fn a_refused_workflow_leaves_nothing() {
    let home = home();
    let ready = add(&home, &["Ready", "-s", "ready"]);
    let held = claimed(&home, "Held", "ann");
    home.json(&["task", "checkpoint", &held, "one"]);
    let before = state(&home);
    let long = "x".repeat(200);
    let handoff = ["workflow", "run", "handoff", "--title"];
    let delegate = ["workflow", "run", "delegate", "--title"];
    for line in [
        [&handoff[..], &["N", "--from", &ready, "-P", "inbox"]].concat(),
        [&handoff[..], &["N", "--from", &held, "-P", "nosuch"]].concat(),
        [&handoff[..], &["N", "--from", &held]].concat(),
        [&handoff[..], &[&long, "--from", &held, "-P", "inbox"]].concat(),
        [&delegate[..], &["N", "--from", &held, "-P", "nosuch"]].concat(),
        // The last step but one fails: the note is too long for a checkpoint.
        [
            &delegate[..],
            &["N", "--from", &held, "--checkpoint", &"y".repeat(20_000)],
        ]
        .concat(),
    ] {
        let line = [&line[..], &["--op-id", "k"]].concat();
        home.fails(&line, 1);
        assert_eq!(state(&home), before, "{line:?}");
    }
    // Nothing was recorded under the key either.
    let done = home.json(
        &[
            &handoff[..],
            &["N", "--from", &held, "-P", "inbox", "--op-id", "k"],
        ]
        .concat(),
    );
    assert_eq!(done["idempotency"]["replayed"], false);
}

#[test]
fn a_made_key_replays_until_something_else_happens() {
    let home = home();
    let task = claimed(&home, "Source", "ann");
    let line = [
        "workflow",
        "run",
        "handoff",
        "--from",
        &task,
        "--title",
        "Next",
        "-P",
        "inbox",
        "--auto-op-id",
    ];
    let first = home.json(&line);
    let again = home.json(&line);
    assert_eq!(again["idempotency"]["replayed"], true);
    assert_eq!(again["idempotency"]["auto_generated"], true);
    assert_eq!(again["idempotency"]["op_id"], first["idempotency"]["op_id"]);
    assert_eq!(again["follow_on"], first["follow_on"]);
    assert_eq!(home.json(&["task", "list"])["total"], 2);
    home.json(&["task", "reopen", &task]);
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    let anew = home.json(&line);
    assert_eq!(anew["idempotency"]["replayed"], false);
    assert_ne!(anew["follow_on"]["task_id"], first["follow_on"]["task_id"]);
}

#[test]
fn delegating_pauses_only_what_is_in_progress() {
    let home = home();
    let task = claimed(&home, "Source", "ann");
    let delegate = |title: &str| {
        home.json(&[
            "workflow",
            "run",
            "delegate",
            "--from",
            &task[..20],
            "--title",
            title,
            "--pause-parent",
        ])
    };
    assert_eq!(delegate("One")["parent_paused"], true);
    assert_eq!(delegate("Two")["parent_paused"], false);
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["status"], "blocked");
    assert_eq!(shown["comments"].as_array().unwrap().len(), 1);
}

#[test]
fn a_delegation_with_a_made_key_is_carried_out_once() {
    let home = home();
    let task = claimed(&home, "Source", "ann");
    let delegate = || {
        home.json(&[
            "workflow",
            "run",
            "delegate",
            "--from",
            &task,
            "--title",
            "Part",
            "--auto-op-id",
        ])
    };
    let first = delegate();
    let again = delegate();
    assert_eq!(again["delegated"], first["delegated"]);
    assert_eq!(again["idempotency"]["replayed"], true);
    assert_eq!(home.json(&["task", "list"])["total"], 2);
}

#[test]
fn texts_for_people_name_the_tasks() {
    let home = home();
    add(&home, &["Fix it", "-s", "ready"]);
    let start = ["workflow", "run", "start", "-P", "inbox", "--format", "md"];
    let run = home.hzl(&[&start[..], &["--agent", "ann"]].concat());
    assert!(run.stdout.contains("Claimed Fix it"), "{run}");
    let run = home.hzl(&[&start[..], &["--agent", "bob"]].concat());
    assert!(run.stdout.contains("No task"), "{run}");
    let run = home.hzl(&["workflow", "show", "handoff", "--format", "md"]);
    assert!(run.stdout.contains("--carry-checkpoints"), "{run}");
}
