//! `hzl import`

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Seek as _;
use std::path::Path;
use std::path::PathBuf;

use hzl_store::transfer::Refused;
use hzl_store::transfer::Source;
use hzl_store::transfer::Transfer;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::ndjson;
use crate::ndjson::BadLine;
use crate::ndjson::ReadError;
use crate::ndjson::Reader;
use crate::output::Answer;
use crate::output::Md;

/// How many bad lines are listed.
const LISTED: usize = 20;

/// Take over the events of an export
///
/// Reads what `hzl export` or the export of HZL 3.2.0 wrote. What is here already is skipped, so it may
/// be repeated; nothing is replaced. An empty store becomes a replica of the exported ledger. All or
/// nothing, unless --skip-invalid is given. No hooks run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl import ledger.ndjson
  hzl import ledger.ndjson --dry-run
  hzl import - --skip-invalid")]
pub(crate) struct Args {
    /// The file to read, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave out lines that are no events instead of giving up
    #[arg(long)]
    pub(crate) skip_invalid: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Done {
    imported: u64,
    skipped: u64,
    errors: u64,
    /// Lines that were left out, the first ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invalid: Vec<BadLine>,
    became_replica: bool,
    dry_run: bool,
}

/// Imports the events.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let path = if args.file == Path::new("-") {
        PathBuf::from("standard input")
    } else {
        ctx.environment.current_dir.join(&args.file)
    };
    let input = open(&args.file, &path).map_err(|error| unreadable(&path, error))?;
    let reader = Reader::new(BufReader::new(input)).map_err(|error| unusable(&path, error))?;
    let purpose = match args.dry_run {
        true => Purpose::Inspect,
        false => Purpose::Fill,
    };
    let mut ledger = ctx.ledger(purpose)?;
    let origin = reader.origin.clone();
    let mut lines = Lines {
        reader,
        path: &path,
        skip_invalid: args.skip_invalid,
        invalid: vec![],
        invalid_count: 0,
    };
    let imported = ctx.write(&mut ledger, |ledger| {
        ledger.import(origin.as_ref(), args.dry_run, &mut lines)
    })?;
    ctx.output.answer(&Done {
        imported: imported.imported,
        skipped: imported.skipped,
        errors: lines.invalid_count,
        invalid: lines.invalid,
        became_replica: imported.became_replica,
        dry_run: args.dry_run,
    })
}

/// The events of a file, and the lines that are none.
struct Lines<'a, R> {
    reader: Reader<R>,
    path: &'a Path,
    skip_invalid: bool,
    /// The first of them.
    invalid: Vec<BadLine>,
    invalid_count: u64,
}

impl<R: BufRead> Source for Lines<'_, R> {
    type Error = CommandError;

    fn next(&mut self) -> Result<Option<Transfer>, CommandError> {
        loop {
            let next = self.reader.next();
            match next.map_err(|error| unusable(self.path, error))? {
                Some(Ok(transfer)) => return Ok(Some(transfer)),
                Some(Err(bad)) => self.add(bad),
                None if self.invalid_count > 0 && !self.skip_invalid => return Err(self.failure()),
                None => return Ok(None),
            }
        }
    }

    fn refused(&mut self, transfer: &Transfer, reason: Refused) {
        let reason = match reason {
            Refused::Unacceptable(reason) => reason.to_owned(),
            Refused::IdTaken => {
                let event_id = &transfer.event.event_id;
                format!("event {event_id} is here already, with another content")
            }
        };
        let line = self.reader.line;
        self.add(BadLine { line, reason });
    }
}

impl<R> Lines<'_, R> {
    fn add(&mut self, bad: BadLine) {
        self.invalid_count += 1;
        if self.invalid.len() < LISTED {
            self.invalid.push(bad);
        }
    }

    fn failure(&self) -> CommandError {
        let first = self.invalid.first();
        let (line, reason) = first.map_or((0, ""), |bad| (bad.line, bad.reason.as_str()));
        let (count, path) = (self.invalid_count, self.path.display());
        let message = format!(
            "nothing was imported: {count} lines of {path} are no events; line {line}: {reason}"
        );
        let listed = serde_json::to_value(&self.invalid).unwrap_or_default();
        CommandError::new(Kind::Input, message)
            .detail("invalid", listed)
            .hint("leave them out with --skip-invalid")
    }
}

/// Opens the input. What is no file is copied first: nobody waits for a slow pipe.
fn open(given: &Path, path: &Path) -> io::Result<File> {
    let mut source: Box<dyn io::Read> = if given == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path)?;
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Box::new(file)
    };
    let mut copy = tempfile::tempfile()?;
    ndjson::copy(&mut BufReader::new(&mut source), &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}

fn unreadable(path: &Path, error: io::Error) -> CommandError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        _ => Kind::General,
    };
    let message = format!("{} cannot be read", path.display());
    CommandError::new(kind, message).caused_by(error)
}

fn unusable(path: &Path, error: ReadError) -> CommandError {
    let failure = match error {
        ReadError::Io(error) => return unreadable(path, error),
        ReadError::NewerFormat(_) => {
            CommandError::new(Kind::Input, error.to_string()).hint("update hzl on this machine")
        }
        ReadError::TooLong(_) => CommandError::new(Kind::Input, error.to_string()),
    };
    failure.detail("path", path.to_string_lossy())
}

impl Answer for Done {
    fn md(&self, md: &mut Md) {
        let would = if self.dry_run {
            "Would import"
        } else {
            "Imported"
        };
        md.ok(&format!(
            "{would} {} events, {} were here already",
            self.imported, self.skipped
        ));
        if self.became_replica {
            md.line("This store was empty; it is a replica of the exported ledger.");
        }
        for bad in &self.invalid {
            md.warning(&format!("line {}: {}", bad.line, bad.reason));
        }
    }
}
