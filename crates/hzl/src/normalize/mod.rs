//! Forgives small slips in a command line, before it is parsed. Pure.
//!
//! Only what has one meaning is corrected: an underscore for a hyphen, one dash for two, a few old
//! names. A misspelt or shortened command or option is never guessed and run, because the guess
//! may change data (`unarchive` is close to `archive`): it is refused with a suggestion. What
//! exists is taken from the parser's own definitions. After `--` nothing is touched.
//!
//! Options and values leave here as separate arguments, so that the parser and this module agree
//! on which is which, even for values that begin with a dash. Global options of which only the root
//! is defined are put in front.

mod suggest;

use std::collections::VecDeque;

use clap::Arg;
use clap::Command;

use crate::cli;
use crate::secret;
use suggest::Guess;
use suggest::guess;

/// A command line without its slips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// What the parser gets, without the name of the program.
    pub(crate) arguments: Vec<String>,
    /// One sentence for each correction.
    pub(crate) notes: Vec<String>,
    /// Names of the command and the groups it is in, from the outside in.
    pub(crate) path: Vec<String>,
    /// Values that must not be shown.
    pub(crate) secrets: Vec<String>,
}

/// A command line that cannot be run as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The line so far, followed by what was not looked at any more.
    pub(crate) line: Line,
    /// Names the offending word.
    pub(crate) message: String,
    /// Says what is wrong with it.
    pub(crate) reason: String,
    /// What was probably meant.
    pub(crate) meant: Option<Meant>,
}

/// What was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// A command of the group, and the whole line with it.
    Command { name: String, line: Vec<String> },
    /// An option of the command, and the whole line with it.
    Option { name: String, line: Vec<String> },
}

impl Line {
    /// Returns the arguments with the name of the program in front.
    pub(crate) fn with_program_name(&self) -> Vec<String> {
        let mut all = vec!["hzl".to_owned()];
        all.extend(self.arguments.iter().cloned());
        all
    }
}

/// Corrects a command line.
///
/// Definitions that are deferred are made on the way, for the parser, too. A refusal says all there is to say only if
/// they are complete.
///
/// # Errors
///
/// A word that is no command, an option that does not exist, or an option without its value.
pub(crate) fn normalize(arguments: Vec<String>, root: &mut Command) -> Result<Line, Box<Refusal>> {
    let walk = Walk {
        root,
        line: Line::default(),
        front: 0,
        rest: arguments.into(),
    };
    walk.run()
}

struct Walk<'a> {
    root: &'a mut Command,
    line: Line,
    /// How many of the line's arguments stand in front of the first command.
    front: usize,
    rest: VecDeque<String>,
}

enum Shape {
    /// `--`
    Separator,
    /// `--name` or `--name=value`
    Long(String, Option<String>),
    /// `-` and letters
    Short(String),
    /// A command, an argument or a value; also `-1`, `-` and `- text`
    Plain,
}

