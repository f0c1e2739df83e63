//! `hzl workflow run delegate`

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::Transition;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_store::batch::Batch;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::FollowOn;
use super::NextArgs;
use super::TaskView;
use super::operation;
use super::operation::Operation;
use crate::commands::task::lookup;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Md;

/// Give a part of a task to somebody else
///
/// The source waits for the new task, unless --no-depends is given. All steps or none.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow run delegate --from 01K9ZZ3D --title \"Review it\" --agent bob
  hzl workflow run delegate --from 01K9ZZ3D --title \"Find the cause\" --pause-parent
  hzl workflow run delegate --from 01K9ZZ3D --title \"Translate\" -P docs --no-depends")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) next: NextArgs,
    /// Project of the delegated task; that of the source if left out
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Do not make the source wait for the delegated task
    #[arg(long)]
    pub(crate) no_depends: bool,
    /// Note this in a checkpoint of the source
    #[arg(long, value_name = "TEXT")]
    pub(crate) checkpoint: Option<String>,
    /// Block the source if it is in progress; somebody has to unblock it later
    #[arg(long)]
    pub(crate) pause_parent: bool,
}

/// What is printed.
pub(crate) type Report = operation::Report<Delegated>;

/// What was done.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Delegated {
    workflow: &'static str,
    source_task_id: TaskId,
    delegated: TaskView,
    dependency_added: bool,
    checkpoint_added: bool,
    parent_paused: bool,
}

/// Delegates.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let actor = ctx.actor(args.next.author.as_deref(), None)?;
    let source = lookup::task(&mut ledger, &args.next.from)?;
    let operation = Operation {
        workflow: "delegate",
        key: args.next.key(&source)?,
        input: json!({
            "from": source,
            "title": args.next.title,
            "project": args.project,
            "agent": args.next.agent,
            "depends": !args.no_depends,
            "checkpoint": args.checkpoint,
            "pause_parent": args.pause_parent,
        }),
    };
    operation.run(ctx, &mut ledger, text, |batch| {
        carry_out(args, &source, &actor, batch)
    })
}

fn carry_out(
    args: &Args,
    source: &TaskId,
    actor: &Actor,
    batch: &mut Batch<'_>,
) -> Result<Delegated, CommandError> {
    let stored = super::load(batch, source)?;
    let delegated = batch.new_task_id();
    let project = args.project.as_deref().map(ProjectName::from);
    let add = super::add(FollowOn {
        task_id: &delegated,
        title: &args.next.title,
        project: project.unwrap_or(stored.project),
        agent: args.next.agent.as_deref(),
        description: None,
    });
    batch.execute(&add, actor)?;
    if !args.no_depends {
        let wait = command::Command::AddDependency {
            task_id: source.clone(),
            depends_on: delegated.clone(),
        };
        batch.execute(&wait, actor)?;
    }
    let note = args.checkpoint.as_deref().map(str::trim);
    let note = note.filter(|note| !note.is_empty());
    if let Some(note) = note {
        let data = [
            ("delegated_task_id", json!(delegated)),
            ("delegated_title", json!(args.next.title)),
            ("note", json!(note)),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value));
        let checkpoint = command::Command::RecordCheckpoint {
            task_id: source.clone(),
            name: "Delegated follow-on created".to_owned(),
            data: Some(Map::from_iter(data)),
            progress: None,
        };
        batch.execute(&checkpoint, actor)?;
    }
    let is_paused = args.pause_parent && stored.task.status == Status::InProgress;
    if is_paused {
        let comment = format!(
            "Delegated blocking work to {delegated}; pause parent until dependency clears."
        );
        let block = command::Command::BlockTask(Transition {
            task_id: source.clone(),
            comment: Some(comment),
        });
        batch.execute(&block, actor)?;
    }
    Ok(Delegated {
        workflow: "delegate",
        source_task_id: source.clone(),
        delegated: super::load(batch, &delegated)?.into(),
        dependency_added: !args.no_depends,
        checkpoint_added: note.is_some(),
        parent_paused: is_paused,
    })
}

fn text(result: &Map<String, Value>, md: &mut Md) {
    let source = result["source_task_id"].as_str().unwrap_or_default();
    let delegated = &result["delegated"];
    md.ok(&format!("Delegated {}", operation::name(delegated)));
    let project = delegated["project"].as_str().unwrap_or_default();
    md.field("Project", project);
    if let Some(agent) = delegated["agent"].as_str() {
        md.field("Agent", agent);
    }
    if result["dependency_added"] == true {
        md.line(&format!("{source} waits for it."));
    }
    if result["parent_paused"] == true {
        md.line(&format!("{source} is blocked until somebody unblocks it."));
    }
}
