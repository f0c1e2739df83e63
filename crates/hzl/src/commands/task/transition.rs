//! What the commands have in common that take one task from one status to another.

use hzl_core::command::Command;
use hzl_core::command::Transition;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::lookup;
use super::shape;
use super::shape::Row;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Which task, who, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct TransitionArgs {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Add a comment
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Act only while this claim is current
    #[arg(long, value_name = "CLAIM_ID")]
    pub(crate) claim: Option<String>,
}

/// The same for what takes a finished or archived task up again.
#[derive(Debug, clap::Args)]
pub(crate) struct BackArgs {
    #[command(flatten)]
    pub(crate) transition: TransitionArgs,
    /// Put it into this status: ready or backlog
    #[arg(short, long, value_name = "STATUS", default_value = "ready", value_parser = values::reopened_status)]
    pub(crate) status: Status,
}

impl TransitionArgs {
    /// Carries out what `command` makes of the transition, and returns the task as it is then.
    ///
    /// # Errors
    ///
    /// Whatever finding the task or changing it reports.
    pub(super) fn carry_out(
        &self,
        ctx: &mut Context,
        command: impl FnOnce(Transition) -> Command,
    ) -> Result<Row, CommandError> {
        let mut ledger = ctx.ledger(Purpose::Write)?;
        let task_id = lookup::task(&mut ledger, &self.task_id)?;
        let transition = Transition {
            task_id: task_id.clone(),
            comment: self.comment.clone(),
        };
        let actor = ctx.actor(self.author.as_deref(), self.claim.as_deref())?;
        let outcome = ctx.execute(&mut ledger, &command(transition), &actor)?;
        Ok(shape::after(&outcome, &task_id))
    }
}

/// A task in a status that nobody holds it in.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Settled {
    task_id: TaskId,
    title: String,
    status: Status,
    #[serde(skip)]
    done: &'static str,
}

impl Settled {
    /// Makes the answer; `done` is what was done to the task, in the past tense.
    pub(super) fn new(row: Row, done: &'static str) -> Self {
        Self {
            task_id: row.task.task_id,
            title: row.task.title,
            status: row.task.status,
            done,
        }
    }
}

impl Answer for Settled {
    fn md(&self, md: &mut Md) {
        said(md, self.done, &self.title, &self.task_id, self.status);
    }
}

/// A task in a status that an agent may hold it in.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Held {
    task_id: TaskId,
    title: String,
    status: Status,
    agent: Option<String>,
    #[serde(skip)]
    done: &'static str,
}

impl Held {
    /// Makes the answer; `done` is what was done to the task, in the past tense.
    pub(super) fn new(row: Row, done: &'static str) -> Self {
        Self {
            task_id: row.task.task_id,
            title: row.task.title,
            status: row.task.status,
            agent: row.task.agent,
            done,
        }
    }
}

impl Answer for Held {
    fn md(&self, md: &mut Md) {
        said(md, self.done, &self.title, &self.task_id, self.status);
    }
}

fn said(md: &mut Md, done: &str, title: &str, task_id: &TaskId, status: Status) {
    md.ok(&format!("{done} {title} ({task_id}), now {status}"));
}
