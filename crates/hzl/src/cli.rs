//! The root of the command line: global options and the first level of commands.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap::Parser;
use clap::ValueEnum as _;

use crate::commands::Command;
use crate::commands::group::tuned;
use crate::output::Color;
use crate::output::Format;

/// Keep a task ledger that agents and people share
///
/// Tasks live in a local database and, if you like, in a cloud database that several machines
/// sync with. Answers are JSON unless `--format md` asks for text.
#[derive(Debug, Parser)]
#[command(
    name = "hzl",
    version,
    long_version = env!("HZL_VERSION"), // from build.rs
    after_help = "Examples:
  hzl task add \"Write the release notes\" -P docs -s ready
  hzl task claim --next --agent ada
  hzl task complete 01K9ZZ3D
  hzl task list --format md"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the options that every command takes stand under in the help.
const GLOBAL_HEADING: &str = "Global options";

/// Options every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = GLOBAL_HEADING)]
pub(crate) struct GlobalArgs {
    /// Use this events database
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) db: Option<PathBuf>,
    /// Print the answer as JSON or as text for people
    #[arg(long, global = true, value_name = "FORMAT", default_value = "json")]
    pub(crate) format: Format,
    /// Print only these keys of the answer, separated by commas; task.title is a title inside a task
    #[arg(long, global = true, value_name = "NAMES")]
    pub(crate) fields: Option<String>,
    /// Use colours in text for people; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// Returns the complete definition of the command line.
pub(crate) fn command() -> clap::Command {
    let mut command = tuned(Cli::command());
    command.build();
    command
}

/// Returns the definition of the command line, in which commands have only their names until they are
/// asked for. It knows global options in front of the first command only, where `normalize` puts them: the parser would
/// copy each of them into every command.
pub(crate) fn deferred() -> clap::Command {
    let mut command = tuned(Cli::command()).mut_args(|argument| argument.global(false));
    // Nothing that is printed comes from this definition, so the width of the terminal need not be asked for.
    command = command.term_width(80);
    define(&mut command);
    command
}

/// Finds an option that every command takes, by its long name.
pub(crate) fn find_global<'a>(root: &'a clap::Command, name: &str) -> Option<&'a clap::Arg> {
    root.get_arguments().find(|option| {
        option.get_help_heading() == Some(GLOBAL_HEADING) && option.get_long() == Some(name)
    })
}

/// Defines one command of a group: its own options, and the names of its commands. `Command::build` would define
/// everything below as well.
pub(crate) fn define(command: &mut clap::Command) {
    drop(command.render_usage());
}

/// Returns every command that has no commands of its own, with the words that lead to it.
pub(crate) fn leaves(root: &clap::Command) -> Vec<(String, &clap::Command)> {
    let mut leaves = Vec::new();
    for command in root.get_subcommands() {
        let name = command.get_name();
        if command.has_subcommands() {
            let inner = self::leaves(command).into_iter();
            leaves.extend(inner.map(|(path, leaf)| (format!("{name} {path}"), leaf)));
        } else {
            leaves.push((name.to_owned(), command));
        }
    }
    leaves
}

/// How to print before the options are known for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) format: Format,
    pub(crate) color: Color,
}

