//! Copied disks and restored backups.

use std::fs;
use std::process::Command;

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
