//! A file that a command makes for its user: private, and either complete or not there.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use crate::error::CommandError;
use crate::error::Kind;

/// A file under another name, until it is kept. Dropping it removes it.
pub(crate) struct NewFile {
    file: NamedTempFile,
    /// What SQLite puts beside it, where the file is a database.
    _companions: Companions,
    path: PathBuf,
    replaces: bool,
}

/// Files beside a database under its temporary name; removed when dropped. An error may leave them.
struct Companions(PathBuf);

impl Drop for Companions {
    fn drop(&mut self) {
        for suffix in ["-journal", "-wal", "-shm"] {
            let mut name = self.0.as_os_str().to_owned();
            name.push(suffix);
            // Best effort, and usually there is none.
            drop(fs::remove_file(PathBuf::from(name)));
        }
    }
}

impl NewFile {
    /// Begins a file that only its owner can read.
    ///
    /// # Errors
    ///
    /// `Input`: there is a file of this name and it is not to be replaced. `General`: the directory
    /// cannot be written.
    pub(crate) fn create(path: &Path, replaces: bool) -> Result<Self, CommandError> {
        if !replaces && fs::symlink_metadata(path).is_ok() {
            return Err(exists(path));
        }
        let file =
            NamedTempFile::new_in(directory_of(path)).map_err(|error| failure(path, error))?;
        Ok(Self {
            _companions: Companions(file.path().to_owned()),
            file,
            path: path.to_owned(),
            replaces,
        })
    }

    /// Returns the name it has until it is kept.
    pub(crate) fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Writes more of it.
    ///
    /// # Errors
    ///
    /// `General`: the file cannot be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| failure(&self.path, error))
    }

    /// Gives it its name, once it is on the disk.
    ///
    /// # Errors
    ///
    /// As [`NewFile::create`].
    pub(crate) fn keep(self) -> Result<(), CommandError> {
        let synced = self.file.as_file().sync_all();
        synced.map_err(|error| failure(&self.path, error))?;
        let kept = if self.replaces {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        match kept {
            // The name has to last as well.
            Ok(_) => sync_directory(&self.path).map_err(|error| failure(&self.path, error)),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(exists(&self.path))
            }
            Err(error) => Err(failure(&self.path, error.error)),
        }
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(directory_of(path)).and_then(|directory| directory.sync_all()) {
        // A file system that has no such sync, or a directory that may be written and not read.
        Err(error)
            if [
                io::ErrorKind::InvalidInput,
                io::ErrorKind::Unsupported,
                io::ErrorKind::PermissionDenied,
            ]
            .contains(&error.kind()) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn exists(path: &Path) -> CommandError {
    CommandError::new(Kind::Input, format!("{} exists", path.display()))
        .detail("path", path.to_string_lossy())
        .hint("name another file, or replace it with --force")
}

fn failure(path: &Path, error: io::Error) -> CommandError {
    let message = format!("{} cannot be written", path.display());
    CommandError::new(Kind::General, message).caused_by(error)
}
