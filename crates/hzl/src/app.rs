//! The way of one command through the program, from arguments to exit code.

use std::env;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use crate::cli;
use crate::cli::Cli;
use crate::commands;
use crate::completion;
use crate::config;
use crate::context::Context;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit;
use crate::normalize;
use crate::normalize::Line;
use crate::output::Fields;
use crate::output::Format;
use crate::output::Output;
use crate::secret;
use crate::usage;

/// Runs the command this process was started for.
pub(crate) fn main() -> ExitCode {
    keep_memory_private();
    let environment = Environment::of_this_process();
    let given: Vec<_> = env::args_os().skip(1).collect();
    let is_text = given.iter().all(|argument| argument.to_str().is_some());
    let arguments: Vec<String> = given
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();

    match completion::answered(&environment) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        // A shell has nothing to do with a message.
        Err(_) => return ExitCode::FAILURE,
    }

    // What goes wrong before the options are parsed is already reported in the format they ask for.
    let look = cli::Look::guess(&arguments);
    let mut output = Output::of_this_process(look.format, look.color, &environment);
    if let Some(token) = config::environment_token(&environment) {
        output.redactor.add(token);
    }
    if let Some(url) = environment.text("HZL_SYNC_URL") {
        output.redactor.add_url(url);
    }

    if !is_text {
        // Guessing at the bytes could name another file than the one that was meant.
        let error = usage::after_parsing("an argument is not valid UTF-8");
        return fail(&error, &mut output);
    }

    let parsed = match parse(&arguments) {
        Some(Parsed::Command(parsed)) => Ok(*parsed),
        Some(Parsed::Version(text)) => Err(print(&text, &mut output)),
        None => parse_fully(arguments, &mut output),
    };
    let (cli, line) = match parsed {
        Ok(parsed) => parsed,
        Err(exit) => return exit,
    };
    remember_secrets(&line, &mut output);
    for note in &line.notes {
        output.note(note);
    }
    if let Err(error) = keep_fields(&cli, &line, &mut output) {
        return fail(&error, &mut output);
    }
    let mut context = Context::new(environment, output, cli.global.db);
    match cli.command.run(&mut context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, &mut context.output),
    }
}

/// A command line that needed little to be understood.
enum Parsed {
    Command(Box<(Cli, Line)>),
    /// It asks for the version, which is this.
    Version(String),
}

/// Parses a command line that has nothing wrong with it and asks for no help: no more is defined for it
/// than it needs.
fn parse(arguments: &[String]) -> Option<Parsed> {
    // Taking the definitions apart would cost more than building them did.
    let mut command = ManuallyDrop::new(cli::deferred());
    let line = normalize::normalize(arguments.to_vec(), &mut command).ok()?;
    let matches = command.try_get_matches_from_mut(line.with_program_name());
    let matches = match matches {
        Err(error) if error.kind() == ErrorKind::DisplayVersion => {
            return Some(Parsed::Version(version(&error, &line)));
        }
        matches => matches.ok()?,
    };
    let cli = Cli::from_arg_matches(&matches).ok()?;
    Some(Parsed::Command(Box::new((cli, line))))
}

/// 3.2.0 printed the bare number, and scripts compare it. The long option says more.
fn version(asked: &clap::Error, line: &Line) -> String {
    if line.arguments.iter().any(|word| word == "--version") {
        asked.render().to_string()
    } else {
        concat!(env!("CARGO_PKG_VERSION"), "\n").to_owned()
    }
}

fn print(text: &str, output: &mut Output) -> ExitCode {
    match output.text(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, output),
    }
}

/// Parses any command line, and says what is wrong with it or what it asks to know about commands.
fn parse_fully(arguments: Vec<String>, output: &mut Output) -> Result<(Cli, Line), ExitCode> {
    let mut command = cli::command();
    let line = match normalize::normalize(arguments, &mut command) {
        Ok(line) => line,
        Err(refusal) => {
            remember_secrets(&refusal.line, output);
            let error = usage::from_refusal(&refusal, &command);
            return Err(fail(&error, output));
        }
    };
    let matches = command
        .clone()
        .try_get_matches_from(line.with_program_name());
    let error = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => return Ok((cli, line)),
        Err(error) => error,
    };
    remember_secrets(&line, output);
    for note in &line.notes {
        output.note(note);
    }
    if error.use_stderr() {
        return Err(fail(&usage::from_clap(&error, &line, &command), output));
    }
    // Help is an answer.
    let text = output.styled_for_stdout(&error.render());
    Err(print(&text, output))
}

/// Keeps the token out of core dumps and away from other processes of this user that would look into this one.
fn keep_memory_private() {
    // It cannot fail for a process that asks for itself; if it did, commands would still be wanted.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Notes which keys the caller wants, before anything is done.
fn keep_fields(cli: &Cli, line: &Line, output: &mut Output) -> Result<(), CommandError> {
    let Some(text) = &cli.global.fields else {
        return Ok(());
    };
    let path = line.path.join(" ");
    let known = commands::schema::keys(&path);
    if known.is_empty() || cli.global.format == Format::Md {
        let message = "--fields is for commands that print JSON, and in JSON format";
        return Err(usage::after_parsing(message).hint(format!("hzl {path} --help")));
    }
    let Some(fields) = Fields::parse(text) else {
        return Err(usage::after_parsing("--fields is empty"));
    };
    if let Some(unknown) = fields.first_words().find(|word| !known.contains(*word)) {
        let message = format!("`hzl {path}` prints nothing called `{unknown}`");
        return Err(usage::after_parsing(message)
            .detail("known", known.into_iter().collect::<Vec<_>>())
            .hint(format!("hzl schema {path}")));
    }
    output.fields = Some(fields);
    Ok(())
}

fn fail(error: &CommandError, output: &mut Output) -> ExitCode {
    output.failure(error);
    exit::exit_code(error.kind)
}

/// Keeps credentials that were given as arguments out of everything printed about a failure.
fn remember_secrets(line: &Line, output: &mut Output) {
    for secret in &line.secrets {
        output.redactor.add(secret::trimmed(secret));
    }
    for argument in &line.arguments {
        output.redactor.add_url(argument);
    }
}
