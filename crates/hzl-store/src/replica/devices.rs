//! What devices tell one another about themselves, for people to look at: nothing depends on it.

use rusqlite::{Connection, named_params};

use crate::catch_up::{self, ReadTransaction};
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::projector;
use crate::state::{self, Key};

/// The version of this program, as devices tell it.
pub const HZL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A device as the cloud lists it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CloudDevice {
    /// Its id.
    pub device_id: String,
    /// Its name, as people know the machine.
    pub name: Option<String>,
    /// Its version of hzl.
    pub hzl_version: Option<String>,
    /// When it last told about itself, by the server's clock.
    pub last_seen_at: Option<String>,
    /// Cloud sequence up to which it had pulled then.
    pub acked_seq: Option<i64>,
    /// The hash of its state then; only if that was exactly what is settled up to `acked_seq`.
    pub state_hash: Option<String>,
}

/// How far this device is, and what its state comes to there: both of one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SettledState {
    /// Cloud sequence up to which everything has been pulled; 0: nothing.
    pub cursor_seq: i64,
    /// The state hash, if the state is made of nothing but the events settled up to there: then it can be
    /// compared with that of another device. `None` while events wait or were set aside here, or the
    /// projections are behind.
    pub state_hash: Option<StateSum>,
}

impl Ledger {
    /// Returns how far this device is, and the state hash there if others can compare it.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn settled_state(&self) -> Result<SettledState> {
        let (log, cache) = (&self.files.events, &self.files.cache);
        // The cache first, then the log, as every reader: a commit in between only makes it look behind.
        let of_cache = ReadTransaction::begin(cache)?;
        let sum = projector::state_sum(cache)?;
        let of_log = ReadTransaction::begin(log)?;
        let cursor_seq = state::number(log, Key::CursorSeq)?;
        let is_settled = catch_up::is_current(log, cache)?
            && !super::outgoing::has_pending(log)?
            && !has_set_aside(log)?;
        drop((of_log, of_cache));
        Ok(SettledState {
            cursor_seq,
            state_hash: is_settled.then_some(sum),
        })
    }

    /// Replaces the list of devices as the cloud has it, and notes when.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn store_devices(&mut self, devices: &[CloudDevice]) -> Result<()> {
        let now = self.clock.now();
        let transaction = self.files.write_log()?;
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
        state::set_number(&transaction, Key::DevicesListedAtMs, now.millis())?;
        transaction.commit_log(None)
    }
}

const ADD_DEVICE: &str = "
    insert into cloud_devices (device_id, name, hzl_version, last_seen_at, acked_seq, state_hash)
    values (:device_id, :name, :hzl_version, :last_seen_at, :acked_seq, :state_hash)";

const SET_ASIDE: &str = "
    select exists (select 1 from event_sync where cloud_seq is null)";

/// An event that was set aside counts here and nowhere else.
fn has_set_aside(log: &Connection) -> Result<bool> {
    let mut statement = log
        .prepare_cached(SET_ASIDE)
        .on(log, "look for events set aside")?;
    statement
        .query_row([], |row| row.get(0))
        .on(log, "look for events set aside")
}

const FORGET_PROGRESS: &str = "
    update cloud_devices set acked_seq = null, state_hash = null";

/// Forgets how far the devices are: the sequences have begun to mean something else.
pub(super) fn forget_progress(log: &Connection) -> Result<()> {
    log.execute(FORGET_PROGRESS, [])
        .on(log, "forget how far the devices are")
        .map(drop)
}
