//! Opening a store: two files, two connections, and nothing done that a command does not need.
//!
//! Not for the contents: neither events nor projections are read here. Invariants: every file is
//! private before SQLite sees it; what changes the structure of a file holds the writer lock of the
//! log and looks again after taking it; a current store is opened without any DDL.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use crate::busy;
use crate::checkpoint;
use crate::connect::Durability;
use crate::connect::connect;
use crate::connect::connect_to_read;
use crate::connect::connect_to_write;
use crate::connect::in_memory;
use crate::error::Context as _;
use crate::error::Error;
use crate::error::OnConnection as _;
use crate::error::Result;
use crate::filesystem::FileSystem;
use crate::lock::WriteQueue;
use crate::paths::StorePaths;
use crate::paths::beside;
use crate::schema::cache;
use crate::schema::cache::Scope;
use crate::schema::events;
use crate::schema::old_cache;
use crate::schema::old_cache::Carried;
use crate::transaction::WriteTransaction;
use crate::vetted;
use crate::vetted::Identity;
use crate::vetted::IfMissing;
use crate::vetted::Vetted;

/// How long a writer queues before it goes for the writer lock all the same.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading and writing; what is missing is created.
    ReadWrite,
    /// For reading and writing, but there must be a log already.
    Existing,
    /// For reading only, also from a read-only file system. Nothing is created or upgraded.
    ReadOnly,
}

/// What a new store is named by. The clock and the randomness stay outside this crate's files.
pub struct Birth<'a> {
    /// Makes a new ULID; called for the ledger and for the device.
    pub new_id: &'a mut dyn FnMut() -> String,
    /// The time of creation, in milliseconds since 1970 UTC.
    pub now_ms: i64,
}

/// What opening a store needs to know besides where it is.
pub struct OpenOptions<'a> {
    /// How to name the store if it is new, or new to us.
    pub birth: Birth<'a>,
    /// How long a connection waits for a lock.
    pub deadline: Duration,
}

impl<'a> OpenOptions<'a> {
    /// Returns the usual options: to wait for [`busy::DEADLINE`].
    pub fn new(new_id: &'a mut dyn FnMut() -> String, now_ms: i64) -> Self {
        Self {
            birth: Birth { new_id, now_ms },
            deadline: busy::DEADLINE,
        }
    }
}

/// Where a database of an open store lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In its file.
    File,
    /// In memory, for this process alone: the file is missing or of another version, and may not
    /// be written.
    Memory,
    /// In memory, shared under its name with whoever in this process knows it.
    Shared,
}

/// Something noticed while opening that the user may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The log was an embedded replica, which only HZL 3.2.0 synchronises.
    Replica,
    /// The log was of an older format and has been upgraded.
    Upgraded,
    /// A new store is where it is in danger; why, in words.
    Endangered(String),
    /// The cache of HZL 3.2.0 was replaced; this is the copy.
    OldCacheKept(PathBuf),
    /// The queue and the device name in the cache of HZL 3.2.0 could not be read.
    OldCacheUnreadable,
    /// The cache was no database; it was moved here.
    CacheMovedAside(PathBuf),
    /// The cache was damaged and has been emptied.
    CacheReset,
}

/// An open store.
#[derive(Debug)]
pub struct Files {
    /// The log: FULL synchronous, so that a commit is on the disk.
    pub events: Connection,
    /// The projections: NORMAL synchronous, as they can be derived again.
    pub cache: Connection,
    /// Where the log is.
    pub events_home: Home,
    /// Where the projections are. In [`Home::Memory`] they start empty.
    pub cache_home: Home,
    /// The files, absolute and with links resolved.
    pub paths: StorePaths,
    /// What the store was opened for.
    pub access: Access,
    /// What was noticed.
    pub notes: Vec<Note>,
    pub(crate) deadline: Duration,
}

