//! Projects, their names on tasks, and project events that no longer applied.

use hzl_core::ids::ProjectIdentity;
use hzl_core::project::{Project, Projects};
use rusqlite::named_params;

use super::Projector;
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};

const REMOVE_ALL: &str = "
    delete from p_projects
    returning identity, name, description, is_protected, created_at, created_by, is_deleted";

const ADD: &str = "
    insert into p_projects
      (identity, name, description, is_protected, created_at, created_by, is_deleted)
    values
      (:identity, :name, :description, :is_protected, :created_at, :created_by, :is_deleted)";

/// Seeks from one identity to the next: projects are few, tasks are many.
const NAMES_OF_TASKS: &str = "
    with recursive identities(identity) as (
      select min(project_identity) from p_tasks
      union all
      select (select min(project_identity) from p_tasks where project_identity > i.identity)
        from identities i where i.identity is not null)
    select i.identity,
           (select project from p_tasks t where t.project_identity = i.identity limit 1)
      from identities i where i.identity is not null";

const NAME_TASKS: &str = "
    update p_tasks set project = :name where project_identity = :identity and project <> :name";

const REMOVE_CONFLICTS: &str = "
    delete from p_conflicts
     where task_id is null and kind = 'superseded_project' and :key = ''
    returning event_id, kind, field, winner_event_id";

impl Projector<'_> {
    /// Stores all projects as folded; they are few.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn store_projects(&mut self, projects: &Projects) -> Result<()> {
        let context = "store the projects";
        let mut statement = self
            .conn
            .prepare_cached(REMOVE_ALL)
            .on(self.conn, context)?;
        let removed = statement
            .query_map([], |row| {
                let (identity, name): (String, String) = (row.get(0)?, row.get(1)?);
                let (description, created_by): (Option<String>, String) =
                    (row.get(2)?, row.get(5)?);
                let flags: (bool, bool) = (row.get(3)?, row.get(6)?);
                let at: i64 = row.get(4)?;
                Ok(sum(
                    &identity,
                    &name,
                    description.as_deref(),
                    flags,
                    at,
                    &created_by,
                ))
            })
            .on(self.conn, context)?;
        for sum in removed {
            self.sum.subtract(sum.on(self.conn, context)?);
        }
        for project in projects.list() {
            self.add_project(project)?;
        }
        // Whatever tasks there are: an identity may also have lost the name that a rename had given it.
        for (identity, old) in self.names_of_tasks()? {
            let name = projects.name_of(&identity);
            if name.as_str() == old {
                continue;
            }
            self.is_renamed = true;
            let mut statement = self
                .conn
                .prepare_cached(NAME_TASKS)
                .on(self.conn, context)?;
            statement
                .execute(named_params! {
                    ":identity": identity.as_str(),
                    ":name": name.as_str(),
                })
                .on(self.conn, context)?;
        }
        self.remove_conflicts_where(REMOVE_CONFLICTS, "")?;
        projects
            .conflicts()
            .iter()
            .try_for_each(|conflict| self.add_conflict(conflict))
    }

    /// What the tasks of each identity are filed under: all of one identity under one name.
    fn names_of_tasks(&self) -> Result<Vec<(ProjectIdentity, String)>> {
        let context = "list the projects of tasks";
        let mut statement = self
            .conn
            .prepare_cached(NAMES_OF_TASKS)
            .on(self.conn, context)?;
        let names = statement
            .query_map([], |row| {
                Ok((ProjectIdentity::new(row.get::<_, String>(0)?), row.get(1)?))
            })
            .on(self.conn, context)?;
        names
            .collect::<rusqlite::Result<_>>()
            .on(self.conn, context)
    }

    fn add_project(&mut self, project: &Project) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(ADD)
            .on(self.conn, "store a project")?;
        statement
            .execute(named_params! {
                ":identity": project.identity.as_str(),
                ":name": project.name.as_str(),
                ":description": project.description,
                ":is_protected": project.is_protected,
                ":created_at": project.created_at.millis(),
                ":created_by": project.created_by.as_str(),
                ":is_deleted": project.is_deleted,
            })
            .on(self.conn, "store a project")?;
        self.sum.add(sum(
            project.identity.as_str(),
            project.name.as_str(),
            project.description.as_deref(),
            (project.is_protected, project.is_deleted),
            project.created_at.millis(),
            project.created_by.as_str(),
        ));
        Ok(())
    }
}

fn sum(
    identity: &str,
    name: &str,
    description: Option<&str>,
    flags: (bool, bool),
    created_at: i64,
    created_by: &str,
) -> StateSum {
    StateSum::of(
        "project",
        &(identity, name, description, flags, created_at, created_by),
    )
}
