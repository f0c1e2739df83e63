//! `hzl task update`

use hzl_core::command;
use hzl_core::command::UpdateTask;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::lookup;
use super::shape;
use super::shape::Empties;
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
  hzl task update 01K9ZZ3D --parent \"\"")]
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
    /// Sign the change with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Count as stale after this long in work, such as 30m, 2h or 1d; 0 is never
    #[arg(long, value_name = "DURATION", value_parser = values::duration_minutes)]
    pub(crate) stale_after: Option<u32>,
    /// Use the general threshold for staleness again
    #[arg(long)]
    pub(crate) clear_stale_after: bool,
}

impl Args {
    /// Returns the change of the task's own threshold: to a number of minutes, or to none.
    ///
    /// # Errors
    ///
    /// `Input`: both options are given. Not left to the parser, because the exit code is 3.
    pub(crate) fn stale_after_change(&self) -> Result<Option<Option<u32>>, CommandError> {
        match (self.stale_after, self.clear_stale_after) {
            (Some(_), true) => Err(CommandError::new(
                Kind::Input,
                "--stale-after and --clear-stale-after cannot be used together",
            )),
            (Some(minutes), false) => Ok(Some(Some(minutes))),
            (None, true) => Ok(Some(None)),
            (None, false) => Ok(None),
        }
    }
}

#[derive(Debug, Serialize)]
struct Updated {
    #[serde(flatten)]
    task: Map<String, Value>,
    #[serde(skip)]
    summary: String,
}

/// Updates the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let stale_after_minutes = args.stale_after_change()?;
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
        parent,
        ..UpdateTask::default()
    }));
    let actor = lookup::actor(args.author.as_deref(), None);
    let outcome = ctx.execute(&mut ledger, &update, &actor)?;
    let row = shape::after(&outcome, &task_id);
    let verb = if outcome.events.is_empty() {
        "Nothing to change in"
    } else {
        "Updated"
    };
    ctx.output.answer(&Updated {
        task: shape::object(&row, &shape::UPDATED, Empties::Kept),
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
    fn the_threshold_is_set_or_cleared_but_not_both() {
        let change = |stale_after, clear_stale_after| {
            let args = Args {
                stale_after,
                clear_stale_after,
                ..Args::default()
            };
            args.stale_after_change()
        };
        assert_eq!(change(Some(60), false).unwrap(), Some(Some(60)));
        assert_eq!(change(None, true).unwrap(), Some(None));
        assert_eq!(change(None, false).unwrap(), None);
        assert_eq!(change(Some(60), true).unwrap_err().kind, Kind::Input);
    }
}
