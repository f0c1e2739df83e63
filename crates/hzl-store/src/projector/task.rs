//! The row of a task, and reading it back for the next fold.

use hzl_core::event::Field;
use hzl_core::ids::{EventId, ProjectIdentity, ProjectName, TaskId};
use hzl_core::project::Projects;
use hzl_core::stamp::Stamp;
use hzl_core::task::{Memory, Status, Task};
use hzl_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::counts::Place;
use super::{Mode, Projector};
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::folded::Folded;

/// A task as it is stored, with what only the tables know.
#[derive(Clone, Debug)]
pub struct StoredTask {
    /// Its state.
    pub task: Task,
    /// What its project is called.
    pub project: ProjectName,
    /// Its parent, if the link counts.
    pub parent_id: Option<TaskId>,
    /// Its subtasks, of any status.
    pub child_count: u32,
    /// Tasks it waits for that are not finished.
    pub open_deps: u32,
    /// Its checkpoints.
    pub checkpoint_count: u32,
    digest: StateSum,
}

/// The columns that [`read_task`] reads, in its order.
macro_rules! task_columns {
    () => {
        "task_id, title, project, project_identity, status, parent_raw, parent_id, description,
       links, tags, priority, due_at, metadata, stale_after_minutes, claimed_at, agent,
       progress, lease_until, terminal_at, created_at, updated_at, claim_id, open_deps,
       child_count, checkpoint_count, memory, digest"
    };
}
pub(crate) use task_columns;

const LOAD: &str = concat!(
    "select ",
    task_columns!(),
    " from p_tasks where task_id = :task_id"
);

/// Finds a task by its whole id.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find_task(conn: &Connection, task_id: &TaskId) -> Result<Option<StoredTask>> {
    let mut statement = conn.prepare_cached(LOAD).on(conn, "load a task")?;
    statement
        .query_row(named_params! { ":task_id": task_id.as_str() }, read_task)
        .optional()
        .on(conn, "load a task")
}

/// Reads one row of the task columns.
pub(crate) fn read_task(row: &Row<'_>) -> rusqlite::Result<StoredTask> {
    let text = |column: usize| row.get::<_, Option<String>>(column);
    let time = |column: usize| {
        Ok::<_, rusqlite::Error>(
            row.get::<_, Option<i64>>(column)?
                .map(Timestamp::from_millis),
        )
    };
    let status: String = row.get(4)?;
    let digest: Vec<u8> = row.get(26)?;
    Ok(StoredTask {
        task: Task {
            task_id: TaskId::new(row.get::<_, String>(0)?),
            title: row.get(1)?,
            project: ProjectIdentity::new(row.get::<_, String>(3)?),
            status: Status::find(&status).unwrap_or_default(),
            parent_id: text(5)?.map(TaskId::from),
            description: text(7)?,
            links: json_column(row, 8)?,
            tags: json_column(row, 9)?,
            priority: row.get(10)?,
            due_at: text(11)?,
            metadata: json_column(row, 12)?,
            stale_after_minutes: row.get(13)?,
            claimed_at: time(14)?,
            agent: text(15)?,
            progress: row.get(16)?,
            lease_until: time(17)?,
            terminal_at: time(18)?,
            created_at: time(19)?.unwrap_or_default(),
            updated_at: time(20)?.unwrap_or_default(),
            claim: text(21)?.map(EventId::from),
            memory: json_column::<Memory>(row, 25)?,
        },
        project: ProjectName::new(row.get::<_, String>(2)?),
        parent_id: text(6)?.map(TaskId::from),
        open_deps: row.get(22)?,
        child_count: row.get(23)?,
        checkpoint_count: row.get(24)?,
        digest: StateSum::from_bytes(&digest),
    })
}

/// Reads a JSON column.
pub(crate) fn json_column<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

const INSERT: &str = "
    insert into p_tasks
      (project, project_identity, status, parent_raw, priority, due_at, due_at_ms, agent, route,
       created_at,
       title, description, links, tags, metadata, stale_after_minutes, claimed_at, progress,
       lease_until, terminal_at, updated_at, claim_id, memory, digest,
       task_id, checkpoint_count)
    values
      (:project, :project_identity, :status, :parent_raw, :priority, :due_at, :due_at_ms, :agent,
       :route, :created_at,
       :title, :description, :links, :tags, :metadata, :stale_after_minutes, :claimed_at, :progress,
       :lease_until, :terminal_at, :updated_at, :claim_id, :memory, :digest,
       :task_id, :checkpoint_count)";

macro_rules! set_unindexed {
    () => {
        "title = :title, description = :description, links = :links, tags = :tags,
       metadata = :metadata, stale_after_minutes = :stale_after_minutes, claimed_at = :claimed_at,
       progress = :progress, lease_until = :lease_until, terminal_at = :terminal_at,
       updated_at = :updated_at, claim_id = :claim_id, memory = :memory, digest = :digest
     where task_id = :task_id"
    };
}

