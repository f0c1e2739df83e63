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
    #[error("{0}")]
    CloudChanged(CloudChange),
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
    /// There is more to send or to fetch than there was time for.
    #[error("there is more to exchange with the cloud than there was time for")]
    NotInTime,
    /// Somebody rewound or replaced the cloud or this store while the two were compared.
    #[error("the cloud database or this store was reset while they were compared")]
    ChangedMeanwhile,
}

/// What has become of the cloud database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloudChange {
    /// It is empty.
    #[error("the cloud database is empty, but this store was synced with it before")]
    Wiped,
    /// It lost rows.
    #[error(
        "the cloud database has lost events that this store had synced with it (restored from a backup?)"
    )]
    Rewound,
    /// It holds another ledger.
    #[error("the cloud database holds another ledger than the one this store was synced with")]
    Replaced,
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
            SyncError::Remote(_)
            | SyncError::Sql(_)
            | SyncError::Stuck
            | SyncError::NotInTime
            | SyncError::ChangedMeanwhile => SyncErrorKind::Unavailable,
            SyncError::Endpoint(_)
            | SyncError::EmptyAndReadOnly
            | SyncError::NewerFormat { .. } => SyncErrorKind::Rejected,
            SyncError::CloudChanged(_) | SyncError::MergeRequired { .. } => {
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
            SyncError::CloudChanged(CloudChange::Wiped) => "cloud_wiped",
            SyncError::CloudChanged(CloudChange::Rewound) => "cloud_rewound",
            SyncError::CloudChanged(CloudChange::Replaced) => "cloud_replaced",
            SyncError::MergeRequired { .. } => "merge_required",
            SyncError::EmptyAndReadOnly => "empty_and_read_only",
            SyncError::NewerFormat { .. } => "newer_format",
            SyncError::Stuck => "push_refused",
            SyncError::NotInTime => "not_in_time",
            SyncError::ChangedMeanwhile => "changed_meanwhile",
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
                "bad_reply" | "bad_request" => {
                    "check the sync URL: what answers there does not speak libSQL"
                }
                _ => "wait: it is tried again by itself; if it goes on, check network and sync URL",
            },
            SyncError::Endpoint(error) => error.hint(),
            SyncError::Sql(_) | SyncError::Stuck => "wait: it is tried again by itself",
            SyncError::CloudChanged(CloudChange::Wiped | CloudChange::Rewound) => {
                "if this is the right cloud database, run `hzl sync --reset`: it sends again what the cloud lost and deletes nothing; else correct the sync URL"
            }
            SyncError::CloudChanged(CloudChange::Replaced) | SyncError::MergeRequired { .. } => {
                "run `hzl sync --merge` to unite both ledgers, or correct the sync URL"
            }
            SyncError::NotInTime => "run `hzl sync`, which takes its time, and try again",
            SyncError::ChangedMeanwhile => "run `hzl sync --verify` again",
            SyncError::EmptyAndReadOnly => "sync once with a token that may write",
            SyncError::NewerFormat { .. } => "upgrade hzl on this machine",
        }
    }
}
