//! `db.sync.policy: strict`: what was written is in the cloud when the command returns, or nothing was written.

use std::time::Duration;
use std::time::Instant;

use hzl_testkit::relay::Fate;
use hzl_testkit::relay::Relay;
use hzl_testkit::servers::Access;
use hzl_testkit::stub::Stub;
use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use super::fleet::tamper;
use crate::add;

/// Sets a machine up whose writes the cloud has to confirm.
fn strict(url: &str, token: &str) -> Device {
    let device = Device::new();
    device.configure(
        url,
        token,
        &json!({"policy": "strict", "staleAfterMs": 86_400_000}),
    );
    device
}

fn codes(answer: &Value) -> Vec<&Value> {
    crate::each(&answer["warnings"], "code")
}

/// Every kind of write, on a ledger with these two ready tasks.
fn writes<'a>(one: &'a str, two: &'a str) -> Vec<Vec<&'a str>> {
    [
        &["task", "add", "Another"][..],
        &["task", "update", one, "--title", "Changed"],
        &["task", "comment", one, "a remark"],
        &["task", "checkpoint", one, "half"],
        &["task", "progress", one, "30"],
        &["task", "add-dep", one, two],
        &["task", "remove-dep", one, two],
        &["task", "set-status", two, "blocked"],
        &["task", "unblock", two, "--release"],
        &["task", "reassign", two, "bob"],
        &["task", "archive", two],
        &["project", "create", "docs"],
        &["task", "move", one, "docs"],
        &["project", "rename", "docs", "manual"],
        &[
            "workflow",
            "run",
            "start",
            "--any-project",
            "--agent",
            "ann",
        ],
        &[
            "workflow", "run", "delegate", "--from", one, "--title", "Part",
        ],
        &[
            "workflow", "run", "handoff", "--from", one, "--title", "Next", "-P", "manual",
        ],
        &["undo"],
        &["task", "prune", "--all", "--as-of", "2100-01-01", "--yes"],
        &["import", "plan.ndjson"],
        &["sample-project", "create"],
    ]
    .map(<[&str]>::to_vec)
    .into()
}

const IMPORTED: &str = r#"{"event_id":"01K9ZZ00000000000000000005","task_id":"01K9ZZ3D1H7E2GQ4S8V5KJTMNP","type":"task_created","data":{"title":"Imported","project":"inbox"},"timestamp":"2026-03-01T09:01:00.000Z"}
"#;

#[test]
fn what_was_written_is_in_the_cloud_when_the_command_returns() {
    let cloud = Cloud::start();
    let (a, b) = (strict(&cloud.server.url(), &cloud.token), cloud.device());
    let one = add(&a, &["One", "-s", "ready", "-p", "3"]);
    let two = add(&a, &["Two", "-s", "ready"]);
    a.write("plan.ndjson", IMPORTED);
    a.call(&["task", "add", "--from-json", "-"])
        .stdin("[{\"title\": \"Many\"}]")
        .json();
    for line in writes(&one, &two) {
        let before = a.event_ids();
        let answer = a.json(&line);
        assert_eq!(answer.get("warnings"), None, "{line:?}: {answer}");
        let after = a.event_ids();
        assert_ne!(after, before, "{line:?} writes");
        assert_eq!(a.pending(), 0, "{line:?}");
        b.sync();
        assert_eq!(b.event_ids(), after, "{line:?}");
    }
    assert!(a.syncers().is_empty(), "nothing is left to the background");
    assert_same(&a, &b);
}

#[test]
fn a_write_is_decided_on_what_everybody_has() {
    let cloud = Cloud::start();
    let (a, b) = (strict(&cloud.server.url(), &cloud.token), cloud.device());
    add(&a, &["One"]);
    b.sync();
    let task = add(&b, &["Of B", "-s", "ready"]);
    b.sync();
    // A has never heard of that task.
    a.json(&["task", "set-status", &task, "done"]);
    b.sync();
    b.json(&["task", "archive", &task]);
    b.sync();
    let refused = a.fails(&["task", "reopen", &task], 3);
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("archived"),
        "{refused}"
    );
    assert_eq!(a.status()["conflicts"], 0);
}

