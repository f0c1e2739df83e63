//! `hzl schema`

use std::collections::BTreeSet;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use schemars::json_schema;
use schemars::transform::RecursiveTransform;
use schemars::transform::Transform as _;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::agent;
use super::backup;
use super::config;
use super::conflicts;
use super::dep;
use super::devices;
use super::doctor;
use super::events;
use super::export;
use super::help;
use super::hook;
use super::import;
use super::init;
use super::lock;
use super::project;
use super::rebuild;
use super::restore;
use super::sample_project;
use super::stats;
use super::status;
use super::sync;
use super::task;
use super::torture;
use super::undo;
use super::validate;
use super::wait;
use super::which_db;
use super::workflow;
use crate::cli;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::ndjson;
use crate::output::Failure;
use crate::output::Warning;

/// Print the JSON Schema of what a command prints
///
/// Without a command: of all commands, by name, and of failures. Later versions may add keys to an
/// answer; none is removed or changes its type.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl schema task show
  hzl schema error
  hzl schema > hzl-schema.json")]
pub(crate) struct Args {
    /// The words of a command, or error for the shape of a failure
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// What is not a command and has a schema all the same.
const ERROR: &str = "error";

/// Prints the schema.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let path = args.command.join(" ");
    if !path.is_empty() {
        let schema = document(&path).ok_or_else(|| unknown(&path))?;
        return ctx.output.json_line(&schema);
    }
    let root = cli::command();
    let commands = cli::leaves(&root).into_iter();
    let commands: Map<String, Value> = commands
        .filter_map(|(path, _)| Some((path.clone(), document(&path)?.into())))
        .collect();
    let mut all = Map::new();
    all.insert("commands".to_owned(), Value::Object(commands));
    all.insert(
        ERROR.to_owned(),
        document(ERROR).map_or(Value::Null, Value::from),
    );
    ctx.output.json_line(&all)
}

fn unknown(path: &str) -> CommandError {
    let message = format!("`{path}` is no command that prints JSON");
    CommandError::new(Kind::Usage, message)
        .hint("hzl schema")
        .hint("hzl --help")
}

/// Returns the schema of one command's output as a document of its own.
pub(crate) fn document(path: &str) -> Option<Schema> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator = settings
        .with(|s| s.inline_subschemas = true)
        .into_generator();
    let mut schema = output(path)?(&mut generator);
    if writes(path) {
        let warning = Warning::json_schema(&mut generator);
        add_warnings(schema.ensure_object(), &warning);
    }
    RecursiveTransform(shorten).transform(&mut schema);
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".to_owned(), format!("hzl {path}").into());
    Some(schema)
}

/// Whether a command appends events: then its answer may say that the cloud has not confirmed them.
fn writes(path: &str) -> bool {
    match path.split_once(' ') {
        None => matches!(path, "undo" | "import"),
        Some(("workflow", command)) => command.starts_with("run "),
        Some(("conflicts", command)) => command == "restore",
        Some(("sample-project", _)) => true,
        Some(("project", command)) => !matches!(command, "list" | "show"),
        Some(("task", command)) => !matches!(
            command,
            "list" | "show" | "claim" | "start" | "history" | "search" | "stuck"
        ),
        Some(_) => false,
    }
}

/// Adds `warnings` to the keys of an answer, and what they may be to those it has itself.
fn add_warnings(schema: &mut Map<String, Value>, warning: &Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        let choices = choices.iter_mut().filter_map(Value::as_object_mut);
        choices.for_each(|choice| add_warnings(choice, warning));
        return;
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    let own = properties
        .get("warnings")
        .and_then(|own| own.get("items"))
        .cloned();
    let items = match own {
        Some(own) => json!({ "anyOf": [own, warning] }),
        None => json!(warning),
    };
    let warnings = json!({ "type": "array", "items": items });
    properties.insert("warnings".to_owned(), warnings);
}

/// Returns the names of all keys that a command prints; none if it prints text.
pub(crate) fn keys(path: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    if let Some(schema) = document(path) {
        collect_keys(schema.as_value(), &mut keys);
    }
    keys
}

fn collect_keys(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::Object(properties)) = entries.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            for value in entries.values() {
                collect_keys(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Schemas are read by the token: a choice of words is a list of words, and what is said of a type
/// serves the reader of an answer, not of the code.
fn shorten(schema: &mut Schema) {
    schema.remove("format");
    let words = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .map(|choices| {
            let words = choices.iter().map(|choice| choice.get("const").cloned());
            words.collect::<Option<Vec<Value>>>()
        });
    if let Some(Some(words)) = words {
        schema.remove("oneOf");
        schema.insert("enum".to_owned(), Value::Array(words));
    }
    let is_for_programmers = |text: &str| text.contains("[`");
    let description = schema.get("description").and_then(Value::as_str);
    if description.is_some_and(is_for_programmers) {
        schema.remove("description");
    }
}

type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

fn either<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [A::json_schema(generator), B::json_schema(generator)] })
}