impl Files {
    /// Opens the store, creating or upgrading it as `access` allows.
    ///
    /// # Errors
    ///
    /// - [`Error::Missing`]: there is no log and none may be created
    /// - [`Error::NewerFormat`], [`Error::NotALog`], [`Error::NotADatabase`], [`Error::Corrupt`]:
    ///   the log cannot be used; nothing was changed
    /// - [`Error::ReadOnly`]: a file may not be written; [`Access::ReadOnly`] may still work
    /// - [`Error::Unsafe`]: a link or a special file stands where a database should be
    /// - [`Error::Busy`]: other processes held the store for the whole deadline
    pub fn open(paths: &StorePaths, access: Access, options: OpenOptions<'_>) -> Result<Self> {
        match access {
            Access::ReadWrite => open_to_write(paths, access, IfMissing::Create, options),
            Access::Existing => open_to_write(paths, access, IfMissing::Refuse, options),
            Access::ReadOnly => open_to_read(paths, options),
        }
    }

    /// Begins a transaction on the log, in a WAL with room for it.
    ///
    /// # Errors
    ///
    /// As [`WriteTransaction::begin`].
    pub(crate) fn write_log(&self) -> Result<WriteTransaction<'_>> {
        checkpoint::before_write(&self.events, &self.paths.events);
        WriteTransaction::begin(&self.events)
    }

    /// Waits for its turn among the writers of this store.
    pub(crate) fn queue(&self) -> WriteQueue {
        match self.events_home {
            Home::File => WriteQueue::join(&self.paths.write_lock(), QUEUE_PATIENCE),
            Home::Memory | Home::Shared => WriteQueue::empty(),
        }
    }

    /// Goes on with empty projections in memory, for this process alone, when those on disk cannot
    /// be written.
    ///
    /// # Errors
    ///
    /// As [`Files::open`].
    pub fn use_private_cache(&mut self) -> Result<()> {
        self.cache = private_cache(&self.paths.cache, self.deadline)?;
        self.cache_home = Home::Memory;
        Ok(())
    }

    /// Empties the cache after it was found damaged, and connects to it anew.
    ///
    /// The projections are then empty and must be folded from the first event. No transaction may
    /// be open on either connection.
    ///
    /// # Errors
    ///
    /// As [`Files::open`].
    pub fn reset_cache(&mut self) -> Result<()> {
        if self.cache_home != Home::File {
            return self.use_private_cache();
        }
        let lock = WriteTransaction::begin(&self.events)?;
        self.cache = empty_cache(&self.paths.cache, self.deadline, &mut self.notes)?;
        lock.roll_back()
    }
}

fn open_to_write(
    paths: &StorePaths,
    access: Access,
    if_missing: IfMissing,
    options: OpenOptions<'_>,
) -> Result<Files> {
    let OpenOptions {
        mut birth,
        deadline,
    } = options;
    if if_missing == IfMissing::Refuse && fs::symlink_metadata(&paths.events).is_err() {
        return Err(Error::Missing {
            path: paths.events.clone(),
        });
    }
    refuse_headless(&paths.events)?;
    let (vetted_log, vetted_cache) = vetted::databases(paths, IfMissing::Create)?;
    let vetted_cache = vetted_cache?;
    let paths = StorePaths {
        events: vetted_log.path,
        cache: vetted_cache.path.clone(),
    };
    let mut notes = notes_on(&paths);
    let log = connect_to_write(&paths.events, Durability::Full, deadline)?;
    if !events::is_current(&log, &paths.events)? {
        // Tables and version are made together: only an old log has tables and still no version.
        let is_old = events::exist(&log).at(&paths.events, "read the tables of the event log")?
            && !events::is_current(&log, &paths.events)?;
        // Here and not where they are made, which another process may have done that was killed since.
        vetted::sync_names(&paths.events)?;
        let transaction = WriteTransaction::begin(&log)?;
        let carried = || read_old_cache(&paths.cache, deadline, &mut notes);
        events::upgrade(transaction, &mut birth, carried)?;
        checkpoint::after_ddl(&log);
        if is_old {
            notes.push(Note::Upgraded);
        }
        // Once, and then only `doctor` says it.
        let danger = FileSystem::of(&paths.events).warning();
        notes.extend(danger.map(Note::Endangered));
    }
    let cache = open_cache(&vetted_cache, &log, deadline, &mut notes)?;
    Ok(Files {
        events: log,
        cache,
        events_home: Home::File,
        cache_home: Home::File,
        paths,
        access,
        notes,
        deadline,
    })
}