#[test]
fn without_the_cloud_nothing_is_written_and_reading_goes_on() {
    let mut cloud = Cloud::start();
    let a = strict(&cloud.server.url(), &cloud.token);
    let one = add(&a, &["One", "-s", "ready"]);
    let two = add(&a, &["Two", "-s", "ready"]);
    a.write("plan.ndjson", IMPORTED);
    cloud.server.stop();
    let before = a.event_ids();
    for line in writes(&one, &two) {
        let error = a.fails(&line, 8)["error"].clone();
        assert_eq!(error["code"], "sync_unavailable", "{line:?}: {error}");
        assert_eq!(
            (&error["details"]["cause"], &error["details"]["policy"]),
            (&json!("unreachable"), &json!("strict")),
            "{error}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("nothing was written"), "{error}");
        assert!(
            error["suggestions"].to_string().contains("opportunistic"),
            "{error}"
        );
        assert_eq!(a.event_ids(), before, "{line:?}");
    }
    let error = a.fails(&["task", "claim", &one, "--agent", "ann"], 8);
    assert_eq!(error["error"]["details"]["outcome"], "unknown");
    assert_eq!(a.event_ids(), before);
    // What writes no event of the ledger needs no cloud.
    for line in [
        &["task", "list"][..],
        &["task", "show", &one],
        &["undo", "--dry-run"],
        &["import", "plan.ndjson", "--dry-run"],
        &["task", "prune", "--all", "--dry-run"],
        &["rebuild"],
        &["hook", "drain"],
        &["status"],
        &["devices"],
    ] {
        a.json(line);
    }
    cloud.server.restart();
    a.json(&["task", "comment", &one, "again"]);
    assert_eq!(a.pending(), 0);
}

#[test]
fn a_new_store_is_not_even_begun_without_the_cloud() {
    let mut cloud = Cloud::start();
    let a = strict(&cloud.server.url(), &cloud.token);
    cloud.server.stop();
    a.fails(&["task", "add", "One"], 8);
    cloud.server.restart();
    let b = cloud.device();
    add(&b, &["Of B"]);
    b.sync();
    add(&a, &["Of A"]);
    b.sync();
    assert_same(&a, &b);
    assert_eq!(
        crate::log(&a)
            .iter()
            .filter(|event| event["type"] == "project_created")
            .count(),
        1,
        "A has found the inbox in the cloud"
    );
}

#[test]
fn a_silent_cloud_is_waited_for_two_seconds() {
    let hole = Stub::silent();
    let a = strict(&hole.url(), "t0ken-value");
    let started = Instant::now();
    let error = a.fails(&["task", "add", "One"], 8);
    assert_eq!(error["error"]["details"]["cause"], "timeout", "{error}");
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(6),
        "{took:?}"
    );
}

#[test]
fn a_write_that_cannot_be_confirmed_is_kept_and_the_answer_says_so() {
    let cloud = Cloud::start();
    let relay = Relay::to(&cloud.server.url());
    let a = strict(&relay.url(), &cloud.token);
    let one = add(&a, &["One", "-s", "ready"]);
    for (lost, is_there) in [(Fate::LoseRequest, false), (Fate::LoseReply, true)] {
        a.wait_until_settled();
        let b = cloud.device();
        relay.plan(&[Fate::Pass, lost], Fate::LoseRequest);
        let line = [
            "task",
            "comment",
            one.as_str(),
            "a remark",
            "--author",
            "ann",
        ];
        let answer = a.json(&line);
        assert_eq!(codes(&answer), ["not_confirmed"], "{answer}");
        let warning = &answer["warnings"][0];
        assert!(warning["cause"].is_string(), "{answer}");
        assert!(
            warning["message"]
                .as_str()
                .unwrap()
                .contains("it is kept here"),
            "{answer}"
        );
        assert_eq!(answer["author"], "ann", "the rest is as always");
        assert_eq!(a.pending(), 1);
        b.sync();
        let there = b.event_ids().len() == a.event_ids().len();
        assert_eq!(there, is_there, "{lost:?}");
        relay.plan(&[], Fate::Pass);
        a.sync();
        b.sync();
        assert_same(&a, &b);
    }
    a.wait_until_settled();
    relay.plan(&[Fate::Pass], Fate::LoseRequest);
    let text = a.hzl(&["task", "add", "Two", "--format", "md"]);
    assert_eq!(text.exit, 0, "{text}");
    assert!(
        text.stdout.contains("⚠ the cloud has not confirmed"),
        "{text}"
    );
    // Whoever asks for some keys only is told as well.
    relay.plan(&[], Fate::Pass);
    a.sync();
    a.wait_until_settled();
    relay.plan(&[Fate::Pass], Fate::LoseRequest);
    let run = a.hzl(&["task", "add", "Three", "--fields", "task_id"]);
    let answer: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(codes(&answer), ["not_confirmed"], "{answer}");
    // One command of several steps waits once, and says it once.
    relay.plan(&[], Fate::Pass);
    a.sync();
    a.wait_until_settled();
    relay.plan(&[Fate::Pass], Fate::LoseRequest);
    let answer = a.json(&["sample-project", "create"]);
    assert_eq!(codes(&answer), ["not_confirmed"], "{answer}");
}

