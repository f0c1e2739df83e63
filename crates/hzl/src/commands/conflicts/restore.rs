//! `hzl conflicts restore`

use hzl_core::conflict::Conflict;
use hzl_core::ids::EventId;
use hzl_core::ids::TaskId;
use hzl_core::restore;
use hzl_core::restore::NotRestorable;
use hzl_store::query::conflicts;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::values;

/// Write a value again that lost a merge
///
/// The value is written by a new event, which replaces what stands now on all machines. The conflict
/// counts as acknowledged then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl conflicts restore 01KAQX2V
  hzl conflicts restore 01KAQX2V --field title --author kim")]
pub(crate) struct Args {
    /// Id of the event that lost, or the beginning of it
    #[arg(value_name = "EVENT_ID", value_parser = values::event_id)]
    pub(crate) event_id: String,
    /// The field, where the event lost in several
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Restored {
    /// The event that had lost.
    event_id: EventId,
    task_id: Option<TaskId>,
    field: String,
    value: Value,
    /// The events that write it again; none: it stands already.
    events: Vec<EventId>,
}

/// Restores the value.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let found = item::one(&mut ledger, &args.event_id, args.field.as_deref())?;
    let conflict = found.conflict;
    let command =
        restore::restoring(&conflict).map_err(|reason| not_restorable(&conflict, reason))?;
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let events = ctx.transact(&mut ledger, |batch| {
        let outcome = batch.execute(&command, &actor)?;
        conflicts::acknowledge(batch.log(), &conflict, batch.now())?;
        Ok(outcome.events)
    })?;
    ctx.output.answer(&Restored {
        event_id: conflict.event_id,
        task_id: conflict.task_id,
        field: conflict.field,
        value: conflict.losing_value,
        events: events
            .into_iter()
            .map(|(_, event)| event.event_id)
            .collect(),
    })
}

fn not_restorable(conflict: &Conflict, reason: NotRestorable) -> CommandError {
    let task_id = conflict.task_id.as_ref().map_or("", TaskId::as_str);
    let (why, hint) = match reason {
        NotRestorable::Claim => (
            "it claimed a task, and a claim is not written again behind its holder's back",
            format!("hzl task steal {task_id} --if-expired"),
        ),
        NotRestorable::Renewal => (
            "it renewed the lease of a claim that was over",
            format!("hzl task show {task_id}"),
        ),
        NotRestorable::Deletion => (
            "it deleted a task that others were still working on",
            format!("hzl task show {task_id}"),
        ),
        NotRestorable::Creation => (
            "it created a task with an id that was taken",
            "hzl task add, with the title shown by `hzl conflicts show`".to_owned(),
        ),
        NotRestorable::Project => (
            "it changed a project that had been changed already",
            "hzl project list".to_owned(),
        ),
        NotRestorable::DeletedTask => (
            "its task has been deleted",
            "hzl task add, with what `hzl conflicts show` shows".to_owned(),
        ),
        NotRestorable::Link => (
            "the link is still there and counts as soon as nothing stands in its way",
            format!("hzl task show {task_id}"),
        ),
        NotRestorable::Unknown => (
            "it was written by a newer hzl",
            "update hzl on this machine".to_owned(),
        ),
    };
    let message = format!("event {} cannot be restored: {why}", conflict.event_id);
    CommandError::new(Kind::Input, message)
        .detail("event_id", conflict.event_id.as_str())
        .detail("kind", conflict.kind.name())
        .hint(hint)
        .hint(format!("hzl conflicts ack {}", conflict.event_id))
}

impl Answer for Restored {
    fn md(&self, md: &mut Md) {
        if self.events.is_empty() {
            md.ok(&format!("{} is {} already", self.field, self.value));
        } else {
            md.ok(&format!("{} is {} again", self.field, self.value));
        }
    }
}
