//! Claims that the cloud decides: the question, and what its answer, or none, means for the claimer.
//!
//! The binary, the simulator and the tests all claim in this way. No lock is held while the network is used;
//! what is known in between is an intent in the store.

use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_store::intent::{Intent, Standing};
use hzl_store::ledger::{Ledger, Outcome};
use hzl_store::log;
use hzl_store::replica::Outgoing;

use super::error::SyncError;
use super::plan::View;
use super::remote::Remote;
use super::run::{Report, Round, Run, SyncOptions, bad_reply, whole};
use super::wire;
use crate::error::{RemoteError, SqlErrorKind};

/// How often a claim is pushed; more than once only when this device pushes something else meanwhile.
const CLAIM_TRIES: u32 = 5;

/// Asks the cloud for a claim, after sending what waits, and brings the projections up to date. What that
/// means for the claimer, [`conclude`] tells.
///
/// # Errors
/// See [`SyncError`]; the cloud may have the claim all the same.
pub fn claim(
    ledger: &mut Ledger,
    remote: &mut dyn Remote,
    claim: &Outgoing,
    options: &SyncOptions,
) -> Result<Report, SyncError> {
    whole(ledger, remote, options, |run| run.claim(claim))
}

/// What a claimer does when the cloud could not be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fallback {
    /// Claim here, provisionally.
    Here,
    /// Claim nothing.
    Nothing,
}

/// What a claimer is told.
#[derive(Debug)]
pub enum Told {
    /// The claim stands, in the cloud too.
    Confirmed(Box<Outcome>),
    /// The claim is made here, and may still be lost to another device.
    Provisional(Box<Outcome>),
    /// Somebody was faster; another question may be about another task, or be refused by the rules.
    TooLate,
    /// Nothing is claimed, as far as is known: why the cloud was not asked, or did not answer. If it has the
    /// claim all the same, the next sync gives the task back.
    Unanswered(Option<SyncError>),
}

/// Draws the conclusion from a question, and settles its intent.
///
/// # Errors
/// Whatever the store reports.
pub fn conclude(
    ledger: &mut Ledger,
    intent: &Intent,
    asked: Result<Report, SyncError>,
    fallback: Fallback,
) -> Result<Told, hzl_store::Error> {
    match ledger.judge_intent(intent)? {
        Standing::Made(outcome) => return Ok(Told::Confirmed(outcome)),
        Standing::Lost => return Ok(Told::TooLate),
        Standing::Open => {}
    }
    if asked.as_ref().is_ok_and(|report| !report.claim_unasked) {
        // Every push was answered, and the claim is not there: the task has changed.
        ledger.forget_intent(intent)?;
        return Ok(Told::TooLate);
    }
    if fallback == Fallback::Nothing {
        ledger.abandon_intent(intent)?;
        return Ok(Told::Unanswered(asked.err()));
    }
    Ok(match ledger.claim_locally(intent)? {
        Standing::Made(outcome) => Told::Provisional(outcome),
        Standing::Lost | Standing::Open => Told::TooLate,
    })
}

impl Run<'_> {
    /// Pushes the claim behind the tail, and pulls until it is known whether it is there. A push that
    /// was refused for another reason than the task's is repeated.
    fn claim(&mut self, claim: &Outgoing) -> Result<(), SyncError> {
        for _ in 0..CLAIM_TRIES {
            while !self.tail_is_empty()? {
                self.check_deadline()?;
                self.round()?;
            }
            // The view first: what was pulled up to it, the cloud does not compare with.
            let view = self.view()?;
            self.report.claim_unasked = view.membership.joined.is_none()
                || self.report.pull_only
                || self.ledger.holds_back(&claim.event.task_id)?;
            if self.report.claim_unasked || self.is_decided(claim)? {
                return Ok(());
            }
            let page = self.claim_round(&view, claim)?;
            let mut round = page;
            while round == Round::Again {
                self.check_deadline()?;
                round = self.round()?;
            }
            if self.is_decided(claim)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Others on this device may go on writing, so that the tail is never empty.
    fn check_deadline(&self) -> Result<(), SyncError> {
        if self.is_late() {
            return Err(SyncError::NotInTime);
        }
        Ok(())
    }

    fn claim_round(&mut self, view: &View, claim: &Outgoing) -> Result<Round, SyncError> {
        let cursor = view.cursor.as_ref().map_or(0, |cursor| cursor.seq);
        let statements = [
            wire::push_claim(claim, &self.condition(view)?),
            wire::pull(cursor, self.page_rows),
        ];
        let sent_at = self.ledger.now();
        let outcomes = match self.remote.pipeline(&statements) {
            Err(RemoteError::Forbidden { .. }) => {
                (self.report.pull_only, self.report.claim_unasked) = (true, true);
                return Ok(Round::Clean);
            }
            outcomes => outcomes?,
        };
        let clock = (sent_at, self.ledger.now());
        let mut outcomes = outcomes.into_iter();
        if let Some(Err(error)) = outcomes.next() {
            match error.kind() {
                SqlErrorKind::ReadOnly => {
                    (self.report.pull_only, self.report.claim_unasked) = (true, true);
                }
                SqlErrorKind::Busy => self.wait_for_others(SyncError::Sql(error))?,
                SqlErrorKind::NoSuchTable => {}
                SqlErrorKind::Constraint | SqlErrorKind::TooBig | SqlErrorKind::Other => {
                    return Err(SyncError::Sql(error));
                }
            }
        }
        let pulled = outcomes.next().ok_or_else(|| bad_reply("it has no page"))?;
        self.after_pull(view, pulled, clock, &[])
    }

    /// Whether the claim has arrived, or the task is no longer as it was.
    fn is_decided(&mut self, claim: &Outgoing) -> Result<bool, SyncError> {
        let log = &self.ledger.files().events;
        if self.report.pull_only || log::find_stored(log, &claim.event.event_id)?.is_some() {
            return Ok(true);
        }
        let task_id = TaskId::from(claim.event.task_id.as_str());
        let task = self
            .ledger
            .read(|cache| hzl_store::projector::find_task(cache, &task_id))?;
        Ok(task.is_none_or(|stored| stored.task.status != Status::Ready))
    }
}
