//! What to send: the tail in order, as chunks of whole commands.

use hzl_core::ids::DeviceId;
use hzl_core::planted::{Bug, is_planted};
use hzl_core::time::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::Outgoing;
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::log;
use crate::state::{self, Key};
use crate::sum;

/// The largest chunk of a push: events.
pub const CHUNK_EVENTS: usize = 1_000;
/// The largest chunk of a push: bytes of payload.
pub const CHUNK_BYTES: usize = 1_048_576;
/// What an event needs besides its payload, about.
const ENVELOPE_BYTES: usize = 300;
/// A single command may make a chunk larger, up to this: one value of a statement is at most 5 MB.
pub const COMMAND_BYTES: usize = 3_500_000;

impl Ledger {
    /// Lists the next events to push, in order: whole commands, up to the limits of a chunk. Events
    /// of a task whose earlier event was set aside are held back.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn list_outgoing(&self, max_events: usize) -> Result<Vec<Outgoing>> {
        let _snapshot = self.snapshot()?;
        let settled = state::number(&self.files.events, Key::SettledRowid)?;
        self.list_above(settled, max_events)
    }

    /// As [`Ledger::list_outgoing`] once everything up to a row is settled, before it is. Empty where that
    /// cannot be told: what is sent again goes first, in an order of its own.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn list_outgoing_behind(&self, rowid: i64, max_events: usize) -> Result<Vec<Outgoing>> {
        let _snapshot = self.snapshot()?;
        let log = &self.files.events;
        let settled = state::number(log, Key::SettledRowid)?;
        if !read_outgoing(log, RESENT, settled, 1, &state::device(log)?)?.is_empty() {
            return Ok(vec![]);
        }
        self.list_above(settled.max(rowid), max_events)
    }

    fn list_above(&self, settled: i64, max_events: usize) -> Result<Vec<Outgoing>> {
        let log = &self.files.events;
        let device = state::device(log)?;
        // One more than a chunk, to see whether the last command goes on.
        let limit = i64::try_from(max_events)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let (first, then) = if is_planted(Bug::ResentLast) {
            (TAIL, RESENT)
        } else {
            (RESENT, TAIL)
        };
        let mut events = read_outgoing(log, first, settled, limit, &device)?;
        if events.len() <= max_events {
            events.extend(read_outgoing(log, then, settled, limit, &device)?);
        }
        if is_planted(Bug::CommandSplit) {
            events.truncate(max_events);
            return Ok(events);
        }
        let mut end = chunk_end(&events, max_events);
        if end.is_none() && events.len() > max_events {
            // One command is longer than a chunk: all of it goes.
            events = read_outgoing(log, RESENT, settled, -1, &device)?;
            events.extend(read_outgoing(log, TAIL, settled, -1, &device)?);
            end = Some(command_end(&events));
        }
        events.truncate(end.unwrap_or_else(|| command_end(&events)));
        for outgoing in &events {
            sum::refuse_changed(log, &outgoing.event)?;
        }
        Ok(events)
    }

    /// Makes the arrivals of rows that are sent again ones of their own, for one push: the time stays, the digits
    /// behind its milliseconds are new. Else a row that has its old number back would pass for one that was never
    /// lost, and hide what is missing below it.
    pub fn renew_arrivals(&mut self, chunk: &mut [Outgoing]) {
        let resent = chunk.iter_mut().filter_map(|out| out.received_at.as_mut());
        for (arrival, time) in resent.filter_map(|kept| Some((Timestamp::parse(kept)?, kept))) {
            let id = self.ids.new_id(arrival);
            let digits = id.bytes().fold(0_u64, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(byte.into())
            });
            let whole = arrival.to_string();
            *time = format!(
                "{}{:09}Z",
                whole.trim_end_matches('Z'),
                digits % 1_000_000_000
            );
        }
    }

    /// Tells whether there is an event to push.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn has_outgoing(&self) -> Result<bool> {
        let log = &self.files.events;
        let device = state::device(log)?;
        let settled = state::number(log, Key::SettledRowid)?;
        Ok(!read_outgoing(log, RESENT, settled, 1, &device)?.is_empty()
            || !read_outgoing(log, TAIL, settled, 1, &device)?.is_empty())
    }

    /// Tells whether an own event of the task is set aside: later ones wait behind it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn holds_back(&self, task_id: &str) -> Result<bool> {
        let log = &self.files().events;
        log.query_row(HELD_BACK, named_params! { ":task_id": task_id }, |row| {
            row.get(0)
        })
        .on(log, "look for events set aside")
    }

    /// Counts the events that wait to be pushed, without those set aside.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn count_pending(&self) -> Result<u64> {
        count_pending(&self.files.events)
    }
}

const HELD_BACK: &str = "
    select exists (select 1 from quarantine q join events e on e.id = q.event_rowid
                    where e.task_id = :task_id)";

/// What a rewind made tail again, in its old order.
const RESENT: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
           r.device_id, r.received_at, 1
      from event_resent r
     cross join events e on e.id = r.event_rowid
     where not exists (select 1 from event_sync s where s.event_rowid = e.id)
       and e.id > :settled
       and e.task_id not in (select b.task_id from quarantine q
                              cross join events b on b.id = q.event_rowid)
     order by r.ord limit :limit";

