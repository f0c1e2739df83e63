//! `hzl task complete`, `release` and `set-status`.

use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

#[test]
fn a_claimed_task_is_completed_with_a_comment() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let claim = home.json(&["task", "claim", &task, "--agent", "ann"])["claim"]["id"].clone();
    let completed = home.json(&[
        "task",
        "complete",
        &task,
        "--author",
        "ann",
        "--comment",
        "shipped",
        "--claim",
        claim.as_str().unwrap(),
    ]);
    assert_eq!(
        completed,
        json!({"task_id": task, "title": "T", "status": "done"})
    );
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["progress"], 100);
    assert_eq!(shown["comments"][0]["text"], "shipped");
}

#[test]
fn completing_too_early_names_the_steps_before() {
    let home = home();
    let task = add(&home, &["T"]);
    let steps = |exit| home.fails(&["task", "complete", &task], exit)["error"].clone();
    let error = steps(3);
    assert_eq!(error["code"], "invalid_input");
    assert_eq!(error["details"]["status"], "backlog");
    for step in error["suggestions"].as_array().unwrap() {
        let line: Vec<&str> = step.as_str().unwrap().split(' ').skip(1).collect();
        home.json(&line);
    }
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["status"], "done");
}

#[test]
fn a_released_task_is_ready_again() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    home.json(&["task", "claim", &task, "--agent", "ann", "--lease", "9"]);
    let released = home.json(&[
        "task",
        "release",
        &task,
        "--author",
        "ann",
        "--comment",
        "lunch",
    ]);
    assert_eq!(
        released,
        json!({"task_id": task, "title": "T", "status": "ready", "agent": "ann"})
    );
    let task_now = home.json(&["task", "show", &task])["task"].clone();
    assert_eq!(task_now["lease_until"], json!(null));
    let error = home.fails(&["task", "release", &task], 3);
    assert_eq!(error["error"]["code"], "task_invalid_status_transition");
}

#[test]
fn an_act_under_a_claim_that_is_over_changes_nothing() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let old = home.json(&["task", "claim", &task, "--agent", "ann"])["claim"]["id"].clone();
    let old = old.as_str().unwrap();
    home.json(&["task", "release", &task, "--claim", old]);
    home.json(&["task", "claim", &task, "--agent", "bob"]);
    let before = crate::log(&home).len();
    for command in ["complete", "release"] {
        let error = home.fails(&["task", command, &task, "--claim", old], 7)["error"].clone();
        assert_eq!(error["code"], "claim_lost");
        assert_eq!(error["details"]["holder"], "bob");
    }
    assert_eq!(crate::log(&home).len(), before);
}

#[test]
fn any_status_can_be_set_until_it_is_archived() {
    let home = home();
    let task = add(&home, &["T"]);
    for status in [
        "ready",
        "IN_PROGRESS",
        "blocked",
        "done",
        "backlog",
        "archived",
    ] {
        let before = home.json(&["task", "show", &task])["task"]["status"].clone();
        let set = home.json(&["task", "set-status", &task, status, "--author", "ann"]);
        assert_eq!(set["previous_status"], before);
        assert_eq!(set["status"], status.to_lowercase());
    }
    let error = home.fails(&["task", "set-status", &task, "ready"], 3);
    assert_eq!(error["error"]["code"], "task_invalid_status_transition");
    home.fails(&["task", "set-status", &task, "bogus"], 3);
    home.fails(&["task", "set-status", &task], 2);
    let history = home.json(&["task", "history", &task]);
    assert_eq!(each(&history["events"], "type").len(), 7);
}

#[test]
fn people_are_told_what_was_done() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let line = |arguments: &[&str]| {
        let mut line = vec!["task"];
        line.extend(arguments);
        line.extend(["--format", "md"]);
        home.hzl(&line).stdout
    };
    line(&["start", &task]);
    assert_eq!(
        line(&["release", &task]),
        format!("✓ Released T ({task}), now ready\n")
    );
    assert_eq!(
        line(&["set-status", &task, "blocked"]),
        format!("✓ T ({task}) is blocked now, it was ready\n")
    );
    assert_eq!(
        line(&["complete", &task]),
        format!("✓ Completed T ({task}), now done\n")
    );
}
