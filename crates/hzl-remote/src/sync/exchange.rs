//! One request of a sync, made and sent: what is pushed, told, and pulled in one round trip.

use hzl_core::time::Timestamp;
use hzl_store::replica::{CloudDevice, Outgoing};

use super::error::SyncError;
use super::plan::View;
use super::run::Run;
use super::wire::{self, PushCondition};
use crate::error::RemoteError;
use crate::hrana::{Outcome, Statement};

/// Events to push, and the rows that are sent of them.
pub(super) struct Chunk {
    pub(super) events: Vec<Outgoing>,
    rows: String,
}

impl Chunk {
    pub(super) fn of(events: Vec<Outgoing>) -> Self {
        let rows = wire::rows_of(&events);
        Self { events, rows }
    }
}

/// What a round asks.
pub(super) struct Request {
    /// What is known here when the reply is read.
    pub(super) view: View,
    /// What is pushed.
    pub(super) chunk: Vec<Outgoing>,
    /// What the others are told.
    pub(super) announced: Option<CloudDevice>,
    /// All of it, and the pull.
    pub(super) statements: Vec<Statement>,
}

/// A request and what came of it.
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) outcomes: Result<Vec<Outcome>, RemoteError>,
    /// When it went out, and when the reply was there.
    pub(super) clock: (Timestamp, Timestamp),
}

impl Run<'_> {
    /// Asks for the next round.
    pub(super) fn exchange(&mut self, view: View) -> Result<Exchange, SyncError> {
        let chunk = Chunk::of(self.next_chunk(&view)?);
        let request = self.request(view, chunk)?;
        let sent_at = self.ledger.now();
        let outcomes = self.remote.pipeline(&request.statements);
        Ok(Exchange {
            request,
            outcomes,
            clock: (sent_at, self.ledger.now()),
        })
    }

    /// What to ask, seen from there.
    pub(super) fn request(&self, view: View, chunk: Chunk) -> Result<Request, SyncError> {
        let mut statements = vec![];
        let Chunk { events, rows } = chunk;
        if !events.is_empty() {
            statements.push(wire::push(rows, &self.condition(&view)?));
        }
        let announced = self.announcement(&view, !events.is_empty())?;
        if let Some(device) = &announced {
            statements.push(wire::announce(device));
        }
        let cursor = view.cursor.as_ref().map_or(0, |cursor| cursor.seq);
        statements.push(wire::pull(cursor, self.page_rows));
        if self.lists_devices(&view)? {
            statements.push(wire::list_devices());
        }
        Ok(Request {
            view,
            chunk: events,
            announced,
            statements,
        })
    }

    /// What a push depends on, seen from there.
    pub(super) fn condition(&self, view: &View) -> Result<PushCondition, SyncError> {
        Ok(PushCondition {
            anchor: view.cursor.clone(),
            device: self.ledger.sync_state()?.device,
            instance_id: view.membership.joined.clone().unwrap_or_default(),
            rewind_points: view.rewind_points.clone(),
        })
    }
}
