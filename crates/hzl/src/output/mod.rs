//! What the program prints, and where: results on stdout, notes on stderr, failures as the format
//! demands.
//!
//! Invariants: in JSON format stdout gets JSON lines only; a failure is exactly one of them; text
//! that people wrote reaches a terminal only escaped; no known secret is printed in a failure.

mod counted;
mod escape;
mod failure;
mod fields;
mod md;
mod raw;
mod short_ids;
mod warning;

pub(crate) use counted::counted;
pub(crate) use escape::inline;
pub(crate) use failure::Failure;
pub(crate) use fields::Fields;
pub(crate) use md::Md;
pub(crate) use raw::one_line;
pub(crate) use short_ids::ShortIds;
pub(crate) use warning::Warning;

use std::io;
use std::io::Write;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use crate::environment::Environment;
use crate::error::CommandError;
use crate::secret::Redactor;

/// Width of a text when the terminal does not tell its own.
const DEFAULT_COLUMNS: u16 = 100;

/// The form of the output: one line of JSON, or text for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Json,
    Md,
}

/// When text for people has colours. Auto: on a terminal, unless `NO_COLOR` is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Something a command answers: JSON by its `Serialize`, text for people by `md`.
pub(crate) trait Answer: Serialize + JsonSchema {
    /// Writes the answer for people.
    fn md(&self, md: &mut Md);
}

/// Standard output and standard error, and how to write to them.
pub(crate) struct Output {
    /// The form of the output.
    pub(crate) format: Format,
    /// What is printed of an answer in JSON; all of it, if not set.
    pub(crate) fields: Option<Fields>,
    /// What must not be printed.
    pub(crate) redactor: Redactor,
    warnings: Vec<Warning>,
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    color_stdout: bool,
    color_stderr: bool,
    columns: u16,
}

impl Output {
    /// Makes the output of this process.
    pub(crate) fn of_this_process(format: Format, color: Color, environment: &Environment) -> Self {
        let colored = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                is_terminal
                    && environment.get("NO_COLOR").is_none()
                    && environment.text("TERM") != Some("dumb")
            }
        };
        Self {
            format,
            fields: None,
            redactor: Redactor::default(),
            warnings: vec![],
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            color_stdout: colored(environment.terminals.stdout),
            color_stderr: colored(environment.terminals.stderr),
            columns: columns(environment),
        }
    }

    /// Makes an output that writes into these.
    #[cfg(test)]
    pub(crate) fn into_writers(
        format: Format,
        stdout: impl Write + 'static,
        stderr: impl Write + 'static,
    ) -> Self {
        Self {
            format,
            fields: None,
            redactor: Redactor::default(),
            warnings: vec![],
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            color_stdout: false,
            color_stderr: false,
            columns: 80,
        }
    }

    /// Says something in the answer to come that its command does not know of; of each code once.
    pub(crate) fn warn(&mut self, mut warning: Warning) {
        warning.message = self.redactor.mask(&warning.message);
        if !self.has_warning(warning.code) {
            self.warnings.push(warning);
        }
    }

    /// Tells whether the answer to come says this.
    pub(crate) fn has_warning(&self, code: &str) -> bool {
        self.warnings.iter().any(|warning| warning.code == code)
    }

    /// Prints an answer in the format asked for.
    ///
    /// # Errors
    ///
    /// `ReaderGone`: nobody reads any more. `General`: stdout cannot be written.
    pub(crate) fn answer(&mut self, answer: &impl Answer) -> Result<(), CommandError> {
        match self.format {
            Format::Json => self.json_lines([answer]),
            Format::Md => {
                let mut md = Md::new(self.color_stdout, self.columns);
                answer.md(&mut md);
                for warning in &self.warnings {
                    md.warning(&warning.message);
                }
                self.text(&md.finish())
            }
        }
    }

    /// Prints a value as one line of JSON, whatever the format.
    ///
    /// # Errors
    ///
    /// As [`Output::answer`].
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        let mut line =
            serde_json::to_vec(value).map_err(|error| CommandError::from_output(error.into()))?;
        line.push(b'\n');
        self.write_stdout(&escape::json(line))
    }

    /// Prints values as lines of JSON, in one go; of each value what was asked for.
    ///
    /// # Errors
    ///
    /// As [`Output::answer`].
    pub(crate) fn json_lines<T: Serialize>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), CommandError> {
        let mut lines = Vec::new();
        for value in values {
            let written = match &self.fields {
                None if self.warnings.is_empty() => serde_json::to_writer(&mut lines, &value),
                fields => serde_json::to_value(&value).and_then(|value| {
                    let mut value = match fields {
                        Some(fields) => fields.select(value),
                        None => value,
                    };
                    // Whatever was asked for: what went wrong is said.
                    warning::add(&self.warnings, &mut value);
                    serde_json::to_writer(&mut lines, &value)
                }),
            };
            written.map_err(|error| CommandError::from_output(error.into()))?;
            lines.push(b'\n');
        }
        self.write_stdout(&escape::json(lines))
    }

    /// Prints our own text, such as a help page.
    ///
    /// # Errors
    ///
    /// As [`Output::answer`].
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CommandError> {
        self.write_stdout(text.as_bytes())
    }

    /// Returns a help page with or without colours, as stdout wants it.
    pub(crate) fn styled_for_stdout(&self, text: &clap::builder::StyledStr) -> String {
        if self.color_stdout {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
    }

    /// Prints a remark about the command line on stderr.
    pub(crate) fn note(&mut self, text: &str) {
        let line = format!("Note: {}\n", escape::inline(&self.redactor.mask(text)));
        self.write_stderr(&line);
    }

    /// Prints a question on stderr.
    pub(crate) fn ask(&mut self, question: &str) {
        let line = format!("{} ", escape::inline(&self.redactor.mask(question)));
        self.write_stderr(&line);
    }

    /// Prints a failure: one JSON line on stdout, or text on stderr.
    pub(crate) fn failure(&mut self, error: &CommandError) {
        if error.shown {
            return;
        }
        match self.format {
            Format::Json => {
                let line = failure::json(error, &self.redactor);
                if self.json_line(&line).is_err() {
                    // The last resort: stdout is what failed.
                    let text = failure::md(error, &self.redactor, false);
                    self.write_stderr(&text);
                }
            }
            Format::Md => {
                let text = failure::md(error, &self.redactor, self.color_stderr);
                self.write_stderr(&text);
            }
        }
    }

    fn write_stdout(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.stdout
            .write_all(bytes)
            .and_then(|()| self.stdout.flush())
            .map_err(CommandError::from_output)
    }

    fn write_stderr(&mut self, text: &str) {
        // There is nobody left to tell when this fails.
        drop(self.stderr.write_all(text.as_bytes()));
        drop(self.stderr.flush());
    }
}

