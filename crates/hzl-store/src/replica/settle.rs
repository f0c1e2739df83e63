//! Taking the cloud's rows over, and setting aside what cannot be taken or sent.

use hzl_core::ids::{DeviceId, EventId};
use hzl_core::planted::{Bug, is_planted};
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, ToSql, named_params};

use super::{CloudRow, Outgoing, PullBasis, Settled};
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::log::{self, StoredEvent};
use crate::state::{self, Key, SyncState};
use crate::sum;

impl Ledger {
    /// Takes a page of a pull over: rows in sequence, all above the cursor. One transaction.
    ///
    /// `basis` is what the pull went out from. Another sync may have gone on, rewound or joined
    /// another ledger since: then nothing is taken, the next pull brings it.
    /// `clock_offset_ms` is the server's clock minus this one's.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn settle(
        &mut self,
        basis: &PullBasis,
        rows: &[CloudRow],
        clock_offset_ms: i64,
    ) -> Result<Settled> {
        let queue = self.queue();
        let now = self.clock.now();
        let transaction = self.files.write_log()?;
        let before = SyncState::load(&transaction)?;
        let stands = PullBasis {
            joined: state::find(&transaction, Key::CloudInstanceId)?,
            cursor: super::cloud_cursor(&transaction)?,
            rewind_points: before.rewind_points.clone(),
        };
        if stands != *basis {
            transaction.roll_back()?;
            return Ok(Settled {
                is_stale: true,
                ..Settled::default()
            });
        }
        let transaction = if is_planted(Bug::CursorSavedFirst) {
            rows.last()
                .map_or(Ok(()), |last| save_cursor(&transaction, last))?;
            transaction.commit_log(None)?;
            self.files.write_log()?
        } else {
            transaction
        };
        let end = log::find_end(&transaction)?;
        let own = log::own_timestamp(&transaction, end.as_ref(), &before.device)?;
        let mut settler = Settler {
            log: &transaction,
            device: before.device.clone(),
            clock_ms: before.clock_ms.max(own.millis()),
            latest_ms: now
                .plus_millis(clock_offset_ms)
                .plus_millis(CLOCK_SLACK_MS)
                .millis(),
            settled: Settled::default(),
            has_reissued: false,
            now,
        };
        // A reply may repeat what was known.
        let rows = rows.get(rows.partition_point(|row| row.seq <= before.cursor_seq)..);
        let rows = rows.unwrap_or(&[]);
        for row in rows {
            let new_id = |at| self.ids.new_id(at);
            settler.take(row, new_id)?;
        }
        let (settled, clock_ms) = (settler.settled, settler.clock_ms);
        if settler.has_reissued {
            // The old id may be anywhere in the projections.
            state::set_number(&transaction, Key::Generation, before.generation + 1)?;
        }
        if settled.became_clone {
            become_device(&transaction, &before, &self.ids.new_id(now))?;
        }
        if let Some(last) = rows.last() {
            save_cursor(&transaction, last)?;
            state::set_number(&transaction, Key::ClockMs, clock_ms)?;
            advance_watermark(&transaction)?;
        }
        state::set_number(&transaction, Key::ClockOffsetMs, clock_offset_ms)?;
        transaction.commit_log(None)?;
        drop(queue);
        Ok(settled)
    }

    /// Sets aside an event that the cloud refuses: it stays here, it is listed, and sync goes on.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn quarantine(&mut self, event: &Outgoing, reason: &str) -> Result<()> {
        let now = self.clock.now();
        let transaction = self.files.write_log()?;
        let changed = transaction
            .execute(SETTLE_ASIDE, named_params! { ":rowid": event.event.rowid })
            .on(&transaction, "set an event aside")?;
        if changed == 0 {
            // Another sync has settled it meanwhile.
            return transaction.roll_back();
        }
        set_aside(
            &transaction,
            event.event.rowid,
            &event.event.event_id,
            reason,
            now,
        )?;
        advance_watermark(&transaction)?;
        transaction.commit_log(None)
    }
}

fn save_cursor(log: &Connection, last: &CloudRow) -> Result<()> {
    state::set_number(log, Key::CursorSeq, last.seq)?;
    state::set(log, Key::CursorEventId, Some(last.event.event_id.as_str()))?;
    state::set(log, Key::CursorReceivedAt, Some(&last.received_at))
}

impl Ledger {
    /// Makes own events that were set aside wait again: the cloud may take them now. Returns how many.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn retry_quarantined(&mut self) -> Result<u64> {
        let queue = self.queue();
        let transaction = self.files.write_log()?;
        let context = "send again what was set aside";
        let waiting = transaction
            .execute(WAIT_AGAIN, [])
            .on(&transaction, context)?;
        transaction
            .execute(RELEASE_OWN, [])
            .on(&transaction, context)?;
        state::set_number(&transaction, Key::SettledRowid, 0)?;
        advance_watermark(&transaction)?;
        transaction.commit_log(None)?;
        drop(queue);
        Ok(u64::try_from(waiting).unwrap_or(0))
    }
}

