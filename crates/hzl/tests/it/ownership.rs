//! `hzl task renew`, `reassign` and `unarchive`.

use hzl_testkit::home::Home;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::home;

/// Adds a task that `ann` works on, and returns its id and the answer to the claim.
fn claimed(home: &Home, more: &[&str]) -> (String, Value) {
    let task = add(home, &["T", "-s", "ready"]);
    let mut line = vec!["task", "claim", &task, "--agent", "ann"];
    line.extend(more);
    let claim = home.json(&line);
    (task, claim)
}

#[test]
fn a_lease_is_renewed_and_never_shortened() {
    let home = home();
    let (task, claim) = claimed(&home, &["--lease", "30"]);
    let shorter = home.json(&["task", "renew", &task, "--lease", "5"]);
    assert_eq!(shorter["lease_until"], claim["lease_until"]);
    let line = ["task", "renew", &task, "-l", "90", "--author", "ann"];
    let renewed = home.json(&line);
    let until = renewed["lease_until"].as_str().expect("a lease");
    assert!(until > claim["lease_until"].as_str().expect("a lease"));
    assert_eq!(
        renewed,
        json!({"task_id": task, "title": "T", "status": "in_progress", "agent": "ann",
               "lease_until": until})
    );
    assert_eq!(crate::log(&home).pop().expect("an event")["author"], "ann");
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["lease_until"], until);
}

#[test]
fn a_claim_without_a_lease_gets_one() {
    let home = home();
    let (task, _) = claimed(&home, &[]);
    let md = home.hzl(&["task", "renew", &task, "-l", "9", "--format", "md"]);
    assert!(md.stdout.contains("Renewed T"), "{md}");
    assert!(md.stdout.contains("Lease until"), "{md}");
}

#[test]
fn a_lease_is_renewed_under_the_current_claim_only() {
    let home = home();
    let (task, claim) = claimed(&home, &["--lease", "30"]);
    let claim = claim["claim"]["id"].as_str().expect("a claim");
    home.json(&["task", "renew", &task, "-l", "60", "--claim", claim]);
    let steal = ["task", "steal", &task, "--force", "--agent", "bob"];
    home.json(&steal);
    let line = ["task", "renew", &task, "-l", "60", "--claim", claim];
    let error = home.fails(&line, 7);
    assert_eq!(error["error"]["code"], "claim_lost");
    assert_eq!(error["error"]["details"]["holder"], "bob");
}

#[test]
fn only_a_held_task_has_a_lease_to_renew() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    for (more, exit) in [
        (&["renew", task.as_str(), "--lease", "5"][..], 3),
        (&["renew", &task, "--lease", "0"], 3),
        (&["renew", &task, "--lease", "soon"], 3),
        (&["renew", &task], 2),
        (&["renew", "nosuch", "--lease", "5"], 4),
    ] {
        let mut line = vec!["task"];
        line.extend(more);
        home.fails(&line, exit);
    }
}

#[test]
fn a_task_is_reassigned_while_nobody_holds_it() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready", "--agent", "ann"]);
    let line = ["task", "reassign", &task, "bob", "--author", "kim"];
    assert_eq!(
        home.json(&line),
        json!({"task_id": task, "title": "T", "status": "ready", "agent": "bob",
               "previous_agent": "ann"})
    );
    assert_eq!(crate::log(&home).pop().expect("an event")["author"], "kim");
    let next = home.json(&["task", "claim", "--next", "--agent", "ann"]);
    assert_eq!(next["task_id"], json!(null), "it is for bob");
    let nobody = home.json(&["task", "reassign", &task, ""]);
    assert_eq!(nobody["agent"], json!(null));
    let md = home.hzl(&["task", "reassign", &task, "bob", "--format", "md"]);
    assert!(md.stdout.contains("is for bob"), "{md}");

    home.json(&["task", "claim", "--next", "--agent", "bob"]);
    let error = home.fails(&["task", "reassign", &task, "ann"], 3);
    let hints = error["error"]["suggestions"].to_string();
    assert!(hints.contains("hzl task steal"), "{error}");
    home.fails(&["task", "reassign", "nosuch", "ann"], 4);
    home.fails(&["task", "reassign", &task], 2);
}

