//! `hzl task list`.

use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

/// Returns the titles of a list.
#[track_caller]
fn titles(home: &hzl_testkit::home::Home, arguments: &[&str]) -> Vec<String> {
    let mut line = vec!["task", "list"];
    line.extend(arguments);
    let list = home.json(&line);
    each(&list["tasks"], "title")
        .into_iter()
        .map(|title| title.as_str().expect("a title is text").to_owned())
        .collect()
}

#[test]
fn filters_hold_together() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let epic = add(&home, &["Epic", "-P", "web", "-s", "ready"]);
    let part = add(
        &home,
        &["Part", "--parent", &epic, "-s", "ready", "-p", "1"],
    );
    add(&home, &["Waits", "-s", "ready", "--depends-on", &part]);
    add(&home, &["Mine", "--agent", "ann"]);
    add(&home, &["Hers", "--agent", "Annika", "-p", "3"]);
    for (arguments, expected) in [
        (&[][..], &["Hers", "Part", "Epic", "Waits", "Mine"][..]),
        (&["-P", "web"], &["Part", "Epic"]),
        (&["-P", "nosuch"], &[]),
        (&["-s", "ready", "--root"], &["Epic", "Waits"]),
        (&["-s", "archived"], &[]),
        (&["--agent", "ann"], &["Mine"]),
        (&["--agent-pattern", "ann*"], &["Hers", "Mine"]),
        (&["--available"], &["Part"]),
        (&["--parent", &epic[..25]], &["Part"]),
        (&["--root", "-P", "web"], &["Epic"]),
    ] {
        assert_eq!(titles(&home, arguments), expected, "{arguments:?}");
    }
    home.fails(&["task", "list", "--parent", "00NO"], 4);
    home.fails(&["task", "list", "--agent", "a", "--agent-pattern", "b"], 2);
    home.fails(&["task", "list", "-s", "bogus"], 3);
}

#[test]
fn pages_have_a_size_and_an_end() {
    let home = home();
    for title in ["a", "b", "c"] {
        add(&home, &[title]);
    }
    let page = |page: &str| home.json(&["task", "list", "--limit", "2", "--page", page]);
    assert_eq!(each(&page("1")["tasks"], "title"), ["a", "b"]);
    assert_eq!(page("1")["has_more"], true);
    let last = page("2");
    assert_eq!(each(&last["tasks"], "title"), ["c"]);
    assert_eq!(
        (
            &last["total"],
            &last["page"],
            &last["limit"],
            &last["has_more"]
        ),
        (&json!(3), &json!(2), &json!(2), &json!(false))
    );
    assert_eq!(page("4294967295")["tasks"], json!([]));
    let far = [
        "task",
        "list",
        "--limit",
        "4294967295",
        "--page",
        "4294967295",
    ];
    assert_eq!(home.json(&far)["tasks"], json!([]));
    home.fails(&["task", "list", "--page", "0"], 3);
    home.fails(&["task", "list", "--limit", "0"], 3);
}

#[test]
fn views_and_stale_marks_add_keys() {
    let home = home();
    add(
        &home,
        &["T", "-t", "a", "-s", "in_progress", "--agent", "ann"],
    );
    let task = |arguments: &[&str]| {
        let mut line = vec!["task", "list"];
        line.extend(arguments);
        home.json(&line)["tasks"][0].clone()
    };
    let keys = |task: &Value| {
        task.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let plain = [
        "task_id",
        "title",
        "project",
        "status",
        "priority",
        "agent",
        "parent_id",
        "created_at",
    ];
    assert_eq!(keys(&task(&["--stale-threshold", "0"])), plain);
    let standard = task(&["--view", "standard"]);
    assert_eq!(
        keys(&standard)[8..],
        ["due_at", "tags", "stale", "stale_minutes"]
    );
    let full = task(&["--view", "full"]);
    assert_eq!(full["description"], json!(null));
    assert_eq!(full.get("links"), None, "empty lists are left out");
    assert_eq!(
        (&full["stale"], &full["stale_minutes"]),
        (&json!(false), &json!(null))
    );
    home.fails(&["task", "list", "--view", "tiny"], 3);
    home.fails(&["task", "list", "--stale-threshold", "x"], 3);
}

#[test]
fn groups_are_by_agent_with_nobody_last() {
    let home = home();
    add(&home, &["Free"]);
    add(&home, &["Z", "--agent", "zed"]);
    add(&home, &["A", "--agent", "amy"]);
    let list = home.json(&["task", "list", "--group-by-agent"]);
    assert_eq!(
        each(&list["groups"], "agent"),
        [&json!("amy"), &json!("zed"), &json!(null)]
    );
    assert_eq!(each(&list["groups"], "total"), [1, 1, 1]);
    assert_eq!(list["total_tasks"], 3);
    assert_eq!(list["tasks"].as_array().unwrap().len(), 3);
    let text = home
        .hzl(&["task", "list", "--group-by-agent", "--format", "md"])
        .stdout;
    assert!(
        text.starts_with("amy (1):\n") && text.contains("Nobody (1):\n"),
        "{text}"
    );
}

#[test]
fn people_see_icons_and_short_ids() {
    let home = home();
    assert_eq!(
        home.hzl(&["task", "list", "--format", "md"]).stdout,
        "No tasks.\n"
    );
    add(&home, &["Open"]);
    add(&home, &["Work", "-s", "in_progress"]);
    add(&home, &["Over", "-s", "done"]);
    let run = home.hzl(&["task", "list", "--format", "md"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "Tasks:");
    for (line, icon, title) in [(1, "○", "Open"), (2, "→", "Work"), (3, "✓", "Over")] {
        assert!(lines[line].starts_with(&format!("  {icon} [")), "{run}");
        assert!(
            lines[line].ends_with(&format!("] {title} (inbox)")),
            "{run}"
        );
    }
    let page = home
        .hzl(&["task", "list", "--limit", "1", "--format", "md"])
        .stdout;
    assert!(page.ends_with("Page 1, 3 tasks in all\n"), "{page}");
}
