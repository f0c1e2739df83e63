//! The command line.

use std::path::PathBuf;

/// Measures hzl against yardsticks of the same run
#[derive(Debug, clap::Parser)]
pub(crate) struct Options {
    /// The hzl under test
    #[arg(long, value_name = "FILE")]
    pub(crate) hzl: Option<PathBuf>,
    /// Few rounds and small stores: some minutes
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Stores of up to a million tasks: an hour, and 15 GB in target/bench
    #[arg(long)]
    pub(crate) full: bool,
    /// Only this part: commands, counts, contention, throughput, sync, peers or growth; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Write the figures into this file as JSON [default: target/bench/report.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// End with exit code 1 if a target is missed
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the tables into docs/performance.md, and the plot
    #[arg(long)]
    pub(crate) write_docs: bool,
    #[command(subcommand)]
    pub(crate) work: Option<Work>,
}

/// What the benchmark starts itself as.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Work {
    /// One of many processes that claim
    #[command(hide = true)]
    Claimer(Claimer),
}

/// See [`Work::Claimer`].
#[derive(Debug, clap::Args)]
pub(crate) struct Claimer {
    /// `hzl` or `busy`
    pub(crate) mode: String,
    /// The directory of the store
    pub(crate) directory: PathBuf,
    /// Milliseconds since 1970
    pub(crate) from_ms: u64,
    pub(crate) until_ms: u64,
    pub(crate) number: usize,
}
