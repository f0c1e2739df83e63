//! `hzl task add`, `show` and `update`.

use serde_json::json;

use crate::add;
use crate::each;
use crate::home;
use crate::id;

#[test]
fn a_task_is_added_with_every_option() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let base = add(&home, &["Base"]);
    let added = home.json(&[
        "task",
        "add",
        "Page",
        "-P",
        "web",
        "-d",
        "Text",
        "-l",
        "a.md, https://x.y",
        "-t",
        "ui, fix",
        "-p",
        "2",
        "--depends-on",
        &base[..25],
        "-s",
        "ready",
        "--agent",
        "ann",
        "--author",
        "kim",
        "--comment",
        " hello ",
        "--stale-after",
        "2h",
    ]);
    let task_id = id(&added);
    assert_eq!(
        added,
        json!({"task_id": task_id, "title": "Page", "project": "web", "status": "ready",
               "priority": 2, "tags": ["ui", "fix"], "parent_id": null, "agent": "ann"})
    );
    let shown = home.json(&["task", "show", &task_id]);
    let task = &shown["task"];
    assert_eq!(task["description"], "Text");
    assert_eq!(task["links"], json!(["a.md", "https://x.y"]));
    assert_eq!(task["stale_after_minutes"], 120);
    assert_eq!(task["depends_on"], json!([base]));
    assert_eq!(task["blocked_by"], json!([base]));
    assert_eq!(shown["comments"][0]["text"], "hello");
    assert_eq!(shown["comments"][0]["author"], "kim");
}

#[test]
fn a_subtask_is_in_the_project_of_its_parent() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let parent = add(&home, &["Epic", "-P", "web"]);
    let child = home.json(&["task", "add", "Part", "--parent", &parent, "-P", "inbox"]);
    assert_eq!(child["project"], "web");
    assert_eq!(child["parent_id"], parent);
    let error = home.fails(&["task", "add", "Too deep", "--parent", &id(&child)], 3);
    assert_eq!(error["error"]["code"], "invalid_input");
}

#[test]
fn a_task_that_cannot_be_added_says_why() {
    let home = home();
    let long = "x".repeat(129);
    for (arguments, exit, code) in [
        (&["task", "add", ""][..], 1, "general_error"),
        (&["task", "add", &long], 1, "general_error"),
        (&["task", "add", "T", "-P", "nosuch"], 1, "general_error"),
        (&["task", "add", "T", "-t", "a,,b"], 1, "general_error"),
        (
            &["task", "add", "T", "--depends-on", "00NO"],
            4,
            "not_found",
        ),
        (&["task", "add", "T", "--parent", "00NO"], 4, "not_found"),
    ] {
        let error = home.fails(arguments, exit);
        assert_eq!(error["error"]["code"], code, "{error}");
    }
    let error = home.fails(&["task", "add", &long], 1);
    assert_eq!(error["error"]["details"]["limit"], 128);
    assert_eq!(home.json(&["task", "list"])["total"], 0);
}

#[test]
fn views_show_more_and_more() {
    let home = home();
    let parent = add(&home, &["Main", "-t", "a", "-d", "D"]);
    let first = add(&home, &["First", "--parent", &parent, "-p", "1"]);
    add(
        &home,
        &["Then", "--parent", &parent, "--depends-on", &first],
    );
    home.json(&["task", "comment", &parent, "Hi"]);
    let keys = |arguments: &[&str]| {
        let mut line = vec!["task", "show", &parent];
        line.extend(arguments);
        let shown = home.json(&line);
        let task = shown["task"].as_object().unwrap();
        let notes = shown["comments"].as_array().unwrap().len();
        (task.keys().cloned().collect::<Vec<_>>(), notes)
    };
    let summary = [
        "task_id",
        "title",
        "project",
        "status",
        "priority",
        "parent_id",
        "agent",
    ];
    assert_eq!(
        keys(&["--view", "SUMMARY"]),
        (summary.map(str::to_owned).to_vec(), 0)
    );
    let (standard, notes) = keys(&["--view", "standard"]);
    assert_eq!(standard[7..], ["due_at", "tags", "lease_until"]);
    assert_eq!(notes, 1);
    let (full, _) = keys(&[]);
    assert!(!full.contains(&"depends_on".to_owned()) && !full.contains(&"blocked_by".to_owned()));

    let shown = home.json(&["task", "show", &parent]);
    assert_eq!(
        shown["subtasks"][0],
        json!({"task_id": first, "title": "First", "status": "backlog"})
    );
    let deep = home.json(&["task", "show", &parent, "--deep", "--view", "summary"]);
    assert_eq!(
        each(&deep["subtasks"], "blocked_by"),
        [&json!([]), &json!([first])]
    );
    assert_eq!(deep["subtasks"][1]["metadata"], json!({}));
    let without = home.json(&["task", "show", &parent, "--no-subtasks"]);
    assert_eq!(without.get("subtasks"), None);
    home.fails(&["task", "show", &parent, "--view", "tiny"], 3);
}

