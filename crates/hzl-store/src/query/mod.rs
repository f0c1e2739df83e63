//! Read models: what commands show. One file per subject; plain structs, no JSON, no rules.
//!
//! Every function reads projections that [`crate::ledger::Ledger::read`] has brought up to date.

pub mod claim;
pub mod conflicts;
pub mod projects;
pub mod tasks;
