//! `hzl dep list`

use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_store::query::dependencies;
use hzl_store::query::dependencies::DependencyFilter;
use hzl_store::query::dependencies::DependencyView;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::ShortIds;
use crate::reader::Read as _;
use crate::reader::Reader;

/// List which task waits for which
///
/// From is the task that waits, to the one it waits for. A dependency blocks while its task is
/// ready, in progress or blocked and the other is neither done nor archived nor deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl dep list
  hzl dep list -P web --blocking-only
  hzl dep list --to-agent ada --cross-project-only --format md")]
pub(crate) struct Args {
    /// Only with a task of this project at either end
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Only where the task that waits is of this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) from_project: Option<String>,
    /// Only where the task it waits for is of this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) to_project: Option<String>,
    /// Only with a task of this agent at either end
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Only where the task that waits is of this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) from_agent: Option<String>,
    /// Only where the task it waits for is of this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) to_agent: Option<String>,
    /// Only those that block
    #[arg(long)]
    pub(crate) blocking_only: bool,
    /// Only those between projects
    #[arg(long)]
    pub(crate) cross_project_only: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct List {
    dependencies: Vec<Item>,
    total: usize,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    from_task_id: TaskId,
    to_task_id: TaskId,
    from_title: Option<String>,
    to_title: Option<String>,
    from_project: Option<ProjectName>,
    to_project: Option<ProjectName>,
    from_agent: Option<String>,
    to_agent: Option<String>,
    from_status: Option<Status>,
    to_status: Option<Status>,
    cross_project: bool,
    blocking: bool,
    /// Always false: a task that is gone waits for nothing.
    missing_from: bool,
    missing_to: bool,
}

/// Lists the dependencies.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let filter = DependencyFilter {
        project: args.project.clone(),
        from_project: args.from_project.clone(),
        to_project: args.to_project.clone(),
        agent: args.agent.clone(),
        from_agent: args.from_agent.clone(),
        to_agent: args.to_agent.clone(),
        blocking_only: args.blocking_only,
        cross_project_only: args.cross_project_only,
    };
    let mut reader = Reader::new(ctx)?;
    let found = reader.read(|cache| dependencies::list(cache, &filter))?;
    ctx.output.answer(&List {
        total: found.len(),
        dependencies: found.into_iter().map(item).collect(),
    })
}

fn item(dependency: DependencyView) -> Item {
    let cross_project = dependency.is_cross_project();
    let (from, to) = (dependency.from_task, dependency.to_task);
    Item {
        from_task_id: dependency.from,
        to_task_id: dependency.to,
        missing_from: false,
        missing_to: to.is_none(),
        cross_project,
        blocking: dependency.is_blocking,
        to_title: to.as_ref().map(|to| to.title.clone()),
        to_project: to.as_ref().map(|to| to.project.clone()),
        to_agent: to.as_ref().and_then(|to| to.agent.clone()),
        to_status: to.as_ref().map(|to| to.status),
        from_title: Some(from.title),
        from_project: Some(from.project),
        from_agent: from.agent,
        from_status: Some(from.status),
    }
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.dependencies.is_empty() {
            md.line("No dependencies.");
            return;
        }
        let ids = self.dependencies.iter();
        let ids = ids.flat_map(|item| [item.from_task_id.as_str(), item.to_task_id.as_str()]);
        let short = ShortIds::of(ids);
        let task = |id: &TaskId, title: Option<&String>| {
            let title = title.map_or("missing", String::as_str);
            format!("[{}] {title}", short.show(id.as_str()))
        };
        let yes = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
        let agent = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let row = |item: &Item| {
            vec![
                task(&item.from_task_id, item.from_title.as_ref()),
                task(&item.to_task_id, item.to_title.as_ref()),
                yes(item.blocking),
                yes(item.cross_project),
                format!("{} → {}", agent(&item.from_agent), agent(&item.to_agent)),
            ]
        };
        let rows: Vec<_> = self.dependencies.iter().map(row).collect();
        md.table(
            &["From", "To", "Blocking", "Cross-Project", "Agents"],
            &rows,
        );
    }
}
