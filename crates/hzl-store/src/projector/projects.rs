//! Projects, their names on tasks, and project events that no longer applied.

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
        for (identity, name) in projects.given_names() {
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
