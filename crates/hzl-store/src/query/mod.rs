//! Read models: what commands show. One file per subject; plain structs, no JSON, no rules.
//!
//! Every function reads projections that [`crate::ledger::Ledger::read`] has brought up to date, except
//! where a file says that it reads the log.

pub mod agents;
pub mod claim;
pub mod compare;
pub mod conflicts;
pub mod dependencies;
pub mod devices;
pub mod health;
pub mod projects;
pub mod prune;
pub mod quarantine;
pub mod search;
pub mod stats;
pub mod status;
pub mod tasks;

use rusqlite::Row;

/// Reads a number of rows.
fn count_column(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}
