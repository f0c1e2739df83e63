//! The next request is under way while a page is taken over.

use hzl_remote::error::RemoteError;
use hzl_remote::hrana::{Outcome, Statement};
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::run::Limits;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};

use crate::devices::Device;
use crate::model_cloud::{self, Line, ModelCloud};

const LIMITS: Limits = Limits {
    page_rows: 10,
    chunk_events: 10,
};

fn exchange(device: &mut Device, remote: &mut dyn Remote) -> Result<Report, SyncError> {
    let options = SyncOptions {
        limits: LIMITS,
        ..SyncOptions::default()
    };
    sync(&mut device.ledger, remote, &options, &mut |_| {})
}

/// What happens between a reply and the work beside it, by the number of such requests.
type Meanwhile<'a> = dyn FnMut(u64) -> Result<(), RemoteError> + 'a;

/// A connection on which something happens while two things are done at once.
struct Beside<'a> {
    line: Line<'a>,
    count: u64,
    meanwhile: Box<Meanwhile<'a>>,
}

impl<'a> Beside<'a> {
    fn new(
        cloud: &'a ModelCloud,
        meanwhile: impl FnMut(u64) -> Result<(), RemoteError> + 'a,
    ) -> Self {
        Self {
            line: cloud.line(vec![]),
            count: 0,
            meanwhile: Box::new(meanwhile),
        }
    }
}

impl Remote for Beside<'_> {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        self.line.pipeline(statements)
    }

    fn pipeline_beside(
        &mut self,
        statements: &[Statement],
        work: &mut dyn FnMut(),
    ) -> Result<Vec<Outcome>, RemoteError> {
        self.count += 1;
        let reply = self.line.pipeline(statements);
        let happened = (self.meanwhile)(self.count);
        work();
        happened.and(reply)
    }

    fn requests(&self) -> u64 {
        self.line.requests()
    }
}

/// A device of a ledger with a task of 40 events that nobody has heard of.
fn device_with_much(cloud: &ModelCloud) -> Device {
    let mut device = Device::new();
    model_cloud::exchange(&mut device, cloud);
    let task = device.add("talked about");
    device.add_remarks(&task, 38);
    device
}

#[test]
fn a_long_sync_asks_ahead_and_makes_no_request_more() {
    let cloud = ModelCloud::new();
    let mut a = device_with_much(&cloud);
    let mut beside = Beside::new(&cloud, |_| Ok(()));
    let report = exchange(&mut a, &mut beside).unwrap();
    assert_eq!((report.pushed, beside.count), (40, 3));
    // One for each chunk, and one that finds nothing behind a full page.
    assert_eq!(report.requests, 5);
    let mut b = Device::new();
    let mut beside = Beside::new(&cloud, |_| Ok(()));
    let report = exchange(&mut b, &mut beside).unwrap();
    assert!(beside.count >= 3, "{}", beside.count);
    assert_eq!((report.pulled, a.hash()), (41, b.hash()));
    a.add("short");
    let mut beside = Beside::new(&cloud, |_| Ok(()));
    let report = exchange(&mut a, &mut beside).unwrap();
    assert_eq!((report.pushed, report.requests, beside.count), (2, 1, 0));
}

#[test]
fn what_is_asked_ahead_goes_on_where_the_page_ends() {
    let cloud = ModelCloud::new();
    let mut a = device_with_much(&cloud);
    exchange(&mut a, &mut Beside::new(&cloud, |_| Ok(()))).unwrap();
    assert_eq!(a.event_ids(), cloud.event_ids(), "in the same order");
    assert_eq!(a.ledger.count_pending().unwrap(), 0);
}

#[test]
fn a_reply_is_dropped_when_another_process_has_gone_on() {
    for nth in 1..=3 {
        let cloud = ModelCloud::new();
        let mut a = device_with_much(&cloud);
        let mut other = a.other_process();
        let meanwhile = |count| {
            if count == nth {
                let options = SyncOptions::default();
                sync(&mut other, &mut cloud.line(vec![]), &options, &mut |_| {}).unwrap();
            }
            Ok(())
        };
        exchange(&mut a, &mut Beside::new(&cloud, meanwhile)).unwrap();
        assert_eq!(a.ledger.count_pending().unwrap(), 0);
        let mut b = Device::new();
        exchange(&mut b, &mut cloud.line(vec![])).unwrap();
        assert_eq!(a.hash(), b.hash(), "after request {nth}");
    }
}

#[test]
fn what_was_taken_over_stays_when_the_next_request_fails() {
    let cloud = ModelCloud::new();
    let mut a = device_with_much(&cloud);
    let fail = |count| {
        if count < 2 {
            return Ok(());
        }
        let message = "the token has expired".to_owned();
        Err(RemoteError::Unauthorized { message })
    };
    let error = exchange(&mut a, &mut Beside::new(&cloud, fail)).unwrap_err();
    assert!(matches!(error, SyncError::Remote(_)), "{error}");
    assert_eq!(a.ledger.count_pending().unwrap(), 20);
    // The third chunk has arrived, and nobody heard of it.
    assert_eq!(cloud.event_ids().len(), 31);
    let report = exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    assert_eq!((report.pushed, cloud.event_ids().len()), (20, 41));
}

#[test]
fn nothing_is_sent_ahead_when_others_have_come_in_between() {
    let cloud = ModelCloud::new();
    let mut a = device_with_much(&cloud);
    let mut b = Device::new();
    exchange(&mut b, &mut cloud.line(vec![])).unwrap();
    b.add("of another");
    let mut pushed = false;
    let meanwhile = |_| {
        if !std::mem::replace(&mut pushed, true) {
            exchange(&mut b, &mut cloud.line(vec![])).unwrap();
        }
        Ok(())
    };
    let report = exchange(&mut a, &mut Beside::new(&cloud, meanwhile)).unwrap();
    // Two events make a task, and one the inbox.
    assert_eq!((report.pushed, report.pulled), (40, 3));
    exchange(&mut b, &mut cloud.line(vec![])).unwrap();
    assert_eq!(a.hash(), b.hash());
}
