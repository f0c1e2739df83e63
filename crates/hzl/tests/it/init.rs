//! `hzl init`.

use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::home;

#[test]
fn a_database_is_created_once() {
    let home = home();
    let first = home.json(&["init"]);
    let events = home.data().join("hzl/events.db");
    assert_eq!(first["eventsDbPath"], events.to_str().unwrap());
    assert_eq!(
        (
            &first["created"],
            &first["source"],
            &first["mode"],
            &first["encrypted"]
        ),
        (
            &json!(true),
            &json!("default"),
            &json!("local-only"),
            &json!(false)
        )
    );
    let second = home.json(&["init"]);
    assert_eq!(second["created"], false);
    assert_eq!(second["instanceId"], first["instanceId"]);
    assert!(!home.config().exists(), "there was nothing to save");
    let text = home.hzl(&["init", "--format", "md"]);
    assert!(
        text.stdout.starts_with("✓ The database is already there\n"),
        "{text}"
    );
}

fn config(home: &hzl_testkit::home::Home) -> Value {
    let text = fs::read_to_string(home.config().join("hzl/config.json"));
    serde_json::from_str(&text.expect("there is a config file")).expect("it is JSON")
}

#[test]
fn a_place_given_by_option_is_remembered_until_it_is_reset() {
    let home = home();
    let place = home.path().join("work/my.db");
    let place = place.to_str().unwrap();
    assert_eq!(home.json(&["init", "--db", "work/my.db"])["source"], "cli");
    assert_eq!(config(&home), json!({"dbPath": place}));
    assert_eq!(home.json(&["init"])["source"], "config");
    let error = home.fails(&["init", "--db", "other.db"], 1);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("my.db")
    );
    assert!(!home.path().join("other.db").exists());
    let reset = home.json(&["init", "--reset-config", "--db", "other.db"]);
    assert_eq!(reset["source"], "cli");
    assert_eq!(home.json(&["init", "--reset-config"])["source"], "default");
    assert_eq!(config(&home), json!({}));
    assert!(home.path().join("work/my.db").exists());
}

#[test]
fn resetting_forgets_place_and_cloud_and_keeps_the_rest() {
    let home = home();
    home.write(
        "config/hzl/config.json",
        r#"{"dbPath": "~/x.db", "syncUrl": "libsql://a", "authToken": "t0ken1",
            "db": {"events": {"path": "~/y.db", "syncUrl": "libsql://b", "authToken": "t0ken2"}},
            "hooks": {"on_done": {"url": "https://h"}}, "leaseMinutes": 5, "other": [1]}"#,
    );
    let reset = home.json(&["init", "--reset-config"]);
    assert_eq!(
        (&reset["source"], &reset["mode"]),
        (&json!("default"), &json!("local-only"))
    );
    assert_eq!(
        config(&home),
        json!({"hooks": {"on_done": {"url": "https://h"}}, "leaseMinutes": 5, "other": [1]})
    );
}

#[test]
fn a_cloud_database_is_saved_privately_and_removed() {
    let home = home();
    let run = home
        .call(&[
            "init",
            "--sync-url",
            "libsql://db.example.org",
            "--auth-token",
            "-",
        ])
        .stdin("s3cr3t-token\n")
        .run();
    let answer = run.json();
    assert_eq!(answer["mode"], "offline-sync");
    assert_eq!(answer["syncUrl"], "https://db.example.org");
    assert!(!run.stdout.contains("s3cr3t"), "{run}");
    assert_eq!(
        config(&home),
        json!({"syncUrl": "libsql://db.example.org", "authToken": "s3cr3t-token"})
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = home.config().join("hzl/config.json");
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(home.json(&["init", "--local"])["mode"], "local-only");
    assert_eq!(config(&home), json!({}));
}

#[test]
fn plain_http_to_another_machine_has_to_be_allowed() {
    let home = home();
    let url = "http://db.example.org";
    let error = home.fails(&["init", "--sync-url", url], 9)["error"].clone();
    assert_eq!(error["code"], "sync_rejected");
    assert!(!home.config().exists() && !home.data().exists());
    home.json(&["init", "--sync-url", url, "--allow-insecure", "--merge"]);
    assert_eq!(
        config(&home),
        json!({"syncUrl": url, "sync": {"allowInsecure": true}})
    );
    home.json(&["init", "--local"]);
    assert_eq!(config(&home), json!({}));
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_happens() {
    let home = home();
    for (arguments, exit) in [
        (&["--auth-token", "t0ken1"][..], 2),
        (&["--sync-url", "ftp://x"], 9),
        (&["--sync-url", "libsql://x", "--auth-token", " "], 2),
        (&["--encryption-key", "k3y123"], 3),
        (&["--force", "--reset-config"], 2),
        (&["--local", "--sync-url", "libsql://x"], 2),
    ] {
        let mut line = vec!["init"];
        line.extend(arguments);
        home.fails(&line, exit);
    }
    assert!(!home.config().exists() && !home.data().exists());
}

#[test]
fn force_deletes_only_after_a_yes() {
    let home = home();
    add(&home, &["Precious"]);
    home.fails(&["init", "--force"], 2);
    let run = home
        .call(&["init", "--force", "--format", "md"])
        .stdin("yes\n")
        .run();
    assert_eq!(run.exit, 2, "no terminal, nobody to ask\n{run}");
    assert_eq!(home.json(&["task", "list"])["total"], 1);
    let old = home.json(&["status"])["data"]["instanceId"].clone();
    let fresh = home.json(&["init", "--force", "--yes"]);
    assert_eq!(fresh["created"], true);
    assert_ne!(fresh["instanceId"], old);
    assert_eq!(home.json(&["task", "list"])["total"], 0);
}

#[test]
fn force_spares_what_is_no_database() {
    let home = home();
    home.write("notes.txt", "my only copy");
    home.fails(&["init", "--force", "--yes", "--db", "notes.txt"], 1);
    // The cache that would go with the database is somebody's file too.
    home.write("x-cache.db", "my only copy");
    home.json(&["init", "--db", "x/events.db"]);
    home.json(&["init", "--reset-config"]);
    fs::copy(home.path().join("x/events.db"), home.path().join("x.db")).unwrap();
    home.fails(&["init", "--force", "--yes", "--db", "x.db"], 1);
    for file in ["notes.txt", "x-cache.db"] {
        let kept = fs::read_to_string(home.path().join(file)).unwrap();
        assert_eq!(kept, "my only copy");
    }
    assert!(home.path().join("x.db").exists());
}

#[cfg(unix)]
#[test]
fn force_does_not_follow_links() {
    let home = home();
    home.json(&["init", "--db", "real/events.db"]);
    let link = home.path().join("link.db");
    std::os::unix::fs::symlink(home.path().join("real/events.db"), &link).unwrap();
    home.json(&["init", "--reset-config"]);
    home.fails(&["init", "--force", "--yes", "--db", "link.db"], 1);
    assert!(home.path().join("real/events.db").exists());
}
