//! Files that are safe to open: private, regular, and not put there by somebody else.
//!
//! SQLite gives `-wal` and `-shm` the mode of the database, so the database must be private
//! before the first of them appears; nothing else keeps them from being readable by all.
//!
//! Invariant: no database file that exists is ever opened here. Closing such a descriptor would
//! drop every POSIX lock that SQLite holds on the file elsewhere in this process.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::Metadata;
use std::fs::Permissions;
use std::io;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::error::Context as _;
use crate::error::Error;
use crate::error::Result;
use crate::paths::{StorePaths, beside};

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;
/// Neither follows a link nor waits for a FIFO that takes the place of a file after it was looked at.
pub(crate) const UNBAITED: i32 = (OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits()).cast_signed();

/// What to do about a file that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMissing {
    Create,
    Refuse,
}

/// A database that may be opened.
#[derive(Debug)]
pub(crate) struct Vetted {
    /// Absolute, and free of symbolic links.
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
}

/// Which file this is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// Returns which file is at `path` now; `None` if there is none, or none to be seen.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().as_ref().map(Self::of)
    }
}

/// Finds both databases of a store, or creates them, as [`database`]. They mostly lie in one directory, the way to
/// which is looked at once.
pub(crate) fn databases(
    paths: &StorePaths,
    if_missing: IfMissing,
) -> Result<(Vetted, Result<Vetted>)> {
    let log = in_real_directory(&paths.events, if_missing)?;
    let cache = match paths.cache.file_name() {
        Some(name) if paths.cache.parent() == paths.events.parent() => Ok(log.with_file_name(name)),
        _ => in_real_directory(&paths.cache, if_missing),
    };
    let log = vet(log, if_missing)?;
    Ok((log, cache.and_then(|path| vet(path, if_missing))))
}

/// Finds the database at `path`, or creates it empty, and makes it private.
pub(crate) fn database(path: &Path, if_missing: IfMissing) -> Result<Vetted> {
    vet(in_real_directory(path, if_missing)?, if_missing)
}

/// The same, in a directory whose path is free of links.
fn vet(mut path: PathBuf, if_missing: IfMissing) -> Result<Vetted> {
    // A thread that has just created the file still has to close it, and that would take the
    // locks of another thread that opened it meanwhile.
    static CREATING: Mutex<()> = Mutex::new(());

    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match if_missing {
                    IfMissing::Refuse => return Err(Error::Missing { path }),
                    IfMissing::Create => create(&path)?,
                }
                continue;
            }
            Err(error) => return Err(error).at(&path, "look at the database"),
        };
        if metadata.is_symlink() {
            path = follow(&path, &metadata)?;
            continue;
        }
        if !metadata.is_file() {
            return Err(Error::Unsafe {
                path,
                reason: "it is not a regular file",
            });
        }
        if if_missing == IfMissing::Create {
            tighten(&path, &metadata)?;
        }
        for suffix in ["-wal", "-shm", "-journal"] {
            let companion = beside(&path, suffix);
            if let Ok(found) = fs::symlink_metadata(&companion) {
                check_companion(&companion, &found, &metadata)?;
                if if_missing == IfMissing::Create {
                    tighten(&companion, &found)?;
                }
            }
        }
        return Ok(Vetted {
            path,
            identity: Identity::of(&metadata),
        });
    }
}

/// Creates a private file that did not exist, without following any link.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    belong_to_directory(&file, path)
}

/// Makes the names that lead to a file last: a file on the disk is lost all the same if the power fails
/// before its directory, or one above it, is there too.
///
/// SQLite syncs only the directory that a database is in.
pub(crate) fn sync_names(path: &Path) -> Result<()> {
    path.ancestors().skip(1).try_for_each(sync_directory)
}

/// Makes the name of a WAL last, for whoever is about to write the first frames into it: frames that are on the
/// disk are lost all the same if the power fails before the name is there.
///
/// Called with the writer lock held, so no other first frames can be on their way. SQLite would do it in every
/// process, once more each time (it is built without: see `.cargo/config.toml`).
pub(crate) fn sync_wal_name(database: &Path) -> Result<()> {
    let wal = beside(database, "-wal");
    let is_empty = fs::symlink_metadata(&wal).is_ok_and(|metadata| metadata.len() == 0);
    match wal.parent() {
        Some(directory) if is_empty => sync_directory(directory),
        _ => Ok(()),
    }
}

fn sync_directory(directory: &Path) -> Result<()> {
    match File::open(directory).and_then(|opened| opened.sync_all()) {
        // Somebody else's, so it was there before; or the file system has no such sync.
        Err(error) if cannot_be_synced(error.kind()) => Ok(()),
        synced => synced.at(directory, "write the directory to the disk"),
    }
}

