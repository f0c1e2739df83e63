//! `hzl undo`: compensating events for the caller's last command.

use hzl_testkit::home::Home;
use serde_json::Value;

use crate::add;
use crate::home;
use crate::log;

fn shown(home: &Home, task: &str) -> Value {
    home.json(&["task", "show", task])["task"].clone()
}

/// What of a task an undo brings back.
fn state(home: &Home, task: &str) -> Value {
    let mut task = shown(home, task);
    for key in ["updated_at", "claimed_at"] {
        task[key] = Value::Null;
    }
    // There is no event that makes progress unknown again.
    if task["progress"] == 0 {
        task["progress"] = Value::Null;
    }
    task
}

#[test]
fn every_kind_of_change_is_taken_back() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let other = add(&home, &["Other"]);
    let task = add(
        &home,
        &[
            "T",
            "-s",
            "ready",
            "-t",
            "a",
            "--agent",
            "ann",
            "-d",
            "text",
            "--due",
            "2027-01-01",
        ],
    );
    let ids = [task.as_str(), other.as_str()];
    for line in [
        &[
            "task",
            "update",
            "T",
            "--title",
            "New",
            "-p",
            "3",
            "--tags",
            "b,c",
            "--clear-due",
        ][..],
        &[
            "task",
            "update",
            "T",
            "--desc",
            "",
            "--metadata",
            "{\"a\":1}",
            "--stale-after",
            "5m",
        ],
        &["task", "reassign", "T", "bob"],
        &["task", "move", "T", "web"],
        &["task", "add-dep", "T", "O"],
        &["task", "set-status", "T", "blocked"],
        &["task", "claim", "T", "--agent", "ann", "--lease", "30"],
        &["task", "archive", "T", "--comment", "gone"],
        &["task", "set-status", "T", "done"],
    ] {
        let before = state(&home, &task);
        let line: Vec<&str> = line
            .iter()
            .map(|word| match *word {
                "T" => ids[0],
                "O" => ids[1],
                word => word,
            })
            .collect();
        home.json(&line);
        assert_ne!(state(&home, &task), before, "{line:?}");
        let events = log(&home).len();
        let preview = home.json(&["undo", "--dry-run"]);
        assert_eq!(log(&home).len(), events, "a preview writes nothing");
        let undone = home.json(&["undo"]);
        assert_eq!(undone["changes"], preview["changes"], "{line:?}");
        assert_eq!(state(&home, &task), before, "{line:?}");
        home.json(&["rebuild"]);
        assert_eq!(state(&home, &task), before, "{line:?}");
    }
}

#[test]
fn a_held_task_goes_back_to_its_holder() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    home.json(&["task", "claim", &task, "--agent", "ann", "--lease", "30"]);
    home.json(&["task", "progress", &task, "40", "--author", "ann"]);
    for line in [
        &["task", "complete", &task, "--author", "bob"][..],
        &["task", "release", &task, "--author", "bob"],
        &["task", "steal", &task, "--force", "--agent", "bob"],
        &["task", "block", &task, "--author", "bob"],
    ] {
        let before = state(&home, &task);
        home.json(line);
        home.json(&["undo", "--author", "bob"]);
        assert_eq!(state(&home, &task), before, "{line:?}");
    }
    let line = ["task", "complete", &task, "--author", "ann"];
    assert_eq!(home.json(&line)["status"], "done");
}

#[test]
fn an_undo_says_what_the_progress_was() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    home.json(&["task", "progress", &task, "40", "--author", "ann"]);
    home.json(&["task", "complete", &task, "--author", "ann"]);
    let changes = home.json(&["undo"])["changes"].clone();
    let progress = changes.as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&progress["field"], &progress["from"], &progress["to"]),
        (&"progress".into(), &100.into(), &40.into()),
        "{changes}"
    );
}

#[test]
fn what_was_created_is_archived_and_projects_come_and_go() {
    let home = home();
    let added = home
        .call(&["task", "add", "--from-json", "-"])
        .stdin("[{\"title\":\"A\"},{\"title\":\"B\",\"comment\":\"stays\"}]")
        .json();
    let undone = home.json(&["undo"]);
    assert_eq!(undone["changes"].as_array().unwrap().len(), 2, "{undone}");
    for task in crate::each(&added["tasks"], "task_id") {
        assert_eq!(shown(&home, task.as_str().unwrap())["status"], "archived");
    }
    home.json(&["project", "create", "web", "-d", "Site"]);
    home.json(&["undo"]);
    home.fails(&["project", "show", "web"], 4);
    home.json(&["project", "create", "web", "-d", "Site"]);
    home.json(&["project", "rename", "web", "site"]);
    home.json(&["undo"]);
    let task = add(&home, &["In web", "-P", "web"]);
    home.json(&["project", "delete", "web", "--move-to", "inbox"]);
    home.json(&["undo"]);
    assert_eq!(shown(&home, &task)["project"], "web");
    assert_eq!(
        home.json(&["project", "show", "web"])["project"]["description"],
        "Site"
    );
}

#[test]
fn undo_goes_further_back_each_time_and_keeps_to_its_author() {
    let home = home();
    let task = add(&home, &["Zero", "--author", "kim"]);
    for title in ["One", "Two", "Three"] {
        home.json(&["task", "update", &task, "--title", title, "--author", "ann"]);
    }
    let other = add(&home, &["Other", "--author", "bob"]);
    for title in ["Two", "One", "Zero"] {
        let undone = home.json(&["undo", "--author", "ann"]);
        assert_eq!(undone["changes"][0]["to"], title);
        assert_eq!(shown(&home, &task)["title"], title);
    }
    let error = home.fails(&["undo", "--author", "ann"], 4);
    assert_eq!(error["error"]["code"], "not_found");
    assert_eq!(
        shown(&home, &other)["status"],
        "backlog",
        "the work of others"
    );
    home.json(&[
        "task", "update", &task, "--title", "Four", "--author", "ann",
    ]);
    home.json(&["undo", "--author", "ann"]);
    assert_eq!(shown(&home, &task)["title"], "Zero");
    let md = home.hzl(&["undo", "--author", "bob", "-n", "--format", "md"]);
    assert!(
        md.stdout.starts_with("✓ Would undo what bob did at "),
        "{md}"
    );
}

#[test]
fn what_somebody_has_changed_since_is_left_alone() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    home.json(&[
        "task", "update", &task, "--title", "Ann's", "--author", "ann",
    ]);
    home.json(&[
        "task", "update", &task, "--title", "Bob's", "--author", "bob",
    ]);
    let before = log(&home);
    let error = home.fails(&["undo", "--author", "ann"], 3);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("(title)"),
        "{error}"
    );
    home.json(&["task", "comment", &task, "hello", "--author", "eve"]);
    let error = home.fails(&["undo", "--author", "eve"], 3);
    assert!(
        error["error"]["message"].as_str().unwrap().contains("stay"),
        "{error}"
    );
    home.json(&["task", "claim", &task, "--agent", "dan"]);
    home.json(&["task", "release", &task, "--author", "dan"]);
    home.json(&["task", "claim", &task, "--agent", "eve"]);
    home.fails(&["undo", "--author", "dan"], 3);
    assert_eq!(shown(&home, &task)["agent"], "eve");
    assert_eq!(log(&home).len(), before.len() + 4, "refusals write nothing");
    home.fails(&["undo", "--author", "nobody"], 4);
    let mut fresh = crate::home();
    fresh.fails(&["undo"], 4);
    fresh.set_env("HZL_AGENT", "ann");
    fresh.fails(&["undo"], 4);
}