/// Refuses a log that is empty or missing while its WAL is there: SQLite would delete that WAL, and with
/// it the last commits. The WAL is looked at first: it is never there before the file holds something. What
/// is no WAL of SQLite's is refused where all files are vetted.
fn refuse_headless(path: &Path) -> Result<()> {
    let has_wal = fs::symlink_metadata(beside(path, "-wal"))
        .is_ok_and(|wal| wal.is_file() && wal.nlink() == 1 && wal.len() > 0);
    let is_empty = || fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0;
    if !(has_wal && is_empty()) {
        return Ok(());
    }
    let finding = "it is empty or missing, and its -wal is not";
    Err(Error::damaged(path, finding.to_owned()))
}

/// Reads what must be carried over, if the cache is an old one. A cache that cannot be read must
/// not keep the log from being opened.
fn read_old_cache(path: &Path, deadline: Duration, notes: &mut Vec<Note>) -> Result<Carried> {
    let read = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, deadline).and_then(|conn| {
        let is_old = old_cache::is_old(&conn).at(path, "read the old cache")?;
        if !is_old {
            return Ok(Carried::default());
        }
        Carried::read(&conn, path).at(path, "read the old cache")
    });
    match read {
        Err(Error::Corrupt { .. } | Error::NotADatabase { .. }) => {
            notes.push(Note::OldCacheUnreadable);
            Ok(Carried::default())
        }
        read => read,
    }
}

/// Opens a cache that is current, or makes it so under the writer lock of the log.
fn open_cache(
    found: &Vetted,
    log: &Connection,
    deadline: Duration,
    notes: &mut Vec<Note>,
) -> Result<Connection> {
    match current_cache(found, deadline) {
        Ok(Some(conn)) => return Ok(conn),
        Ok(None) | Err(Error::Corrupt { .. } | Error::NotADatabase { .. }) => {}
        Err(error) => return Err(error),
    }
    let lock = WriteTransaction::begin(log)?;
    let found = vetted::database(&found.path, IfMissing::Create)?;
    let path = &found.path;
    let conn = match current_cache(&found, deadline) {
        Ok(Some(conn)) => conn,
        Ok(None) => renew_cache(path, log, deadline, notes)?,
        Err(Error::Corrupt { .. } | Error::NotADatabase { .. }) => {
            empty_cache(path, deadline, notes)?
        }
        Err(error) => return Err(error),
    };
    checkpoint::after_ddl(&conn);
    old_cache::forget_copy_name(log).on(log, "note that the cache is current")?;
    lock.commit_log(None)?;
    Ok(conn)
}

/// Connects to the cache if it is of our version.
fn current_cache(found: &Vetted, deadline: Duration) -> Result<Option<Connection>> {
    let path = &found.path;
    let current = connect_to_write(path, Durability::Normal, deadline).and_then(|conn| {
        let is_current = cache::is_current(&conn).at(path, "read the version of the cache")?;
        Ok(is_current.then_some(conn))
    });
    // A file that is moved aside while it is opened lends its new -wal and -shm to its successor,
    // and then shows the successor's version. Only the name gives that away.
    if Identity::at(path) == Some(found.identity) {
        current
    } else {
        Ok(None)
    }
}

/// Makes a valid cache of another version current, in place.
fn renew_cache(
    path: &Path,
    log: &Connection,
    deadline: Duration,
    notes: &mut Vec<Note>,
) -> Result<Connection> {
    let conn = connect_to_write(path, Durability::Normal, deadline)?;
    let renewed = (|| {
        if !old_cache::is_old(&conn).at(path, "read the old cache")? {
            return cache::recreate(&conn, path, Scope::Projections);
        }
        notes.push(Note::OldCacheKept(old_cache::back_up(&conn, path, log)?));
        cache::recreate(&conn, path, Scope::Everything)
    })();
    match renewed {
        Ok(()) => Ok(conn),
        Err(Error::Corrupt { .. }) => {
            drop(conn);
            empty_cache(path, deadline, notes)
        }
        Err(error) => Err(error),
    }
}

