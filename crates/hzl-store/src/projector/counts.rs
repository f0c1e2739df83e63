//! How many tasks there are of each project and status: what lists say in all, without walking through all.

use rusqlite::named_params;

use super::Projector;
use crate::error::{OnConnection as _, Result};

const ADD: &str = "
    insert into p_counts (project, status, tasks) values (:project, :status, :change)
    on conflict (project, status) do update set tasks = tasks + excluded.tasks";

const FORGET: &str = "
    delete from p_counts";

const COUNT_ALL: &str = "
    insert into p_counts (project, status, tasks)
    select project, status, count(*) from p_tasks group by project, status";

impl Projector<'_> {
    /// Counts a task where it is now, each as project and status, and no longer where it was.
    pub(super) fn count(&self, old: Option<(&str, &str)>, new: Option<(&str, &str)>) -> Result<()> {
        if self.fresh || old == new {
            return Ok(());
        }
        for (place, change) in [(old, -1), (new, 1)] {
            let Some((project, status)) = place else {
                continue;
            };
            let context = "count tasks";
            let mut statement = self.conn.prepare_cached(ADD).on(self.conn, context)?;
            statement
                .execute(named_params! {
                    ":project": project, ":status": status, ":change": change,
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
