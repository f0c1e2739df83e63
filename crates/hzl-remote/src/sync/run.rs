//! Carries a sync out: one request after another until nothing is left to send or to fetch.
//!
//! A request pushes the next chunk of the tail and pulls the next page in one round trip. A chunk is
//! not pushed before the one before it has come back by a pull, so the last row known is always the
//! cursor. Every step may be the last one: a kill between any two leaves a store that goes on. In a long
//! sync the next request is under way while a page is taken over, see `ahead`.

use std::time::{Duration, Instant};

use hzl_core::ids::EventId;
use hzl_core::planted::{Bug, is_planted};
use hzl_core::time::Timestamp;
use hzl_store::ledger::Ledger;
use hzl_store::log;
use hzl_store::replica::{CHUNK_EVENTS, Outgoing};
use hzl_store::state::{self, Key};

use super::ahead::is_echo;
use super::error::{CloudChange, SyncError};
use super::exchange::{Chunk, Exchange, Request};
use super::plan::{Verdict, View, judge};
use super::policy::{MAX_STEP_ROWS, Step};
use super::remote::Remote;
use super::wire::{self, PullReply};
use crate::error::{RemoteError, SqlError, SqlErrorKind};
use crate::hrana::Outcome;

/// How to sync.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SyncOptions {
    /// Unite this ledger with another one in the cloud.
    pub merge: bool,
    /// Heal a cloud that was rewound, wiped or replaced: send again what it lost.
    pub reset: bool,
    /// Fetch the list of devices as well, and tell the others where this one is if they do not know.
    pub list_devices: bool,
    /// Write something in any case, so that a token that may only read is found out.
    pub must_write: bool,
    /// Give up at this time if there is still something to send or to fetch. A request that has begun
    /// is waited for.
    pub deadline: Option<Instant>,
    /// The name other devices see.
    pub device_name: Option<String>,
    /// How much goes into one request.
    pub limits: Limits,
}

/// How much goes into one request, at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Rows of a page of a pull.
    pub page_rows: u32,
    /// Events of a push; a longer command goes as a whole.
    pub chunk_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page_rows: PAGE_ROWS,
            chunk_events: CHUNK_EVENTS,
        }
    }
}

/// How far a sync is, for showing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Own events confirmed so far.
    pub pushed: u64,
    /// Events of others taken over so far.
    pub pulled: u64,
    /// Own events that still wait.
    pub pending: u64,
}

/// What a sync did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// Own events confirmed by the cloud.
    pub pushed: u64,
    /// Events of other devices taken over.
    pub pulled: u64,
    /// Events set aside, here or there.
    pub quarantined: u64,
    /// Round trips.
    pub requests: u64,
    /// Cloud sequence up to which everything is here.
    pub cursor: i64,
    /// The hash of all projections.
    pub state_hash: String,
    /// The token may not write: events wait here.
    pub pull_only: bool,
    /// The cloud could not be asked for the claim: the token may only read, no ledger is joined, or an
    /// earlier event of the task is set aside, behind which the claim has to wait.
    pub claim_unasked: bool,
    /// This store was a copy of another one and is a device of its own now.
    pub became_clone: bool,
    /// Events that a rewound cloud had lost were sent again.
    pub was_reset: bool,
    /// Tasks given back: their claims had been reported as failed, and the cloud had them all the same.
    pub released: u64,
}

pub(super) const PAGE_ROWS: u32 = MAX_STEP_ROWS;
const BUSY_TRIES: u32 = 20;
/// Rounds in which nothing moves before a sync gives up; one is normal after a refused push.
const IDLE_ROUNDS: u32 = 3;