fn cannot_be_synced(kind: ErrorKind) -> bool {
    kind == ErrorKind::PermissionDenied
        || kind == ErrorKind::Unsupported
        || kind == ErrorKind::InvalidInput
}

/// Opens a file that holds nothing but a lock, creating it if need be.
pub(crate) fn lock_file(path: &Path) -> Result<File> {
    let unsafe_file = |reason| {
        Err(Error::Unsafe {
            path: path.to_owned(),
            reason,
        })
    };
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return unsafe_file("it is not a regular file");
    }
    let opened = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(UNBAITED)
        .open(path);
    let file = match opened {
        // Somebody else's file can still be locked.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            File::options().read(true).custom_flags(UNBAITED).open(path)
        }
        opened => opened,
    }
    .at(path, "open the lock file")?;
    let metadata = file.metadata().at(path, "look at the lock file")?;
    if Identity::at(path) != Some(Identity::of(&metadata)) {
        return unsafe_file("it was replaced while it was opened");
    }
    if metadata.len() == 0 {
        belong_to_directory(&file, path).at(path, "give away the lock file")?;
    }
    Ok(file)
}

/// Opens a file that holds nothing but a lock, if it is there and can be opened.
pub(crate) fn existing_lock_file(path: &Path) -> Option<File> {
    // Opening a FIFO would wait for its writer.
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    let opened = || File::options().read(true).custom_flags(UNBAITED).open(path);
    if is_file { opened().ok() } else { None }
}

/// Resolves links in the directory part of `path`, creating the directory if it may.
fn in_real_directory(path: &Path, if_missing: IfMissing) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Error::Unsafe {
            path: path.to_owned(),
            reason: "it names no file",
        });
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let real = match (fs::canonicalize(directory), if_missing) {
        (Err(error), IfMissing::Refuse) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::Missing {
                path: path.to_owned(),
            });
        }
        (Err(error), IfMissing::Create) if error.kind() == ErrorKind::NotFound => {
            let mut builder = DirBuilder::new();
            let made = builder
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(directory);
            made.at(directory, "create the directory")?;
            fs::canonicalize(directory)
        }
        (found, IfMissing::Create | IfMissing::Refuse) => found,
    };
    Ok(real.at(directory, "find the directory")?.join(name))
}

fn create(path: &Path) -> Result<()> {
    match create_private(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created.at(path, "create the database"),
    }
}

/// Gives what root creates in somebody's directory to them, or they could not use their store
/// any more. SQLite does the same with `-wal` and `-shm`.
fn belong_to_directory(file: &File, path: &Path) -> io::Result<()> {
    let owner = file.metadata()?.uid();
    if owner != 0 {
        return Ok(());
    }
    let directory = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
    if directory.uid() == owner {
        return Ok(());
    }
    fchown(file, Some(directory.uid()), Some(directory.gid()))
}

/// Follows a link that we, or the owner of the directory it is in, put there.
fn follow(link: &Path, metadata: &Metadata) -> Result<PathBuf> {
    let directory = fs::metadata(link.parent().unwrap_or(Path::new("/")));
    let owner = directory.at(link, "look at the directory")?.uid();
    if metadata.uid() != owner && metadata.uid() != own_uid() {
        let reason = "it is a symbolic link that belongs to somebody else";
        return Err(Error::Unsafe {
            path: link.to_owned(),
            reason,
        });
    }
    match fs::canonicalize(link) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let reason = "it is a symbolic link that leads nowhere";
            Err(Error::Unsafe {
                path: link.to_owned(),
                reason,
            })
        }
        target => target.at(link, "follow the link"),
    }
}

/// Refuses a companion that SQLite did not make: it would write into it, or wait for it.
fn check_companion(path: &Path, found: &Metadata, database: &Metadata) -> Result<()> {
    let reason = if !found.is_file() {
        "it is not a regular file"
    } else if found.nlink() > database.nlink() {
        // Whoever copies a store by hard links gives the database as many names.
        "it is a file that has another name elsewhere"
    } else {
        return Ok(());
    };
    Err(Error::Unsafe {
        path: path.to_owned(),
        reason,
    })
}

/// Takes away what others may do with our file.
fn tighten(path: &Path, metadata: &Metadata) -> Result<()> {
    let mode = metadata.mode();
    if mode & OTHERS == 0 || !metadata.is_file() || metadata.uid() != own_uid() {
        return Ok(());
    }
    let private = Permissions::from_mode(mode & 0o7777 & !OTHERS);
    match fs::set_permissions(path, private) {
        // A companion may vanish at any time: HZL 3.2.0 deletes them when it ends.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        tightened => tightened.at(path, "make the file private"),
    }
}

/// Returns the user whose rights this process has.
fn own_uid() -> u32 {
    geteuid().as_raw()
}
