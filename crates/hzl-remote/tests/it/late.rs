//! Requests that arrive late or twice: the device has given up, gone on, and been forgotten by the
//! network, and then the server does what it was asked long ago.

use std::time::Duration;

use hzl_core::ids::TaskId;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::error::SyncErrorKind;
use hzl_testkit::proxy::Fault;
use hzl_testkit::servers::{Auth, Sqld, Tursodb};
use hzl_testkit::wait_until;

use crate::devices::Device;
use crate::network::Network;

#[test]
fn a_push_that_comes_after_the_next_one_changes_nothing() {
    let sqld = Sqld::start(Auth::None);
    let network = Network::before(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    a.sync(&network.near);
    a.add("given up");
    let hasty = network
        .far
        .clone()
        .with_patience(Duration::from_millis(150));
    network
        .proxy
        .plan([Fault::Delay(Duration::from_millis(600))]);
    let error = a.try_sync(&hasty, &SyncOptions::default()).unwrap_err();
    assert_eq!(error.code(), "timeout");
    let late = network.proxy.exchanges().len() - 1;
    a.add("written after it");
    assert_eq!(a.sync(&network.far).pushed, 4);
    assert_eq!(network.proxy.exchanges()[late].reply_bytes, 0, "not yet");
    wait_until(
        Duration::from_secs(30),
        "the late request is answered",
        || network.proxy.exchanges()[late].reply_bytes > 0,
    );
    b.sync(&network.near);
    network.assert_whole(&mut [&mut a, &mut b]);
    assert_eq!(a.titles(), ["given up", "written after it"]);
}

#[test]
fn each_request_of_a_day_may_come_later() {
    let sqld = Sqld::start(Auth::None);
    Day::at(sqld.url()).each_request_late();
}

#[test]
fn each_request_of_a_day_may_come_twice() {
    let sqld = Sqld::start(Auth::None);
    Day::at(sqld.url()).each_request_twice();
}

#[test]
fn each_request_of_a_day_may_come_twice_to_tursodb() {
    let tursodb = Tursodb::start();
    Day::at(tursodb.url()).each_request_twice();
}

/// Two devices meet in an empty cloud and work on one task.
struct Day {
    network: Network,
}

/// Who syncs next, and what happens before.
const STEPS: [(usize, Act); 8] = [
    (0, Act::Add),
    (1, Act::Nothing),
    (1, Act::Claim),
    (0, Act::Claim),
    (0, Act::Remark),
    (1, Act::Remark),
    (0, Act::Add),
    (1, Act::Nothing),
];

#[derive(Clone, Copy)]
enum Act {
    Nothing,
    Add,
    Claim,
    Remark,
}

impl Day {
    fn at(url: String) -> Self {
        let network = Network::before(url);
        Self { network }
    }

    fn each_request_twice(&self) {
        let requests = self.run(&[], None);
        for nth in 0..requests.len() {
            let mut faults = vec![Fault::None; nth];
            faults.push(Fault::Twice);
            self.run(&faults, None);
        }
    }

    /// Each request of the day is kept, and delivered before each later step.
    fn each_request_late(&self) {
        let requests = self.run(&[], None);
        for (nth, made_in) in requests.into_iter().enumerate() {
            let mut faults = vec![Fault::None; nth];
            faults.push(Fault::Keep);
            for step in made_in + 1..=STEPS.len() {
                self.run(&faults, Some(step));
            }
        }
    }

    /// A day with these faults; what was kept is delivered before that step. Returns in which step
    /// each request was made.
    fn run(&self, faults: &[Fault], deliver_before: Option<usize>) -> Vec<usize> {
        self.network.clear();
        let count = || self.network.proxy.exchanges().len();
        let mut made_in = vec![];
        self.network.proxy.plan(faults.iter().cloned());
        let mut devices = [Device::new(), Device::new()];
        let mut task: Option<TaskId> = None;
        for (step, (who, act)) in STEPS.into_iter().enumerate() {
            if deliver_before == Some(step) {
                self.network.proxy.deliver();
            }
            let device = &mut devices[who];
            let known = task.clone().filter(|task| device.task(task).is_some());
            match (act, known) {
                (Act::Add, _) => task = Some(device.add("a task")),
                (Act::Claim, Some(task)) => drop(device.try_claim(&task, "agent")),
                (Act::Remark, Some(task)) => device.remark(&task, "a remark"),
                (Act::Nothing | Act::Claim | Act::Remark, _) => {}
            }
            let before = count();
            match device.try_sync(&self.network.far, &SyncOptions::default()) {
                Ok(report) => assert!(!report.became_clone && !report.was_reset, "{report:?}"),
                Err(error) => assert_eq!(error.kind(), SyncErrorKind::Unavailable, "{error}"),
            }
            made_in.extend((before..count()).map(|_| step));
        }
        self.network.proxy.calm();
        self.network.proxy.deliver();
        let [a, b] = &mut devices;
        self.network.assert_whole(&mut [a, b]);
        made_in
    }
}
