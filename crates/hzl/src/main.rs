//! The `hzl` binary: arguments in, output and exit code out.
//!
//! To follow one command: `app` runs the steps, `normalize` forgives small slips, `cli` parses,
//! the file of the command under `commands` does the work, `output` prints, `exit` ends.
#![allow(
    dead_code,
    reason = "the commands that use these definitions are connected one by one"
)]

mod app;
mod cli;
mod commands;
mod config;
mod context;
mod environment;
mod error;
mod exit;
mod normalize;
mod output;
mod paths;
mod secret;
mod usage;
mod values;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main()
}