#[test]
fn what_the_cloud_refuses_is_no_success_without_a_word() {
    let cloud = Cloud::start();
    let a = strict(&cloud.server.url(), &cloud.token);
    let one = add(&a, &["One"]);
    tamper(
        &cloud,
        "create trigger poison before insert on hzl_events when new.data like '%poison%'
         begin select raise(abort, 'refused'); end",
    );
    let answer = a.json(&["task", "comment", &one, "poison"]);
    assert_eq!(codes(&answer), ["not_confirmed"], "{answer}");
    assert_eq!(answer["warnings"][0]["cause"], "quarantined");
    assert_eq!(a.status()["quarantined"], 1);
    // A checkpoint has warnings of its own.
    let line = [
        "task",
        "checkpoint",
        one.as_str(),
        "poison",
        "--claim",
        "01KA0B7QF3",
    ];
    let answer = a.json(&line);
    assert_eq!(codes(&answer), ["claim_lost", "not_confirmed"], "{answer}");
}

#[test]
fn who_may_not_write_there_writes_nothing_here() {
    let cloud = Cloud::start();
    let a = strict(&cloud.server.url(), &cloud.token);
    let one = add(&a, &["One"]);
    let before = a.event_ids();
    let settings = json!({"policy": "strict"});
    for (token, cause) in [
        (cloud.server.token(Access::ReadOnly, 3600), "forbidden"),
        (cloud.server.token(Access::ReadWrite, -3600), "unauthorized"),
    ] {
        a.configure(&cloud.server.url(), &token, &settings);
        // Twice: there is nothing to send that could be refused.
        for _ in 0..2 {
            let error = a.fails(&["task", "comment", &one, "x"], 9)["error"].clone();
            assert_eq!(error["code"], "sync_rejected");
            assert_eq!(error["details"]["cause"], cause, "{error}");
            assert_eq!(a.event_ids(), before);
        }
    }
    let other = Cloud::start();
    add(&strict(&other.server.url(), &other.token), &["Of others"]);
    a.configure(&other.server.url(), &other.token, &settings);
    let error = a.fails(&["task", "comment", &one, "x"], 10)["error"].clone();
    assert_eq!(error["code"], "cloud_changed", "{error}");
    assert_eq!(a.event_ids(), before);
}

#[test]
fn a_write_that_was_overtaken_says_so() {
    let cloud = Cloud::start();
    let relay = Relay::to(&cloud.server.url());
    let (a, b) = (strict(&relay.url(), &cloud.token), cloud.device());
    let task = add(&a, &["Wanted", "-s", "ready"]);
    b.sync();
    b.json(&["task", "set-status", &task, "done"]);
    // B's change arrives between A's question and A's push.
    relay.hold(1);
    let running = a.spawn(&["task", "set-status", &task, "blocked"]);
    relay.wait_until_held();
    b.sync();
    relay.go_on();
    let run = running.wait();
    assert_eq!(run.exit, 0, "{run}");
    assert_eq!(codes(&run.json()), ["superseded"], "{run}");
    assert_eq!(a.json(&["task", "show", &task])["task"]["status"], "done");
}

#[test]
fn many_who_write_at_once_are_all_confirmed() {
    let cloud = Cloud::start();
    let (a, b) = (
        strict(&cloud.server.url(), &cloud.token),
        strict(&cloud.server.url(), &cloud.token),
    );
    add(&a, &["First"]);
    add(&b, &["First of B"]);
    let running: Vec<_> = [&a, &b, &a, &b, &a, &b, &a, &b]
        .map(|device| device.spawn(&["task", "add", "One of many"]))
        .into();
    for run in running.into_iter().map(|running| running.wait()) {
        assert_eq!(run.exit, 0, "{run}");
        assert_eq!(run.json().get("warnings"), None, "{run}");
    }
    for device in [&a, &b] {
        assert_eq!(device.pending(), 0);
        device.sync();
    }
    a.sync();
    assert_same(&a, &b);
}
