//! `hzl project`.

use serde_json::json;

use crate::add;
use crate::home;

#[test]
fn a_project_is_created_listed_and_shown_with_its_tasks() {
    let home = home();
    let created = home.json(&["project", "create", "web", "-d", "Site"]);
    assert_eq!(created["name"], "web");
    assert_eq!(created["description"], "Site");
    assert_eq!(created["is_protected"], false);
    assert!(created["created_at"].as_str().unwrap().ends_with('Z'));
    for status in ["ready", "blocked", "done"] {
        add(&home, &["T", "-P", "web", "-s", status]);
    }

    let list = home.json(&["project", "list"]);
    assert_eq!(
        list,
        json!({"projects": [
            {"name": "inbox", "description": null, "is_protected": true,
             "task_count": 0, "archived_task_count": 0, "active_task_count": 0},
            {"name": "web", "description": "Site", "is_protected": false,
             "task_count": 3, "archived_task_count": 0, "active_task_count": 3},
        ]})
    );
    let shown = home.json(&["project", "show", "web"]);
    assert_eq!(shown["project"]["created_at"], created["created_at"]);
    assert_eq!(
        shown["statuses"],
        json!({"backlog": 0, "ready": 1, "in_progress": 0, "blocked": 1, "done": 1, "archived": 0})
    );
}

#[test]
fn bad_names_duplicates_and_strangers_are_refused() {
    let home = home();
    home.json(&["project", "create", "web"]);
    for (arguments, exit, code) in [
        (&["project", "create", "web"][..], 1, "general_error"),
        (&["project", "create", "has space"], 1, "general_error"),
        (&["project", "create", ""], 1, "general_error"),
        (&["project", "show", "nosuch"], 4, "not_found"),
        (&["project", "create"], 2, "invalid_usage"),
    ] {
        let error = home.fails(arguments, exit);
        assert_eq!(error["error"]["code"], code, "{error}");
    }
}

#[test]
fn people_get_text() {
    let home = home();
    let run = home.hzl(&["project", "create", "web", "-d", "Site", "--format", "md"]);
    assert_eq!(run.stdout, "✓ Created project web\n", "{run}");
    let list = home.hzl(&["project", "list", "--format", "md"]).stdout;
    assert!(list.contains("web") && list.contains("Site"), "{list}");
    let shown = home
        .hzl(&["project", "show", "web", "--format", "md"])
        .stdout;
    assert!(shown.starts_with("web\n"), "{shown}");
    assert!(shown.contains("In progress: 0"), "{shown}");
}
