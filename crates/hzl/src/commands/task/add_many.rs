//! `hzl task add --from-json`: many tasks in one transaction.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;

use hzl_core::command;
use hzl_core::command::AddTask;
use hzl_core::ids::ProjectName;
use hzl_core::ids::TaskId;
use hzl_store::ledger::Ledger;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use super::add::Args;
use super::lookup;
use super::shape;
use super::shape::Empties;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;
use crate::values;

/// No input is longer, in bytes.
const INPUT_BYTES: u64 = 32 * 1024 * 1024;
/// No input has more tasks: while they are written, others wait.
const TASKS: usize = 10_000;
/// What stands before the key of a task of the same input.
const REFERENCE: char = '@';

/// A task in the input. The names are those of the options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a task, as an object")]
struct Entry {
    /// A name by which later entries may refer to this one.
    key: Option<String>,
    title: String,
    project: Option<String>,
    description: Option<String>,
    #[serde(default)]
    links: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    priority: Option<u8>,
    /// Ids, beginnings of ids, or `@key`.
    #[serde(default)]
    depends_on: Vec<String>,
    /// The same.
    parent: Option<String>,
    status: Option<String>,
    agent: Option<String>,
    comment: Option<String>,
    stale_after: Option<String>,
    due: Option<String>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AddedMany {
    #[schemars(schema_with = "shape::many_added_schema")]
    tasks: Vec<Map<String, Value>>,
    total: usize,
}

/// Adds all tasks of the input, or none.
pub(super) fn run(source: &Path, args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let text = read(source, ctx)?;
    let entries = parse(&text)?;
    let mut ledger = ctx.ledger(Purpose::Write)?;
    let actor = ctx.actor(args.author.as_deref(), None)?;
    let mut plan = Plan {
        ids: BTreeMap::new(),
        default_project: ctx.project(args.project.as_deref())?,
        args,
    };
    let mut adds = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let add = plan.add(entry, &mut ledger);
        adds.push(add.map_err(|error| in_entry(at, error))?);
    }
    let tasks = ctx.transact(&mut ledger, |batch| {
        let mut tasks = Vec::with_capacity(adds.len());
        for (at, add) in adds.into_iter().enumerate() {
            let task_id = add.task_id.clone();
            let add = command::Command::AddTask(Box::new(add));
            let outcome = batch.execute(&add, &actor);
            let outcome = outcome.map_err(|error| in_entry(at, error.into()))?;
            let row = shape::after(&outcome, &task_id);
            tasks.push(shape::object(&row, &shape::ADDED, Empties::LeftOut));
        }
        Ok::<_, CommandError>(tasks)
    })?;
    let total = tasks.len();
    ctx.output.answer(&AddedMany { tasks, total })
}

fn read(source: &Path, ctx: &Context) -> Result<String, CommandError> {
    let failed = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::InvalidData => Kind::Input,
            _ => Kind::General,
        };
        CommandError::new(kind, "the input cannot be read").caused_by(error)
    };
    let input: Box<dyn io::Read> = if source == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(ctx.environment.current_dir.join(source)).map_err(failed)?)
    };
    let mut text = String::new();
    input
        .take(INPUT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > INPUT_BYTES {
        let message = format!("nothing was added: the input is longer than {INPUT_BYTES} bytes");
        return Err(CommandError::new(Kind::Input, message).hint("split the input"));
    }
    Ok(text)
}

/// Reads an array of objects, or one object after another.
fn parse(text: &str) -> Result<Vec<Entry>, CommandError> {
    let parsed = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect()
    };
    let entries: Vec<Entry> = parsed.map_err(|error| {
        CommandError::new(Kind::Input, format!("nothing was added: {error}"))
            .hint("give an array of objects, or one object per line: {\"title\": \"…\"}")
    })?;
    if entries.len() > TASKS {
        let message = format!("nothing was added: more than {TASKS} tasks");
        return Err(CommandError::new(Kind::Input, message).hint("split the input"));
    }
    Ok(entries)
}

