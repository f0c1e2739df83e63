//! `hzl events`

use crate::values;

/// Print the event log, one JSON object per line
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl events --limit 20
  hzl events --from 120 --follow")]
pub(crate) struct Args {
    /// Start after the event with this row id
    #[arg(long, value_name = "ROWID", value_parser = values::row_id)]
    pub(crate) from: Option<i64>,
    /// Print at most this many of the events there are already
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    pub(crate) limit: Option<u32>,
    /// Go on printing events as they are written
    #[arg(long)]
    pub(crate) follow: bool,
}
