//! The store's side of sync: what to send, and what the cloud made of it.
//!
//! Not for talking to a server; hzl-remote does that and calls in here. Invariants: `event_sync` is
//! written only by [`Ledger::settle`], in the transaction that moves the cursor; events are never
//! deleted or changed by sync (the one exception is documented at `reissue`); projections are not
//! touched here, they follow by catching up.

use std::collections::BTreeSet;

use hzl_core::ids::{DeviceId, EventId};
use hzl_core::limits;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::lock::WriteQueue;
use crate::log::{self, StoredEvent};
use crate::state::{self, Key, SyncState};
use crate::transaction::WriteTransaction;
use crate::{checkpoint, digest::StateSum, projector};

/// An event that the cloud has not confirmed yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Outgoing {
    /// As stored.
    pub event: StoredEvent,
    /// Who pushes it: this device; the one it had before a rewind; nobody for events of HZL 3.2.0.
    pub device: Option<DeviceId>,
    /// When the cloud received it before a rewind.
    pub received_at: Option<String>,
}

/// A row of the cloud's log.
#[derive(Clone, PartialEq, Debug)]
pub struct CloudRow {
    /// Its sequence.
    pub seq: i64,
    /// When the cloud received it.
    pub received_at: String,
    /// Who pushed it.
    pub device: Option<DeviceId>,
    /// The event; its `rowid` means nothing here.
    pub event: StoredEvent,
}

/// The last row pulled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloudCursor {
    /// Its sequence.
    pub seq: i64,
    /// The event there.
    pub event_id: String,
    /// Its arrival: after a rewind one event can get its old sequence again.
    pub received_at: String,
}

/// What a page of a pull did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    /// Events of other devices that were new here.
    pub pulled: u64,
    /// Own events that are confirmed now.
    pub confirmed: u64,
    /// Rows that could not be taken over and were set aside.
    pub quarantined: u64,
    /// This store is a copy of another one, and has become a device of its own.
    pub became_clone: bool,
}

/// The ledger in the cloud that this store belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// This ledger's identity.
    pub instance_id: String,
    /// The cloud ledger that was joined; `None` before the first sync.
    pub joined: Option<String>,
    /// Events here, apart from the automatic creation of the inbox.
    pub own_events: u64,
}

/// The largest chunk of a push: events.
pub const CHUNK_EVENTS: usize = 1_000;
/// The largest chunk of a push: bytes of payload.
pub const CHUNK_BYTES: usize = 1_048_576;
/// What an event needs besides its payload, about.
const ENVELOPE_BYTES: usize = 300;
/// A single command may make a chunk larger, up to this: one value of a statement is at most 5 MB.
pub const COMMAND_BYTES: usize = 3_500_000;

