//! Copied disks and restored backups.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use crate::add;

/// Copies everything, as somebody would who moves to another machine.
fn copy(from: &Device, to: &Device) {
    let source = from.path().join(".");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(source)
        .arg(to.path())
        .status();
    assert!(copied.expect("cp starts").success());
}

#[test]
fn a_copied_machine_becomes_one_of_its_own_whoever_syncs_first() {
    for copy_syncs_first in [false, true] {
        let cloud = Cloud::start();
        let original = cloud.device();
        let task = add(&original, &["Shared", "-s", "ready"]);
        original.sync();
        add(&original, &["Not sent yet"]);
        let copied = Device::new();
        copy(&original, &copied);
        assert_eq!(original.status()["deviceId"], copied.status()["deviceId"]);

        add(&original, &["By the original"]);
        original.json(&["task", "comment", &task, "here"]);
        add(&copied, &["By the copy"]);
        copied.json(&["task", "claim", &task, "--agent", "bob"]);
        let mut all = [original.event_ids(), copied.event_ids()].concat();
        all.sort();
        all.dedup();
        let (first, second) = if copy_syncs_first {
            (&copied, &original)
        } else {
            (&original, &copied)
        };
        assert!(first.sync().get("becameNewDevice").is_none());
        assert_eq!(second.sync()["becameNewDevice"], true);
        first.sync();
        assert_same(first, second);
        assert_eq!(first.event_ids(), all);
        assert_ne!(first.status()["deviceId"], second.status()["deviceId"]);

        add(&original, &["Later"]);
        add(&copied, &["Later too"]);
        for device in [&original, &copied, &original] {
            assert!(
                device.sync().get("becameNewDevice").is_none(),
                "once is enough"
            );
        }
        assert_same(&original, &copied);
        let fresh = cloud.device();
        fresh.sync();
        assert_same(&original, &fresh);
    }
}

#[test]
fn a_restored_backup_gets_back_what_it_had_sent() {
    let cloud = Cloud::start();
    let (device, backup) = (cloud.device(), Device::new());
    add(&device, &["Old"]);
    device.sync();
    copy(&device, &backup);
    add(&device, &["After the backup"]);
    device.sync();
    let sent = device.event_ids();
    // The disk is lost, the backup is restored, and work goes on before the first sync.
    fs::remove_dir_all(device.data()).unwrap();
    copy(&backup, &device);
    add(&device, &["After the restore"]);
    device.sync();
    let mut held = device.event_ids();
    held.retain(|id| sent.contains(id));
    assert_eq!(held, sent);
    assert_eq!(device.json(&["task", "list"])["total"], 3);
    let fresh = cloud.device();
    fresh.sync();
    assert_same(&device, &fresh);
}

#[test]
fn a_lost_machine_is_replaced_by_a_blank_one() {
    let cloud = Cloud::start();
    let device = cloud.device();
    add(&device, &["Old", "--comment", "with a note"]);
    device.sync();
    let blank = cloud.device();
    blank.sync();
    assert_same(&device, &blank);
    let again = blank.sync();
    assert_eq!(
        (again["pushed"].as_u64(), again["pulled"].as_u64()),
        (Some(0), Some(0))
    );
}

#[test]
fn an_import_into_an_empty_store_is_a_replica_that_goes_on_syncing() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Shared", "-s", "ready"]);
    a.json(&["task", "update", &task, "--title", "By A"]);
    b.json(&["task", "update", &task, "--title", "By B"]);
    b.json(&["task", "claim", &task, "--agent", "bob"]);
    a.sync();
    b.sync();
    add(&b, &["Not sent yet"]);
    let export = b.hzl(&["export"]).stdout;
    let c = cloud.device();
    let imported = c.call(&["import", "-"]).stdin(export).json();
    assert_eq!(imported["became_replica"], true);
    assert_eq!(c.hash(), b.hash(), "conflicts and all");
    let synced = c.sync();
    assert_eq!(synced["pulled"], 0, "it has everything: {synced}");
    assert_eq!(synced["pushed"], 1, "what B had not sent: {synced}");
    b.sync();
    a.sync();
    c.sync();
    assert_same(&b, &c);
    assert_same(&a, &c);
}

#[test]
fn another_ledger_is_imported_into_a_synced_one() {
    let (ours, theirs) = (Cloud::start(), Cloud::start());
    let (a, b) = (ours.device(), ours.device());
    add(&a, &["Ours"]);
    a.sync();
    b.sync();
    let (x, y) = (theirs.device(), theirs.device());
    let task = add(&x, &["Theirs", "-s", "ready"]);
    x.sync();
    y.sync();
    y.json(&["task", "update", &task, "--title", "Theirs, better"]);
    y.json(&["task", "claim", &task, "--agent", "yan"]);
    y.sync();
    x.sync();
    let export = x.hzl(&["export"]).stdout;
    for device in [&a, &b] {
        let done = device.call(&["import", "-"]).stdin(export.clone()).json();
        assert_eq!(done["became_replica"], false);
    }
    a.sync();
    b.sync();
    a.sync();
    assert_same(&a, &b);
    let shown = a.json(&["task", "show", &task])["task"].clone();
    assert_eq!(
        (&shown["title"], &shown["agent"]),
        (&json!("Theirs, better"), &json!("yan"))
    );
    assert_eq!(a.json(&["task", "list"])["total"], 2);
}

#[test]
fn a_restored_backup_of_a_synced_ledger_catches_up() {
    let cloud = Cloud::start();
    let (a, b) = (cloud.device(), cloud.device());
    let task = add(&a, &["Early", "-s", "ready"]);
    a.sync();
    let unsent = add(&a, &["Not sent before the backup"]);
    let file = a.path().join("ledger.db");
    let file = file.to_str().unwrap();
    a.json(&["backup", file]);
    a.sync();
    a.json(&["task", "claim", &task, "--agent", "ann"]);
    a.sync();
    a.json(&["restore", file, "--force"]);
    assert_eq!(a.json(&["task", "show", &task])["task"]["status"], "ready");
    a.json(&["task", "comment", &unsent, "after the restore"]);
    a.sync();
    b.sync();
    assert_eq!(a.json(&["task", "show", &task])["task"]["agent"], "ann");
    assert_same(&a, &b);
    let comments = b.json(&["task", "show", &unsent])["comments"].clone();
    assert_eq!(comments.as_array().unwrap().len(), 1);
}
