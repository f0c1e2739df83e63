//! The cloud database as commands see it: where it is, how a sync goes, what its failures mean.

use std::fs;

use hzl_remote::endpoint::InsecureHttp;
use hzl_remote::http::Timeouts;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::Target;
use hzl_remote::sync::error::SyncErrorKind;

use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;

/// How long somebody who asked for a sync waits for one reply.
pub(crate) const PATIENT: Timeouts = Timeouts {
    connect: std::time::Duration::from_secs(5),
    total: std::time::Duration::from_secs(30),
};

/// Returns the cloud database to sync with, if one is configured.
///
/// # Errors
///
/// As [`Context::sync_target`].
pub(crate) fn target(ctx: &mut Context) -> Result<Option<Target>, CommandError> {
    let Some(target) = ctx.sync_target()? else {
        return Ok(None);
    };
    let insecure = ctx.config()?.sync.allow_insecure.unwrap_or(false);
    Ok(Some(Target {
        url: target.url,
        token: target.token,
        insecure_http: insecure_http(insecure),
    }))
}

/// Returns whether plain HTTP may leave this machine.
pub(crate) fn insecure_http(allowed: bool) -> InsecureHttp {
    if allowed {
        InsecureHttp::Allowed
    } else {
        InsecureHttp::Refused
    }
}

/// How this machine syncs, when nothing special is asked for.
pub(crate) fn usual() -> SyncOptions {
    SyncOptions {
        device_name: machine_name(),
        ..SyncOptions::default()
    }
}

/// Says what a failed sync means to the caller. Nothing local is ever lost by one; `kept` says so.
pub(crate) fn failure(error: &SyncError, kept: &str) -> CommandError {
    let kind = match (error, error.kind()) {
        (SyncError::MergeRequired { .. }, _) => Kind::MergeRequired,
        (_, SyncErrorKind::Unavailable) => Kind::SyncUnavailable,
        (_, SyncErrorKind::Rejected) => Kind::SyncRejected,
        (_, SyncErrorKind::CloudChanged) => Kind::CloudChanged,
        (_, SyncErrorKind::Store) => Kind::Database,
    };
    let (cause, action) = (error.code(), error.action());
    let message = format!("{error}; {kept}");
    let mut failure = CommandError::new(kind, message)
        .hint(action)
        .detail("cause", cause);
    if let SyncError::MergeRequired {
        local_events,
        cloud_events,
    } = error
    {
        failure = failure
            .detail("localEvents", *local_events)
            .detail("cloudEvents", *cloud_events);
    }
    failure
}

/// What is said after a failed sync.
pub(crate) const KEPT: &str = "everything that was written here is kept";
/// What is said when settings were refused.
pub(crate) const NOT_SAVED: &str = "nothing was saved";

/// The name by which people know this machine.
pub(crate) fn machine_name() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())?;
    let name: String = text.trim().chars().take(64).collect();
    (!name.is_empty()).then_some(name)
}
