//! A sync with its bookkeeping: attempts, successes and failures are noted in the store, so that
//! `status` can tell the truth offline and commands know when to try again.

use hzl_store::ledger::Ledger;
use hzl_store::replica::Outgoing;
use hzl_store::state::{self, Key};
use serde::{Deserialize, Serialize};

use super::claim;
use super::error::{SyncError, SyncErrorKind};
use super::plan::{Verdict, View, judge};
use super::policy::History;
use super::run::{Progress, Report, SyncOptions, sync};
use super::verify::{self, LogCheck};
use super::wire;
use crate::endpoint::{Endpoint, InsecureHttp};
use crate::error::SqlErrorKind;
use crate::hrana::Hrana;
use crate::http::Timeouts;
use crate::secret::Secret;

/// Which cloud database, and how to get in.
#[derive(Clone, Debug)]
pub struct Target {
    /// As configured.
    pub url: String,
    /// The token.
    pub token: Option<Secret>,
    /// Plain HTTP to other machines is wanted.
    pub insecure_http: InsecureHttp,
}

/// The last failure, as stored and as shown by `status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastError {
    /// Stable name of the cause.
    pub code: String,
    /// What happened; no secrets.
    pub message: String,
    /// What to do.
    pub action: String,
    /// Trying again does not help.
    #[serde(default)]
    pub rejected: bool,
}

/// What a cloud said when it was asked whether this store may join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    /// It holds this ledger, or one side had nothing: joined.
    Joined,
    /// It is empty: the first sync makes the tables.
    Empty,
}

/// A cloud database to sync with.
pub struct Session {
    hrana: Hrana,
    target: String,
}

impl Session {
    /// Prepares to talk to a cloud; nothing is sent yet.
    ///
    /// # Errors
    /// [`SyncError::Endpoint`] if the address cannot be one.
    pub fn new(ledger: &Ledger, target: &Target, timeouts: Timeouts) -> Result<Self, SyncError> {
        let endpoint = Endpoint::parse(&target.url, target.insecure_http)?;
        let key = fingerprint(target);
        let mut hrana = Hrana::new(endpoint, target.token.clone(), timeouts);
        let log = &ledger.files().events;
        let same = state::find(log, Key::Target)?.as_deref() == Some(&key);
        if same && state::find(log, Key::RejectsClose)?.is_some() {
            hrana.leave_out_close();
        }
        Ok(Self { hrana, target: key })
    }

    /// Tells whether it talks to that cloud with that token.
    pub fn is_with(&self, target: &Target) -> bool {
        self.target == fingerprint(target)
    }

