//! `hzl workflow run start`

use std::cmp::Reverse;

use hzl_core::command;
use hzl_core::command::Actor;
use hzl_core::command::ClaimFilter;
use hzl_core::ids::EventId;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_store::batch::Batch;
use hzl_store::ledger::Ledger;
use hzl_store::projector::StoredTask;
use hzl_store::query::claim;
use hzl_store::query::tasks;
use hzl_store::query::tasks::ListFilter;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::TaskView;
use super::operation;
use super::operation::Key;
use super::operation::Operation;
use crate::claiming;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Md;
use crate::usage;
use crate::values;
use crate::values::Class;
use crate::values::CommaList;
use crate::values::ValueError;

/// Go on with a task in progress, else claim the next one
///
/// When there is neither, the answer is empty and the exit code 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl workflow run start -P web --agent ada
  hzl workflow run start -P web --agent ada --tags bug --lease 30
  hzl workflow run start --any-project --agent ada --resume-policy latest")]
pub(crate) struct Args {
    /// Who works [default: HZL_AGENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Only tasks of this project [default: HZL_PROJECT]
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Tasks of all projects
    #[arg(long)]
    pub(crate) any_project: bool,
    /// Only tasks with all these tags, separated by commas
    #[arg(long, value_name = "TAGS", value_parser = values::comma_list)]
    pub(crate) tags: Vec<CommaList>,
    /// Hold the task for this many minutes from now
    #[arg(short, long, value_name = "MINUTES", value_parser = values::lease_minutes)]
    pub(crate) lease: Option<u32>,
    /// Which task in progress to go on with: first, latest or priority
    #[arg(long, value_name = "POLICY", default_value = "priority", value_parser = resume_policy)]
    pub(crate) resume_policy: ResumePolicy,
    /// List the other tasks that came into question; this is the default
    #[arg(long, overrides_with = "no_include_others")]
    pub(crate) include_others: bool,
    /// Do not list the other tasks
    #[arg(long, overrides_with = "include_others")]
    pub(crate) no_include_others: bool,
    /// List this many others, or all
    #[arg(long, value_name = "N", default_value = "5", value_parser = others_limit)]
    pub(crate) others_limit: OthersLimit,
    /// Carry this out once: the same key gives the same answer again
    #[arg(long, value_name = "KEY")]
    pub(crate) op_id: Option<String>,
    /// Not supported here: who asks again may rightly get another task
    #[arg(long)]
    pub(crate) auto_op_id: bool,
}

/// Which task in progress to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResumePolicy {
    First,
    Latest,
    Priority,
}

impl ResumePolicy {
    fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Latest => "latest",
            Self::Priority => "priority",
        }
    }
}

fn resume_policy(text: &str) -> Result<ResumePolicy, ValueError> {
    let named = |policy: &ResumePolicy| text.trim().eq_ignore_ascii_case(policy.name());
    let all = [
        ResumePolicy::First,
        ResumePolicy::Latest,
        ResumePolicy::Priority,
    ];
    all.into_iter().find(named).ok_or_else(|| ValueError {
        class: Class::Input,
        message: format!("resume policy is `{text}`, expected first, latest or priority"),
    })
}

/// How many others are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OthersLimit(Option<usize>);

fn others_limit(text: &str) -> Result<OthersLimit, ValueError> {
    if text.trim().eq_ignore_ascii_case("all") {
        return Ok(OthersLimit(None));
    }
    match super::count(text) {
        Ok(limit) => Ok(OthersLimit(Some(limit))),
        Err(mut error) => {
            error.message.push_str(", or all");
            Err(error)
        }
    }
}

/// What is printed.
pub(crate) type Report = operation::Report<Started>;

/// What was done.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Started {
    workflow: &'static str,
    /// resume, `claim_next` or none.
    mode: &'static str,
    selected: Option<TaskView>,
    /// The claim that `selected` is held under: what `--claim` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_id: Option<EventId>,
    filters: Filters,
    in_progress_count: usize,
    others_total: u64,
    others: Vec<TaskView>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Filters {
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<ProjectName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

/// No limit; SQLite counts in 64 bits with a sign.
const ALL: u64 = i64::MAX as u64;

/// Starts work.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut wish = Wish::of(args, ctx)?;
    let key = match &args.op_id {
        Some(op_id) => Key::given(op_id)?,
        None => Key::None,
    };
    let operation = Operation {
        workflow: "start",
        key,
        input: wish.input(args),
    };
    let mut ledger = ctx.ledger(Purpose::Write)?;
    if !operation.is_known(&ledger)? {
        wish.asked = wish.claim_confirmed(ctx, &mut ledger)?;
    }
    let report = operation.carry_out(ctx, &mut ledger, text, |batch| wish.carry_out(batch))?;
    if let Some(Some(claimed)) = &wish.asked
        && report.selected() != Some(claimed.as_str())
    {
        wish.give_back(ctx, &mut ledger, claimed)?;
    }
    ctx.output.answer(&report)
}

