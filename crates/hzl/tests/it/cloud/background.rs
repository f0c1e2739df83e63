//! The process that syncs in the background: there when needed, alone, and gone afterwards.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;
use std::time::Instant;

use hzl_testkit::home::Home;
use hzl_testkit::stub::Stub;
use hzl_testkit::wait_until;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::SOON;
use super::assert_same;
use super::manual;
use crate::add;

#[test]
fn nothing_is_left_behind_when_all_is_sent() {
    let cloud = Cloud::start();
    let a = cloud.eager_device();
    for number in 0..5 {
        add(&a, &[&format!("Task {number}")]);
    }
    a.wait_until_settled();
    a.json(&["task", "list"]);
    a.wait_until_settled();
    assert_eq!(a.status()["pendingEvents"], 0);
}

#[test]
fn one_runs_however_many_write() {
    let mut cloud = Cloud::start();
    let a = Device::new();
    a.configure(&cloud.server.url(), &cloud.token, &json!({}));
    cloud.server.stop();
    add(&a, &["First"]);
    wait_until(SOON, "it has tried", || {
        a.status()["lastSyncError"].is_object()
    });
    let mut seen: BTreeSet<u32> = a.syncers().into_iter().collect();
    assert_eq!(seen.len(), 1);
    let mut writers: Vec<_> = (0..40)
        .map(|number| a.spawn(&["task", "add", &format!("Task {number}")]))
        .collect();
    while !writers.iter_mut().all(|writer| writer.has_ended()) {
        seen.extend(a.syncers());
    }
    for writer in writers {
        let run = writer.wait();
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    }
    seen.extend(a.syncers());
    assert_eq!(seen.len(), 1, "the one that runs does for all");
    cloud.server.restart();
    a.wait_until_settled();
    let b = cloud.device();
    b.sync();
    assert_same(&a, &b);
    assert_eq!(b.json(&["task", "list"])["total"], 41);
}

#[test]
fn all_that_forty_writers_write_at_once_arrives() {
    let cloud = Cloud::start();
    let a = Device::new();
    a.configure(&cloud.server.url(), &cloud.token, &json!({}));
    let mut seen = BTreeSet::new();
    let mut writers: Vec<_> = (0..40)
        .map(|number| a.spawn(&["task", "add", &format!("Task {number}")]))
        .collect();
    while !writers.iter_mut().all(|writer| writer.has_ended()) {
        seen.extend(a.syncers());
    }
    for writer in writers {
        let run = writer.wait();
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    }
    a.wait_until_settled();
    assert!(seen.len() <= 15, "{} processes for 40 writes", seen.len());
    let b = cloud.device();
    b.sync();
    assert_same(&a, &b);
    assert_eq!(b.json(&["task", "list"])["total"], 40);
}

#[test]
fn what_the_caller_had_open_is_closed() {
    let hole = Stub::silent();
    let shell = Home::new("/bin/sh").env("HZL", env!("CARGO_BIN_EXE_hzl"));
    let device = Device::of(shell);
    device.configure(&hole.url(), "t0ken-value", &json!({}));
    let started = Instant::now();
    let script = "exec 9>caller.lock; flock -n 9 || exit 1; \"$HZL\" task add T";
    let run = device.hzl(&["-c", script]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "both pipes ended with the command"
    );
    let lock = File::open(device.path().join("caller.lock")).unwrap();
    let free = lock.try_lock();
    assert_eq!(device.syncers().len(), 1, "the child still runs");
    free.expect("the lock of the caller is free");
}

#[test]
fn with_the_policy_manual_nothing_starts_by_itself() {
    let hole = Stub::silent();
    let a = Device::new();
    a.configure(&hole.url(), "t0ken-value", &manual());
    let task = add(&a, &["T", "-s", "ready"]);
    for line in [
        &["task", "claim", &task, "--agent", "ann"][..],
        &["task", "list"],
        &["task", "complete", &task],
        &["events"],
        &["status"],
        &["init", "--sync-url", &hole.url()],
        &["task", "add", "More"],
    ] {
        let run = a.hzl(line);
        assert_eq!(run.exit, 0, "{run}");
        assert!(a.syncers().is_empty(), "{line:?}");
    }
    assert_eq!(a.status().get("lastSyncAttemptAt"), None);
}

#[test]
fn the_next_command_starts_another_when_it_was_killed() {
    let mut cloud = Cloud::start();
    let a = Device::new();
    a.configure(&cloud.server.url(), &cloud.token, &json!({}));
    cloud.server.stop();
    add(&a, &["Waits"]);
    let killed = a.syncers();
    assert_eq!(killed.len(), 1);
    a.kill_syncers();
    wait_until(SOON, "it is gone", || a.syncers().is_empty());
    cloud.server.restart();
    assert!(a.pending() > 0);
    a.json(&["task", "list"]);
    a.wait_until_settled();
    let b = cloud.device();
    b.sync();
    assert_same(&a, &b);
}

#[test]
fn a_database_and_a_config_file_named_relatively_are_found() {
    let cloud = Cloud::start();
    let mut a = Device::new();
    let config = json!({"syncUrl": cloud.server.url(), "authToken": cloud.token});
    a.write("work/my.json", config.to_string());
    a.set_env("HZL_CONFIG", "work/my.json");
    a.json(&["task", "add", "T", "--db", "work/my.db"]);
    wait_until(SOON, "it is sent", || {
        a.json(&["status", "--db", "work/my.db"])["data"]["pendingEvents"] == 0
    });
    let b = cloud.device();
    b.sync();
    assert_eq!(b.json(&["task", "list"])["total"], 1);
}

#[test]
fn syncs_by_hand_at_the_same_time_as_writers_harm_nothing() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.eager_device(), cloud.device());
    a.sync();
    b.sync();
    let title = |number: u32| format!("Task {number}");
    let mut running = vec![];
    for number in 0..12 {
        running.push(a.spawn(&["task", "add", &title(number)]));
        running.push(a.spawn(&["sync"]));
        running.push(b.spawn(&["task", "add", &title(100 + number)]));
        running.push(b.spawn(&["sync"]));
    }
    for running in running {
        let run = running.wait();
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    }
    a.wait_until_settled();
    for device in [&b, &a, &b] {
        device.sync();
    }
    assert_same(&a, &b);
    assert_eq!(a.json(&["task", "list"])["total"], 24);
    assert_eq!(a.status()["devices"].as_array().unwrap().len(), 2);
}
