//! What this device tells the others about itself, and hears of them. For people to look at: no sync
//! depends on it, and it never costs a request of its own.

use hzl_store::ledger::Ledger;
use hzl_store::replica::{CloudDevice, HZL_VERSION};
use hzl_store::state::{self, Key};

use super::error::SyncError;
use super::plan::View;
use super::run::Run;
use crate::error::SqlErrorKind;
use crate::hrana::Outcome;

/// How often this device tells that it is still there, and hears of the others.
const ANNOUNCE_INTERVAL_MS: i64 = 10 * 60_000;
/// How often it tells by itself that it has moved.
const MOVED_INTERVAL_MS: i64 = 60_000;

impl Run<'_> {
    /// What there is to tell the others, if it is time to: with a push, when it was long ago, or when
    /// this device has moved since. It rides in a request that is made anyway.
    pub(super) fn announcement(
        &self,
        view: &View,
        pushes: bool,
    ) -> Result<Option<CloudDevice>, SyncError> {
        if !self.announce || self.report.pull_only || view.membership.joined.is_none() {
            return Ok(None);
        }
        let device = device_of(self.ledger, self.options.device_name.clone())?;
        let log = &self.ledger.files().events;
        let age = self.age(Key::AnnouncedAtMs)?;
        let has_moved = state::find(log, Key::Announced)?.as_deref() != Some(&summary(&device));
        let is_due = pushes
            || self.options.must_write
            || !(0..ANNOUNCE_INTERVAL_MS).contains(&age)
            || (has_moved && (self.options.list_devices || age >= MOVED_INTERVAL_MS));
        Ok(is_due.then_some(device))
    }

    /// Best effort: the list of devices is for people to look at. A refusal only tells that nothing may
    /// be written.
    pub(super) fn note_announced(
        &mut self,
        device: &CloudDevice,
        outcome: Option<Outcome>,
    ) -> Result<(), SyncError> {
        self.announce = false;
        match outcome {
            Some(Ok(_)) => {
                let now = self.ledger.now().millis().to_string();
                self.ledger.note_sync(&[
                    (Key::AnnouncedAtMs, Some(now)),
                    (Key::Announced, Some(summary(device))),
                ])?;
            }
            Some(Err(error)) if error.kind() == SqlErrorKind::ReadOnly => {
                self.report.pull_only = true;
            }
            Some(Err(_)) | None => {}
        }
        Ok(())
    }

    pub(super) fn lists_devices(&self, view: &View) -> Result<bool, SyncError> {
        if view.membership.joined.is_none() {
            return Ok(false);
        }
        let age = self.age(Key::DevicesListedAtMs)?;
        Ok(self.options.list_devices || !(0..ANNOUNCE_INTERVAL_MS).contains(&age))
    }

    /// How long ago something was, by this machine's clock; negative if the clock was set back.
    fn age(&self, key: Key) -> Result<i64, SyncError> {
        let at = state::number(&self.ledger.files().events, key)?;
        Ok(self.ledger.now().millis() - at)
    }
}

/// What this device tells the others.
pub(super) fn device_of(ledger: &Ledger, name: Option<String>) -> Result<CloudDevice, SyncError> {
    let state = ledger.settled_state()?;
    Ok(CloudDevice {
        device_id: ledger.sync_state()?.device.into_string(),
        name,
        hzl_version: Some(HZL_VERSION.to_owned()),
        last_seen_at: None,
        acked_seq: Some(state.cursor_seq),
        state_hash: state.state_hash.map(|sum| sum.to_string()),
    })
}

/// What a device told, for noticing that there is something new to tell.
fn summary(device: &CloudDevice) -> String {
    let seq = device.acked_seq.unwrap_or(0);
    let hash = device.state_hash.as_deref().unwrap_or("-");
    format!("{} {seq} {hash}", device.device_id)
}
