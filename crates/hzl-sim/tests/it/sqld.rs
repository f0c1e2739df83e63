//! The cloud in memory is like a real server: the same schedules come to the same end on both.

use std::time::Duration;

use hzl_remote::endpoint::{Endpoint, InsecureHttp};
use hzl_remote::hrana::{Hrana, Statement};
use hzl_remote::http::Timeouts;
use hzl_sim::cloud::InMemory;
use hzl_sim::play::play_with;
use hzl_sim::trace::Trace;
use hzl_sim::{Played, Schedule};
use hzl_testkit::servers::{Auth, Sqld};

use crate::number;

fn client(url: &str) -> Hrana {
    let endpoint = Endpoint::parse(url, InsecureHttp::Refused).expect("a loopback address");
    let timeouts = Timeouts {
        connect: Duration::from_secs(10),
        total: Duration::from_secs(30),
    };
    Hrana::new(endpoint, None, timeouts)
}

/// Makes the server's database as good as new.
fn wipe(client: &mut Hrana) {
    let drops = ["hzl_events", "hzl_devices", "hzl_meta"]
        .map(|table| Statement::new(format!("drop table if exists {table}"), vec![]));
    for outcome in client.pipeline(&drops).expect("the server answers") {
        outcome.expect("a table can be dropped");
    }
}

fn assert_same(seed: u64, memory: &Played, server: &Played) {
    let lines = memory.trace.lines().iter().zip(server.trace.lines());
    for (at, (memory, server)) in lines.enumerate() {
        assert_eq!(memory, server, "seed {seed}, line {at}");
    }
    assert_eq!(memory.trace.digest(), server.trace.digest(), "seed {seed}");
    assert_eq!(server.violation, None, "seed {seed}");
}

/// Long: HZL_TEST_SQLD_SCHEDULES=2000.
#[test]
fn the_cloud_in_memory_does_what_sqld_does() {
    let server = Sqld::start(Auth::None);
    let count = number("HZL_TEST_SQLD_SCHEDULES", 25);
    for seed in 1_000..1_000 + count {
        println!("seed {seed}");
        let schedule = Schedule::of(seed);
        let memory = play_with(&schedule, Box::new(InMemory::new()), Trace::kept());
        let mut client = client(&server.url());
        wipe(&mut client);
        let real = play_with(&schedule, Box::new(client), Trace::kept());
        assert_same(seed, &memory, &real);
    }
}