impl Walk<'_> {
    fn run(mut self) -> Result<Line, Box<Refusal>> {
        while let Some(token) = self.rest.pop_front() {
            match shape(&token) {
                Shape::Separator => {
                    self.line.arguments.push(token);
                    break;
                }
                Shape::Long(name, value) => self.long(&token, &name, value)?,
                Shape::Short(letters) => self.short(&token, &letters)?,
                Shape::Plain if self.command().has_subcommands() => self.subcommand(&token)?,
                Shape::Plain => self.line.arguments.push(token),
            }
        }
        self.line.arguments.extend(self.rest);
        self.line.secrets = secret::find_in_arguments(&self.line.arguments);
        Ok(self.line)
    }

    fn long(&mut self, token: &str, name: &str, value: Option<String>) -> Result<(), Box<Refusal>> {
        if name == "json" && self.find_long(name).is_none() {
            self.note("`--json` is not needed: JSON is the default (see --format)");
            return Ok(());
        }
        let Some(exact) = self.exact_long(name) else {
            return Err(self.unknown_option(token, name, value.as_deref()));
        };
        if exact != name {
            self.note(&format!("`--{name}` is read as `--{exact}`"));
        }
        let takes_value = self.find_long(&exact).is_some_and(takes_value);
        let is_foreign = self.find_own_long(&exact).is_none();
        let from = self.line.arguments.len();
        match value {
            // Also where the option takes none: the parser then says so.
            Some(value) => self.line.arguments.push(format!("--{exact}={value}")),
            None => self.option(format!("--{exact}"), takes_value)?,
        }
        if is_foreign {
            let added = self.line.arguments.len() - from;
            self.line.arguments[self.front..].rotate_right(added);
            self.front += added;
        }
        Ok(())
    }

    fn short(&mut self, token: &str, letters: &str) -> Result<(), Box<Refusal>> {
        let (word, value) = split_value(letters);
        if word.chars().nth(1).is_some() && is_name(word) {
            let is_long = word == "json" || self.exact_long(word).is_some();
            if is_long {
                self.note(&format!("`-{word}` is read as `--{word}`"));
                return self.long(&format!("-{token}"), word, value.map(str::to_owned));
            }
        }
        let mut rest = letters.chars();
        let mut first = true;
        while let Some(letter) = rest.next() {
            let Some(option) = self.find_short(letter) else {
                if first && letters.contains(char::is_whitespace) {
                    // A text, as in `-see below`.
                    self.line.arguments.push(token.to_owned());
                    return Ok(());
                }
                return Err(self.unknown_option(token, word, value));
            };
            let takes_value = takes_value(option);
            let attached = rest.as_str();
            if takes_value && !attached.is_empty() {
                let value = attached.strip_prefix('=').unwrap_or(attached).to_owned();
                self.line.arguments.push(format!("-{letter}"));
                self.line.arguments.push(value);
                return Ok(());
            }
            self.option(format!("-{letter}"), takes_value)?;
            first = false;
        }
        Ok(())
    }

    /// Adds an option and, if it takes one, the value that follows.
    fn option(&mut self, option: String, takes_value: bool) -> Result<(), Box<Refusal>> {
        if takes_value && let Some(next) = self.rest.front() {
            if self.is_known_option(next) {
                let message = format!("option `{option}` needs a value, but `{next}` follows it");
                let reason = format!(
                    "`{next}` is an option itself; write `{option}=VALUE` for a value like it"
                );
                self.line.arguments.push(option);
                return Err(self.refuse(message, reason, None));
            }
            self.line.arguments.push(option);
            self.line.arguments.extend(self.rest.pop_front());
            return Ok(());
        }
        self.line.arguments.push(option);
        Ok(())
    }

    fn subcommand(&mut self, token: &str) -> Result<(), Box<Refusal>> {
        let hyphenated = token.replace('_', "-");
        if self.enter(&hyphenated) {
            if hyphenated != token {
                self.note(&format!("`{token}` is read as `{hyphenated}`"));
            }
            return Ok(());
        }
        if token == "help" {
            // `hzl task help claim` asks what `hzl help task claim` does.
            self.line.arguments.insert(0, token.to_owned());
            self.line.arguments.extend(self.rest.drain(..));
            self.line.path = vec![token.to_owned()];
            return Ok(());
        }
        let is_task = self.line.path == ["task"];
        if is_task && token == "next" && self.enter("claim") {
            self.note("`task next` is read as `task claim --next`");
            self.line.arguments.push("--next".to_owned());
            return Ok(());
        }
        Err(self.unknown_command(token))
    }

    /// Goes on with a command of the group, if there is one of this name, and defines it.
    fn enter(&mut self, name: &str) -> bool {
        let mut path = self.line.path.iter();
        let command = path.try_fold(&mut *self.root, |command, name| {
            command.find_subcommand_mut(name)
        });
        let Some(found) = command.and_then(|command| command.find_subcommand_mut(name)) else {
            return false;
        };
        cli::define(found);
        let name = found.get_name().to_owned();
        if self.line.path.is_empty() {
            self.front = self.line.arguments.len();
        }
        self.line.path.push(name.clone());
        self.line.arguments.push(name);
        true
    }

    fn note(&mut self, note: &str) {
        self.line.notes.push(note.to_owned());
    }
}

