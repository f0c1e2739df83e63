//! Writes that lost a merge: seen, written again, settled.

use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use crate::id;

/// Two machines that have both given a task a title; B wrote last and has won.
fn two_titles(cloud: &Cloud) -> (Device, Device, String) {
    let (a, b, task) = cloud.pair(&["Draft"]);
    a.json(&[
        "task", "update", &task, "--title", "By A", "--author", "ann",
    ]);
    b.json(&[
        "task", "update", &task, "--title", "By B", "--author", "bob",
    ]);
    a.sync();
    b.sync();
    a.sync();
    (a, b, task)
}

fn first(device: &Device) -> Value {
    device.json(&["conflicts", "list"])["conflicts"][0].clone()
}

fn count(device: &Device) -> Value {
    device.status()["conflicts"].clone()
}

#[test]
fn a_lost_title_is_shown_and_written_again() {
    let cloud = Cloud::start();
    let (a, b, task) = two_titles(&cloud);
    let lost = first(&a);
    let event = lost["event_id"].as_str().unwrap();
    let shown = a.json(&["conflicts", "show", event]);
    assert_eq!(shown["event_id"], event);
    assert_eq!(shown["lost"]["author"], "ann");
    let detail = &shown["conflicts"][0];
    assert_eq!(
        (
            &detail["losing_value"],
            &detail["winning_value"],
            &detail["restorable"]
        ),
        (&json!("By A"), &json!("By B"), &json!(true))
    );
    assert_eq!(detail["winner"]["author"], "bob", "{shown}");
    let md = a
        .hzl(&["conflicts", "show", event, "--format", "md"])
        .stdout;
    assert!(
        md.contains("Lost: \"By A\", by ann at ") && md.contains("restore"),
        "{md}"
    );

    let restored = a.json(&["conflicts", "restore", event, "--author", "kim"]);
    assert_eq!(restored["value"], "By A");
    assert_eq!(restored["events"].as_array().unwrap().len(), 1);
    assert_eq!(count(&a), 0, "what was restored is settled");
    assert_eq!(a.json(&["conflicts", "list"])["total"], 0);
    assert_eq!(
        a.json(&["conflicts", "list", "--all"])["conflicts"][0]["acknowledged"],
        true
    );
    a.sync();
    let synced = b.sync();
    assert_eq!(
        synced["conflicts"], 0,
        "the new write has seen the other: {synced}"
    );
    assert_eq!(b.json(&["task", "show", &task])["task"]["title"], "By A");
    assert_same(&a, &b);

    assert_eq!(count(&b), 1, "each machine acknowledges for itself");
    let again = b.json(&["conflicts", "restore", &event[..20]]);
    assert_eq!(again["events"], json!([]), "it stands already");
    assert_eq!(count(&b), 0);
}

#[test]
fn conflicts_are_acknowledged_one_by_one_or_all() {
    let cloud = Cloud::start();
    let (a, b, task) = two_titles(&cloud);
    a.json(&["task", "update", &task, "-p", "1"]);
    b.json(&["task", "update", &task, "-p", "2"]);
    a.sync();
    b.sync();
    a.sync();
    let before = a.event_ids();
    assert_eq!(count(&a), 2);
    let event = first(&a)["event_id"].as_str().unwrap().to_owned();
    let acked = a.json(&["conflicts", "ack", &event]);
    assert_eq!(acked, json!({"acknowledged": [event], "open": 1}));
    assert_eq!(a.json(&["conflicts", "ack", &event])["open"], 1);
    assert_eq!(a.json(&["conflicts", "ack", "--all"])["open"], 0);
    assert_eq!(
        a.json(&["conflicts", "ack", "-a"])["acknowledged"],
        json!([])
    );
    assert_eq!(a.event_ids(), before, "nothing is written to the ledger");
    a.json(&["rebuild"]);
    assert_eq!(count(&a), 0, "a rebuild does not bring them back");
    a.fails(&["conflicts", "ack"], 2);
    a.fails(&["conflicts", "ack", &event, "--all"], 2);
    a.fails(&["conflicts", "ack", "nosuch"], 4);
}

#[test]
fn a_lost_claim_is_not_restored_but_explained() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.device(), cloud.device());
    let task = id(&a.json(&["task", "add", "Wanted", "-s", "ready"]));
    a.sync();
    b.sync();
    a.json(&["task", "claim", &task, "--agent", "ann"]);
    b.json(&["task", "claim", &task, "--agent", "bob"]);
    a.sync();
    b.sync();
    let event = first(&b)["event_id"].as_str().unwrap().to_owned();
    assert_eq!(
        b.json(&["conflicts", "show", &event])["conflicts"][0]["restorable"],
        false
    );
    let before = b.event_ids();
    let error = b.fails(&["conflicts", "restore", &event], 3);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("claim"),
        "{error}"
    );
    let hints = error["error"]["suggestions"].to_string();
    assert!(
        hints.contains("hzl task steal") && hints.contains("hzl conflicts ack"),
        "{error}"
    );
    assert_eq!(b.event_ids(), before);
    assert_eq!(count(&b), 1);
    b.fails(&["conflicts", "restore", &event, "--field", "title"], 4);
    b.fails(&["conflicts", "restore", "0000"], 4);
    b.fails(&["conflicts", "show", ""], 3);
}