const UPDATE: &str = concat!(
    "
    update p_tasks set
       project = :project, project_identity = :project_identity, status = :status,
       parent_raw = :parent_raw, priority = :priority, due_at = :due_at, due_at_ms = :due_at_ms,
       agent = :agent, route = :route, created_at = :created_at,
       ",
    set_unindexed!()
);

/// SQLite writes into an index whenever a column of it is set, to whatever value.
const UPDATE_UNINDEXED: &str = concat!(
    "
    update p_tasks set
       ",
    set_unindexed!()
);

/// The first of the values bound that no index holds, and the first that no update sets.
const UNINDEXED: usize = 10;
const INSERTED_ONLY: usize = 25;

const REMOVE: &str = "
    delete from p_tasks where task_id = :task_id";

const REMOVE_TAGS: &str = "
    delete from p_tags where task_id = :task_id";

const ADD_TAG: &str = "
    insert into p_tags (tag, task_id) values (:tag, :task_id) on conflict do nothing";

/// What the columns of a task hold that has to be worked out first.
pub(crate) struct Contents {
    links: String,
    tags: String,
    metadata: String,
    memory: String,
    due_at_ms: Option<i64>,
    digest: StateSum,
}

impl Contents {
    pub(crate) fn of(task: &Task) -> Self {
        Self {
            links: json(&task.links),
            tags: json(&task.tags),
            metadata: json(&task.metadata),
            memory: json(&task.memory),
            due_at_ms: due_ms(task),
            digest: digest(task),
        }
    }
}

/// How the row of a task is written.
#[derive(Clone, Copy)]
enum Put {
    /// It is new, and has so many checkpoints.
    Insert(i64),
    Update,
    /// What indexes are made of stays as it is.
    UpdateUnindexed,
}

/// Tells whether a task is found where it was found before, whatever else is new about it.
fn is_indexed_alike(stored: &StoredTask, task: &Task, project: &ProjectName) -> bool {
    let old = &stored.task;
    stored.project == *project
        && old.project == task.project
        && old.status == task.status
        && old.parent_id == task.parent_id
        && old.priority == task.priority
        && old.due_at == task.due_at
        && old.agent == task.agent
        && old.route() == task.route()
        && old.created_at == task.created_at
}

impl Projector<'_> {
    /// Writes, replaces or removes a task's row and tags, and notes what the end state must look at.
    pub(super) fn write_task(
        &mut self,
        folded: &Folded,
        mode: Mode,
        projects: &Projects,
    ) -> Result<()> {
        let task_id = &folded.task_id;
        let task = folded.fold.task.as_ref();
        let before = if mode == Mode::Fresh {
            None
        } else {
            find_task(self.conn, task_id)?
        };
        let old = before.as_ref().map(|stored| &stored.task);
        if old.is_some() != task.is_some() {
            self.note_id(task_id, task.is_some());
        }
        // Where everything is new, the end state is settled for all.
        if !self.fresh {
            self.note_changes(task_id, old, task);
        }
        if let Some(before) = &before {
            self.sum.subtract(before.digest);
            if task.is_none() {
                self.changed_children.extend(before.parent_id.clone());
            }
        }
        self.unindex(old, task)?;
        let was = before
            .as_ref()
            .map(|stored| place(&stored.project, &stored.task, Some(stored)));
        match task.zip(folded.contents.as_ref()) {
            Some((task, contents)) => {
                self.sum.add(contents.digest);
                // A fold that went on knows only the projects it needed.
                let kept = before
                    .as_ref()
                    .filter(|stored| mode == Mode::Append && stored.task.project == task.project);
                let project = kept.map_or_else(
                    || projects.name_of(&task.project),
                    |old| old.project.clone(),
                );
                self.count(was, Some(place(&project, task, before.as_ref())))?;
                let put = match &before {
                    None => Put::Insert(match mode {
                        Mode::Fresh => folded.checkpoints(),
                        // They are counted when they are added.
                        Mode::Append | Mode::Replace => 0,
                    }),
                    Some(stored) if is_indexed_alike(stored, task, &project) => {
                        Put::UpdateUnindexed
                    }
                    Some(_) => Put::Update,
                };
                self.put_task(put, (task, contents), project.as_str())?;
            }
            None => {
                if before.is_some() {
                    self.count(was, None)?;
                    self.execute_for(REMOVE, task_id)?;
                }
            }
        }
        self.index(old, task)?;
        let no_tags: &[String] = &[];
        let old_tags = old.map_or(no_tags, |task| &task.tags);
        let new_tags = task.map_or(no_tags, |task| &task.tags);
        if old_tags != new_tags {
            self.replace_tags(task_id, !old_tags.is_empty(), new_tags)?;
        }
        Ok(())
    }

    /// Notes what the end state has to look at.
    fn note_changes(&mut self, task_id: &TaskId, old: Option<&Task>, task: Option<&Task>) {
        let open = |task: &Task| !task.status.is_terminal();
        if old.is_some() != task.is_some() {
            self.changed_existence.insert(task_id.clone());
        }
        if old.map(open) != task.map(open) {
            self.changed_openness.insert(task_id.clone());
        }
        if old.and_then(parent_link) != task.and_then(parent_link) {
            self.changed_parent.insert(task_id.clone());
        }
    }

    fn put_task(
        &self,
        put: Put,
        (task, contents): (&Task, &Contents),
        project: &str,
    ) -> Result<()> {
        let checkpoints = match put {
            Put::Insert(checkpoints) => checkpoints,
            Put::Update | Put::UpdateUnindexed => 0,
        };
        // In the order of the statements.
        let values: [&dyn ToSql; 26] = [
            &project,
            &task.project.as_str(),
            &task.status.name(),
            &task.parent_id.as_ref().map(TaskId::as_str),
            &task.priority,
            &task.due_at,
            &contents.due_at_ms,
            &task.agent,
            &task.route(),
            &task.created_at.millis(),
            &task.title,
            &task.description,
            &contents.links,
            &contents.tags,
            &contents.metadata,
            &task.stale_after_minutes,
            &task.claimed_at.map(Timestamp::millis),
            &task.progress,
            &task.lease_until.map(Timestamp::millis),
            &task.terminal_at.map(Timestamp::millis),
            &task.updated_at.millis(),
            &task.claim.as_ref().map(EventId::as_str),
            &contents.memory,
            &&contents.digest.to_bytes()[..],
            &task.task_id.as_str(),
            &checkpoints,
        ];
        let (sql, values) = match put {
            Put::Insert(_) => (INSERT, &values[..]),
            Put::Update => (UPDATE, &values[..INSERTED_ONLY]),
            Put::UpdateUnindexed => (UPDATE_UNINDEXED, &values[UNINDEXED..INSERTED_ONLY]),
        };
        let mut statement = self
            .conn
            .prepare_cached(sql)
            .on(self.conn, "store a task")?;
        statement
            .execute(values)
            .on(self.conn, "store a task")
            .map(drop)
    }

    fn replace_tags(&mut self, task_id: &TaskId, any_old: bool, tags: &[String]) -> Result<()> {
        if any_old {
            self.execute_for(REMOVE_TAGS, task_id)?;
        }
        let mut statement = self
            .conn
            .prepare_cached(ADD_TAG)
            .on(self.conn, "store tags")?;
        for tag in tags {
            statement
                .execute(named_params! { ":tag": tag, ":task_id": task_id.as_str() })
                .on(self.conn, "store tags")?;
        }
        Ok(())
    }

    pub(super) fn execute_for(&self, sql: &str, task_id: &TaskId) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(sql)
            .on(self.conn, "update a projection")?;
        statement
            .execute(named_params! { ":task_id": task_id.as_str() })
            .on(self.conn, "update a projection")?;
        Ok(())
    }
}

