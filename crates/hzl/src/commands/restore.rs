//! `hzl restore`

use std::io;
use std::path::Path;
use std::path::PathBuf;

use hzl_store::Access;
use hzl_store::Error;
use hzl_store::StorePaths;
use hzl_store::backup;
use hzl_store::ledger::Ledger;
use schemars::JsonSchema;
use serde::Serialize;
use tempfile::TempDir;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::new_file::NewFile;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;
use crate::refusal;

/// Bring a backup back
///
/// Into an empty store. With --force also over a ledger that holds something: that one is backed up
/// first, beside the database, and the answer says where. On a synced ledger the next sync brings what
/// the cloud has. To add events without replacing any, see `hzl import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl restore ledger-2026-12-01.db
  hzl restore ledger-2026-12-01.db --force")]
pub(crate) struct Args {
    /// The backup, or the events.db of HZL 3.2.0
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace a ledger that holds something, after backing it up
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Restored {
    path: String,
    events: u64,
    /// Where the ledger is that was here before.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// Restores the backup.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let source = ctx.environment.current_dir.join(&args.file);
    // Everything about the backup is found out before the ledger is touched.
    let (mut scratch, directory) = open_copy(&source)?;
    let mut ledger = ctx.ledger(Purpose::Inspect)?;
    let held = ledger.count_own_events()?;
    if held > 0 && !args.force {
        let message = format!(
            "there is a ledger here already: it holds {}",
            counted(held, "event")
        );
        return Err(CommandError::new(Kind::Input, message)
            .hint("add what it lacks with `hzl export` there and `hzl import` here")
            .hint("or replace it with --force; it is backed up first"));
    }
    let previous = (held > 0).then(|| keep(&ledger)).transpose()?;
    let restored = ledger.restore(&mut scratch).map_err(refusal::not_written)?;
    drop(scratch);
    drop(directory);
    ctx.output.answer(&Restored {
        path: ledger.files().paths.events.to_string_lossy().into_owned(),
        events: restored.events,
        previous: previous.map(|path| path.to_string_lossy().into_owned()),
    })
}

/// Opens a copy of the backup as a store of its own: an old format is brought up to date there.
fn open_copy(source: &Path) -> Result<(Ledger, TempDir), CommandError> {
    let failed = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::General,
        };
        CommandError::new(kind, format!("{} cannot be read", source.display())).caused_by(error)
    };
    std::fs::metadata(source).map_err(failed)?;
    let directory = tempfile::tempdir().map_err(failed)?;
    let paths = StorePaths {
        events: directory.path().join("events.db"),
        cache: directory.path().join("cache.db"),
    };
    let copy = NewFile::create(&paths.events, false)?;
    backup::copy(source, copy.temporary_path()).map_err(|error| not_a_backup(source, error))?;
    copy.keep()?;
    let scratch = Ledger::open(&paths, Access::Existing);
    let scratch = scratch.map_err(|error| not_a_backup(source, error))?;
    Ok((scratch, directory))
}

/// Names the backup, not the copy of it that was looked at.
fn not_a_backup(source: &Path, error: Error) -> CommandError {
    let message = format!("nothing was restored: {} is no backup", source.display());
    let is_damaged = matches!(error, Error::Corrupt { .. });
    let failure = CommandError::new(Kind::Database, message)
        .detail("path", source.to_string_lossy())
        .caused_by(error);
    if is_damaged {
        return failure.hint("it is damaged: try another backup");
    }
    failure.hint("name a file that `hzl backup` wrote, or an events.db")
}

/// Backs up what is here, beside the database.
fn keep(ledger: &Ledger) -> Result<PathBuf, CommandError> {
    let events = &ledger.files().paths.events;
    let mut name = events.as_os_str().to_owned();
    name.push(format!(".before-restore-{}", ledger.now().millis()));
    let path = PathBuf::from(name);
    let file = NewFile::create(&path, false)?;
    ledger.back_up(file.temporary_path())?;
    file.keep()?;
    Ok(path)
}

impl Answer for Restored {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "Restored {} to {}",
            counted(self.events, "event"),
            self.path
        ));
        if let Some(previous) = &self.previous {
            md.field("The ledger that was here", previous);
        }
    }
}
