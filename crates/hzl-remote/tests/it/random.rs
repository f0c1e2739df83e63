//! Chance that can be repeated: numbers from a seed, and settings for longer runs.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

/// A small reproducible source of numbers: xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % end
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// A number from the environment: how long a run is, or where it begins.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap())
}

/// Where to begin: as the environment says, or somewhere else each time. It is printed.
pub(crate) fn seed() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = setting("HZL_TEST_SEED", u64::from(since.subsec_nanos()));
    note(&format!("HZL_TEST_SEED={seed}"));
    seed
}

/// Prints what to know about a test that fails.
#[expect(clippy::print_stdout, reason = "shown only when a test fails")]
pub(crate) fn note(text: &str) {
    println!("{text}");
}
