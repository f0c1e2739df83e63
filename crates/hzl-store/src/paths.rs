//! Where the files of one store are.
//!
//! Not for finding the store (that is configuration, above this crate): the two database paths
//! come from the caller, the names of everything beside them follow from here.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// The two databases of one store.
///
/// In [`crate::Files`] they are absolute and free of symbolic links, so that everybody who opens
/// one log also meets at the same lock files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePaths {
    /// The log, usually `…/events.db`.
    pub events: PathBuf,
    /// The projections, usually `…/cache.db`.
    pub cache: PathBuf,
}

impl StorePaths {
    /// Returns the file that writers queue at: `write.lock`, or `X-write.lock` for a log `X.db`.
    #[must_use]
    pub fn write_lock(&self) -> PathBuf {
        self.lock("write.lock")
    }

    /// Returns the file whose lock the one running sync holds: `sync.lock`, or `X-sync.lock`.
    #[must_use]
    pub fn sync_lock(&self) -> PathBuf {
        self.lock("sync.lock")
    }

    /// Returns the databases and what SQLite keeps beside them, whether they exist or not.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let all = |path: &PathBuf| ["", "-wal", "-shm"].map(|suffix| beside(path, suffix));
        [all(&self.events), all(&self.cache)].concat()
    }

    fn lock(&self, name: &str) -> PathBuf {
        let log = self.events.file_name().unwrap_or_default();
        if log == "events.db" {
            return self.events.with_file_name(name);
        }
        let is_db = self
            .events
            .extension()
            .is_some_and(|extension| extension == "db");
        let stem = if is_db { self.events.file_stem() } else { None };
        let mut file: OsString = stem.unwrap_or(log).to_owned();
        file.push("-");
        file.push(name);
        self.events.with_file_name(file)
    }
}

/// Returns `path` with `suffix` after its whole file name: `events.db` and `-wal` give
/// `events.db-wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(events: &str) -> (PathBuf, PathBuf) {
        let paths = StorePaths {
            events: events.into(),
            cache: "/c/cache.db".into(),
        };
        (paths.write_lock(), paths.sync_lock())
    }

    #[test]
    fn locks_of_the_usual_log_have_plain_names() {
        assert_eq!(
            locks("/d/events.db"),
            ("/d/write.lock".into(), "/d/sync.lock".into())
        );
    }

    #[test]
    fn locks_of_other_logs_carry_their_name() {
        assert_eq!(
            locks("/d/work.db"),
            ("/d/work-write.lock".into(), "/d/work-sync.lock".into())
        );
        assert_eq!(locks("/d/work").0, PathBuf::from("/d/work-write.lock"));
        assert_eq!(locks("/d/a.b").0, PathBuf::from("/d/a.b-write.lock"));
    }
}
