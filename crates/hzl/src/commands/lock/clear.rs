//! `hzl lock clear`

use std::fs;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Found;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;

/// Remove a lock file
///
/// A lock whose process may still be running is only removed with `--force`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl lock clear
  hzl lock clear --force")]
pub(crate) struct Args {
    /// Remove it even if its process may still be running
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cleared {
    success: bool,
    cleared: bool,
    message: &'static str,
    lock_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    was_stale: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

/// Removes the file.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let path = super::lock_path(ctx)?;
    let (was_stale, metadata) = match super::look(&path)? {
        Found::Nothing | Found::SomethingElse => (None, None),
        Found::Lock { metadata, is_stale } => (Some(is_stale), Some(metadata)),
    };
    let is_refused = was_stale == Some(false) && !args.force;
    let cleared = was_stale.is_some() && !is_refused;
    if cleared {
        fs::remove_file(&path).map_err(|error| super::cannot("remove", &path, error))?;
    }
    ctx.output.answer(&Cleared {
        success: !is_refused,
        cleared,
        message: match was_stale {
            None => "there is no lock file",
            Some(_) if is_refused => "the lock may be in use; remove it with --force",
            Some(_) => "the lock file was removed",
        },
        lock_path: path.to_string_lossy().into_owned(),
        was_stale,
        metadata,
    })?;
    if is_refused {
        Err(CommandError::already_shown(Kind::General))
    } else {
        Ok(())
    }
}

impl Answer for Cleared {
    fn md(&self, md: &mut Md) {
        if self.success {
            md.ok(self.message);
        } else {
            md.bad(self.message);
        }
        md.field("Path", &self.lock_path);
    }
}
