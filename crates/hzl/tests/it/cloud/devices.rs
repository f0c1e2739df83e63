//! Two machines.

use hzl_testkit::servers::Tursodb;
use hzl_testkit::wait_until;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::SOON;
use super::assert_same;
use super::manual;
use crate::add;

/// Does a bit of everything and returns the tasks: one open, one claimed, one done.
fn work(device: &Device) -> [String; 3] {
    device.json(&["project", "create", "docs", "-d", "Manual"]);
    let open = add(
        device,
        &[
            "Write",
            "-P",
            "docs",
            "-d",
            "All of it",
            "-t",
            "a,b",
            "-p",
            "2",
            "-l",
            "notes.md",
        ],
    );
    let held = add(
        device,
        &["Review", "-P", "docs", "-s", "ready", "--depends-on", &open],
    );
    let done = add(
        device,
        &["Plan ✓", "-P", "docs", "-s", "ready", "--parent", &open],
    );
    device.json(&["task", "claim", &done, "--agent", "ann", "--lease", "30"]);
    device.json(&["task", "progress", &done, "40"]);
    device.json(&[
        "task",
        "checkpoint",
        &done,
        "half",
        "--data",
        "{\"n\": 1}",
        "--author",
        "ann",
    ]);
    device.json(&["task", "comment", &done, "nearly", "--author", "kim"]);
    device.json(&["task", "complete", &done, "--author", "ann"]);
    device.json(&["task", "update", &open, "--title", "Write it", "-p", "3"]);
    device.json(&["task", "set-status", &open, "ready"]);
    device.json(&["task", "claim", &open, "--agent", "ann"]);
    device.json(&["task", "release", &open, "--comment", "later"]);
    device.json(&["task", "set-status", &held, "done", "--author", "kim"]);
    [open, held, done]
}

#[test]
fn what_one_machine_does_the_other_has_after_both_sync() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.device(), cloud.device());
    let [open, ..] = work(&a);
    let pending = a.pending();
    assert!(pending > 10);
    let synced = a.sync();
    assert_eq!(synced["pushed"], pending);
    assert_eq!(
        (&synced["pulled"], &synced["conflicts"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(b.sync()["pulled"], pending);
    assert_same(&a, &b);

    // Somebody on B takes the task over and finishes it.
    let claim = b.json(&["task", "claim", &open, "--agent", "bob"]);
    assert_eq!(claim["agent"], "bob", "{claim}");
    b.json(&["task", "comment", &open, "mine now", "--author", "bob"]);
    b.sync();
    a.sync();
    let task = a.json(&["task", "show", &open])["task"].clone();
    assert_eq!(
        (&task["status"], &task["agent"]),
        (&json!("in_progress"), &json!("bob"))
    );
    b.json(&["task", "complete", &open, "--author", "bob"]);
    b.sync();
    a.sync();
    assert_eq!(a.json(&["task", "show", &open])["task"]["status"], "done");
    assert_same(&a, &b);
    let forced = a.json(&["sync", "--force"]);
    assert_eq!(forced["data"]["pushed"], 0, "{forced}");
    for device in [&a, &b] {
        let status = device.status();
        assert_eq!(status["pendingEvents"], 0);
        assert_eq!(status.get("lastSyncError"), None);
        assert_eq!(device.sync()["pushed"], 0, "nothing is sent twice");
    }
}

#[test]
fn nobody_needs_to_run_sync() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.eager_device(), cloud.eager_device());
    let [open, ..] = work(&a);
    wait_until(SOON, "B has what A did", || {
        let answer = b.hzl(&["task", "show", &open]);
        answer.exit == 0 && a.hash() == b.hash()
    });
    b.json(&["task", "claim", &open, "--agent", "bob"]);
    wait_until(SOON, "A hears of the claim", || {
        a.json(&["task", "show", &open])["task"]["agent"] == "bob"
    });
    b.json(&["task", "complete", &open, "--author", "bob"]);
    wait_until(SOON, "A hears of the completion", || {
        a.json(&["task", "show", &open])["task"]["status"] == "done"
    });
    a.wait_until_settled();
    b.wait_until_settled();
    assert_same(&a, &b);
}

