//! What holds where an option is left out: flags, then the environment, then the config file.

use hzl_testkit::home::Home;
use serde_json::json;

use crate::add;
use crate::home;

/// Returns a home with projects `a`, `b` and `c`, and all defaults configured.
fn configured() -> Home {
    let home = home();
    for project in ["a", "b", "c"] {
        home.json(&["project", "create", project]);
    }
    home.write(
        "config/hzl/config.json",
        r#"{"defaultProject": "a", "defaultAuthor": "conf", "leaseMinutes": 30}"#,
    );
    home
}

fn project_of(home: &Home, more: &[&str]) -> String {
    let mut line = vec!["task", "add", "T"];
    line.extend(more);
    let added = home.json(&line);
    added["project"].as_str().expect("a project").to_owned()
}

#[test]
fn a_task_goes_where_the_flag_the_environment_or_the_config_says() {
    let mut home = configured();
    assert_eq!(project_of(&home, &[]), "a");
    home.set_env("HZL_PROJECT", "b");
    assert_eq!(project_of(&home, &[]), "b");
    assert_eq!(project_of(&home, &["-P", "c"]), "c");
    let parent = add(&home, &["Epic", "-P", "c"]);
    assert_eq!(project_of(&home, &["--parent", &parent]), "c");
    home.set_env("HZL_PROJECT", "nowhere");
    assert_eq!(project_of(&home, &["--parent", &parent]), "c");
    home.fails(&["task", "add", "T"], 1);
}

#[test]
fn changes_are_signed_by_the_flag_the_environment_or_the_config() {
    let mut home = configured();
    let task = add(&home, &["T"]);
    let author = |home: &Home, more: &[&str]| {
        let mut line = vec!["task", "comment", task.as_str(), "hello"];
        line.extend(more);
        home.json(&line);
        crate::log(home).pop().expect("an event")["author"].clone()
    };
    assert_eq!(author(&home, &[]), "conf");
    home.set_env("HZL_AGENT", "env");
    assert_eq!(author(&home, &[]), "env");
    assert_eq!(author(&home, &["--author", "flag"]), "flag");
}

#[test]
fn claims_are_in_the_name_of_the_flag_or_the_environment() {
    let mut home = configured();
    for title in ["One", "Two", "Three"] {
        add(&home, &[title, "-s", "ready"]);
    }
    home.set_env("HZL_AGENT", "env");
    let next = home.json(&["task", "claim", "--next"]);
    assert_eq!(next["agent"], "env");
    let next = home.json(&["task", "claim", "--next", "--agent", "flag"]);
    assert_eq!(next["agent"], "flag");
    let task = add(&home, &["Four", "-s", "ready"]);
    assert_eq!(home.json(&["task", "start", &task])["agent"], "env");
    let mine = add(&home, &["Five", "-s", "ready", "-p", "3", "--agent", "env"]);
    let next = home.json(&["task", "claim", "--next"]);
    assert_eq!(next["task_id"], json!(mine), "routed to who asks");
}

#[test]
fn a_claim_lasts_as_long_as_the_flag_or_the_config_says() {
    let home = configured();
    let minutes = |line: &[&str]| {
        let claimed = home.json(line);
        let task = claimed["task_id"].as_str().expect("a task").to_owned();
        let shown = home.json(&["task", "show", &task]);
        let lease = shown["task"]["lease_until"].as_str().expect("a lease");
        let since = shown["task"]["claimed_at"].as_str().expect("a claim");
        let parsed = |text| hzl_core::time::Timestamp::parse(text).expect("a time");
        (parsed(lease).millis() - parsed(since).millis()) / 60_000
    };
    let task = add(&home, &["T", "-s", "ready"]);
    assert_eq!(minutes(&["task", "start", &task]), 30);
    let task = add(&home, &["T", "-s", "ready"]);
    assert_eq!(minutes(&["task", "claim", &task, "--lease", "5"]), 5);
    add(&home, &["T", "-s", "ready"]);
    assert_eq!(minutes(&["task", "claim", "--next"]), 30);
}

#[test]
fn without_any_of_them_nothing_changes() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    assert_eq!(
        crate::log(&home).pop().expect("an event").get("author"),
        None
    );
    let claimed = home.json(&["task", "claim", &task]);
    assert_eq!(claimed["agent"], json!(null));
    assert_eq!(claimed["lease_until"], json!(null));
    let shown = home.json(&["task", "show", &task]);
    assert_eq!(shown["task"]["project"], "inbox");
}

#[test]
fn workflows_and_take_overs_follow_the_same_defaults() {
    let mut home = configured();
    let task = add(&home, &["T", "-P", "b", "-s", "ready"]);
    home.fails(&["workflow", "run", "start", "--any-project"], 2);
    home.set_env("HZL_AGENT", "env");
    home.fails(&["workflow", "run", "start"], 3);
    home.set_env("HZL_PROJECT", "b");
    let started = home.json(&["workflow", "run", "start"]);
    assert_eq!(started["selected"]["task_id"], json!(task));
    assert_eq!(started["selected"]["agent"], "env");
    assert!(started["selected"]["lease_until"].is_string(), "{started}");
    let stolen = home.json(&["task", "steal", &task, "--force", "--agent", "eve"]);
    assert!(stolen["lease_until"].is_string(), "{stolen}");
    let stolen = home.json(&["task", "steal", &task, "--force"]);
    assert_eq!(
        (&stolen["agent"], &stolen["stolen_from"]),
        (&json!("env"), &json!("eve"))
    );

    home.remove_env("HZL_AGENT");
    let line = [
        "workflow", "run", "delegate", "--from", &task, "--title", "Part",
    ];
    home.json(&line);
    let authors = |home: &Home| crate::log(home).pop().expect("an event")["author"].clone();
    assert_eq!(authors(&home), "conf");
    let line = [
        "workflow", "run", "handoff", "--from", &task, "--title", "Rest", "-P", "c",
    ];
    home.json(&line);
    assert_eq!(authors(&home), "conf");
}
