//! Answers that are none: every status, nobody there, silence, garbage. A sync says what it was, loses
//! nothing and doubles nothing, and the next one without a fault goes on.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use std::time::Duration;

use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::error::SyncErrorKind::{self, Rejected, Unavailable};
use hzl_testkit::proxy::{Fault, Server};
use hzl_testkit::servers::{Access, Auth, Sqld, Tursodb};
use hzl_testkit::stub::Stub;

use crate::devices::Device;
use crate::network::Network;

/// Long enough for a server on this machine that answers, if need be in a second try.
const SHORT: Duration = Duration::from_millis(300);

/// Two devices that have synced, and one of them has written since.
struct Setting {
    network: Network,
    writer: Device,
    reader: Device,
}

impl Setting {
    fn before(url: String) -> Self {
        let network = Network::before(url);
        let (mut writer, mut reader) = (Device::new(), Device::new());
        writer.sync(&network.near);
        reader.sync(&network.near);
        Self {
            network,
            writer,
            reader,
        }
    }

    /// As long as every request has this fault a sync ends like this, what was written stays, and
    /// afterwards all is well.
    #[track_caller]
    fn fails_with(&mut self, fault: Fault, code: &str, kind: SyncErrorKind) {
        let expected = format!("{fault:?}");
        self.network.proxy.usually(fault);
        self.fails_while_it_lasts(&expected, code, kind);
        self.network.proxy.calm();
        self.is_whole_again();
    }

    #[track_caller]
    fn fails_while_it_lasts(&mut self, what: &str, code: &str, kind: SyncErrorKind) {
        self.writer.add("waits");
        for device in [&mut self.writer, &mut self.reader] {
            let error = device
                .try_sync(&self.network.far, &SyncOptions::default())
                .unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                (code, kind),
                "{what}: {error}"
            );
        }
        assert_eq!(self.writer.ledger.count_pending().unwrap(), 2, "{what}");
    }

    fn is_whole_again(&mut self) {
        self.writer.sync(&self.network.far);
        let devices = &mut [&mut self.writer, &mut self.reader];
        self.network.assert_whole(devices);
    }
}

#[test]
fn every_status_is_reported_and_loses_nothing() {
    let sqld = Sqld::start(Auth::None);
    let mut setting = Setting::before(sqld.url());
    for (status, code, kind) in [
        (400, "bad_request", Unavailable),
        (401, "unauthorized", Rejected),
        (403, "forbidden", Rejected),
        (404, "not_found", Rejected),
        (413, "bad_request", Unavailable),
        (429, "throttled", Unavailable),
        (500, "server_error", Unavailable),
        (502, "server_error", Unavailable),
        (503, "server_error", Unavailable),
        (504, "server_error", Unavailable),
    ] {
        for server in [Server::NotAsked, Server::Asked] {
            setting.fails_with(Fault::status(status, server), code, kind);
        }
    }
}

#[test]
fn a_status_that_comes_once_loses_nothing() {
    let sqld = Sqld::start(Auth::None);
    let mut setting = Setting::before(sqld.url());
    for status in [403, 413] {
        for server in [Server::NotAsked, Server::Asked] {
            setting.writer.add("waits");
            setting.network.proxy.plan([Fault::status(status, server)]);
            // Less is sent then: nothing at all, or half of it.
            let report = setting.writer.sync(&setting.network.far);
            assert_eq!(report.quarantined, 0);
            assert_eq!(report.pull_only, status == 403);
            setting.is_whole_again();
        }
    }
    // The same with a single event, which cannot be sent in halves.
    let task = setting.writer.add("talked about");
    setting.is_whole_again();
    setting.writer.remark(&task, "one event");
    let fault = Fault::status(413, Server::NotAsked);
    setting.network.proxy.plan([fault]);
    let report = setting.writer.sync(&setting.network.far);
    assert_eq!((report.quarantined, report.pushed), (0, 1));
    setting.is_whole_again();
}

