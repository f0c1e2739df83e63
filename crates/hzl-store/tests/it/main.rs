//! Tests of the store on real files.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod batch;
mod comparison;
mod files;
mod files_busy;
mod files_cache;
mod files_lock;
mod files_open;
mod files_private;
mod files_process;
mod files_race;
mod files_read_only;
mod files_upgrade;
mod files_wal;
mod ids;
mod lasting;
mod ledger;
mod lists;
mod rebuild;
mod tip;
