//! `hzl init` with a cloud database that answers, refuses, or is not there.

use hzl_testkit::home::Run;
use hzl_testkit::servers::Access;
use hzl_testkit::wait_until;
use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::SOON;
use super::assert_same;
use super::eager;
use super::manual;
use crate::add;

/// Runs `hzl init --sync-url URL --auth-token -` with these options.
#[track_caller]
fn init(device: &Device, url: &str, token: &str, options: &[&str]) -> Run {
    let mut line = vec!["init", "--sync-url", url, "--auth-token", "-"];
    line.extend(options);
    device.call(&line).stdin(format!("{token}\n")).run()
}

#[track_caller]
fn joined(device: &Device, cloud: &Cloud, options: &[&str]) -> Value {
    let run = init(device, &cloud.server.url(), &cloud.token, options);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    run.json()["cloud"].clone()
}

#[test]
fn the_second_machine_joins_with_the_same_line() {
    let cloud = Cloud::start();
    let (a, b) = (Device::new(), Device::new());
    assert_eq!(joined(&a, &cloud, &[]), "empty");
    add(&a, &["From A"]);
    a.wait_until_settled();
    assert_eq!(joined(&b, &cloud, &[]), "joined");
    b.wait_until_settled();
    assert_same(&a, &b);
    assert_eq!(b.status()["mode"], "offline-sync");
    assert_eq!(a.status()["instanceId"], b.status()["instanceId"]);
    assert_ne!(a.status()["deviceId"], b.status()["deviceId"]);
}

#[test]
fn sync_is_added_to_an_existing_installation_and_its_tasks_go_along() {
    let cloud = Cloud::start();
    let (a, b) = (Device::new(), Device::new());
    add(&a, &["Old"]);
    let before = a.json(&["task", "list", "--view", "full"]);
    assert_eq!(joined(&a, &cloud, &[]), "empty");
    a.wait_until_settled();
    assert_eq!(a.json(&["task", "list", "--view", "full"]), before);
    assert_eq!(joined(&b, &cloud, &[]), "joined");
    b.wait_until_settled();
    assert_same(&a, &b);
}

#[test]
fn a_token_that_is_not_taken_is_refused_before_anything_is_saved() {
    let cloud = Cloud::start();
    let expired = cloud.server.token(Access::ReadWrite, -120);
    let elsewhere = cloud.server.token_for_database("another");
    for token in ["wrong", &expired, &elsewhere] {
        let fresh = Device::new();
        let run = init(&fresh, &cloud.server.url(), token, &[]);
        assert_eq!((run.exit, run.stderr.as_str()), (9, ""), "{run}");
        assert_eq!(run.stdout.lines().count(), 1);
        let error = run.json()["error"].clone();
        assert_eq!(error["code"], "sync_rejected", "{error}");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("nothing was saved")
        );
        assert!(!error["suggestions"].as_array().unwrap().is_empty());
        assert!(!fresh.config().exists() && !fresh.data().exists(), "{run}");
        assert!(!run.stdout.contains(token), "{run}");

        let working = cloud.device();
        let settings = working.settings();
        let run = init(&working, &cloud.server.url(), token, &[]);
        assert_eq!(run.exit, 9, "{run}");
        assert_eq!(working.settings(), settings);
    }
}

#[test]
fn an_expired_token_is_named_and_a_new_one_goes_on() {
    let cloud = Cloud::start();
    let a = Device::new();
    let expired = cloud.server.token(Access::ReadWrite, -120);
    a.configure(&cloud.server.url(), &expired, &eager());
    add(&a, &["Waits"]);
    wait_until(SOON, "the refusal is known", || {
        a.status()["lastSyncError"].is_object()
    });
    let error = a.status()["lastSyncError"].clone();
    assert_eq!(error["code"], "unauthorized", "{error}");
    assert!(
        error["action"].as_str().unwrap().contains("HZL_SYNC_TOKEN"),
        "{error}"
    );
    let refused = a.fails(&["sync"], 9)["error"].clone();
    assert_eq!(refused["code"], "sync_rejected", "{refused}");
    // Asking again and again would not help.
    wait_until(SOON, "the background gives up", || a.syncers().is_empty());
    add(&a, &["Waits too"]);
    assert!(a.syncers().is_empty());
    assert_eq!(joined(&a, &cloud, &[]), "empty");
    a.wait_until_settled();
    assert_eq!(a.status().get("lastSyncError"), None);
}

