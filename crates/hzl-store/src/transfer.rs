//! Export and import: the log as a stream of events, and back.
//!
//! An export holds all that this device knows: the events in its order, and what the cloud made of
//! them. An empty store that imports it becomes another replica of the same ledger, with the same state.
//! A store that holds something already takes over what it does not have: the events keep their ids,
//! times and devices, and wait to be pushed. Nothing is ever replaced.

use std::borrow::Cow;

use hzl_core::ids::{DeviceId, EventId};
use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::catch_up::ReadTransaction;
use crate::error::{Error, OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::log::{self, Appender, StoredEvent};
use crate::replica::{CloudCursor, PullBasis};
use crate::state::{self, Key};
use crate::sum;

/// Which ledger an export is of, and how far it had pulled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The ledger's identity.
    pub instance_id: String,
    /// The cloud it had joined.
    pub cloud: PullBasis,
}

/// An event on its way from one store to another.
#[derive(Clone, PartialEq, Debug)]
pub struct Transfer {
    /// As stored; its `rowid` means nothing elsewhere.
    pub event: StoredEvent,
    /// Who wrote it; `None` for events of HZL 3.2.0.
    pub device: Option<DeviceId>,
    /// Its cloud sequence; `None` while the cloud has not confirmed it.
    pub seq: Option<i64>,
    /// When the cloud received it.
    pub received_at: Option<String>,
}

/// An event that asks to be taken over, and what can be told of it alone: on any thread, before its turn.
#[derive(Debug)]
pub struct Candidate {
    /// The event.
    pub transfer: Transfer,
    checked: std::result::Result<Checked, &'static str>,
}

/// What is known of an event that can be one.
#[derive(Clone, Copy, Debug)]
struct Checked {
    written: Timestamp,
    sum: i64,
}

impl Candidate {
    /// Checks an event.
    pub fn of(transfer: Transfer) -> Self {
        let event = &transfer.event;
        let checked = match (log::unacceptable(event), Timestamp::parse(&event.timestamp)) {
            (Some(reason), _) => Err(reason),
            (None, None) => Err("its timestamp is not a time"),
            (None, Some(written)) => Ok(Checked {
                written,
                sum: sum::of(event),
            }),
        };
        Self { transfer, checked }
    }
}

/// What an export consists of, in this order: one origin, then the events.
#[derive(Debug)]
pub enum Item<'a> {
    /// Where it is from, and how many events follow.
    Origin(&'a Origin, u64),
    /// An event.
    Event(&'a Transfer),
}

/// What an import did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// Events that are new here.
    pub imported: u64,
    /// Events that were here already.
    pub skipped: u64,
    /// The store was empty, and is a replica of the ledger now.
    pub became_replica: bool,
}

/// Why an event was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It cannot be an event.
    Unacceptable(&'static str),
    /// Another event has its id.
    IdTaken,
}

/// Where imported events come from. It must not wait for anything: other writers wait for the import.
pub trait Source {
    /// Why it may fail.
    type Error: From<Error>;

    /// Gives the next event.
    ///
    /// # Errors
    /// Why there is no next one; nothing is imported then.
    fn next(&mut self) -> std::result::Result<Option<Candidate>, Self::Error>;

    /// Hears that the event given last was not taken.
    fn refused(&mut self, transfer: &Transfer, reason: Refused);
}

/// What becomes of events that are new here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where they were: this store becomes a replica.
    Replica,
    /// Before the rest of the tail, in their order.
    Resent,
    /// At the end, as written here by HZL 3.2.0.
    Tail,
}

const IN_ORDER: &str = "
    select e.id, e.event_id, e.task_id, e.type, e.data, e.schema_version, e.author, e.agent_id,
           e.session_id, e.correlation_id, e.causation_id, e.timestamp, e.basis_seq, e.epoch,
           s.cloud_seq, coalesce(s.received_at, r.received_at), coalesce(s.device_id, r.device_id),
           s.cloud_seq is null and r.ord is null
      from events e
      left join event_sync s on s.event_rowid = e.id
      left join event_resent r on r.event_rowid = e.id
     order by s.cloud_seq is null, s.cloud_seq, r.ord is null, r.ord, e.id";

