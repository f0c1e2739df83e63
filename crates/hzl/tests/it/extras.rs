//! `hzl guide`, `hzl sample-project` and `hzl lock`.

use serde_json::json;

use crate::each;
use crate::home;

#[test]
fn the_guide_is_markdown_and_touches_nothing() {
    let home = home();
    for format in ["json", "md"] {
        let run = home.hzl(&["guide", "--format", format]);
        assert_eq!(run.exit, 0, "{run}");
        assert!(run.stdout.starts_with("# "), "{run}");
        assert!(run.stdout.contains("hzl task claim --next"), "{run}");
    }
    assert!(!home.data().exists());
}

#[test]
fn the_sample_project_is_created_once() {
    let home = home();
    assert_eq!(
        home.json(&["sample-project", "create"]),
        json!({"project": "sample-project", "tasksCreated": 18, "skipped": false})
    );
    assert_eq!(
        home.json(&["sample-project", "create"]),
        json!({"project": "sample-project", "tasksCreated": 0, "skipped": true})
    );
    let shown = home.json(&["project", "show", "sample-project"]);
    assert_eq!(
        shown["statuses"],
        json!({"backlog": 8, "ready": 5, "in_progress": 1, "blocked": 0, "done": 4, "archived": 0})
    );
    assert_eq!(home.json(&["validate"])["isValid"], true);
    let held = home.json(&["task", "list", "-s", "in_progress", "--view", "full"]);
    let id = held["tasks"][0]["task_id"].as_str().unwrap();
    let held = home.json(&["task", "show", id]);
    assert_eq!(held["comments"][0]["author"], "jonas");
    assert_eq!(held["task"]["progress"], 45);
    let next = home.json(&["task", "claim", "--next", "--agent", "ann"]);
    assert_eq!(next["title"], "Build the search page");
}

#[test]
fn the_sample_project_is_filled_if_it_is_there_but_empty() {
    let home = home();
    home.json(&["project", "create", "sample-project"]);
    let created = home.json(&["sample-project", "create"]);
    assert_eq!(created["tasksCreated"], 18);
}

#[test]
fn a_reset_sample_project_is_as_new_also_after_a_rebuild() {
    let home = home();
    assert_eq!(
        home.json(&["sample-project", "reset"]),
        json!({"project": "sample-project", "deleted": 0, "created": 18})
    );
    crate::add(&home, &["Mine", "-P", "sample-project"]);
    assert_eq!(
        home.json(&["sample-project", "reset"]),
        json!({"project": "sample-project", "deleted": 19, "created": 18})
    );
    std::fs::remove_file(home.data().join("hzl/cache.db")).expect("the cache is a file");
    let projects = home.json(&["project", "list"])["projects"].clone();
    assert_eq!(each(&projects, "task_count"), [0, 18]);
    home.fails(&["sample-project"], 2);
    home.fails(&["sample-project", "frob"], 2);
}

#[test]
fn a_lock_file_is_shown_and_cleared_only_when_it_is_safe_or_forced() {
    let home = home();
    let path = home.data().join("hzl/events.db.lock");
    let place = path.to_str().unwrap();
    let free = json!({"success": true, "locked": false, "lockPath": place});
    assert_eq!(home.json(&["lock", "status"]), free);
    let cleared = home.json(&["lock", "clear"]);
    assert_eq!(
        (&cleared["success"], &cleared["cleared"]),
        (&json!(true), &json!(false))
    );

    let metadata = json!({"pid": 1, "hostname": "another.example", "startedAt": 1, "command": "x"});
    home.write("data/hzl/events.db.lock", metadata.to_string());
    assert_eq!(
        home.json(&["lock", "status"]),
        json!({"success": true, "locked": true, "lockPath": place, "isStale": false, "metadata": metadata})
    );
    let run = home.hzl(&["lock", "clear"]);
    assert_eq!(run.exit, 1, "{run}");
    assert!(run.stdout.contains("\"success\":false"), "{run}");
    assert!(path.exists());
    let run = home.hzl(&["lock", "clear", "--format", "md"]);
    assert!(run.stdout.starts_with("✗ "), "{run}");
    let forced = home.json(&["lock", "clear", "--force"]);
    assert_eq!(
        (&forced["cleared"], &forced["wasStale"]),
        (&json!(true), &json!(false))
    );
    assert!(!path.exists());
    home.fails(&["lock"], 2);
}

#[test]
fn what_is_no_lock_is_left_alone() {
    let home = home();
    let path = home.write("data/hzl/events.db.lock", "not json");
    for command in [["lock", "status"], ["lock", "clear"]] {
        assert_eq!(home.json(&command)["success"], true);
    }
    assert!(path.exists());
    let text = home.hzl(&["lock", "status", "--format", "md"]).stdout;
    assert!(text.starts_with("✓ No lock file\n"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_lock_of_a_process_that_has_ended_is_stale() {
    let home = home();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has it");
    let lock = |pid: u32| {
        let metadata = json!({"pid": pid, "hostname": host.trim(), "startedAt": 1});
        home.write("data/hzl/events.db.lock", metadata.to_string());
    };
    lock(std::process::id());
    assert_eq!(home.json(&["lock", "status"])["isStale"], false);
    lock(u32::MAX);
    assert_eq!(home.json(&["lock", "status"])["isStale"], true);
    let cleared = home.json(&["lock", "clear"]);
    assert_eq!(
        (&cleared["cleared"], &cleared["wasStale"]),
        (&json!(true), &json!(true))
    );
}
