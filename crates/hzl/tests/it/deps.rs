//! `hzl task add-dep` and `remove-dep`.

use serde_json::json;

use crate::add;
use crate::home;

#[test]
fn a_dependency_is_added_and_removed() {
    let home = home();
    let (a, b) = (add(&home, &["A", "-s", "ready"]), add(&home, &["B"]));
    assert_eq!(
        home.json(&["task", "add-dep", &a, &b, "--author", "ann"]),
        json!({"task_id": a, "depends_on_id": b, "added": true})
    );
    assert_eq!(crate::log(&home).pop().unwrap()["author"], "ann");
    home.fails(&["task", "claim", &a], 3);
    home.json(&["task", "add-dep", &a, &b]);
    assert_eq!(
        home.json(&["task", "remove-dep", &a, &b, "--author", "ann"]),
        json!({"task_id": a, "depends_on_id": b, "removed": true})
    );
    home.json(&["task", "remove-dep", &a, &b]);
    home.json(&["task", "claim", &a]);
}

#[test]
fn tasks_do_not_wait_for_each_other_or_for_strangers() {
    let home = home();
    let [a, b, c] = ["A", "B", "C"].map(|title| add(&home, &[title]));
    home.json(&["task", "add-dep", &a, &b]);
    home.json(&["task", "add-dep", &b, &c]);
    let before = crate::log(&home).len();
    for (line, exit) in [
        (&["task", "add-dep", &c, &a][..], 3),
        (&["task", "add-dep", &a, &a], 3),
        (&["task", "add-dep", &b, &a], 3),
        (&["task", "add-dep", &a, "nosuch"], 4),
        (&["task", "add-dep", "nosuch", &a], 4),
        (&["task", "remove-dep", &a, "nosuch"], 4),
        (&["task", "remove-dep", "nosuch", &a], 4),
        (&["task", "add-dep", &a], 2),
        (&["task", "remove-dep", &a], 2),
        (&["task", "add-dep", &a, ""], 3),
    ] {
        home.fails(line, exit);
    }
    assert_eq!(crate::log(&home).len(), before);
}

#[test]
fn a_dependency_on_a_deleted_task_can_be_removed() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let (a, b) = (add(&home, &["A"]), add(&home, &["B", "-P", "web"]));
    home.json(&["task", "add-dep", &a, &b]);
    home.json(&["project", "delete", "web", "--delete-tasks"]);
    home.fails(&["task", "show", &b], 4);
    home.json(&["task", "remove-dep", &a, &b]);
    let stranger = add(&home, &["C"]);
    home.fails(&["task", "remove-dep", &stranger, &b], 4);
}

#[test]
fn people_are_told_what_was_done() {
    let home = home();
    let (a, b) = (add(&home, &["A"]), add(&home, &["B"]));
    let line = |command| ["task", command, &a, &b, "--format", "md"];
    let added = home.hzl(&line("add-dep")).stdout;
    assert_eq!(added, format!("✓ {a} waits for {b} now\n"));
    let removed = home.hzl(&line("remove-dep")).stdout;
    assert_eq!(removed, format!("✓ {a} no longer waits for {b}\n"));
}
