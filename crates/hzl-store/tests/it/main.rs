//! Tests of the store on real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod files;
mod files_open;
