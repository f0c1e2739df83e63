//! `hzl man`

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use clap_mangen::Man;

use crate::cli;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;

/// Print a man page, or write all of them into a directory
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl man task claim | man -l -
  hzl man --dir ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// The words of a command; none for hzl itself
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Write the pages of all commands into this directory, which is created
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

/// Prints or writes the pages.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let root = cli::command();
    if let Some(directory) = &args.dir {
        let directory = ctx.environment.current_dir.join(directory);
        let failed = |error: io::Error| {
            let message = format!("{} cannot be written", directory.display());
            CommandError::new(Kind::General, message).caused_by(error)
        };
        return write_all(root, &directory).map_err(failed);
    }
    let mut command = &root;
    for word in &args.command {
        command = command.find_subcommand(word).ok_or_else(|| {
            let message = format!("there is no command `{}`", args.command.join(" "));
            CommandError::new(Kind::Usage, message).hint("hzl --help")
        })?;
    }
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .map_err(CommandError::from_output)?;
    ctx.output.text(&String::from_utf8_lossy(&page))
}

/// Writes a page for each command. Each is made elsewhere and takes its place: what stands there, a link for
/// instance, is replaced and not written through.
fn write_all(root: clap::Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let made = tempfile::tempdir_in(directory)?;
    clap_mangen::generate_to(root, made.path())?;
    for page in fs::read_dir(made.path())? {
        let page = page?;
        fs::rename(page.path(), directory.join(page.file_name()))?;
    }
    Ok(())
}
