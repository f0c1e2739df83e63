//! Tasks with ids that no ULID could be: as long as there are none, the beginning of an id is a range of an index.

use hzl_core::ids::TaskId;
use rusqlite::Connection;

use super::{Projector, meta, set_meta};
use crate::error::Result;

/// In p_meta: how many there are.
const ODD_IDS: &str = "odd_ids";

/// Tells whether any task has an id with other characters than digits and capital letters, as no ULID has.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn has_odd_ids(cache: &Connection) -> Result<bool> {
    Ok(meta(cache, ODD_IDS)?.unwrap_or(0_i64) > 0)
}

fn is_odd(task_id: &TaskId) -> bool {
    let usual = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    !task_id.as_str().bytes().all(usual)
}

impl Projector<'_> {
    /// Notes that a task has appeared, or else disappeared.
    pub(super) fn note_id(&mut self, task_id: &TaskId, appeared: bool) {
        if is_odd(task_id) {
            self.more_odd_ids += if appeared { 1 } else { -1 };
        }
    }

    /// Stores how many there are.
    pub(super) fn store_odd_ids(&self) -> Result<()> {
        if self.fresh {
            set_meta(self.conn, ODD_IDS, &self.more_odd_ids)
        } else if self.more_odd_ids != 0 {
            let before = meta(self.conn, ODD_IDS)?.unwrap_or(0_i64);
            set_meta(self.conn, ODD_IDS, &(before + self.more_odd_ids))
        } else {
            Ok(())
        }
    }
}
