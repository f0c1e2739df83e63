//! Read models: what commands show. One file per subject; plain structs, no JSON, no rules.
//!
//! Every function reads projections that [`crate::ledger::Ledger::read`] has brought up to date, except
//! where a file says that it reads the log.

pub mod claim;
pub mod conflicts;
pub mod health;
pub mod projects;
pub mod status;
pub mod tasks;
