//! `hzl task add`

use std::path::PathBuf;

use hzl_core::command;
use hzl_core::command::AddTask;
use hzl_core::ids::ProjectName;
use hzl_core::task::Status;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::add_many;
use super::lookup;
use super::shape;
use super::shape::Empties;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;
use crate::values::CommaList;

/// Create a task, or many in one go
///
/// --from-json reads an array of objects, or one object per line, with the names of the options as keys:
/// title, project, description, links, tags, priority, depends_on, parent, status, agent, comment,
/// stale_after, due, metadata. `"key": "a"` names an entry, and later ones refer to it as "@a" in
/// depends_on and parent. All tasks, 10,000 at most, are created or none; -P, -p and -s are defaults.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task add \"Fix the login page\"
  hzl task add \"Fix the login page\" -P web -s ready -p 2 -t bug,auth
  hzl task add \"Test the login page\" -P web --depends-on 01K9ZZ3D
  hzl task add --from-json plan.json -P web
  hzl task add \"Renew the certificate\" --due 2026-12-01 --metadata '{\"host\":\"web1\"}'")]
pub(crate) struct Args {
    /// Title, at most 128 characters
    #[arg(value_name = "TITLE", required_unless_present = "from_json")]
    pub(crate) title: Option<String>,
    /// Create the tasks in this file, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "title", "description", "links", "tags", "depends_on", "parent", "agent", "comment",
        "stale_after", "due", "metadata",
    ])]
    pub(crate) from_json: Option<PathBuf>,
    /// Put it into this project; a subtask is always in its parent's [default: HZL_PROJECT, else inbox]
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Describe what is to be done
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Add links or file paths, separated by commas
    #[arg(short, long, value_name = "LINKS", value_parser = values::comma_list)]
    pub(crate) links: Vec<CommaList>,
    /// Add tags, separated by commas
    #[arg(short, long, value_name = "TAGS", value_parser = values::comma_list)]
    pub(crate) tags: Vec<CommaList>,
    /// Set the priority, 0 to 3, where 3 is worked on first [default: 0]
    #[arg(short, long, value_name = "N", value_parser = values::priority)]
    pub(crate) priority: Option<u8>,
    /// Wait for these tasks, separated by commas
    #[arg(long, value_name = "TASK_IDS", value_parser = values::comma_list)]
    pub(crate) depends_on: Vec<CommaList>,
    /// Make it a subtask of this task
    #[arg(long, value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) parent: Option<String>,
    /// Start in this status: backlog, ready, in_progress, blocked or done [default: backlog]
    #[arg(short, long, value_name = "STATUS", value_parser = values::initial_status)]
    pub(crate) status: Option<Status>,
    /// Give it to this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Sign the change with this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Add a first comment
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Count as stale after this long in work, such as 30m, 2h or 1d; 0 is never
    #[arg(long, value_name = "DURATION", value_parser = values::duration_minutes)]
    pub(crate) stale_after: Option<u32>,
    /// Have it done by this ISO 8601 date or date-time, such as 2026-12-01
    #[arg(long, value_name = "TIME")]
    pub(crate) due: Option<String>,
    /// Keep this JSON object with it
    #[arg(long, value_name = "JSON", value_parser = values::json_object)]
    pub(crate) metadata: Option<Map<String, Value>>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Added {
    #[serde(flatten)]
    #[schemars(schema_with = "shape::added_schema")]
    task: Map<String, Value>,
    #[serde(skip)]
    summary: String,
}

/// Adds the task.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let title = match (&args.from_json, &args.title) {
        (Some(source), _) => return add_many::run(source, args, ctx),
        (None, title) => title.clone().unwrap_or_default(),
    };
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let depends_on = lookup::tasks(&mut ledger, &CommaList::join(&args.depends_on))?;
    let parent = match &args.parent {
        Some(typed) => Some(lookup::parent(&mut ledger, typed)?),
        None => None,
    };
    let task_id = ledger.new_task_id();
    let project = match &parent {
        // Whatever is said here: a subtask is in its parent's.
        Some(_) => ProjectName::inbox(),
        None => ctx.project(args.project.as_deref())?,
    };
    let add = command::Command::AddTask(Box::new(AddTask {
        task_id: task_id.clone(),
        title,
        project,
        description: args.description.clone(),
        links: CommaList::join(&args.links),
        tags: CommaList::join(&args.tags),
        priority: args.priority.unwrap_or(0),
        depends_on,
        parent,
        status: args.status.unwrap_or_default(),
        agent: args.agent.clone(),
        comment: args.comment.clone(),
        due_at: args.due.clone(),
        metadata: args.metadata.clone(),
        stale_after_minutes: args.stale_after,
    }));
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let outcome = ctx.execute(&mut ledger, &add, &actor)?;
    let row = shape::after(&outcome, &task_id);
    ctx.output.answer(&Added {
        task: shape::object(&row, &shape::ADDED, Empties::LeftOut),
        summary: format!("Added {} ({}) to {}", row.task.title, task_id, row.project),
    })
}

impl Answer for Added {
    fn md(&self, md: &mut Md) {
        md.ok(&self.summary);
    }
}