/// Syncs until nothing is left to send or to fetch, then brings the projections up to date.
///
/// # Errors
/// See [`SyncError`]; whatever was settled before stays settled.
pub fn sync(
    ledger: &mut Ledger,
    remote: &mut dyn Remote,
    options: &SyncOptions,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Report, SyncError> {
    whole(ledger, remote, options, |run| run.until_clean(on_progress))
}

pub(super) fn whole(
    ledger: &mut Ledger,
    remote: &mut dyn Remote,
    options: &SyncOptions,
    work: impl FnOnce(&mut Run<'_>) -> Result<(), SyncError>,
) -> Result<Report, SyncError> {
    let before = remote.requests();
    let step = known_step(ledger)?;
    let mut run = Run {
        ledger,
        remote,
        options,
        report: Report::default(),
        step,
        page_rows: 0,
        chunk_events: 0,
        is_halved: false,
        busy: 0,
        idle: 0,
        at_end: false,
        is_behind: false,
        announce: true,
        resets: 0,
        creations: 0,
        suspect: None,
        ahead: None,
        listed: None,
        ahead_upto: None,
    };
    run.page_rows = run.most_rows();
    run.chunk_events = run.most_events();
    let mut done = work(&mut run);
    if matches!(&done, Err(SyncError::Remote(error)) if error.may_be_too_much()) {
        run.step = run.step.smaller();
    }
    let new_step = run.step;
    if new_step.rows() != step.rows() {
        // For the next attempt, in whichever process.
        let rows = Some(new_step.rows().to_string());
        run.ledger.note_sync(&[(Key::StepRows, rows)])?;
    }
    // What was pulled is shown even if the rest failed.
    let folded = run.ledger.fold_pulled();
    let released = folded.and_then(|_| run.ledger.release_abandoned());
    run.report.released = *released.as_ref().unwrap_or(&0);
    if done.is_ok() && run.report.released > 0 {
        done = run.until_clean(&mut |_| {});
    }
    let folded = run.ledger.fold_pulled();
    let mut report = run.report;
    done?;
    released?;
    report.state_hash = folded?.to_string();
    report.requests = remote.requests() - before;
    report.cursor = ledger.cloud_cursor()?.map_or(0, |cursor| cursor.seq);
    Ok(report)
}

fn known_step(ledger: &Ledger) -> Result<Step, SyncError> {
    let rows = hzl_store::state::number(&ledger.files().events, Key::StepRows)?;
    Ok(Step::of(u32::try_from(rows).unwrap_or(0)))
}

fn chunk_of(step: Step) -> usize {
    usize::try_from(step.rows()).map_or(CHUNK_EVENTS, |rows| rows.min(CHUNK_EVENTS))
}

pub(super) struct Run<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) remote: &'a mut dyn Remote,
    pub(super) options: &'a SyncOptions,
    pub(super) report: Report,
    /// How much goes well.
    pub(super) step: Step,
    /// The same, or less after a page that the server found too large.
    pub(super) page_rows: u32,
    /// The same, or less after a chunk that was refused.
    chunk_events: usize,
    /// Chunks are smaller than they might be, since one was refused.
    is_halved: bool,
    busy: u32,
    idle: u32,
    /// The last page was the end of the cloud's log.
    at_end: bool,
    /// The last page was full of what others have sent.
    pub(super) is_behind: bool,
    pub(super) announce: bool,
    pub(super) resets: u32,
    creations: u32,
    /// The event that was refused as too large last, alone.
    suspect: Option<EventId>,
    /// What the next round would ask, asked and answered already.
    pub(super) ahead: Option<Exchange>,
    /// The chunk after the one that was pushed ahead, made already.
    pub(super) listed: Option<Chunk>,
    /// Events up to this row may be sent ahead; `None`: nothing is asked ahead.
    pub(super) ahead_upto: Option<i64>,
}

/// What a round came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Round {
    Clean,
    Again,
}

