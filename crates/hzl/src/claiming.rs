//! How a claim is made where a cloud decides: with one bounded question, or here and provisionally.
//!
//! `sync.claims` says how: `auto` asks and falls back, `strict` asks or refuses, `local` never asks. No
//! lock is held while the network is used; a process that dies in between leaves only an intent.

use std::time::Duration;
use std::time::Instant;

use hzl_core::command::Actor;
use hzl_core::command::Command;
use hzl_remote::http::Timeouts;
use hzl_remote::sync::Session;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::Target;
use hzl_remote::sync::claim::Fallback;
use hzl_remote::sync::claim::Told;
use hzl_remote::sync::claim::conclude;
use hzl_remote::sync::session;
use hzl_store::intent::Intended;
use hzl_store::ledger::ExecuteError;
use hzl_store::ledger::Ledger;
use hzl_store::ledger::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cloud;
use crate::config::ClaimMode;
use crate::config::SyncPolicy;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;

/// How long the cloud may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a claimer goes on asking that always gets an answer and is always too late.
const CROWDED: Duration = Duration::from_secs(15);
/// How long the cloud is left alone after it did not answer.
const REST_MS: i64 = 15_000;

/// Whether the claim can still be lost to another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClaimState {
    Confirmed,
    Provisional,
}

/// Why a claim was not made.
pub(crate) enum NotClaimed {
    /// The rules said no.
    Refused(ExecuteError),
    /// Something else, which no rule explains.
    Failed(CommandError),
}

impl From<NotClaimed> for CommandError {
    fn from(error: NotClaimed) -> Self {
        match error {
            NotClaimed::Refused(error) => error.into(),
            NotClaimed::Failed(error) => error,
        }
    }
}

impl From<CommandError> for NotClaimed {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

impl From<ExecuteError> for NotClaimed {
    fn from(error: ExecuteError) -> Self {
        Self::Refused(error)
    }
}

impl From<hzl_store::Error> for NotClaimed {
    fn from(error: hzl_store::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Makes a claim (`ClaimTask` or `ClaimNext`).
///
/// # Errors
///
/// As [`Ledger::execute`]; `SyncUnavailable`: the cloud was to confirm it and did not.
pub(crate) fn claim(
    ctx: &mut Context,
    ledger: &mut Ledger,
    command: &Command,
    actor: &Actor,
) -> Result<(Outcome, ClaimState), NotClaimed> {
    let question = match how(ctx, ledger)? {
        How::Alone => return Ok((ctx.execute(ledger, command, actor)?, ClaimState::Confirmed)),
        How::Here => {
            return Ok((
                ctx.execute(ledger, command, actor)?,
                ClaimState::Provisional,
            ));
        }
        How::Ask(question) => question,
    };
    let claimed = question.ask(ledger, command, actor);
    match &claimed {
        // Should the cloud have the claim, it is given back soon.
        Err(NotClaimed::Failed(_)) => crate::background::start(ctx, ledger)?,
        Err(NotClaimed::Refused(_)) => {}
        Ok(_) => crate::background::start_if_due(ctx, ledger),
    }
    claimed
}

/// Tells whether a claim made now would ask the cloud.
///
/// # Errors
///
/// As [`Context::config`]; whatever the store reports.
pub(crate) fn would_ask(ctx: &mut Context, ledger: &Ledger) -> Result<bool, CommandError> {
    Ok(matches!(how(ctx, ledger)?, How::Ask(_)))
}

/// How a claim is made.
enum How {
    /// No other machine shares the ledger.
    Alone,
    /// Here, without asking.
    Here,
    /// With the cloud's word.
    Ask(Question),
}

fn how(ctx: &mut Context, ledger: &Ledger) -> Result<How, CommandError> {
    let Some(target) = cloud::target(ctx)? else {
        return Ok(How::Alone);
    };
    let is_strict = is_strict(ctx)?;
    if !is_strict && !may_ask(ctx, ledger, &target)? {
        return Ok(How::Here);
    }
    Ok(How::Ask(Question {
        target,
        fallback: match is_strict {
            true => Fallback::Nothing,
            false => Fallback::Here,
        },
        deadline: Instant::now() + CROWDED,
    }))
}

/// `db.sync.policy: strict` means it for claims as well.
fn is_strict(ctx: &Context) -> Result<bool, CommandError> {
    let sync = &ctx.config()?.sync;
    Ok(sync.claims == Some(ClaimMode::Strict) || sync.policy == Some(SyncPolicy::Strict))
}

/// Whether `auto` asks: not where nothing happens by itself, nor in vain.
fn may_ask(ctx: &Context, ledger: &Ledger, target: &Target) -> Result<bool, CommandError> {
    let sync = &ctx.config()?.sync;
    if sync.claims == Some(ClaimMode::Local) || sync.policy == Some(SyncPolicy::Manual) {
        return Ok(false);
    }
    if ledger.membership()?.joined.is_none() || session::is_pull_only(ledger, target)? {
        return Ok(false);
    }
    let history = session::history(ledger, target)?;
    let has_failed = session::last_error(ledger)?.is_some();
    let since = history
        .last_attempt_at_ms
        .map_or(i64::MAX, |at| (ledger.now().millis() - at).abs());
    Ok(!has_failed || since >= REST_MS)
}

struct Question {
    target: Target,
    fallback: Fallback,
    deadline: Instant,
}

impl Question {
    fn ask(
        &self,
        ledger: &mut Ledger,
        command: &Command,
        actor: &Actor,
    ) -> Result<(Outcome, ClaimState), NotClaimed> {
        loop {
            let intent = match ledger.intend_claim(command, actor)? {
                Intended::Nothing(outcome) => return Ok((outcome, ClaimState::Confirmed)),
                Intended::Claim(intent) => intent,
            };
            let options = SyncOptions {
                deadline: Some(Instant::now() + PATIENCE),
                ..cloud::usual()
            };
            let asked = self
                .session(ledger)
                .and_then(|mut session| session.claim(ledger, &intent.outgoing, &options));
            match conclude(ledger, &intent, asked, self.fallback)? {
                Told::Confirmed(outcome) => return Ok((*outcome, ClaimState::Confirmed)),
                Told::Provisional(outcome) => return Ok((*outcome, ClaimState::Provisional)),
                Told::Unanswered(error) => {
                    return Err(not_confirmed(error, &intent.task_id).into());
                }
                Told::TooLate if Instant::now() < self.deadline => {}
                Told::TooLate if self.fallback == Fallback::Nothing => {
                    return Err(not_confirmed(None, &intent.task_id).into());
                }
                Told::TooLate => {
                    let outcome = ledger.execute(command, actor)?;
                    return Ok((outcome, ClaimState::Provisional));
                }
            }
        }
    }

    fn session(&self, ledger: &Ledger) -> Result<Session, hzl_remote::sync::SyncError> {
        let timeouts = Timeouts {
            connect: PATIENCE,
            total: PATIENCE,
        };
        Session::new(ledger, &self.target, timeouts)
    }
}

fn not_confirmed(
    error: Option<hzl_remote::sync::SyncError>,
    task_id: &hzl_core::ids::TaskId,
) -> CommandError {
    let outcome = "nothing was claimed here; if the cloud has taken the claim all the same, the next sync gives the task back";
    let failure = match error {
        Some(error) => cloud::failure(&error, outcome),
        None => CommandError::new(
            Kind::SyncUnavailable,
            format!("the cloud did not confirm the claim; {outcome}"),
        ),
    };
    failure
        .detail("task_id", task_id.as_str())
        .detail("outcome", "unknown")
        .hint("hzl sync")
}
