//! The simulator finds every bug that is planted. Else a clean run would mean nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hzl_core::planted::{Bug, plant};
use hzl_sim::shrink::shrink;
use hzl_sim::{Schedule, Violation, play};

use crate::number;

/// As many as the gate plays anyway.
const BUDGET: u64 = 10_000;

/// The first seed that shows a bug.
fn find(bug: Bug, budget: u64) -> Option<(u64, Violation)> {
    plant(Some(bug));
    let found = (1..=budget).find_map(|seed| Some((seed, play(&Schedule::of(seed)).violation?)));
    plant(None);
    found
}

#[test]
fn every_planted_bug_is_found() {
    let budget = number("HZL_TEST_SCHEDULES", BUDGET);
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(vec![]);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match find(*bug, budget) {
                        Some((seed, violation)) => {
                            println!("{bug:?}: seed {seed}: {:?}", violation.finding);
                        }
                        None => missed.lock().expect("a list").push(*bug),
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("a list");
    assert!(Bug::ALL.len() >= 25);
    assert!(
        missed.is_empty(),
        "not found in {budget} schedules: {missed:?}"
    );
}

#[test]
fn what_breaks_is_shrunk_and_still_breaks() {
    let (seed, violation) = find(Bug::SupersededUnlisted, BUDGET).expect("it is found");
    plant(Some(Bug::SupersededUnlisted));
    let schedule = Schedule::of(seed);
    let only = shrink(&schedule, violation.finding, 400);
    let again = play(&only.of(&schedule)).violation;
    plant(None);
    assert!(only.len() <= 6, "{only}");
    assert_eq!(again.map(|again| again.finding), Some(violation.finding));
    assert_eq!(play(&only.of(&schedule)).violation, None, "without the bug");
}
