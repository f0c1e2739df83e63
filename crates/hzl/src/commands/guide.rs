//! `hzl guide`

use crate::context::Context;
use crate::error::CommandError;

/// Print instructions for agents, to put into their prompt
///
/// The text is Markdown, whatever the format.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl guide")]
pub(crate) struct Args {}

const GUIDE: &str = include_str!("guide.md");

/// Prints the guide.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    ctx.output.text(GUIDE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::normalize;

    #[test]
    fn every_command_of_the_guide_parses() {
        let mut root = cli::command();
        let code = GUIDE.lines().filter(|line| line.starts_with("    "));
        let commands: Vec<&str> = code
            .filter_map(|line| line.trim().strip_prefix("hzl "))
            .collect();
        assert!(commands.len() > 20, "{commands:?}");
        for command in commands {
            // A text in quotes stands for one word here.
            let line = command.split('"').enumerate();
            let words = line.flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            });
            let normal = normalize::normalize(words.collect(), &mut root);
            let normal = normal.unwrap_or_else(|refusal| panic!("{command}: {}", refusal.message));
            assert!(normal.notes.is_empty(), "{command}: {:?}", normal.notes);
            let parsed = root
                .clone()
                .try_get_matches_from(normal.with_program_name());
            assert!(parsed.is_ok(), "{command}: {parsed:?}");
        }
    }
}
