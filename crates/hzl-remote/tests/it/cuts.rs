//! Connections that are cut at every byte of a push and of a pull. After each cut the next sync goes on
//! as if nothing had been: each event is in the cloud once, and the other device sees it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_core::ids::TaskId;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::error::SyncErrorKind;
use hzl_testkit::proxy::{End, Fault};
use hzl_testkit::random::{Random, setting};
use hzl_testkit::servers::{Auth, Sqld, Tursodb};

use crate::devices::Device;
use crate::network::Network;
use crate::random::{note, seed};

/// Two devices that write in turn: each exchange pushes what one has written and pulls what the other
/// has.
struct Pair {
    network: Network,
    devices: [Device; 2],
    /// Whose turn it is.
    turn: usize,
    turns: u32,
    /// What they talk about.
    task: TaskId,
}

/// What is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Request,
    Reply,
}

#[test]
fn a_small_exchange_may_be_cut_at_every_byte_of_the_request() {
    let sqld = Sqld::start(Auth::None);
    Pair::before(sqld.url()).cut_everywhere(Side::Request);
}

#[test]
fn a_small_exchange_may_be_cut_at_every_byte_of_the_reply() {
    let sqld = Sqld::start(Auth::None);
    Pair::before(sqld.url()).cut_everywhere(Side::Reply);
}

#[test]
fn a_hundred_events_may_be_cut_anywhere() {
    let sqld = Sqld::start(Auth::None);
    Pair::before(sqld.url()).cut_many(12);
}

#[test]
fn a_hundred_events_to_tursodb_may_be_cut_anywhere() {
    let tursodb = Tursodb::start();
    Pair::before(tursodb.url()).cut_many(3);
}

impl Pair {
    fn before(url: String) -> Self {
        let network = Network::before(url);
        let mut devices = [Device::new(), Device::new()];
        // Tables, ledger and cursors are settled.
        for _ in 0..2 {
            devices.iter_mut().for_each(|device| {
                device.sync(&network.near);
            });
        }
        let task = devices[0].add("talked about");
        Self {
            network,
            devices,
            turn: 0,
            turns: 0,
            task,
        }
    }

    /// Every byte of an exchange of one event each.
    fn cut_everywhere(&mut self, side: Side) {
        let end = self.measure(side, 1);
        for after_bytes in 0..end {
            self.cut(side, after_bytes);
            // A request that was cut has done nothing, so the next one is cut in the same state.
            if side == Side::Reply || every_byte() || after_bytes.is_multiple_of(8) {
                self.go_on(1);
            }
        }
        self.finish();
    }

    /// So many places in an exchange of a hundred events, or all places in one of ten: each exchange stays in the log.
    fn cut_many(&mut self, places: usize) {
        let mut random = Random::new(seed());
        let events = if every_byte() { 10 } else { 100 };
        for side in [Side::Request, Side::Reply] {
            let end = self.measure(side, events);
            let places: Vec<usize> = if every_byte() {
                (0..end).collect()
            } else {
                (0..places).map(|_| random.below(end)).collect()
            };
            for after_bytes in places {
                self.cut(side, after_bytes);
                self.go_on(events);
                let (rows, events) = self.network.counts();
                assert_eq!(rows, events, "every event is there once");
            }
        }
        self.finish();
    }

    /// How many bytes an exchange has that pushes so many events and pulls the other's as well.
    fn measure(&mut self, side: Side, events: u32) -> usize {
        (0..3).for_each(|_| self.go_on(events));
        let report = self.devices[self.turn].sync(&self.network.far);
        assert_eq!(
            (report.pushed, report.pulled),
            (events.into(), events.into())
        );
        let exchange = self.network.proxy.exchanges().pop().unwrap();
        self.go_on(events);
        match side {
            Side::Request => exchange.request_bytes,
            Side::Reply => exchange.reply_bytes,
        }
    }

    /// The device whose turn it is syncs on a connection that is cut.
    fn cut(&mut self, side: Side, after_bytes: usize) {
        note(&format!("{side:?} cut after {after_bytes} bytes"));
        let network = &self.network;
        network.proxy.plan([side.cut(after_bytes)]);
        let device = &mut self.devices[self.turn];
        match device.try_sync(&network.far, &SyncOptions::default()) {
            Ok(_) => {
                let whole = network.proxy.exchanges().pop().unwrap().reply_bytes;
                assert!(side == Side::Reply && after_bytes >= whole);
            }
            Err(error) => assert_eq!(error.kind(), SyncErrorKind::Unavailable, "{error}"),
        }
    }

    /// It syncs without a fault, and writes again; then it is the other's turn.
    fn go_on(&mut self, events: u32) {
        let device = &mut self.devices[self.turn];
        assert!(!device.sync(&self.network.near).became_clone);
        assert_eq!(device.ledger.count_pending().unwrap(), 0);
        self.turns += 1;
        if self.turns.is_multiple_of(50) {
            // Nobody talks about one task for ever, and a pull folds all that was said about it.
            self.task = device.add("another one");
        }
        device.add_remarks(&self.task, events);
        self.turn = 1 - self.turn;
    }

    fn finish(&mut self) {
        assert_eq!(self.network.proxy.calm(), 0, "every cut was made");
        let [a, b] = &mut self.devices;
        self.network.assert_whole(&mut [a, b]);
    }
}

fn every_byte() -> bool {
    setting("HZL_TEST_EVERY_BYTE") == Some(1)
}

impl Side {
    fn cut(self, after_bytes: usize) -> Fault {
        let end = match after_bytes % 2 {
            0 => End::Fin,
            _ => End::Rst,
        };
        match self {
            Side::Request => Fault::CutRequest { after_bytes, end },
            Side::Reply => Fault::CutReply { after_bytes, end },
        }
    }
}
