//! `hzl import`

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Seek as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;

use hzl_store::transfer::Candidate;
use hzl_store::transfer::Refused;
use hzl_store::transfer::Source;
use hzl_store::transfer::Transfer;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::ndjson::BadLine;
use crate::ndjson::LINE_BYTES;
use crate::ndjson::ReadError;
use crate::ndjson::Reader;
use crate::output::Answer;
use crate::output::Md;

/// How many bad lines are listed.
const LISTED: usize = 20;
/// No input that is not a file is longer, in bytes: it is copied before anything is looked at.
const PIPE_BYTES: u64 = 512 * 1024 * 1024;

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
    let input = open(&args.file, &path)?;
    let reader = Reader::new(BufReader::new(input)).map_err(|error| unusable(&path, error))?;
    let purpose = match args.dry_run {
        true => Purpose::Inspect,
        false => Purpose::Fill,
    };
    let mut ledger = ctx.ledger(purpose)?;
    let origin = reader.origin.clone();
    let done = read_ahead(reader, |read| {
        let mut lines = Lines {
            read,
            line: 0,
            path: &path,
            skip_invalid: args.skip_invalid,
            invalid: vec![],
            invalid_count: 0,
        };
        let imported = ctx.write(&mut ledger, |ledger| {
            ledger.import(origin.as_ref(), args.dry_run, &mut lines)
        })?;
        Ok::<_, CommandError>(Done {
            imported: imported.imported,
            skipped: imported.skipped,
            errors: lines.invalid_count,
            invalid: lines.invalid,
            became_replica: imported.became_replica,
            dry_run: args.dry_run,
        })
    })?;
    ctx.output.answer(&done)
}

/// A line by its number, and the event in it or what is wrong with it.
type Line = (u64, Result<Candidate, BadLine>);
/// Lines as they are read, until reading fails or the file ends.
type Read<'a> = dyn Iterator<Item = Result<Line, ReadError>> + 'a;

/// How many lines are handed over at once, and how many bytes of data, but for the last line's.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 * 1024;
/// Batches that wait to be imported.
const WAITING: usize = 4;

/// Lets `work` have the lines of a file, which a second thread reads, parses and checks beside it. Where no thread
/// is to be had, each is read when its turn comes.
fn read_ahead<R: BufRead + Send, T>(reader: Reader<R>, work: impl FnOnce(&mut Read<'_>) -> T) -> T {
    let reader = Mutex::new(reader);
    let lock = || reader.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        let (sender, batches) = mpsc::sync_channel(WAITING);
        let read = move || {
            let mut reader = lock();
            // It is over when nobody wants any more, too.
            while let Some(batch) = next_batch(&mut reader)
                && sender.send(batch).is_ok()
            {}
        };
        match thread::Builder::new().spawn_scoped(scope, read) {
            Ok(_) => work(&mut batches.into_iter().flatten()),
            Err(_) => {
                let mut reader = lock();
                work(&mut std::iter::from_fn(|| next_line(&mut reader)))
            }
        }
    })
}

fn next_batch<R: BufRead>(reader: &mut Reader<R>) -> Option<Vec<Result<Line, ReadError>>> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut bytes = 0;
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        let Some(line) = next_line(reader) else { break };
        if let Ok((_, Ok(candidate))) = &line {
            bytes += candidate.transfer.event.data.len();
        }
        batch.push(line);
    }
    (!batch.is_empty()).then_some(batch)
}

fn next_line<R: BufRead>(reader: &mut Reader<R>) -> Option<Result<Line, ReadError>> {
    let next = reader.next().transpose()?;
    Some(next.map(|found| (reader.line, found.map(Candidate::of))))
}

/// The events of a file, and the lines that are none.
struct Lines<'a, 'r> {
    read: &'a mut Read<'r>,
    /// The one given last.
    line: u64,
    path: &'a Path,
    skip_invalid: bool,
    /// The first of them.
    invalid: Vec<BadLine>,
    invalid_count: u64,
}

impl Source for Lines<'_, '_> {
    type Error = CommandError;

