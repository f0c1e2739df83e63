//! `export`, `import`, `backup` and `restore`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hzl_testkit::home::Home;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::home;
use crate::log;

fn worked() -> (Home, String) {
    let home = home();
    home.json(&["sample-project", "create"]);
    let task = add(
        &home,
        &["Mine", "-s", "ready", "--metadata", "{\"b\":1, \"a\":[2]}"],
    );
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    home.json(&[
        "task",
        "comment",
        &task,
        "ünï\u{1F980}\nline",
        "--author",
        "ann",
    ]);
    (home, task)
}

fn hash(home: &Home) -> Value {
    home.json(&["status"])["data"]["stateHash"].clone()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn an_empty_store_that_imports_an_export_is_the_same_ledger() {
    let (home, task) = worked();
    let file = home.path().join("ledger.ndjson");
    let exported = home.json(&["export", path_text(&file)]);
    assert_eq!(exported["events"], log(&home).len());
    assert_eq!(mode(&file), 0o600);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        home.hzl(&["export"]).stdout
    );

    let other = crate::home();
    let imported = other.json(&["import", path_text(&file)]);
    assert_eq!(
        imported,
        json!({"imported": log(&home).len(), "skipped": 0, "errors": 0, "became_replica": true, "dry_run": false})
    );
    assert_eq!(hash(&other), hash(&home));
    let status = |home: &Home, key: &str| home.json(&["status"])["data"][key].clone();
    assert_eq!(status(&other, "instanceId"), status(&home, "instanceId"));
    assert_ne!(status(&other, "deviceId"), status(&home, "deviceId"));
    assert_eq!(
        other.json(&["task", "show", &task]),
        home.json(&["task", "show", &task])
    );
    // Byte for byte, except for who would push it.
    assert_eq!(other.hzl(&["export"]).stdout, home.hzl(&["export"]).stdout);

    let again = other.json(&["import", path_text(&file)]);
    assert_eq!(
        (&again["imported"], &again["skipped"]),
        (&json!(0), &imported["imported"])
    );
    other.json(&["task", "complete", &task, "--author", "ann"]);
    assert_eq!(
        other.json(&["task", "show", &task])["task"]["status"],
        "done"
    );
}

#[test]
fn a_ledger_takes_over_what_it_does_not_have_and_keeps_its_own() {
    let (home, _) = worked();
    let other = crate::home();
    let own = add(&other, &["Own", "-s", "ready"]);
    let text = home.hzl(&["export"]).stdout;
    let dry = other
        .call(&["import", "-", "--dry-run"])
        .stdin(text.clone())
        .json();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(log(&other).len(), 3, "a dry run writes nothing");
    let done = other.call(&["import", "-"]).stdin(text).json();
    assert_eq!(done["imported"], dry["imported"]);
    assert_eq!(done["became_replica"], false);
    let listed = other.json(&["task", "list", "--limit", "100"]);
    assert_eq!(listed["total"], 20);
    assert_eq!(other.json(&["task", "show", &own])["task"]["title"], "Own");
    assert_eq!(other.json(&["validate"])["isValid"], true);
    let before = hash(&other);
    other.json(&["rebuild"]);
    assert_eq!(hash(&other), before);
}