/// What each command prints; of NDJSON, what each line is. `None`: it prints text, or is no command.
fn output(path: &str) -> Option<MakeSchema> {
    Some(match path {
        ERROR => of::<Failure>,
        "init" => of::<init::Initialized>,
        "status" => of::<status::Status>,
        "devices" => of::<devices::List>,
        "sync" => either::<sync::Synced, sync::LocalOnly>,
        "doctor" => of::<doctor::Report>,
        "which-db" => of::<which_db::Files>,
        "config" => of::<config::Settings>,
        "stats" => of::<stats::Report>,
        "validate" => of::<validate::Report>,
        "events" => of::<events::Line>,
        "wait" => of::<wait::Waited>,
        "undo" => of::<undo::Undone>,
        "rebuild" => of::<rebuild::Rebuilt>,
        "torture" => of::<torture::Tortured>,
        "export" => either::<export::Exported, ndjson::AnyLine>,
        "import" => of::<import::Done>,
        "backup" => of::<backup::BackedUp>,
        "restore" => of::<restore::Restored>,
        "help" => of::<help::ExitCodes>,
        "project create" => of::<project::create::Created>,
        "project list" => of::<project::list::List>,
        "project show" => of::<project::show::Shown>,
        "project rename" => of::<project::rename::Renamed>,
        "project delete" => of::<project::delete::Deleted>,
        "dep list" => of::<dep::list::List>,
        "agent status" => of::<agent::status::Report>,
        "agent log" => of::<agent::log::Log>,
        "sample-project create" => of::<sample_project::create::Created>,
        "sample-project reset" => of::<sample_project::reset::Reset>,
        "lock status" => of::<lock::status::Status>,
        "lock clear" => of::<lock::clear::Cleared>,
        "workflow list" => of::<workflow::list::List>,
        "workflow show" => of::<workflow::show::Shown>,
        "workflow run start" => of::<workflow::run::start::Report>,
        "workflow run handoff" => of::<workflow::run::handoff::Report>,
        "workflow run delegate" => of::<workflow::run::delegate::Report>,
        "hook drain" => of::<hook::drain::Drained>,
        "hook list" => of::<hook::list::List>,
        "hook show" => of::<hook::show::Shown>,
        "hook retry" => of::<hook::retry::Retried>,
        "hook test" => of::<hook::test::Tested>,
        "conflicts list" => of::<conflicts::list::List>,
        "conflicts show" => of::<conflicts::show::Shown>,
        "conflicts ack" => of::<conflicts::ack::Acknowledged>,
        "conflicts restore" => of::<conflicts::restore::Restored>,
        path => return task_output(path.strip_prefix("task ")?),
    })
}

fn task_output(name: &str) -> Option<MakeSchema> {
    Some(match name {
        "add" => either::<task::add::Added, task::add_many::AddedMany>,
        "list" => of::<task::list::List>,
        "show" => of::<task::show::Shown>,
        "claim" | "start" => of::<task::claim::Claimed>,
        "complete" | "reopen" | "archive" | "unarchive" => of::<task::transition::Settled>,
        "release" | "block" | "unblock" => of::<task::transition::Held>,
        "steal" => of::<task::steal::Stolen>,
        "renew" => of::<task::renew::Renewed>,
        "reassign" => of::<task::reassign::Reassigned>,
        "checkpoint" => of::<task::checkpoint::Recorded>,
        "comment" => of::<task::comment::Commented>,
        "progress" => of::<task::progress::Reported>,
        "update" => of::<task::update::Updated>,
        "set-status" => of::<task::set_status::Changed>,
        "move" => of::<task::move_task::Moved>,
        "add-dep" => of::<task::add_dep::Added>,
        "remove-dep" => of::<task::remove_dep::Removed>,
        "history" => of::<task::history::History>,
        "search" => of::<task::search::Found>,
        "stuck" => of::<task::stuck::List>,
        "prune" => either::<task::prune::Answered, task::prune::Preview>,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands whose whole output is text.
    const TEXT: [&str; 4] = ["guide", "schema", "completions", "man"];

    #[test]
    fn every_write_may_warn() {
        for (path, _) in cli::leaves(&cli::command()) {
            let keys = match document(&path) {
                Some(schema) => collected(schema.as_value()),
                None => continue,
            };
            if writes(&path) {
                assert!(keys.contains("warnings"), "{path}");
            }
        }
        for path in [
            "task add",
            "task checkpoint",
            "workflow run start",
            "import",
        ] {
            assert!(writes(path), "{path}");
        }
        for path in ["task list", "project show", "sync", "hook drain", "rebuild"] {
            assert!(!writes(path), "{path}");
        }
    }

    fn collected(schema: &Value) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        collect_keys(schema, &mut keys);
        keys
    }

    #[test]
    fn every_command_has_a_schema_or_prints_text() {
        for (path, _) in cli::leaves(&cli::command()) {
            let is_text = TEXT.contains(&path.as_str());
            assert_eq!(document(&path).is_some(), !is_text, "{path}");
        }
    }
}
