//! Plays many schedules, on all cores, and shrinks what breaks.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::play::{Played, play};
use crate::schedule::Schedule;
use crate::shrink::{Selection, shrink};
use crate::verdict::Violation;

/// What to play.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Torture {
    /// The first seed; the others follow it.
    pub seed: u64,
    /// How many schedules.
    pub runs: u64,
    /// Play every schedule twice: the traces must be equal.
    pub twice: bool,
    /// How many at once; `None`: as many as there are cores.
    pub threads: Option<NonZeroUsize>,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// Schedules played.
    pub runs: u64,
    /// Events written in them.
    pub events: u64,
    /// Requests carried out in them.
    pub requests: u64,
    /// Sum of all traces: equal for equal seeds and programs.
    pub trace: u64,
    /// What broke first, if anything did.
    pub broken: Option<Broken>,
}

/// A schedule that broke something.
#[derive(Clone, PartialEq, Debug)]
pub struct Broken {
    /// Its seed.
    pub seed: u64,
    /// What broke.
    pub violation: Violation,
}

/// How many tries a shrinking gets.
pub const SHRINK_TRIES: u32 = 3_000;

/// Plays until all are played or one breaks. `on_progress` hears now and then how many are done.
///
/// # Panics
/// If two runs of one seed differ: then nothing that is said here means anything.
#[must_use]
pub fn torture(torture: Torture, on_progress: &(dyn Fn(u64) + Sync)) -> Summary {
    let threads = torture
        .threads
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get);
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= torture.runs {
                        break;
                    }
                    let seed = torture.seed.wrapping_add(at);
                    let played = play_seed(seed, torture.twice);
                    let mut summary = summary.lock().expect("nobody panics with the lock");
                    add(&mut summary, seed, &played);
                    stop.fetch_or(summary.broken.is_some(), Ordering::Relaxed);
                    on_progress(summary.runs);
                }
            });
        }
    });
    summary.into_inner().expect("nobody panics with the lock")
}

fn play_seed(seed: u64, twice: bool) -> Played {
    let schedule = Schedule::of(seed);
    let played = play(&schedule);
    if twice {
        let again = play(&schedule).trace.digest();
        assert_eq!(
            played.trace.digest(),
            again,
            "two runs of seed {seed} differ"
        );
    }
    played
}

fn add(summary: &mut Summary, seed: u64, played: &Played) {
    summary.runs += 1;
    summary.events += u64::try_from(played.events).unwrap_or(0);
    summary.requests += played.requests;
    summary.trace = summary.trace.wrapping_add(played.trace.digest());
    let first = summary
        .broken
        .as_ref()
        .is_none_or(|broken| seed < broken.seed);
    if let (Some(violation), true) = (&played.violation, first) {
        summary.broken = Some(Broken {
            seed,
            violation: violation.clone(),
        });
    }
}

/// What is needed of a schedule to break in the same way.
#[must_use]
pub fn smallest(broken: &Broken) -> Selection {
    shrink(
        &Schedule::of(broken.seed),
        broken.violation.finding,
        SHRINK_TRIES,
    )
}