#[test]
fn a_task_comes_out_of_the_archive_unheld() {
    let home = home();
    let (task, _) = claimed(&home, &["--lease", "30"]);
    home.json(&["task", "archive", &task]);
    let line = [
        "task",
        "unarchive",
        &task,
        "--comment",
        "too early",
        "--author",
        "kim",
    ];
    assert_eq!(
        home.json(&line),
        json!({"task_id": task, "title": "T", "status": "ready"})
    );
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["lease_until"], json!(null));
    assert_eq!(shown["task"]["claimed_at"], json!(null));
    assert_eq!(shown["comments"][0]["text"], "too early");
    assert_eq!(home.json(&["task", "list"])["total"], 1);
    let next = home.json(&["task", "claim", "--next", "--agent", "bob"]);
    assert_eq!(next["task_id"], json!(task));
    assert_eq!(home.json(&["doctor"])["status"], "healthy");
}

#[test]
fn a_task_goes_from_the_archive_to_the_backlog() {
    let home = home();
    let task = add(&home, &["T"]);
    home.json(&["task", "archive", &task]);
    let line = [
        "task",
        "unarchive",
        &task,
        "-s",
        "backlog",
        "--format",
        "md",
    ];
    let md = home.hzl(&line);
    assert!(md.stdout.contains("now backlog"), "{md}");
}

#[test]
fn nothing_else_leaves_the_archive() {
    let home = home();
    let (task, claim) = claimed(&home, &[]);
    let error = home.fails(&["task", "unarchive", &task], 3);
    assert_eq!(error["error"]["code"], "task_invalid_status_transition");
    home.json(&["task", "archive", &task]);
    let error = home.fails(&["task", "reopen", &task], 3);
    let hints = error["error"]["suggestions"].to_string();
    assert!(hints.contains("hzl task unarchive"), "{error}");
    home.fails(&["task", "set-status", &task, "ready"], 3);
    home.fails(&["task", "unarchive", &task, "-s", "done"], 3);
    home.fails(&["task", "unarchive", "nosuch"], 4);
    let line = ["task", "unarchive", &task, "--claim", "another"];
    home.fails(&line, 7);
    let claim = claim["claim"]["id"].as_str().expect("a claim");
    home.json(&["task", "unarchive", &task, "--claim", claim]);
}

fn lease_of(home: &Home, task: &str) -> String {
    let shown = home.json(&["task", "show", task]);
    let lease = shown["task"]["lease_until"].as_str();
    lease.expect("a lease").to_owned()
}

#[test]
fn a_checkpoint_of_the_holder_renews_the_lease_as_long_as_it_was_asked_for() {
    let home = home();
    let (task, claim) = claimed(&home, &["--lease", "30"]);
    let claim = claim["claim"]["id"].as_str().expect("a claim").to_owned();
    let mut before = lease_of(&home, &task);
    for by in [["--author", "ann"], ["--claim", &claim]] {
        let mut line = vec!["task", "checkpoint", &task, "alive"];
        line.extend(by);
        home.json(&line);
        let after = lease_of(&home, &task);
        assert!(after > before, "{by:?}: {before} {after}");
        before = after;
    }
    // Of others, or of nobody in particular, it is only a note.
    home.json(&["task", "checkpoint", &task, "seen", "--author", "bob"]);
    home.json(&["task", "checkpoint", &task, "seen"]);
    home.json(&["task", "checkpoint", &task, "stale", "--claim", "another"]);
    assert_eq!(lease_of(&home, &task), before);
    // A longer lease, once asked for, is what is renewed, and is not shortened.
    home.json(&["task", "renew", &task, "--lease", "90", "--author", "ann"]);
    let long = lease_of(&home, &task);
    home.json(&["task", "checkpoint", &task, "alive", "--author", "ann"]);
    assert!(lease_of(&home, &task) > long);
}

#[test]
fn a_checkpoint_makes_no_lease_where_there_is_none() {
    let home = home();
    let (task, _) = claimed(&home, &[]);
    home.json(&["task", "checkpoint", &task, "alive", "--author", "ann"]);
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["lease_until"], serde_json::Value::Null);
    home.json(&["task", "complete", &task, "--author", "ann"]);
    home.json(&["task", "checkpoint", &task, "after", "--author", "ann"]);
}
