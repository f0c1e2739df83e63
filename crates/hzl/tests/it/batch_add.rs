//! `hzl task add --from-json`: many tasks in one transaction, or none.

use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::home;
use crate::log;

const PLAN: &str = r#"[
  {"key": "epic", "title": "Sign-in", "project": "web", "priority": 2, "tags": ["auth"], "due": "2026-12-01"},
  {"key": "api", "title": "API", "parent": "@epic", "status": "ready", "metadata": {"n": 1}},
  {"title": "Page", "parent": "@epic", "depends_on": ["@api"], "links": ["a.md"], "agent": "bob",
   "description": "All of it", "comment": "first", "stale_after": "2h"}
]"#;

#[test]
fn a_plan_is_created_with_its_links_in_one_transaction() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let line = ["task", "add", "--from-json", "-", "--author", "ann"];
    let added = home.call(&line).stdin(PLAN).json();
    assert_eq!(added["total"], 3);
    let ids: Vec<&Value> = crate::each(&added["tasks"], "task_id");
    let show = |at: usize| home.json(&["task", "show", ids[at].as_str().unwrap()]);
    let (epic, api, page) = (show(0), show(1), show(2));
    assert_eq!(epic["task"]["priority"], 2);
    assert_eq!(epic["task"]["tags"], json!(["auth"]));
    assert_eq!(api["task"]["parent_id"], *ids[0]);
    assert_eq!(
        api["task"]["project"], "web",
        "a subtask is in its parent's project"
    );
    assert_eq!(api["task"]["status"], "ready");
    assert_eq!(page["task"]["depends_on"], json!([ids[1]]));
    assert_eq!(page["task"]["stale_after_minutes"], 120);
    assert_eq!(page["comments"][0]["text"], "first");
    let events = log(&home);
    let events: Vec<_> = events
        .iter()
        .filter(|event| event["task_id"] != "__project__")
        .collect();
    assert!(events.iter().all(|event| event["author"] == "ann"));
    let cause = &events[0]["causation_id"];
    assert!(cause.is_string() && events.iter().all(|event| event["causation_id"] == *cause));
}

#[test]
fn lines_and_files_are_read_and_options_are_defaults() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let known = add(&home, &["Known"]);
    let text = format!(
        "{{\"title\":\"A\"}}\n{{\"title\":\"B\",\"depends_on\":[\"{known}\"],\"project\":\"inbox\",\"priority\":0}}\n"
    );
    let file = home.write("tasks.ndjson", text);
    let line = [
        "task",
        "add",
        "--from-json",
        file.to_str().unwrap(),
        "-P",
        "web",
        "-p",
        "3",
        "-s",
        "ready",
    ];
    let added = home.json(&line);
    let of = |key: &str| {
        crate::each(&added["tasks"], key)
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(of("project"), [json!("web"), json!("inbox")]);
    assert_eq!(of("priority"), [json!(3), json!(0)]);
    assert_eq!(of("status"), [json!("ready"), json!("ready")]);
    let md = home
        .call(&["task", "add", "--from-json", "-", "--format", "md"])
        .stdin("[]")
        .run();
    assert_eq!(md.stdout, "✓ Added 0 tasks\n");
}

#[test]
fn one_bad_entry_and_nothing_is_added() {
    let home = home();
    add(&home, &["Known"]);
    let before = log(&home);
    for (text, exit, says) in [
        ("[{\"title\":\"A\"},{\"title\":\"\"}]", 1, "task 2"),
        (
            "[{\"title\":\"A\"},{\"title\":\"B\",\"parent\":\"nosuch\"}]",
            4,
            "task 2",
        ),
        (
            "[{\"title\":\"A\",\"depends_on\":[\"@later\"]},{\"key\":\"later\",\"title\":\"B\"}]",
            3,
            "`later`",
        ),
        (
            "[{\"key\":\"a\",\"title\":\"A\"},{\"key\":\"@a\",\"title\":\"B\"}]",
            3,
            "twice",
        ),
        (
            "[{\"title\":\"A\"},{\"title\":\"B\",\"colour\":\"red\"}]",
            3,
            "colour",
        ),
        ("[{\"title\":\"A\",\"status\":\"archived\"}]", 3, "task 1"),
        ("[{\"title\":\"A\",\"priority\":9}]", 3, "task 1"),
        ("[{\"title\":\"A\",\"stale_after\":\"soon\"}]", 3, "task 1"),
        ("[{\"title\":\"A\",\"project\":\"nosuch\"}]", 1, "task 1"),
        ("[{\"title\":\"A\"}", 3, "EOF"),
        ("\"title\"", 3, "expected a task"),
    ] {
        let error = home
            .call(&["task", "add", "--from-json", "-"])
            .stdin(text)
            .fails(exit);
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("nothing was added: "), "{error}");
        assert!(message.contains(says), "{text}: {error}");
    }
    home.fails(&["task", "add", "--from-json", "/no/such/file"], 4);
    home.fails(&["task", "add", "Title", "--from-json", "-"], 2);
    home.fails(&["task", "add"], 2);
    assert_eq!(log(&home), before);
}
