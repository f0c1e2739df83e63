//! `hzl task claim`

use clap::ArgGroup;
use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::ClaimFilter;
use hzl_core::command::ClaimTask;
use hzl_core::ids::EventId;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::rejection::Rejection;
use hzl_core::task::Status;
use hzl_store::ledger::ExecuteError;
use hzl_store::ledger::Outcome;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::lookup;
use super::shape;
use super::shape::Empties;
use super::shape::Row;
use super::trace::Filters;
use super::trace::Trace;
use crate::claiming;
use crate::claiming::ClaimState;
use crate::claiming::NotClaimed;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::values;
use crate::values::CommaList;
use crate::values::View;

/// Take a task to work on it
///
/// At most one agent gets a task. With `--next` the most important task that can be worked on is
/// chosen; when there is none, the answer is empty and the exit code 0.
///
/// On a synced ledger the cloud is asked first, for two seconds at most: `claim.state` is confirmed, or
/// provisional if it did not answer (see sync.claims in the settings).
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("which").args(["task_id", "next"]).required(true),
    after_help = "Examples:
  hzl task claim 01K9ZZ3D --agent ada
  hzl task claim --next --agent ada
  hzl task claim --next -P web -t bug --agent ada --lease 30"
)]
pub(crate) struct Args {
    /// Id of the task, or the beginning of it
    #[arg(value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) task_id: Option<String>,
    /// Choose the next task
    #[arg(long)]
    pub(crate) next: bool,
    /// With --next: only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// With --next: only tasks with all these tags, separated by commas
    #[arg(short, long, value_name = "TAGS", value_parser = values::comma_list)]
    pub(crate) tags: Vec<CommaList>,
    /// With --next: only subtasks of this task
    #[arg(long, value_name = "TASK_ID", value_parser = values::task_id)]
    pub(crate) parent: Option<String>,
    /// Claim in this name [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Record this id of the session or machine
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// Hold the task for this many minutes, after which others may take it over
    #[arg(short, long, value_name = "MINUTES", value_parser = values::lease_minutes)]
    pub(crate) lease: Option<u32>,
    /// Show this much of the task: summary, standard or full
    #[arg(long, value_name = "VIEW", default_value = "standard", value_parser = values::view)]
    pub(crate) view: View,
    /// Do not wait before choosing; kept for older scripts, there is no wait
    #[arg(long)]
    pub(crate) no_stagger: bool,
}

/// A claim of a named task, as `claim` and `start` make it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub(super) task_id: &'a str,
    pub(super) agent: Option<&'a str>,
    pub(super) agent_id: Option<&'a str>,
    pub(super) lease_minutes: Option<u32>,
    pub(super) view: View,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Claimed {
    task_id: Option<TaskId>,
    title: Option<String>,
    status: Option<Status>,
    agent: Option<String>,
    lease_until: Option<String>,
    #[schemars(schema_with = "shape::claimed_schema")]
    task: Option<Map<String, Value>>,
    decision_trace: Trace,
    claim: Option<Claim>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Claim {
    /// The claim event: what `--claim` takes.
    id: EventId,
    state: ClaimState,
}

/// Claims the task, or the next one.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    match &args.task_id {
        Some(task_id) => {
            let named = Named {
                task_id,
                agent: args.agent.as_deref(),
                agent_id: args.agent_id.as_deref(),
                lease_minutes: args.lease,
                view: args.view,
            };
            claim_named(named, ctx)
        }
        None => claim_next(args, ctx),
    }
}

/// Claims a named task and prints it.
pub(super) fn claim_named(named: Named<'_>, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Claim)?;
    let task_id = lookup::task(&mut ledger, named.task_id)?;
    let claim = command::Command::ClaimTask(ClaimTask {
        task_id: task_id.clone(),
        lease_minutes: ctx.lease_minutes(named.lease_minutes)?,
    });
    let agent = ctx.agent(named.agent);
    let actor = claimer(agent.as_deref(), named.agent_id);
    let made = claiming::claim(ctx, &mut ledger, &claim, &actor);
    let (outcome, state) = made.map_err(refused)?;
    let row = shape::after(&outcome, &task_id);
    let trace = Trace::claimed_by_id(&task_id);
    ctx.output
        .answer(&claimed(&row, named.view, trace, claim_of(&outcome, state)))
}

