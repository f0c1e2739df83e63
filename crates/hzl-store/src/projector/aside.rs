//! Indexes that are set aside while many rows are written, and made again from the rows.
//!
//! A rebuild of 100,000 tasks takes half as long with them made afterwards: sorted at once, instead of row by row
//! in random places. For small stores it would cost more than it saves.

use rusqlite::Connection;

use super::Projector;
use crate::error::{OnConnection as _, Result};

const LIST: &str = "
    select name, sql from sqlite_master
     where type = 'index' and sql is not null and tbl_name like 'p\\_%' escape '\\'";

impl Projector<'_> {
    /// Drops the indexes of the projections until [`Projector::finish`] makes them again. Nothing may be looked up
    /// in between.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn set_indexes_aside(&mut self) -> Result<()> {
        let context = "set the indexes aside";
        let found = list(self.conn).on(self.conn, context)?;
        for (name, definition) in found {
            let name = name.replace('"', "\"\"");
            self.conn
                .execute_batch(&format!("drop index \"{name}\""))
                .on(self.conn, context)?;
            self.aside.push(definition);
        }
        Ok(())
    }

    /// Makes them again.
    pub(super) fn restore_indexes(&mut self) -> Result<()> {
        for definition in std::mem::take(&mut self.aside) {
            self.conn
                .execute_batch(&definition)
                .on(self.conn, "make the indexes again")?;
        }
        Ok(())
    }
}

fn list(conn: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = conn.prepare(LIST)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