    /// Syncs, and notes how it went.
    ///
    /// # Errors
    /// As [`sync`].
    pub fn sync(
        &mut self,
        ledger: &mut Ledger,
        options: &SyncOptions,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, SyncError> {
        let result = sync(ledger, &mut self.hrana, options, on_progress);
        self.note(ledger, &result)?;
        result
    }

    /// Asks the cloud for a claim, and notes how it went.
    ///
    /// # Errors
    /// As [`claim::claim`].
    pub fn claim(
        &mut self,
        ledger: &mut Ledger,
        claim: &Outgoing,
        options: &SyncOptions,
    ) -> Result<Report, SyncError> {
        let result = claim::claim(ledger, &mut self.hrana, claim, options);
        self.note(ledger, &result)?;
        result
    }

    /// Compares the log here with the cloud, row by row; see [`verify::verify`].
    ///
    /// # Errors
    /// As [`verify::verify`].
    pub fn verify(
        &mut self,
        ledger: &mut Ledger,
        options: &SyncOptions,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<LogCheck, SyncError> {
        let name = options.device_name.clone();
        verify::verify(ledger, &mut self.hrana, name, on_progress)
    }

    fn note(
        &self,
        ledger: &mut Ledger,
        result: &Result<Report, SyncError>,
    ) -> Result<(), hzl_store::Error> {
        let now = Some(ledger.now().millis().to_string());
        let rejects_close = self.hrana.rejects_close().then(|| "1".to_owned());
        let mut values = vec![
            (Key::LastAttemptAtMs, now.clone()),
            (Key::Target, Some(self.target.clone())),
            (Key::RejectsClose, rejects_close),
        ];
        match result {
            Ok(report) => values.extend([
                (Key::PullOnly, report.pull_only.then(|| "1".to_owned())),
                (Key::LastSyncAtMs, now),
                (Key::LastError, None),
                (Key::Failures, None),
            ]),
            // What could not be written a moment ago is not waited for again.
            Err(SyncError::Store(hzl_store::Error::Busy { .. })) => {
                drop(ledger.try_note_sync(&values));
                return Ok(());
            }
            Err(error) => values.extend(failed(ledger, error)?),
        }
        ledger.note_sync(&values)?;
        if result.is_ok() {
            // Best effort: without it readers look for themselves.
            drop(ledger.note_rest());
        }
        Ok(())
    }

    /// Asks the cloud whether this store may join it, and joins. One round trip, two where both sides
    /// hold something.
    ///
    /// # Errors
    /// As [`sync`]; nothing is changed then.
    pub fn probe(&mut self, ledger: &mut Ledger, merge: bool) -> Result<Probe, SyncError> {
        let view = View::of(ledger)?;
        let cursor = view.cursor.as_ref().map_or(0, |cursor| cursor.seq);
        let statements = [wire::pull(cursor, 1), wire::count_events()];
        let mut outcomes = self.hrana.pipeline(&statements)?.into_iter();
        let reply = match outcomes.next() {
            Some(Ok(rows)) => wire::read_pull(&rows).map_err(|reason| {
                let host = self.hrana.endpoint().host().to_owned();
                SyncError::Remote(crate::error::RemoteError::BadReply { host, reason })
            })?,
            Some(Err(error)) if error.kind() == SqlErrorKind::NoSuchTable => {
                return move_to_empty(ledger, &view);
            }
            Some(Err(error)) => return Err(SyncError::Sql(error)),
            None => return Err(SyncError::Stuck),
        };
        if reply.instance_id.is_empty() {
            return move_to_empty(ledger, &view);
        }
        let cloud_events = match outcomes.next() {
            Some(Ok(rows)) => wire::read_count(&rows),
            _ => 0,
        };
        let local_events = ledger.count_own_events()?;
        let foreign = local_events > 0 && cloud_events > 0 && !merge;
        match judge(&view, &reply) {
            Verdict::NewerFormat => Err(SyncError::NewerFormat {
                found: reply.format,
                supported: wire::FORMAT,
            }),
            Verdict::MeetOther | Verdict::Replaced if foreign => Err(SyncError::MergeRequired {
                local_events,
                cloud_events,
            }),
            Verdict::Join | Verdict::MeetOther => {
                ledger.join(&reply.instance_id, &reply.rewind_points)?;
                Ok(Probe::Joined)
            }
            Verdict::Replaced => {
                ledger.leave()?;
                ledger.join(&reply.instance_id, &reply.rewind_points)?;
                Ok(Probe::Joined)
            }
            // What became of the rows is for a sync to find out.
            Verdict::Accept | Verdict::CutAt(_) | Verdict::Rewound => Ok(Probe::Joined),
        }
    }

    /// Asks the cloud whether it takes the token and speaks a format known here, for a store that
    /// does not exist yet.
    ///
    /// # Errors
    /// As [`sync`].
    pub fn check(target: &Target, timeouts: Timeouts) -> Result<Probe, SyncError> {
        let endpoint = Endpoint::parse(&target.url, target.insecure_http)?;
        let mut hrana = Hrana::new(endpoint, target.token.clone(), timeouts);
        match hrana.pipeline(&[wire::pull(0, 1)])?.into_iter().next() {
            Some(Ok(rows)) => match wire::read_pull(&rows) {
                Ok(reply) if reply.format.parse::<u32>().is_ok_and(|f| f > wire::FORMAT) => {
                    Err(SyncError::NewerFormat {
                        found: reply.format,
                        supported: wire::FORMAT,
                    })
                }
                Ok(reply) if reply.instance_id.is_empty() => Ok(Probe::Empty),
                Ok(_) => Ok(Probe::Joined),
                Err(reason) => {
                    let host = hrana.endpoint().host().to_owned();
                    Err(SyncError::Remote(crate::error::RemoteError::BadReply {
                        host,
                        reason,
                    }))
                }
            },
            Some(Err(error)) if error.kind() == SqlErrorKind::NoSuchTable => Ok(Probe::Empty),
            Some(Err(error)) => Err(SyncError::Sql(error)),
            None => Err(SyncError::Stuck),
        }
    }

    /// Round trips so far.
    pub fn requests(&self) -> u64 {
        self.hrana.requests()
    }
}

/// Whoever names an empty cloud for a ledger that was synced elsewhere means it: all of it goes there.
fn move_to_empty(ledger: &mut Ledger, view: &View) -> Result<Probe, SyncError> {
    if view.membership.joined.is_some() {
        ledger.leave()?;
    }
    Ok(Probe::Empty)
}

fn failed(
    ledger: &Ledger,
    error: &SyncError,
) -> Result<[(Key, Option<String>); 2], hzl_store::Error> {
    let noted = LastError {
        code: error.code().to_owned(),
        message: error.to_string(),
        action: error.action().to_owned(),
        rejected: matches!(
            error.kind(),
            SyncErrorKind::Rejected | SyncErrorKind::CloudChanged
        ),
    };
    let failures = state::number(&ledger.files().events, Key::Failures)? + 1;
    let noted = serde_json::to_string(&noted).expect("texts are JSON");
    Ok([
        (Key::LastError, Some(noted)),
        (Key::Failures, Some(failures.to_string())),
    ])
}

/// What is known about past attempts at this target.
///
/// # Errors
/// Whatever the store reports.
pub fn history(ledger: &Ledger, target: &Target) -> Result<History, hzl_store::Error> {
    let log = &ledger.files().events;
    let time = |key| {
        let text = state::find(log, key)?;
        Ok::<_, hzl_store::Error>(text.and_then(|text| text.parse().ok()))
    };
    let same = state::find(log, Key::Target)?.as_deref() == Some(&fingerprint(target));
    Ok(History {
        last_sync_at_ms: time(Key::LastSyncAtMs)?,
        last_attempt_at_ms: time(Key::LastAttemptAtMs)?,
        is_rejected: same && last_error(ledger)?.is_some_and(|error| error.rejected),
    })
}

/// Notes an attempt that failed before anything was sent: the address cannot be one.
///
/// # Errors
/// Whatever the store reports.
pub fn note_failure(
    ledger: &mut Ledger,
    target: &Target,
    error: &SyncError,
) -> Result<(), hzl_store::Error> {
    let now = Some(ledger.now().millis().to_string());
    let mut values = vec![
        (Key::LastAttemptAtMs, now),
        (Key::Target, Some(fingerprint(target))),
    ];
    values.extend(failed(ledger, error)?);
    ledger.note_sync(&values)
}

/// Tells whether the cloud takes no writes from this token, as far as the last sync has shown.
///
/// # Errors
/// Whatever the store reports.
pub fn is_pull_only(ledger: &Ledger, target: &Target) -> Result<bool, hzl_store::Error> {
    let log = &ledger.files().events;
    let same = state::find(log, Key::Target)?.as_deref() == Some(&fingerprint(target));
    Ok(same && state::find(log, Key::PullOnly)?.is_some())
}

/// Tells whether the last attempt was made with this address and token.
///
/// # Errors
/// Whatever the store reports.
pub fn was_tried(ledger: &Ledger, target: &Target) -> Result<bool, hzl_store::Error> {
    let known = state::find(&ledger.files().events, Key::Target)?;
    Ok(known.as_deref() == Some(&fingerprint(target)))
}

/// The last failure, if the last attempt was one.
///
/// # Errors
/// Whatever the store reports.
pub fn last_error(ledger: &Ledger) -> Result<Option<LastError>, hzl_store::Error> {
    let text = state::find(&ledger.files().events, Key::LastError)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Tells whether address and token are those of the last attempt, without keeping them.
fn fingerprint(target: &Target) -> String {
    let token = target.token.as_ref().map_or("", Secret::expose);
    hzl_store::digest::StateSum::of("target", &(&target.url, token)).to_string()
}
