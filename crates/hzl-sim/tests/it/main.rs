//! The simulator: schedules that hold, bugs that it finds, and a cloud that is like the real one.

mod planted;
mod schedules;
mod sqld;

/// A number from the environment, for long runs.
fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}
