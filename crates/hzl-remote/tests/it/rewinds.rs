//! A cloud that loses rows more than once.

use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};

use crate::devices::Device;
use crate::model_cloud::{Fault, ModelCloud, exchange};

/// As much as one new task.
const TASK_ROWS: usize = 2;

/// Keeps a copy of the cloud, as a provider does.
const BACK_UP: &str = "
    create table kept_events as select * from hzl_events;
    create table kept_meta as select * from hzl_meta";

/// Puts that copy in the place of the cloud.
const PUT_BACK: &str = "
    delete from hzl_events; insert into hzl_events select * from kept_events;
    delete from hzl_meta; insert into hzl_meta select * from kept_meta;
    update sqlite_sequence set seq = (select max(seq) from hzl_events) where name = 'hzl_events'";

fn healing(device: &mut Device, remote: &mut dyn Remote) -> Result<Report, SyncError> {
    let options = SyncOptions {
        reset: true,
        ..SyncOptions::default()
    };
    sync(&mut device.ledger, remote, &options, &mut |_| {})
}

fn attempt(device: &mut Device, cloud: &ModelCloud) -> Result<Report, SyncError> {
    let (options, mut line) = (SyncOptions::default(), cloud.line(vec![]));
    sync(&mut device.ledger, &mut line, &options, &mut |_| {})
}

/// A row that is sent again keeps its time of arrival. One that is sent again twice, since it was lost twice, gets the
/// number it had at first where something else stands below it now: whoever knew it would not have noticed, and what
/// was below it was lost for all who had not seen it (found by the simulator's long run).
#[test]
fn a_row_that_is_sent_twice_does_not_hide_what_was_lost_below_it() {
    let cloud = ModelCloud::new();
    let (mut a, mut b, mut c) = (Device::new(), Device::new(), Device::new());
    for device in [&mut a, &mut b, &mut c] {
        exchange(device, &cloud);
    }
    a.add("sent three times");
    exchange(&mut a, &cloud);
    cloud.rewind(TASK_ROWS);
    // It finds out, raises the epoch, and cannot send it again yet.
    let mut line = cloud.line(vec![None, None, None, Some(Fault::RequestLost)]);
    healing(&mut a, &mut line).unwrap_err();
    b.add("below it");
    exchange(&mut b, &cloud);
    let mut line = cloud.line(vec![Some(Fault::ReplyLost)]);
    healing(&mut a, &mut line).unwrap_err();
    exchange(&mut b, &cloud);
    assert_eq!(b.titles(), ["below it", "sent three times"]);
    cloud.rewind(2 * TASK_ROWS);
    c.add("in its place");
    exchange(&mut c, &cloud);
    exchange(&mut a, &cloud);
    let error = attempt(&mut b, &cloud).unwrap_err();
    assert_eq!(error.kind(), SyncErrorKind::CloudChanged, "{error}");
    healing(&mut b, &mut cloud.line(vec![])).unwrap();
    let mut fresh = Device::new();
    for device in [&mut a, &mut c, &mut fresh] {
        exchange(device, &cloud);
        assert_eq!(device.hash(), b.hash());
    }
    assert_eq!(fresh.titles().len(), 3);
}

/// What was settled keeps its place in time, however often it is sent again.
#[test]
fn the_time_of_arrival_stays() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    a.add("kept");
    exchange(&mut a, &cloud);
    let to_the_millisecond = |times: &[String]| -> Vec<String> {
        let whole = |time: &String| time.get(..23).unwrap_or_default().to_owned();
        times.iter().map(whole).collect()
    };
    let first = cloud.arrivals();
    let mut before = first.clone();
    for _ in 0..3 {
        cloud.rewind(TASK_ROWS);
        healing(&mut a, &mut cloud.line(vec![])).unwrap();
        let after = cloud.arrivals();
        assert_eq!(to_the_millisecond(&after), to_the_millisecond(&first));
        let last = |times: &[String]| times.last().cloned();
        assert_ne!(last(&after), last(&before), "it is another arrival");
        before = after;
    }
}

/// A machine goes back to its backup, and the cloud is gone: nobody can tell it what it wrote in between. When another
/// machine brings that back, both writes have the name of one device, and neither knew the other (found by the
/// simulator).
#[test]
fn what_a_machine_has_forgotten_is_not_what_it_overwrites() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("first");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    let mut restored = a.copy();
    a.retitle(&task, "forgotten");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    cloud.tamper("drop table hzl_events; drop table hzl_devices; drop table hzl_meta");
    restored.retitle(&task, "written anew");
    for _ in 0..2 {
        for device in [&mut restored, &mut b] {
            healing(device, &mut cloud.line(vec![])).unwrap();
        }
    }
    for device in [&mut restored, &mut b] {
        assert_eq!(device.task(&task).unwrap().title, "written anew");
        assert_eq!(device.conflicts(), 1, "the other title is listed");
    }
    assert_eq!(restored.hash(), b.hash());
}

/// A cloud that has been raised is put back to before that, and raised anew: the epochs of both histories must not have one
/// name, else a row that is new is taken for one that was known (found by the simulator's long run).
#[test]
fn an_epoch_is_never_given_out_twice() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("first");
    for device in [&mut a, &mut b] {
        exchange(device, &cloud);
    }
    cloud.tamper(BACK_UP);
    b.add("lost and sent again");
    exchange(&mut b, &cloud);
    cloud.rewind(TASK_ROWS);
    healing(&mut b, &mut cloud.line(vec![])).unwrap();
    cloud.tamper(PUT_BACK);
    a.retitle(&task, "of a");
    exchange(&mut a, &cloud);
    b.retitle(&task, "of b");
    healing(&mut b, &mut cloud.line(vec![])).unwrap();
    exchange(&mut a, &cloud);
    for device in [&mut a, &mut b] {
        assert_eq!(device.task(&task).unwrap().title, "of b");
        assert_eq!(device.conflicts(), 1, "the other title is listed");
    }
    assert_eq!(a.hash(), b.hash());
}

/// An event names the number of its epoch. Where that epoch has been forgotten, the event must not arrive before the epoch
/// has been raised, even if the row below it is there.
#[test]
fn nothing_is_pushed_into_a_cloud_that_was_put_back_to_an_earlier_epoch() {
    let cloud = ModelCloud::new();
    let mut device = Device::new();
    let task = device.add("first");
    exchange(&mut device, &cloud);
    cloud.tamper(BACK_UP);
    let before = cloud.arrivals();
    device.add("lost");
    exchange(&mut device, &cloud);
    cloud.rewind(TASK_ROWS);
    // It finds out, raises the epoch, and cannot send it again yet.
    let mut line = cloud.line(vec![None, None, None, Some(Fault::RequestLost)]);
    healing(&mut device, &mut line).unwrap_err();
    device.retitle(&task, "in the epoch after");
    cloud.tamper(PUT_BACK);
    let error = attempt(&mut device, &cloud).unwrap_err();
    assert_eq!(error.kind(), SyncErrorKind::CloudChanged, "{error}");
    assert_eq!(cloud.arrivals(), before);
    healing(&mut device, &mut cloud.line(vec![])).unwrap();
    let mut fresh = Device::new();
    exchange(&mut fresh, &cloud);
    exchange(&mut device, &cloud);
    assert_eq!(fresh.titles(), ["in the epoch after", "lost"]);
    assert_eq!(fresh.hash(), device.hash());
}