impl Ledger {
    /// Gives the origin and then every event to `visit`, in this device's order, as of one moment, and
    /// returns how many events there are.
    ///
    /// # Errors
    /// Whatever the store or `visit` reports.
    pub fn export<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Item<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<u64, E> {
        let log = &self.files.events;
        let context = "read the event log";
        let snapshot = ReadTransaction::begin(log)?;
        let device = state::device(log)?;
        let total = log::count(log)?;
        visit(Item::Origin(&self.origin()?, total))?;
        let mut statement = log.prepare(IN_ORDER).on(log, context)?;
        let mut rows = statement.query([]).on(log, context)?;
        while let Some(row) = rows.next().on(log, context)? {
            let transfer = read_transfer(row, &device).on(log, context)?;
            visit(Item::Event(&transfer))?;
        }
        drop(snapshot);
        Ok(total)
    }

    fn origin(&self) -> Result<Origin> {
        let membership = self.membership()?;
        Ok(Origin {
            instance_id: membership.instance_id,
            cloud: PullBasis {
                joined: membership.joined,
                cursor: self.cloud_cursor()?,
                rewind_points: state::rewind_points(&self.files.events)?,
            },
        })
    }

    /// Takes events over, in one transaction: all that can be, or none.
    ///
    /// `origin` is where an export says it is from; `None`: the format of HZL 3.2.0. With `dry_run`
    /// nothing is written.
    ///
    /// # Errors
    /// Whatever the store or the source reports; nothing is written then.
    pub fn import<S: Source>(
        &mut self,
        origin: Option<&Origin>,
        dry_run: bool,
        source: &mut S,
    ) -> std::result::Result<Imported, S::Error> {
        self.check_writable()?;
        let queue = self.queue();
        let is_empty = self.count_own_events()? == 0 && self.membership()?.joined.is_none();
        let same_ledger = match origin {
            Some(origin) => origin.instance_id == self.membership()?.instance_id,
            None => false,
        };
        let place = match origin {
            Some(_) if is_empty => Place::Replica,
            Some(_) => Place::Resent,
            None => Place::Tail,
        };
        let log = self.files.write_log()?;
        let mut importer = Importer {
            log: &log,
            appender: Appender::new(&log)?,
            place,
            // Sequences of another cloud mean nothing here: then nobody has seen anybody's events.
            forget_basis: !same_ledger && place == Place::Resent,
            ord: last_ord(&log)?,
            clock_ms: state::number(&log, Key::ClockMs)?,
            latest_ms: self.clock.now().plus_millis(CLOCK_SLACK_MS).millis(),
            done: Imported {
                became_replica: place == Place::Replica,
                ..Imported::default()
            },
        };
        while let Some(candidate) = source.next()? {
            if let Some(reason) = importer.take(&candidate)? {
                source.refused(&candidate.transfer, reason);
            }
        }
        let (done, clock_ms) = (importer.done, importer.clock_ms);
        drop(importer);
        if dry_run {
            log.roll_back()?;
            return Ok(done);
        }
        if let (Place::Replica, Some(origin)) = (place, origin) {
            become_replica(&log, origin)?;
        }
        if done.imported > 0 {
            // Not growth at the end: the projections are folded anew.
            let generation = state::number(&log, Key::Generation)?;
            state::set_number(&log, Key::Generation, generation + 1)?;
            state::set_number(&log, Key::ClockMs, clock_ms)?;
        }
        log.commit_log(None)?;
        self.has_written |= done.imported > 0;
        self.follow();
        drop(queue);
        Ok(done)
    }
}

/// How far the clocks of two machines may be apart.
const CLOCK_SLACK_MS: i64 = 60_000;

fn read_transfer(row: &Row<'_>, device: &DeviceId) -> rusqlite::Result<Transfer> {
    let event = log::read_stored(row)?;
    let is_own_tail: bool = row.get(17)?;
    let kept = row.get::<_, Option<String>>(16)?.map(DeviceId::new);
    Ok(Transfer {
        device: match is_own_tail && event.epoch.is_some() {
            true => Some(device.clone()),
            false => kept,
        },
        seq: row.get(14)?,
        received_at: row.get(15)?,
        event,
    })
}

fn last_ord(log: &Connection) -> Result<i64> {
    log.query_row(
        "select coalesce(max(ord), 0) from event_resent",
        [],
        |row| row.get(0),
    )
    .on(log, "read the order of re-sent events")
}

/// Takes over what makes this store a replica of the ledger.
fn become_replica(log: &Connection, origin: &Origin) -> Result<()> {
    crate::replica::set_instance(log, &origin.instance_id)?;
    let cloud = &origin.cloud;
    state::set(log, Key::CloudInstanceId, cloud.joined.as_deref())?;
    crate::replica::set_rewind_points(log, &cloud.rewind_points)?;
    if let Some(cursor) = &cloud.cursor {
        let CloudCursor {
            seq,
            event_id,
            received_at,
        } = cursor;
        state::set_number(log, Key::CursorSeq, *seq)?;
        state::set(log, Key::CursorEventId, Some(event_id))?;
        state::set(log, Key::CursorReceivedAt, Some(received_at))?;
    }
    crate::replica::advance_watermark(log)
}

