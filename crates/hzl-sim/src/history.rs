//! The truth: every event that anybody wrote, and what its writer knew. The devices never see this; the
//! checks judge by it.

use std::collections::BTreeMap;

use hzl_core::event::Payload;
use hzl_store::log::StoredEvent;

use crate::device::Known;

/// One event, and how it came about.
#[derive(Clone, Debug)]
pub struct Written {
    /// As it was written; its row means nothing.
    pub event: StoredEvent,
    /// Decoded.
    pub payload: Payload,
    /// What the writer's log held.
    pub saw: Known,
    /// The cloud ledger in whose numbers the writer told what it knew; `None`: it had joined none.
    pub ledger: Option<String>,
    /// The writer was told that it is safe.
    pub is_acknowledged: bool,
    /// By how much the writer's clock was wrong.
    pub clock_error_ms: i64,
    /// True time of writing.
    pub at_ms: i64,
    /// No hzl of this version wrote it: an older, a later one, or a stranger.
    pub is_foreign: bool,
}

/// All events of one simulation.
#[derive(Debug, Default)]
pub struct History {
    /// In the order of writing.
    pub events: Vec<Written>,
    by_id: BTreeMap<String, usize>,
    /// Claims that were refused after the cloud was asked.
    pub refused: Vec<usize>,
    /// Claims that the cloud confirmed.
    pub confirmed: Vec<usize>,
}

impl History {
    /// Finds an event by its id.
    #[must_use]
    pub fn find(&self, event_id: &str) -> Option<usize> {
        self.by_id.get(event_id).copied()
    }

    /// Adds an event, or returns what it is if it is there.
    pub fn add(&mut self, written: Written) -> usize {
        let id = written.event.event_id.as_str().to_owned();
        if let Some(known) = self.find(&id) {
            return known;
        }
        self.by_id.insert(id, self.events.len());
        self.events.push(written);
        self.events.len() - 1
    }

    /// Tells whether the writer of `event` had `other` in its log.
    #[must_use]
    pub fn saw(&self, event: usize, other: usize) -> bool {
        self.events[event].saw.contains(other)
    }
}
