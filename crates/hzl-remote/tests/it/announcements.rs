//! What devices tell one another: true at the moment they tell it, and free of charge.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_remote::sync::{Report, SyncOptions, sync};
use hzl_store::query::devices::{self, Device as Listed};
use hzl_store::state::Key;

use crate::devices::Device;
use crate::model_cloud::ModelCloud;

/// Syncs as `hzl sync` does: with the list of devices.
fn exchange(device: &mut Device, cloud: &ModelCloud) -> Report {
    let options = SyncOptions {
        list_devices: true,
        ..SyncOptions::default()
    };
    run(device, cloud, &options)
}

/// Syncs as the background does.
fn quietly(device: &mut Device, cloud: &ModelCloud) -> Report {
    run(device, cloud, &SyncOptions::default())
}

fn run(device: &mut Device, cloud: &ModelCloud, options: &SyncOptions) -> Report {
    sync(
        &mut device.ledger,
        &mut cloud.line(vec![]),
        options,
        &mut |_| {},
    )
    .unwrap()
}

/// Both sync until both have told where they are.
fn settle_both(a: &mut Device, b: &mut Device, cloud: &ModelCloud) {
    for _ in 0..3 {
        exchange(a, cloud);
        exchange(b, cloud);
    }
}

/// What this device knows of another one.
fn known(device: &mut Device, other: &Device) -> Listed {
    let id = other.ledger.sync_state().unwrap().device;
    let listed = list(device);
    let found = listed.into_iter().find(|listed| listed.device == id);
    found.unwrap()
}

fn list(device: &mut Device) -> Vec<Listed> {
    device.ledger.read(|_| Ok(())).unwrap();
    let own = device.ledger.settled_state().unwrap();
    devices::list(&device.ledger.files().events, &own)
        .unwrap()
        .devices
}

fn told(device: &Device, cloud: &ModelCloud) -> (Option<i64>, Option<String>) {
    let id = device.ledger.sync_state().unwrap().device;
    cloud.announcement(id.as_str())
}

fn wait_out(device: &mut Device, millis: i64) {
    let log = &device.ledger.files().events;
    let at = hzl_store::state::number(log, Key::AnnouncedAtMs).unwrap() - millis;
    let earlier = (Key::AnnouncedAtMs, Some(at.to_string()));
    device.ledger.note_sync(&[earlier]).unwrap();
}

#[test]
fn a_state_is_told_only_with_the_cursor_it_belongs_to() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("one");
    exchange(&mut a, &cloud);
    let (seq, hash) = told(&a, &cloud);
    assert_eq!((seq, hash), (Some(0), None), "it went with what waited");
    exchange(&mut a, &cloud);
    let settled = a.hash();
    let cursor = a.ledger.cloud_cursor().unwrap().unwrap().seq;
    assert_eq!(told(&a, &cloud), (Some(cursor), Some(settled.clone())));

    // Something waits: the state here is of more than what is settled.
    a.add("two");
    exchange(&mut a, &cloud);
    assert_eq!(told(&a, &cloud), (Some(cursor), None));

    // B pulls in the very request that tells where it was before.
    exchange(&mut b, &cloud);
    exchange(&mut b, &cloud);
    let after = b.ledger.cloud_cursor().unwrap().unwrap().seq;
    assert_eq!(told(&b, &cloud), (Some(after), Some(b.hash())));
    a.add("three");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    assert_eq!(
        told(&b, &cloud).0,
        Some(after),
        "what comes with the reply was not there yet"
    );
    assert_ne!(b.hash(), settled);
}

#[test]
fn a_state_behind_its_log_is_not_told() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("one");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    assert!(b.ledger.settled_state().unwrap().state_hash.is_some());
    // As after a kill between a pull and the fold: the log is ahead of the projections.
    b.ledger
        .files()
        .cache
        .execute_batch("update p_meta set value = value - 1 where key = 'cursor_seq'")
        .unwrap();
    let behind = b.ledger.settled_state().unwrap();
    assert_eq!(behind.state_hash, None);
    assert_eq!(
        behind.cursor_seq,
        b.ledger.cloud_cursor().unwrap().unwrap().seq
    );
    quietly(&mut b, &cloud);
    assert!(b.ledger.settled_state().unwrap().state_hash.is_some());
}

