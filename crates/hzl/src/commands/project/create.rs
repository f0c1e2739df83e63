//! `hzl project create`

/// Create a project
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl project create docs
  hzl project create docs -d \"Manual and website\"")]
pub(crate) struct Args {
    /// Name, unique in this ledger
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Say what the project is for
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}
