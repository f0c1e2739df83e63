//! End state of parent links: a link counts if the parent exists and has no parent link itself.

use hzl_core::conflict::{Conflict, ConflictKind};
use hzl_core::event::Field;
use hzl_core::ids::TaskId;
use rusqlite::named_params;
use serde_json::{Value, json};

use super::{Projector, find_task};
use crate::error::{OnConnection as _, Result};

const CHILDREN_OF: &str = "
    select task_id from p_tasks where parent_raw = :task_id order by task_id";

const IS_PARENT: &str = "
    select exists (select 1 from p_tasks where task_id = :task_id and parent_raw is null)";

const SET_PARENT: &str = "
    update p_tasks set parent_id = :parent_id where task_id = :task_id";

const COUNT_CHILDREN: &str = "
    update p_tasks
       set child_count = (select count(*) from p_tasks c where c.parent_id = p_tasks.task_id)
     where task_id = :task_id";

const REMOVE_INVALID: &str = "
    delete from p_conflicts
     where task_id = :key and kind = 'invalid_parent'
    returning event_id, kind, field, winner_event_id";

const SET_ALL_PARENTS: &str = "
    update p_tasks set parent_id = parent_raw
     where parent_raw is not null
       and exists (select 1 from p_tasks p
                    where p.task_id = p_tasks.parent_raw and p.parent_raw is null)";

const COUNT_ALL_CHILDREN: &str = "
    update p_tasks set child_count = counted.children
      from (select parent_id, count(*) as children from p_tasks
             where parent_id is not null group by parent_id) counted
     where p_tasks.task_id = counted.parent_id";

const INVALID_PARENTS: &str = "
    select task_id from p_tasks where parent_raw is not null and parent_id is null order by task_id";

impl Projector<'_> {
    /// Settles the links of tasks that changed, and of the tasks that point at them.
    pub(super) fn settle_parents(&mut self) -> Result<()> {
        let mut affected = std::mem::take(&mut self.changed_parent);
        let mut recount = std::mem::take(&mut self.changed_children);
        for task_id in &affected | &self.changed_existence {
            let children = self.task_ids(CHILDREN_OF, &task_id)?;
            if !children.is_empty() {
                // It appeared, and they may have been waiting for it.
                recount.insert(task_id);
            }
            affected.extend(children);
        }
        for task_id in &affected {
            self.remove_conflicts_where(REMOVE_INVALID, task_id.as_str())?;
            let Some(stored) = find_task(self.conn, task_id)? else {
                continue;
            };
            let parent_id = match &stored.task.parent_id {
                Some(parent) if self.is_parent(parent)? => Some(parent.clone()),
                Some(_) => {
                    self.list_invalid_parent(task_id)?;
                    None
                }
                None => None,
            };
            if parent_id != stored.parent_id {
                self.set_parent(task_id, parent_id.as_ref())?;
                recount.extend(stored.parent_id);
                recount.extend(parent_id);
            }
        }
        recount
            .iter()
            .try_for_each(|task_id| self.recount(COUNT_CHILDREN, task_id))
    }

    /// The same for all tasks at once, after a rebuild.
    pub(super) fn settle_all_parents(&mut self) -> Result<()> {
        let context = "settle the parents";
        self.run(SET_ALL_PARENTS, context)?;
        self.run(COUNT_ALL_CHILDREN, context)?;
        let mut statement = self
            .conn
            .prepare_cached(INVALID_PARENTS)
            .on(self.conn, context)?;
        let invalid = statement
            .query_map([], |row| Ok(TaskId::new(row.get::<_, String>(0)?)))
            .on(self.conn, context)?
            .collect::<rusqlite::Result<Vec<_>>>()
            .on(self.conn, context)?;
        invalid
            .iter()
            .try_for_each(|task_id| self.list_invalid_parent(task_id))
    }

    fn list_invalid_parent(&mut self, task_id: &TaskId) -> Result<()> {
        let Some(stored) = find_task(self.conn, task_id)? else {
            return Ok(());
        };
        let memory = &stored.task.memory;
        let stamp = memory
            .stamps
            .get(Field::ParentId.name())
            .unwrap_or(&memory.created);
        let conflict = Conflict {
            event_id: stamp.event_id.clone(),
            kind: ConflictKind::InvalidParent,
            field: Field::ParentId.name().to_owned(),
            task_id: Some(task_id.clone()),
            winner_event_id: None,
            losing_value: json!(stored.task.parent_id),
            winning_value: Value::Null,
            at: stamp.received_at(),
        };
        self.add_conflict(&conflict)
    }

    fn is_parent(&self, task_id: &TaskId) -> Result<bool> {
        let mut statement = self
            .conn
            .prepare_cached(IS_PARENT)
            .on(self.conn, "find a parent")?;
        statement
            .query_row(named_params! { ":task_id": task_id.as_str() }, |row| {
                row.get(0)
            })
            .on(self.conn, "find a parent")
    }

    fn set_parent(&self, task_id: &TaskId, parent_id: Option<&TaskId>) -> Result<()> {
        let mut statement = self
            .conn
            .prepare_cached(SET_PARENT)
            .on(self.conn, "set a parent")?;
        statement
            .execute(named_params! {
                ":task_id": task_id.as_str(),
                ":parent_id": parent_id.map(TaskId::as_str),
            })
            .on(self.conn, "set a parent")?;
        Ok(())
    }

    pub(super) fn task_ids(&self, sql: &str, task_id: &TaskId) -> Result<Vec<TaskId>> {
        let mut statement = self.conn.prepare_cached(sql).on(self.conn, "list tasks")?;
        let ids = statement
            .query_map(named_params! { ":task_id": task_id.as_str() }, |row| {
                Ok(TaskId::new(row.get::<_, String>(0)?))
            })
            .on(self.conn, "list tasks")?;
        ids.collect::<rusqlite::Result<_>>()
            .on(self.conn, "list tasks")
    }
}