impl Run<'_> {
    fn until_clean(&mut self, on_progress: &mut dyn FnMut(Progress)) -> Result<(), SyncError> {
        // Counted once: the tail may be long, and the rounds many.
        let waiting = self.ledger.count_pending()?;
        let last = log::find_end(&self.ledger.files().events)?.map_or(0, |end| end.rowid);
        self.ahead_upto = Some(last);
        loop {
            let round = self.round()?;
            on_progress(Progress {
                pushed: self.report.pushed,
                pulled: self.report.pulled,
                pending: waiting.saturating_sub(self.report.pushed),
            });
            // What others have written here meanwhile is for the next sync: whoever waits for this one
            // would wait for ever while they go on.
            if round == Round::Clean || (self.at_end && self.is_settled(last)?) {
                return Ok(());
            }
            if self.is_late() && self.ahead.is_none() {
                return Err(SyncError::NotInTime);
            }
        }
    }

    pub(super) fn is_late(&self) -> bool {
        let deadline = self.options.deadline;
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether all events up to this row are settled, whichever process has done it.
    fn is_settled(&self, rowid: i64) -> Result<bool, SyncError> {
        let settled = state::number(&self.ledger.files().events, Key::SettledRowid)?;
        Ok(settled >= rowid)
    }

    /// One request: push a chunk, pull a page.
    pub(super) fn round(&mut self) -> Result<Round, SyncError> {
        let view = self.view()?;
        let exchange = match self.ahead.take() {
            Some(ahead) if ahead.request.view == view => ahead,
            // Or somebody else has gone on here meanwhile: it is as if that reply had been lost.
            _ => {
                self.listed = None;
                self.exchange(view)?
            }
        };
        self.take_reply(exchange)
    }

    fn take_reply(&mut self, exchange: Exchange) -> Result<Round, SyncError> {
        let Request {
            view,
            chunk,
            announced,
            ..
        } = exchange.request;
        let clock = exchange.clock;
        let outcomes = match exchange.outcomes {
            Ok(outcomes) => outcomes,
            Err(error) if self.can_do_less(&error, &view, &chunk, announced.is_some())? => {
                return Ok(Round::Again);
            }
            Err(error) => return Err(error.into()),
        };
        let mut outcomes = outcomes.into_iter();
        let pushed = if chunk.is_empty() {
            None
        } else {
            outcomes.next()
        };
        if let Some(device) = &announced {
            self.note_announced(device, outcomes.next())?;
        }
        let pulled = outcomes.next().ok_or_else(|| bad_reply("it has no page"))?;
        if let Some(Ok(devices)) = outcomes.next() {
            self.ledger.store_devices(&wire::read_devices(&devices))?;
        }
        let refused = match pushed {
            Some(outcome) => self.after_push(outcome, &chunk)?,
            None => None,
        };
        let before = self.report.pulled;
        let round = self.after_pull(&view, pulled, clock, &chunk)?;
        match refused {
            // Whatever the server has against the push, pulling goes on to the end.
            Some(error) if self.report.pulled == before => Err(SyncError::Sql(error)),
            _ => Ok(round),
        }
    }

    pub(super) fn view(&self) -> Result<View, SyncError> {
        Ok(View::of(self.ledger)?)
    }

    /// Nothing is pushed before the ledger in the cloud is known to be this one, nor in the middle of a
    /// backlog: what was pushed at first would only be sent again with each page.
    pub(super) fn next_chunk(&mut self, view: &View) -> Result<Vec<Outgoing>, SyncError> {
        if view.membership.joined.is_none() || self.report.pull_only || self.is_behind {
            return Ok(vec![]);
        }
        let mut chunk = self.list_acceptable()?;
        if self.sends_less() {
            // A chunk that was refused or did not get through becomes smaller, in the middle of a
            // command if it must be.
            chunk.truncate(self.chunk_events.max(1));
        }
        self.ledger.renew_arrivals(&mut chunk);
        Ok(chunk)
    }

    /// Whether chunks are smaller than whole commands need.
    pub(super) fn sends_less(&self) -> bool {
        self.is_halved || self.chunk_events < self.options.limits.chunk_events
    }

    /// The next events to push. What no device would take over, and only HZL 3.2.0 or an earlier hzl can
    /// have written, is set aside here, before the cloud has it.
    fn list_acceptable(&mut self) -> Result<Vec<Outgoing>, SyncError> {
        loop {
            let chunk = self
                .ledger
                .list_outgoing(self.chunk_events.min(CHUNK_EVENTS))?;
            let found = chunk
                .iter()
                .find_map(|outgoing| Some((outgoing, log::unacceptable(&outgoing.event)?)));
            let Some((culprit, reason)) = found else {
                return Ok(chunk);
            };
            self.ledger.quarantine(culprit, reason)?;
            self.report.quarantined += 1;
        }
    }

    // ---- replies

    /// A whole request failed: tells whether a smaller one may do. A token that may only read is no
    /// failure: pulling goes on.
    fn can_do_less(
        &mut self,
        error: &RemoteError,
        view: &View,
        chunk: &[Outgoing],
        announces: bool,
    ) -> Result<bool, SyncError> {
        if matches!(error, RemoteError::Unauthorized { .. }) && is_planted(Bug::TailDroppedOn401) {
            self.forget(chunk)?;
        }
        if matches!(error, RemoteError::ReplyTooLarge { .. }) && self.page_rows > 1 {
            // What was pushed has arrived: the next page shows it.
            self.page_rows /= 2;
            return Ok(true);
        }
        if matches!(error, RemoteError::Forbidden { .. }) && (!chunk.is_empty() || announces) {
            self.report.pull_only = true;
            return Ok(true);
        }
        if !matches!(error, RemoteError::BadRequest { status: 413, .. }) || chunk.is_empty() {
            return Ok(false);
        }
        if let [suspect] = chunk {
            // Something on the way may refuse every request: then it is not the event that is too large.
            let empty = wire::push(wire::rows_of(&[]), &self.condition(view)?);
            self.remote.pipeline(&[empty])?;
            // Or it refused this one only: then it goes through when it is sent again.
            let id = Some(suspect.event.event_id.clone());
            if self.suspect != id {
                self.suspect = id;
                return Ok(true);
            }
        }
        self.send_less(chunk, &error.to_string())?;
        Ok(true)
    }

    /// What planted bugs do: these events are not sent any more.
    fn forget(&mut self, chunk: &[Outgoing]) -> Result<(), SyncError> {
        for event in chunk {
            self.ledger.quarantine(event, "planted")?;
        }
        Ok(())
    }

    /// Halves a chunk that was refused, until the culprit is alone; that is set aside.
    fn send_less(&mut self, chunk: &[Outgoing], reason: &str) -> Result<(), SyncError> {
        self.idle = 0;
        if let [culprit] = chunk {
            self.ledger.quarantine(culprit, reason)?;
            self.report.quarantined += 1;
            (self.chunk_events, self.is_halved) = (self.most_events(), false);
        } else if !is_planted(Bug::CulpritNotSought) {
            (self.chunk_events, self.is_halved) = (chunk.len() / 2, true);
        }
        Ok(())
    }

    /// What the cloud says it took does not matter, only a pull makes that true. Returns an error that
    /// neither waiting nor sending less can cure.
    fn after_push(
        &mut self,
        outcome: Outcome,
        chunk: &[Outgoing],
    ) -> Result<Option<SqlError>, SyncError> {
        let Err(error) = outcome else {
            (self.chunk_events, self.is_halved) = (self.most_events(), false);
            if is_planted(Bug::PushAnswerFinal) {
                self.forget(chunk)?;
            }
            return Ok(None);
        };
        match error.kind() {
            SqlErrorKind::Constraint | SqlErrorKind::TooBig => {
                self.send_less(chunk, &error.to_string())?;
            }
            SqlErrorKind::ReadOnly => self.report.pull_only = true,
            SqlErrorKind::Busy => {
                self.idle = 0;
                self.wait_for_others(SyncError::Sql(error))?;
            }
            // The pull in the same reply says the same, with better words.
            SqlErrorKind::NoSuchTable => {}
            SqlErrorKind::Other => return Ok(Some(error)),
        }
        Ok(None)
    }

    pub(super) fn after_pull(
        &mut self,
        view: &View,
        outcome: Outcome,
        clock: (Timestamp, Timestamp),
        chunk: &[Outgoing],
    ) -> Result<Round, SyncError> {
        let reply = match outcome {
            Ok(rows) => wire::read_pull(&rows).map_err(|reason| bad_reply(&reason))?,
            Err(error) => return self.refused_pull(view, error),
        };
        if reply.instance_id.is_empty() {
            return self.no_ledger(view);
        }
        match judge(view, &reply) {
            Verdict::Accept => self.take_page(view, &reply, clock, chunk),
            Verdict::Join => {
                self.ledger.join(&reply.instance_id, &reply.rewind_points)?;
                Ok(Round::Again)
            }
            Verdict::MeetOther => self.meet_other(&reply),
            Verdict::CutAt(point) => {
                self.ledger.rewind_to(point, &reply.rewind_points)?;
                self.report.was_reset = true;
                Ok(Round::Again)
            }
            Verdict::Rewound => self.reset(view, &reply.rewind_points),
            Verdict::Replaced => self.replaced(view, &reply),
            Verdict::NewerFormat => Err(SyncError::NewerFormat {
                found: reply.format,
                supported: wire::FORMAT,
            }),
        }
    }

    fn refused_pull(&mut self, view: &View, error: SqlError) -> Result<Round, SyncError> {
        match error.kind() {
            SqlErrorKind::NoSuchTable => self.no_ledger(view),
            SqlErrorKind::TooBig if self.page_rows > 1 => {
                self.page_rows /= 2;
                Ok(Round::Again)
            }
            SqlErrorKind::Busy => self
                .wait_for_others(SyncError::Sql(error))
                .map(|()| Round::Again),
            _ => Err(SyncError::Sql(error)),
        }
    }

    /// The tables are missing, or whoever made them was cut off before the last of them.
    fn no_ledger(&mut self, view: &View) -> Result<Round, SyncError> {
        if view.membership.joined.is_some() && !self.options.reset {
            return Err(SyncError::CloudChanged(CloudChange::Wiped));
        }
        self.creations += 1;
        if self.creations > BUSY_TRIES {
            return Err(SyncError::Stuck);
        }
        self.create_schema(view)?;
        Ok(Round::Again)
    }

    fn take_page(
        &mut self,
        view: &View,
        reply: &PullReply,
        (sent_at, arrived_at): (Timestamp, Timestamp),
        chunk: &[Outgoing],
    ) -> Result<Round, SyncError> {
        let full = reply.rows.len() >= usize::try_from(self.page_rows).unwrap_or(usize::MAX);
        if full || chunk.len() >= self.most_events() {
            self.grow(arrived_at.millis() - sent_at.millis());
        }
        let middle = sent_at.millis().midpoint(arrived_at.millis());
        let known = self.ledger.sync_state()?.clock_offset_ms;
        let offset = reply
            .server_time
            .map_or(known, |server| server.millis() - middle);
        // The reply was under way for a while: smaller differences are noise, and cost a write.
        let moved = (offset - known).abs() > 2 + (arrived_at.millis() - sent_at.millis());
        self.at_end = !full;
        self.is_behind = full && !is_echo(&reply.rows, chunk);
        if !reply.rows.is_empty() || moved {
            let offset = if moved { offset } else { known };
            let settled = self.settle(view, &reply.rows, offset, chunk)?;
            self.report.pushed += settled.confirmed;
            self.report.pulled += settled.pulled;
            self.report.quarantined += settled.quarantined;
            self.report.became_clone |= settled.became_clone;
            if settled.is_stale {
                return Ok(Round::Again);
            }
        }
        if !reply.rows.is_empty() {
            (self.idle, self.busy) = (0, 0);
            // A page in the middle of a backlog; or the tail goes on behind it.
            let more = full || !self.tail_is_empty()?;
            return Ok(if more { Round::Again } else { Round::Clean });
        }
        if chunk.is_empty() && self.tail_is_empty()? {
            return Ok(Round::Clean);
        }
        // Nothing came although something was sent, or something appeared meanwhile.
        self.idle += u32::from(!chunk.is_empty());
        if self.idle >= IDLE_ROUNDS && self.chunk_events >= self.most_events() {
            return Err(SyncError::Stuck);
        }
        Ok(Round::Again)
    }

    /// A full step has gone well. What was made smaller for another reason stays so.
    fn grow(&mut self, took_ms: i64) {
        let (rows, events) = (self.most_rows(), self.most_events());
        self.step = self.step.after(took_ms);
        if self.page_rows == rows {
            self.page_rows = self.most_rows();
        }
        if self.chunk_events == events {
            self.chunk_events = self.most_events();
        }
    }

    /// Rows of a page, when nothing speaks against it.
    fn most_rows(&self) -> u32 {
        self.step.rows().min(self.options.limits.page_rows)
    }

    /// Events of a push, when nothing speaks against it.
    pub(super) fn most_events(&self) -> usize {
        chunk_of(self.step).min(self.options.limits.chunk_events)
    }

    pub(super) fn tail_is_empty(&self) -> Result<bool, SyncError> {
        Ok(self.report.pull_only || !self.ledger.has_outgoing()?)
    }

    pub(super) fn wait_for_others(&mut self, error: SyncError) -> Result<(), SyncError> {
        self.busy += 1;
        if self.busy > BUSY_TRIES {
            return Err(error);
        }
        self.remote
            .pause(Duration::from_millis(u64::from(5 * self.busy)));
        Ok(())
    }
}

pub(super) fn bad_reply(reason: &str) -> SyncError {
    let host = "the server".to_owned();
    SyncError::Remote(RemoteError::BadReply {
        host,
        reason: reason.to_owned(),
    })
}