// What exists.
impl Walk<'_> {
    /// The command that was entered last.
    fn command(&self) -> &Command {
        let mut path = self.line.path.iter();
        let entered = path.try_fold(&*self.root, |command, name| command.find_subcommand(name));
        entered.unwrap_or(self.root)
    }

    fn find_long(&self, name: &str) -> Option<&Arg> {
        let own = self.find_own_long(name);
        own.or_else(|| cli::find_global(self.root, name))
    }

    /// An option that the command itself defines, or has got from the root.
    fn find_own_long(&self, name: &str) -> Option<&Arg> {
        self.command().get_arguments().find(|option| {
            option.get_long() == Some(name)
                || option
                    .get_all_aliases()
                    .is_some_and(|aliases| aliases.contains(&name))
        })
    }

    fn find_short(&self, letter: char) -> Option<&Arg> {
        let mut all = self.command().get_arguments();
        all.find(|option| option.get_short() == Some(letter))
    }

    /// The name of the option that this is another spelling of.
    fn exact_long(&self, name: &str) -> Option<String> {
        let hyphenated = name.replace('_', "-");
        if self.find_long(&hyphenated).is_some() {
            return Some(hyphenated);
        }
        let is_old_name = name == "assignee" && self.find_long("agent").is_some();
        is_old_name.then(|| "agent".to_owned())
    }

    fn is_known_option(&self, token: &str) -> bool {
        match shape(token) {
            Shape::Separator => true,
            Shape::Long(name, _) => name == "json" || self.exact_long(&name).is_some(),
            Shape::Short(letters) => {
                let mut letters = letters.chars();
                let letter = letters.next().and_then(|letter| self.find_short(letter));
                letter.is_some() && letters.next().is_none()
            }
            Shape::Plain => false,
        }
    }
}

// What does not exist.
impl Walk<'_> {
    fn unknown_command(&self, token: &str) -> Box<Refusal> {
        let group = self.group();
        let names = self.command().get_subcommands();
        let names: Vec<&str> = names
            .filter(|command| !command.is_hide_set())
            .map(Command::get_name)
            .collect();
        let (meant, reason) = match guess(token, &names) {
            Guess::One(name) => {
                let line = self.line_with(std::slice::from_ref(&name));
                let reason = format!("`{token}` is not a command of `{group}`, `{name}` is");
                (Some(Meant::Command { name, line }), reason)
            }
            Guess::Several(names) => {
                let reason = format!("`{token}` could be {}", names.join(", "));
                (None, reason)
            }
            Guess::None => {
                let reason = format!(
                    "`{token}` is not a command of `{group}`, which has {}",
                    names.join(", ")
                );
                (None, reason)
            }
        };
        let message = format!("unknown command `{}`", self.path_with(token));
        let mut refusal = self.refuse(message, reason, meant);
        refusal
            .line
            .arguments
            .insert(self.line.arguments.len(), token.to_owned());
        refusal
    }

    fn unknown_option(&self, token: &str, name: &str, value: Option<&str>) -> Box<Refusal> {
        let group = self.group();
        let names: Vec<&str> = self
            .command()
            .get_arguments()
            .filter(|option| !option.is_hide_set())
            .filter_map(Arg::get_long)
            .collect();
        let (meant, reason) = match guess(&name.replace('_', "-"), &names) {
            Guess::One(name) => {
                let reason = format!("`{group}` has no such option, but `--{name}`");
                let mut words = vec![format!("--{name}")];
                words.extend(value.map(str::to_owned));
                let line = self.line_with(&words);
                let name = format!("--{name}");
                (Some(Meant::Option { name, line }), reason)
            }
            Guess::Several(names) => {
                let names: Vec<_> = names.iter().map(|name| format!("--{name}")).collect();
                (None, format!("it could be {}", names.join(", ")))
            }
            Guess::None => (None, format!("`{group}` has no such option")),
        };
        let shown = token.split_once('=').map_or(token, |(name, _)| name);
        let message = format!("unknown option `{shown}` of `{group}`");
        let mut refusal = self.refuse(message, reason, meant);
        refusal
            .line
            .arguments
            .insert(self.line.arguments.len(), token.to_owned());
        refusal.line.secrets = secret::find_in_arguments(&refusal.line.arguments);
        refusal
    }

    fn refuse(&self, message: String, reason: String, meant: Option<Meant>) -> Box<Refusal> {
        let mut line = self.line.clone();
        line.arguments.extend(self.rest.iter().cloned());
        line.secrets = secret::find_in_arguments(&line.arguments);
        Box::new(Refusal {
            line,
            message,
            reason,
            meant,
        })
    }

    /// The line with these words in place of the one that was refused.
    fn line_with(&self, words: &[String]) -> Vec<String> {
        let before = self.line.arguments.iter();
        before.chain(words).chain(&self.rest).cloned().collect()
    }

    fn group(&self) -> String {
        let mut words = vec!["hzl"];
        words.extend(self.line.path.iter().map(String::as_str));
        words.join(" ")
    }

    fn path_with(&self, token: &str) -> String {
        let mut words: Vec<&str> = self.line.path.iter().map(String::as_str).collect();
        words.push(token);
        words.join(" ")
    }
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn shape(token: &str) -> Shape {
    if token == "--" {
        return Shape::Separator;
    }
    if let Some(rest) = token.strip_prefix("--") {
        let (name, value) = split_value(rest);
        if is_name(name) {
            return Shape::Long(name.to_owned(), value.map(str::to_owned));
        }
        return Shape::Plain;
    }
    match token.strip_prefix('-') {
        Some(letters) if letters.starts_with(|first: char| first.is_ascii_alphabetic()) => {
            Shape::Short(letters.to_owned())
        }
        _ => Shape::Plain,
    }
}