/// Where a task is counted.
fn place(project: &ProjectName, task: &Task, stored: Option<&StoredTask>) -> Place {
    Place {
        project: project.clone(),
        identity: task.project.clone(),
        status: task.status,
        // What the end state has counted so far.
        is_free: stored.is_none_or(|stored| stored.open_deps == 0 && stored.child_count == 0),
    }
}

/// A task's parent and the write that set it: a link that does not count is listed under that event.
fn parent_link(task: &Task) -> Option<(&TaskId, &Stamp)> {
    let stamps = &task.memory.stamps;
    let stamp = stamps.get(Field::ParentId.name());
    let parent = task.parent_id.as_ref()?;
    Some((parent, stamp.unwrap_or(&task.memory.created)))
}

/// The due date as a number, for ordering; text that is no date sorts as none.
pub(crate) fn due_ms(task: &Task) -> Option<i64> {
    task.due_at
        .as_deref()
        .and_then(Timestamp::parse)
        .map(Timestamp::millis)
}

/// What all devices share of a task.
fn digest(task: &Task) -> StateSum {
    let values = (
        task.task_id.as_str(),
        &task.title,
        task.project.as_str(),
        task.status.name(),
        task.parent_id.as_ref().map(TaskId::as_str),
        &task.description,
        (&task.links, &task.tags, task.priority, &task.due_at),
        Value::Object(task.metadata.clone()),
        (task.stale_after_minutes, &task.agent, task.progress),
        task.claimed_at.map(Timestamp::millis),
        task.lease_until.map(Timestamp::millis),
        task.terminal_at.map(Timestamp::millis),
        (task.created_at.millis(), task.updated_at.millis()),
        task.claim.as_ref().map(EventId::as_str),
    );
    StateSum::of("task", &values)
}

/// Plain values as JSON text.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values with text keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_writes(sql: &str) -> usize {
        let cache = Connection::open_in_memory().unwrap();
        crate::schema::cache::create(&cache).unwrap();
        let mut statement = cache.prepare(&format!("explain {sql}")).unwrap();
        let mut operations = statement.raw_query();
        let mut writes = 0;
        while let Some(operation) = operations.next().unwrap() {
            writes += usize::from(operation.get::<_, String>(1).unwrap() == "IdxInsert");
        }
        writes
    }

    #[test]
    fn a_task_that_stays_where_it_is_found_is_written_into_no_index() {
        assert_eq!(index_writes(UPDATE_UNINDEXED), 0);
        assert!(index_writes(UPDATE) > 5);
    }
}
