//! The rows of a damaged database file, read page by page without SQLite.
//!
//! Trees, indexes and the schema may be broken: every page that looks like a leaf of a table is read for
//! itself, in the file and in the valid frames of its WAL. What the rows are is for the caller to judge.
//! Nothing here is trusted: a page that makes no sense gives no rows. Only looks.
//!
//! Source: <https://www.sqlite.org/fileformat2.html>

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use rusqlite::types::Value;

use crate::paths::beside;

/// The page size of every log that was ever written, for where the header cannot say.
const USUAL_PAGE_BYTES: usize = 4096;
/// No row of ours is longer; a longer one is damage.
const LONGEST_ROW_BYTES: usize = 16 << 20;

/// A database file and its WAL, open for reading. Dropping it releases all locks that this process has on
/// the file (POSIX), so it is dropped after all connections to it.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) file: File,
    pub(super) wal: Option<File>,
    page_bytes: usize,
    pages: u32,
    /// Where in the WAL the latest committed version of a page is.
    newest: BTreeMap<u32, u64>,
    /// What the files were like before the first byte was read.
    stamps: [Stamp; 2],
}

/// Length and time of the last change of a file; `None`: there is nothing in it.
type Stamp = Option<(u64, SystemTime)>;

fn stamps(path: &Path) -> io::Result<[Stamp; 2]> {
    let stamp = |path: PathBuf| match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => Ok(None),
        Ok(metadata) => Ok(Some((metadata.len(), metadata.modified()?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    Ok([stamp(path.to_owned())?, stamp(beside(path, "-wal"))?])
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    File,
    Wal,
}

impl Image {
    /// Opens the files as they are.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let stamps = stamps(path)?;
        let file = File::open(path)?;
        let wal = File::open(beside(path, "-wal")).ok();
        let mut header = vec![0; 100];
        read_at(&file, &mut header, 0)?;
        let said = u16_at(&header, 16).map_or(0, usize::from);
        let page_bytes = match said {
            1 => 65_536,
            512.. if said.is_power_of_two() => said,
            _ => USUAL_PAGE_BYTES,
        };
        let length = file.metadata()?.len();
        let pages = length.div_ceil(u64::try_from(page_bytes).unwrap_or(u64::MAX));
        let mut image = Self {
            file,
            wal,
            page_bytes,
            pages: u32::try_from(pages).unwrap_or(u32::MAX),
            newest: BTreeMap::new(),
            stamps,
        };
        image.read_wal()?;
        Ok(image)
    }

    /// Tells whether anybody has written to the files since. Nobody can where the file is empty; SQLite then
    /// throws the WAL away when we look.
    pub(super) fn is_outdated(&self, path: &Path) -> io::Result<bool> {
        let had_something = self.stamps[0].is_some();
        Ok(had_something && stamps(path)? != self.stamps)
    }

    /// Gives every row of every leaf to `take`, with where it stands: first those of the file.
    pub(super) fn for_each_row(
        &self,
        mut take: impl FnMut(Source, i64, &[Value]),
    ) -> io::Result<()> {
        for number in 1..=self.pages {
            let page = self.page_of_file(number)?;
            self.rows_of(number, &page, &mut |rowid, values| {
                take(Source::File, rowid, values);
            });
        }
        for number in self.newest.keys() {
            let page = self.page(*number)?;
            self.rows_of(*number, &page, &mut |rowid, values| {
                take(Source::Wal, rowid, values);
            });
        }
        Ok(())
    }

    /// Notes the frames up to the last valid commit.
    fn read_wal(&mut self) -> io::Result<()> {
        let Some(wal) = &self.wal else {
            return Ok(());
        };
        let mut header = vec![0; 32];
        read_at(wal, &mut header, 0)?;
        let is_big = match u32_at(&header, 0) {
            Some(0x377f_0683) => true,
            Some(0x377f_0682) => false,
            _ => return Ok(()),
        };
        let page_bytes = u32_at(&header, 8).map_or(0, |bytes| bytes as usize);
        if !(512..=65_536).contains(&page_bytes) || !page_bytes.is_power_of_two() {
            return Ok(());
        }
        let sum = checksum((0, 0), &header[..24], is_big);
        if Some(sum) != u32_at(&header, 24).zip(u32_at(&header, 28)) {
            return Ok(());
        }
        self.page_bytes = page_bytes;
        let (mut sum, mut at, mut pending) = (sum, 32_u64, BTreeMap::new());
        let frame_bytes = 24 + page_bytes;
        let mut frame = vec![0; frame_bytes];
        while read_at(wal, &mut frame, at)? == frame_bytes {
            if frame[8..16] != header[16..24] {
                break;
            }
            sum = checksum(sum, &frame[..8], is_big);
            sum = checksum(sum, &frame[24..], is_big);
            if Some(sum) != u32_at(&frame, 16).zip(u32_at(&frame, 20)) {
                break;
            }
            pending.insert(u32_at(&frame, 0).unwrap_or(0), at + 24);
            if u32_at(&frame, 4) != Some(0) {
                self.newest.append(&mut pending);
            }
            at += u64::try_from(frame_bytes).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Reads a page as SQLite would see it.
    fn page(&self, number: u32) -> io::Result<Vec<u8>> {
        let (Some(wal), Some(at)) = (&self.wal, self.newest.get(&number)) else {
            return self.page_of_file(number);
        };
        let mut page = vec![0; self.page_bytes];
        read_at(wal, &mut page, *at)?;
        Ok(page)
    }

    fn page_of_file(&self, number: u32) -> io::Result<Vec<u8>> {
        let mut page = vec![0; self.page_bytes];
        let page_bytes = u64::try_from(self.page_bytes).unwrap_or(u64::MAX);
        let at = u64::from(number.saturating_sub(1)).saturating_mul(page_bytes);
        read_at(&self.file, &mut page, at)?;
        Ok(page)
    }

    fn rows_of(&self, number: u32, page: &[u8], take: &mut impl FnMut(i64, &[Value])) {
        const LEAF_OF_TABLE: u8 = 13;
        let start = if number == 1 { 100 } else { 0 };
        if page.get(start) != Some(&LEAF_OF_TABLE) {
            return;
        }
        for cell in 0..usize::from(u16_at(page, start + 3).unwrap_or(0)) {
            let Some(at) = u16_at(page, start + 8 + 2 * cell) else {
                return;
            };
            let row = self.row(page, usize::from(at));
            if let Some((rowid, values)) = row {
                take(rowid, &values);
            }
        }
    }

    fn row(&self, page: &[u8], at: usize) -> Option<(i64, Vec<Value>)> {
        let (length, at) = varint(page, at)?;
        let (rowid, at) = varint(page, at)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|n| *n <= LONGEST_ROW_BYTES)?;
        let usable = self.page_bytes;
        let most = usable - 35;
        let here = if length <= most {
            length
        } else {
            let least = (usable - 12) * 32 / 255 - 23;
            let fits = least + (length - least) % (usable - 4);
            if fits <= most { fits } else { least }
        };
        let mut payload = page.get(at..at + here)?.to_vec();
        let mut next = if here < length {
            u32_at(page, at + here)?
        } else {
            0
        };
        while payload.len() < length {
            if next == 0 {
                return None;
            }
            // A chain that runs in a circle ends with the length.
            let page = self.page(next).ok()?;
            let rest = (length - payload.len()).min(usable - 4);
            payload.extend_from_slice(page.get(4..4 + rest)?);
            next = u32_at(&page, 0)?;
        }
        Some((rowid, record(&payload)?))
    }
}

/// Reads as much as there is; the rest stays 0. Returns how much that was.
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        let from = at.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        let Some(rest) = into.get_mut(done..) else {
            break;
        };
        match file.read_at(rest, from) {
            Ok(0) => break,
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A sector that cannot be read is damage like any other.
            Err(error) if error.raw_os_error() == Some(5) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Decodes a record; `None`: it is none.
fn record(payload: &[u8]) -> Option<Vec<Value>> {
    let (header, mut at) = varint(payload, 0)?;
    let header = usize::try_from(header)
        .ok()
        .filter(|n| *n <= payload.len())?;
    let (mut values, mut body) = (vec![], header);
    while at < header {
        let (kind, next) = varint(payload, at)?;
        at = next;
        let integer = |bytes: usize| {
            let raw = payload.get(body..body + bytes)?;
            let first = if raw.first()? & 0x80 == 0 { 0 } else { -1_i64 };
            Some(
                raw.iter()
                    .fold(first, |value, byte| (value << 8) | i64::from(*byte)),
            )
        };
        let (value, bytes) = match kind {
            0 => (Value::Null, 0),
            1..=4 => {
                let bytes = usize::try_from(kind).ok()?;
                (Value::Integer(integer(bytes)?), bytes)
            }
            5 => (Value::Integer(integer(6)?), 6),
            6 => (Value::Integer(integer(8)?), 8),
            7 => {
                let raw = payload.get(body..body + 8)?.try_into().ok()?;
                (Value::Real(f64::from_be_bytes(raw)), 8)
            }
            8 => (Value::Integer(0), 0),
            9 => (Value::Integer(1), 0),
            12.. => {
                let bytes = usize::try_from((kind - 12) / 2).ok()?;
                let raw = payload.get(body..body.checked_add(bytes)?)?.to_vec();
                let value = match kind % 2 {
                    0 => Value::Blob(raw),
                    _ => Value::Text(String::from_utf8(raw).ok()?),
                };
                (value, bytes)
            }
            _ => return None,
        };
        values.push(value);
        body += bytes;
    }
    (at == header && body == payload.len()).then_some(values)
}

fn varint(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut value = 0_i64;
    for index in 0..9 {
        let byte = *bytes.get(at + index)?;
        if index == 8 {
            return Some(((value << 8) | i64::from(byte), at + 9));
        }
        value = (value << 7) | i64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    None
}

fn checksum(start: (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let raw = bytes.try_into().unwrap_or([0; 4]);
        if is_big {
            u32::from_be_bytes(raw)
        } else {
            u32::from_le_bytes(raw)
        }
    };
    bytes.chunks_exact(8).fold(start, |(one, two), pair| {
        let one = one.wrapping_add(word(&pair[..4])).wrapping_add(two);
        (one, two.wrapping_add(word(&pair[4..])).wrapping_add(one))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let raw = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(raw))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(raw))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn an_image_knows_when_somebody_has_written_since() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let log = Connection::open(&path).unwrap();
        log.execute_batch("pragma journal_mode = wal; create table t (x)")
            .unwrap();
        let image = Image::open(&path).unwrap();
        assert!(!image.is_outdated(&path).unwrap());
        log.execute_batch("insert into t values (1)").unwrap();
        assert!(image.is_outdated(&path).unwrap());
    }
}