/// What is asked for, checked.
struct Wish {
    filter: ClaimFilter,
    agent: String,
    lease_minutes: Option<u32>,
    policy: ResumePolicy,
    /// Where the cloud was asked: the task that it has confirmed, if there was one to be had.
    asked: Option<Option<TaskId>>,
    /// How many others are listed; SQLite counts in 64 bits with a sign.
    others_limit: usize,
}

impl Wish {
    fn of(args: &Args, ctx: &Context) -> Result<Self, CommandError> {
        let refused = |message: &str| CommandError::new(Kind::Input, message);
        if args.auto_op_id {
            let message = "start does not support --auto-op-id: who asks again may rightly get \
                           another task";
            return Err(refused(message).hint("choose a key with --op-id"));
        }
        let project = match args.any_project {
            true => None,
            false => ctx.environment.text("HZL_PROJECT").map(str::to_owned),
        };
        let project = args.project.clone().or(project);
        match (&project, args.any_project) {
            (Some(_), true) => {
                return Err(refused("--project and --any-project exclude each other"));
            }
            (None, false) => {
                return Err(refused("a project is missing")
                    .hint("name one with -P, or take tasks of all with --any-project"));
            }
            _ => {}
        }
        let Some(agent) = ctx.agent(args.agent.as_deref()) else {
            return Err(usage::after_parsing("--agent is missing")
                .hint("name who works with --agent, or with HZL_AGENT"));
        };
        if agent.trim().is_empty() {
            return Err(refused("--agent is empty").hint("name who works"));
        }
        let mut tags = CommaList::join(&args.tags);
        tags.retain(|tag| !tag.is_empty());
        let most = usize::try_from(i64::MAX).unwrap_or(usize::MAX);
        let others_limit = match args.others_limit {
            _ if args.no_include_others => 0,
            OthersLimit(limit) => limit.map_or(most, |limit| limit.min(most)),
        };
        Ok(Self {
            filter: ClaimFilter {
                agent: Some(agent.clone()),
                project: project.as_deref().map(ProjectName::from),
                tags,
                parent: None,
            },
            agent,
            lease_minutes: ctx.lease_minutes(args.lease)?,
            policy: args.resume_policy,
            asked: None,
            others_limit,
        })
    }

    fn input(&self, args: &Args) -> Value {
        let mut tags = self.filter.tags.clone();
        tags.sort();
        json!({
            "agent": self.agent,
            "project": self.filter.project,
            "tags": tags,
            "lease": self.lease_minutes,
            "resume_policy": self.policy.name(),
            "include_others": !args.no_include_others,
            "others_limit": args.others_limit.0,
        })
    }

    fn carry_out(&self, batch: &mut Batch<'_>) -> Result<Started, CommandError> {
        let held = batch.read(|cache| tasks::list(cache, &self.held(), 0, ALL))?;
        let mut resumable = self.resumable(held.tasks);
        if self.asked.is_none() && !resumable.is_empty() {
            let found = resumable.len();
            let task_id = resumable.remove(0).task.task_id;
            if let Some(lease_minutes) = self.lease_minutes {
                let renew = command::Command::RenewLease {
                    task_id: task_id.clone(),
                    lease_minutes,
                };
                batch.execute(&renew, &self.actor())?;
            }
            let selected = super::load(batch, &task_id)?;
            let others = resumable.into_iter().take(self.others_limit);
            return Ok(Started {
                workflow: "start",
                mode: "resume",
                claim_id: selected.task.claim.clone(),
                selected: Some(selected.into()),
                filters: self.filters(),
                in_progress_count: found,
                others_total: u64::try_from(found - 1).unwrap_or(u64::MAX),
                others: others.map(TaskView::from).collect(),
            });
        }
        let claimed = match &self.asked {
            Some(claimed) => claimed.clone(),
            None => batch.execute(&self.claim_next(), &self.actor())?.claimed,
        };
        let selected = match &claimed {
            Some(task_id) => Some(super::load(batch, task_id)?),
            None => None,
        };
        let total = batch.read(|cache| claim::count_eligible(cache, &self.filter))?;
        let others =
            batch.read(|cache| claim::list_eligible(cache, &self.filter, self.others_limit))?;
        let others: Result<Vec<TaskView>, CommandError> = others
            .iter()
            .map(|task_id| super::load(batch, task_id).map(TaskView::from))
            .collect();
        Ok(Started {
            workflow: "start",
            mode: if claimed.is_some() {
                "claim_next"
            } else {
                "none"
            },
            claim_id: selected
                .as_ref()
                .and_then(|stored| stored.task.claim.clone()),
            selected: selected.map(TaskView::from),
            filters: self.filters(),
            in_progress_count: 0,
            others_total: total,
            others: others?,
        })
    }