/// Makes a damaged cache empty: in place if it is ours, else it is moved aside.
fn empty_cache(path: &Path, deadline: Duration, notes: &mut Vec<Note>) -> Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, deadline)?;
    let stamped = cache::is_stamped(&conn).at(path, "read the version of the cache");
    if matches!(stamped, Ok(true)) {
        cache::reset(&conn, path)?;
        drop(conn);
        notes.push(Note::CacheReset);
    } else {
        drop(conn);
        notes.push(Note::CacheMovedAside(move_aside(path)?));
        vetted::database(path, IfMissing::Create)?;
    }
    let conn = connect_to_write(path, Durability::Normal, deadline)?;
    cache::recreate(&conn, path, Scope::Projections)?;
    Ok(conn)
}

/// Renames what is not our database to `cache.db.corrupt-N`.
///
/// Its companions go first: a new database must not find them.
fn move_aside(path: &Path) -> Result<PathBuf> {
    let aside = old_cache::free_name(&beside(path, ".corrupt-1"), "-");
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !suffix.is_empty() => {}
            renamed => renamed.at(path, "move the damaged cache aside")?,
        }
    }
    Ok(aside)
}

fn open_to_read(paths: &StorePaths, options: OpenOptions<'_>) -> Result<Files> {
    let OpenOptions {
        mut birth,
        deadline,
    } = options;
    refuse_headless(&paths.events)?;
    let (vetted_log, found) = vetted::databases(paths, IfMissing::Refuse)?;
    let cache_path = found
        .as_ref()
        .map_or_else(|_| paths.cache.clone(), |found| found.path.clone());
    let paths = StorePaths {
        events: vetted_log.path,
        cache: cache_path,
    };
    let notes = notes_on(&paths);

    let mut log = connect_to_read(&paths.events, deadline)?;
    let mut events_home = Home::File;
    if !events::is_current(&log, &paths.events)? {
        if !events::exist(&log).at(&paths.events, "read the tables of the event log")? {
            return Err(Error::Missing { path: paths.events });
        }
        log = upgraded_in_memory(&log, &paths.events, &mut birth, deadline)?;
        events_home = Home::Memory;
    }

    // The projections can be derived again, so whatever is wrong with the file does not matter.
    let on_disk = found
        .and_then(|_| connect_to_read(&paths.cache, deadline))
        .ok();
    let on_disk = on_disk.filter(|conn| cache::is_current(conn).unwrap_or(false));
    let (cache, cache_home) = match on_disk {
        Some(conn) => (conn, Home::File),
        None => (private_cache(&paths.cache, deadline)?, Home::Memory),
    };
    let access = Access::ReadOnly;
    Ok(Files {
        events: log,
        cache,
        events_home,
        cache_home,
        paths,
        access,
        notes,
        deadline,
    })
}

/// Copies a log of an older format, which may not be changed, into memory, and upgrades the copy:
/// those who read it need to know one format only.
fn upgraded_in_memory(
    log: &Connection,
    path: &Path,
    birth: &mut Birth<'_>,
    deadline: Duration,
) -> Result<Connection> {
    let context = "copy the event log into memory";
    let copy = in_memory(deadline).at(path, context)?;
    events::copy_old(log, &copy).at(path, context)?;
    events::upgrade(WriteTransaction::begin(&copy)?, birth, || {
        Ok(Carried::default())
    })?;
    Ok(copy)
}

fn private_cache(path: &Path, deadline: Duration) -> Result<Connection> {
    let context = "create projections in memory";
    let conn = in_memory(deadline).at(path, context)?;
    cache::create(&conn).at(path, context)?;
    Ok(conn)
}

fn notes_on(paths: &StorePaths) -> Vec<Note> {
    let is_replica = ["-info", "-client_wal_index"]
        .iter()
        .any(|suffix| fs::symlink_metadata(beside(&paths.events, suffix)).is_ok());
    if is_replica {
        vec![Note::Replica]
    } else {
        Vec::new()
    }
}
