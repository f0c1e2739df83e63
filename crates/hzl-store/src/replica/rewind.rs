//! A cloud that lost rows: what stood above the loss is sent again. Nothing is deleted.

use rusqlite::{OptionalExtension as _, named_params};

use super::devices::forget_progress;
use super::settle::{advance_watermark, set_rewind_points};
use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;
use crate::state::{self, Key};

impl Ledger {
    /// The cloud lost rows above `point` (a rewind, or a restored backup): everything above becomes
    /// tail again, in its old order before the rest of the tail. Nothing is deleted.
    ///
    /// # Errors
    /// Whatever the store reports; nothing is changed then.
    pub fn rewind_to(&mut self, point: i64, rewind_points: &[i64]) -> Result<()> {
        let queue = self.queue();
        let transaction = self.files.write_log()?;
        let context = "make events unsettled again";
        let generation = state::number(&transaction, Key::Generation)?;
        transaction
            .execute(SET_APART, [])
            .on(&transaction, context)?;
        let resent = transaction
            .execute(RESEND, named_params! { ":point": point })
            .on(&transaction, context)?;
        transaction
            .execute(
                PUT_BEHIND,
                named_params! { ":resent": i64::try_from(resent).unwrap_or(0) },
            )
            .on(&transaction, context)?;
        transaction
            .execute(UNSETTLE, named_params! { ":point": point })
            .on(&transaction, context)?;
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
        forget_progress(&transaction)?;
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
        let mut points = state::rewind_points(&self.files.events)?;
        // Sequences begin anew there: nothing above 0 of the old numbering was seen. The other devices
        // of this ledger follow by themselves when they meet the new cloud.
        points.push(0);
        self.rewind_to(0, &points)?;
        self.note_sync(&[(Key::CloudInstanceId, None)])
    }
}

const LAST_SETTLED: &str = "
    select s.cloud_seq, e.event_id, s.received_at
      from event_sync s join events e on e.id = s.event_rowid
     where s.cloud_seq is not null
     order by s.cloud_seq desc limit 1";

/// Rows of an earlier rewind that are still tail stay behind the newly re-sent ones, in their order. By
/// way of the negative numbers: `ord` is unique at every moment of an update.
const SET_APART: &str = "
    update event_resent set ord = -ord";

const RESEND: &str = "
    insert into event_resent (event_rowid, ord, received_at, device_id)
    select event_rowid, row_number() over (order by cloud_seq), received_at, device_id
      from event_sync where cloud_seq > :point";

const PUT_BEHIND: &str = "
    update event_resent set ord = :resent - ord where ord < 0";

const UNSETTLE: &str = "
    delete from event_sync where cloud_seq > :point";