#[test]
fn what_was_set_aside_makes_a_state_incomparable() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    exchange(&mut a, &cloud);
    cloud.refuse("poison");
    a.add("poison");
    assert_eq!(exchange(&mut a, &cloud).quarantined, 1);
    assert_eq!(a.ledger.settled_state().unwrap().state_hash, None);
    exchange(&mut a, &cloud);
    assert_eq!(told(&a, &cloud).1, None);
}

#[test]
fn devices_see_who_is_behind_and_who_agrees() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("one");
    settle_both(&mut a, &mut b, &cloud);
    let seen = known(&mut b, &a);
    assert_eq!((seen.lag, seen.agrees), (Some(0), Some(true)), "{seen:?}");
    assert!(!seen.is_this_device);
    // Two tasks are four events; their gaps do not count, and neither does what A pushed itself.
    cloud.tamper("update sqlite_sequence set seq = seq + 1000 where name = 'hzl_events'");
    b.add("two");
    b.add("three");
    exchange(&mut b, &cloud);
    let seen = known(&mut b, &a);
    assert_eq!((seen.lag, seen.agrees), (Some(4), None), "{seen:?}");
    let own = list(&mut b).remove(0);
    assert!(own.is_this_device);
    assert_eq!(own.lag, Some(0));

    // A sees B's push; B told where it was before.
    exchange(&mut a, &cloud);
    let seen = known(&mut a, &b);
    assert_eq!(seen.lag, Some(0), "it has what it wrote: {seen:?}");
    exchange(&mut b, &cloud);
    exchange(&mut a, &cloud);
    assert_eq!(known(&mut a, &b).agrees, Some(true));
    // A state that was tampered with is found.
    a.ledger
        .files()
        .cache
        .execute_batch("update p_meta set value = zeroblob(16) where key = 'state_sum'")
        .unwrap();
    assert_eq!(known(&mut a, &b).agrees, Some(false));
}

#[test]
fn to_tell_costs_no_round_trip() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("one");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    let before = told(&b, &cloud);
    assert_eq!(exchange(&mut b, &cloud).requests, 1, "it has moved");
    assert_ne!(told(&b, &cloud), before);
    let after = told(&b, &cloud);
    // Nothing to do and nothing to tell.
    assert_eq!(exchange(&mut b, &cloud).requests, 1);
    assert_eq!(quietly(&mut b, &cloud).requests, 1);
    // The background tells that it has moved once a minute at the most.
    a.add("two");
    assert_eq!(exchange(&mut a, &cloud).requests, 1, "a push tells as well");
    quietly(&mut b, &cloud);
    assert_eq!(quietly(&mut b, &cloud).requests, 1);
    assert_eq!(told(&b, &cloud), after);
    wait_out(&mut b, 61_000);
    assert_eq!(quietly(&mut b, &cloud).requests, 1);
    let moved = told(&b, &cloud);
    assert_ne!(moved, after);
    // And every ten minutes that it is there at all.
    cloud.tamper("update hzl_devices set last_seen_at = 'long ago'");
    wait_out(&mut b, 61_000);
    quietly(&mut b, &cloud);
    assert_eq!(cloud.seen("long ago"), 2, "there is nothing new to tell");
    wait_out(&mut b, 600_000);
    assert_eq!(quietly(&mut b, &cloud).requests, 1);
    assert_eq!(cloud.seen("long ago"), 1);
    assert_eq!(told(&b, &cloud), moved);
}

#[test]
fn after_a_rewind_nobody_is_believed_to_be_where_he_was() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("one");
    settle_both(&mut a, &mut b, &cloud);
    assert_eq!(known(&mut b, &a).agrees, Some(true));
    cloud.rewind(2);
    let reset = SyncOptions {
        reset: true,
        list_devices: true,
        ..SyncOptions::default()
    };
    assert!(run(&mut b, &cloud, &reset).was_reset);
    let seen = known(&mut b, &a);
    assert_eq!((seen.lag, seen.agrees), (None, None), "{seen:?}");
    settle_both(&mut a, &mut b, &cloud);
    let seen = known(&mut b, &a);
    assert_eq!((seen.lag, seen.agrees), (Some(0), Some(true)), "{seen:?}");
}
