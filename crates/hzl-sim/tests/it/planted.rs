//! The simulator finds every bug that is planted. Else a clean run would mean nothing.
//!
//! The gate plays ten thousand schedules from seed 1. For each bug the table names the first of them that
//! shows it; what schedules look like may not change without the table.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hzl_core::planted::{Bug, plant};
use hzl_sim::shrink::shrink;
use hzl_sim::{Finding, Schedule, Violation, play};

use crate::number;

/// As many as the gate plays.
const BUDGET: u64 = 10_000;

const FOUND: &[(Bug, u64, Finding)] = &[
    (Bug::ClaimNotCompared, 14, Finding::StaleAct),
    (Bug::ArchiveUnguarded, 75, Finding::StaleAct),
    (Bug::TombstoneUnguarded, 652, Finding::StaleAct),
    (Bug::StaleClaimAccepted, 12, Finding::TwoOwners),
    (Bug::LeaseNotCompared, 23, Finding::WrongLease),
    (Bug::LeaseByWritersClock, 23, Finding::WrongLease),
    (Bug::LostValueUnlisted, 22, Finding::SilentOverwrite),
    (Bug::EqualValueUnlisted, 22, Finding::SilentOverwrite),
    (Bug::SupersededUnlisted, 12, Finding::SilentSupersession),
    (Bug::ValuesByTimeAlone, 22, Finding::SilentOverwrite),
    (Bug::LastArrivalWins, 22, Finding::NewerWriteLost),
    (Bug::RewindPointsIgnored, 548, Finding::SilentOverwrite),
    (Bug::StaleProgressCounts, 657, Finding::StaleAct),
    (Bug::FailedCommitIgnored, 67, Finding::AcknowledgedAndAbsent),
    (Bug::CommitReportedAsFailed, 67, Finding::WroteAndFailed),
    (Bug::CursorSavedFirst, 5, Finding::Reordered),
    (Bug::UnknownEventDropped, 6, Finding::Lost),
    (Bug::ProjectionSkipsOne, 522, Finding::NotAsRebuilt),
    (Bug::CacheCursorByRowOnly, 169, Finding::NotAsRebuilt),
    (Bug::CacheCursorSavedFirst, 18, Finding::NotAsRebuilt),
    (Bug::PulledEventsAppended, 2, Finding::SyncFailed),
    (Bug::QuarantineHoldsNothing, 591, Finding::FreshActLost),
    (Bug::CommandSplit, 38, Finding::CommandSplit),
    (Bug::CloneUnnoticed, 62, Finding::SilentOverwrite),
    (Bug::IntentForgotten, 83, Finding::FalseClone),
    (Bug::ResentLast, 4, Finding::Reordered),
    (Bug::PushUnconditional, 4, Finding::Reordered),
    (Bug::OwnRowsNotCompared, 996, Finding::SilentOverwrite),
    (Bug::PushAnswerFinal, 4, Finding::Wedged),
    (Bug::ClaimPushUnconditional, 80, Finding::WroteAndFailed),
    (Bug::CursorByTime, 1, Finding::SyncFailed),
    (Bug::TailDroppedOn401, 4, Finding::Reordered),
    (Bug::RewindUnnoticed, 4, Finding::SyncFailed),
    (Bug::EpochUnheeded, 4, Finding::SyncFailed),
    (Bug::CulpritNotSought, 262, Finding::TooManyRequests),
    (Bug::AheadUnconfirmed, 25, Finding::Reordered),
];

/// Plays a schedule with a bug.
fn play_with(bug: Bug, seed: u64) -> Option<Violation> {
    plant(Some(bug));
    let violation = play(&Schedule::of(seed)).violation;
    plant(None);
    violation
}

#[test]
fn every_planted_bug_is_found() {
    assert!(Bug::ALL.len() >= 25);
    for bug in Bug::ALL {
        let (_, seed, finding) = FOUND
            .iter()
            .find(|(found, ..)| found == bug)
            .unwrap_or_else(|| panic!("{bug:?} is not in the table"));
        assert!(*seed <= BUDGET, "{bug:?}: the gate does not come that far");
        let found = play_with(*bug, *seed).map(|violation| violation.finding);
        assert_eq!(found, Some(*finding), "{bug:?}, seed {seed}");
        let clean = play(&Schedule::of(*seed)).violation;
        assert_eq!(clean, None, "seed {seed} without {bug:?}");
    }
}

/// Prints the table: HZL_TEST_SEARCH=10000 says how far to look. Else it looks for one bug only.
#[test]
fn the_first_seed_that_shows_a_bug_is_found_by_looking() {
    let budget = number("HZL_TEST_SEARCH", 0);
    let bugs = if budget > 0 {
        Bug::ALL
    } else {
        &[Bug::SupersededUnlisted]
    };
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(vec![]);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut seeds = 1..=budget.max(1_000);
                    match seeds.find_map(|seed| Some((seed, play_with(*bug, seed)?))) {
                        Some((seed, Violation { finding, .. })) => {
                            println!("    (Bug::{bug:?}, {seed}, Finding::{finding:?}),");
                        }
                        None => missed.lock().expect("a list").push(*bug),
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("a list");
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn what_breaks_is_shrunk_and_still_breaks() {
    let bug = Bug::SupersededUnlisted;
    let (seed, violation) = (1..BUDGET)
        .find_map(|seed| Some((seed, play_with(bug, seed)?)))
        .expect("it is found");
    plant(Some(bug));
    let schedule = Schedule::of(seed);
    let only = shrink(&schedule, violation.finding, 400);
    let again = play(&only.of(&schedule)).violation;
    plant(None);
    assert!(only.len() <= 8, "{only}");
    assert_eq!(again.map(|again| again.finding), Some(violation.finding));
    assert_eq!(play(&only.of(&schedule)).violation, None, "without the bug");
}