fn split_value(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}

/// Whether the text can be the name of an option. `--force is risky` is a remark, not an option.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn split(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn accepted(line: &str) -> Line {
        normalize(split(line), &mut cli::command()).unwrap()
    }

    fn refused(line: &str) -> Refusal {
        *normalize(split(line), &mut cli::command()).unwrap_err()
    }

    #[test]
    fn a_correct_line_stays_as_it_is() {
        for line in [
            "task list",
            "--db x.db task list --format md",
            "task add Title -P web -p 3 --tags a,b",
            "task add Title --priority=3",
            "task progress 01K 50",
            "task progress 01K -1",
            "help task claim",
            "--version",
            "task list --help",
        ] {
            let normalized = accepted(line);
            assert_eq!(normalized.arguments.join(" "), line);
            assert!(normalized.notes.is_empty(), "{line}");
        }
    }

    #[test]
    fn global_options_go_to_the_front_where_only_the_root_knows_them() {
        let deferred = |line: &str| {
            let line = normalize(split(line), &mut cli::deferred()).unwrap();
            line.arguments.join(" ")
        };
        assert_eq!(
            deferred("--db a task list -l 3 --format md --fields=total -s done --color never -- x"),
            "--db a --format md --fields=total --color never task list -l 3 -s done -- x"
        );
        assert_eq!(
            deferred("--format json task --format md list --format json"),
            "--format json --format md --format json task list"
        );
        assert_eq!(
            deferred("task list -limit 1 -format md"),
            "--format md task list --limit 1"
        );
        assert_eq!(
            deferred("task add -d--format md"),
            "task add -d --format md"
        );
        assert_eq!(
            deferred("task add -- --format md"),
            "task add -- --format md"
        );
    }

    #[test]
    fn slips_with_one_meaning_are_corrected_with_a_note() {
        for (line, corrected) in [
            ("task list --json", "task list"),
            ("--json task list", "task list"),
            ("task next --agent a", "task claim --next --agent a"),
            ("task claim 01K --assignee a", "task claim 01K --agent a"),
            ("task claim 01K --assignee=a", "task claim 01K --agent=a"),
            ("task set_status 01K done", "task set-status 01K done"),
            ("task list --group_by_agent", "task list --group-by-agent"),
            ("task list -limit 1", "task list --limit 1"),
            ("task list -limit=1", "task list --limit=1"),
            ("task list -format md", "task list --format md"),
        ] {
            let normalized = accepted(line);
            assert_eq!(normalized.arguments.join(" "), corrected);
            assert_eq!(normalized.notes.len(), 1, "{line}");
        }
    }

    #[test]
    fn attached_values_and_clusters_are_taken_apart() {
        assert_eq!(
            accepted("task list -sready -l=4").arguments.join(" "),
            "task list -s ready -l 4"
        );
        assert_eq!(accepted("init -fy").arguments.join(" "), "init -f -y");
    }

    #[test]
    fn a_guess_is_suggested_and_not_run() {
        for (line, name, whole) in [
            ("tasks list", "task", "task list"),
            ("proj list", "project", "project list"),
            ("task lst -P web", "list", "task list -P web"),
            ("task comp 01K", "complete", "task complete 01K"),
            ("task done 01K", "complete", "task complete 01K"),
            ("task unclaim 01K", "release", "task release 01K"),
            ("task create T", "add", "task add T"),
        ] {
            let expected = Meant::Command {
                name: name.to_owned(),
                line: split(whole),
            };
            assert_eq!(refused(line).meant, Some(expected), "{line}");
        }
        for (line, name, whole) in [
            (
                "task list --statu done",
                "--status",
                "task list --status done",
            ),
            (
                "task list --stauts=done",
                "--status",
                "task list --status done",
            ),
            (
                "task update 01K --description x",
                "--desc",
                "task update 01K --desc x",
            ),
            ("init --forc", "--force", "init --force"),
        ] {
            let expected = Meant::Option {
                name: name.to_owned(),
                line: split(whole),
            };
            assert_eq!(refused(line).meant, Some(expected), "{line}");
        }
    }

    #[test]
    fn several_candidates_are_listed() {
        let refusal = refused("task s x");
        assert_eq!(refusal.meant, None);
        assert!(refusal.reason.contains("show"), "{}", refusal.reason);
        assert!(refusal.reason.contains("start"), "{}", refusal.reason);
    }

    #[test]
    fn unknown_words_and_options_are_refused() {
        for line in [
            "frobnicate",
            "task frobnicate",
            "task list --frobnicate",
            "task add T --frobnicate 2026-12-01",
            "task list --foo",
            "task list -z",
        ] {
            let refusal = refused(line);
            assert_eq!(refusal.meant, None, "{line}");
            assert_eq!(refusal.line.arguments.join(" "), line);
        }
    }

    #[test]
    fn a_value_may_begin_with_a_dash_but_not_be_an_option() {
        let line = [
            "task",
            "add",
            "T",
            "-d",
            "- first",
            "--comment",
            "-5 degrees",
        ];
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            normalize(line.clone(), &mut cli::command())
                .unwrap()
                .arguments,
            line
        );
        let refusal = refused("task claim --agent --next");
        assert!(
            refusal.message.contains("needs a value"),
            "{}",
            refusal.message
        );
        assert!(normalize(split("task claim --agent --"), &mut cli::command()).is_err());
    }

    #[test]
    fn nothing_is_touched_after_the_separator() {
        let line = "task add -- --json -limit set_status";
        assert_eq!(accepted(line).arguments.join(" "), line);
    }

    #[test]
    fn values_are_not_read_as_commands_or_options() {
        let line = "task add T --agent task -P list";
        assert_eq!(accepted(line).arguments.join(" "), line);
    }

    #[test]
    fn credentials_are_found_in_accepted_and_refused_lines() {
        assert_eq!(accepted("init --auth-token abcdef").secrets, ["abcdef"]);
        assert_eq!(refused("init --auth-tokn abcdef").line.secrets, ["abcdef"]);
        assert_eq!(refused("init --authtoken=abcdef").line.secrets, ["abcdef"]);
    }
}
