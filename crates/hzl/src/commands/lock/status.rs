//! `hzl lock status`

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Found;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Tell whether a lock file is there
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl lock status")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    success: bool,
    locked: bool,
    lock_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_stale: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

/// Looks for the file.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let path = super::lock_path(ctx)?;
    let (is_stale, metadata) = match super::look(&path)? {
        Found::Nothing | Found::SomethingElse => (None, None),
        Found::Lock { metadata, is_stale } => (Some(is_stale), Some(metadata)),
    };
    ctx.output.answer(&Status {
        success: true,
        locked: metadata.is_some(),
        lock_path: path.to_string_lossy().into_owned(),
        is_stale,
        metadata,
    })
}

impl Answer for Status {
    fn md(&self, md: &mut Md) {
        match self.is_stale {
            None => md.ok("No lock file"),
            Some(true) => md.warning("A lock file of a process that has ended is there"),
            Some(false) => md.warning("A lock file is there"),
        }
        md.field("Path", &self.lock_path);
        if let Some(metadata) = &self.metadata {
            md.field("Content", &metadata.to_string());
        }
    }
}
