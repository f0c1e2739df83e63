//! Asks for what comes next while a page is taken over: in a long sync the server and this machine then work at
//! the same time.
//!
//! It is only done where it is certain what comes next: everything that was sent has come back, in that order and
//! nothing else; or there is more to fetch before anything is sent. If the store is not where it was expected to be
//! after all, the reply counts as lost.

use hzl_core::planted::{Bug, is_planted};
use hzl_store::log;
use hzl_store::replica::{CloudRow, Outgoing, Settled};

use super::error::SyncError;
use super::exchange::{Chunk, Exchange, Request};
use super::plan::View;
use super::run::Run;

impl Run<'_> {
    /// Takes a page over. Where it is plain what comes next, that is asked meanwhile.
    pub(super) fn settle(
        &mut self,
        view: &View,
        rows: &[CloudRow],
        offset_ms: i64,
        chunk: &[Outgoing],
    ) -> Result<Settled, SyncError> {
        let basis = view.basis();
        let Some(request) = self.foretell(view, rows, chunk)? else {
            return Ok(self.ledger.settle(&basis, rows, offset_ms)?);
        };
        let sent_at = self.ledger.now();
        let end = request.chunk.last().map(|last| last.event.rowid);
        let (most, ledger) = (self.most_events(), &mut *self.ledger);
        let (mut settled, mut listed) = (None, None);
        let mut work = || {
            settled = Some(ledger.settle(&basis, rows, offset_ms));
            listed = end.map(|end| ledger.list_outgoing_behind(end, most).map(Chunk::of));
        };
        let outcomes = self.remote.pipeline_beside(&request.statements, &mut work);
        let clock = (sent_at, self.ledger.now());
        let settled = settled.expect("the work is done")?;
        self.listed = listed.transpose()?;
        self.ahead = Some(Exchange {
            request,
            outcomes,
            clock,
        });
        Ok(settled)
    }

    /// What the round after this page will ask, if that is certain.
    fn foretell(
        &mut self,
        view: &View,
        rows: &[CloudRow],
        chunk: &[Outgoing],
    ) -> Result<Option<Request>, SyncError> {
        let (Some(upto), Some(last)) = (self.ahead_upto, rows.last()) else {
            return Ok(None);
        };
        if self.is_late() {
            return Ok(None);
        }
        let next = match chunk.last() {
            Some(end) if is_echo(rows, chunk) || is_planted(Bug::AheadUnconfirmed) => {
                let next = match self.listed.take() {
                    Some(listed) => listed,
                    None => self.list_behind(end.event.rowid)?,
                };
                if !self.may_send(&next.events, upto) {
                    return Ok(None);
                }
                next
            }
            _ if self.is_behind => Chunk::of(vec![]),
            _ => return Ok(None),
        };
        let view = View {
            cursor: Some(last.cursor()),
            ..view.clone()
        };
        self.request(view, next).map(Some)
    }

    fn list_behind(&self, rowid: i64) -> Result<Chunk, SyncError> {
        let events = self
            .ledger
            .list_outgoing_behind(rowid, self.most_events())?;
        Ok(Chunk::of(events))
    }

    /// Whether a chunk may go without a closer look.
    fn may_send(&self, chunk: &[Outgoing], upto: i64) -> bool {
        let is_acceptable = |outgoing: &Outgoing| log::unacceptable(&outgoing.event).is_none();
        let is_due = chunk.first().is_some_and(|first| first.event.rowid <= upto);
        is_due && !self.sends_less() && chunk.iter().all(is_acceptable)
    }
}

/// Whether the page is what was sent, no more and no less.
pub(super) fn is_echo(rows: &[CloudRow], chunk: &[Outgoing]) -> bool {
    let same = |(row, sent): (&CloudRow, &Outgoing)| {
        row.event.event_id == sent.event.event_id && sent.event.is_same_as(&row.event)
    };
    rows.len() == chunk.len() && rows.iter().zip(chunk).all(same)
}
