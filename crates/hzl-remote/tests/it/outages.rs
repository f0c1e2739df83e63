//! Servers that are killed, come back with or without their data, or stop accepting a token in the middle.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use std::thread;
use std::time::Duration;

use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::{SyncOptions, sync};
use hzl_testkit::proxy::Fault;
use hzl_testkit::random::Random;
use hzl_testkit::servers::{Access, Auth, Sqld, Tursodb};
use hzl_testkit::wait_until;

use crate::devices::Device;
use crate::network::Network;
use crate::random::{note, seed};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_server_that_is_killed_between_requests_goes_on_where_it_was() {
    let mut sqld = Sqld::start(Auth::None);
    let network = Network::before(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("talked about");
    a.add_remarks(&task, 4_000);
    let mut pushed = 0;
    let mut client = network.far.client();
    let options = SyncOptions::default();
    let error = sync(&mut a.ledger, &mut client, &options, &mut |progress| {
        pushed = progress.pushed;
        if pushed >= 2_000 {
            sqld.kill();
        }
    });
    assert_eq!(error.unwrap_err().code(), "unreachable");
    let waiting = a.ledger.count_pending().unwrap();
    assert_eq!(
        (pushed, waiting),
        (3_000, 1_003),
        "what came back is settled, also what was asked ahead"
    );
    sqld.restart();
    assert_eq!(a.sync(&network.far).pushed, waiting);
    b.sync(&network.far);
    network.assert_whole(&mut [&mut a, &mut b]);
}

#[test]
fn a_server_may_be_killed_at_any_moment() {
    let mut sqld = Sqld::start(Auth::None);
    let network = Network::before(sqld.url());
    kill_at_any_moment(&network, &mut sqld, 6);
}

#[test]
fn tursodb_may_be_killed_at_any_moment() {
    let mut tursodb = Tursodb::start();
    let network = Network::before(tursodb.url());
    kill_at_any_moment(&network, &mut tursodb, 3);
}

trait Mortal: Send {
    fn kill(&mut self);
    fn restart(&mut self);
}

impl Mortal for Sqld {
    fn kill(&mut self) {
        Sqld::kill(self);
    }

    fn restart(&mut self) {
        Sqld::restart(self);
    }
}

impl Mortal for Tursodb {
    fn kill(&mut self) {
        Tursodb::kill(self);
    }

    fn restart(&mut self) {
        Tursodb::restart(self);
    }
}

fn kill_at_any_moment(network: &Network, server: &mut impl Mortal, rounds: u32) {
    let mut random = Random::new(seed());
    let (mut a, mut b) = (Device::new(), Device::new());
    a.sync(&network.near);
    b.sync(&network.near);
    for round in 0..rounds {
        let (one, other) = match round % 2 {
            0 => (&mut a, &mut b),
            _ => (&mut b, &mut a),
        };
        let task = one.add("talked about");
        one.add_remarks(&task, 1_500);
        other.add("from the other side");
        let moment = Duration::from_micros(random.below(120_000).try_into().unwrap());
        let before = network.proxy.exchanges().len();
        let results = thread::scope(|scope| {
            scope.spawn(|| {
                wait_until(LIMIT, "a request is under way", || {
                    network.proxy.exchanges().len() > before
                });
                // Not to wait for something: the moment is what is tested.
                thread::sleep(moment);
                server.kill();
            });
            [&mut *one, other].map(|device| device.try_sync(&network.far, &SyncOptions::default()))
        });
        note(&format!("killed after {moment:?}: {results:?}"));
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), SyncErrorKind::Unavailable, "{error}");
        }
        server.restart();
    }
    network.assert_whole(&mut [&mut a, &mut b]);
}

#[test]
fn a_server_that_loses_its_data_in_the_middle_of_a_sync_is_noticed_and_healed() {
    let mut sqld = Sqld::start(Auth::None);
    let network = Network::before(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("talked about");
    a.sync(&network.far);
    b.sync(&network.far);
    b.add("from B");
    b.sync(&network.far);
    a.add_remarks(&task, 2_500);
    let mut wiped = false;
    let options = SyncOptions::default();
    let mut client = network.far.client();
    let error = sync(&mut a.ledger, &mut client, &options, &mut |progress| {
        if progress.pushed >= 1_000 && !std::mem::replace(&mut wiped, true) {
            sqld.wipe();
        }
    });
    let mut error = error.unwrap_err();
    if error.kind() == SyncErrorKind::Unavailable {
        // The connection to the old server broke first.
        error = a.try_sync(&network.far, &options).unwrap_err();
    }
    assert_eq!(error.code(), "cloud_wiped");
    assert_eq!(a.event_ids().len(), 2_506, "all that was known is here");
    let reset = SyncOptions {
        reset: true,
        ..SyncOptions::default()
    };
    assert!(a.try_sync(&network.far, &reset).unwrap().was_reset);
    network.assert_whole(&mut [&mut a, &mut b]);
    assert_eq!(network.counts().0, 2_506);
}

#[test]
fn a_token_that_expires_between_pages_keeps_what_was_pulled() {
    let sqld = Sqld::start(Auth::Jwt);
    let mut network = Network::before(sqld.url());
    let good = sqld.token(Access::ReadWrite, 3_600);
    network.far = network.far.with_token(good.clone());
    network.near = network.near.with_token(good);
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("talked about");
    a.add_remarks(&task, 2_500);
    a.sync(&network.near);
    // Joining takes a request, so the second one brings a page.
    let expired = Fault::Token(sqld.token(Access::ReadWrite, -3_600));
    network.proxy.plan([Fault::None, Fault::None]);
    network.proxy.usually(expired.clone());
    let options = SyncOptions::default();
    let error = b.try_sync(&network.far, &options).unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("unauthorized", SyncErrorKind::Rejected)
    );
    assert_eq!(b.event_ids().len(), 1_001, "its own inbox and a page");
    assert_eq!(b.titles(), ["talked about"], "and it is shown");
    network.proxy.calm();
    b.sync(&network.far);
    // The same in the middle of a push.
    b.add_remarks(&task, 2_500);
    network.proxy.plan([Fault::None, Fault::None]);
    network.proxy.usually(expired);
    let error = b.try_sync(&network.far, &options).unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("unauthorized", SyncErrorKind::Rejected)
    );
    assert_eq!(b.ledger.count_pending().unwrap(), 500);
    network.proxy.calm();
    network.assert_whole(&mut [&mut a, &mut b]);
}
