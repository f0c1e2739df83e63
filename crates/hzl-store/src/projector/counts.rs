//! How many tasks there are of each project and status: what lists say in all, without walking through all.
//! And how many have an id that is to be looked for in another way.

use hzl_core::ids::TaskId;
use rusqlite::{Connection, named_params};

use super::{Projector, meta, set_meta};
use crate::error::{OnConnection as _, Result};

/// In p_meta.
const ODD_IDS: &str = "odd_ids";

const ADD: &str = "
    insert into p_counts (project, project_identity, status, tasks)
    values (:project, :identity, :status, :change)
    on conflict do update set tasks = tasks + excluded.tasks";

const FORGET: &str = "
    delete from p_counts";

const COUNT_ALL: &str = "
    insert into p_counts (project, project_identity, status, tasks)
    select project, project_identity, status, count(*) from p_tasks
     group by project, project_identity, status";

/// Where a task is counted: under which name of which project, in which status.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Place<'task> {
    pub(super) project: &'task str,
    pub(super) identity: &'task str,
    pub(super) status: &'static str,
}

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
    pub(super) fn count_odd_id(&mut self, task_id: &TaskId, appeared: bool) {
        if is_odd(task_id) {
            self.more_odd_ids += if appeared { 1 } else { -1 };
        }
    }

    pub(super) fn count_odd_ids(&self) -> Result<()> {
        if self.fresh {
            set_meta(self.conn, ODD_IDS, &self.more_odd_ids)
        } else if self.more_odd_ids != 0 {
            let before = meta(self.conn, ODD_IDS)?.unwrap_or(0_i64);
            set_meta(self.conn, ODD_IDS, &(before + self.more_odd_ids))
        } else {
            Ok(())
        }
    }

    /// Counts a task where it is now, and no longer where it was.
    pub(super) fn count(&self, old: Option<Place<'_>>, new: Option<Place<'_>>) -> Result<()> {
        if self.fresh || old == new {
            return Ok(());
        }
        for (place, change) in [(old, -1), (new, 1)] {
            let Some(place) = place else {
                continue;
            };
            let context = "count tasks";
            let mut statement = self.conn.prepare_cached(ADD).on(self.conn, context)?;
            statement
                .execute(named_params! {
                    ":project": place.project,
                    ":identity": place.identity,
                    ":status": place.status,
                    ":change": change,
                })
                .on(self.conn, context)?;
        }
        Ok(())
    }

    /// Counts all tasks, after a rebuild or when a project got another name.
    pub(super) fn count_all(&self) -> Result<()> {
        self.run(FORGET, "count tasks")?;
        self.run(COUNT_ALL, "count tasks")
    }
}