#[test]
fn a_gateway_that_takes_nothing_sets_nothing_aside() {
    let sqld = Sqld::start(Auth::None);
    let mut setting = Setting::before(sqld.url());
    for number in 0..10 {
        setting.writer.add(&format!("task {number}"));
    }
    let fault = Fault::status(413, Server::NotAsked);
    setting.network.proxy.usually(fault);
    let synced = setting
        .writer
        .try_sync(&setting.network.far, &SyncOptions::default());
    assert_eq!(synced.unwrap_err().code(), "bad_request");
    assert_eq!(setting.writer.ledger.count_pending().unwrap(), 20);
    setting.network.proxy.calm();
    setting.is_whole_again();
}

#[test]
fn nobody_there_silence_and_slowness_are_reported_and_lose_nothing() {
    let sqld = Sqld::start(Auth::None);
    no_answer(Setting::before(sqld.url()));
}

#[test]
fn the_same_before_tursodb() {
    let tursodb = Tursodb::start();
    no_answer(Setting::before(tursodb.url()));
}

fn no_answer(mut setting: Setting) {
    setting.network.proxy.close();
    setting.fails_while_it_lasts("refused", "unreachable", Unavailable);
    setting.network.proxy.open();
    setting.is_whole_again();
    setting.fails_with(Fault::HangUp, "unreachable", Unavailable);
    let patient = setting.network.far.clone();
    setting.network.far = patient.clone().with_patience(SHORT);
    setting.network.proxy.usually(Fault::Silence);
    setting.fails_while_it_lasts("silence", "timeout", Unavailable);
    setting.network.proxy.usually(Fault::Delay(2 * SHORT));
    setting.network.far = patient.clone();
    setting.is_whole_again();
    setting.network.far = patient.clone().with_patience(SHORT);
    setting.fails_while_it_lasts("delay", "timeout", Unavailable);
    setting.network.far = patient;
    setting.network.proxy.calm();
    setting.is_whole_again();
}

#[test]
fn what_is_no_reply_is_reported_and_loses_nothing() {
    let sqld = Sqld::start(Auth::None);
    let mut setting = Setting::before(sqld.url());
    for server in [Server::NotAsked, Server::Asked] {
        for garbage in [&b"\x16\x03\x01\x02nonsense"[..], b"SSH-2.0-OpenSSH_9.6\r\n"] {
            let reply = garbage.to_vec();
            let fault = Fault::Answer { reply, server };
            setting.fails_with(fault, "bad_reply", Unavailable);
        }
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "<html>log in</html>",
            r#"{"results":[]}"#,
            r#"{"results":[{"type":"ok","response":{"type":"close"}}]}"#,
        ] {
            setting.fails_with(Fault::body(body, server), "bad_reply", Unavailable);
        }
    }
    for after_bytes in [0, 1, 100, 500] {
        setting.fails_with(Fault::CutBody { after_bytes }, "bad_reply", Unavailable);
    }
}

#[test]
fn a_redirect_is_not_followed_and_its_target_gets_no_token() {
    let sqld = Sqld::start(Auth::Jwt);
    let mut network = Network::before(sqld.url());
    let token = sqld.token(Access::ReadWrite, 3_600);
    network.far = network.far.with_token(token.clone());
    network.near = network.near.with_token(token);
    let (mut writer, mut reader) = (Device::new(), Device::new());
    writer.sync(&network.near);
    reader.sync(&network.near);
    let elsewhere = Stub::http(200, &[], "{}");
    let same_host = format!("{}/elsewhere", network.proxy.url());
    let mut setting = Setting {
        network,
        writer,
        reader,
    };
    for status in [301, 302, 303, 307, 308] {
        for target in [&elsewhere.url(), &same_host, "//127.0.0.2/", ""] {
            let before = setting.network.proxy.exchanges().len();
            let fault = Fault::redirect(status, target);
            setting.network.proxy.usually(fault);
            setting.fails_while_it_lasts(target, "redirected", Rejected);
            let requests = setting.network.proxy.exchanges().len() - before;
            assert_eq!(requests, 2, "one for each device: nobody followed");
            setting.network.proxy.calm();
            setting.is_whole_again();
        }
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}
