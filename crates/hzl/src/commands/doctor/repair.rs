//! What `hzl doctor --fix` repairs. Nothing is ever deleted: what is replaced is kept beside, and the answer
//! says where.

use std::path::Path;

use hzl_store::StorePaths;
use hzl_store::salvage::salvage;
use hzl_store::source::SystemClock;
use hzl_store::source::SystemIds;
use schemars::JsonSchema;
use serde::Serialize;

/// What was repaired.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Fix {
    /// The check that had found it.
    check: &'static str,
    message: String,
    /// Where the damaged file is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

/// Whether to repair, and what was.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    pub(super) wanted: bool,
    pub(super) done: Vec<Fix>,
}

impl Fix {
    /// The repair in a line for people.
    pub(super) fn text(&self) -> String {
        match &self.kept {
            Some(kept) => format!("{}; the damaged file is kept as {kept}", self.message),
            None => self.message.clone(),
        }
    }
}

impl Repairs {
    pub(super) fn did(&mut self, check: &'static str, message: impl Into<String>) {
        self.done.push(Fix {
            check,
            message: message.into(),
            kept: None,
        });
    }

    /// Saves what can be read in a damaged log.
    pub(super) fn salvage(&mut self, paths: &StorePaths) -> hzl_store::Result<()> {
        let saved = salvage(paths, &SystemClock, &mut SystemIds)?;
        let lost = match saved.lost.len() {
            0 => "none is known to be missing".to_owned(),
            count => format!("{count} could not be read"),
        };
        self.done.push(Fix {
            check: "database",
            message: format!("{} events were saved from the log, {lost}", saved.events),
            kept: Some(saved.kept.to_string_lossy().into_owned()),
        });
        Ok(())
    }

    /// Makes files that belong to this user readable and writable for them, and for nobody else.
    pub(super) fn make_usable(&mut self, path: &Path) {
        if let Some(before) = make_private(path) {
            let message = format!("{} had mode {before:03o} and has 600", path.display());
            self.did("permissions", message);
        }
    }
}

#[cfg(unix)]
fn make_private(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() || mode & 0o677 == 0o600 {
        return None;
    }
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).ok()?;
    Some(mode)
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> Option<u32> {
    None
}
