//! Due dates, metadata and routing: `task add` and `task update`.

use serde_json::json;

use crate::add;
use crate::home;

#[test]
fn a_task_is_added_with_a_due_date_and_metadata() {
    let home = home();
    let task = add(
        &home,
        &[
            "T",
            "--due",
            "2026-12-01",
            "--metadata",
            "{\"host\":\"web1\"}",
        ],
    );
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["due_at"], "2026-12-01");
    assert_eq!(shown["task"]["metadata"], json!({"host": "web1"}));
    let listed = home.json(&["task", "list", "--view", "standard"]);
    assert_eq!(listed["tasks"][0]["due_at"], "2026-12-01");
}

#[test]
fn what_is_due_first_is_claimed_first() {
    let home = home();
    add(&home, &["Some day", "-s", "ready"]);
    add(&home, &["Late", "-s", "ready", "--due", "2026-12-02"]);
    let early = ["Early", "-s", "ready", "--due", "2026-12-01T22:00:00Z"];
    let early = add(&home, &early);
    let claimed = home.json(&["task", "claim", "--next", "--agent", "ann"]);
    assert_eq!(claimed["task_id"], json!(early));
}

#[test]
fn due_date_and_metadata_are_changed_and_cleared() {
    let home = home();
    let task = add(&home, &["T"]);
    let due = "2026-12-01T10:00:00Z";
    let line = [
        "task",
        "update",
        &task,
        "--due",
        due,
        "--metadata",
        "{\"a\":1}",
    ];
    let updated = home.json(&line);
    assert_eq!(updated["due_at"], due);
    assert_eq!(updated["metadata"], json!({"a": 1}));
    let line = ["task", "update", &task, "--clear-due", "--metadata", "{}"];
    let cleared = home.json(&line);
    assert_eq!(cleared["due_at"], json!(null));
    assert_eq!(cleared["metadata"], json!({}));
    let before = crate::log(&home).len();
    home.json(&line);
    assert_eq!(crate::log(&home).len(), before, "nothing had to change");
}

#[test]
fn a_task_is_routed_while_nobody_holds_it() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let update = |more: &[&str]| {
        let mut line = vec!["task", "update", task.as_str()];
        line.extend(more);
        home.json(&line)["agent"].clone()
    };
    assert_eq!(update(&["--agent", "ann"]), "ann");
    let claimed = home.json(&["task", "claim", "--next", "--agent", "bob"]);
    assert_eq!(claimed["task_id"], json!(null), "it is for ann");
    assert_eq!(update(&["--clear-agent"]), json!(null));
    assert_eq!(update(&["--agent", "ann"]), "ann");
    assert_eq!(update(&["--agent", ""]), json!(null));

    home.json(&["task", "claim", &task, "--agent", "bob"]);
    let error = home.fails(&["task", "update", &task, "--agent", "ann"], 3);
    assert_eq!(error["error"]["details"]["status"], "in_progress");
    let hints = error["error"]["suggestions"].to_string();
    assert!(hints.contains("hzl task steal"), "{error}");
}

#[test]
fn bad_due_dates_metadata_and_contradictions_are_refused() {
    let home = home();
    let task = add(&home, &["T"]);
    let before = crate::log(&home).len();
    for (arguments, exit) in [
        (&["task", "add", "X", "--due", "soon"][..], 3),
        (&["task", "add", "X", "--due", ""], 3),
        (&["task", "add", "X", "--metadata", "[1]"], 3),
        (&["task", "add", "X", "--metadata", "{oops"], 3),
        (&["task", "add", "X", "--due"], 2),
        (&["task", "update", &task, "--due", "soon"], 3),
        (
            &[
                "task",
                "update",
                &task,
                "--due",
                "2026-12-01",
                "--clear-due",
            ],
            3,
        ),
        (
            &["task", "update", &task, "--agent", "ann", "--clear-agent"],
            3,
        ),
        (&["task", "update", &task, "--metadata", "1"], 3),
        (&["task", "update", "nosuch", "--clear-due"], 4),
    ] {
        home.fails(arguments, exit);
    }
    assert_eq!(crate::log(&home).len(), before, "nothing was written");
}
