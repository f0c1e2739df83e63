//! Where a random test begins, and what it says.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use hzl_testkit::random::setting;

/// Where to begin: as the environment says, or somewhere else each time. It is printed.
pub(crate) fn seed() -> u64 {
    let seed = setting("HZL_TEST_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::from(since.expect("it is after 1970").subsec_nanos())
    });
    note(&format!("HZL_TEST_SEED={seed}"));
    seed
}

/// Prints what to know about a test that fails.
#[expect(clippy::print_stdout, reason = "shown only when a test fails")]
pub(crate) fn note(text: &str) {
    println!("{text}");
}
