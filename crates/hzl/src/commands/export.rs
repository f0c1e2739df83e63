//! `hzl export`

use std::path::Path;
use std::path::PathBuf;

use hzl_store::ledger::Ledger;
use hzl_store::transfer::Item;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::ndjson::EventLine;
use crate::ndjson::Header;
use crate::new_file::NewFile;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;

/// How many bytes are written at once.
const BATCH_BYTES: usize = 64 * 1024;

/// Write the whole ledger as text, one event per line
///
/// `hzl import` reads it: an empty store becomes a replica of this ledger, another takes over what it
/// does not have. Settings and credentials are not in it. To standard output unless a file is named.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl export ledger.ndjson
  hzl export | gzip > ledger.ndjson.gz
  hzl export ledger.ndjson --force")]
pub(crate) struct Args {
    /// Write into this file, which only you can read
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Exported {
    path: String,
    events: u64,
}

/// Exports the ledger.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let ledger = ctx.ledger(Purpose::Inspect)?;
    match args.file.as_deref().filter(|path| *path != Path::new("-")) {
        None => lines(&ledger, |text| ctx.output.text(text)).map(drop),
        Some(path) => {
            let path = ctx.environment.current_dir.join(path);
            let events = write_file(&ledger, &path, args.force)?;
            ctx.output.answer(&Exported {
                path: path.to_string_lossy().into_owned(),
                events,
            })
        }
    }
}

/// Gives the lines to `sink`, many at a time, and returns how many events there are.
fn lines(
    ledger: &Ledger,
    mut sink: impl FnMut(&str) -> Result<(), CommandError>,
) -> Result<u64, CommandError> {
    let mut batch = String::new();
    let events = ledger.export::<CommandError>(|item| {
        let line = match item {
            Item::Origin(origin, events) => serde_json::to_string(&Header::new(origin, events)),
            Item::Event(transfer) => serde_json::to_string(&EventLine::new(transfer)),
        };
        batch.push_str(&line.map_err(|error| CommandError::from_output(error.into()))?);
        batch.push('\n');
        if batch.len() >= BATCH_BYTES {
            sink(&batch)?;
            batch.clear();
        }
        Ok(())
    })?;
    sink(&batch)?;
    Ok(events)
}

fn write_file(ledger: &Ledger, path: &Path, force: bool) -> Result<u64, CommandError> {
    let mut file = NewFile::create(path, force)?;
    let events = lines(ledger, |text| file.write(text.as_bytes()))?;
    file.keep()?;
    Ok(events)
}

impl Answer for Exported {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Wrote {} to {}",
            counted(self.events, "event"),
            self.path
        ));
    }
}