struct Importer<'a> {
    log: &'a Connection,
    appender: Appender<'a>,
    place: Place,
    forget_basis: bool,
    /// Place of the last event that was put before the tail.
    ord: i64,
    clock_ms: i64,
    /// No event is later than this, whatever it says.
    latest_ms: i64,
    done: Imported,
}

const CONTENT: &str = "
    select task_id, type, data from events where event_id = :event_id";

const SETTLED: &str = "
    insert into event_sync (event_rowid, cloud_seq, received_at, device_id)
    values (:rowid, :seq, :received_at, :device_id)
    on conflict do nothing";

const RESENT: &str = "
    insert into event_resent (event_rowid, ord, received_at, device_id)
    values (:rowid, :ord, :received_at, :device_id)";

impl Importer<'_> {
    /// Takes one event over; the reason if it cannot be.
    fn take(&mut self, candidate: &Candidate) -> Result<Option<Refused>> {
        let transfer = &candidate.transfer;
        let (written, mut sum) = match candidate.checked {
            Ok(Checked { written, sum }) => (written, sum),
            Err(reason) => return Ok(Some(Refused::Unacceptable(reason))),
        };
        let mut event = Cow::Borrowed(&transfer.event);
        if self.forget_basis && event.basis_seq.is_some() {
            event.to_mut().basis_seq = Some(0);
            sum = sum::of(&event);
        }
        match self.appender.put(None, &event, sum) {
            Ok(rowid) => {
                self.put(rowid, transfer)?;
                self.see(transfer, written);
                self.done.imported += 1;
                Ok(None)
            }
            Err(error) if error.is_constraint() => self.compare(&event),
            Err(error) => Err(error),
        }
    }

    /// Says why the log does not take an event: it is there already, which is well, or another one is.
    fn compare(&mut self, event: &StoredEvent) -> Result<Option<Refused>> {
        let Some((task_id, kind, data)) = self.find_content(&event.event_id)? else {
            let reason = "it breaks a constraint of the log";
            return Ok(Some(Refused::Unacceptable(reason)));
        };
        let is_same = task_id == event.task_id
            && kind == event.kind
            && (data == event.data || same_json(&data, &event.data));
        if !is_same {
            return Ok(Some(Refused::IdTaken));
        }
        self.done.skipped += 1;
        Ok(None)
    }

    fn find_content(&self, event_id: &EventId) -> Result<Option<(String, String, String)>> {
        let context = "look for an event";
        let mut statement = self.log.prepare_cached(CONTENT).on(self.log, context)?;
        statement
            .query_row(named_params! { ":event_id": event_id.as_str() }, |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .on(self.log, context)
    }

    /// Notes where an event stands.
    fn put(&mut self, rowid: i64, transfer: &Transfer) -> Result<()> {
        let context = "note the place of an event";
        let device = transfer.device.as_ref().map(DeviceId::as_str);
        if self.place == Place::Tail {
            return Ok(());
        }
        if let (Place::Replica, Some(seq)) = (self.place, transfer.seq) {
            let mut statement = self.log.prepare_cached(SETTLED).on(self.log, context)?;
            let added = statement.execute(named_params! {
                ":rowid": rowid,
                ":seq": seq,
                ":received_at": transfer.received_at,
                ":device_id": device,
            });
            // In no export that we wrote do two events have one sequence.
            if added.on(self.log, context)? > 0 {
                return Ok(());
            }
        }
        self.ord += 1;
        let mut statement = self.log.prepare_cached(RESENT).on(self.log, context)?;
        let added = statement.execute(named_params! {
            ":rowid": rowid,
            ":ord": self.ord,
            ":received_at": transfer.received_at,
            ":device_id": device,
        });
        added.on(self.log, context).map(drop)
    }

    /// What is written here from now on is later.
    fn see(&mut self, transfer: &Transfer, written: Timestamp) {
        let time = |text| Timestamp::parse(text).unwrap_or_default();
        let received = transfer.received_at.as_deref().map_or(written, time);
        let effective = written.min(received).millis().min(self.latest_ms);
        self.clock_ms = self.clock_ms.max(effective);
    }
}

/// Two spellings of one JSON value.
fn same_json(a: &str, b: &str) -> bool {
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    // What cannot be parsed, such as half a character, is the same as nothing else.
    parse(a).is_some_and(|a| parse(b) == Some(a))
}
