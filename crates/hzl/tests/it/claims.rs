//! `hzl task claim` and `start`.

use serde_json::json;

use crate::add;
use crate::each;
use crate::home;
use crate::id;

#[test]
fn a_named_task_is_claimed_with_lease_and_trace() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready", "-d", "D"]);
    let claimed = home.json(&[
        "task",
        "claim",
        &task[..25],
        "--agent",
        "ann",
        "--agent-id",
        "box",
        "--lease",
        "30",
        "--view",
        "full",
    ]);
    assert_eq!(claimed["task_id"], task);
    assert_eq!(
        (&claimed["status"], &claimed["agent"]),
        (&json!("in_progress"), &json!("ann"))
    );
    assert_eq!(claimed["task"]["description"], "D");
    assert_eq!(claimed["task"]["lease_until"], claimed["lease_until"]);
    let trace = &claimed["decision_trace"];
    assert_eq!(trace["mode"], "explicit");
    assert_eq!(trace["filters"], json!({"task_id": task}));
    assert_eq!(trace["eligibility"]["leaf_only_required"], false);
    assert_eq!(trace["outcome"]["reason_code"], "claimed");

    let event = crate::log(&home).pop().unwrap();
    assert_eq!(
        claimed["claim"],
        json!({"id": event["event_id"], "state": "confirmed"})
    );
    assert_eq!(
        (&event["author"], &event["agent_id"]),
        (&json!("ann"), &json!("box"))
    );
}

#[test]
fn a_claim_is_provisional_where_a_cloud_decides() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let claimed = home
        .call(&["task", "claim", &task])
        .env("HZL_SYNC_URL", "http://127.0.0.1:9")
        .json();
    assert_eq!(claimed["claim"]["state"], "provisional");
}

#[test]
fn a_refused_claim_says_why_and_what_is_in_the_way() {
    let home = home();
    let blocker = add(&home, &["B"]);
    let task = add(&home, &["T", "-s", "ready", "--depends-on", &blocker]);
    let refused = |task: &str| {
        let error = home.fails(&["task", "claim", task, "--agent", "bob"], 3)["error"].clone();
        assert_eq!(error["code"], "invalid_input");
        error["details"]["decision_trace"].clone()
    };
    let trace = refused(&blocker);
    assert_eq!(trace["outcome"]["reason_code"], "not_ready");
    assert_eq!(trace["outcome"]["selected"], false);
    let trace = refused(&task);
    assert_eq!(trace["outcome"]["reason_code"], "dependency_blocked");
    assert_eq!(each(&trace["alternatives"], "task_id"), [&json!(blocker)]);
    home.json(&["task", "set-status", &blocker, "done"]);
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    assert_eq!(refused(&task)["outcome"]["reason_code"], "not_ready");
    home.fails(&["task", "claim", "nosuch"], 4);
}

#[test]
fn start_claims_too() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let started = home.json(&[
        "task",
        "start",
        &task,
        "--agent",
        "ann",
        "--agent-id",
        "box",
        "-l",
        "5",
    ]);
    assert_eq!(started["status"], "in_progress");
    assert!(started["lease_until"].is_string());
    assert_eq!(started["decision_trace"]["mode"], "explicit");
    home.fails(&["task", "start", &task], 3);
    home.fails(&["task", "start", &task, "--lease", "0"], 3);
}

#[test]
fn the_next_task_is_the_most_urgent_one_for_the_caller() {
    let home = home();
    home.json(&["project", "create", "web"]);
    add(&home, &["Old", "-s", "ready"]);
    let urgent = add(&home, &["Urgent", "-s", "ready", "-p", "3"]);
    add(
        &home,
        &["For kim", "-s", "ready", "-p", "3", "--agent", "kim"],
    );
    let tagged = add(&home, &["Tagged", "-s", "ready", "-P", "web", "-t", "a,b"]);
    let epic = add(&home, &["Epic", "-s", "ready", "-p", "3"]);
    let part = add(&home, &["Part", "--parent", &epic, "-s", "ready"]);
    let next = |arguments: &[&str]| {
        let mut line = vec!["task", "claim", "--next", "--agent", "ann"];
        line.extend(arguments);
        home.json(&line)
    };

    let claimed = next(&[
        "-P", "web", "-t", "b, a", "--view", "summary", "--lease", "1",
    ]);
    assert_eq!(id(&claimed), tagged);
    assert_eq!(
        claimed["decision_trace"]["filters"],
        json!({"project": "web", "tags": ["b", "a"]})
    );
    assert_eq!(claimed["task"].get("due_at"), None);
    let claimed = next(&["--parent", &epic[..25], "--no-stagger"]);
    assert_eq!(id(&claimed), part);
    assert_eq!(
        claimed["decision_trace"]["filters"],
        json!({"parent": epic})
    );
    let claimed = next(&["--agent-id", "box"]);
    assert_eq!(id(&claimed), urgent);
    let next_best = &claimed["decision_trace"]["alternatives"];
    assert_eq!(each(next_best, "reason_code"), ["eligible"]);
    assert_eq!(next(&[])["title"], "Old");

    let nothing = next(&[]);
    assert_eq!(nothing["task_id"], json!(null));
    assert_eq!(nothing["claim"], json!(null));
    let trace = &nothing["decision_trace"];
    assert_eq!(trace["outcome"]["reason_code"], "no_candidates");
    assert_eq!(trace["outcome"].get("task_id"), None);
    assert_eq!(trace["alternatives"].as_array().unwrap().len(), 3);
    assert_eq!(
        next(&["-P", "nosuch"])["decision_trace"]["alternatives"],
        json!([])
    );
    let error = home.fails(&["task", "claim", "--next", "--parent", "00NO"], 4);
    assert_eq!(error["error"]["code"], "not_found");
    home.fails(&["task", "claim", "--next", &epic], 2);
    home.fails(&["task", "claim"], 2);
}

#[test]
fn old_slips_and_settings_still_work() {
    let home = home();
    home.write("config/hzl/config.json", r#"{"claimStaggerMs": 60000}"#);
    let task = add(&home, &["T", "-s", "ready"]);
    let run = home.hzl(&["task", "next", "--assignee", "ann"]);
    assert_eq!(id(&run.json()), task, "{run}");
    assert_eq!(run.stderr.lines().count(), 2, "{run}");
}

#[test]
fn people_are_told_what_they_got() {
    let home = home();
    let task = add(&home, &["Paint", "-s", "ready"]);
    let run = home.hzl(&[
        "task", "claim", "--next", "--agent", "ann", "--format", "md",
    ]);
    assert!(
        run.stdout
            .starts_with(&format!("✓ Claimed Paint ({task})\nAgent: ann\n")),
        "{run}"
    );
    let run = home.hzl(&["task", "claim", "--next", "--format", "md"]);
    assert_eq!(run.exit, 0, "{run}");
    assert!(run.stdout.contains(&task), "{run}");
}
