//! `hzl status` and `doctor`.

use std::fs;

use serde_json::json;

use crate::add;
use crate::home;

#[test]
fn a_new_ledger_is_described_and_stays_empty() {
    let home = home();
    let status = home.json(&["status"]);
    assert_eq!(status["success"], true);
    let data = &status["data"];
    for (key, value) in [
        ("mode", json!("local-only")),
        ("localChanges", json!(false)),
        ("pendingEvents", json!(0)),
        ("conflicts", json!(0)),
        ("quarantined", json!(0)),
        ("policy", json!("opportunistic")),
        ("devices", json!([])),
    ] {
        assert_eq!(data[key], value, "{key}");
    }
    for key in ["instanceId", "deviceId", "stateHash", "eventsDb", "cacheDb"] {
        assert!(data[key].is_string(), "{key}");
    }
    for key in ["syncUrl", "lastSyncAt", "lastSyncError", "dirtySince"] {
        assert_eq!(data.get(key), None, "{key}");
    }
    assert!(
        crate::log(&home).len() == 1,
        "`events` is what made the inbox"
    );
    assert_eq!(
        home.json(&["status"])["data"]["instanceId"],
        data["instanceId"]
    );
}

#[test]
fn what_waits_for_the_cloud_is_counted_without_asking_it() {
    let home = home();
    add(&home, &["T"]);
    home.write(
        "config/hzl/config.json",
        r#"{"syncUrl": "libsql://DB.example.org/x/", "authToken": "s3cr3t-token",
            "db": {"sync": {"policy": "manual"}}}"#,
    );
    let run = home.hzl(&["status"]);
    let data = run.json()["data"].clone();
    assert_eq!(data["mode"], "offline-sync");
    assert_eq!(data["syncUrl"], "https://db.example.org/x");
    assert_eq!(
        (&data["pendingEvents"], &data["localChanges"]),
        (&json!(2), &json!(true))
    );
    assert!(data["dirtySince"].is_string());
    assert_eq!(data["policy"], "manual");
    let text = home.hzl(&["status", "--format", "md"]);
    assert!(text.stdout.contains("Last sync: never"), "{text}");
    assert!(!format!("{run}{text}").contains("s3cr3t"), "{run}");
}

#[test]
fn credentials_in_a_bad_address_are_not_shown() {
    let home = home().env(
        "HZL_SYNC_URL",
        "https://kim:s3cr3t@db.example.org?authToken=t0ken1",
    );
    let run = home.hzl(&["status"]);
    assert_eq!(run.exit, 0, "{run}");
    assert!(
        !run.stdout.contains("s3cr3t") && !run.stdout.contains("t0ken1"),
        "{run}"
    );
}

#[test]
fn the_state_hash_follows_the_state() {
    let home = home();
    let hash = || home.json(&["status"])["data"]["stateHash"].clone();
    let empty = hash();
    let task = add(&home, &["T"]);
    let one = hash();
    assert_ne!(one, empty);
    home.json(&["task", "show", &task]);
    assert_eq!(hash(), one);
    fs::remove_file(home.data().join("hzl/cache.db")).unwrap();
    assert_eq!(hash(), one, "a rebuild arrives at the same state");
}

#[test]
fn a_healthy_ledger_passes_every_check() {
    let home = home();
    add(&home, &["T"]);
    home.write("config/hzl/config.json", "{}");
    let report = home.json(&["doctor"]);
    assert_eq!(
        (&report["success"], &report["status"]),
        (&json!(true), &json!("healthy"))
    );
    assert_eq!(report["mode"], "local-only");
    let checks = report["checks"].as_object().unwrap();
    assert_eq!(checks.len(), 8, "{report}");
    for (name, check) in checks {
        assert_eq!(check["status"], "pass", "{name}: {check}");
    }
    let text = home.hzl(&["doctor", "--format", "md"]);
    assert_eq!(text.exit, 0, "{text}");
    assert_eq!(text.stdout.matches('✓').count(), 8, "{text}");
}

