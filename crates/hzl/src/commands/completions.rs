//! `hzl completions`

use std::path::Path;

use clap::ValueEnum;
use clap_complete::env::Shells;

use crate::completion;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;

/// Print a script that lets your shell complete commands, options, task ids and projects
///
/// Load it in the file your shell reads at its start: bash and zsh `source <(hzl completions bash)`, fish
/// `hzl completions fish | source`, PowerShell `hzl completions powershell | Out-String | Invoke-Expression`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl completions bash
  hzl completions fish | source")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// A shell that can be told what to suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }
}

/// Prints the script.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(args.shell.name())
        .expect("all four are built in");
    // The program is found by name, so that an update is used at once.
    let called = std::env::args_os().next().unwrap_or_default();
    let called = Path::new(&called);
    let program = if called.components().count() > 1 {
        ctx.environment.current_dir.join(called)
    } else {
        called.to_owned()
    };
    let mut script = Vec::new();
    shell
        .write_registration(
            completion::VARIABLE,
            "hzl",
            "hzl",
            &program.to_string_lossy(),
            &mut script,
        )
        .map_err(CommandError::from_output)?;
    let script = String::from_utf8(script).map_err(|_| {
        CommandError::new(Kind::General, "the path of this program is not valid UTF-8")
    })?;
    ctx.output.text(&script)
}
