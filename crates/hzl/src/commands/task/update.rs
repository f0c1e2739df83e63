//! `hzl task update`

use hzl_core::command;
use hzl_core::command::UpdateTask;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::lookup;
use super::shape;
use super::shape::Empties;
use super::shape::Key;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::values;
use crate::values::CommaList;

/// Change fields of a task
///
/// Fields that are not named stay. An empty text or list clears the field.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  hzl task update 01K9ZZ3D --title \"Fix the sign-in page\" -p 3
  hzl task update 01K9ZZ3D --tags bug,auth --desc \"Crashes on empty names\"
  hzl task update 01K9ZZ3D --due 2026-12-01 --agent ada
  hzl task update 01K9ZZ3D --parent \"\" --clear-due")]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: String,
    /// Set the title
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Set the description
    #[arg(long, value_name = "TEXT")]
    pub(crate) desc: Option<String>,
    /// Replace the links, separated by commas
    #[arg(short, long, value_name = "LINKS", value_parser = values::comma_list)]
    pub(crate) links: Option<Vec<CommaList>>,
    /// Set the priority, 0 to 3
    #[arg(short, long, value_name = "N", value_parser = values::priority)]
    pub(crate) priority: Option<u8>,
    /// Replace the tags, separated by commas
    #[arg(short, long, value_name = "TAGS", value_parser = values::comma_list)]
    pub(crate) tags: Option<Vec<CommaList>>,
    /// Make it a subtask of this task; an empty text makes it a task of its own
    #[arg(long, value_name = "TASK_ID")]
    pub(crate) parent: Option<String>,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Count as stale after this long in work, such as 30m, 2h or 1d; 0 is never
    #[arg(long, value_name = "DURATION", value_parser = values::duration_minutes)]
    pub(crate) stale_after: Option<u32>,
    /// Use the general threshold for staleness again
    #[arg(long)]
    pub(crate) clear_stale_after: bool,
    /// Have it done by this ISO 8601 date or date-time, such as 2026-12-01
    #[arg(long, value_name = "TIME")]
    pub(crate) due: Option<String>,
    /// Remove the due date
    #[arg(long)]
    pub(crate) clear_due: bool,
    /// Replace the metadata by this JSON object
    #[arg(long, value_name = "JSON", value_parser = values::json_object)]
    pub(crate) metadata: Option<Map<String, Value>>,
    /// Give it to this agent, while nobody holds it
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Give it to whoever claims it
    #[arg(long)]
    pub(crate) clear_agent: bool,
}

impl Args {
    /// Returns the keys of the answer: those of 3.2.0, and what else was to be changed.
    fn shown(&self) -> Vec<Key> {
        let mut keys = shape::UPDATED.to_vec();
        keys.extend(shape::UPDATED_TOO.iter().filter(|key| match key {
            // A subtask goes where its parent is.
            Key::Project | Key::ParentId => self.parent.is_some(),
            Key::StaleAfterMinutes => self.stale_after.is_some() || self.clear_stale_after,
            Key::DueAt => self.due.is_some() || self.clear_due,
            Key::Metadata => self.metadata.is_some(),
            Key::Agent => self.agent.is_some() || self.clear_agent,
            _ => false,
        }));
        keys
    }
}

/// Returns the change of a field that has an option to set it and one to clear it: to a value, or
/// to none.
///
/// # Errors
///
/// `Input`: both options are given. Not left to the parser, because the exit code is 3.
fn change<T: Clone>(
    option: &'static str,
    value: Option<&T>,
    is_cleared: bool,
) -> Result<Option<Option<T>>, CommandError> {
    match (value, is_cleared) {
        (Some(_), true) => Err(CommandError::new(
            Kind::Input,
            format!("--{option} and --clear-{option} cannot be used together"),
        )),
        (Some(value), false) => Ok(Some(Some(value.clone()))),
        (None, true) => Ok(Some(None)),
        (None, false) => Ok(None),
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Updated {
    #[serde(flatten)]
    #[schemars(schema_with = "shape::updated_schema")]
    task: Map<String, Value>,
    #[serde(skip)]
    summary: String,
}

/// Updates the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let stale_after = args.stale_after.as_ref();
    let stale_after_minutes = change("stale-after", stale_after, args.clear_stale_after)?;
    let due_at = change("due", args.due.as_ref(), args.clear_due)?;
    let agent = change("agent", args.agent.as_ref(), args.clear_agent)?;
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let task_id = lookup::task(&mut ledger, &args.task_id)?;
    let parent = match args.parent.as_deref().map(str::trim) {
        None => None,
        Some("") => Some(None),
        Some(typed) => Some(Some(lookup::parent(&mut ledger, typed)?)),
    };
    let update = command::Command::UpdateTask(Box::new(UpdateTask {
        task_id: task_id.clone(),
        title: args.title.clone(),
        description: args.desc.clone(),
        links: args.links.as_deref().map(CommaList::join),
        tags: args.tags.as_deref().map(CommaList::join),
        priority: args.priority,
        stale_after_minutes,
        due_at,
        metadata: args.metadata.clone(),
        parent,
        // An empty name is nobody, as an empty text clears other fields.
        agent: agent.map(|agent| agent.filter(|name| !name.is_empty())),
    }));
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &update, &actor)?;
    let row = shape::after(&outcome, &task_id);
    let verb = if outcome.events.is_empty() {
        "Nothing to change in"
    } else {
        "Updated"
    };
    ctx.output.answer(&Updated {
        task: shape::object(&row, &args.shown(), Empties::Kept),
        summary: format!("{verb} {} ({task_id})", row.task.title),
    })
}

impl Answer for Updated {
    fn md(&self, md: &mut Md) {
        md.ok(&self.summary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_set_or_cleared_but_not_both() {
        assert_eq!(change("due", Some(&60), false).unwrap(), Some(Some(60)));
        assert_eq!(change::<u32>("due", None, true).unwrap(), Some(None));
        assert_eq!(change::<u32>("due", None, false).unwrap(), None);
        let error = change("due", Some(&60), true).unwrap_err();
        assert_eq!(error.kind, Kind::Input);
        assert!(error.message.contains("--due and --clear-due"), "{error}");
    }
}
