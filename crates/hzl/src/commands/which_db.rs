//! `hzl which-db`

use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Show which database files are used
///
/// Creates nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl which-db
  hzl which-db --db ledger/events.db")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Files {
    events_db_path: String,
    cache_db_path: String,
    events_db_exists: bool,
    cache_db_exists: bool,
    source: &'static str,
}

/// Prints the two paths.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let database = ctx.database()?;
    let files = Files {
        events_db_path: database.events.to_string_lossy().into_owned(),
        cache_db_path: database.cache.to_string_lossy().into_owned(),
        events_db_exists: database.events.exists(),
        cache_db_exists: database.cache.exists(),
        source: database.source.label(),
    };
    ctx.output.answer(&files)
}

impl Answer for Files {
    fn md(&self, md: &mut Md) {
        let state = |exists| if exists { "" } else { " (not created yet)" };
        let line = |path: &str, exists| format!("{path}{}", state(exists));
        md.field("Events", &line(&self.events_db_path, self.events_db_exists));
        md.field("Cache", &line(&self.cache_db_path, self.cache_db_exists));
        md.field("Named by", self.source);
    }
}
