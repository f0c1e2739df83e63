//! The laws of the ledger, as properties: whatever devices, clocks and connections do, the same events
//! mean the same everywhere, and nothing is lost in silence.

#![expect(
    clippy::manual_is_multiple_of,
    reason = "`r % 3 == 0` makes a choice out of a number; it asks nothing about multiples"
)]

#[path = "laws/accepted.rs"]
mod accepted;
#[path = "laws/check.rs"]
mod check;
#[path = "laws/commands.rs"]
mod commands;
#[path = "laws/decoding.rs"]
mod decoding;
#[path = "laws/graphs.rs"]
mod graphs;
#[path = "laws/legacy.rs"]
mod legacy;
#[path = "laws/logs.rs"]
mod logs;
#[path = "laws/oracle.rs"]
mod oracle;
#[path = "laws/undone.rs"]
mod undone;
#[path = "laws/view.rs"]
mod view;
#[path = "laws/world.rs"]
mod world;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use view::{Incremental, View};
use world::{Schedule, Step, Tally, World};

/// The gate must not depend on luck, so cases and seed are fixed. `PROPTEST_CASES` (other than its default,
/// 256) and `PROPTEST_RNG_SEED` go further.
fn runner(cases: u32, seed: u64) -> TestRunner {
    let asked = ProptestConfig::default();
    TestRunner::new(ProptestConfig {
        cases: if asked.cases == 256 {
            cases
        } else {
            asked.cases
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(seed),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        ..asked
    })
}

fn step() -> impl Strategy<Value = Step> {
    (
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<u16>(),
    )
        .prop_map(|(kind, device, a, b, r)| Step {
            kind: kind % 64,
            device: device % 3,
            a,
            b,
            r,
        })
}

fn schedule(rewind: bool, legacy: bool) -> impl Strategy<Value = Schedule> {
    let history = if legacy { 1..12 } else { 0..1 };
    let history = proptest::collection::vec(step(), history);
    let steps = proptest::collection::vec(step(), 1..64);
    (2..=3u8, history, steps).prop_map(move |(devices, history, later)| {
        // Without a history: a project and two ready tasks that everybody has, so that there is
        // something to quarrel about.
        let mut steps = vec![];
        if !legacy {
            for (kind, device, r) in [(0, 0, 1), (0, 0, 7), (0, 0, 14), (58, 0, 0), (58, 1, 0)] {
                let (a, b) = (1, 0);
                steps.push(Step {
                    kind,
                    device,
                    a,
                    b,
                    r,
                });
            }
        }
        steps.extend(later);
        Schedule {
            devices,
            may_rewind: rewind,
            history,
            steps,
        }
    })
}

/// Plays schedules, checks every law, and counts the commands that were decided.
fn hold(cases: u32, rewind: bool, legacy: bool) -> Tally {
    let tally = RefCell::new(Tally::new());
    let result = runner(cases, 1).run(&schedule(rewind, legacy), |schedule| {
        let world = World::play(&schedule);
        check::assert_contract(&world);
        for (name, n) in world.tally {
            *tally.borrow_mut().entry(name).or_default() += n;
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    tally.into_inner()
}

#[test]
fn devices_converge_and_nothing_is_lost_in_silence() {
    let tally = hold(700, false, false);
    for name in commands::NAMES {
        assert!(
            tally.get(name).is_some_and(|n| *n >= 10),
            "{name} is hardly ever tried: {tally:?}"
        );
    }
}

#[test]
fn a_cloud_that_falls_back_loses_nothing() {
    hold(400, true, false);
}

#[test]
fn logs_of_the_old_program_join_in() {
    hold(400, false, true);
}

#[test]
fn everything_at_once() {
    hold(400, true, true);
}

#[test]
fn both_folds_agree_about_any_log() {
    let result = runner(3_000, 8).run(&logs::log(), |(log, rewind_points)| {
        let view = View::of(log.clone(), &rewind_points);
        oracle::assert_agrees(&log, &rewind_points, &view);
        let mut resumed = Incremental::default();
        log.iter()
            .for_each(|placed| resumed.apply(placed, &rewind_points));
        resumed.assert_same(&view);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