const WAIT_AGAIN: &str = "
    delete from event_sync where cloud_seq is null
       and event_rowid in (select event_rowid from quarantine)";

const RELEASE_OWN: &str = "
    delete from quarantine where event_rowid in (select id from events)";

/// Takes cloud rows over, one by one.
struct Settler<'a> {
    log: &'a Connection,
    device: DeviceId,
    clock_ms: i64,
    /// No event can have arrived later than this, whatever its row says.
    latest_ms: i64,
    settled: Settled,
    /// An event of ours has got another id.
    has_reissued: bool,
    now: Timestamp,
}

/// How far the server's clock, as measured, may be off.
const CLOCK_SLACK_MS: i64 = 60_000;

const KNOWN: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
           s.event_rowid is not null, s.cloud_seq
      from events e
      left join event_sync s on s.event_rowid = e.id
     where e.event_id = :event_id";

const SETTLE: &str = "
    insert into event_sync (event_rowid, cloud_seq, received_at, device_id)
    values (:rowid, :seq, :received_at, :device_id)
    on conflict (event_rowid) do update set
       cloud_seq = excluded.cloud_seq, received_at = excluded.received_at,
       device_id = excluded.device_id
     where cloud_seq is null";

const SETTLE_ASIDE: &str = "
    insert into event_sync (event_rowid, cloud_seq) values (:rowid, null)
    on conflict (event_rowid) do nothing";

const FORGET_RESENT: &str = "
    delete from event_resent where event_rowid = :rowid";

const RELEASE: &str = "
    delete from quarantine where event_rowid = :rowid";

impl Settler<'_> {
    fn take(&mut self, row: &CloudRow, new_id: impl FnOnce(Timestamp) -> String) -> Result<()> {
        let mut statement = self
            .log
            .prepare_cached(KNOWN)
            .on(self.log, "settle an event")?;
        let known = statement
            .query_row(
                named_params! { ":event_id": row.event.event_id.as_str() },
                |found| {
                    let seq: Option<i64> = found.get(15)?;
                    Ok((log::read_stored(found)?, found.get::<_, bool>(14)?, seq))
                },
            )
            .optional()
            .on(self.log, "settle an event")?;
        let reason = log::unacceptable(&row.event);
        match known {
            Some((_, _, Some(_))) => {}
            known if reason.is_some() => {
                // No event of ours is like this; every device sets it aside for the same reason. If
                // one is all the same, sending it again would not help.
                if let Some((mine, _, _)) = known {
                    self.execute(SETTLE_ASIDE, mine.rowid)?;
                }
                self.refuse(row, reason.unwrap_or_default())?;
                return Ok(());
            }
            Some((mine, aside, None)) if mine.is_same_as(&row.event) => {
                self.write(mine.rowid, row)?;
                if aside {
                    self.execute(RELEASE, mine.rowid)?;
                }
                self.settled.confirmed += 1;
            }
            Some((mine, _, None)) => {
                // Of the same millisecond: the ids of a device ascend with its events.
                let at = Timestamp::parse(&mine.timestamp).unwrap_or(self.now);
                reissue(self.log, &mine, &new_id(at), self.now)?;
                self.has_reissued = true;
                self.insert(row)?;
            }
            None if is_planted(Bug::UnknownEventDropped) && !is_known_kind(&row.event) => {}
            None => {
                let mine =
                    row.device.as_ref() == Some(&self.device) && !is_planted(Bug::CloneUnnoticed);
                if mine && !self.is_intended(&row.event.event_id)? {
                    self.settled.became_clone = true;
                }
                self.insert(row)?;
            }
        }
        let time = |text: &str| Timestamp::parse(text).map_or(0, Timestamp::millis);
        let effective = time(&row.event.timestamp).min(time(&row.received_at));
        self.clock_ms = self.clock_ms.max(effective.min(self.latest_ms));
        Ok(())
    }

    fn refuse(&mut self, row: &CloudRow, reason: &str) -> Result<()> {
        set_aside(self.log, -row.seq, &row.event.event_id, reason, self.now)?;
        self.settled.quarantined += 1;
        Ok(())
    }

    fn insert(&mut self, row: &CloudRow) -> Result<()> {
        let rowid = match log::append_stored(self.log, &row.event) {
            Ok(rowid) => rowid,
            // The cloud's SQLite may take what this one does not.
            Err(error) if error.is_constraint() => {
                return self.refuse(row, "it breaks a constraint of the log");
            }
            Err(error) => return Err(error),
        };
        self.write(rowid, row)?;
        self.settled.pulled += 1;
        Ok(())
    }

    fn write(&self, rowid: i64, row: &CloudRow) -> Result<()> {
        let mut statement = self
            .log
            .prepare_cached(SETTLE)
            .on(self.log, "settle an event")?;
        statement
            .execute(named_params! {
                ":rowid": rowid,
                ":seq": row.seq,
                ":received_at": row.received_at,
                ":device_id": row.device.as_ref().map(DeviceId::as_str),
            })
            .on(self.log, "settle an event")?;
        self.execute(FORGET_RESENT, rowid)
    }

    fn execute(&self, sql: &str, rowid: i64) -> Result<()> {
        let mut statement = self
            .log
            .prepare_cached(sql)
            .on(self.log, "settle an event")?;
        statement
            .execute(named_params! { ":rowid": rowid })
            .on(self.log, "settle an event")?;
        Ok(())
    }

    fn is_intended(&self, event_id: &EventId) -> Result<bool> {
        let sql = "select exists (select 1 from claim_intent where event_id = :event_id)";
        let mut statement = self
            .log
            .prepare_cached(sql)
            .on(self.log, "look for an intent")?;
        statement
            .query_row(named_params! { ":event_id": event_id.as_str() }, |row| {
                row.get(0)
            })
            .on(self.log, "look for an intent")
    }
}

