//! Hostile input by the hundred thousand: one seeded stream of cases for each thing under test.
//!
//! A case is bytes, made by mutating what the product itself writes and reads ([`corpus`], [`mutate`]).
//! It fails if the check panics or takes more than a second; the process must stay below 256 MB. What
//! fails is made small and printed with what repeats it:
//!
//! - `HZL_TEST_FUZZ_CASES`: cases of all targets of all crates together, 1,000,000 if not set; each target
//!   plays its share.
//! - `HZL_TEST_FUZZ_SEED`: where the streams begin, 1 if not set.
//! - `HZL_TEST_FUZZ_CASE`: plays this one case only.

pub mod corpus;
pub mod mutate;
mod shrink;

use std::any::Any;
use std::cell::Cell;
use std::cell::RefCell;
use std::fs;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::process;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

pub use crate::random::Random;
use crate::random::setting;
use crate::time_worked;

/// Cases of all targets together.
const CASES: u64 = 1_000_000;
/// No case takes longer; one that does is tried again, since other programs may have been in the way.
const CASE_LIMIT: Duration = Duration::from_secs(1);
/// A case that takes so long will never end.
const HANG_LIMIT: Duration = Duration::from_secs(60);
/// More memory than any test binary needs, in kB.
const MEMORY_LIMIT_KB: u64 = 256 * 1024;

thread_local! {
    /// Panics of this thread are expected: they are kept, not printed.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a target is called, and how many of a million cases are its own.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name; each has a stream of its own.
    pub name: &'static str,
    /// Of a million cases.
    pub share: u64,
}

/// Plays the cases of a target: `make` makes one from its numbers, `check` panics if something is wrong.
/// `check` must not depend on the cases before.
///
/// # Panics
///
/// When a case fails, or the process needs too much memory.
#[track_caller]
pub fn fuzz(target: Target, make: impl FnMut(&mut Random) -> Vec<u8>, check: impl FnMut(&[u8])) {
    fuzz_within(CASE_LIMIT, target, make, check);
}

#[track_caller]
fn fuzz_within(
    limit: Duration,
    target: Target,
    mut make: impl FnMut(&mut Random) -> Vec<u8>,
    mut check: impl FnMut(&[u8]),
) {
    let seed = setting("HZL_TEST_FUZZ_SEED").unwrap_or(1);
    let cases = setting("HZL_TEST_FUZZ_CASES").unwrap_or(CASES);
    let cases = (cases * target.share).div_ceil(1_000_000).max(1);
    let cases = match setting("HZL_TEST_FUZZ_CASE") {
        Some(case) => case..case + 1,
        None => 0..cases,
    };
    let watchdog = Watchdog::start(target.name, seed);
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    let count = cases.end - cases.start;
    for case in cases {
        let input = make(&mut Random::of(target.name, seed, case));
        watchdog.case.store(case, Ordering::Relaxed);
        match play(limit, &mut check, &input) {
            Ok(took) => slowest = slowest.max(took),
            Err(why) => {
                watchdog.stop();
                let small =
                    shrink::smallest(&input, |candidate| play(limit, &mut check, candidate).err());
                fail(target.name, seed, case, (&input, &why), small);
            }
        }
    }
    watchdog.stop();
    let peak = own_peak_kb();
    say(&format!(
        "fuzz {}: {count} cases of seed {seed} in {:.1} s, slowest {} ms, peak memory of all so far {} MB",
        target.name,
        start.elapsed().as_secs_f64(),
        slowest.as_millis(),
        peak / 1024
    ));
    assert!(
        peak < MEMORY_LIMIT_KB,
        "fuzz {}: the process has needed {peak} kB",
        target.name
    );
}

/// Plays one case. Says how long it took, or what is wrong.
fn play(limit: Duration, check: &mut impl FnMut(&[u8]), input: &[u8]) -> Result<Duration, String> {
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let start = time_worked();
        IS_QUIET.set(true);
        let done = panic::catch_unwind(AssertUnwindSafe(|| check(input)));
        IS_QUIET.set(false);
        if let Err(payload) = done {
            return Err(message(&*payload));
        }
        quickest = quickest.min(time_worked().saturating_sub(start));
        if quickest <= limit {
            return Ok(quickest);
        }
    }
    Err(format!("it took {quickest:?}, and longer before"))
}

