//! How a group declares its commands: once, and each is defined only when somebody asks for it.
//!
//! A process runs one command. To define all of them, with every option and its help, would cost more than
//! most commands do themselves.

use clap::ArgAction;

/// A command that is known by its name until it is built.
pub(crate) fn deferred<A: clap::Args>(name: &'static str) -> clap::Command {
    clap::Command::new(name).defer(|command| tuned(A::augment_args(command)))
}

/// One `help` command is enough. The last of a repeated option wins, so that a wrapper script can set defaults. Values may begin
/// with a dash: `normalize` has already refused those that are options.
pub(crate) fn tuned(command: clap::Command) -> clap::Command {
    command
        .args_override_self(true)
        .disable_help_subcommand(true)
        .mut_args(|argument| {
            let takes_value = argument.get_action().takes_values();
            // A list of arguments would take the options behind it.
            let is_list =
                argument.is_positional() && matches!(argument.get_action(), ArgAction::Append);
            argument.allow_hyphen_values(takes_value && !is_list)
        })
}

/// Declares `enum Command` with these commands, each a module with `Args` and `run`.
macro_rules! group {
    ($(#[$doc:meta])* $($variant:ident = $name:literal in $module:ident;)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) enum Command {
            $($variant(Box<$module::Args>),)*
        }

        impl Command {
            /// Runs it.
            ///
            /// # Errors
            ///
            /// Whatever the command returns.
            pub(crate) fn run(
                &self,
                ctx: &mut $crate::context::Context,
            ) -> Result<(), $crate::error::CommandError> {
                match self {
                    $(Self::$variant(args) => $module::run(args, ctx),)*
                }
            }
        }

        impl clap::FromArgMatches for Command {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                match matches.subcommand() {
                    $(Some(($name, matches)) => clap::FromArgMatches::from_arg_matches(matches)
                        .map(|args| Self::$variant(Box::new(args))),)*
                    _ => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
                }
            }

            fn update_from_arg_matches(
                &mut self,
                matches: &clap::ArgMatches,
            ) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl clap::Subcommand for Command {
            fn augment_subcommands(command: clap::Command) -> clap::Command {
                command$(.subcommand($crate::commands::group::deferred::<$module::Args>($name)))*
            }

            fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
                Self::augment_subcommands(command)
            }

            fn has_subcommand(name: &str) -> bool {
                [$($name),*].contains(&name)
            }
        }
    };
}

pub(crate) use group;
