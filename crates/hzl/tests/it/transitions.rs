//! `hzl task block`, `unblock`, `reopen`, `archive` and `steal`.

use hzl_testkit::home::Home;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

/// Adds a task that an agent works on, and returns its id and the id of the claim.
fn claimed(home: &Home, agent: &str, more: &[&str]) -> (String, String) {
    let task = add(home, &["T", "-s", "ready"]);
    let mut line = vec!["task", "claim", &task, "--agent", agent];
    line.extend(more);
    let claim = home.json(&line)["claim"]["id"].clone();
    let claim = claim.as_str().expect("a claim has an id").to_owned();
    (task, claim)
}

fn task_of(home: &Home, task: &str) -> Value {
    home.json(&["task", "show", task])["task"].clone()
}

fn md(home: &Home, arguments: &[&str]) -> String {
    let mut line = vec!["task"];
    line.extend(arguments);
    line.extend(["--format", "md"]);
    home.hzl(&line).stdout
}

#[test]
fn a_blocked_task_stays_with_its_agent_whoever_unblocks_it() {
    let home = home();
    let (task, claim) = claimed(&home, "ann", &["--lease", "30"]);
    let blocked = home.json(&[
        "task",
        "block",
        &task,
        "--author",
        "ann",
        "--comment",
        "no key",
        "--claim",
        &claim,
    ]);
    assert_eq!(
        blocked,
        json!({"task_id": task, "title": "T", "status": "blocked", "agent": "ann"})
    );
    assert_eq!(task_of(&home, &task)["lease_until"], json!(null));
    home.json(&["task", "block", &task, "--comment", "still no key"]);
    let unblocked = home.json(&["task", "unblock", &task, "--author", "bob"]);
    assert_eq!(
        unblocked,
        json!({"task_id": task, "title": "T", "status": "in_progress", "agent": "ann"})
    );
    home.json(&["task", "block", &task]);
    let released = home.json(&[
        "task",
        "unblock",
        &task,
        "--release",
        "--comment",
        "key came",
        "--claim",
        &claim,
    ]);
    assert_eq!(released["status"], "ready");
    let comments = home.json(&["task", "show", &task])["comments"].clone();
    assert_eq!(
        each(&comments, "text"),
        ["no key", "still no key", "key came"]
    );
}

#[test]
fn only_held_tasks_are_blocked_and_only_blocked_ones_unblocked() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let error = home.fails(&["task", "block", &task], 3)["error"].clone();
    assert_eq!(error["code"], "invalid_input");
    assert_eq!(
        error["suggestions"],
        json!([
            format!("hzl task start {task}"),
            format!("hzl task block {task}")
        ])
    );
    let error = home.fails(&["task", "unblock", &task], 3)["error"].clone();
    assert_eq!(error["code"], "task_invalid_status_transition");
    for command in ["block", "unblock", "reopen", "archive"] {
        home.fails(&["task", command, "nosuch"], 4);
        home.fails(&["task", command], 2);
    }
}

#[test]
fn a_done_task_is_reopened_as_ready_or_backlog() {
    let home = home();
    let task = add(&home, &["T", "-s", "done"]);
    let reopened = home.json(&[
        "task",
        "reopen",
        &task,
        "--author",
        "qa",
        "--comment",
        "came back",
    ]);
    assert_eq!(
        reopened,
        json!({"task_id": task, "title": "T", "status": "ready"})
    );
    let error = home.fails(&["task", "reopen", &task], 3)["error"].clone();
    assert_eq!(error["code"], "task_invalid_status_transition");
    home.json(&["task", "set-status", &task, "done"]);
    let error = home.fails(&["task", "reopen", &task, "-s", "in_progress"], 3)["error"].clone();
    assert_eq!(error["code"], "invalid_input");
    assert_eq!(task_of(&home, &task)["status"], "done");
    let reopened = home.json(&["task", "reopen", &task, "--status", "Backlog"]);
    assert_eq!(reopened["status"], "backlog");
    home.json(&["task", "archive", &task]);
    let error = home.fails(&["task", "reopen", &task], 3)["error"].clone();
    assert_eq!(error["code"], "task_invalid_status_transition");
}

#[test]
fn an_archived_task_leaves_the_list_but_is_still_shown() {
    let home = home();
    let (task, claim) = claimed(&home, "ann", &[]);
    let archived = home.json(&[
        "task",
        "archive",
        &task,
        "--author",
        "ann",
        "--comment",
        "gone",
        "--claim",
        &claim,
    ]);
    assert_eq!(
        archived,
        json!({"task_id": task, "title": "T", "status": "archived"})
    );
    assert_eq!(home.json(&["task", "list"])["total"], 0);
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["comments"][0]["text"], "gone");
    let error = home.fails(&["task", "archive", &task], 3)["error"].clone();
    assert_eq!(error["code"], "invalid_input");
}