impl Ledger {
    /// Returns what sync knows, for planning.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn sync_state(&self) -> Result<SyncState> {
        SyncState::load(&self.files.events)
    }

    /// Returns the last row pulled.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn cloud_cursor(&self) -> Result<Option<CloudCursor>> {
        let log = &self.files.events;
        let seq = state::number(log, Key::CursorSeq)?;
        if seq == 0 {
            return Ok(None);
        }
        Ok(Some(CloudCursor {
            seq,
            event_id: state::find(log, Key::CursorEventId)?.unwrap_or_default(),
            received_at: state::find(log, Key::CursorReceivedAt)?.unwrap_or_default(),
        }))
    }

    /// Lists the next events to push, in order: whole commands, up to the limits of a chunk. Events
    /// of a task whose earlier event was set aside are held back.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn list_outgoing(&self, max_events: usize) -> Result<Vec<Outgoing>> {
        let log = &self.files.events;
        let device = state::device(log)?;
        let settled = state::number(log, Key::SettledRowid)?;
        // One more than a chunk, to see whether the last command goes on.
        let limit = i64::try_from(max_events)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let mut events = read_outgoing(log, RESENT, settled, limit, &device)?;
        if events.len() <= max_events {
            events.extend(read_outgoing(log, TAIL, settled, limit, &device)?);
        }
        let mut end = chunk_end(&events, max_events);
        if end.is_none() && events.len() > max_events {
            // One command is longer than a chunk: all of it goes.
            events = read_outgoing(log, RESENT, settled, -1, &device)?;
            events.extend(read_outgoing(log, TAIL, settled, -1, &device)?);
            end = Some(command_end(&events));
        }
        events.truncate(end.unwrap_or_else(|| command_end(&events)));
        Ok(events)
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

    /// Counts the events that wait to be pushed, without those set aside.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn count_pending(&self) -> Result<u64> {
        count_pending(&self.files.events)
    }

    /// Returns which ledger this is.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn membership(&self) -> Result<Membership> {
        let log = &self.files.events;
        let own: i64 = log
            .query_row(OWN_EVENTS, [], |row| row.get(0))
            .on(log, "count the events")?;
        Ok(Membership {
            instance_id: state::instance_id(log)?.unwrap_or_default(),
            joined: state::find(log, Key::CloudInstanceId)?,
            own_events: u64::try_from(own).unwrap_or(0),
        })
    }

    /// Joins a cloud ledger: takes its identity on.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn join(&mut self, instance_id: &str, rewind_points: &[i64]) -> Result<()> {
        let queue = self.queue();
        let transaction = WriteTransaction::begin(&self.files.events)?;
        transaction
            .execute(SET_INSTANCE, named_params! { ":instance_id": instance_id })
            .on(&transaction, "join the cloud ledger")?;
        state::set(&transaction, Key::CloudInstanceId, Some(instance_id))?;
        set_rewind_points(&transaction, rewind_points)?;
        transaction.commit_log(None)?;
        drop(queue);
        Ok(())
    }

    /// Takes a page of a pull over: rows in sequence, all above the cursor. One transaction.
    ///
    /// `clock_offset_ms` is the server's clock minus this one's.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn settle(&mut self, rows: &[CloudRow], clock_offset_ms: i64) -> Result<Settled> {
        let queue = self.queue();
        let now = self.clock.now();
        let transaction = WriteTransaction::begin(&self.files.events)?;
        let before = SyncState::load(&transaction)?;
        let mut settler = Settler {
            log: &transaction,
            device: before.device.clone(),
            clock_ms: before.clock_ms.max(last_timestamp(&transaction)?),
            settled: Settled::default(),
            now,
        };
        // Two syncs may run at once: what the other has taken over already is not taken again.
        let rows = rows.get(rows.partition_point(|row| row.seq <= before.cursor_seq)..);
        let rows = rows.unwrap_or(&[]);
        for row in rows {
            let new_id = |at| self.ids.new_id(at);
            settler.take(row, new_id)?;
        }
        let (settled, clock_ms) = (settler.settled, settler.clock_ms);
        if settled.became_clone {
            become_clone(&transaction, &before, &self.ids.new_id(now))?;
        }
        if let Some(last) = rows.last() {
            state::set_number(&transaction, Key::CursorSeq, last.seq)?;
            state::set(
                &transaction,
                Key::CursorEventId,
                Some(last.event.event_id.as_str()),
            )?;
            state::set(&transaction, Key::CursorReceivedAt, Some(&last.received_at))?;
            state::set_number(&transaction, Key::ClockMs, clock_ms)?;
            advance_watermark(&transaction)?;
        }
        state::set_number(&transaction, Key::ClockOffsetMs, clock_offset_ms)?;
        transaction.commit_log(None)?;
        checkpoint::after_commit(&self.files.events, &self.files.paths.events);
        drop(queue);
        Ok(settled)
    }

    /// Brings the projections after what was pulled, and returns the state hash.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn fold_pulled(&mut self) -> Result<StateSum> {
        self.read(projector::state_sum)
    }

    /// Sets aside an event that the cloud refuses: it stays here, it is listed, and sync goes on.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn quarantine(&mut self, event: &Outgoing, reason: &str) -> Result<()> {
        let now = self.clock.now();
        let transaction = WriteTransaction::begin(&self.files.events)?;
        set_aside(
            &transaction,
            event.event.rowid,
            &event.event.event_id,
            reason,
            now,
        )?;
        transaction
            .execute(SETTLE_ASIDE, named_params! { ":rowid": event.event.rowid })
            .on(&transaction, "set an event aside")?;
        advance_watermark(&transaction)?;
        transaction.commit_log(None)
    }

    /// The cloud lost rows above `point` (a rewind, or a restored backup): everything above becomes
    /// tail again, in its old order before the rest of the tail. Nothing is deleted.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn rewind_to(&mut self, point: i64, rewind_points: &[i64]) -> Result<()> {
        let queue = self.queue();
        let transaction = WriteTransaction::begin(&self.files.events)?;
        let context = "make events unsettled again";
        let generation = state::number(&transaction, Key::Generation)?;
        transaction
            .execute(SHIFT_RESENT, [])
            .on(&transaction, context)?;
        for sql in [RESEND, UNSETTLE] {
            transaction
                .execute(sql, named_params! { ":point": point })
                .on(&transaction, context)?;
        }
        let cursor: Option<(i64, String, String)> = transaction
            .query_row(LAST_SETTLED, [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .on(&transaction, context)?;
        let (seq, event_id, received_at) = cursor.unwrap_or_default();
        state::set_number(&transaction, Key::CursorSeq, seq)?;
        state::set(&transaction, Key::CursorEventId, Some(&event_id))?;
        state::set(&transaction, Key::CursorReceivedAt, Some(&received_at))?;
        state::set_number(&transaction, Key::Generation, generation + 1)?;
        state::set_number(&transaction, Key::SettledRowid, 0)?;
        advance_watermark(&transaction)?;
        set_rewind_points(&transaction, rewind_points)?;
        transaction.commit_log(None)?;
        drop(queue);
        Ok(())
    }

    /// Leaves the cloud ledger that was joined: everything becomes tail again, to be sent to another
    /// cloud. Nothing is deleted, here or there.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn leave(&mut self) -> Result<()> {
        self.rewind_to(0, &[])?;
        self.note_sync(&[(Key::CloudInstanceId, None)])
    }

    /// Lists settled rows above a sequence, for comparing with the cloud's.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn list_settled(&self, above: i64, limit: u32) -> Result<Vec<CloudCursor>> {
        let log = &self.files.events;
        let mut statement = log.prepare_cached(SETTLED).on(log, "list settled events")?;
        let rows = statement
            .query_map(named_params! { ":above": above, ":limit": limit }, |row| {
                Ok(CloudCursor {
                    seq: row.get(0)?,
                    event_id: row.get(1)?,
                    received_at: row.get(2)?,
                })
            })
            .on(log, "list settled events")?;
        rows.collect::<rusqlite::Result<_>>()
            .on(log, "list settled events")
    }

    /// Writes values of the sync state in one transaction.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn note_sync(&mut self, values: &[(Key, Option<String>)]) -> Result<()> {
        let transaction = WriteTransaction::begin(&self.files.events)?;
        for (key, value) in values {
            state::set(&transaction, *key, value.as_deref())?;
        }
        transaction.commit_log(None)
    }

    /// Replaces the list of devices as the cloud has it.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn store_devices(&mut self, devices: &[CloudDevice]) -> Result<()> {
        let transaction = WriteTransaction::begin(&self.files.events)?;
        let context = "store the list of devices";
        transaction
            .execute("delete from cloud_devices", [])
            .on(&transaction, context)?;
        for device in devices {
            transaction
                .execute(
                    ADD_DEVICE,
                    named_params! {
                        ":device_id": device.device_id,
                        ":name": device.name,
                        ":hzl_version": device.hzl_version,
                        ":last_seen_at": device.last_seen_at,
                        ":acked_seq": device.acked_seq,
                        ":state_hash": device.state_hash,
                    },
                )
                .on(&transaction, context)?;
        }
        transaction.commit_log(None)
    }

    fn queue(&self) -> WriteQueue {
        WriteQueue::join(
            &self.files.paths.write_lock(),
            std::time::Duration::from_secs(10),
        )
    }
}

