//! What the files of the log look like when the projections hold all of it: whoever finds them so can read the
//! projections without opening the log.
//!
//! A commit makes the WAL longer, or begins it anew under another header. So the number of its frames that count, as a
//! length, and its header name a state of the log: while the file has that length and that header, nothing was
//! committed since. A WAL that is longer than its frames (it was begun anew in place, or somebody died while
//! writing) has no such length, and then the log has to be opened. Times of files play no part: they are too coarse.
//!
//! Invariant: a tip that fits is never wrong. It is read before the events that are then folded, and the
//! header twice, around the count.

use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::Connection;

use crate::paths::beside;
use crate::vetted::UNBAITED;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// A state of the log, as its files show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tip {
    log: [u64; 2],
    wal: [u64; 2],
    length: u64,
    header: [u8; HEADER_BYTES],
}

impl Tip {
    /// Reads from the connection to the log what all that is committed now looks like in its files; `None` where
    /// they do not show it, or a transaction is open on it.
    pub(crate) fn of(log: &Connection) -> Option<Self> {
        if !log.is_autocommit() {
            return None;
        }
        let path = Path::new(log.path()?);
        let wal = open(&beside(path, "-wal"))?;
        let before = header(&wal)?;
        let length = committed_length(log, before)?;
        let tip = Self::seen(path, &wal, length)?;
        (tip.header == before).then_some(tip)
    }

    /// Looks at the files of the log, without SQLite.
    pub(crate) fn at(log: &Path) -> Option<Self> {
        let path = beside(log, "-wal");
        // Before the header is read: a commit after that is the business of whoever reads next.
        let length = fs::symlink_metadata(&path).ok()?.len();
        Self::seen(log, &open(&path)?, length)
    }

    fn seen(log: &Path, wal: &File, length: u64) -> Option<Self> {
        let log = fs::symlink_metadata(log).ok()?;
        // An empty one has been emptied by somebody: that is for the ledger to say.
        (log.is_file() && log.len() > 0).then_some(())?;
        Some(Self {
            log: identity(&log),
            wal: identity(&wal.metadata().ok()?),
            length,
            header: header(wal)?,
        })
    }

    /// The form in which the projections keep it: numbers in the byte order of this machine.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let numbers = [self.log, self.wal].concat();
        let numbers = numbers.into_iter().chain([self.length]);
        let mut bytes: Vec<u8> = numbers.flat_map(u64::to_ne_bytes).collect();
        bytes.extend(self.header);
        bytes
    }
}

fn identity(metadata: &Metadata) -> [u64; 2] {
    [metadata.dev(), metadata.ino()]
}

/// SQLite holds no locks on a WAL, so closing it takes none away.
fn open(wal: &Path) -> Option<File> {
    let opened = File::options().read(true).custom_flags(UNBAITED).open(wal);
    opened.ok()
}

fn header(wal: &File) -> Option<[u8; HEADER_BYTES]> {
    let mut header = [0; HEADER_BYTES];
    wal.read_exact_at(&mut header, 0).ok()?;
    Some(header)
}

/// How long a WAL with this header is up to its last committed frame.
fn committed_length(log: &Connection, header: [u8; HEADER_BYTES]) -> Option<u64> {
    let count = log.query_row("pragma wal_checkpoint(noop)", [], |row| {
        row.get::<_, i64>(1)
    });
    let frames = u64::try_from(count.ok()?).ok()?;
    let page_bytes = u32::from_be_bytes(*header[8..].first_chunk()?);
    let frame_bytes = FRAME_HEADER_BYTES + u64::from(page_bytes);
    (frames > 0).then_some(HEADER_BYTES as u64 + frames * frame_bytes)
}
