//! The store's side of sync: what to send, and what the cloud made of it.
//!
//! Not for talking to a server; hzl-remote does that and calls in here. Invariants: `event_sync` is
//! written only by [`Ledger::settle`], in the transaction that moves the cursor; events are never
//! deleted or changed by sync (the one exception is documented at `reissue`); projections are not
//! touched here, they follow by catching up. `outgoing`: what to send; `settle`: taking rows over;
//! `rewind`: a cloud that lost rows; `devices`: what devices tell one another;
//! `settled`: what was taken over, for comparing it with the cloud.

mod devices;
mod outgoing;
mod rewind;
mod settle;
mod settled;

use hzl_core::ids::DeviceId;
use rusqlite::{Connection, named_params};

pub use self::devices::{CloudDevice, HZL_VERSION, SettledState};
pub use self::outgoing::{CHUNK_BYTES, CHUNK_EVENTS, COMMAND_BYTES, count_pending};
pub(crate) use self::settle::{advance_watermark, become_device, set_rewind_points};
pub use self::settled::Fate;
use crate::busy;
use crate::catch_up::{self, ReadTransaction};
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::lock::WriteQueue;
use crate::log::StoredEvent;
use crate::projector;
use crate::state::{self, Key, SyncState};

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

impl CloudRow {
    /// The cursor once this row is taken over.
    pub fn cursor(&self) -> CloudCursor {
        CloudCursor {
            seq: self.seq,
            event_id: self.event.event_id.to_string(),
            received_at: self.received_at.clone(),
        }
    }
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
    /// Nothing was taken: another sync has changed what the pull went out from.
    pub is_stale: bool,
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
}

/// What a pull went out from: its reply means something only while this stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PullBasis {
    /// The cloud ledger that was joined.
    pub joined: Option<String>,
    /// The last row pulled.
    pub cursor: Option<CloudCursor>,
    /// The rewind points known here.
    pub rewind_points: Vec<i64>,
}

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
        cloud_cursor(&self.files.events)
    }

    /// Returns which ledger this is.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn membership(&self) -> Result<Membership> {
        let log = &self.files.events;
        Ok(Membership {
            instance_id: state::instance_id(log)?.unwrap_or_default(),
            joined: state::find(log, Key::CloudInstanceId)?,
        })
    }

    /// Counts the events here, apart from the automatic creation of the inbox. Reads the whole log.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn count_own_events(&self) -> Result<u64> {
        let log = &self.files.events;
        let own: i64 = log
            .query_row(OWN_EVENTS, [], |row| row.get(0))
            .on(log, "count the events")?;
        Ok(u64::try_from(own).unwrap_or(0))
    }

    /// Takes a snapshot of the log, so that several questions get answers of one moment.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn snapshot(&self) -> Result<ReadTransaction<'_>> {
        ReadTransaction::begin(&self.files.events)
    }

    /// Joins a cloud ledger: takes its identity on.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn join(&mut self, instance_id: &str, rewind_points: &[i64]) -> Result<()> {
        let queue = self.queue();
        let transaction = self.files.write_log()?;
        set_instance(&transaction, instance_id)?;
        state::set(&transaction, Key::CloudInstanceId, Some(instance_id))?;
        set_rewind_points(&transaction, rewind_points)?;
        transaction.commit_log(None)?;
        drop(queue);
        Ok(())
    }

    /// Brings the projections after what was pulled, and returns the state hash.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn fold_pulled(&mut self) -> Result<StateSum> {
        self.read(projector::state_sum)
    }

    /// Writes values of the sync state in one transaction.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn note_sync(&mut self, values: &[(Key, Option<String>)]) -> Result<()> {
        let transaction = self.files.write_log()?;
        for (key, value) in values {
            state::set(&transaction, *key, value.as_deref())?;
        }
        transaction.commit_log(None)?;
        Ok(())
    }

    /// Notes, after a sync, that nothing is left to be sent, if that is so: readers then need not look.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn note_rest(&mut self) -> Result<()> {
        let (events, cache) = (&self.files.events, &self.files.cache);
        let now = self.clock.now();
        catch_up::note_rest(events, cache, now, || self.has_outgoing())
    }

    /// As [`Ledger::note_sync`], unless the log is busy: for whoever has waited for it in vain before.
    ///
    /// # Errors
    /// As [`Ledger::note_sync`], and [`crate::Error::Busy`] at once.
    pub fn try_note_sync(&mut self, values: &[(Key, Option<String>)]) -> Result<()> {
        busy::without_waiting(|| self.note_sync(values))
    }

    pub(crate) fn queue(&self) -> WriteQueue {
        self.files.queue()
    }
}

/// Gives the ledger another identity.
pub(crate) fn set_instance(log: &Connection, instance_id: &str) -> Result<()> {
    log.execute(SET_INSTANCE, named_params! { ":instance_id": instance_id })
        .on(log, "take over the ledger's identity")
        .map(drop)
}

fn cloud_cursor(log: &Connection) -> Result<Option<CloudCursor>> {
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

const OWN_EVENTS: &str = "
    select count(*) from (
      select 1 from events
       where not (type = 'project_created' and json_extract(data, '$.name') = 'inbox'))";

const SET_INSTANCE: &str = "
    insert into hzl_global_meta (key, value) values ('hzl_instance_id', :instance_id)
    on conflict (key) do update set value = excluded.value";
