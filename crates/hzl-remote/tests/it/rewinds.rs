//! A cloud that loses rows more than once.

use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::run::Remote;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};

use crate::devices::Device;
use crate::model_cloud::{Fault, ModelCloud, exchange};

/// As much as one new task.
const TASK_ROWS: usize = 2;

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
    assert_eq!(b.titles(), ["sent three times", "below it"]);
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
