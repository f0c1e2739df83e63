//! The config file, the environment, and where the database is.

use serde_json::json;

use crate::home;

#[test]
fn nothing_is_created_by_asking_where_things_are() {
    let home = home();
    let answer = home.json(&["which-db"]);
    assert_eq!(
        answer["eventsDbPath"],
        home.data().join("hzl/events.db").to_str().unwrap()
    );
    assert_eq!(answer["eventsDbExists"], false);
    assert!(!home.data().exists());
}

#[test]
fn which_db_and_config_agree() {
    let mut home = home();
    home.write(
        "config/hzl/config.json",
        r#"{"db": {"events": {"path": "~/n/ev.db"}, "cache": {"path": "~/n/ca.db"}}}"#,
    );
    let events = home.path().join("n/ev.db");
    let files = home.json(&["which-db"]);
    assert_eq!(files["eventsDbPath"], events.to_str().unwrap());
    assert_eq!(
        files["cacheDbPath"],
        home.path().join("n/ca.db").to_str().unwrap()
    );
    let settings = home.json(&["config"]);
    assert_eq!(settings["db"]["value"], "~/n/ev.db");
    assert_eq!(settings["db"]["source"], "config");
    assert_eq!(settings["db"]["path"], events.to_str().unwrap());

    home.set_env("HZL_DB_EVENTS_PATH", "/e/x.db");
    assert_eq!(home.json(&["which-db"])["eventsDbPath"], "/e/x.db");
    let db = home.json(&["config"])["db"].clone();
    assert_eq!(
        db,
        json!({"value": "/e/x.db", "source": "env", "path": "/e/x.db"})
    );
}

#[test]
fn a_bad_value_is_an_error_that_names_its_key() {
    let home = home();
    home.write(
        "config/hzl/config.json",
        r#"{"leaseMinutes": -5, "dbPath": "~/mine.db"}"#,
    );
    for arguments in [&["which-db"][..], &["config"]] {
        let error = home.fails(arguments, 1)["error"].clone();
        assert_eq!(error["code"], "config_invalid");
        assert_eq!(error["details"]["key"], "leaseMinutes");
    }
}

#[test]
fn a_broken_file_is_an_error_unless_it_is_not_needed() {
    let home = home();
    home.write("config/hzl/config.json", "{not json at all");
    assert_eq!(
        home.fails(&["which-db"], 1)["error"]["code"],
        "config_invalid"
    );
    let answer = home.json(&["which-db", "--db", "x.db"]);
    assert_eq!(
        answer["eventsDbPath"],
        home.path().join("x.db").to_str().unwrap()
    );
}

#[test]
fn unknown_keys_and_an_empty_array_are_tolerated() {
    let home = home();
    for content in [r#"{"unknownKey": true}"#, "[]"] {
        home.write("config/hzl/config.json", content);
        assert_eq!(home.json(&["config"])["db"]["source"], "default");
    }
}
