//! The ledger on disk.
//!
//! `events.db` holds the append-only log and everything that must commit with it; `cache.db`
//! holds projections only and may be deleted at any time. Each has its own connection; the two
//! are never attached to one another, because two WAL files do not commit together.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod backup;
pub mod batch;
pub mod busy;
pub mod catch_up;
pub mod checkpoint;
pub mod digest;
pub mod error;
pub mod facts;
pub mod filesystem;
pub mod folded;
pub mod intent;
pub mod interrupt;
pub mod ledger;
pub mod lock;
pub mod log;
pub mod loss;
pub mod memory;
pub mod open;
pub mod outbox;
pub mod paths;
pub mod projections;
pub mod projector;
pub mod prune;
pub mod query;
pub mod replica;
pub mod salvage;
pub mod schema;
pub mod source;
pub mod state;
pub mod sum;
pub mod tip;
pub mod transaction;
pub mod transfer;
pub mod undo;
pub mod workflow;

mod connect;
#[cfg(test)]
mod statements;
mod vetted;

pub use error::{Error, Result};
pub use open::{Access, Files, Note, OpenOptions};
pub use paths::StorePaths;
