//! `hzl task move`, `hzl project rename` and `hzl project delete`.

use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

#[test]
fn a_task_moves_with_its_subtasks() {
    let home = home();
    home.json(&["project", "create", "to"]);
    let parent = add(&home, &["Epic"]);
    let kid = add(&home, &["Kid", "--parent", &parent]);
    let moved = home.json(&["task", "move", &parent[..20], "to", "--author", "ann"]);
    assert_eq!(
        moved,
        json!({"task_id": parent, "from_project": "inbox", "to_project": "to", "subtask_count": 1})
    );
    assert_eq!(crate::log(&home).pop().unwrap()["author"], "ann");
    let again = home.json(&["task", "move", &parent, "to"]);
    assert_eq!(
        again,
        json!({"task_id": parent, "from_project": "to", "to_project": "to", "subtask_count": 0})
    );
    let back = home.json(&["task", "move", &kid, "inbox"]);
    assert_eq!(back["from_project"], "to");
    assert_eq!(home.json(&["task", "list", "-P", "to"])["total"], 1);
}

#[test]
fn a_move_names_a_task_and_a_project_that_exist() {
    let home = home();
    let task = add(&home, &["T"]);
    let error = home.fails(&["task", "move", &task, "nowhere"], 4);
    assert_eq!(error["error"]["code"], "not_found");
    home.fails(&["task", "move", "nosuch", "inbox"], 4);
    home.fails(&["task", "move", &task], 2);
}

#[test]
fn a_renamed_project_keeps_its_tasks() {
    let home = home();
    home.json(&["project", "create", "web", "-d", "Site"]);
    let task = add(&home, &["T", "-P", "web"]);
    let renamed = home.json(&["project", "rename", "web", "site"]);
    assert_eq!(renamed, json!({"old_name": "web", "new_name": "site"}));
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["project"], "site");
    let project = home.json(&["project", "show", "site"]);
    assert_eq!(project["project"]["description"], "Site");
    home.fails(&["project", "show", "web"], 4);
    home.json(&["project", "create", "web"]);
}

#[test]
fn a_project_is_not_renamed_to_a_bad_or_taken_name() {
    let home = home();
    home.json(&["project", "create", "web"]);
    home.json(&["project", "create", "taken"]);
    for (line, exit) in [
        (&["project", "rename", "web", "taken"][..], 1),
        (&["project", "rename", "web", "has space"], 1),
        (&["project", "rename", "web", ""], 1),
        (&["project", "rename", "nosuch", "other"], 1),
        (&["project", "rename", "inbox", "other"], 1),
        (&["project", "rename", "web"], 2),
    ] {
        home.fails(line, exit);
    }
}

#[test]
fn an_empty_project_is_deleted() {
    let home = home();
    home.json(&["project", "create", "web"]);
    assert_eq!(
        home.json(&["project", "delete", "web", "--delete-tasks"]),
        json!({"name": "web", "task_count": 0, "archived_task_count": 0, "action": "none"})
    );
    home.fails(&["project", "delete", "web"], 4);
}

#[test]
fn a_project_with_tasks_is_deleted_only_when_their_fate_is_said() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let task = add(&home, &["T", "-P", "web"]);
    home.json(&["task", "archive", &task]);
    let before = crate::log(&home).len();
    let error = home.fails(&["project", "delete", "web"], 2)["error"].clone();
    assert_eq!(
        error["suggestions"][0],
        "hzl project delete web --move-to inbox"
    );
    for line in [
        &[
            "project",
            "delete",
            "web",
            "--move-to",
            "inbox",
            "--delete-tasks",
        ][..],
        &[
            "project",
            "delete",
            "web",
            "--archive-tasks",
            "--delete-tasks",
        ],
        &["project", "delete", "web", "--move-to", "web"],
        &["project", "delete", "inbox"],
        &["project", "delete"],
    ] {
        home.fails(line, 2);
    }
    home.fails(&["project", "delete", "web", "--move-to", "nowhere"], 1);
    assert_eq!(crate::log(&home).len(), before);
}

#[test]
fn tasks_of_a_deleted_project_are_moved_archived_or_deleted() {
    let home = home();
    let project = |name: &str| {
        home.json(&["project", "create", name]);
        let open = add(&home, &["Open", "-P", name, "-s", "ready"]);
        let away = add(&home, &["Away", "-P", name]);
        home.json(&["task", "archive", &away]);
        (open, away)
    };
    let answer = |action: &str| json!({"name": action, "task_count": 1, "archived_task_count": 1, "action": action});
    let (open, away) = project("move");
    let deleted = home.json(&["project", "delete", "move", "--move-to", "inbox"]);
    assert_eq!(deleted, answer("move"));
    for task in [&open, &away] {
        assert_eq!(
            home.json(&["task", "show", task])["task"]["project"],
            "inbox"
        );
    }
    let (open, _) = project("archive");
    let deleted = home.json(&["project", "delete", "archive", "--archive-tasks"]);
    assert_eq!(deleted, answer("archive"));
    assert_eq!(
        home.json(&["task", "show", &open])["task"]["status"],
        "archived"
    );
    let (open, away) = project("delete");
    let deleted = home.json(&["project", "delete", "delete", "--delete-tasks"]);
    assert_eq!(deleted, answer("delete"));
    for task in [&open, &away] {
        home.fails(&["task", "show", task], 4);
    }
    let projects = home.json(&["project", "list"])["projects"].clone();
    assert_eq!(each(&projects, "name"), ["inbox"]);
}

#[test]
fn deleted_tasks_stay_deleted_when_the_projections_are_built_anew() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let task = add(&home, &["T", "-P", "web"]);
    home.json(&["project", "delete", "web", "--delete-tasks"]);
    std::fs::remove_file(home.data().join("hzl/cache.db")).unwrap();
    home.fails(&["task", "show", &task], 4);
    home.fails(&["project", "show", "web"], 4);
}

#[test]
fn people_are_told_what_was_done() {
    let home = home();
    let md = |line: &[&str]| {
        let mut line = line.to_vec();
        line.extend(["--format", "md"]);
        home.hzl(&line).stdout
    };
    for name in ["a", "b", "c", "d"] {
        home.json(&["project", "create", name]);
    }
    let task = add(&home, &["T", "-P", "a"]);
    add(&home, &["Kid", "--parent", &task]);
    assert_eq!(
        md(&["task", "move", &task, "b"]),
        format!("✓ Moved {task} from a to b with 1 subtask\n")
    );
    assert_eq!(
        md(&["task", "move", &task, "b"]),
        format!("✓ {task} is in b already\n")
    );
    assert_eq!(
        md(&["project", "rename", "b", "e"]),
        "✓ Renamed project b to e\n"
    );
    assert_eq!(md(&["project", "delete", "a"]), "✓ Deleted project a\n");
    assert_eq!(
        md(&["project", "delete", "e", "--move-to", "c"]),
        "✓ Deleted project e, its 2 tasks moved\n"
    );
    assert_eq!(
        md(&["project", "delete", "c", "--archive-tasks"]),
        "✓ Deleted project c, its 2 tasks archived\n"
    );
    add(&home, &["T", "-P", "d"]);
    assert_eq!(
        md(&["project", "delete", "d", "--delete-tasks"]),
        "✓ Deleted project d and its 1 task\n"
    );
}