#[track_caller]
fn fail(
    name: &str,
    seed: u64,
    case: u64,
    (input, why): (&[u8], &str),
    (small, why_small): (Vec<u8>, Option<String>),
) -> ! {
    let why_small = why_small.unwrap_or_else(|| why.to_owned());
    panic!(
        "fuzz {name}: case {case} of seed {seed}: {why_small}\n\
         input, {} bytes made of {}:\n{}\n\
         repeat: HZL_TEST_FUZZ_SEED={seed} HZL_TEST_FUZZ_CASE={case} and the name of this test",
        small.len(),
        input.len(),
        String::from_utf8_lossy(&small).escape_debug(),
    );
}

/// What a panic said, and where it was. The place comes from the hook, which is ours from here on.
fn message(payload: &(dyn Any + Send)) -> String {
    let kept = LAST_PANIC.take();
    if !kept.is_empty() {
        return kept;
    }
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| "a panic".to_owned()),
    }
}

fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_QUIET.get() {
                LAST_PANIC.set(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
}

/// Ends the process, with a word on why, when a case does not end.
struct Watchdog {
    case: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Watchdog {
    fn start(name: &'static str, seed: u64) -> Self {
        install_hook();
        let watchdog = Self {
            case: Arc::new(AtomicU64::new(0)),
            is_over: Arc::new(AtomicBool::new(false)),
        };
        let (case, is_over) = (Arc::clone(&watchdog.case), Arc::clone(&watchdog.is_over));
        thread::spawn(move || {
            let (mut before, mut since) = (u64::MAX, Instant::now());
            while !is_over.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_millis(500));
                let now = case.load(Ordering::Relaxed);
                if now != before {
                    (before, since) = (now, Instant::now());
                } else if since.elapsed() > HANG_LIMIT && !is_over.load(Ordering::Relaxed) {
                    complain(&format!(
                        "fuzz {name}: case {now} of seed {seed} does not end"
                    ));
                    process::abort();
                }
            }
        });
        watchdog
    }

    fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The most memory this process has ever had, in kB.
fn own_peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("tests run on Linux");
    crate::peak_kb(&status).expect("a process has memory")
}

#[expect(
    clippy::print_stdout,
    reason = "shown with --nocapture, and when a test fails"
)]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the process ends without a report")]
fn complain(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target {
        name: "itself",
        share: 2_000,
    };

    fn said(run: impl FnOnce()) -> String {
        let caught = panic::catch_unwind(AssertUnwindSafe(run));
        let payload = caught.expect_err("it fails");
        let text = payload.downcast_ref::<String>();
        text.expect("a panic with a text").clone()
    }

    #[test]
    fn a_failure_is_found_made_small_and_can_be_repeated() {
        let said = said(|| {
            fuzz(TARGET, corpus::mutated_event, |input| {
                assert!(!input.contains(&b'\\'), "a backslash");
            });
        });
        assert!(said.contains("fuzz itself: case "), "{said}");
        assert!(said.contains("a backslash"), "{said}");
        assert!(said.contains("1 bytes made of"), "{said}");
        assert!(
            said.contains("repeat: HZL_TEST_FUZZ_SEED=1 HZL_TEST_FUZZ_CASE="),
            "{said}"
        );
    }

    #[test]
    fn a_slow_case_is_a_failure() {
        let target = Target {
            name: "slow",
            share: 1,
        };
        let said = said(|| {
            // Nothing takes no time at all.
            fuzz_within(Duration::ZERO, target, |_| vec![], |_| {});
        });
        assert!(said.contains("it took "), "{said}");
    }

    #[test]
    fn streams_are_the_same_each_time_and_differ_from_one_another() {
        let made = |name, seed, case| corpus::mutated_event(&mut Random::of(name, seed, case));
        assert_eq!(made("a", 1, 7), made("a", 1, 7));
        let others = [made("b", 1, 7), made("a", 2, 7), made("a", 1, 8)];
        assert!(others.iter().all(|other| *other != made("a", 1, 7)));
    }
}