    fn claim_next(&self) -> command::Command {
        command::Command::ClaimNext {
            filter: self.filter.clone(),
            lease_minutes: self.lease_minutes,
        }
    }

    /// Claims the next task with the cloud's word, where that is asked and nothing is to be resumed.
    fn claim_confirmed(
        &self,
        ctx: &mut Context,
        ledger: &mut Ledger,
    ) -> Result<Option<Option<TaskId>>, CommandError> {
        let held = ledger.read(|cache| tasks::list(cache, &self.held(), 0, ALL))?;
        let resumes = !self.resumable(held.tasks).is_empty();
        if resumes || !claiming::would_ask(ctx, ledger)? {
            return Ok(None);
        }
        let (outcome, _) = claiming::claim(ctx, ledger, &self.claim_next(), &self.actor())?;
        Ok(Some(outcome.claimed))
    }

    /// Releases what was claimed for nothing: somebody else has carried out the operation of this key meanwhile.
    fn give_back(
        &self,
        ctx: &mut Context,
        ledger: &mut Ledger,
        task_id: &TaskId,
    ) -> Result<(), CommandError> {
        let transition = command::Transition {
            task_id: task_id.clone(),
            comment: None,
        };
        let release = command::Command::ReleaseTask(transition);
        ctx.execute(ledger, &release, &self.actor())?;
        Ok(())
    }

    /// The agent's tasks in progress.
    fn held(&self) -> ListFilter {
        ListFilter {
            project: self
                .filter
                .project
                .as_ref()
                .map(|project| project.as_str().to_owned()),
            status: Some(Status::InProgress),
            agent: Some(self.agent.clone()),
            ..ListFilter::default()
        }
    }

    /// Those of the held tasks that come into question, the one to go on with first.
    fn resumable(&self, mut found: Vec<StoredTask>) -> Vec<StoredTask> {
        found.retain(|stored| {
            let tags = &stored.task.tags;
            self.filter.tags.iter().all(|tag| tags.contains(tag))
        });
        let claimed_at = |stored: &StoredTask| stored.task.claimed_at;
        let id = |stored: &StoredTask| stored.task.task_id.clone();
        match self.policy {
            ResumePolicy::First => {
                found.sort_by_key(|task| (claimed_at(task), task.task.created_at, id(task)));
            }
            ResumePolicy::Latest => found.sort_by_key(|task| {
                let order = (Reverse(claimed_at(task)), Reverse(task.task.updated_at));
                (order, id(task))
            }),
            ResumePolicy::Priority => found.sort_by_key(|task| {
                let due = task.task.due_at.as_deref().and_then(Timestamp::parse);
                let urgency = (Reverse(task.task.priority), due.is_none(), due);
                (urgency, claimed_at(task), id(task))
            }),
        }
        found
    }

    fn actor(&self) -> Actor {
        Actor {
            author: Some(self.agent.clone()),
            ..Actor::default()
        }
    }

    fn filters(&self) -> Filters {
        Filters {
            project: self.filter.project.clone(),
            tags: self.filter.tags.clone(),
        }
    }
}

fn text(result: &Map<String, Value>, md: &mut Md) {
    let selected = operation::name(&result["selected"]);
    let label = match result["mode"].as_str() {
        Some("resume") => {
            md.ok(&format!("Resumed {selected}"));
            "Also in progress"
        }
        Some("claim_next") => {
            md.ok(&format!("Claimed {selected}"));
            "Also ready"
        }
        _ => return md.line("No task to start."),
    };
    for other in result["others"].as_array().into_iter().flatten() {
        md.field(label, &operation::name(other));
    }
}