    fn next(&mut self) -> Result<Option<Candidate>, CommandError> {
        loop {
            let next = self.read.next().transpose();
            match next.map_err(|error| unusable(self.path, error))? {
                Some((line, Ok(candidate))) => {
                    self.line = line;
                    return Ok(Some(candidate));
                }
                Some((_, Err(bad))) => self.add(bad),
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
        let line = self.line;
        self.add(BadLine { line, reason });
    }
}

impl Lines<'_, '_> {
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
fn open(given: &Path, path: &Path) -> Result<File, CommandError> {
    let failed = |error: io::Error| unreadable(path, error);
    let source: Box<dyn io::Read> = if given == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_file() {
            return Ok(file);
        }
        Box::new(file)
    };
    let mut copy = tempfile::tempfile().map_err(failed)?;
    copy_all(source, &mut copy).map_err(|error| unusable(path, error))?;
    copy.rewind().map_err(failed)?;
    Ok(copy)
}

/// Copies an input, and stops where it can be no export.
fn copy_all(source: impl io::Read, copy: &mut impl io::Write) -> Result<(), ReadError> {
    let mut source = BufReader::with_capacity(64 * 1024, source);
    let (mut line, mut line_bytes, mut bytes) = (1, 0, 0);
    loop {
        let piece = source.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        copy.write_all(piece)?;
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            line_bytes += part.len() as u64;
            if line_bytes > LINE_BYTES {
                return Err(ReadError::TooLong(line));
            }
            if part.ends_with(b"\n") {
                (line, line_bytes) = (line + 1, 0);
            }
        }
        let length = piece.len();
        bytes += length as u64;
        if bytes > PIPE_BYTES {
            return Err(ReadError::TooMuch(PIPE_BYTES));
        }
        source.consume(length);
    }
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
        ReadError::TooMuch(_) => CommandError::new(Kind::Input, error.to_string())
            .hint("put it into a file and import that"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: usize, data_bytes: usize) -> String {
        let event = |n: usize| {
            let padding = "x".repeat(data_bytes);
            format!(
                r#"{{"event_id":"E{n}","task_id":"T","type":"comment_added","data":{{"text":"{padding}"}},"timestamp":"2026-01-01T00:00:00.000Z"}}"#
            )
        };
        let line = |n| match n % 300 {
            299 => "nonsense\n".to_owned(),
            _ => event(n) + "\n",
        };
        (0..lines).map(line).collect()
    }

    fn shown(line: &Result<Line, ReadError>) -> String {
        match line {
            Ok((number, Ok(candidate))) => {
                format!("{number} {}", candidate.transfer.event.event_id)
            }
            Ok((number, Err(bad))) => format!("{number} {}", bad.line),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lines_that_are_read_ahead_are_those_of_the_file() {
        let text = text(3 * BATCH + 7, 10);
        let mut reader = Reader::new(text.as_bytes()).unwrap();
        let mut expected = vec![];
        while let Some(line) = next_line(&mut reader) {
            expected.push(shown(&line));
        }
        assert_eq!(
            (expected.len(), &*expected[299]),
            (3 * BATCH + 7, "300 300")
        );
        let reader = Reader::new(text.as_bytes()).unwrap();
        let read = read_ahead(reader, |read| {
            read.map(|line| shown(&line)).collect::<Vec<_>>()
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn whoever_wants_no_more_lines_does_not_wait_for_the_rest() {
        let text = text(100 * BATCH, 10);
        let reader = Reader::new(text.as_bytes()).unwrap();
        let first = read_ahead(reader, |read| read.next().map(|line| shown(&line)));
        assert_eq!(first.as_deref(), Some("1 E0"));
    }

    #[test]
    fn long_lines_wait_in_small_numbers() {
        let text = text(10, BATCH_BYTES / 3);
        let mut reader = Reader::new(text.as_bytes()).unwrap();
        let sizes: Vec<usize> = std::iter::from_fn(|| next_batch(&mut reader))
            .map(|batch| batch.len())
            .collect();
        assert_eq!(sizes, [3, 3, 3, 1]);
    }
}