#[test]
fn ids_may_be_shortened_as_far_as_they_are_unique() {
    let home = home();
    let one = add(&home, &["One"]);
    let two = add(&home, &["Two"]);
    let shown = home.json(&["task", "show", &one[..25].to_lowercase()]);
    assert_eq!(shown["task"]["title"], "One");
    let common: String = one
        .chars()
        .zip(two.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect();
    let error = home.fails(&["task", "show", &common], 3)["error"].clone();
    assert_eq!(error["code"], "invalid_input");
    assert_eq!(
        each(&error["details"]["matches"], "task_id"),
        [&json!(one), &json!(two)]
    );
    for unknown in ["nosuch", "%", "_"] {
        let error = home.fails(&["task", "show", unknown], 4);
        assert_eq!(error["error"]["code"], "not_found");
    }
    home.fails(&["task", "show", ""], 3);
}

#[test]
fn fields_are_changed_cleared_and_left_alone() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let task = add(&home, &["Old", "-d", "D", "-t", "a", "-l", "x"]);
    let epic = add(&home, &["Epic", "-P", "web"]);
    let updated = home.json(&[
        "task",
        "update",
        &task,
        "--title",
        "New",
        "--desc",
        "",
        "-l",
        "y,z",
        "-p",
        "3",
        "-t",
        "",
        "--parent",
        &epic,
        "--author",
        "kim",
        "--stale-after",
        "90",
    ]);
    assert_eq!(
        updated,
        json!({"task_id": task, "title": "New", "description": null, "links": ["y", "z"],
               "priority": 3, "tags": [], "project": "web", "parent_id": epic,
               "stale_after_minutes": 90}),
        "the keys of 3.2.0, and what else was changed"
    );
    let detached = home.json(&[
        "task",
        "update",
        &task,
        "--parent",
        "",
        "--clear-stale-after",
    ]);
    assert_eq!(detached["parent_id"], json!(null));
    assert_eq!(detached["stale_after_minutes"], json!(null));
    assert_eq!(detached["title"], "New");

    let before = crate::log(&home).len();
    home.json(&["task", "update", &task]);
    home.json(&["task", "update", &task, "--title", "New"]);
    assert_eq!(crate::log(&home).len(), before, "nothing had to change");
    for (arguments, exit) in [
        (&["--parent", task.as_str()][..], 3),
        (&["--parent", "00NO"], 4),
        (&["--stale-after", "1h", "--clear-stale-after"], 3),
        (&["-p", "4"], 3),
    ] {
        let mut line = vec!["task", "update", &task];
        line.extend(arguments);
        home.fails(&line, exit);
    }
}

#[test]
fn people_see_everything_about_a_task_and_no_control_characters() {
    let home = home();
    let evil = "\u{1b}[31mred\u{7}";
    let base = add(&home, &["Base"]);
    let task = add(
        &home,
        &[
            evil,
            "-d",
            evil,
            "-t",
            "tag1",
            "--comment",
            evil,
            "--depends-on",
            &base,
        ],
    );
    add(&home, &["Part", "--parent", &task]);
    home.json(&["task", "checkpoint", &task, evil, "--data", "{\"k\":1}"]);
    let run = home.hzl(&["task", "show", &task, "--format", "md"]);
    for text in [
        task.as_str(),
        "red",
        "tag1",
        "Part",
        "{\"k\":1}",
        &format!("Waits for: {base}"),
    ] {
        assert!(run.stdout.contains(text), "{text} is missing\n{run}");
    }
    for command in ["show", "history"] {
        let run = home.hzl(&["task", command, &task, "--format", "md"]);
        assert!(!run.stdout.contains(['\u{1b}', '\u{7}']), "{run}");
    }
    let added = home.hzl(&["task", "add", evil, "--format", "md"]);
    assert!(added.stdout.starts_with("✓ Added "), "{added}");
    assert!(!added.stdout.contains('\u{1b}'), "{added}");
}
