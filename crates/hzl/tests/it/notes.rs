//! `hzl task comment`, `checkpoint`, `progress` and `history`.

use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

#[test]
fn comments_are_kept_as_they_are() {
    let home = home();
    let task = add(&home, &["T"]);
    let text = "Two\nlines and \"quotes\" ";
    let signed = home.json(&["task", "comment", &task, text, "--author", "ann"]);
    assert_eq!(
        signed,
        json!({"task_id": task, "text": text, "author": "ann"})
    );
    let plain = home.json(&["task", "comment", &task, "x"]);
    assert_eq!(plain, json!({"task_id": task, "text": "x"}));
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(each(&shown["comments"], "text"), [text, "x"]);
    assert_eq!(shown["comments"][1].get("author"), None);
    for (text, exit) in [("  ", 1), (&*"x".repeat(16_385), 1)] {
        home.fails(&["task", "comment", &task, text], exit);
    }
    home.fails(&["task", "comment", "nosuch", "x"], 4);
}

#[test]
fn checkpoints_keep_data_and_set_the_progress() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let data = r#"{"z":[1],"a":{"k":null}}"#;
    let claim = home.json(&["task", "claim", &task])["claim"]["id"].clone();
    let recorded = home.json(&[
        "task",
        "checkpoint",
        &task,
        "half",
        "--data",
        data,
        "--progress",
        "50",
        "--author",
        "ann",
        "--claim",
        claim.as_str().unwrap(),
    ]);
    assert_eq!(
        recorded.to_string(),
        format!(r#"{{"task_id":"{task}","name":"half","data":{data},"progress":50}}"#)
    );
    let bare = home.json(&["task", "checkpoint", &task, "more"]);
    assert_eq!(bare, json!({"task_id": task, "name": "more", "data": {}}));
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["progress"], 50);
    assert_eq!(each(&shown["checkpoints"], "name"), ["half", "more"]);
    for (arguments, exit) in [
        (&["bad", "--data", "{oops"][..], 3),
        (&["bad", "--data", "[1]"], 3),
        (&["bad", "--progress", "101"], 3),
        (&[""], 1),
        (&[], 2),
    ] {
        let mut line = vec!["task", "checkpoint", &task];
        line.extend(arguments);
        home.fails(&line, exit);
    }
}

#[test]
fn a_checkpoint_under_a_claim_that_is_over_is_kept_with_a_warning() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let old = home.json(&["task", "claim", &task])["claim"]["id"].clone();
    let old = old.as_str().unwrap();
    home.json(&["task", "release", &task]);
    home.json(&["task", "claim", &task, "--agent", "bob"]);
    let recorded = home.json(&[
        "task",
        "checkpoint",
        &task,
        "late",
        "--progress",
        "90",
        "--claim",
        old,
    ]);
    assert_eq!(recorded["warnings"][0]["code"], "claim_lost");
    assert_eq!(recorded["warnings"][0]["holder"], "bob");
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(each(&shown["checkpoints"], "name"), ["late"]);
    assert_eq!(shown["task"]["progress"], json!(null));
}

#[test]
fn progress_is_reported_and_does_not_complete() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let reported = home.json(&["task", "progress", &task, "100", "--author", "ann"]);
    assert_eq!(
        reported,
        json!({"task_id": task, "title": "T", "progress": 100})
    );
    let shown = home.json(&["task", "show", &task])["task"].clone();
    assert_eq!(
        (&shown["status"], &shown["progress"]),
        (&json!("ready"), &json!(100))
    );
    for bad in ["101", "-1", "half"] {
        home.fails(&["task", "progress", &task, bad], 2);
    }
}

#[test]
fn history_is_oldest_first_and_can_be_cut() {
    let home = home();
    let task = add(&home, &["T", "-t", "a"]);
    home.json(&["task", "update", &task, "--title", "New", "--author", "kim"]);
    home.json(&["task", "comment", &task, "x"]);
    let history = home.json(&["task", "history", &task]);
    assert_eq!(
        each(&history["events"], "type"),
        ["task_created", "task_updated", "comment_added"]
    );
    let update = &history["events"][1];
    assert_eq!(update["author"], "kim");
    assert_eq!(
        update["data"],
        json!({"field": "title", "old_value": "T", "new_value": "New"})
    );
    assert!(update["rowid"].is_i64());
    let cut = home.json(&["task", "history", &task, "--limit", "1"]);
    assert_eq!(each(&cut["events"], "type"), ["task_created"]);
    home.fails(&["task", "history", &task, "--limit", "0"], 3);
    home.fails(&["task", "history", "nosuch"], 4);
    let text = home
        .hzl(&["task", "history", &task, "--format", "md"])
        .stdout;
    assert!(
        text.contains("task_updated") && text.contains("kim"),
        "{text}"
    );
}

#[test]
fn people_are_told_what_was_noted() {
    let home = home();
    let task = add(&home, &["T"]);
    for (arguments, expected) in [
        (
            &["comment", task.as_str(), "x"][..],
            format!("✓ Commented on {task}\n"),
        ),
        (
            &["checkpoint", &task, "cp"],
            format!("✓ Recorded cp on {task}\n"),
        ),
        (
            &["progress", &task, "5"],
            format!("✓ T ({task}) is at 5 %\n"),
        ),
        (
            &["update", &task, "-p", "1"],
            format!("✓ Updated T ({task})\n"),
        ),
    ] {
        let mut line = vec!["task"];
        line.extend(arguments);
        line.extend(["--format", "md"]);
        assert_eq!(home.hzl(&line).stdout, expected);
    }
}