#[test]
fn an_export_of_3_2_0_is_read() {
    let home = home();
    let text = "\
{\"event_id\":\"01K9ZZ00000000000000000001\",\"task_id\":\"__project__\",\"type\":\"project_created\",\"data\":{\"name\":\"docs\"},\"timestamp\":\"2026-03-01T09:00:00.000Z\"}
{\"event_id\":\"01K9ZZ00000000000000000002\",\"task_id\":\"01K9ZZ3D1H7E2GQ4S8V5KJTMNP\",\"type\":\"task_created\",\"data\":{\"title\":\"Old\",\"project\":\"docs\",\"assignee\":\"ada\"},\"author\":\"kim\",\"timestamp\":\"2026-03-01T09:00:01.000Z\"}
";
    let done = home.call(&["import", "-"]).stdin(text).json();
    assert_eq!(done["imported"], 2);
    let shown = home.json(&["task", "show", "01K9ZZ3D"]);
    assert_eq!(
        (&shown["task"]["agent"], &shown["task"]["project"]),
        (&json!("ada"), &json!("docs"))
    );
    let md = home
        .call(&["import", "-", "--format", "md"])
        .stdin(text)
        .run();
    assert!(
        md.stdout
            .starts_with("✓ Imported 0 events, 2 were here already"),
        "{md}"
    );
}

#[test]
fn a_file_with_bad_lines_is_refused_as_a_whole_or_read_around_them() {
    let home = home();
    add(&home, &["Here"]);
    let event = |id: &str, data: &str| {
        format!(
            "{{\"event_id\":\"{id}\",\"task_id\":\"T\",\"type\":\"comment_added\",\"data\":{data},\"timestamp\":\"2026-03-01T09:00:00.000Z\"}}\n"
        )
    };
    let known = log(&home)[1].clone();
    let taken = event(known["event_id"].as_str().unwrap(), "{}");
    let good = event("01K9ZZ00000000000000000009", "{\"text\":\"x\"}");
    let text = format!(
        "{good}no json\n{}{taken}{}",
        event("", "{}"),
        good.replace("2026-03", "then")
    );
    let before = log(&home);
    let error = home.call(&["import", "-"]).stdin(text.clone()).fails(3);
    let invalid = error["error"]["details"]["invalid"].as_array().unwrap();
    let lines: Vec<_> = invalid
        .iter()
        .map(|bad| bad["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 3, 4, 5], "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("4 lines of standard input"), "{error}");
    assert_eq!(log(&home), before);
    let done = home
        .call(&["import", "-", "--skip-invalid"])
        .stdin(text)
        .json();
    assert_eq!(
        (&done["imported"], &done["errors"], &done["skipped"]),
        (&json!(1), &json!(4), &json!(0))
    );

    let printed = home.hzl(&["events"]).stdout;
    let error = crate::home().call(&["import", "-"]).stdin(printed).fails(3);
    assert!(error.to_string().contains("hzl events"), "{error}");
    home.fails(&["import", "/no/such/file"], 4);
    home.fails(&["import", "/"], 1);
    let newer = "{\"hzl_export\":99,\"instance_id\":\"I\",\"events\":0}";
    let error = home.call(&["import", "-"]).stdin(newer).fails(3);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("newer"),
        "{error}"
    );
}

#[test]
fn files_are_replaced_only_when_asked_for() {
    let (home, _) = worked();
    let file = home.write("there", "precious");
    for command in ["export", "backup"] {
        fs::write(&file, "precious").unwrap();
        let error = home.fails(&[command, path_text(&file)], 3);
        assert!(
            error["error"]["suggestions"]
                .to_string()
                .contains("--force")
        );
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        match command {
            "export" => home.json(&["export", path_text(&file), "--force"]),
            _ => home.json(&["backup", path_text(&file), "--force"]),
        };
        assert_ne!(fs::read(&file).unwrap(), b"precious");
        home.fails(&[command, "/no/such/directory/file"], 1);
    }
    let left = fs::read_dir(home.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with(".tmp")),
        "{left:?}"
    );
}

#[test]
fn a_backup_is_brought_back_into_an_empty_store() {
    let (home, task) = worked();
    let file = home.path().join("ledger.db");
    let backed_up = home.json(&["backup", path_text(&file)]);
    assert_eq!(backed_up["events"], log(&home).len());
    assert_eq!(backed_up["verified"], true);
    assert_eq!(mode(&file), 0o600);
    let before = hash(&home);
    home.json(&["task", "complete", &task, "--author", "ann"]);

    let other = crate::home();
    let restored = other.json(&["restore", path_text(&file)]);
    assert_eq!(restored["events"], backed_up["events"]);
    assert_eq!(restored.get("previous"), None);
    assert_eq!(hash(&other), before);
    assert_eq!(
        other.json(&["task", "show", &task])["task"]["status"],
        "in_progress"
    );
    other.json(&["task", "complete", &task, "--author", "ann"]);
    let device = |home: &Home| home.json(&["status"])["data"]["deviceId"].clone();
    assert_ne!(device(&other), device(&home), "it is a device of its own");
}

#[test]
fn a_ledger_is_replaced_by_a_backup_only_by_force_and_is_kept() {
    let (home, _) = worked();
    let file = home.path().join("ledger.db");
    home.json(&["backup", path_text(&file)]);
    let before = hash(&home);
    let late = add(&home, &["Late"]);
    let held = log(&home).len();
    let error = home.fails(&["restore", path_text(&file)], 3);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("here already"),
        "{error}"
    );
    assert_eq!(log(&home).len(), held);

    let mut follower = home.spawn(&["events", "--follow"]);
    let restored = home.json(&["restore", path_text(&file), "--force"]);
    assert_eq!(hash(&home), before);
    home.fails(&["task", "show", &late], 4);
    let previous = restored["previous"]
        .as_str()
        .expect("the old one is kept")
        .to_owned();
    let again = home.json(&["restore", &previous, "--force"]);
    assert_eq!(again["events"], held);
    home.json(&["task", "show", &late]);
    assert_eq!(home.json(&["doctor"])["status"], "healthy");
    assert!(!follower.has_ended(), "whoever has the store open goes on");
    follower.kill();
}

#[test]
fn what_is_no_backup_is_refused_and_nothing_is_touched() {
    let (home, _) = worked();
    let before = hash(&home);
    let text = home.write(
        "text",
        "this is no database, and it is long enough to look like one?",
    );
    home.fails(&["restore", path_text(&text), "--force"], 5);
    home.fails(&["restore", "/no/such/file"], 4);
    let cache = home.data().join("hzl/cache.db");
    home.fails(&["restore", path_text(&cache), "--force"], 5);
    let file = home.path().join("ledger.db");
    home.json(&["backup", path_text(&file)]);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xA5);
    fs::write(&file, bytes).unwrap();
    home.fails(&["restore", path_text(&file), "--force"], 5);
    assert_eq!(hash(&home), before);
    assert!(!crate::home().data().exists());
}
