//! `hzl config`

use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::paths;

/// Show the settings in effect and where they come from
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl config
  hzl config --format md")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Settings {
    db: Setting,
    config_file: ConfigFileState,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Setting {
    /// As written where it was set.
    value: String,
    source: &'static str,
    /// As used.
    path: String,
}

#[derive(Debug, JsonSchema, Serialize)]
struct ConfigFileState {
    path: String,
    exists: bool,
}

/// Prints the settings.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let file = paths::config_file(&ctx.environment)?;
    let database = ctx.database()?;
    let settings = Settings {
        db: Setting {
            value: database.written.clone(),
            source: database.source.label(),
            path: database.events.to_string_lossy().into_owned(),
        },
        config_file: ConfigFileState {
            exists: file.exists(),
            path: file.to_string_lossy().into_owned(),
        },
    };
    ctx.output.answer(&settings)
}

impl Answer for Settings {
    fn md(&self, md: &mut Md) {
        let database = format!("{} ({})", self.db.path, self.db.source);
        md.field("Database", &database);
        let missing = if self.config_file.exists {
            ""
        } else {
            " (does not exist)"
        };
        let file = format!("{}{missing}", self.config_file.path);
        md.field("Config file", &file);
    }
}