#[test]
fn open_subtasks_are_archived_with_their_parent_or_let_go() {
    let home = home();
    let family = || {
        let parent = add(&home, &["Epic"]);
        let kid = add(&home, &["Kid", "--parent", &parent]);
        let done = add(&home, &["Done", "--parent", &parent, "-s", "done"]);
        (parent, kid, done)
    };
    let (parent, kid, done) = family();
    let before = crate::log(&home).len();
    home.fails(&["task", "archive", &parent], 3);
    let both = home.fails(&["task", "archive", &parent, "--cascade", "--orphan"], 3);
    assert_eq!(both["error"]["code"], "invalid_input");
    assert_eq!(crate::log(&home).len(), before);

    home.json(&["task", "archive", &parent, "--cascade"]);
    assert_eq!(task_of(&home, &kid)["status"], "archived");
    assert_eq!(task_of(&home, &done)["status"], "done");
    assert_eq!(task_of(&home, &done)["parent_id"], *parent);

    let (parent, kid, done) = family();
    home.json(&["task", "archive", &parent, "--orphan"]);
    for (task, status) in [(&kid, "backlog"), (&done, "done")] {
        assert_eq!(task_of(&home, task)["parent_id"], json!(null));
        assert_eq!(task_of(&home, task)["status"], status);
    }
}

#[test]
fn a_task_is_taken_over_by_force_and_its_old_claim_is_lost() {
    let home = home();
    let (task, claim) = claimed(&home, "ann", &["--lease", "30"]);
    let stolen = home.json(&[
        "task", "steal", &task, "--agent", "bob", "--force", "--author", "boss", "--lease", "5",
    ]);
    let event = crate::log(&home).pop().unwrap();
    assert_eq!(event["author"], "boss");
    assert_eq!(
        stolen,
        json!({
            "task_id": task, "title": "T", "status": "in_progress", "agent": "bob",
            "stolen_from": "ann", "lease_until": task_of(&home, &task)["lease_until"],
            "claim_id": event["event_id"],
        })
    );
    let new = stolen["claim_id"].as_str().unwrap();
    for command in ["block", "archive", "complete"] {
        let error = home.fails(&["task", command, &task, "--claim", &claim], 7)["error"].clone();
        assert_eq!(error["code"], "claim_lost");
        assert_eq!(error["details"]["holder"], "bob");
    }
    home.json(&["task", "block", &task, "--claim", new]);
    let error = home.fails(&["task", "unblock", &task, "--claim", &claim], 7)["error"].clone();
    assert_eq!(error["code"], "claim_lost");
    home.json(&["task", "complete", &task, "--claim", new]);
    home.fails(&["task", "reopen", &task, "--claim", &claim], 7);
    home.json(&["task", "reopen", &task, "--claim", new]);
}

#[test]
fn taking_over_needs_a_name_and_a_reason() {
    let home = home();
    let (leased, _) = claimed(&home, "ann", &["--lease", "30"]);
    let (unleased, _) = claimed(&home, "dee", &[]);
    let idle = add(&home, &["T", "-s", "ready"]);
    let before = crate::log(&home).len();
    for (line, exit) in [
        (&["task", "steal", &leased, "--agent", "bob"][..], 3),
        (
            &["task", "steal", &leased, "--agent", "bob", "--if-expired"],
            3,
        ),
        (
            &["task", "steal", &unleased, "--agent", "bob", "--if-expired"],
            3,
        ),
        (&["task", "steal", &leased, "--force"], 3),
        (&["task", "steal", &idle, "--agent", "bob", "--force"], 3),
        (
            &[
                "task", "steal", &leased, "--agent", "a", "--owner", "b", "--force",
            ],
            3,
        ),
        (
            &[
                "task", "steal", &leased, "--agent", "a", "--force", "-l", "0",
            ],
            3,
        ),
        (&["task", "steal", "nosuch", "--agent", "bob", "--force"], 4),
        (&["task", "steal"], 2),
    ] {
        home.fails(line, exit);
    }
    assert_eq!(crate::log(&home).len(), before);
    let stolen = home.json(&["task", "steal", &leased, "--owner", "bob", "--force"]);
    assert_eq!(stolen["agent"], "bob");
    assert_eq!(stolen["lease_until"], json!(null));
    let stolen = home.json(&["task", "steal", &unleased, "--author", "eve", "--force"]);
    assert_eq!(stolen["agent"], "eve");
}

#[test]
fn people_are_told_what_was_done() {
    let home = home();
    let (task, _) = claimed(&home, "ann", &[]);
    let says = |line: &[&str], expected: &str| {
        assert_eq!(md(&home, line), expected.replace("ID", &task));
    };
    says(&["block", &task], "✓ Blocked T (ID), now blocked\n");
    says(&["unblock", &task], "✓ Unblocked T (ID), now in_progress\n");
    let stolen = md(
        &home,
        &["steal", &task, "--agent", "bob", "--force", "-l", "5"],
    );
    assert!(stolen.starts_with(&format!(
        "✓ Took over T ({task})\nAgent: bob\nTaken from: ann\n"
    )));
    assert!(
        stolen.contains("Lease until: 2") && stolen.contains("Claim: "),
        "{stolen}"
    );
    home.json(&["task", "complete", &task]);
    says(&["reopen", &task], "✓ Reopened T (ID), now ready\n");
    says(&["archive", &task], "✓ Archived T (ID), now archived\n");
}
