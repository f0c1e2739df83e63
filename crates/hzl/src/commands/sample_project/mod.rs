//! `hzl sample-project`: something to look at and to try commands on.

pub(crate) mod create;
pub(crate) mod reset;

mod tasks;

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::AddTask;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_store::ledger::Ledger;

use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;
use tasks::SAMPLE;
use tasks::Sample;

/// Fill a project with tasks to try hzl on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl sample-project create
  hzl sample-project reset")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl sample-project`.
    Create = "create" in create;
    Reset = "reset" in reset;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}

fn name() -> ProjectName {
    ProjectName::from("sample-project")
}

/// Adds the tasks, one after the other, to a project that exists. Returns how many.
fn fill(ledger: &mut Ledger, ctx: &mut Context) -> Result<usize, CommandError> {
    let mut ids: Vec<TaskId> = vec![];
    for sample in &SAMPLE {
        let task_id = ledger.new_task_id();
        let waits_for = sample.depends_on.iter();
        let depends_on = waits_for.filter_map(|at| ids.get(*at).cloned()).collect();
        add(sample, task_id.clone(), depends_on, ledger, ctx)?;
        ids.push(task_id);
    }
    Ok(ids.len())
}

fn add(
    sample: &Sample,
    task_id: TaskId,
    depends_on: Vec<TaskId>,
    ledger: &mut Ledger,
    ctx: &mut Context,
) -> Result<(), CommandError> {
    let actor = Actor {
        author: sample.agent.map(str::to_owned),
        ..Actor::default()
    };
    let task = command::Command::AddTask(Box::new(AddTask {
        description: sample.description.map(str::to_owned),
        tags: sample.tags.iter().map(|&tag| tag.to_owned()).collect(),
        priority: sample.priority,
        depends_on,
        status: sample.status,
        agent: sample.agent.map(str::to_owned),
        comment: sample.comment.map(str::to_owned),
        ..AddTask::new(task_id.clone(), sample.title, name())
    }));
    ctx.execute(ledger, &task, &actor)?;
    if let Some((checkpoint, progress)) = sample.checkpoint {
        let checkpoint = command::Command::RecordCheckpoint {
            task_id,
            name: checkpoint.to_owned(),
            data: None,
            progress: Some(progress),
        };
        ctx.execute(ledger, &checkpoint, &actor)?;
    }
    Ok(())
}
