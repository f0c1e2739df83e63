//! Writes that the cloud has to confirm: `db.sync.policy: strict`.
//!
//! Before a write a bounded sync has to succeed, so that it is decided on what everybody has; else nothing is
//! written. After it another one sends it and brings it back. A write that is on this disk is never taken back:
//! if its confirmation fails, the answer says so in `warnings`. Claims ask the cloud by themselves, see
//! `claiming`.

use std::ops::Range;
use std::time::Duration;
use std::time::Instant;

use hzl_remote::http::Timeouts;
use hzl_remote::sync::Report;
use hzl_remote::sync::Session;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::Target;
use hzl_store::ledger::Ledger;
use hzl_store::query::conflicts;
use hzl_store::replica::Fate;

use crate::background;
use crate::cloud;
use crate::config::SyncPolicy;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Warning;

/// How long the cloud may take before a write, and after it.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is said when the cloud does not answer before a write.
const NOTHING_WRITTEN: &str = "nothing was written: db.sync.policy is strict";

/// Returns the cloud that has to confirm writes; `None`: none has to.
///
/// # Errors
///
/// As [`Context::config`].
pub(crate) fn confirming(ctx: &mut Context) -> Result<Option<Target>, CommandError> {
    match ctx.config()?.sync.policy {
        Some(SyncPolicy::Strict) => cloud::target(ctx),
        Some(SyncPolicy::Manual | SyncPolicy::Opportunistic) | None => Ok(None),
    }
}

/// Makes sure that the cloud can confirm a write and that everything it has is here.
///
/// # Errors
///
/// `SyncUnavailable`, `SyncRejected`, `CloudChanged`: as a sync; nothing may be written then.
pub(crate) fn prepare(ctx: &mut Context, ledger: &mut Ledger) -> Result<(), CommandError> {
    let Some(target) = confirming(ctx)? else {
        return Ok(());
    };
    let options = SyncOptions {
        must_write: true,
        ..cloud::usual()
    };
    let failure = match exchange(ledger, &target, options) {
        Ok(report) if !report.pull_only => return Ok(()),
        Ok(_) => {
            let message = format!("this token may only read; {NOTHING_WRITTEN}");
            CommandError::new(Kind::SyncRejected, message)
                .hint("use a token that may write: `hzl init --sync-url <url> --auth-token -`")
                .detail("cause", "forbidden")
        }
        Err(error) => cloud::failure(&error, NOTHING_WRITTEN),
    };
    Err(failure
        .detail("policy", "strict")
        .hint("or let writes wait for the cloud: set db.sync.policy to opportunistic"))
}

/// Sends what was written in these rows of the log to the cloud that has to confirm it, and says in the answer to
/// come if it did not. Above the start, up to the end: what other processes write later is their affair.
///
/// # Errors
///
/// Whatever the store reports. The write is on the disk all the same.
pub(crate) fn confirm(
    ctx: &mut Context,
    ledger: &mut Ledger,
    target: &Target,
    rows: Range<i64>,
) -> Result<(), CommandError> {
    if ledger.fate_of(rows.clone())?.is_empty() {
        background::start_if_due(ctx, ledger);
        return Ok(());
    }
    // Who did not answer a moment ago, in this very command, is not waited for again.
    let asked = match ctx.output.has_warning(NOT_CONFIRMED) {
        true => None,
        false => Some(exchange(ledger, target, cloud::usual())),
    };
    let fate = ledger.fate_of(rows)?;
    if fate.waiting + fate.set_aside > 0 {
        ctx.output.warn(not_confirmed(asked.as_ref(), &fate));
        background::start(ctx, ledger)?;
    }
    let lost = count_lost(ledger, &fate)?;
    if lost > 0 {
        ctx.output.warn(superseded(lost));
    }
    Ok(())
}

fn exchange(
    ledger: &mut Ledger,
    target: &Target,
    options: SyncOptions,
) -> Result<Report, SyncError> {
    let timeouts = Timeouts {
        connect: PATIENCE,
        total: PATIENCE,
    };
    let options = SyncOptions {
        deadline: Some(Instant::now() + PATIENCE),
        ..options
    };
    Session::new(ledger, target, timeouts)?.sync(ledger, &options, &mut |_| {})
}

/// The code of the warning that something is on this disk only.
const NOT_CONFIRMED: &str = "not_confirmed";

fn not_confirmed(asked: Option<&Result<Report, SyncError>>, fate: &Fate) -> Warning {
    let kept = "it is kept here and is sent as soon as that is possible";
    let (message, cause) = match asked {
        _ if fate.set_aside > 0 => (
            "the cloud refuses what was written; it is kept here: see `hzl doctor`".to_owned(),
            Some("quarantined"),
        ),
        Some(Err(error)) => (
            format!("the cloud has not confirmed what was written: {error}; {kept}"),
            Some(error.code()),
        ),
        Some(Ok(report)) if report.pull_only => (
            format!(
                "the cloud has not confirmed what was written: this token may only read; {kept}"
            ),
            Some("forbidden"),
        ),
        Some(Ok(_)) | None => (
            format!("the cloud has not confirmed what was written; {kept}"),
            None,
        ),
    };
    Warning {
        code: NOT_CONFIRMED,
        message,
        cause,
    }
}

/// Counts the events that reached the cloud too late to have an effect: another machine was faster.
fn count_lost(ledger: &mut Ledger, fate: &Fate) -> Result<usize, CommandError> {
    let lost = ledger.read(|cache| {
        let each = fate.confirmed.iter();
        let lost = each.map(|event_id| conflicts::has_lost(cache, event_id));
        lost.collect::<Result<Vec<bool>, _>>()
    })?;
    Ok(lost.into_iter().filter(|lost| *lost).count())
}

fn superseded(lost: usize) -> Warning {
    Warning {
        code: "superseded",
        message: format!(
            "{lost} of the events written changed nothing: another machine was faster; see `hzl conflicts list`"
        ),
        cause: None,
    }
}
