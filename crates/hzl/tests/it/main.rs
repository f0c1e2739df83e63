//! The real binary in a home of its own: what scripts and people see of it.

mod command_line;
mod settings;
mod text;

use hzl_testkit::home::Home;

/// Returns an empty home for the binary under test.
fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_hzl"))
}
