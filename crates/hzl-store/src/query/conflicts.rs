//! Writes that lost a merge.

use rusqlite::Connection;

use crate::error::{OnConnection as _, Result};

const COUNT: &str = "
    select count(*) from p_conflicts
     where kind <> 'value' or losing_value is not winning_value";

/// Counts them, without those that lost to an equal value.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count(cache: &Connection) -> Result<u64> {
    let mut statement = cache.prepare_cached(COUNT).on(cache, "count conflicts")?;
    let count: i64 = statement
        .query_row([], |row| row.get(0))
        .on(cache, "count conflicts")?;
    Ok(u64::try_from(count).unwrap_or(0))
}
