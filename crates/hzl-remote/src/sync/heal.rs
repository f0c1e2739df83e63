//! The parts of a sync that happen once: joining a cloud ledger, and healing one that is not what it
//! was. Nothing local is deleted in any of them.

use super::error::{CloudChange, SyncError};
use super::plan::{View, raised};
use super::run::{Round, Run, bad_reply};
use super::wire::{self, PullReply};
use crate::error::{RemoteError, SqlErrorKind};

/// How often one sync raises the epoch, or finds that another device was faster, before it gives up.
const RESETS: u32 = 20;

impl Run<'_> {
    // ---- joining

    pub(super) fn create_schema(&mut self, view: &View) -> Result<(), SyncError> {
        let instance = view
            .membership
            .joined
            .as_ref()
            .unwrap_or(&view.membership.instance_id);
        let outcomes = self
            .remote
            .pipeline(&wire::create_schema(instance, &view.rewind_points));
        let outcomes = outcomes.map_err(|error| match error {
            RemoteError::Forbidden { .. } => SyncError::EmptyAndReadOnly,
            other => SyncError::Remote(other),
        })?;
        for outcome in outcomes {
            match outcome {
                Ok(_) => {}
                Err(error) if error.kind() == SqlErrorKind::ReadOnly => {
                    return Err(SyncError::EmptyAndReadOnly);
                }
                // Another device may be doing the same at this moment.
                Err(error) if error.kind() == SqlErrorKind::Busy => {
                    return self.wait_for_others(SyncError::Sql(error));
                }
                Err(error) => return Err(SyncError::Sql(error)),
            }
        }
        Ok(())
    }

    /// The cloud holds another ledger. If one side is empty, there is nothing to confuse.
    pub(super) fn meet_other(&mut self, reply: &PullReply) -> Result<Round, SyncError> {
        let local_events = self.ledger.count_own_events()?;
        let cloud_events = if local_events == 0 {
            0
        } else {
            self.count_cloud_events()?
        };
        if local_events > 0 && cloud_events > 0 && !self.options.merge {
            return Err(SyncError::MergeRequired {
                local_events,
                cloud_events,
            });
        }
        self.ledger.join(&reply.instance_id, &reply.rewind_points)?;
        Ok(Round::Again)
    }

    fn count_cloud_events(&mut self) -> Result<u64, SyncError> {
        match self
            .remote
            .pipeline(&[wire::count_events()])?
            .into_iter()
            .next()
        {
            Some(Ok(rows)) => Ok(wire::read_count(&rows)),
            Some(Err(error)) => Err(SyncError::Sql(error)),
            None => Err(bad_reply("it has no count")),
        }
    }

    // ---- a cloud that is not what it was

    /// Another ledger than the one that was joined. Uniting them must be meant, unless the other one
    /// is empty and this one is to fill it.
    pub(super) fn replaced(&mut self, view: &View, reply: &PullReply) -> Result<Round, SyncError> {
        let meant = self.options.merge || (self.options.reset && self.count_cloud_events()? == 0);
        if !meant {
            return Err(SyncError::CloudChanged(CloudChange::Replaced));
        }
        // In this order: whoever is killed in between still belongs to the old ledger, and starts over.
        self.ledger.rewind_to(0, &view.rewind_points)?;
        self.ledger.join(&reply.instance_id, &reply.rewind_points)?;
        self.report.was_reset = true;
        Ok(Round::Again)
    }

    /// Finds where the common history ends, raises the epoch there, and makes everything above it
    /// tail again.
    pub(super) fn reset(&mut self, view: &View, cloud_points: &[i64]) -> Result<Round, SyncError> {
        if !self.options.reset && !self.options.merge {
            return Err(SyncError::CloudChanged(CloudChange::Rewound));
        }
        self.resets += 1;
        if self.resets > RESETS {
            return Err(SyncError::Stuck);
        }
        let common = self.common_prefix(view)?;
        let points = raised(&view.rewind_points, cloud_points, common);
        let outcomes = self.remote.pipeline(&[
            wire::raise_epoch(cloud_points, &points),
            wire::forget_progress(),
        ])?;
        match outcomes.into_iter().next() {
            Some(Ok(rows)) if !rows.rows.is_empty() => {
                let point = points.last().copied().unwrap_or(common);
                self.ledger.rewind_to(point, &points)?;
                self.report.was_reset = true;
            }
            // Another device was faster: the next pull shows what it has found.
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(SyncError::Sql(error)),
            None => return Err(bad_reply("it does not tell whether the epoch was raised")),
        }
        Ok(Round::Again)
    }

    /// The last sequence up to which the cloud has every settled row of this store, unchanged.
    fn common_prefix(&mut self, view: &View) -> Result<i64, SyncError> {
        let end = view.cursor.as_ref().map_or(0, |cursor| cursor.seq);
        let mut common = 0;
        // These rows are short.
        let limit = 5 * self.step.rows();
        while common < end {
            let mine = self.ledger.list_settled(common, limit)?;
            let theirs = self.remote.pipeline(&[wire::list_rows(common, limit)])?;
            let theirs = match theirs.into_iter().next() {
                Some(Ok(rows)) => wire::read_rows(&rows),
                Some(Err(error)) => return Err(SyncError::Sql(error)),
                None => return Err(bad_reply("it has no rows")),
            };
            let same = mine.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            common = same
                .checked_sub(1)
                .and_then(|at| mine.get(at))
                .map_or(common, |row| row.seq);
            if same < mine.len() || mine.is_empty() {
                break;
            }
        }
        Ok(common)
    }
}
