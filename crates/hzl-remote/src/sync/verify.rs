//! Compares the log here with the cloud, row by row. Looks only; repairs nothing.
//!
//! Everything up to the cursor that the comparison began with: what arrives later is for the next one. The
//! cloud is read in pages, as by a pull; the rows here in pages too.

use std::iter::Peekable;

use hzl_store::ledger::Ledger;
use hzl_store::replica::CloudRow;

use super::announce::device_of;
use super::error::SyncError;
use super::plan::View;
use super::remote::Remote;
use super::run::{PAGE_ROWS, bad_reply};
use super::wire::{self, PullReply};
use crate::error::{RemoteError, SqlErrorKind};

/// How many discrepancies are listed.
pub const LISTED: usize = 20;
/// How often a comparison begins anew because the store or the cloud was rewound or replaced meanwhile.
const TRIES: u32 = 3;
/// How often a busy server is asked again for a page.
const BUSY_TRIES: u32 = 20;

/// What came of a comparison.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogCheck {
    /// Settled events here.
    pub here: u64,
    /// Events in the cloud, up to the same sequence.
    pub there: u64,
    /// Rows that are on both sides.
    pub compared: u64,
    /// Rows that are here and not in the cloud.
    pub missing: u64,
    /// Rows that are in the cloud and not here.
    pub extra: u64,
    /// Rows that are on both sides and not the same.
    pub different: u64,
    /// Rows of the cloud that are no events of hzl; they were set aside here.
    pub set_aside: u64,
    /// The first [`LISTED`] rows that are not the same on both sides.
    pub discrepancies: Vec<Discrepancy>,
}

impl LogCheck {
    /// Tells whether the cloud has what is here, and nothing else.
    pub fn is_same(&self) -> bool {
        self.missing + self.extra + self.different == 0
    }
}

/// A row that is not the same on both sides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discrepancy {
    /// Its sequence in the cloud.
    pub seq: i64,
    /// The event there, as it is here; of an extra one as it is in the cloud.
    pub event_id: String,
    /// Its task.
    pub task_id: String,
    /// What is wrong.
    pub what: Wrong,
}

/// What is wrong with a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// The cloud lacks it.
    Missing,
    /// It is in the cloud only.
    Extra,
    /// These columns are not the same.
    Different(Vec<&'static str>),
}

/// Compares all rows up to the cursor; `on_progress` hears how many of how many sequences are done.
///
/// # Errors
/// See [`SyncError`]; [`SyncError::ChangedMeanwhile`] if the cloud was rewound or replaced all the time.
pub fn verify(
    ledger: &mut Ledger,
    remote: &mut dyn Remote,
    device_name: Option<String>,
    on_progress: &mut dyn FnMut(u64),
) -> Result<LogCheck, SyncError> {
    for _ in 0..TRIES {
        let before = basis(ledger)?;
        let checked = compare(ledger, remote, on_progress);
        if basis(ledger)? != before {
            continue;
        }
        let Some(check) = checked? else { continue };
        exchange_devices(ledger, remote, device_name)?;
        return Ok(check);
    }
    Err(SyncError::ChangedMeanwhile)
}

/// What the numbering of settled rows depends on.
fn basis(ledger: &Ledger) -> Result<(Option<String>, Vec<i64>, i64), SyncError> {
    let (view, state) = (View::of(ledger)?, ledger.sync_state()?);
    Ok((view.membership.joined, view.rewind_points, state.generation))
}

/// `None`: the cloud is not the one of the beginning any more.
fn compare(
    ledger: &Ledger,
    remote: &mut dyn Remote,
    on_progress: &mut dyn FnMut(u64),
) -> Result<Option<LogCheck>, SyncError> {
    let view = View::of(ledger)?;
    let end = view.cursor.as_ref().map_or(0, |cursor| cursor.seq);
    let mut check = LogCheck::default();
    let (mut done, mut page_rows) = (0, PAGE_ROWS);
    while done < end {
        let reply = read_page(remote, done, &mut page_rows)?;
        let is_same_cloud = Some(&reply.instance_id) == view.membership.joined.as_ref()
            && reply.rewind_points == view.rewind_points;
        if !is_same_cloud {
            return Ok(None);
        }
        let is_full = reply.rows.len() >= usize::try_from(page_rows).unwrap_or(usize::MAX);
        let last = reply.rows.last().map_or(end, |row| row.seq);
        let upto = if is_full { last.min(end) } else { end };
        compare_page(ledger, &reply, done, upto, &mut check)?;
        done = upto;
        on_progress(check.here);
    }
    Ok(Some(check))
}

