//! Lines that cannot carry a whole page or chunk: too slow for the time limit, or cut above some size.
//! Each attempt is a run of its own, as in the background, and together they get through.

use std::time::Duration;

use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::error::SyncErrorKind;
use hzl_testkit::proxy::Fault;
use hzl_testkit::servers::{Auth, Sqld};

use crate::devices::{Cloud, Device};
use crate::network::Network;

/// More would mean that it does not get on: a handful is normal.
const ATTEMPTS: u32 = 40;
/// A thousand events are about 300,000 bytes: they take 600 ms each way.
const SLOW: Fault = Fault::Slow {
    bytes_per_second: 500_000,
};
const PATIENCE: Duration = Duration::from_millis(400);
const EVENTS: u32 = 1_200;

/// A cloud, a device that has written a lot, and one that knows nothing of it.
fn backlog(sqld: &Sqld) -> (Network, Device, Device) {
    let network = Network::before(sqld.url());
    let (mut writer, mut reader) = (Device::new(), Device::new());
    let task = writer.add("talked about");
    writer.sync(&network.near);
    reader.sync(&network.near);
    writer.add_remarks(&task, EVENTS);
    (network, writer, reader)
}

/// Tries until it works; returns how often it did not.
fn try_until_it_works(device: &mut Device, cloud: &Cloud) -> u32 {
    for failures in 0..ATTEMPTS {
        match device.try_sync(cloud, &SyncOptions::default()) {
            Ok(_) => return failures,
            Err(error) => assert_eq!(error.kind(), SyncErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("{ATTEMPTS} attempts, and still not through");
}

#[test]
fn a_push_gets_through_a_slow_line() {
    let sqld = Sqld::start(Auth::None);
    let (network, mut writer, mut reader) = backlog(&sqld);
    network.proxy.usually(SLOW);
    let far = network.far.clone().with_patience(PATIENCE);
    assert!(
        try_until_it_works(&mut writer, &far) > 0,
        "the line is slow"
    );
    network.assert_whole(&mut [&mut writer, &mut reader]);
}

#[test]
fn a_pull_gets_through_a_slow_line() {
    let sqld = Sqld::start(Auth::None);
    let (network, mut writer, mut reader) = backlog(&sqld);
    writer.sync(&network.near);
    network.proxy.usually(SLOW);
    let far = network.far.clone().with_patience(PATIENCE);
    assert!(
        try_until_it_works(&mut reader, &far) > 0,
        "the line is slow"
    );
    network.assert_whole(&mut [&mut writer, &mut reader]);
}

#[test]
fn events_get_through_a_line_that_breaks_long_transfers() {
    let sqld = Sqld::start(Auth::None);
    let (network, mut writer, mut reader) = backlog(&sqld);
    let after_bytes = 60_000;
    network.proxy.usually(Fault::CutLong { after_bytes });
    assert!(try_until_it_works(&mut writer, &network.far) > 0);
    assert!(try_until_it_works(&mut reader, &network.far) > 0);
    network.assert_whole(&mut [&mut writer, &mut reader]);
}

#[test]
fn a_good_line_is_used_fully_again() {
    let sqld = Sqld::start(Auth::None);
    let (network, mut writer, mut reader) = backlog(&sqld);
    network.proxy.usually(Fault::HangUp);
    for _ in 0..6 {
        let hung_up = writer.try_sync(&network.far, &SyncOptions::default());
        assert_eq!(hung_up.unwrap_err().code(), "unreachable");
    }
    network.proxy.calm();
    let requests = writer.sync(&network.far).requests;
    assert!(requests > 20, "{requests}: one event at first");
    let task = writer.add("talked about");
    writer.add_remarks(&task, 3_000);
    writer.sync(&network.far);
    writer.add_remarks(&task, 3_000);
    assert!(writer.sync(&network.far).requests < 6);
    network.assert_whole(&mut [&mut writer, &mut reader]);
}

#[test]
fn an_idle_sync_is_one_small_request() {
    let sqld = Sqld::start(Auth::None);
    let (network, mut writer, _) = backlog(&sqld);
    writer.sync(&network.near);
    let before = network.proxy.exchanges().len();
    writer.sync(&network.far);
    let exchanges = network.proxy.exchanges().split_off(before);
    assert_eq!(exchanges.len(), 1);
    let exchange = exchanges[0];
    assert!(exchange.request_bytes < 4_000, "{exchange:?}");
    assert!(exchange.reply_bytes < 1_500, "{exchange:?}");
}

#[test]
fn a_page_larger_than_is_read_is_asked_for_in_parts() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut writer, mut reader) = (Device::new(), Device::new());
    let task = writer.add("talked about");
    // Each quote is escaped three times on its way: 9.2 MB in one page, which is less than sqld refuses.
    for _ in 0..70 {
        writer.remark(&task, &"\"".repeat(16_384));
    }
    writer.sync(&cloud);
    let report = reader.sync(&cloud);
    assert_eq!(report.quarantined, 0);
    writer.sync(&cloud);
    assert_eq!(reader.event_ids().len(), writer.event_ids().len());
    assert_eq!(reader.hash(), writer.hash());
}
