//! Commands that stay: `sync --watch`, `wait`, `events --follow`.

use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::Cloud;
use super::Device;
use super::SOON;
use crate::add;

/// A machine that nothing syncs but who watches, and claims do not ask.
fn quiet(cloud: &Cloud) -> Device {
    let device = cloud.device();
    let config = json!({
        "syncUrl": cloud.server.url(),
        "authToken": cloud.token,
        "sync": {"claims": "local"},
        "db": {"sync": {"policy": "manual"}},
    });
    device.write("config/hzl/config.json", config.to_string());
    device
}

#[test]
fn two_watchers_keep_two_machines_in_step() {
    let mut cloud = Cloud::start();
    let (a, b) = (quiet(&cloud), quiet(&cloud));
    let first = add(&a, &["First"]);
    let mut watchers = [a.spawn(&["sync", "--watch"]), b.spawn(&["sync", "--watch"])];
    let has = |device: &Device, task: &str| device.hzl(&["task", "show", task]).exit == 0;
    hzl_testkit::wait_until(SOON, "B has the task", || has(&b, &first));
    let started = Instant::now();
    let second = add(&b, &["Second"]);
    hzl_testkit::wait_until(SOON, "A has the second one", || has(&a, &second));
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    // The server goes and comes back; the watchers stay.
    cloud.server.stop();
    let third = add(&a, &["Third"]);
    for watcher in &mut watchers {
        hzl_testkit::wait_until(SOON, "the watcher says what is wrong", || {
            watcher.printed().contains("cannot be reached")
        });
        assert!(!watcher.has_ended());
    }
    cloud.server.restart();
    hzl_testkit::wait_until(SOON * 2, "B has the third one", || has(&b, &third));
    for watcher in &mut watchers {
        watcher.kill();
    }
    assert_eq!(a.json(&["validate"])["isValid"], true);
}

#[test]
fn waiting_ends_when_another_machine_is_done() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.eager_device(), quiet(&cloud));
    let task = add(&b, &["Slow", "-s", "ready"]);
    b.sync();
    a.sync();
    let waiting = a.spawn(&["wait", &task, "--timeout", "60"]);
    b.json(&["task", "set-status", &task, "done", "--author", "bob"]);
    b.sync();
    let run = waiting.wait();
    assert_eq!(run.exit, 0, "{run}");
    assert_eq!(run.json()["status"], "done");
    let error = a.fails(&["wait", &task, "-s", "archived", "-t", "0"], 11);
    assert_eq!(error["error"]["code"], "wait_timeout");
    let md = a.hzl(&["wait", &task, "--status", "done", "--format", "md"]);
    assert!(md.stdout.starts_with("✓ Slow ("), "{md}");
    a.fails(&["wait", "nosuch"], 4);
}

#[test]
fn who_follows_sees_what_other_machines_write() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.eager_device(), quiet(&cloud));
    add(&a, &["Here"]);
    a.sync();
    b.sync();
    let mut following = a.spawn(&["events", "--follow"]);
    let task = add(&b, &["There"]);
    b.sync();
    hzl_testkit::wait_until(SOON, "A prints it without being asked", || {
        following.printed().contains(&task)
    });
    assert!(!following.has_ended());
    following.kill();
}

#[test]
fn a_unit_for_systemd_is_printed() {
    let run = crate::home().hzl(&["sync", "--systemd"]);
    assert_eq!(run.exit, 0, "{run}");
    assert!(
        run.stdout.contains("sync --watch\nRestart=on-failure"),
        "{run}"
    );
    let local = crate::home().json(&["sync", "--watch"]);
    assert_eq!(local["mode"], "local-only", "there is nothing to watch");
    crate::home().fails(&["sync", "--watch", "--reset"], 2);
}