#[test]
fn both_write_offline_and_both_sides_are_kept() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Shared", "-s", "ready"]);
    a.json(&["task", "update", &task, "--title", "By A"]);
    b.json(&["task", "update", &task, "--desc", "By B"]);
    add(&a, &["Only A"]);
    add(&b, &["Only B"]);
    let all: usize = a.event_ids().len() + 2;
    a.sync();
    b.sync();
    a.sync();
    assert_eq!(a.event_ids().len(), all);
    assert_same(&a, &b);
    let shown = b.json(&["task", "show", &task])["task"].clone();
    assert_eq!(
        (&shown["title"], &shown["description"]),
        (&json!("By A"), &json!("By B"))
    );
}

#[test]
fn a_task_claimed_on_both_sides_has_one_owner_and_the_other_is_told() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Wanted", "-s", "ready"]);
    a.json(&["task", "claim", &task, "--agent", "ann"]);
    let claim = b.json(&["task", "claim", &task, "--agent", "bob"])["claim"].clone();
    assert_eq!(claim["state"], "provisional", "the cloud was not asked");
    a.sync();
    let synced = b.sync();
    a.sync();
    assert_eq!(synced["conflicts"], 1, "{synced}");
    assert_same(&a, &b);
    assert_eq!(b.json(&["task", "show", &task])["task"]["agent"], "ann");
    let listed = b.json(&["conflicts", "list"]);
    assert_eq!(listed, a.json(&["conflicts", "list"]));
    assert_eq!(listed["total"], 1, "{listed}");
    let lost = &listed["conflicts"][0];
    assert_eq!(
        (
            &lost["event_id"],
            &lost["task_id"],
            &lost["title"],
            &lost["kind"]
        ),
        (
            &claim["id"],
            &json!(task),
            &json!("Wanted"),
            &json!("superseded")
        )
    );
    let before = b.event_ids();
    let claim = claim["id"].as_str().unwrap();
    let refused = b.fails(&["task", "complete", &task, "--claim", claim], 7);
    assert_eq!(refused["error"]["code"], "claim_lost", "{refused}");
    assert_eq!(b.event_ids(), before);
    a.json(&["task", "complete", &task, "--author", "ann"]);
}

#[test]
fn the_other_server_does_as_well() {
    let server = Tursodb::start();
    let (a, b) = (Device::new(), Device::new());
    let join =
        |device: &Device| device.json(&["init", "--sync-url", &server.url()])["cloud"].clone();
    assert_eq!(join(&a), "empty");
    let [open, ..] = work(&a);
    a.wait_until_settled();
    a.configure(&server.url(), "", &manual());
    assert_eq!(join(&b), "joined");
    b.wait_until_settled();
    b.configure(&server.url(), "", &manual());
    a.sync();
    b.sync();
    assert_same(&a, &b);
    b.json(&["task", "claim", &open, "--agent", "bob"]);
    b.json(&["task", "complete", &open, "--author", "bob"]);
    b.sync();
    a.sync();
    assert_eq!(a.json(&["task", "show", &open])["task"]["status"], "done");
    assert_same(&a, &b);
}

#[test]
fn a_command_is_undone_after_it_was_synced() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Shared", "-s", "ready"]);
    a.json(&[
        "task", "update", &task, "--title", "By A", "--author", "ann",
    ]);
    b.json(&["task", "update", &task, "--desc", "By B", "--author", "bob"]);
    a.sync();
    b.sync();
    a.sync();
    b.fails(&["undo", "--author", "ann"], 4);
    a.json(&["undo", "--author", "ann"]);
    a.sync();
    b.sync();
    let shown = b.json(&["task", "show", &task])["task"].clone();
    assert_eq!(
        (&shown["title"], &shown["description"]),
        (&json!("Shared"), &json!("By B"))
    );
    assert_same(&a, &b);
    assert_eq!(a.status()["conflicts"], 0);
}
