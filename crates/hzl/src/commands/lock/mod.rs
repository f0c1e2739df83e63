//! `hzl lock`: the lock file of HZL 3.2.0.
//!
//! That program looked for a file beside the database, and nothing ever made one. This one does not
//! either: its own locks end with the process that holds them. The commands are kept for scripts, and
//! to get rid of a file that somebody made by hand.

pub(crate) mod clear;
pub(crate) mod status;

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::cloud;
use crate::commands::group::group;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;

/// Look for a lock file of HZL 3.2.0
///
/// Nothing waits for that file any more, and nothing makes one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl lock status
  hzl lock clear")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

group! {
    /// The commands of `hzl lock`.
    Status = "status" in status;
    Clear = "clear" in clear;
}

/// Runs a command of this group.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    args.command.run(ctx)
}

/// What lies where the lock file would be.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Nothing,
    /// A file that is no lock: 3.2.0 ignored it.
    SomethingElse,
    Lock {
        /// `pid`, `hostname`, `startedAt` and perhaps more, as written.
        metadata: Value,
        /// The process was on this machine and has ended.
        is_stale: bool,
    },
}

/// Larger files are no lock files.
const MAX_BYTES: u64 = 64 * 1024;

fn lock_path(ctx: &Context) -> Result<PathBuf, CommandError> {
    let mut name = ctx.store_paths()?.events.into_os_string();
    name.push(".lock");
    Ok(name.into())
}

fn look(path: &Path) -> Result<Found, CommandError> {
    let length = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(cannot("look at", path, error)),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Ok(Found::SomethingElse),
    };
    if length > MAX_BYTES {
        return Ok(Found::SomethingElse);
    }
    let bytes = fs::read(path).map_err(|error| cannot("read", path, error))?;
    Ok(judge(&bytes, cloud::machine_name().as_deref(), is_running))
}

fn judge(bytes: &[u8], this_host: Option<&str>, is_running: impl Fn(u64) -> bool) -> Found {
    let Ok(metadata) = serde_json::from_slice::<Value>(bytes) else {
        return Found::SomethingElse;
    };
    let pid = metadata.get("pid").and_then(Value::as_u64);
    let host = metadata.get("hostname").and_then(Value::as_str);
    let (Some(pid), Some(host)) = (pid, host) else {
        return Found::SomethingElse;
    };
    let is_stale = this_host == Some(host) && !is_running(pid);
    Found::Lock { metadata, is_stale }
}

/// Where processes cannot be looked up this way, all are taken to be running.
fn is_running(pid: u64) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

fn cannot(what: &str, path: &Path, error: io::Error) -> CommandError {
    CommandError::new(
        Kind::General,
        format!("cannot {what} the lock file {}", path.display()),
    )
    .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_stale(text: &str, running: bool) -> Option<bool> {
        match judge(text.as_bytes(), Some("here"), |_| running) {
            Found::Lock { is_stale, .. } => Some(is_stale),
            Found::Nothing | Found::SomethingElse => None,
        }
    }

    #[test]
    fn a_lock_is_stale_when_its_process_on_this_machine_has_ended() {
        let here = "{\"pid\": 7, \"hostname\": \"here\"}";
        let there = "{\"pid\": 7, \"hostname\": \"there\"}";
        assert_eq!(is_stale(here, true), Some(false));
        assert_eq!(is_stale(here, false), Some(true));
        assert_eq!(is_stale(there, false), Some(false));
    }

    #[test]
    fn what_is_not_a_lock_is_none() {
        for text in [
            "not json",
            "{}",
            "[1]",
            "{\"pid\": -1, \"hostname\": \"here\"}",
            "",
        ] {
            assert_eq!(is_stale(text, true), None, "{text}");
        }
    }
}
