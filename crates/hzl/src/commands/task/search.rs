//! `hzl task search`

use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_store::query::search;
use hzl_store::query::search::FoundTask;
use hzl_store::query::search::SearchFilter;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::ShortIds;
use crate::reader::Read as _;
use crate::reader::Reader;
use crate::values;

/// Find tasks by words in title, description and tags
///
/// A task is found when it has all the words, or words that begin like them. The best matches come
/// first. Archived tasks are found as well, unless a status is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl task search login
  hzl task search \"sign-in crash\" -P web -s ready
  hzl task search release --limit 5 --format md")]
pub(crate) struct Args {
    /// Words to look for
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,
    /// Only tasks of this project
    #[arg(short = 'P', long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Only tasks in this status
    #[arg(short, long, value_name = "STATUS", value_parser = values::status)]
    pub(crate) status: Option<Status>,
    /// Show at most this many tasks
    #[arg(short, long, value_name = "N", default_value = "20", value_parser = values::at_least_one)]
    pub(crate) limit: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Found {
    tasks: Vec<Item>,
    total: u64,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    task_id: TaskId,
    title: String,
    project: ProjectName,
    status: Status,
}

/// Searches.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let filter = SearchFilter {
        project: args.project.clone(),
        status: args.status,
    };
    let mut reader = Reader::new(ctx)?;
    let found = reader.read(|cache| search::search(cache, &args.query, &filter, args.limit))?;
    ctx.output.answer(&Found {
        tasks: found.tasks.into_iter().map(item).collect(),
        total: found.total,
    })
}

fn item(task: FoundTask) -> Item {
    Item {
        task_id: task.task_id,
        title: task.title,
        project: task.project,
        status: task.status,
    }
}

impl Answer for Found {
    fn md(&self, md: &mut Md) {
        if self.tasks.is_empty() {
            md.line("Nothing found.");
            return;
        }
        let short = ShortIds::of(self.tasks.iter().map(|task| task.task_id.as_str()));
        for task in &self.tasks {
            let id = short.show(task.task_id.as_str());
            let (title, project, status) = (&task.title, &task.project, task.status);
            md.line(&format!("[{id}] {title} ({project}) {status}"));
        }
        let total = self.total;
        if usize::try_from(total).is_ok_and(|total| total > self.tasks.len()) {
            md.line(&format!("{total} tasks in all"));
        }
    }
}
