//! Projects, their names on tasks, and project events that no longer applied.

use hzl_core::ids::{EventId, ProjectIdentity, ProjectName};
use hzl_core::project::{Project, Projects};
use hzl_core::time::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::counts::{COUNT_RENAMED, FORGET_OLD_NAME};
use super::{Projector, meta, set_meta};
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};

const REMOVE_ALL: &str = "
    delete from p_projects
    returning identity, name, description, is_protected, created_at, created_by, is_deleted";

const LIST: &str = "
    select identity, name, description, is_protected, created_at, created_by, is_deleted
      from p_projects";

/// In p_meta: whether [`Projects::is_plain`].
const PLAIN: &str = "plain_projects";

const ADD: &str = "
    insert into p_projects
      (identity, name, description, is_protected, created_at, created_by, is_deleted)
    values
      (:identity, :name, :description, :is_protected, :created_at, :created_by, :is_deleted)";

/// Tasks are many, but they are counted.
const NAMES_OF_TASKS: &str = "
    select distinct project_identity, project from p_counts where tasks > 0";

const NAME_TASKS: &str = "
    update p_tasks set project = :name where project = :old and project_identity = :identity";

const REMOVE_CONFLICTS: &str = "
    delete from p_conflicts
     where task_id is null and kind = 'superseded_project' and :key = ''
    returning event_id, kind, field, winner_event_id";

/// Tells whether no project was renamed: names mean what they say, without a look at any event.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn are_plain(cache: &Connection) -> Result<bool> {
    Ok(meta(cache, PLAIN)?.unwrap_or(false))
}

/// Loads the projects of projections that are current, if they are plain; else only their events tell.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn find_plain(cache: &Connection) -> Result<Option<Projects>> {
    if !are_plain(cache)? {
        return Ok(None);
    }
    let context = "load the projects";
    let mut statement = cache.prepare_cached(LIST).on(cache, context)?;
    let projects = statement
        .query_map([], read_project)
        .on(cache, context)?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(cache, context)?;
    Ok(Some(Projects::plain(projects)))
}

fn read_project(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        identity: ProjectIdentity::new(row.get::<_, String>(0)?),
        name: ProjectName::new(row.get::<_, String>(1)?),
        description: row.get(2)?,
        is_protected: row.get(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
        created_by: EventId::new(row.get::<_, String>(5)?),
        is_deleted: row.get(6)?,
    })
}

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
            .query_map([], |row| Ok(sum(&read_project(row)?)))
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
            for sql in [NAME_TASKS, COUNT_RENAMED, FORGET_OLD_NAME] {
                let mut statement = self.conn.prepare_cached(sql).on(self.conn, context)?;
                statement
                    .execute(named_params! {
                        ":identity": identity.as_str(),
                        ":old": old,
                        ":name": name.as_str(),
                    })
                    .on(self.conn, context)?;
            }
        }
        set_meta(self.conn, PLAIN, &projects.is_plain())?;
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
        self.sum.add(sum(project));
        Ok(())
    }
}

fn sum(project: &Project) -> StateSum {
    StateSum::of(
        "project",
        &(
            project.identity.as_str(),
            project.name.as_str(),
            &project.description,
            (project.is_protected, project.is_deleted),
            project.created_at.millis(),
            project.created_by.as_str(),
        ),
    )
}
