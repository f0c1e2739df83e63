//! No network: nothing is slower, nothing fails, and nothing is lost.

use std::time::Duration;
use std::time::Instant;

use hzl_testkit::stub::Stub;
use hzl_testkit::wait_until;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::SOON;
use super::assert_same;
use crate::add;

/// Runs every local command; all of them have to succeed and say nothing on stderr.
fn do_everything(device: &Device) {
    let run = |line: &[&str]| {
        let run = device.hzl(line);
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
        run
    };
    let add = |line: &[&str]| crate::id(&run(line).json());
    run(&["project", "create", "docs"]);
    let task = add(&["task", "add", "Write", "-P", "docs", "-s", "ready"]);
    let next = add(&["task", "add", "Next", "-P", "docs", "-s", "ready"]);
    let task = task.as_str();
    for line in [
        &["task", "claim", task, "--agent", "ann"][..],
        &["task", "progress", task, "10"],
        &["task", "checkpoint", task, "half"],
        &["task", "comment", task, "well"],
        &["task", "release", task],
        &["task", "start", task, "--agent", "ann"],
        &["task", "update", task, "--title", "Write it"],
        &["task", "complete", task],
        &["task", "set-status", &next, "blocked"],
        &["task", "claim", "--next", "--agent", "bob"],
        &["task", "list"],
        &["task", "list", "--format", "md"],
        &["task", "show", task],
        &["task", "history", task],
        &["events"],
        &["project", "list"],
        &["project", "show", "docs"],
        &["status"],
        &["status", "--format", "md"],
        &["which-db"],
        &["config"],
        &["init"],
    ] {
        run(line);
    }
}

#[test]
fn everything_works_while_the_server_is_down_and_is_sent_when_it_is_back() {
    let mut cloud = Cloud::start();
    let a = Device::new();
    a.configure(&cloud.server.url(), &cloud.token, &json!({}));
    add(&a, &["Before"]);
    a.wait_until_settled();
    cloud.server.stop();
    do_everything(&a);
    let mut status = a.status();
    assert!(status["pendingEvents"].as_u64() > Some(10), "{status}");
    assert_eq!(status["localChanges"], true);
    assert!(status["dirtySince"].is_string());
    wait_until(SOON, "the failure is known", || {
        status = a.status();
        status["lastSyncError"].is_object()
    });
    let error = &status["lastSyncError"];
    assert_eq!(error["code"], "unreachable", "{error}");
    for (key, part) in [("message", "refused"), ("action", "tried again")] {
        assert!(error[key].as_str().unwrap().contains(part), "{error}");
    }
    assert!(status["lastSyncAttemptAt"].as_str() > status["lastSyncAt"].as_str());

    cloud.server.restart();
    a.json(&["task", "list"]);
    a.wait_until_settled();
    assert_eq!(a.status().get("lastSyncError"), None);
    let b = cloud.device();
    b.sync();
    assert_same(&a, &b);
}

#[test]
fn a_sync_by_hand_says_in_one_line_why_it_fails_and_keeps_everything() {
    let mut cloud = Cloud::start();
    let a = cloud.device();
    cloud.server.stop();
    add(&a, &["Kept"]);
    let before = a.event_ids();
    let run = a.hzl(&["sync"]);
    assert_eq!((run.exit, run.stderr.as_str()), (8, ""), "{run}");
    let error = a.fails(&["sync"], 8)["error"].clone();
    assert_eq!(error["code"], "sync_unavailable", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("everything that was written here is kept"),
        "{error}"
    );
    assert!(message.contains("127.0.0.1"), "{error}");
    assert_eq!(a.event_ids(), before);
    cloud.server.restart();
    assert_eq!(a.sync()["pushed"].as_u64(), Some(before.len() as u64));
}

#[test]
fn a_server_that_never_answers_is_waited_for_only_by_those_who_asked() {
    let hole = Stub::silent();
    let a = Device::new();
    a.configure(&hole.url(), "t0ken-value", &super::eager());
    let started = Instant::now();
    do_everything(&a);
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "as long as one request"
    );
    hzl_testkit::wait_until(super::SOON, "it tries in the background", || {
        a.syncers().len() == 1
    });
}

/// Returns how long one `task add` takes.
fn time_add(device: &Device) -> Duration {
    let started = Instant::now();
    add(device, &["Timed"]);
    started.elapsed()
}

#[test]
fn a_dead_server_slows_nothing_down() {
    let mut cloud = Cloud::start();
    let (dead, swallowed, local) = (cloud.eager_device(), Device::new(), Device::new());
    let hole = Stub::silent();
    swallowed.configure(&hole.url(), "t0ken-value", &super::eager());
    cloud.server.stop();
    let mut times = [(&dead, vec![]), (&swallowed, vec![]), (&local, vec![])];
    // In turn, so that whatever else this machine does hits all of them.
    for _ in 0..21 {
        for (device, times) in &mut times {
            times.push(time_add(device));
        }
    }
    let [dead, swallowed, local] = times.map(|(_, mut times)| {
        times.sort();
        times[times.len() / 2]
    });
    assert!(
        dead <= 2 * local && swallowed <= 2 * local,
        "{dead:?} and {swallowed:?} instead of {local:?}"
    );
}
