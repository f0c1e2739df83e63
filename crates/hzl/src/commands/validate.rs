//! `hzl validate`

use hzl_core::ids::TaskId;
use hzl_store::query::dependencies;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::reader::Read as _;
use crate::reader::Reader;

/// Check the dependencies for circles and for tasks that do not exist
///
/// Neither stops work: a dependency that would close a circle, or on a task that does not exist,
/// blocks nothing. The exit code is 1 when something is found.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl validate
  hzl validate --format md")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    is_valid: bool,
    issues: Vec<Issue>,
    cycles: Vec<Vec<Hop>>,
    missing_deps: Vec<MissingDep>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Issue {
    #[serde(rename = "type")]
    kind: &'static str,
    severity: &'static str,
    message: String,
    details: Value,
    /// The command that ends it.
    #[serde(skip)]
    remedy: String,
}

/// A task and what it waits for.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Hop {
    task_id: TaskId,
    depends_on_id: TaskId,
}

#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct MissingDep {
    task_id: TaskId,
    missing_dep_id: TaskId,
}

/// Checks the dependencies.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut reader = Reader::new(ctx)?;
    let flaws = reader.read(dependencies::find_flaws)?;
    let hop = |(task_id, depends_on_id)| Hop {
        task_id,
        depends_on_id,
    };
    let cycles: Vec<Vec<Hop>> = flaws
        .cycles
        .into_iter()
        .map(|cycle| cycle.into_iter().map(hop).collect())
        .collect();
    let missing = flaws.missing.into_iter();
    let missing_deps: Vec<MissingDep> = missing
        .map(|(task_id, missing_dep_id)| MissingDep {
            task_id,
            missing_dep_id,
        })
        .collect();
    let of_cycles = cycles.iter().filter_map(|cycle| of_cycle(cycle));
    let issues: Vec<Issue> = of_cycles
        .chain(missing_deps.iter().map(of_missing))
        .collect();
    let is_valid = issues.is_empty();
    ctx.output.answer(&Report {
        is_valid,
        issues,
        cycles,
        missing_deps,
    })?;
    if is_valid {
        Ok(())
    } else {
        Err(CommandError::already_shown(Kind::General))
    }
}

fn of_cycle(cycle: &[Hop]) -> Option<Issue> {
    let last = cycle.last()?;
    let tasks: Vec<&str> = cycle.iter().map(|hop| hop.task_id.as_str()).collect();
    Some(Issue {
        kind: "cycle",
        severity: "error",
        message: format!(
            "tasks wait for each other in a circle: {}",
            tasks.join(", ")
        ),
        details: json!({ "cycle": cycle }),
        remedy: format!(
            "hzl task remove-dep {} {}",
            last.task_id, last.depends_on_id
        ),
    })
}

fn of_missing(missing: &MissingDep) -> Issue {
    let (task, dependency) = (&missing.task_id, &missing.missing_dep_id);
    Issue {
        kind: "missing_dep",
        severity: "error",
        message: format!("task {task} waits for {dependency}, which does not exist"),
        details: json!(missing),
        remedy: format!("hzl task remove-dep {task} {dependency}"),
    }
}

impl Answer for Report {
    fn md(&self, md: &mut Md) {
        if self.is_valid {
            md.ok("All dependencies are sound");
            return;
        }
        for issue in &self.issues {
            md.bad(&issue.message);
            md.line(&format!("  {}", issue.remedy));
        }
    }
}