/// The rest of the tail.
const TAIL: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
           null, null, 0
      from events e
     where e.id > :settled
       and not exists (select 1 from event_sync s where s.event_rowid = e.id)
       and not exists (select 1 from event_resent r where r.event_rowid = e.id)
       and e.task_id not in (select b.task_id from quarantine q
                              cross join events b on b.id = q.event_rowid)
     order by e.id limit :limit";

fn read_outgoing(
    log: &Connection,
    sql: &str,
    settled: i64,
    limit: i64,
    device: &DeviceId,
) -> Result<Vec<Outgoing>> {
    let mut sql = std::borrow::Cow::Borrowed(sql);
    if is_planted(Bug::QuarantineHoldsNothing) {
        sql = sql.replace("b.id = q.event_rowid", "false").into();
    }
    let mut statement = log.prepare_cached(&sql).on(log, "list events to push")?;
    let rows = statement
        .query_map(
            named_params! { ":settled": settled, ":limit": limit },
            |row: &Row<'_>| {
                let event = log::read_stored(row)?;
                let resent: bool = row.get(16)?;
                let kept: Option<String> = row.get(14)?;
                let device = match (resent, event.epoch) {
                    (true, _) => kept.map(DeviceId::new),
                    (false, Some(_)) => Some(device.clone()),
                    (false, None) => None,
                };
                Ok(Outgoing {
                    event,
                    device,
                    received_at: row.get(15)?,
                })
            },
        )
        .on(log, "list events to push")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(log, "list events to push")
}

/// How many events make a chunk: within both limits, and not in the middle of a command. `None`: the
/// limits fall into the first command.
fn chunk_end(events: &[Outgoing], max_events: usize) -> Option<usize> {
    let mut bytes = 0;
    let mut last_whole = 0;
    for (at, event) in events.iter().enumerate() {
        if at > 0 && !same_command(events.get(at - 1), event) {
            last_whole = at;
        }
        bytes += event.event.data.len() + ENVELOPE_BYTES;
        if at >= max_events || bytes > CHUNK_BYTES {
            return (last_whole > 0).then_some(last_whole);
        }
    }
    Some(events.len())
}

/// How many events belong to the first command, as far as one request can hold them.
fn command_end(events: &[Outgoing]) -> usize {
    let mut bytes = 0;
    for (at, event) in events.iter().enumerate() {
        bytes += event.event.data.len() + ENVELOPE_BYTES;
        if at > 0 && (!same_command(events.get(at - 1), event) || bytes > COMMAND_BYTES) {
            return at;
        }
    }
    events.len()
}

fn same_command(before: Option<&Outgoing>, event: &Outgoing) -> bool {
    before.is_some_and(|before| {
        before.event.causation_id.is_some() && before.event.causation_id == event.event.causation_id
    })
}

const PENDING: &str = "
    select count(*) from events e
     where e.id > :settled
       and not exists (select 1 from event_sync s where s.event_rowid = e.id)";

/// Counts the events that no pull has returned and that are not set aside.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count_pending(log: &Connection) -> Result<u64> {
    let settled = state::number(log, Key::SettledRowid)?;
    let mut statement = log
        .prepare_cached(PENDING)
        .on(log, "count events to push")?;
    let count: i64 = statement
        .query_row(named_params! { ":settled": settled }, |row| row.get(0))
        .on(log, "count events to push")?;
    Ok(u64::try_from(count).unwrap_or(0))
}

const ANY_PENDING: &str = "
    select exists (
      select 1 from events e
       where e.id > :settled
         and not exists (select 1 from event_sync s where s.event_rowid = e.id)
    )";

/// Tells whether [`count_pending`] is more than 0, without looking at all that waits.
///
/// # Errors
/// Whatever SQLite reports.
pub(super) fn has_pending(log: &Connection) -> Result<bool> {
    let settled = state::number(log, Key::SettledRowid)?;
    let mut statement = log
        .prepare_cached(ANY_PENDING)
        .on(log, "look for events to push")?;
    statement
        .query_row(named_params! { ":settled": settled }, |row| row.get(0))
        .on(log, "look for events to push")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events::plan;

    #[test]
    fn the_tail_is_found_by_seeks() {
        let (tail, resent) = (plan(TAIL), plan(RESENT));
        assert!(
            tail.starts_with("SEARCH e USING INTEGER PRIMARY KEY (rowid>?)"),
            "{tail}"
        );
        assert!(resent.starts_with("SCAN r USING INDEX"), "{resent}");
        // What is set aside is looked up once, not once for each event of the tail.
        for sql in [TAIL, RESENT] {
            let plan = plan(sql);
            assert!(plan.contains("LIST SUBQUERY"), "{plan}");
            assert!(!plan.contains("SCAN e"), "{plan}");
            assert!(!plan.contains("SCAN b"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        assert!(!plan(PENDING).contains("SCAN e"), "{}", plan(PENDING));
    }
}