fn is_known_kind(event: &StoredEvent) -> bool {
    !matches!(
        hzl_core::event::Payload::decode(&event.kind, event.schema_version, &event.data),
        hzl_core::event::Payload::Unknown { .. }
    )
}

const RENAME: &str = "
    update events set event_id = :new_id where id = :rowid";

/// Gives my event another id: the cloud has another event under the old one.
///
/// That takes two copies of a disk that drew the same 80 random bits in the same millisecond, or
/// forgery. It is the one place where a row of the log changes, and only its id.
fn reissue(log: &Connection, mine: &StoredEvent, new_id: &str, now: Timestamp) -> Result<()> {
    let context = "give an event another id";
    log.execute_batch("drop trigger events_no_update")
        .on(log, context)?;
    log.execute(
        RENAME,
        named_params! { ":new_id": new_id, ":rowid": mine.rowid },
    )
    .on(log, context)?;
    log.execute_batch(crate::schema::events::NO_UPDATE)
        .on(log, context)?;
    let renamed = StoredEvent {
        event_id: EventId::new(new_id),
        ..mine.clone()
    };
    sum::Writer::new(log)?.write(mine.rowid, sum::of(&renamed))?;
    // Listed under a row id of its own: the event itself goes on.
    let reason = "its id was taken by another event; it was sent again under a new id";
    set_aside(log, i64::MIN + mine.rowid, &mine.event_id, reason, now)
}

const SET_ASIDE: &str = "
    insert into quarantine (event_rowid, event_id, reason, at)
    values (:rowid, :event_id, :reason, :at)
    on conflict (event_rowid) do update set reason = excluded.reason, at = excluded.at";

fn set_aside(
    log: &Connection,
    rowid: i64,
    event_id: &EventId,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    log.execute(
        SET_ASIDE,
        named_params! {
            ":rowid": rowid,
            ":event_id": event_id.as_str(),
            ":reason": reason,
            ":at": now.to_string(),
        },
    )
    .on(log, "set an event aside")?;
    Ok(())
}

const RENAME_RESENT: &str = "
    update event_resent set device_id = :new where device_id = :old";

/// A copied disk or a restored backup becomes a device of its own. Its tail follows: a tail event has
/// no device until it is pushed, except rows that were sent before under the old id.
pub(crate) fn become_device(log: &Connection, before: &SyncState, new_device: &str) -> Result<()> {
    log.execute(
        RENAME_RESENT,
        named_params! { ":old": before.device.as_str(), ":new": new_device },
    )
    .on(log, "become a device of its own")?;
    state::set(log, Key::DeviceId, Some(new_device))?;
    state::set_number(log, Key::Generation, before.generation + 1)
}

const NEXT_UNSETTLED: &str = "
    select min(e.id) from events e
     where e.id > :settled
       and not exists (select 1 from event_sync s where s.event_rowid = e.id)";

const LAST_ROWID: &str = "
    select coalesce(max(id), 0) from events";

/// Moves the row id up to which everything is settled: it keeps looking for the tail cheap.
pub(crate) fn advance_watermark(log: &Connection) -> Result<()> {
    let settled = state::number(log, Key::SettledRowid)?;
    let find = |sql, values: &[(&str, &dyn ToSql)]| {
        let mut statement = log.prepare_cached(sql)?;
        statement.query_row(values, |row| row.get::<_, Option<i64>>(0))
    };
    let next =
        find(NEXT_UNSETTLED, named_params! { ":settled": settled }).on(log, "find the tail")?;
    let upto = match next {
        Some(next) => next - 1,
        None => find(LAST_ROWID, &[]).on(log, "find the tail")?.unwrap_or(0),
    };
    if upto == settled {
        Ok(())
    } else {
        state::set_number(log, Key::SettledRowid, upto)
    }
}

pub(crate) fn set_rewind_points(log: &Connection, rewind_points: &[i64]) -> Result<()> {
    let text = serde_json::to_string(rewind_points).expect("numbers are JSON");
    state::set(log, Key::RewindPoints, Some(&text))
}
