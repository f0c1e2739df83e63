//! Why a sync stopped. Local data is as it was: nothing here ever loses an event.

use crate::endpoint::EndpointError;
use crate::error::{RemoteError, SqlError};

/// A failure of sync.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] hzl_store::Error),
    /// There was no usable reply.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The address cannot be one.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The server refused a statement that it should have run.
    #[error("the cloud database refused a request: {0}")]
    Sql(SqlError),
    /// The cloud database is not the one this store was synced with, or it lost rows.
    #[error("{what}")]
    CloudChanged {
        /// What was found.
        what: String,
    },
    /// Both sides hold a ledger of their own.
    #[error(
        "this store holds {local_events} events of its own, and the cloud holds {cloud_events} events of another ledger"
    )]
    MergeRequired {
        /// Events here.
        local_events: u64,
        /// Events there.
        cloud_events: u64,
    },
    /// The cloud has no ledger yet, and this token may not make one.
    #[error("the cloud database is empty and this token may only read")]
    EmptyAndReadOnly,
    /// The cloud ledger was written by a later hzl.
    #[error("the cloud ledger has format {found}, this hzl knows format {supported}")]
    NewerFormat {
        /// Format there.
        found: String,
        /// Format known here.
        supported: u32,
    },
    /// Neither side moved, although events wait.
    #[error("the cloud took none of the waiting events")]
    Stuck,
}

/// What sort of failure it is; the binary maps this to an exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncErrorKind {
    /// Nobody answered, or not in time: later it may work.
    Unavailable,
    /// Token, permission, address or format: somebody has to change something.
    Rejected,
    /// Another ledger, or a rewound one.
    CloudChanged,
    /// The store failed.
    Store,
}

impl SyncError {
    /// What sort of failure it is.
    pub fn kind(&self) -> SyncErrorKind {
        match self {
            SyncError::Store(_) => SyncErrorKind::Store,
            SyncError::Remote(error) if error.is_permanent() => SyncErrorKind::Rejected,
            SyncError::Remote(_) | SyncError::Sql(_) | SyncError::Stuck => {
                SyncErrorKind::Unavailable
            }
            SyncError::Endpoint(_)
            | SyncError::EmptyAndReadOnly
            | SyncError::NewerFormat { .. } => SyncErrorKind::Rejected,
            SyncError::CloudChanged { .. } | SyncError::MergeRequired { .. } => {
                SyncErrorKind::CloudChanged
            }
        }
    }

    /// A stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            SyncError::Store(_) => "database_error",
            SyncError::Remote(error) => error.code(),
            SyncError::Endpoint(_) => "bad_url",
            SyncError::Sql(_) => "cloud_error",
            SyncError::CloudChanged { .. } => "cloud_changed",
            SyncError::MergeRequired { .. } => "merge_required",
            SyncError::EmptyAndReadOnly => "empty_and_read_only",
            SyncError::NewerFormat { .. } => "newer_format",
            SyncError::Stuck => "push_refused",
        }
    }

    /// What to do about it. Local events are safe in every case.
    pub fn action(&self) -> &'static str {
        match self {
            SyncError::Store(_) => "run `hzl doctor`",
            SyncError::Remote(error) => match error.code() {
                "unauthorized" => {
                    "get a new token and run `hzl init --sync-url <url> --auth-token <token>`, or set HZL_SYNC_TOKEN"
                }
                "forbidden" => "use a token that may write; pulling goes on",
                "not_found" | "bad_url" => "check the sync URL: `hzl status` shows it",
                "tls" => "check the server's certificate and this machine's clock",
                "redirected" => "set the sync URL to the address that the server names",
                _ => "nothing: it is tried again; `hzl sync` tries at once",
            },
            SyncError::Endpoint(error) => error.hint(),
            SyncError::Sql(_) | SyncError::Stuck => {
                "nothing: it is tried again; `hzl sync` tries at once"
            }
            SyncError::CloudChanged { .. } => {
                "if this is the right cloud database, run `hzl sync --reset`: it sends again what the cloud lost and deletes nothing; else correct the sync URL"
            }
            SyncError::MergeRequired { .. } => {
                "run `hzl sync --merge` to unite both, or correct the sync URL"
            }
            SyncError::EmptyAndReadOnly => "sync once with a token that may write",
            SyncError::NewerFormat { .. } => "upgrade hzl on this machine",
        }
    }
}
