//! `hzl workflow run handoff`

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::Transition;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_store::batch::Batch;
use hzl_store::query::tasks;
use hzl_store::query::tasks::CheckpointView;
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
use crate::error::Kind;
use crate::output::Md;

/// How much of what is carried goes into the description of the follow-on task.
const DESCRIPTION_CHARS: usize = 2_500;
/// How much goes into its first checkpoint.
const CHECKPOINT_CHARS: usize = 1_500;

/// Complete a task and leave a follow-on task with its last checkpoints
///
/// All steps or none: the follow-on exists exactly when the source is done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow run handoff --from 01K9ZZ3D --title \"Write the tests\" -P web
  hzl workflow run handoff --from 01K9ZZ3D --title \"Release\" --agent bob --author ada
  hzl workflow run handoff --from 01K9ZZ3D --title \"Release\" -P ops --auto-op-id")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) next: NextArgs,
    /// Project of the follow-on task; that of the source if only --agent is given
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Carry this many of the last checkpoints along; 0 for none
    #[arg(long, value_name = "N", default_value = "3", value_parser = super::count)]
    pub(crate) carry_checkpoints: usize,
    /// Carry at most this many characters of them along
    #[arg(long, value_name = "N", default_value = "4000", value_parser = super::count)]
    pub(crate) carry_max_chars: usize,
}

/// What is printed.
pub(crate) type Report = operation::Report<HandedOff>;

/// What was done.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HandedOff {
    workflow: &'static str,
    source_task_id: TaskId,
    follow_on: TaskView,
    carried_checkpoint_count: usize,
    carried_chars: usize,
}

/// Hands the task off.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    if args.project.is_none() && args.next.agent.is_none() {
        let message = "a handoff needs --project or --agent: where to, or to whom";
        return Err(CommandError::new(Kind::General, message));
    }
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let actor = ctx.actor(args.next.author.as_deref(), None)?;
    let source = lookup::task(&mut ledger, &args.next.from)?;
    let operation = Operation {
        workflow: "handoff",
        key: args.next.key(&source)?,
        input: json!({
            "from": source,
            "title": args.next.title,
            "project": args.project,
            "agent": args.next.agent,
            "carry_checkpoints": args.carry_checkpoints,
            "carry_max_chars": args.carry_max_chars,
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
) -> Result<HandedOff, CommandError> {
    let stored = super::load(batch, source)?;
    let status = stored.task.status;
    if !status.is_held() {
        let message =
            format!("cannot hand task {source} off: it is {status}, not in_progress or blocked");
        return Err(CommandError::new(Kind::General, message)
            .detail("task_id", source.as_str())
            .detail("status", status.name())
            .hint(format!("hzl task show {source}")));
    }
    let checkpoints = batch.read(|cache| tasks::list_checkpoints(cache, source))?;
    let first = checkpoints.len().saturating_sub(args.carry_checkpoints);
    let carried = checkpoints.get(first..).unwrap_or_default();
    let context = cut(&lines(carried), args.carry_max_chars);

    let follow_on = batch.new_task_id();
    let project = args.project.as_deref().map(ProjectName::from);
    let heading = format!("Handoff context from {source}");
    let (head, rest) = split(&context, DESCRIPTION_CHARS);
    let add = super::add(FollowOn {
        task_id: &follow_on,
        title: &args.next.title,
        project: project.unwrap_or(stored.project),
        agent: args.next.agent.as_deref(),
        description: (!head.is_empty()).then(|| format!("{heading}:\n\n{head}")),
    });
    batch.execute(&add, actor)?;
    if !context.is_empty() {
        let rest = if rest.is_empty() { &context } else { rest };
        let text = cut(rest, CHECKPOINT_CHARS);
        let checkpoint = command::Command::RecordCheckpoint {
            task_id: follow_on.clone(),
            name: heading,
            data: Some(Map::from_iter([("text".to_owned(), json!(text))])),
            progress: None,
        };
        batch.execute(&checkpoint, actor)?;
    }
    let complete = command::Command::CompleteTask(Transition {
        task_id: source.clone(),
        comment: None,
    });
    batch.execute(&complete, actor)?;
    Ok(HandedOff {
        workflow: "handoff",
        source_task_id: source.clone(),
        follow_on: super::load(batch, &follow_on)?.into(),
        carried_checkpoint_count: carried.len(),
        carried_chars: context.chars().count(),
    })
}

/// One line for each checkpoint.
fn lines(checkpoints: &[CheckpointView]) -> String {
    let line = |checkpoint: &CheckpointView| {
        let CheckpointView { name, data, at, .. } = checkpoint;
        if data.is_empty() {
            return format!("[{at}] {name}");
        }
        format!("[{at}] {name} {}", Value::Object(data.clone()))
    };
    let lines: Vec<_> = checkpoints.iter().map(line).collect();
    lines.join("\n")
}

/// Returns at most this many characters, dots included where something is missing.
fn cut(text: &str, max_chars: usize) -> String {
    const DOTS: &str = "...";
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let (head, _) = split(text, max_chars.saturating_sub(DOTS.len()));
    let (dots, _) = split(DOTS, max_chars);
    format!("{head}{dots}")
}

/// Splits a text behind this many characters.
fn split(text: &str, chars: usize) -> (&str, &str) {
    let at = text.char_indices().nth(chars).map(|(at, _)| at);
    text.split_at(at.unwrap_or(text.len()))
}

fn text(result: &Map<String, Value>, md: &mut Md) {
    let source = result["source_task_id"].as_str().unwrap_or_default();
    let follow_on = &result["follow_on"];
    md.ok(&format!("Completed {source}"));
    md.ok(&format!("Created {}", operation::name(follow_on)));
    let project = follow_on["project"].as_str().unwrap_or_default();
    md.field("Project", project);
    if let Some(agent) = follow_on["agent"].as_str() {
        md.field("Agent", agent);
    }
    let carried = &result["carried_checkpoint_count"];
    md.field("Checkpoints carried along", &carried.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_keeps_the_limit() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut("äöüäöü", 5), "äö...");
        assert_eq!(cut("abcdef", 2), "..");
        assert_eq!(cut("abcdef", 0), "");
        assert_eq!(split("äöü", 2), ("äö", "ü"));
    }
}
