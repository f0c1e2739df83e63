//! `hzl sync --verify`: what is here, in the cloud and on the other machines, compared.

use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use super::fleet::settle_both;
use super::fleet::tamper;
use crate::add;
use crate::home;

fn cache(device: &Device) -> Connection {
    Connection::open(device.data().join("hzl/cache.db")).expect("there is a cache")
}

#[track_caller]
fn verify(device: &Device) -> Value {
    device.json(&["sync", "--verify"])["data"]["verify"].clone()
}

/// Fails to verify and returns the error.
#[track_caller]
fn finds(device: &Device) -> Value {
    let error = device.fails(&["sync", "--verify"], 6)["error"].clone();
    assert_eq!(error["code"], "verify_failed", "{error}");
    let message = error["message"].as_str().expect("a text");
    assert!(
        message.ends_with("everything that was written here is kept"),
        "{error}"
    );
    assert!(
        !error["suggestions"].to_string().contains("delete"),
        "{error}"
    );
    error
}

#[test]
fn a_clean_pair_is_found_to_be_clean() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Shared", "-s", "ready"]);
    a.json(&["task", "claim", &task, "--agent", "ann"]);
    settle_both(&a, &b);
    let events = a.event_ids().len();
    let expected = json!({
        "projections": "ok",
        "log": {"events": events, "cloudEvents": events, "compared": events, "missing": 0,
                "extra": 0, "different": 0, "setAside": 0},
        "devices": {"agree": 1, "differ": 0, "unknown": 0},
    });
    assert_eq!(verify(&a), expected);
    assert_eq!(verify(&b), expected);
    // What waits is sent first, and then B has not what A has.
    add(&a, &["New"]);
    let found = verify(&a);
    assert_eq!(found["log"]["compared"], events + 1);
    assert_eq!(
        found["devices"],
        json!({"agree": 0, "differ": 0, "unknown": 1})
    );
    let text = b.hzl(&["sync", "--verify", "--format", "md"]);
    assert_eq!(text.exit, 0, "{text}");
    for part in [
        "✓ The projections are what the log says",
        &format!("✓ The cloud has the same {} events", events + 1),
        "Machines with the same state: 1",
    ] {
        assert!(text.stdout.contains(part), "{text}");
    }
    assert_eq!(text.stderr, "", "no progress without a terminal");
}

#[test]
fn projections_that_were_tampered_with_are_named_and_built_anew() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Shared"]);
    settle_both(&a, &b);
    let changed = cache(&a)
        .execute(
            "update p_tasks set title = 'Forged' where task_id = ?1",
            [&task],
        )
        .unwrap();
    assert_eq!(changed, 1);
    let error = finds(&a);
    assert!(
        error["message"].as_str().unwrap().contains(&task),
        "{error}"
    );
    let found = &error["details"]["verify"];
    assert_eq!(found["projections"], "healed");
    assert_eq!(
        found["tables"],
        json!([{"table": "p_tasks", "rows": 1, "subjects": [task]}])
    );
    assert_eq!(found["log"]["different"], 0);
    assert_eq!(a.json(&["task", "show", &task])["task"]["title"], "Shared");
    assert_eq!(verify(&a)["projections"], "ok");

    // Without a cloud the same is looked at.
    let alone = home();
    add(&alone, &["Alone"]);
    let answer = alone.json(&["sync", "--verify"]);
    assert_eq!(
        answer["data"]["verify"],
        json!({"projections": "ok", "log": null, "devices": null})
    );
    let cache = Connection::open(alone.data().join("hzl/cache.db")).unwrap();
    cache.execute_batch("delete from p_tasks").unwrap();
    let error = alone.fails(&["sync", "--verify"], 6);
    assert_eq!(error["error"]["details"]["verify"]["projections"], "healed");
    assert_eq!(alone.json(&["task", "list"])["total"], 1);
}

#[test]
fn a_cloud_that_was_tampered_with_is_found_and_nothing_is_touched() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Shared"]);
    for text in ["one", "two", "three"] {
        a.json(&["task", "comment", &task, text]);
    }
    settle_both(&a, &b);
    let before = a.event_ids();
    tamper(
        &cloud,
        "update hzl_events set data = json_object('text', 'forged') where data like '%one%'",
    );
    tamper(&cloud, "delete from hzl_events where data like '%two%'");
    for device in [&a, &b] {
        let error = finds(device);
        let log = &error["details"]["verify"]["log"];
        assert_eq!(
            (&log["missing"], &log["different"], &log["extra"]),
            (&json!(1), &json!(1), &json!(0)),
            "{error}"
        );
        let rows = &log["rows"];
        assert_eq!(crate::each(rows, "what"), ["different", "missing"]);
        assert_eq!(crate::each(rows, "taskId"), [&task, &task]);
        assert_eq!(rows[0]["columns"], json!(["data"]));
        let hints = error["suggestions"].to_string();
        assert!(hints.contains("hzl backup"), "{error}");
        assert_eq!(device.event_ids(), before);
    }
    assert_same(&a, &b);
    let text = a.hzl(&["sync", "--verify", "--format", "md"]);
    assert_eq!(text.exit, 6, "{text}");
    assert!(text.stderr.contains("not in the cloud"), "{text}");

    // The way out that is offered: an empty database is filled from here.
    let other = Cloud::start();
    let moved = a
        .call(&[
            "init",
            "--sync-url",
            &other.server.url(),
            "--auth-token",
            "-",
        ])
        .stdin(other.token.clone())
        .json();
    assert_eq!(moved["cloud"], "empty", "{moved}");
    a.wait_until_settled();
    assert_eq!(a.event_ids(), before);
    assert_eq!(verify(&a)["log"]["missing"], 0);
}

#[test]
fn another_machine_with_another_state_is_named() {
    let cloud = Cloud::start();
    let (a, b, _) = cloud.pair(&["Shared"]);
    settle_both(&a, &b);
    let id = b.status()["deviceId"].as_str().expect("a text").to_owned();
    tamper(
        &cloud,
        &format!(
            "update hzl_devices set state_hash = '00', name = 'attic' where device_id = '{id}'"
        ),
    );
    let error = finds(&a);
    assert_eq!(
        error["details"]["verify"]["devices"],
        json!({"agree": 0, "differ": 1, "unknown": 0, "differing": ["attic"]})
    );
    assert!(error["message"].as_str().unwrap().contains("attic"));
    // B says anew what it has.
    verify(&b);
    assert_eq!(verify(&a)["devices"]["agree"], 1);
}

#[test]
fn without_the_cloud_nothing_can_be_verified() {
    let mut cloud = Cloud::start();
    let (a, _, _) = cloud.pair(&["Shared"]);
    cloud.server.stop();
    let error = a.fails(&["sync", "--verify"], 8);
    assert_eq!(error["error"]["code"], "sync_unavailable");
    a.fails(&["sync", "--verify", "--watch"], 2);
}
