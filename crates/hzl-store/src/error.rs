//! What can go wrong below the rules: the disk, the file format, another process.
//!
//! Not for refusals by the rules; those are values of hzl-core. Sources are kept as sources, and
//! SQLite's result codes are sorted here, once, into the few kinds that a caller treats
//! differently. Unless a variant says otherwise, nothing was written.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::ffi;

use crate::schema::Version;

/// The result of anything that touches the store.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused for a reason that no other variant names.
    #[error("cannot {context}")]
    Sqlite {
        /// What was being done, as the rest of a sentence: "open the event log".
        context: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The operating system refused.
    #[error("cannot {context}: {}", path.display())]
    Io {
        /// What was being done, as the rest of a sentence.
        context: &'static str,
        /// The file or directory it was done to.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The log was written by a later hzl, whose format this one must not touch.
    #[error("{} has format {found}, this hzl knows formats up to {supported}", path.display())]
    NewerFormat {
        /// The log.
        path: PathBuf,
        /// The version in the file.
        found: Version,
        /// The latest version known here; a higher minor version would also do.
        supported: Version,
    },
    /// The file is not an SQLite database.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file is a database of something else; it was left alone.
    #[error("{} is a database, but not an event log: {reason}", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is in the way, e.g. `it has a table "users"`.
        reason: String,
    },
    /// There is no store, and the caller did not allow making one.
    #[error("there is no event log at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A link, a device or somebody else's file stands where a file of the store should be.
    #[error("{} is not safe to use: {reason}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Other processes held the database for the whole deadline.
    #[error("cannot {context}: the database stayed busy")]
    Busy {
        /// What was being done.
        context: &'static str,
        /// What SQLite says; its extended code tells a stale snapshot from a held lock.
        source: rusqlite::Error,
    },
    /// The file or its file system allows no writing.
    #[error("{} cannot be written", path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// What SQLite says, when it was SQLite that noticed.
        source: Option<rusqlite::Error>,
    },
    /// No space is left where the database lives.
    #[error("cannot {context}: the disk is full")]
    DiskFull {
        /// What was being done.
        context: &'static str,
        /// What SQLite or the system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is a damaged database.
    #[error("{} is damaged", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The commit failed, and whether its events will be there after a restart is not known.
    ///
    /// The only variant after which something may have been written.
    #[error("{}", CommitUnknown(event_id.as_deref()))]
    CommitUnknown {
        /// The first event of the transaction, if it had one: look for it to find out.
        event_id: Option<String>,
        /// Why the commit failed.
        source: rusqlite::Error,
    },
    /// The log is an embedded replica of HZL 3.2.0 that its own library still synchronises.
    ///
    /// Opening such a log is fine ([`crate::Note::Replica`]); sending our pages through that
    /// library is not, so whatever would lead to it refuses with this.
    #[error("{} is an embedded replica of an older hzl", path.display())]
    Replica {
        /// The log.
        path: PathBuf,
    },
}

impl Error {
    /// Sorts a failure of SQLite into the variant that callers can act on.
    ///
    /// Source: the codes at <https://www.sqlite.org/rescode.html>.
    #[must_use]
    pub fn from_sqlite(context: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = || path.to_owned();
        let extended = source.sqlite_error().map_or(0, |error| error.extended_code);
        if is_damage_by_its_words(&source) {
            return Self::Corrupt {
                path: path(),
                source,
            };
        }
        match (extended, extended & 0xff) {
            // The -shm file cannot grow; SQLite has no code of its own for that.
            (ffi::SQLITE_IOERR_SHMSIZE, _) | (_, ffi::SQLITE_FULL) => Self::DiskFull {
                context,
                source: source.into(),
            },
            (_, ffi::SQLITE_BUSY) => Self::Busy { context, source },
            // Says that the file was moved, not that it may not be written.
            (ffi::SQLITE_READONLY_DBMOVED, _) => Self::Sqlite { context, source },
            (_, ffi::SQLITE_READONLY) => Self::ReadOnly {
                path: path(),
                source: Some(source),
            },
            (_, ffi::SQLITE_CORRUPT) => Self::Corrupt {
                path: path(),
                source,
            },
            (_, ffi::SQLITE_NOTADB) => Self::NotADatabase {
                path: path(),
                source,
            },
            (ffi::SQLITE_CANTOPEN_SYMLINK, _) => Self::Unsafe {
                path: path(),
                reason: "it became a symbolic link",
            },
            _ => Self::Sqlite { context, source },
        }
    }
}

/// Some damage has no code of its own: a broken full-text index, a header that names no format.
fn is_damage_by_its_words(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(_, Some(text)) = error else {
        return false;
    };
    ["invalid fts5 file format", "unsupported file format"]
        .iter()
        .any(|words| text.starts_with(words))
}

impl Error {
    /// The error that a check of the database has found this wrong.
    pub(crate) fn damaged(path: &Path, finding: String) -> Self {
        let code = ffi::Error::new(ffi::SQLITE_CORRUPT);
        Self::Corrupt {
            path: path.to_owned(),
            source: rusqlite::Error::SqliteFailure(code, Some(finding)),
        }
    }

    /// The error that others are at a file that has to be ours alone.
    pub(crate) fn busy(context: &'static str) -> Self {
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None);
        Self::Busy { context, source }
    }

    /// Tells whether a row broke a constraint of its table.
    pub(crate) fn is_constraint(&self) -> bool {
        let code = |error: &ffi::Error| error.extended_code & 0xff == ffi::SQLITE_CONSTRAINT;
        matches!(self, Self::Sqlite { source, .. } if source.sqlite_error().is_some_and(code))
    }
}

/// Gives a result of rusqlite or of the file system its context.
pub(crate) trait Context<T> {
    /// Says what was being done, and to which file.
    fn at(self, path: &Path, context: &'static str) -> Result<T>;
}

impl<T> Context<T> for rusqlite::Result<T> {
    fn at(self, path: &Path, context: &'static str) -> Result<T> {
        self.map_err(|source| Error::from_sqlite(context, path, source))
    }
}

impl<T> Context<T> for io::Result<T> {
    fn at(self, path: &Path, context: &'static str) -> Result<T> {
        self.map_err(|source| {
            let kind = source.kind();
            if kind == io::ErrorKind::ReadOnlyFilesystem {
                Error::ReadOnly {
                    path: path.to_owned(),
                    source: None,
                }
            } else if kind == io::ErrorKind::StorageFull {
                Error::DiskFull {
                    context,
                    source: source.into(),
                }
            } else {
                Error::Io {
                    context,
                    path: path.to_owned(),
                    source,
                }
            }
        })
    }
}

/// Gives a result of rusqlite its context, with the path of the connection it came from.
pub(crate) trait OnConnection<T> {
    /// Says what was being done on `conn`.
    fn on(self, conn: &Connection, context: &'static str) -> Result<T>;
}

impl<T> OnConnection<T> for rusqlite::Result<T> {
    fn on(self, conn: &Connection, context: &'static str) -> Result<T> {
        self.map_err(|source| {
            let path = Path::new(conn.path().unwrap_or_default());
            Error::from_sqlite(context, path, source)
        })
    }
}

struct CommitUnknown<'e>(Option<&'e str>);

impl fmt::Display for CommitUnknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the commit failed and may still take effect")?;
        match self.0 {
            Some(event_id) => write!(f, ": look for event {event_id}"),
            None => Ok(()),
        }
    }
}
