//! The format of exports: one JSON object per line, a header and then the events.
//!
//! The keys of an event are those of HZL 3.2.0, which can read what is exported here but for the header,
//! and whose exports, without a header, can be read here.

use std::io;
use std::io::BufRead;
use std::io::Write;

use hzl_core::ids::DeviceId;
use hzl_core::ids::EventId;
use hzl_store::log::StoredEvent;
use hzl_store::replica::CloudCursor;
use hzl_store::replica::PullBasis;
use hzl_store::transfer::Origin;
use hzl_store::transfer::Transfer;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::output::one_line;

/// The format version in the header.
const VERSION: u32 = 1;
/// No line is longer, in bytes; the payload of an event has a limit of its own.
const LINE_BYTES: u64 = 8 * 1024 * 1024;

/// Any line of an export.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum AnyLine {
    /// The first one.
    Header(Header),
    /// All others.
    Event(EventLine),
}

/// The first line of an export.
#[derive(Debug, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Version of the format.
    pub(crate) hzl_export: u32,
    instance_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud_instance_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<Cursor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rewind_points: Vec<i64>,
    /// How many lines follow.
    pub(crate) events: u64,
}

#[derive(Debug, JsonSchema, Serialize, Deserialize)]
struct Cursor {
    seq: i64,
    event_id: String,
    received_at: String,
}

/// A line that is an event.
#[derive(Debug, JsonSchema, Serialize, Deserialize)]
pub(crate) struct EventLine {
    event_id: EventId,
    task_id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Box<RawValue>,
    #[serde(default = "one")]
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    timestamp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis_seq: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud_seq: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received_at: Option<String>,
    /// Only in what `hzl events` prints, which leaves out what an import needs.
    #[serde(default, skip_serializing)]
    rowid: Option<i64>,
}

fn one() -> u32 {
    1
}

impl Header {
    /// Makes the header of an export.
    pub(crate) fn new(origin: &Origin, events: u64) -> Self {
        let cloud = origin.cloud.clone();
        Self {
            hzl_export: VERSION,
            instance_id: origin.instance_id.clone(),
            cloud_instance_id: cloud.joined,
            cursor: cloud.cursor.map(|cursor| Cursor {
                seq: cursor.seq,
                event_id: cursor.event_id,
                received_at: cursor.received_at,
            }),
            rewind_points: cloud.rewind_points,
            events,
        }
    }

    fn into_origin(self) -> Origin {
        Origin {
            instance_id: self.instance_id,
            cloud: PullBasis {
                joined: self.cloud_instance_id,
                cursor: self.cursor.map(|cursor| CloudCursor {
                    seq: cursor.seq,
                    event_id: cursor.event_id,
                    received_at: cursor.received_at,
                }),
                rewind_points: self.rewind_points,
            },
        }
    }
}

impl EventLine {
    /// Makes the line of an event.
    pub(crate) fn new(transfer: &Transfer) -> Self {
        let Transfer {
            event,
            device,
            seq,
            received_at,
        } = transfer.clone();
        Self {
            event_id: event.event_id,
            task_id: event.task_id,
            kind: event.kind,
            data: one_line(&event.data),
            schema_version: event.schema_version,
            author: event.author,
            agent_id: event.agent_id,
            session_id: event.session_id,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            timestamp: event.timestamp,
            basis_seq: event.basis_seq,
            epoch: event.epoch,
            device_id: device,
            cloud_seq: seq,
            received_at,
            rowid: None,
        }
    }

    fn into_transfer(self) -> Transfer {
        Transfer {
            event: StoredEvent {
                rowid: 0,
                event_id: self.event_id,
                task_id: self.task_id,
                kind: self.kind,
                data: self.data.get().to_owned(),
                schema_version: self.schema_version,
                author: self.author,
                agent_id: self.agent_id,
                session_id: self.session_id,
                correlation_id: self.correlation_id,
                causation_id: self.causation_id,
                timestamp: self.timestamp,
                basis_seq: self.basis_seq,
                epoch: self.epoch,
            },
            device: self.device_id,
            seq: self.cloud_seq,
            received_at: self.received_at,
        }
    }
}

