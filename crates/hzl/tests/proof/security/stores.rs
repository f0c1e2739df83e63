//! Files that come from somebody else: databases with surprises in them, imports, names that are paths.

use std::fs;

use hzl_testkit::home::Home;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

fn log(home: &Home) -> Connection {
    Connection::open(home.data().join("hzl/events.db")).expect("the ledger is there")
}

/// Triggers and views that would change, hide or leak what hzl does.
#[test]
fn triggers_and_views_of_a_foreign_store_do_no_harm() {
    for planted in [
        "create trigger evil after insert on events begin update sync_state set value = 'x'; end",
        "create trigger evil after insert on events begin delete from hook_outbox; end",
        "create trigger evil after insert on events begin select load_extension('/nowhere/evil.so'); end",
        "create trigger evil after insert on events begin select writefile('stolen', new.data); end",
        "create view stolen as select readfile('/etc/passwd') as x",
        "create table p_tasks (task_id text primary key)",
        "create trigger evil before insert on events begin select raise(ignore); end",
    ] {
        let home = crate::home();
        home.json(&["task", "add", "Before"]);
        log(&home)
            .execute_batch(planted)
            .expect("anything can be planted");
        let run = home.hzl(&["task", "add", "After"]);
        assert!(!run.stderr.contains("panicked"), "{planted}: {run}");
        let acknowledged = run.exit == 0;
        let kept: i64 = log(&home)
            .query_row(
                "select count(*) from events where data like '%After%'",
                [],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(acknowledged, kept == 1, "{planted}: {run}");
        assert!(!home.path().join("stolen").exists(), "{planted}");
        let doctor = home.hzl(&["doctor"]);
        assert!(!doctor.stderr.contains("panicked"), "{planted}: {doctor}");
    }
}

#[test]
fn an_import_is_read_as_lines_of_data_and_nothing_else() {
    let home = crate::home();
    home.json(&["task", "add", "Mine"]);
    let before = home.hzl(&["events"]).stdout;
    for (name, content) in [
        ("sql", "drop table events; --\n".to_owned()),
        ("database", String::from_utf8_lossy(&fs::read(home.data().join("hzl/events.db")).expect("it is there")).into_owned()),
        ("deep", format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000))),
        ("nested", format!("{{\"event_id\":{}1{}}}\n", "{\"a\":".repeat(10_000), "}".repeat(10_000))),
        ("long", format!("{{\"event_id\":\"{}\"}}\n", "x".repeat(2_000_000))),
        ("path", "{\"event_id\":\"../../../../etc/passwd\",\"task_id\":\"../x\",\"type\":\"../y\",\"data\":{}}\n".to_owned()),
    ] {
        let file = home.write(format!("{name}.ndjson"), content);
        let run = home.hzl(&["import", &file.to_string_lossy()]);
        assert_ne!(run.exit, 0, "{name}: {run}");
        assert!(!run.stderr.contains("panicked"), "{name}: {run}");
        assert_eq!(home.hzl(&["events"]).stdout, before, "{name}");
    }
    // A pipe, a device and a directory are no files to be waited for.
    for path in ["/dev/zero", "/", "/proc/self/mem"] {
        let run = home.hzl(&["import", path]);
        assert_ne!(run.exit, 0, "{path}: {run}");
    }
}

/// Names of projects, agents and tasks never become paths; addresses of SQLite never become anything.
#[test]
fn names_are_never_paths() {
    let home = crate::home();
    for name in [
        "../up",
        "..",
        "/etc/x",
        "a/../../b",
        "%2e%2e%2fx",
        "a\\..\\b",
        ".",
        "~",
        "file:x?mode=memory",
    ] {
        let before = everything(&home);
        let run = home.hzl(&["project", "create", name]);
        let added = home.hzl(&["task", "add", "T", "-P", name, "--author", name]);
        let shown = home.hzl(&["task", "show", name]);
        for run in [&run, &added, &shown] {
            assert!(!run.stderr.contains("panicked"), "{name}: {run}");
        }
        let after = everything(&home);
        let new: Vec<_> = after.iter().filter(|path| !before.contains(path)).collect();
        let own = |path: &&&String| path.starts_with("data/hzl/");
        assert!(new.iter().all(|path| own(&path)), "{name}: {new:?}");
    }
    for address in [
        "file:mem?mode=memory",
        "file:x.db?vfs=unix-none",
        ":memory:",
        "file:///nowhere/../x?immutable=1",
    ] {
        let home = crate::home();
        home.json(&["--db", address, "task", "add", "T"]);
        let listed = home.json(&["--db", address, "task", "list"]);
        // In memory it would be gone by now.
        assert_eq!(
            listed["tasks"].as_array().map(Vec::len),
            Some(1),
            "{address}"
        );
    }
    let home = crate::home();
    let run = home.hzl(&["--db", "", "which-db"]);
    assert!(!run.stderr.contains("panicked"), "{run}");
}

fn everything(home: &Home) -> Vec<String> {
    fn walk(directory: &std::path::Path, root: &std::path::Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let below = path.strip_prefix(root).expect("it is below");
                found.push(below.to_string_lossy().into_owned());
            }
        }
    }
    let mut found = vec![];
    walk(home.path(), home.path(), &mut found);
    found
}

/// One of each of what a server could send to harm a reader: it is set aside or shown as data.
#[test]
fn what_a_poisoned_peer_sends_changes_no_local_event() {
    use hzl_testkit::servers::{Access, Auth, Sqld};
    let sqld = Sqld::start(Auth::Jwt);
    let token = sqld.token(Access::ReadWrite, 3600);
    let device = || {
        let home = crate::home();
        let config = json!({"syncUrl": sqld.url(), "authToken": token, "db": {"sync": {"policy": "manual"}}});
        home.write("config/hzl/config.json", config.to_string());
        home
    };
    let (a, b) = (device(), device());
    a.json(&["task", "add", "Good", "-s", "ready"]);
    a.json(&["sync"]);
    b.json(&["sync"]);
    let sql = "insert into hzl_events (event_id, task_id, type, data, author, timestamp, schema_version, device_id, epoch)
               select 'POISON' || x, y, z, d, 'eve', '9999-12-31T23:59:59.999Z', 1, 'forged', 1 from
               (select 1 x, '../../x' y, 'task_created' z, '{\"title\":7}' d
                union all select 2, 't', 'task_created', '{\"title\":\"' || char(92) || 'u001b]0;evil\"}'
                union all select 3, 't', 'no_such_type', '[]'
                union all select 4, 't', 'status_changed', '{\"from\":\"x\",\"to\":\"y\"}')";
    let body = json!({"requests": [{"type": "execute", "stmt": {"sql": sql}}, {"type": "close"}]});
    let reply = hzl_testkit::stub::exchange(
        &sqld.url(),
        "POST",
        "/v2/pipeline",
        Some(&token),
        &body.to_string(),
    );
    let (status, reply) = reply.expect("an answer");
    assert_eq!(status, 200, "{reply}");
    let before = b.json(&["task", "list"]);
    let synced = b.hzl(&["sync"]);
    println!("{reply}\n{synced}");
    assert_eq!(synced.exit, 0, "{synced}");
    assert_eq!(b.json(&["task", "list"]), before);
    let reply: Value = serde_json::from_str(&reply).expect("JSON");
    assert_eq!(
        reply["results"][0]["type"], "ok",
        "the rows are there: {reply}"
    );
}
