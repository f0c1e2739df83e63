//! Failures of the command line itself, told with what helps to correct it.
//!
//! `details` of such a failure: `received`, `reason`, and where known `preferred_syntax`,
//! `did_you_mean` (at most one), `examples` (at most three).

use clap::Command;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;

use crate::error::CommandError;
use crate::error::Kind;
use crate::normalize::Line;
use crate::normalize::Meant;
use crate::normalize::Refusal;
use crate::secret::MASK;
use crate::values::Class;
use crate::values::ValueError;

const EXAMPLES_SHOWN: usize = 3;

/// Returns the failure of a line that was refused before parsing.
pub(crate) fn from_refusal(refusal: &Refusal, root: &Command) -> CommandError {
    let group = find(root, &refusal.line.path);
    let mut about = group;
    let mut meant_name = None;
    let mut hints = Vec::new();
    if let Some(meant) = &refusal.meant {
        let (name, line) = match meant {
            Meant::Command { name, line } => {
                about = group.find_subcommand(name).unwrap_or(group);
                (name, line)
            }
            Meant::Option { name, line } => (name, line),
        };
        meant_name = Some(name.clone());
        hints.push(shown(line, &refusal.line.secrets));
    }
    hints.push(help_of(&refusal.line.path));

    let mut error = start(&refusal.message, &refusal.reason, &refusal.line);
    if !about.has_subcommands() {
        error = error.detail("preferred_syntax", syntax(about));
    }
    if let Some(name) = meant_name {
        error = error.detail("did_you_mean", vec![name]);
    }
    let examples = examples(about);
    if !examples.is_empty() {
        error = error.detail("examples", examples);
    }
    error.hints = hints;
    error
}

/// Returns the failure of a line the parser does not accept.
pub(crate) fn from_clap(error: &clap::Error, line: &Line, root: &Command) -> CommandError {
    let command = find(root, &line.path);
    if matches!(
        error.kind(),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return missing_command(command, line);
    }
    let value_error = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<ValueError>())
        .filter(|_| error.kind() == ErrorKind::ValueValidation);
    if let Some(value) = value_error {
        return bad_value(value, error, line, command);
    }
    let message = first_paragraph(error);
    let reason = error.kind().to_string();
    start(&message, &reason, line)
        .detail("preferred_syntax", syntax(command))
        .detail("examples", examples(command))
        .hint(help_of(&line.path))
}

/// Returns a usage failure that a command finds itself, after parsing.
pub(crate) fn after_parsing(message: impl Into<String>) -> CommandError {
    CommandError::new(Kind::Usage, message)
}

fn missing_command(command: &Command, line: &Line) -> CommandError {
    let path = words(&line.path);
    let subcommands = command.get_subcommands();
    let commands: Vec<&str> = subcommands
        .filter(|command| !command.is_hide_set())
        .map(Command::get_name)
        .collect();
    let message = format!("`{path}` needs a command");
    let reason = format!("no command was given; there are {}", commands.join(", "));
    let mut error = start(&message, &reason, line)
        .detail("examples", examples(command))
        .detail("commands", commands)
        .hint(help_of(&line.path));
    error.help = Some(command.clone().render_help().to_string());
    error
}

fn bad_value(
    value: &ValueError,
    error: &clap::Error,
    line: &Line,
    command: &Command,
) -> CommandError {
    let mut failure = match value.class {
        Class::Usage => start(&value.message, "a value is not acceptable", line)
            .detail("preferred_syntax", syntax(command))
            .detail("examples", examples(command)),
        Class::Input => CommandError::new(Kind::Input, value.message.clone()),
    };
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) {
        failure = failure.detail("argument", argument.as_str());
    }
    failure.hint(help_of(&line.path))
}

fn start(message: &str, reason: &str, line: &Line) -> CommandError {
    CommandError::new(Kind::Usage, message)
        .detail("received", shown(&line.arguments, &line.secrets))
        .detail("reason", reason)
}

/// Returns the command line as it would be typed, without secrets.
fn shown(arguments: &[String], secrets: &[String]) -> String {
    let mut line = "hzl".to_owned();
    for argument in arguments {
        line.push(' ');
        let before_secret = secrets.iter().find_map(|secret| {
            let before = argument.strip_suffix(secret.as_str())?;
            (before.is_empty() || before.ends_with('=')).then_some(before)
        });
        match before_secret {
            Some(before) => {
                line.push_str(before);
                line.push_str(MASK);
            }
            None => line.push_str(&quoted(argument)),
        }
    }
    line
}

fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=./:@,+%~".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// Returns the first sentence of the parser, on one line and without its `error:`.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let sentence = words.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    sentence.replace('\'', "`")
}

fn find<'a>(root: &'a Command, path: &[String]) -> &'a Command {
    path.iter().fold(root, |command, name| {
        command.find_subcommand(name).unwrap_or(command)
    })
}

fn syntax(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim().strip_prefix("Usage:").unwrap_or(&usage);
    let words: Vec<&str> = usage.split_whitespace().collect();
    words.join(" ")
}

fn examples(command: &Command) -> Vec<String> {
    let text = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("hzl"))
        .take(EXAMPLES_SHOWN)
        .map(str::to_owned)
        .collect()
}

fn help_of(path: &[String]) -> String {
    format!("{} --help", words(path))
}

fn words(path: &[String]) -> String {
    let mut words = vec!["hzl"];
    words.extend(path.iter().map(String::as_str));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::normalize::normalize;

    fn failure(line: &[&str]) -> CommandError {
        let mut root = cli::command();
        let arguments = line.iter().map(|word| (*word).to_owned()).collect();
        match normalize(arguments, &mut root) {
            Ok(line) => {
                let parsed = root.clone().try_get_matches_from(line.with_program_name());
                from_clap(&parsed.unwrap_err(), &line, &root)
            }
            Err(refusal) => from_refusal(&refusal, &root),
        }
    }

    #[test]
    fn a_misspelt_command_is_answered_with_the_right_one() {
        let error = failure(&["task", "lst", "-P", "my web"]);
        assert_eq!(error.kind, Kind::Usage);
        assert_eq!(error.details["received"], "hzl task lst -P 'my web'");
        assert_eq!(error.details["did_you_mean"], serde_json::json!(["list"]));
        assert_eq!(error.hints[0], "hzl task list -P 'my web'");
        assert_eq!(error.details["preferred_syntax"], "hzl task list [OPTIONS]");
    }

    #[test]
    fn a_bare_group_lists_its_commands() {
        for line in [&[][..], &["task"], &["--format", "md", "project"]] {
            let error = failure(line);
            assert_eq!(error.kind, Kind::Usage, "{line:?}");
            assert!(error.help.is_some());
            assert!(!error.details["commands"].as_array().unwrap().is_empty());
        }
    }

    #[test]
    fn bad_values_are_input_errors_unless_recorded_otherwise() {
        for (line, kind) in [
            (&["task", "add", "T", "-p", "-1"][..], Kind::Input),
            (&["task", "add", "T", "-p", "high"], Kind::Input),
            (&["task", "add", "T", "--stale-after", "-5m"], Kind::Input),
            (&["task", "add", "T", "-s", "archived"], Kind::Input),
            (&["task", "list", "--page", "-1"], Kind::Input),
            (&["task", "list", "--limit", "x"], Kind::Input),
            (&["task", "list", "-s", "bogus"], Kind::Input),
            (&["task", "show", "01K", "--view", "tiny"], Kind::Input),
            (&["task", "claim", "01K", "--lease", "0"], Kind::Input),
            (&["events", "--from", "-1"], Kind::Input),
            (&["task", "progress", "01K", "-1"], Kind::Usage),
            (&["task", "progress", "01K", "101"], Kind::Usage),
            (&["task", "progress", "01K"], Kind::Usage),
            (&["task", "list", "--limit"], Kind::Usage),
            (&["task", "list", "--format", "xml"], Kind::Usage),
            (&["task", "claim"], Kind::Usage),
            (&["task", "claim", "01K", "--next"], Kind::Usage),
            (&["task", "list", "stray"], Kind::Usage),
            (
                &["task", "list", "--agent", "a", "--agent-pattern", "b"],
                Kind::Usage,
            ),
        ] {
            let error = failure(line);
            assert_eq!(error.kind, kind, "{line:?}: {error}");
            assert!(!error.message.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        for line in [
            &["init", "--auth-token", "s3cr3t-value", "--bogus"][..],
            &["init", "--auth-tokn", "s3cr3t-value"],
            &["init", "--auth-tokn=s3cr3t-value"],
            &["init", "stray", "--auth-token=s3cr3t-value"],
        ] {
            let error = failure(line);
            let text = format!("{error} {:?} {:?}", error.details, error.hints);
            assert!(!text.contains("s3cr3t-value"), "{text}");
        }
    }
}
