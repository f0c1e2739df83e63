//! `hzl project show`

/// Show a project and how many tasks it has in each status
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project show docs")]
pub(crate) struct Args {
    /// Name of the project
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
