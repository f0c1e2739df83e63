//! How many tasks there are of each project and status, and how many of these can be claimed: what lists say in all,
//! without walking through all.

use hzl_core::ids::{ProjectIdentity, ProjectName, TaskId};
use hzl_core::task::Status;
use rusqlite::{OptionalExtension as _, named_params};

use super::Projector;
use crate::error::{OnConnection as _, Result};

const ADD: &str = "
    insert into p_counts (project, project_identity, status, tasks, available)
    values (:project, :identity, :status, :tasks, :available)
    on conflict do update set tasks = tasks + excluded.tasks, available = available + excluded.available";

/// Counts the tasks of a project under its new name, too.
pub(super) const COUNT_RENAMED: &str = "
    insert into p_counts (project, project_identity, status, tasks, available)
    select :name, project_identity, status, tasks, available
      from p_counts where project = :old and project_identity = :identity
    on conflict do update set tasks = tasks + excluded.tasks, available = available + excluded.available";

/// And no longer under the old one.
pub(super) const FORGET_OLD_NAME: &str = "
    delete from p_counts
     where project = :old and project <> :name and project_identity = :identity";

const FORGET: &str = "
    delete from p_counts";

/// Of the few tasks that can be claimed. Those of each status were counted as they were stored.
const COUNT_AVAILABLE: &str = "
    update p_counts set available = counted.tasks
      from (select project, project_identity, count(*) as tasks
              from p_tasks indexed by p_available
             where status = 'ready' and open_deps = 0 and child_count = 0
             group by project, project_identity) counted
     where p_counts.project = counted.project and p_counts.status = 'ready'
       and p_counts.project_identity = counted.project_identity";

const PLACE: &str = "
    select project, project_identity, status, open_deps = 0 and child_count = 0
      from p_tasks where task_id = :task_id";

/// Where a task is counted: under which name of which project, in which status.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) project: ProjectName,
    pub(super) identity: ProjectIdentity,
    pub(super) status: Status,
    /// It waits for no task, and has no subtasks.
    pub(super) is_free: bool,
}

impl Place {
    fn is_available(&self) -> bool {
        self.status == Status::Ready && self.is_free
    }
}

impl Projector<'_> {
    /// Counts a task where it is now, and no longer where it was.
    pub(super) fn count(&mut self, old: Option<Place>, new: Option<Place>) -> Result<()> {
        if self.fresh {
            // What it waits for is not known yet.
            if let Some(place) = new {
                *self.counted.entry(place).or_default() += 1;
            }
            return Ok(());
        }
        if old == new {
            return Ok(());
        }
        for (place, change) in [(old, -1), (new, 1)] {
            if let Some(place) = place {
                let available = change * i64::from(place.is_available());
                self.add_count(&place, change, available)?;
            }
        }
        Ok(())
    }

    fn add_count(&self, place: &Place, tasks: i64, available: i64) -> Result<()> {
        let context = "count tasks";
        let mut statement = self.conn.prepare_cached(ADD).on(self.conn, context)?;
        statement
            .execute(named_params! {
                ":project": place.project.as_str(),
                ":identity": place.identity.as_str(),
                ":status": place.status.name(),
                ":tasks": tasks,
                ":available": available,
            })
            .on(self.conn, context)
            .map(drop)
    }

    /// Runs a statement that counts what a task waits for, or its subtasks, which may make it available or not.
    pub(super) fn recount(&mut self, sql: &str, task_id: &TaskId) -> Result<()> {
        let before = self.find_place(task_id)?;
        self.execute_for(sql, task_id)?;
        if before.as_ref().is_none_or(|it| it.status != Status::Ready) {
            return Ok(());
        }
        let after = self.find_place(task_id)?;
        self.count(before, after)
    }

    fn find_place(&self, task_id: &TaskId) -> Result<Option<Place>> {
        let context = "count tasks";
        let mut statement = self.conn.prepare_cached(PLACE).on(self.conn, context)?;
        statement
            .query_row(named_params! { ":task_id": task_id.as_str() }, |row| {
                let status: String = row.get(2)?;
                Ok(Place {
                    project: ProjectName::new(row.get::<_, String>(0)?),
                    identity: ProjectIdentity::new(row.get::<_, String>(1)?),
                    status: Status::find(&status).unwrap_or_default(),
                    is_free: row.get(3)?,
                })
            })
            .optional()
            .on(self.conn, context)
    }

    /// Stores how many tasks there are after a rebuild, once it is known what they wait for.
    pub(super) fn store_counts(&mut self) -> Result<()> {
        self.run(FORGET, "count tasks")?;
        for (place, tasks) in std::mem::take(&mut self.counted) {
            self.add_count(&place, tasks, 0)?;
        }
        self.run(COUNT_AVAILABLE, "count tasks")
    }
}
