//! What a shell suggests: commands and options from the definitions, ids and names from the ledger.
//!
//! The scripts that `hzl completions` prints call the program again with [`VARIABLE`] set. Whatever goes
//! wrong then, there is just nothing to suggest; nothing is written, not even a new store.

use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;

use clap::Arg;
use clap::Command;
use clap_complete::CompleteEnv;
use clap_complete::engine::ArgValueCompleter;
use clap_complete::engine::CompletionCandidate;
use hzl_store::Access;
use hzl_store::ledger::Ledger;
use hzl_store::query::projects;
use hzl_store::query::tasks;
use hzl_store::query::tasks::ListFilter;

use crate::cli;
use crate::context::Context;
use crate::environment::Environment;
use crate::output::Color;
use crate::output::Format;
use crate::output::Output;
use crate::output::inline;

/// Set by the scripts to the name of the shell.
pub(crate) const VARIABLE: &str = "HZL_COMPLETE";
/// How many tasks are suggested.
const SUGGESTED: u64 = 100;

/// Answers a shell, if it was one that asked.
pub(crate) fn answered(environment: &Environment) -> io::Result<bool> {
    if environment.get(VARIABLE).is_none() {
        return Ok(false);
    }
    let suggesting = || with_candidates(cli::command());
    let complete = CompleteEnv::with_factory(suggesting).var(VARIABLE);
    complete
        .try_complete(env::args_os(), Some(&environment.current_dir))
        .map_err(io::Error::other)
}

/// Lets options and arguments suggest what their values stand for. Only who completes needs that.
fn with_candidates(command: Command) -> Command {
    command
        .mut_args(suggesting)
        .mut_subcommands(with_candidates)
}

fn suggesting(argument: Arg) -> Arg {
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map(|name| name.as_str().to_owned());
    let candidates: fn(&OsStr) -> Vec<CompletionCandidate> = match name.as_deref() {
        Some("TASK_ID" | "DEPENDS_ON") => task_ids,
        Some("TASK_IDS") => task_id_lists,
        Some("PROJECT") => project_names,
        _ => return argument,
    };
    argument.add(ArgValueCompleter::new(candidates))
}

fn task_ids(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let found = read(|ledger| {
        ledger.read(|cache| {
            if !begun.is_empty() {
                return tasks::list_by_prefix(cache, &begun);
            }
            let page = tasks::list(cache, &ListFilter::default(), 0, SUGGESTED)?;
            let found = page.tasks.into_iter();
            Ok(found
                .map(|stored| (stored.task.task_id, stored.task.title))
                .collect())
        })
    });
    let candidate = |(id, title): (hzl_core::ids::TaskId, String)| {
        CompletionCandidate::new(id.into_string()).help(Some(inline(&title).into()))
    };
    found.into_iter().map(candidate).collect()
}

/// The last id of a list.
fn task_id_lists(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let (before, last) = match begun.rsplit_once(',') {
        Some((before, last)) => (format!("{before},"), last),
        None => (String::new(), &*begun),
    };
    let ids = task_ids(OsStr::new(last)).into_iter();
    ids.map(|id| id.add_prefix(OsString::from(&before)))
        .collect()
}

fn project_names(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let found = read(|ledger| ledger.read(projects::list));
    let names = found.into_iter().map(|project| project.name.into_string());
    names
        .filter(|name| name.starts_with(&*begun))
        .map(CompletionCandidate::new)
        .collect()
}

/// Reads the ledger that commands use here, if there is one.
fn read<T>(ask: impl FnOnce(&mut Ledger) -> hzl_store::Result<Vec<T>>) -> Vec<T> {
    let environment = Environment::of_this_process();
    let output = Output::of_this_process(Format::Json, Color::Never, &environment);
    let context = Context::new(environment, output, None);
    let Ok(paths) = context.store_paths() else {
        return vec![];
    };
    let opened = Ledger::open(&paths, Access::ReadOnly);
    opened
        .and_then(|mut ledger| ask(&mut ledger))
        .unwrap_or_default()
}