fn columns(environment: &Environment) -> u16 {
    let set = environment
        .text("COLUMNS")
        .and_then(|columns| columns.parse().ok());
    let measured = || {
        let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
        Some(columns)
    };
    set.or_else(|| environment.terminals.stdout.then(measured).flatten())
        .filter(|columns| *columns > 0)
        .unwrap_or(DEFAULT_COLUMNS)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::error::Kind;
    use crate::secret;

    #[derive(Clone, Default)]
    struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(JsonSchema, Serialize)]
    struct Greeting {
        name: &'static str,
    }

    impl Answer for Greeting {
        fn md(&self, md: &mut Md) {
            md.ok(&format!("Hello {}", self.name));
        }
    }

    #[test]
    fn an_answer_is_one_json_line_or_text() {
        let greeting = Greeting { name: "a\nb" };
        for (format, expected) in [
            (Format::Json, "{\"name\":\"a\\nb\"}\n"),
            (Format::Md, "✓ Hello a↵b\n"),
        ] {
            let sink = Sink::default();
            let mut output = Output::into_writers(format, sink.clone(), io::sink());
            output.answer(&greeting).unwrap();
            assert_eq!(sink.text(), expected);
        }
    }

    #[test]
    fn a_failure_is_one_json_line_on_stdout_or_text_on_stderr() {
        let error = CommandError::new(Kind::NotFound, "no task `x`").hint("hzl task list");
        let (stdout, stderr) = (Sink::default(), Sink::default());
        Output::into_writers(Format::Json, stdout.clone(), stderr.clone()).failure(&error);
        assert_eq!(
            stdout.text(),
            "{\"schema_version\":\"v2\",\"ok\":false,\"error\":{\"code\":\"not_found\",\"message\":\"no task `x`\",\"suggestions\":[\"hzl task list\"]}}\n"
        );
        assert_eq!(stderr.text(), "");

        let (stdout, stderr) = (Sink::default(), Sink::default());
        Output::into_writers(Format::Md, stdout.clone(), stderr.clone()).failure(&error);
        assert_eq!(stdout.text(), "");
        assert_eq!(stderr.text(), "Error: no task `x`\nHint: hzl task list\n");
    }

    #[test]
    fn a_failure_does_not_repeat_a_secret() {
        let sink = Sink::default();
        let mut output = Output::into_writers(Format::Json, sink.clone(), io::sink());
        output.redactor.add(secret::trimmed("hunter22"));
        let error = CommandError::new(Kind::SyncRejected, "bad token hunter22")
            .detail("reply", serde_json::json!({"header": ["Bearer hunter22"]}))
            .hint("replace hunter22");
        output.failure(&error);
        assert!(!sink.text().contains("hunter22"), "{}", sink.text());
    }

    #[test]
    fn a_closed_pipe_ends_the_command_quietly() {
        let mut output = Output::into_writers(Format::Json, Closed, io::sink());
        let error = output.answer(&Greeting { name: "x" }).unwrap_err();
        assert_eq!(error.kind, Kind::ReaderGone);
    }

    #[test]
    fn colours_follow_the_option_then_the_environment() {
        let colored = |color, variables: &[(&str, &str)], terminal| {
            let mut environment = Environment::for_tests("/h", variables);
            environment.terminals.stdout = terminal;
            Output::of_this_process(Format::Md, color, &environment).color_stdout
        };
        assert!(colored(Color::Auto, &[], true));
        assert!(!colored(Color::Auto, &[], false));
        assert!(!colored(Color::Auto, &[("NO_COLOR", "1")], true));
        assert!(!colored(Color::Auto, &[("TERM", "dumb")], true));
        assert!(colored(Color::Always, &[("NO_COLOR", "1")], false));
        assert!(!colored(Color::Never, &[], true));
    }
}
