//! The full-text index of tasks: title, description and tags, by the row id of the task.
//!
//! The index keeps no text. A task is indexed anew only when one of the three has changed.

use hzl_core::ids::TaskId;
use hzl_core::task::Task;
use rusqlite::named_params;

use super::Projector;
use crate::error::{OnConnection as _, Result};

const ROW: &str = "
    select id from p_tasks where task_id = :task_id";

/// Not `insert … select`: that may be many rows, so SQLite begins a savepoint for it, and FTS5 writes what it has
/// gathered at each savepoint (measured: a quarter of a rebuild).
const ADD: &str = "
    insert into p_search (rowid, title, description, tags)
    values (:row, :title, :description, :tags)";

const REMOVE: &str = "
    delete from p_search where rowid = (select id from p_tasks where task_id = :task_id)";

impl Projector<'_> {
    /// Takes a task out of the index, if it was there under another text, while its row is still there.
    pub(super) fn unindex(&mut self, old: Option<&Task>, new: Option<&Task>) -> Result<()> {
        match old {
            Some(old) if new.is_none_or(|new| !has_same_text(old, new)) => {
                self.execute_for(REMOVE, &old.task_id)
            }
            _ => Ok(()),
        }
    }

    /// Puts a task into the index, unless it is there under the same text, once its row was written.
    pub(super) fn index(&mut self, old: Option<&Task>, new: Option<&Task>) -> Result<()> {
        match new {
            Some(new) if old.is_none_or(|old| !has_same_text(old, new)) => {
                let row = if old.is_none() {
                    // Its row was the last that was inserted.
                    self.conn.last_insert_rowid()
                } else {
                    self.find_row(&new.task_id)?
                };
                self.add_to_index(row, new)
            }
            _ => Ok(()),
        }
    }

    fn find_row(&self, task_id: &TaskId) -> Result<i64> {
        let context = "index a task";
        let mut statement = self.conn.prepare_cached(ROW).on(self.conn, context)?;
        statement
            .query_row(named_params! { ":task_id": task_id.as_str() }, |row| {
                row.get(0)
            })
            .on(self.conn, context)
    }

    fn add_to_index(&self, row: i64, task: &Task) -> Result<()> {
        let context = "index a task";
        let mut statement = self.conn.prepare_cached(ADD).on(self.conn, context)?;
        statement
            .execute(named_params! {
                ":row": row,
                ":title": task.title,
                ":description": task.description,
                ":tags": task.tags.join("\n"),
            })
            .on(self.conn, context)
            .map(drop)
    }
}

fn has_same_text(a: &Task, b: &Task) -> bool {
    a.title == b.title && a.description == b.description && a.tags == b.tags
}
