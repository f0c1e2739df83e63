//! The `hzl` binary: arguments in, output and exit code out.
//!
//! To follow one command, open `app`, `normalize`, `cli`, and its own file under `commands`.

mod app;
mod background;
mod claiming;
mod cli;
mod cloud;
mod commands;
mod completion;
mod config;
mod context;
mod defaults;
mod environment;
mod error;
mod exit;
#[cfg(test)]
mod fuzz;
mod ndjson;
mod new_file;
mod normalize;
mod opened;
mod output;
mod paths;
mod reader;
mod refusal;
mod secret;
mod strict;
mod usage;
mod values;
mod watch;

/// The allocator of musl takes as long as all the rest of a short command; SQLite uses this one too.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    app::main()
}
