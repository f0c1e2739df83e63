//! Proofs: the real binary is killed, starved, crowded, damaged and lied to, and has to keep its promises.
//!
//! Each proof has a short setting, which is what `cargo test` plays, and a long one: `scripts/proof`.

#![expect(clippy::print_stdout, reason = "a proof says how much it has tried")]

mod bombs;
mod claims;
mod crowd;
mod damage;
mod dice;
mod kills;
mod power_cut;
mod store;
mod terminal;

use std::env;
use std::path::PathBuf;

use hzl_testkit::home::Home;

/// The binary under test: the one of this build, or the one that a long run names (a release).
pub fn binary() -> PathBuf {
    env::var_os("HZL_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_hzl").into(), PathBuf::from)
}

/// A machine of its own for the binary under test.
pub fn home() -> Home {
    Home::new(binary())
}

/// A number from the environment, which long runs set, or the short setting. Seeds are printed by whoever
/// uses one.
pub fn setting(name: &str, short: u64) -> u64 {
    let Ok(text) = env::var(name) else {
        return short;
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
}
