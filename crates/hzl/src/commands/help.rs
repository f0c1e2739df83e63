//! `hzl help`

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::exit;
use crate::exit::Row;
use crate::output::Answer;
use crate::output::Md;

/// The topic that is no command.
const EXIT_CODES: &str = "exit-codes";

/// Explain a command, or list the exit codes
///
/// `hzl help exit-codes` lists how a command can end and what that means to a script.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl help task claim
  hzl help exit-codes
  hzl help exit-codes --format md")]
pub(crate) struct Args {
    /// The words of a command, or exit-codes
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ExitCodes {
    exit_codes: Vec<Row>,
}

/// Helps.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    if args.topic == [EXIT_CODES] {
        let mut exit_codes = vec![Row {
            exit: 0,
            code: "ok",
            meaning: "the command did what it was asked to do",
        }];
        exit_codes.extend(exit::rows());
        return ctx.output.answer(&ExitCodes { exit_codes });
    }
    let root = cli::command();
    let mut command = &root;
    for word in &args.topic {
        command = command
            .find_subcommand(word)
            .ok_or_else(|| unknown(&args.topic))?;
    }
    let help = command.clone().render_long_help();
    let text = ctx.output.styled_for_stdout(&help);
    ctx.output.text(&text)
}

fn unknown(topic: &[String]) -> CommandError {
    let message = format!("there is no help about `{}`", topic.join(" "));
    CommandError::new(Kind::Usage, message)
        .hint("hzl --help")
        .hint("hzl help exit-codes")
}

impl Answer for ExitCodes {
    fn md(&self, md: &mut Md) {
        let row = |row: &Row| {
            vec![
                row.exit.to_string(),
                row.code.to_owned(),
                row.meaning.to_owned(),
            ]
        };
        let rows: Vec<_> = self.exit_codes.iter().map(row).collect();
        md.table(&["Exit", "Code", "Meaning"], &rows);
    }
}