fn claim_next(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Claim)?;
    let parent = match &args.parent {
        Some(typed) => Some(lookup::parent(&mut ledger, typed)?),
        None => None,
    };
    let mut tags = CommaList::join(&args.tags);
    tags.retain(|tag| !tag.is_empty());
    let filters = Filters {
        task_id: None,
        project: args.project.clone(),
        tags: tags.clone(),
        parent: parent.clone(),
    };
    let agent = ctx.agent(args.agent.as_deref());
    let claim = command::Command::ClaimNext {
        filter: ClaimFilter {
            agent: agent.clone(),
            project: args.project.as_deref().map(ProjectName::from),
            tags,
            parent,
        },
        lease_minutes: ctx.lease_minutes(args.lease)?,
    };
    let actor = claimer(agent.as_deref(), args.agent_id.as_deref());
    let made = claiming::claim(ctx, &mut ledger, &claim, &actor);
    let (outcome, state) = made.map_err(refused)?;
    let answer = match &outcome.claimed {
        Some(task_id) => {
            let row = shape::after(&outcome, task_id);
            let trace = Trace::chosen(filters, task_id, &outcome.eligible);
            claimed(&row, args.view, trace, claim_of(&outcome, state))
        }
        None => Claimed {
            task_id: None,
            title: None,
            status: None,
            agent: None,
            lease_until: None,
            task: None,
            decision_trace: Trace::nothing(filters, &outcome.rejected),
            claim: None,
        },
    };
    ctx.output.answer(&answer)
}

fn claimer(agent: Option<&str>, agent_id: Option<&str>) -> Actor {
    Actor {
        author: agent.map(str::to_owned),
        agent_id: agent_id.map(str::to_owned),
        claim: None,
        correlation_id: None,
    }
}

fn claim_of(outcome: &Outcome, state: ClaimState) -> Option<Claim> {
    let (_, event) = outcome.events.first()?;
    Some(Claim {
        id: event.event_id.clone(),
        state,
    })
}

fn claimed(row: &Row, view: View, decision_trace: Trace, claim: Option<Claim>) -> Claimed {
    let task = &row.task;
    Claimed {
        task_id: Some(task.task_id.clone()),
        title: Some(task.title.clone()),
        status: Some(task.status),
        agent: task.agent.clone(),
        lease_until: task.lease_until.map(|until| until.to_string()),
        task: Some(shape::object(
            row,
            shape::claim_keys(view),
            Empties::LeftOut,
        )),
        decision_trace,
        claim,
    }
}

/// Adds to a refusal how it was decided.
fn refused(error: NotClaimed) -> CommandError {
    let error = match error {
        NotClaimed::Refused(error) => error,
        NotClaimed::Failed(error) => return error,
    };
    let trace = match &error {
        ExecuteError::Rejected(Rejection::NotClaimable {
            task_id,
            reason,
            blockers,
        }) => Some(Trace::refused_by_id(task_id, *reason, blockers)),
        ExecuteError::Rejected(_) | ExecuteError::Store(_) => None,
    };
    let failure = CommandError::from(error);
    match trace.map(serde_json::to_value) {
        Some(Ok(trace)) => failure.detail("decision_trace", trace),
        _ => failure,
    }
}

impl Answer for Claimed {
    fn md(&self, md: &mut Md) {
        let (Some(task_id), Some(title)) = (&self.task_id, &self.title) else {
            md.line("No task can be claimed now.");
            for passed_over in &self.decision_trace.alternatives {
                md.line(&format!(
                    "  {}: {}",
                    passed_over.task_id, passed_over.reason
                ));
            }
            return;
        };
        md.ok(&format!("Claimed {title} ({task_id})"));
        if let Some(agent) = &self.agent {
            md.field("Agent", agent);
        }
        if let Some(until) = &self.lease_until {
            md.field("Lease until", until);
        }
        match &self.claim {
            Some(claim) if claim.state == ClaimState::Provisional => {
                md.field("Claim", &format!("{} (provisional until synced)", claim.id));
            }
            Some(claim) => md.field("Claim", claim.id.as_str()),
            None => {}
        }
    }
}
