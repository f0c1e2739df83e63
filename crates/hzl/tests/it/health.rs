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
    let md = home.hzl(&["rebuild", "--format", "md"]);
    assert!(md.stdout.starts_with("✓ Rebuilt 18 tasks from "), "{md}");
    assert_eq!(
        home.json(&["doctor"])["checks"]["projections"]["status"],
        "pass"
    );
}