#[test]
fn a_missing_ledger_is_reported_and_not_made() {
    let home = home();
    let run = home.hzl(&["doctor"]);
    assert_eq!(run.exit, 1, "{run}");
    let report = run.json();
    assert_eq!(report["success"], false);
    assert_eq!(report["mode"], "unknown");
    assert_eq!(report["checks"]["config"]["status"], "warn");
    assert_eq!(report["checks"]["database"]["status"], "fail");
    assert_eq!(
        report["checks"]["database"]["actions"][0]["command"],
        "hzl init"
    );
    assert!(!home.data().exists());
}

#[test]
fn what_is_wrong_is_found_and_nothing_is_to_be_deleted() {
    let home = home();
    add(&home, &["T"]);
    let check = |name: &str, exit: i32| {
        let run = home.hzl(&["doctor"]);
        assert_eq!(run.exit, exit, "{run}");
        assert!(!run.stdout.contains("rm "), "{run}");
        run.json()["checks"][name]["status"].clone()
    };
    home.write("data/hzl/data.db", "old");
    assert_eq!(check("orphanedDatabase", 0), "warn");
    home.write("data/hzl/events.db.lock", "{}");
    assert_eq!(check("lock", 0), "warn");
    home.write("config/hzl/config.json", r#"{"dbPath": 7}"#);
    assert_eq!(check("config", 1), "fail");
    let run = home.hzl(&["doctor", "--db", "data/hzl/data.db"]);
    assert_eq!(run.exit, 1, "{run}");
    assert_eq!(run.json()["checks"]["database"]["status"], "fail");
}

#[cfg(unix)]
#[test]
fn a_token_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    home.json(&["init"]);
    let path = home.write("config/hzl/config.json", r#"{"authToken": "s3cr3t"}"#);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let config = home.json(&["doctor"])["checks"]["config"].clone();
    assert_eq!(config["status"], "warn");
    assert!(
        config["actions"][0]["command"]
            .as_str()
            .unwrap()
            .starts_with("chmod 600")
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(home.json(&["doctor"])["checks"]["config"]["status"], "pass");
}

#[test]
fn a_rebuild_changes_nothing_and_heals_what_is_wrong() {
    let home = home();
    home.json(&["sample-project", "create"]);
    let hash = home.json(&["status"])["data"]["stateHash"].clone();
    let rebuilt = home.json(&["rebuild"]);
    assert_eq!(rebuilt["rebuilt"], true);
    assert_eq!(rebuilt["tasks"], 18);
    assert_eq!(rebuilt["events"], crate::log(&home).len());
    assert_eq!(rebuilt["state_hash"], hash);

    let cache = rusqlite::Connection::open(home.data().join("hzl/cache.db")).expect("a cache");
    cache
        .execute_batch("update p_tasks set title = 'wrong'")
        .expect("it can be spoilt");
    drop(cache);
    let titles = || home.json(&["task", "list"])["tasks"].to_string();
    assert!(titles().contains("wrong"));
    assert_eq!(
        home.json(&["doctor"])["checks"]["projections"]["status"],
        "warn",
        "a wrong title is found although its digest is right"
    );
    assert!(!titles().contains("wrong"));
    let md = home.hzl(&["rebuild", "--format", "md"]);
    assert!(md.stdout.starts_with("✓ Rebuilt 18 tasks from "), "{md}");
    assert_eq!(
        home.json(&["doctor"])["checks"]["projections"]["status"],
        "pass"
    );
}

/// Runs SQL on the log, past everything that guards it.
fn tamper(home: &hzl_testkit::home::Home, sql: &str) {
    let log = rusqlite::Connection::open(home.data().join("hzl/events.db")).expect("a log");
    log.execute_batch(sql).expect("it can be spoilt");
}

#[test]
fn a_changed_event_is_found_kept_from_the_cloud_and_set_right_or_left_out() {
    let home = home();
    let task = add(&home, &["As it was"]);
    home.json(&["task", "comment", &task, "said"]);
    home.write("config/hzl/config.json", "{}");
    tamper(
        &home,
        "drop trigger events_no_update;
         update events set data = replace(data, 'said', 'sold') where type = 'comment_added';
         create trigger events_no_update before update on events
         begin
           select raise(abort, 'events are append-only: an event cannot be changed');
         end",
    );
    for _ in 0..2 {
        let run = home.hzl(&["doctor"]);
        let check = run.json()["checks"]["database"].clone();
        assert_eq!((run.exit, &check["status"]), (1, &json!("fail")), "{run}");
        assert!(
            check["message"].as_str().unwrap().contains("rows 3"),
            "{run}"
        );
    }
    let fixed = home.json(&["doctor", "--fix"]);
    let kept = fixed["fixes"][0]["kept"].as_str().expect("a path");
    let old = rusqlite::Connection::open(kept).expect("the damaged file is there");
    let sold: i64 = old
        .query_row(
            "select count(*) from events where data like '%sold%'",
            [],
            |row| row.get(0),
        )
        .expect("and is as it was");
    assert_eq!(sold, 1);
    assert_eq!(crate::log(&home).len(), 2, "the rest was saved: {fixed}");
    assert_eq!(home.json(&["doctor", "--fix"]).get("fixes"), None);
}

#[test]
fn events_of_the_older_program_get_checksums_when_asked() {
    let home = home();
    let task = add(&home, &["T"]);
    let sql = format!(
        "insert into events (event_id, task_id, type, data, timestamp)
         values ('01HZZ000000000000000000001', '{task}', 'comment_added',
                 '{{\"text\":\"old\"}}', '2025-03-01T00:00:00.000Z')"
    );
    tamper(&home, &sql);
    let database = |line: &[&str]| home.json(line)["checks"]["database"].clone();
    let before = database(&["doctor"]);
    assert_eq!(before["status"], "pass", "{before}");
    assert!(
        before["message"].as_str().unwrap().starts_with("1 events"),
        "{before}"
    );
    assert_eq!(
        home.json(&["doctor", "--fix"])["fixes"][0]["check"],
        "database"
    );
    assert_eq!(database(&["doctor"]).get("message"), None);
}

#[test]
fn a_log_that_went_back_is_flagged_until_somebody_decides() {
    let home = home();
    add(&home, &["One"]);
    let store = home.data().join("hzl");
    let log = rusqlite::Connection::open(store.join("events.db")).expect("a log");
    log.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        .expect("nobody is in the way");
    drop(log);
    add(&home, &["Two"]);
    for file in ["events.db-wal", "events.db-shm"] {
        fs::remove_file(store.join(file)).unwrap();
    }
    assert_eq!(home.json(&["task", "list"])["total"], 1);
    add(&home, &["Three"]);
    for _ in 0..2 {
        let run = home.hzl(&["doctor"]);
        assert_eq!(run.exit, 1, "{run}");
        assert!(run.stdout.contains("the log has lost events"), "{run}");
    }
    home.json(&["doctor", "--fix"]);
    assert_eq!(home.json(&["doctor", "--fix"]).get("fixes"), None);
    assert_eq!(home.json(&["task", "list"])["total"], 2);
}

#[test]
fn a_wal_without_its_database_is_not_thrown_away() {
    let home = home();
    add(&home, &["Kept"]);
    let log = home.data().join("hzl/events.db");
    for lose in [fs::remove_file, |path: std::path::PathBuf| {
        fs::write(path, "")
    }] {
        lose(log.clone()).unwrap();
        let error = home.fails(&["task", "list"], 5);
        assert_eq!(error["error"]["code"], "database_error", "{error}");
    }
    home.json(&["doctor", "--fix"]);
    assert_eq!(home.json(&["task", "list"])["tasks"][0]["title"], "Kept");
}

#[test]
fn a_broken_search_index_is_built_anew() {
    let home = home();
    add(&home, &["Findable"]);
    let search = || home.json(&["task", "search", "findable"])["total"].clone();
    assert_eq!(search(), 1);
    let cache = rusqlite::Connection::open(home.data().join("hzl/cache.db")).expect("a cache");
    cache
        .execute_batch("update p_search_config set v = 0 where k = 'version'")
        .expect("it can be spoilt");
    drop(cache);
    assert_eq!(search(), 1, "a search heals it");
    add(&home, &["Also findable"]);
    assert_eq!(search(), 2);
    assert_eq!(home.json(&["doctor"])["success"], true);
}