/// A device as the cloud lists it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CloudDevice {
    /// Its id.
    pub device_id: String,
    /// Its name, as people know the machine.
    pub name: Option<String>,
    /// Its version of hzl.
    pub hzl_version: Option<String>,
    /// Server time of its last push.
    pub last_seen_at: Option<String>,
    /// Cloud sequence up to which it had pulled then.
    pub acked_seq: Option<i64>,
    /// Its state hash then.
    pub state_hash: Option<String>,
}

const ADD_DEVICE: &str = "
    insert into cloud_devices (device_id, name, hzl_version, last_seen_at, acked_seq, state_hash)
    values (:device_id, :name, :hzl_version, :last_seen_at, :acked_seq, :state_hash)";

const OWN_EVENTS: &str = "
    select count(*) from (
      select 1 from events
       where not (type = 'project_created' and json_extract(data, '$.name') = 'inbox'))";

const SET_INSTANCE: &str = "
    insert into hzl_global_meta (key, value) values ('hzl_instance_id', :instance_id)
    on conflict (key) do update set value = excluded.value";

const SETTLED: &str = "
    select s.cloud_seq, e.event_id, s.received_at
      from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq > :above
     order by s.cloud_seq limit :limit";

const LAST_SETTLED: &str = "
    select s.cloud_seq, e.event_id, s.received_at
      from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq is not null
     order by s.cloud_seq desc limit 1";

/// Rows of an earlier rewind that are still tail stay behind the newly re-sent ones, in their order.
const SHIFT_RESENT: &str = "
    update event_resent set ord = ord + 4611686018427387904 / 1024";

const RESEND: &str = "
    insert into event_resent (event_rowid, ord, received_at, device_id)
    select event_rowid, cloud_seq, received_at, device_id
      from event_sync where cloud_seq > :point order by cloud_seq";

const UNSETTLE: &str = "
    delete from event_sync where cloud_seq > :point";