/// Says which entry is meant, counted from 1.
fn in_entry(at: usize, mut error: CommandError) -> CommandError {
    let number = at + 1;
    error.message = format!("nothing was added: task {number}: {}", error.message);
    error.detail("entry", number)
}

/// What the entries so far have named.
struct Plan<'a> {
    ids: BTreeMap<String, TaskId>,
    default_project: ProjectName,
    args: &'a Args,
}

impl Plan<'_> {
    fn add(&mut self, entry: Entry, ledger: &mut Ledger) -> Result<AddTask, CommandError> {
        let input = |error: values::ValueError| CommandError::new(Kind::Input, error.message);
        let status = match &entry.status {
            Some(status) => values::initial_status(status).map_err(input)?,
            None => self.args.status.unwrap_or_default(),
        };
        let stale_after = entry.stale_after.as_deref().map(values::duration_minutes);
        let depends_on = entry.depends_on.iter();
        let add = AddTask {
            task_id: ledger.new_task_id(),
            title: entry.title,
            project: match entry.project {
                Some(project) => ProjectName::new(project),
                None => self.default_project.clone(),
            },
            description: entry.description,
            links: entry.links,
            tags: entry.tags,
            priority: entry.priority.or(self.args.priority).unwrap_or(0),
            depends_on: depends_on
                .map(|typed| self.find(typed, ledger))
                .collect::<Result<_, _>>()?,
            parent: match &entry.parent {
                Some(typed) => Some(self.find(typed, ledger)?),
                None => None,
            },
            status,
            agent: entry.agent,
            comment: entry.comment,
            due_at: entry.due,
            metadata: entry.metadata,
            stale_after_minutes: stale_after.transpose().map_err(input)?,
        };
        if let Some(key) = entry.key {
            let key = key.trim_start_matches(REFERENCE).to_owned();
            if self.ids.insert(key.clone(), add.task_id.clone()).is_some() {
                let message = format!("key `{key}` is used twice");
                return Err(CommandError::new(Kind::Input, message));
            }
        }
        Ok(add)
    }

    fn find(&self, typed: &str, ledger: &mut Ledger) -> Result<TaskId, CommandError> {
        match typed.strip_prefix(REFERENCE) {
            Some(key) => self.ids.get(key).cloned().ok_or_else(|| {
                let message = format!("no task before this one has the key `{key}`");
                CommandError::new(Kind::Input, message)
            }),
            None => lookup::task(ledger, typed),
        }
    }
}

impl Answer for AddedMany {
    fn md(&self, md: &mut Md) {
        md.ok(&format!("Added {}", counted(self.total, "task")));
        let text = |task: &Map<String, Value>, key: &str| {
            let value = task.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let row = |task: &Map<String, Value>| {
            vec![
                text(task, "task_id"),
                text(task, "title"),
                text(task, "project"),
            ]
        };
        let rows: Vec<_> = self.tasks.iter().map(row).collect();
        if !rows.is_empty() {
            md.table(&["Task", "Title", "Project"], &rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use hzl_testkit::fuzz::Target;
    use hzl_testkit::fuzz::corpus;
    use hzl_testkit::fuzz::fuzz;

    use super::*;

    #[test]
    fn any_input_is_parsed_or_refused() {
        const KEYS: [&str; 16] = [
            "key",
            "title",
            "project",
            "description",
            "links",
            "tags",
            "priority",
            "depends_on",
            "parent",
            "status",
            "agent",
            "comment",
            "stale_after",
            "due",
            "metadata",
            "task_id",
        ];
        assert_eq!(parse(corpus::TASKS).unwrap().len(), 3);
        let target = Target {
            name: "tasks from JSON",
            share: 70_000,
        };
        fuzz(
            target,
            |random| corpus::mutated_json(random, corpus::TASKS, &KEYS),
            |text| match parse(&String::from_utf8_lossy(text)) {
                Ok(entries) => {
                    for entry in entries {
                        drop(entry.stale_after.as_deref().map(values::duration_minutes));
                        drop(entry.status.as_deref().map(values::initial_status));
                    }
                }
                Err(error) => assert_eq!(error.kind, Kind::Input),
            },
        );
    }
}