/// Reads a page as a pull does: halved while it is too large.
fn read_page(
    remote: &mut dyn Remote,
    above: i64,
    page_rows: &mut u32,
) -> Result<PullReply, SyncError> {
    let mut busy = 0;
    loop {
        let outcome = match remote.pipeline(&[wire::pull(above, *page_rows)]) {
            Err(RemoteError::ReplyTooLarge { .. }) if *page_rows > 1 => {
                *page_rows /= 2;
                continue;
            }
            outcome => outcome?,
        };
        let error = match outcome.into_iter().next() {
            Some(Ok(rows)) => return wire::read_pull(&rows).map_err(|reason| bad_reply(&reason)),
            Some(Err(error)) => error,
            None => return Err(bad_reply("it has no page")),
        };
        match error.kind() {
            SqlErrorKind::TooBig if *page_rows > 1 => *page_rows /= 2,
            SqlErrorKind::Busy if busy < BUSY_TRIES => {
                busy += 1;
                remote.pause(std::time::Duration::from_millis(u64::from(5 * busy)));
            }
            _ => return Err(SyncError::Sql(error)),
        }
    }
}

/// Walks through both sides by sequence, from above one up to another.
fn compare_page(
    ledger: &Ledger,
    reply: &PullReply,
    above: i64,
    upto: i64,
    check: &mut LogCheck,
) -> Result<(), SyncError> {
    let mut theirs = reply.rows.iter().filter(|row| row.seq <= upto).peekable();
    let mut done = above;
    loop {
        let mine = ledger.list_settled_rows(done, upto, PAGE_ROWS)?;
        for row in &mine {
            check.here += 1;
            add_extra(ledger, &mut theirs, row.seq, check)?;
            match theirs.next_if(|other| other.seq == row.seq) {
                None => {
                    check.missing += 1;
                    check.list(row, Wrong::Missing);
                }
                Some(other) => {
                    check.there += 1;
                    check.compared += 1;
                    let columns = differences(row, other);
                    if !columns.is_empty() {
                        check.different += 1;
                        check.list(row, Wrong::Different(columns));
                    }
                }
            }
        }
        match mine.last() {
            Some(last) if last.seq < upto => done = last.seq,
            _ => return add_extra(ledger, &mut theirs, i64::MAX, check),
        }
    }
}

/// Counts the rows below a sequence that are in the cloud only.
fn add_extra<'a>(
    ledger: &Ledger,
    theirs: &mut Peekable<impl Iterator<Item = &'a CloudRow>>,
    below: i64,
    check: &mut LogCheck,
) -> Result<(), SyncError> {
    while let Some(row) = theirs.next_if(|row| row.seq < below) {
        check.there += 1;
        if ledger.is_row_set_aside(row.seq)? {
            check.set_aside += 1;
        } else {
            check.extra += 1;
            check.list(row, Wrong::Extra);
        }
    }
    Ok(())
}

impl LogCheck {
    fn list(&mut self, row: &CloudRow, what: Wrong) {
        if self.discrepancies.len() < LISTED {
            self.discrepancies.push(Discrepancy {
                seq: row.seq,
                event_id: row.event.event_id.as_str().to_owned(),
                task_id: row.event.task_id.clone(),
                what,
            });
        }
    }
}

/// Names the columns in which two rows differ.
fn differences(mine: &CloudRow, theirs: &CloudRow) -> Vec<&'static str> {
    let (a, b) = (&mine.event, &theirs.event);
    let same = [
        ("event_id", a.event_id == b.event_id),
        ("received_at", mine.received_at == theirs.received_at),
        ("device_id", mine.device == theirs.device),
        ("epoch", a.epoch == b.epoch),
        ("basis_seq", a.basis_seq == b.basis_seq),
        ("task_id", a.task_id == b.task_id),
        ("type", a.kind == b.kind),
        ("data", a.data == b.data),
        ("schema_version", a.schema_version == b.schema_version),
        ("author", a.author == b.author),
        ("agent_id", a.agent_id == b.agent_id),
        ("session_id", a.session_id == b.session_id),
        ("correlation_id", a.correlation_id == b.correlation_id),
        ("causation_id", a.causation_id == b.causation_id),
        ("timestamp", a.timestamp == b.timestamp),
    ];
    let differing = same.into_iter().filter(|(_, same)| !same);
    differing.map(|(name, _)| name).collect()
}

/// Tells where this device is, and hears it of the others: now both are of the same moment. A token that
/// may only read cannot tell.
fn exchange_devices(
    ledger: &mut Ledger,
    remote: &mut dyn Remote,
    device_name: Option<String>,
) -> Result<(), SyncError> {
    let told = wire::announce(&device_of(ledger, device_name)?);
    let outcomes = match remote.pipeline(&[told, wire::list_devices()]) {
        Err(RemoteError::Forbidden { .. }) => remote.pipeline(&[wire::list_devices()]),
        outcomes => outcomes,
    }?;
    if let Some(Ok(rows)) = outcomes.into_iter().next_back() {
        ledger.store_devices(&wire::read_devices(&rows))?;
    }
    Ok(())
}