#[test]
fn a_token_that_may_only_read_pulls_and_what_is_written_waits() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.device(), Device::new());
    add(&a, &["From A"]);
    a.sync();
    let reader = cloud.server.token(Access::ReadOnly, 3600);
    b.configure(&cloud.server.url(), &reader, &manual());
    let synced = b.sync();
    assert_eq!(synced["pulled"].as_u64(), Some(a.event_ids().len() as u64));
    assert_same(&a, &b);
    add(&b, &["From B"]);
    let synced = b.sync();
    assert_eq!(
        (&synced["pushed"], &synced["pullOnly"]),
        (&json!(0), &json!(true))
    );
    assert_eq!((b.pending(), &b.status()["pullOnly"]), (1, &json!(true)));
    b.configure(&cloud.server.url(), &cloud.token, &manual());
    assert_eq!(b.sync()["pushed"], 1);
    a.sync();
    assert_same(&a, &b);
}

#[test]
fn another_ledger_is_united_only_when_that_is_meant() {
    let cloud = Cloud::start();
    let (a, c) = (cloud.device(), Device::new());
    add(&a, &["From A"]);
    a.sync();
    add(&c, &["From C"]);
    add(&c, &["From C too"]);
    let before = c.event_ids();
    let run = init(&c, &cloud.server.url(), &cloud.token, &[]);
    assert_eq!((run.exit, run.stderr.as_str()), (10, ""), "{run}");
    let error = run.json()["error"].clone();
    assert_eq!(error["code"], "merge_required", "{error}");
    // Every ledger has an inbox: that one does not count.
    assert_eq!(error["details"]["cloudEvents"], 1, "{error}");
    assert_eq!(error["details"]["localEvents"], 2, "{error}");
    assert!(error["suggestions"].to_string().contains("--merge"));
    assert!(!c.config().exists());
    assert_eq!(c.event_ids(), before);

    assert_eq!(joined(&c, &cloud, &["--merge"]), "joined");
    c.wait_until_settled();
    a.sync();
    c.sync();
    assert_same(&a, &c);
    assert_eq!(a.json(&["task", "list"])["total"], 3);
}

#[test]
fn an_unreachable_cloud_is_saved_and_the_first_sync_decides() {
    let mut cloud = Cloud::start();
    let a = cloud.device();
    add(&a, &["From A"]);
    a.sync();
    cloud.server.stop();
    let (fresh, foreign) = (Device::new(), Device::new());
    add(&foreign, &["From another"]);
    for device in [&fresh, &foreign] {
        assert_eq!(joined(device, &cloud, &[]), "unreachable");
        assert_eq!(device.settings()["syncUrl"], cloud.server.url());
        assert!(device.status().get("lastSyncAt").is_none());
    }
    cloud.server.restart();
    fresh.wait_until_settled();
    fresh.sync();
    assert_same(&a, &fresh);
    let error = foreign.fails(&["sync"], 10)["error"].clone();
    assert_eq!(error["code"], "merge_required", "{error}");
    foreign.json(&["sync", "--merge"]);
    a.sync();
    assert_same(&a, &foreign);
}

#[test]
fn turning_sync_off_stops_it_for_good() {
    for option in ["--local", "--reset-config"] {
        let mut cloud = Cloud::start();
        let a = cloud.eager_device();
        let watcher = cloud.device();
        add(&a, &["Shared"]);
        a.wait_until_settled();
        // One is still trying when sync is turned off.
        cloud.server.stop();
        add(&a, &["Private"]);
        // A process that has only just begun does not show its command line yet.
        wait_until(SOON, "one is trying", || a.syncers().len() == 1);
        assert_eq!(a.json(&["init", option])["mode"], "local-only");
        let settings = a.settings();
        assert!(settings.get("syncUrl").is_none() && settings.get("authToken").is_none());
        assert!(!settings.to_string().contains(&cloud.token));
        cloud.server.restart();
        wait_until(SOON, "it notices", || a.syncers().is_empty());
        add(&a, &["Private too"]);
        a.json(&["task", "list"]);
        assert!(a.syncers().is_empty());
        let answer = a.json(&["sync"]);
        assert_eq!(answer["mode"], "local-only", "{answer}");
        assert_eq!(a.status().get("syncUrl"), None);
        assert_eq!(a.json(&["task", "list"])["total"], 3, "{option}");
        watcher.sync();
        assert_eq!(watcher.json(&["task", "list"])["total"], 1, "{option}");
    }
}