/// Reads exports line by line.
pub(crate) struct Reader<R> {
    lines: R,
    buffer: Vec<u8>,
    /// Number of the line read last, from 1.
    pub(crate) line: u64,
    /// Where the file says it is from.
    pub(crate) origin: Option<Origin>,
    /// The first event, where the first line is no header.
    first: Option<std::result::Result<Transfer, BadLine>>,
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct BadLine {
    /// Its number, from 1.
    pub(crate) line: u64,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// Why reading cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("the file was written by a newer hzl: its format version is {0}")]
    NewerFormat(u32),
    #[error("line {0} is longer than {LINE_BYTES} bytes")]
    TooLong(u64),
}

/// Copies lines up to the end, or to where a line is longer than any: reading the copy says so. Otherwise what is
/// no text, such as `/dev/zero`, would fill the disk.
///
/// # Errors
///
/// As the reader and the writer.
pub(crate) fn copy(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    let mut length = 0;
    loop {
        let bytes = from.fill_buf()?;
        let count = bytes.len();
        if count == 0 {
            return Ok(());
        }
        to.write_all(bytes)?;
        length = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => count - at - 1,
            None => length + count,
        };
        from.consume(count);
        if length as u64 > LINE_BYTES {
            return Ok(());
        }
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header, if there is one.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is of a newer format.
    pub(crate) fn new(lines: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            lines,
            buffer: vec![],
            line: 0,
            origin: None,
            first: None,
        };
        if !reader.advance()? {
            return Ok(reader);
        }
        match serde_json::from_slice::<Header>(&reader.buffer) {
            Ok(header) if header.hzl_export > VERSION => {
                return Err(ReadError::NewerFormat(header.hzl_export));
            }
            Ok(header) => reader.origin = Some(header.into_origin()),
            Err(_) => reader.first = Some(reader.parse()),
        }
        Ok(reader)
    }

    /// Reads the next event, or the next line that is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Result<Transfer, BadLine>>, ReadError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        Ok(if self.advance()? {
            Some(self.parse())
        } else {
            None
        })
    }

    /// Reads the next line that is not blank.
    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            self.buffer.clear();
            let mut limited = std::io::Read::take(&mut self.lines, LINE_BYTES + 1);
            let read = limited.read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(false);
            }
            self.line += 1;
            if self.buffer.len() as u64 > LINE_BYTES {
                return Err(ReadError::TooLong(self.line));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn parse(&self) -> Result<Transfer, BadLine> {
        let bad = |reason: String| BadLine {
            line: self.line,
            reason,
        };
        let line: EventLine =
            serde_json::from_slice(&self.buffer).map_err(|error| bad(what_is_wrong(&error)))?;
        if line.rowid.is_some() && self.origin.is_none() {
            let reason = "it was printed by `hzl events`, which leaves out what an import needs";
            return Err(bad(reason.to_owned()));
        }
        Ok(line.into_transfer())
    }
}

/// Returns the parser's words without its place: it knows of one line only.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.replace(&place, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"event_id":"E","task_id":"T","type":"comment_added","data":{ "text":"x" },"timestamp":"2026-01-01T00:00:00.000Z"}"#;

    #[test]
    fn what_has_no_lines_is_not_copied_for_ever() {
        let mut endless = std::io::BufReader::new(std::io::repeat(0));
        let mut copy = vec![];
        super::copy(&mut endless, &mut copy).unwrap();
        assert!((LINE_BYTES..2 * LINE_BYTES).contains(&(copy.len() as u64)));
        let mut lines = "a\nb\n".repeat(8_000_000);
        lines.push('c');
        copy.clear();
        super::copy(&mut lines.as_bytes(), &mut copy).unwrap();
        assert_eq!(copy.len(), lines.len());
    }

    #[test]
    fn an_export_without_a_header_is_one_of_3_2_0() {
        let mut reader = Reader::new(EVENT.as_bytes()).unwrap();
        assert!(reader.origin.is_none());
        let transfer = reader.next().unwrap().unwrap().unwrap();
        assert_eq!(transfer.event.data, "{ \"text\":\"x\" }", "byte for byte");
        assert_eq!(
            (transfer.event.schema_version, transfer.event.epoch),
            (1, None)
        );
        assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn bad_lines_are_named_and_blank_ones_skipped() {
        let text = format!("\n{EVENT}\n\nnonsense\n{EVENT}");
        let mut reader = Reader::new(text.as_bytes()).unwrap();
        assert!(reader.next().unwrap().unwrap().is_ok());
        let bad = reader.next().unwrap().unwrap().unwrap_err();
        assert_eq!(bad.line, 4);
        assert!(reader.next().unwrap().unwrap().is_ok());
        assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn a_newer_format_and_what_hzl_events_prints_are_refused() {
        let newer = r#"{"hzl_export":2,"instance_id":"I","events":0}"#;
        assert!(matches!(
            Reader::new(newer.as_bytes()),
            Err(ReadError::NewerFormat(2))
        ));
        let printed = EVENT.replace("\"event_id\"", "\"rowid\":1,\"event_id\"");
        let mut reader = Reader::new(printed.as_bytes()).unwrap();
        let bad = reader.next().unwrap().unwrap().unwrap_err();
        assert!(bad.reason.contains("hzl events"), "{bad:?}");
    }
}
