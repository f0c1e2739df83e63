//! `hzl backup`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::new_file::NewFile;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;

/// Copy the ledger into one file, while others go on working
///
/// The copy is of one moment and is read back before the command ends. `hzl restore` brings it back.
/// Settings and credentials are not in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl backup ledger-2026-12-01.db
  hzl backup ledger.db --force")]
pub(crate) struct Args {
    /// Write this file, which only you can read
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the file if there is one
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct BackedUp {
    path: String,
    events: u64,
    /// The copy was read back and checked.
    verified: bool,
}

/// Backs the ledger up.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let ledger = ctx.ledger(Purpose::Inspect)?;
    let path = ctx.environment.current_dir.join(&args.file);
    let file = NewFile::create(&path, args.force)?;
    let verified = ledger.back_up(file.temporary_path())?;
    file.keep()?;
    ctx.output.answer(&BackedUp {
        path: path.to_string_lossy().into_owned(),
        events: verified.events,
        verified: true,
    })
}

impl Answer for BackedUp {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Wrote {} to {}",
            counted(self.events, "event"),
            self.path
        ));
    }
}
