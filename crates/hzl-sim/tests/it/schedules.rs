//! Random schedules hold the contract, and one seed is one schedule.

use hzl_sim::torture::{Torture, smallest, torture};
use hzl_sim::{Schedule, play};

use crate::number;

/// Long: HZL_TEST_SCHEDULES=10000, and HZL_TEST_SEED for where to begin.
#[test]
fn whatever_goes_wrong_nothing_is_lost_and_all_agree() {
    let (seed, runs) = (
        number("HZL_TEST_SEED", 1),
        number("HZL_TEST_SCHEDULES", 300),
    );
    println!("seeds {seed} to {}", seed + runs - 1);
    let summary = torture(
        Torture {
            seed,
            runs,
            twice: false,
            threads: None,
        },
        &|_| {},
    );
    if let Some(broken) = summary.broken {
        let only = smallest(&broken);
        panic!(
            "{}; hzl torture --seed {} --only {only} --trace",
            broken.violation, broken.seed
        );
    }
    assert_eq!(summary.runs, runs);
    assert!(
        summary.events > 5 * runs,
        "they write something: {summary:?}"
    );
}

#[test]
fn a_seed_gives_the_same_trace_twice() {
    for seed in 500..530 {
        let schedule = Schedule::of(seed);
        assert_eq!(schedule, Schedule::of(seed));
        let (one, other) = (play(&schedule), play(&schedule));
        assert_eq!(one.trace.digest(), other.trace.digest(), "seed {seed}");
    }
    let (one, other) = (play(&Schedule::of(500)), play(&Schedule::of(501)));
    assert_ne!(one.trace.digest(), other.trace.digest());
}
