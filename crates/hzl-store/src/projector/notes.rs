//! Comments and checkpoints: only added, except when a task is folded anew.

use hzl_core::fold::{Checkpoint, Comment, TaskFold};
use hzl_core::ids::TaskId;
use rusqlite::{Row, named_params, params};
use serde_json::Value;

use super::Projector;
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::folded::Folded;

const ADD_COMMENT: &str = "
    insert into p_comments (task_id, at, event_id, author, agent_id, text)
    values (:task_id, :at, :event_id, :author, :agent_id, :text)";

const ADD_CHECKPOINT: &str = "
    insert into p_checkpoints (task_id, at, event_id, author, name, data)
    values (:task_id, :at, :event_id, :author, :name, :data)";

const COUNT_CHECKPOINTS: &str = "
    update p_tasks set checkpoint_count = checkpoint_count + :more where task_id = :task_id";

const REMOVE_COMMENTS: &str = "
    delete from p_comments where task_id = :task_id returning event_id, at, author, text";

const REMOVE_CHECKPOINTS: &str = "
    delete from p_checkpoints where task_id = :task_id returning event_id, at, name, data";

const RESET_CHECKPOINTS: &str = "
    update p_tasks set checkpoint_count = 0
     where task_id = :task_id and checkpoint_count <> 0";

/// What the notes of a fold hold that has to be worked out first.
pub(crate) struct NoteContents {
    /// What each checkpoint holds, as JSON.
    checkpoints: Vec<String>,
    /// All notes.
    sum: StateSum,
}

impl NoteContents {
    pub(crate) fn of(fold: &TaskFold) -> Self {
        let data = |checkpoint: &Checkpoint| Value::Object(checkpoint.data.clone()).to_string();
        let checkpoints: Vec<String> = fold.checkpoints.iter().map(data).collect();
        let mut sum = StateSum::default();
        for Comment {
            event_id,
            at,
            author,
            text,
            ..
        } in &fold.comments
        {
            let author = author.as_deref();
            sum.add(comment_sum(event_id.as_str(), at.millis(), author, text));
        }
        for (checkpoint, data) in fold.checkpoints.iter().zip(&checkpoints) {
            let (event_id, at) = (checkpoint.event_id.as_str(), checkpoint.at.millis());
            sum.add(checkpoint_sum(event_id, at, &checkpoint.name, data));
        }
        Self { checkpoints, sum }
    }
}

impl Projector<'_> {
    /// Stores the notes that a fold has found.
    pub(super) fn add_notes(&mut self, folded: &Folded) -> Result<()> {
        let Folded {
            task_id,
            fold,
            notes,
            ..
        } = folded;
        for comment in &fold.comments {
            self.add_comment(task_id, comment)?;
        }
        for (checkpoint, data) in fold.checkpoints.iter().zip(&notes.checkpoints) {
            self.add_checkpoint(task_id, checkpoint, data)?;
        }
        self.sum.add(notes.sum);
        Ok(())
    }

    fn add_comment(&self, task_id: &TaskId, comment: &Comment) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(ADD_COMMENT)
            .on(self.conn, "store a comment")?;
        statement
            // In the order of the statement.
            .execute(params![
                task_id.as_str(),
                comment.at.millis(),
                comment.event_id.as_str(),
                comment.author,
                comment.agent_id,
                comment.text,
            ])
            .on(self.conn, "store a comment")
            .map(drop)
    }

    fn add_checkpoint(&self, task_id: &TaskId, checkpoint: &Checkpoint, data: &str) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(ADD_CHECKPOINT)
            .on(self.conn, "store a checkpoint")?;
        statement
            // In the order of the statement.
            .execute(params![
                task_id.as_str(),
                checkpoint.at.millis(),
                checkpoint.event_id.as_str(),
                checkpoint.author,
                checkpoint.name,
                data,
            ])
            .on(self.conn, "store a checkpoint")
            .map(drop)
    }

    /// Counts checkpoints that were added to a task.
    pub(super) fn count_checkpoints(&self, task_id: &TaskId, more: i64) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(COUNT_CHECKPOINTS)
            .on(self.conn, "count checkpoints")?;
        statement
            .execute(named_params! { ":more": more, ":task_id": task_id.as_str() })
            .on(self.conn, "count checkpoints")
            .map(drop)
    }

    pub(super) fn remove_notes(&mut self, task_id: &TaskId) -> Result<()> {
        self.remove_each(REMOVE_COMMENTS, task_id, |row| {
            let (event_id, author): (String, Option<String>) = (row.get(0)?, row.get(2)?);
            let text: String = row.get(3)?;
            Ok(comment_sum(
                &event_id,
                row.get(1)?,
                author.as_deref(),
                &text,
            ))
        })?;
        self.remove_each(REMOVE_CHECKPOINTS, task_id, |row| {
            let (event_id, name, data): (String, String, String) =
                (row.get(0)?, row.get(2)?, row.get(3)?);
            Ok(checkpoint_sum(&event_id, row.get(1)?, &name, &data))
        })?;
        let mut reset = self
            .conn
            .prepare_cached(RESET_CHECKPOINTS)
            .on(self.conn, "count checkpoints")?;
        reset
            .execute(named_params! { ":task_id": task_id.as_str() })
            .on(self.conn, "count checkpoints")?;
        Ok(())
    }

    fn remove_each(
        &mut self,
        sql: &str,
        task_id: &TaskId,
        sum: impl Fn(&Row<'_>) -> rusqlite::Result<StateSum>,
    ) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(sql)
            .on(self.conn, "remove notes")?;
        let removed = statement
            .query_map(named_params! { ":task_id": task_id.as_str() }, sum)
            .on(self.conn, "remove notes")?;
        for sum in removed {
            self.sum.subtract(sum.on(self.conn, "remove notes")?);
        }
        Ok(())
    }
}

fn comment_sum(event_id: &str, at: i64, author: Option<&str>, text: &str) -> StateSum {
    StateSum::of("comment", &(event_id, at, author, text))
}

fn checkpoint_sum(event_id: &str, at: i64, name: &str, data: &str) -> StateSum {
    StateSum::of("checkpoint", &(event_id, at, name, data))
}