/// What a rewind made tail again, in its old order.
const RESENT: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
           r.device_id, r.received_at, 1
      from event_resent r
      join events e on e.id = r.event_rowid
     where not exists (select 1 from event_sync s where s.event_rowid = e.id)
       and e.id > :settled
       and not exists (select 1 from quarantine q join events b on b.id = q.event_rowid
                        where b.task_id = e.task_id)
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
       and not exists (select 1 from quarantine q join events b on b.id = q.event_rowid
                        where b.task_id = e.task_id)
     order by e.id limit :limit";

fn read_outgoing(
    log: &Connection,
    sql: &str,
    settled: i64,
    limit: i64,
    device: &DeviceId,
) -> Result<Vec<Outgoing>> {
    let mut statement = log.prepare_cached(sql).on(log, "list events to push")?;
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

/// Takes cloud rows over, one by one.
struct Settler<'a> {
    log: &'a Connection,
    device: DeviceId,
    clock_ms: i64,
    settled: Settled,
    now: Timestamp,
}

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
        if let Some(reason) = unacceptable(row) {
            // No event of ours can be like this; every device sets it aside for the same reason.
            set_aside(self.log, -row.seq, &row.event.event_id, reason, self.now)?;
            self.settled.quarantined += 1;
            return Ok(());
        }
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
        match known {
            Some((_, _, Some(_))) => {}
            Some((mine, aside, None)) if same_content(&mine, &row.event) => {
                self.write(mine.rowid, row)?;
                if aside {
                    self.execute(RELEASE, mine.rowid)?;
                }
                self.settled.confirmed += 1;
            }
            Some((mine, _, None)) => {
                reissue(self.log, &mine, &new_id(self.now), self.now)?;
                self.insert(row)?;
            }
            None => {
                let mine = row.device.as_ref() == Some(&self.device);
                if mine && !self.is_intended(&row.event.event_id)? {
                    self.settled.became_clone = true;
                }
                self.insert(row)?;
            }
        }
        let time = |text: &str| Timestamp::parse(text).map_or(0, Timestamp::millis);
        let effective = time(&row.event.timestamp).min(time(&row.received_at));
        self.clock_ms = self.clock_ms.max(effective);
        Ok(())
    }

    fn insert(&mut self, row: &CloudRow) -> Result<()> {
        let rowid = log::append_stored(self.log, &row.event)?;
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

/// Why a row of the cloud cannot be an event; `None`: it can.
fn unacceptable(row: &CloudRow) -> Option<&'static str> {
    let event = &row.event;
    let short = |text: &str| !text.is_empty() && text.len() <= 4 * limits::IDENTIFIER_CHARS;
    if event.data.len() > limits::EVENT_BYTES {
        Some("its data is too large")
    } else if !short(event.event_id.as_str()) || !short(&event.task_id) || !short(&event.kind) {
        Some("an id or its type is empty or too long")
    } else if serde_json::from_str::<serde::de::IgnoredAny>(&event.data).is_err() {
        Some("its data is not JSON")
    } else {
        None
    }
}

/// The same event, whatever row it stands in.
fn same_content(mine: &StoredEvent, theirs: &StoredEvent) -> bool {
    StoredEvent {
        rowid: 0,
        ..mine.clone()
    } == StoredEvent {
        rowid: 0,
        ..theirs.clone()
    }
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
fn become_clone(log: &Connection, before: &SyncState, new_device: &str) -> Result<()> {
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
fn advance_watermark(log: &Connection) -> Result<()> {
    let settled = state::number(log, Key::SettledRowid)?;
    let next: Option<i64> = log
        .query_row(
            NEXT_UNSETTLED,
            named_params! { ":settled": settled },
            |row| row.get(0),
        )
        .on(log, "find the tail")?;
    let upto = match next {
        Some(next) => next - 1,
        None => log
            .query_row(LAST_ROWID, [], |row| row.get(0))
            .on(log, "find the tail")?,
    };
    if upto == settled {
        Ok(())
    } else {
        state::set_number(log, Key::SettledRowid, upto)
    }
}

fn set_rewind_points(log: &Connection, rewind_points: &[i64]) -> Result<()> {
    let text = serde_json::to_string(rewind_points).expect("numbers are JSON");
    state::set(log, Key::RewindPoints, Some(&text))
}

fn last_timestamp(log: &Connection) -> Result<i64> {
    Ok(log::find_end(log)?.map_or(0, |end| end.timestamp.millis()))
}

/// Ids that are listed as set aside, for tests and `doctor`.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_quarantined(log: &Connection) -> Result<BTreeSet<(String, String)>> {
    let sql = "select event_id, reason from quarantine order by event_id";
    let mut statement = log.prepare_cached(sql).on(log, "list events set aside")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .on(log, "list events set aside")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(log, "list events set aside")
}