#[test]
fn a_corrected_address_is_used_at_once() {
    let cloud = Cloud::start();
    let a = Device::new();
    a.configure("http://127.0.0.1:9", &cloud.token, &json!({}));
    add(&a, &["Waits"]);
    wait_until(SOON, "one is trying", || a.syncers().len() == 1);
    assert_eq!(joined(&a, &cloud, &[]), "empty");
    a.wait_until_settled();
    let b = cloud.device();
    b.sync();
    assert_same(&a, &b);
}

#[test]
fn environment_variables_suffice_and_win() {
    let cloud = Cloud::start();
    let url = cloud.server.url();
    for name in ["HZL_SYNC_TOKEN", "HZL_AUTH_TOKEN"] {
        let mut device = Device::new();
        device.set_env("HZL_SYNC_URL", &url);
        device.set_env(name, &cloud.token);
        add(&device, &[name]);
        device.sync_merging();
        assert_eq!(device.status()["mode"], "offline-sync");
        assert!(!device.config().exists(), "nothing was saved");
        device.wait_until_settled();
    }
    let mut configured = Device::new();
    configured.configure("http://127.0.0.1:9", "wrong", &manual());
    configured.fails(&["sync"], 8);
    configured.set_env("HZL_SYNC_URL", &url);
    configured.fails(&["sync"], 9);
    configured.set_env("HZL_AUTH_TOKEN", &cloud.token);
    configured.sync();
    configured.set_env("HZL_AUTH_TOKEN", "wrong");
    configured.set_env("HZL_SYNC_TOKEN", &cloud.token);
    configured.sync();
    assert_eq!(configured.json(&["task", "list"])["total"], 2);
}

#[test]
fn a_token_by_environment_and_an_address_in_the_settings_go_together() {
    let cloud = Cloud::start();
    let url = cloud.server.url();
    let mut a = Device::new();
    a.set_env("HZL_SYNC_TOKEN", "wrong");
    a.fails(&["init", "--sync-url", &url], 9);
    a.set_env("HZL_SYNC_TOKEN", &cloud.token);
    assert_eq!(a.json(&["init", "--sync-url", &url])["cloud"], "empty");
    assert_eq!(a.settings(), json!({"syncUrl": url}));
    add(&a, &["T"]);
    a.wait_until_settled();
    a.remove_env("HZL_SYNC_TOKEN");
    a.fails(&["sync"], 9);
}

#[test]
fn the_background_uses_what_the_command_was_given_by_environment() {
    let cloud = Cloud::start();
    let mut a = Device::new();
    a.set_env("HZL_SYNC_URL", cloud.server.url());
    a.set_env("HZL_SYNC_TOKEN", &cloud.token);
    add(&a, &["By itself"]);
    a.wait_until_settled();
    let b = cloud.device();
    b.sync();
    assert_same(&a, &b);
}

#[test]
fn addresses_are_encrypted_ones_unless_they_stay_on_this_machine() {
    let mut a = Device::new();
    a.set_env("HZL_SYNC_URL", "http://db.example.org");
    let error = a.fails(&["sync"], 9)["error"].clone();
    assert_eq!(error["code"], "sync_rejected", "{error}");
    assert!(
        error["suggestions"].to_string().contains("https"),
        "{error}"
    );
    // What speaks no TLS gets no token.
    let plain = hzl_testkit::stub::Stub::http(200, &[], "{}");
    let url = plain.url().replace("http:", "libsql:");
    a.set_env("HZL_SYNC_URL", &url);
    a.set_env("HZL_SYNC_TOKEN", "s3cr3t-canary");
    assert_eq!(
        a.status()["syncUrl"],
        plain.url().replace("http:", "https:")
    );
    let run = a.hzl(&["sync"]);
    assert!([8, 9].contains(&run.exit), "{run}");
    assert!(!plain.requests().concat().contains("s3cr3t"));
}