impl Look {
    /// Reads format and colour out of arguments that may turn out to be wrong.
    pub(crate) fn guess(arguments: &[String]) -> Self {
        let value_of = |option: &str| {
            let until_separator = arguments.iter().take_while(|argument| *argument != "--");
            let positions = until_separator.enumerate().filter_map(|(at, argument)| {
                let rest = argument.strip_prefix(option)?;
                match rest.strip_prefix('=') {
                    Some(value) => Some(value),
                    None if rest.is_empty() => arguments.get(at + 1).map(String::as_str),
                    None => None,
                }
            });
            positions.last()
        };
        let format = value_of("--format").and_then(|value| Format::from_str(value, false).ok());
        let color = value_of("--color").and_then(|value| Color::from_str(value, false).ok());
        Self {
            format: format.unwrap_or_default(),
            color: color.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    /// Calls with every command and the path to it.
    fn walk(command: &clap::Command, path: &str, visit: &mut impl FnMut(&clap::Command, &str)) {
        visit(command, path);
        for inner in command.get_subcommands() {
            walk(inner, &format!("{path} {}", inner.get_name()), visit);
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_and_option_has_help_and_every_command_an_example() {
        let mut problems = Vec::new();
        walk(&command(), "hzl", &mut |command, path| {
            let about = command.get_about().map(ToString::to_string);
            match about.as_deref() {
                None | Some("") => problems.push(format!("{path}: no help")),
                Some(text) if text.ends_with('.') => {
                    problems.push(format!("{path}: the first line ends with a period"));
                }
                Some(_) => {}
            }
            let examples = command.get_after_help().map(ToString::to_string);
            let examples = examples.unwrap_or_default();
            if !examples.starts_with("Examples:\n") {
                problems.push(format!("{path}: no examples"));
            }
            for line in examples.lines().skip(1) {
                let is_own = line.contains("hzl") && line.contains(path);
                if !is_own {
                    problems.push(format!("{path}: example of something else: {line}"));
                }
            }
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                if help.unwrap_or_default().is_empty() {
                    problems.push(format!("{path} {}: no help", argument.get_id()));
                }
            }
        });
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn every_example_parses() {
        let root = command();
        let mut problems = Vec::new();
        walk(&root, "hzl", &mut |command, path| {
            let examples = command.get_after_help().map(ToString::to_string);
            for line in examples.unwrap_or_default().lines().skip(1) {
                // What a shell does with the output is not for us to parse.
                let line = line.split(" | ").next().unwrap_or(line);
                let line = line.split(" > ").next().unwrap_or(line);
                let Some(words) = split(line).strip_prefix(&["hzl".to_owned()]).map(Vec::from)
                else {
                    continue;
                };
                match crate::normalize::normalize(words.clone(), &mut root.clone()) {
                    Err(refusal) => problems.push(format!("{path}: {}", refusal.message)),
                    Ok(normal) => {
                        let matches = root
                            .clone()
                            .try_get_matches_from(normal.with_program_name());
                        // As a process does it: what the one has defined, the other uses.
                        let mut deferred = self::deferred();
                        let again = crate::normalize::normalize(words.clone(), &mut deferred);
                        let again = again.unwrap();
                        let deferred = deferred.try_get_matches_from(again.with_program_name());
                        match (meant(matches), meant(deferred)) {
                            (Ok(complete), Ok(deferred)) if complete == deferred => {}
                            (complete, deferred) => problems.push(format!(
                                "{path}: {line}: {complete:?}, with deferred definitions {deferred:?}"
                            )),
                        }
                        if (&again.path, &again.notes, &again.secrets)
                            != (&normal.path, &normal.notes, &normal.secrets)
                        {
                            problems.push(format!("{path}: {line} is read otherwise: {again:?}"));
                        }
                        if !normal.notes.is_empty() {
                            problems.push(format!("{path}: {line}: {:?}", normal.notes));
                        }
                    }
                }
            }
        });
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    /// What a command line asks for, as text.
    fn meant(matches: Result<clap::ArgMatches, clap::Error>) -> Result<String, String> {
        let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        cli.map(|cli| format!("{cli:?}"))
            .map_err(|error| error.to_string())
    }

    /// Splits a line of a shell, single and double quotes included.
    fn split(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.trim().chars() {
            match (c, quote) {
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (' ', None) => words.push(String::new()),
                (c, _) => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        for line in [
            ["hzl", "--db", "x.db", "--format", "md", "which-db"],
            ["hzl", "which-db", "--db", "x.db", "--format", "md"],
        ] {
            let matches = command().try_get_matches_from(line).unwrap();
            let cli = <Cli as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
            assert_eq!(cli.global.format, Format::Md);
            assert_eq!(cli.global.db, Some(PathBuf::from("x.db")));
        }
    }

    #[test]
    fn the_last_of_a_repeated_option_wins() {
        let line = ["hzl", "--format", "json", "which-db", "--format", "md"];
        let matches = command().try_get_matches_from(line).unwrap();
        let cli = <Cli as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
        assert_eq!(cli.global.format, Format::Md);
    }

    #[test]
    fn the_look_is_guessed_from_broken_lines() {
        let guess = |line: &str| {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            Look::guess(&arguments)
        };
        assert_eq!(guess("task frob --format md").format, Format::Md);
        assert_eq!(guess("--format=md --color=never x").color, Color::Never);
        assert_eq!(guess("task list --format xml").format, Format::Json);
        assert_eq!(guess("task add -- --format md").format, Format::Json);
        assert_eq!(guess("--format").format, Format::Json);
    }
}
