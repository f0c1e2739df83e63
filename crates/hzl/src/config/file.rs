//! The config file as a document that can be changed: what this program does not know stays.
//!
//! Invariant: a reader sees the old file or the new one, never a part, and nobody but the owner
//! can read it at any moment, because it may hold a token.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use rustix::process::geteuid;
use serde_json::Map;
use serde_json::Value;

use super::Config;
use crate::error::CommandError;
use crate::error::Kind;

/// Checks that the file was not put there by somebody else, and that reading it will end.
fn vet(path: &Path) -> Result<(), &'static str> {
    const ROOT: u32 = 0;
    // Whatever else is wrong with it is found when it is read.
    let Ok(link) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if link.is_symlink() {
        let directory = path.parent().and_then(|parent| fs::metadata(parent).ok());
        let owner = directory.map(|directory| directory.uid());
        let trusted = [Some(geteuid().as_raw()), Some(ROOT), owner];
        if !trusted.contains(&Some(link.uid())) {
            return Err("is a symbolic link that belongs to somebody else");
        }
    }
    // `/dev/null`, and what shells make of `<(...)`, are meant.
    let is_pipe = fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir());
    if is_pipe && !path.starts_with("/dev") {
        return Err("is not a regular file");
    }
    Ok(())
}

/// Longer than any config file that somebody wrote.
const LONGEST_BYTES: u64 = 1 << 20;

/// Reads a file, or just more of it than is wanted.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(LONGEST_BYTES + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// A config file in memory.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    root: Map<String, Value>,
    changed: bool,
}

impl ConfigFile {
    /// Reads the file. One that does not exist is empty.
    ///
    /// # Errors
    ///
    /// `ConfigInvalid`: it cannot be read, or is not a JSON object.
    pub(crate) fn load(path: PathBuf) -> Result<Self, CommandError> {
        let invalid = |problem: &str| {
            let message = format!("config file {} {problem}", path.display());
            CommandError::new(Kind::ConfigInvalid, message)
                .detail("path", path.to_string_lossy())
                .hint(format!("correct or remove {}", path.display()))
        };
        if let Err(problem) = vet(&path) {
            return Err(invalid(problem));
        }
        let text = match read(&path) {
            Ok(text) if text.len() as u64 > LONGEST_BYTES => {
                return Err(invalid("is longer than 1 MiB"));
            }
            Ok(text) => text,
            Err(error) if is_absent(&error) => String::new(),
            Err(error) => return Err(invalid("cannot be read").caused_by(error)),
        };
        let text = text.trim_start_matches('\u{feff}');
        let root = if text.trim().is_empty() {
            Map::new()
        } else {
            match serde_json::from_str(text) {
                Ok(Value::Object(root)) => root,
                // Some languages write an empty map this way; 3.2.0 accepted it.
                Ok(Value::Array(items)) if items.is_empty() => Map::new(),
                Ok(_) => return Err(invalid("does not hold a JSON object")),
                Err(error) => return Err(invalid("is not valid JSON").caused_by(error)),
            }
        };
        Ok(Self {
            path,
            root,
            changed: false,
        })
    }

    /// Returns the settings in it.
    ///
    /// # Errors
    ///
    /// `ConfigInvalid`: a key has a value it cannot have; `details.key` names it.
    pub(crate) fn config(&self) -> Result<Config, CommandError> {
        Config::from_json(&self.root).map_err(|bad| {
            let hint = format!("correct or remove `{}` in {}", bad.key, self.path.display());
            CommandError::new(Kind::ConfigInvalid, bad.to_string())
                .detail("path", self.path.to_string_lossy())
                .detail("key", bad.key)
                .hint(hint)
        })
    }

    /// Sets a top-level key.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        if self.root.get(key) != Some(&value) {
            self.root.insert(key.to_owned(), value);
            self.changed = true;
        }
    }

    /// Sets a key, given as the names on the way to it. What is in the way and no object is replaced.
    pub(crate) fn set_in(&mut self, path: &[&str], value: impl Into<Value>) {
        let Some((last, objects)) = path.split_last() else {
            return;
        };
        let mut object = &mut self.root;
        for name in objects {
            let inner = object.entry(*name).or_insert_with(|| Map::new().into());
            if !inner.is_object() {
                *inner = Map::new().into();
            }
            let Value::Object(inner) = inner else { return };
            object = inner;
        }
        let value = value.into();
        if object.get(*last) != Some(&value) {
            object.insert((*last).to_owned(), value);
            self.changed = true;
        }
    }

    /// Removes a key, given as the names on the way to it. Objects that become empty go too.
    pub(crate) fn remove(&mut self, path: &[&str]) {
        self.changed |= remove(&mut self.root, path);
    }

    /// Writes the file, unless nothing was changed.
    ///
    /// # Errors
    ///
    /// `General`: it cannot be written; the old file is intact.
    pub(crate) fn save(&mut self) -> Result<(), CommandError> {
        if !self.changed {
            return Ok(());
        }
        // A link into somebody's dotfiles stays a link.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut text = serde_json::to_string_pretty(&self.root).map_err(|error| {
            CommandError::new(Kind::General, "config cannot be written as JSON").caused_by(error)
        })?;
        text.push('\n');
        replace(&target, text.as_bytes()).map_err(|error| {
            let message = format!("config file {} cannot be written", self.path.display());
            CommandError::new(Kind::General, message)
                .hint("nothing was changed in it")
                .caused_by(error)
        })?;
        self.changed = false;
        Ok(())
    }
}

/// Whether the error means that there is no such file; a file where a directory should be counts.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn remove(object: &mut Map<String, Value>, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    if rest.is_empty() {
        return object.shift_remove(*first).is_some();
    }
    let Some(Value::Object(inner)) = object.get_mut(*first) else {
        return false;
    };
    let removed = remove(inner, rest);
    if removed && inner.is_empty() {
        object.shift_remove(*first);
    }
    removed
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_private_dir(directory)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", process::id()));
    let temporary = path.with_file_name(name);
    let written = write_private(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error that matters is the first one; a leftover file is only untidy.
        drop(fs::remove_file(&temporary));
        return written;
    }
    // The rename is durable once the directory is. Not every file system can sync one.
    drop(File::open(directory).and_then(|directory| directory.sync_all()));
    Ok(())
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A process that was killed may have left one, with another mode.
    if let Err(error) = fs::remove_file(path)
        && !is_absent(&error)
    {
        return Err(error);
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn file(home: &TempDir, content: &str) -> PathBuf {
        let path = home.path().join("config.json");
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_missing_file_is_empty() {
        let home = tempfile::tempdir().unwrap();
        let loaded = ConfigFile::load(home.path().join("none/config.json")).unwrap();
        assert!(loaded.config().unwrap().db_path.is_none());
    }

    #[test]
    fn empty_arrays_and_byte_order_marks_are_tolerated() {
        let home = tempfile::tempdir().unwrap();
        for content in ["[]", "", "\u{feff}{}"] {
            let loaded = ConfigFile::load(file(&home, content)).unwrap();
            assert!(loaded.config().unwrap().db_path.is_none());
        }
    }

    #[test]
    fn what_is_not_a_json_object_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        for content in ["{not json", "[1]", "3"] {
            let error = ConfigFile::load(file(&home, content)).unwrap_err();
            assert_eq!(error.kind, Kind::ConfigInvalid);
        }
        let error = ConfigFile::load(home.path().to_owned()).unwrap_err();
        assert_eq!(error.kind, Kind::ConfigInvalid);
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let home = tempfile::tempdir().unwrap();
        let loaded = ConfigFile::load(file(&home, r#"{"leaseMinutes": -5}"#)).unwrap();
        let error = loaded.config().unwrap_err();
        assert_eq!(error.details["key"], "leaseMinutes");
        assert!(error.message.contains("leaseMinutes"), "{error}");
        assert!(error.message.contains("-5"), "{error}");
    }

    #[test]
    fn unknown_keys_and_their_order_survive_a_change() {
        let home = tempfile::tempdir().unwrap();
        let path = file(
            &home,
            r#"{"zeta": {"a": [1]}, "dbPath": "old", "alpha": 1}"#,
        );
        let mut loaded = ConfigFile::load(path.clone()).unwrap();
        loaded.set("dbPath", "/new.db");
        loaded.set("syncUrl", "libsql://x");
        loaded.save().unwrap();
        let expected = "{\n  \"zeta\": {\n    \"a\": [\n      1\n    ]\n  },\n  \"dbPath\": \"/new.db\",\n  \"alpha\": 1,\n  \"syncUrl\": \"libsql://x\"\n}\n";
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
    }

    #[test]
    fn removing_takes_empty_parents_with_it() {
        let home = tempfile::tempdir().unwrap();
        let path = file(
            &home,
            r#"{"db": {"events": {"path": "e"}, "sync": {"policy": "manual"}}}"#,
        );
        let mut loaded = ConfigFile::load(path.clone()).unwrap();
        loaded.remove(&["db", "events", "path"]);
        loaded.remove(&["db", "cache", "path"]);
        loaded.save().unwrap();
        let text: String = fs::read_to_string(path)
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(text, r#"{"db":{"sync":{"policy":"manual"}}}"#);
    }

    #[test]
    fn setting_makes_the_objects_on_the_way() {
        let home = tempfile::tempdir().unwrap();
        let path = file(&home, r#"{"sync": {"claims": "local"}}"#);
        let mut loaded = ConfigFile::load(path.clone()).unwrap();
        loaded.set_in(&["sync", "allowInsecure"], true);
        loaded.set_in(&["a", "b"], 1);
        loaded.save().unwrap();
        let text: String = fs::read_to_string(path)
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(
            text,
            r#"{"sync":{"claims":"local","allowInsecure":true},"a":{"b":1}}"#
        );
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        let home = tempfile::tempdir().unwrap();
        let path = file(&home, r#"{"dbPath":"x"}"#);
        let mut loaded = ConfigFile::load(path.clone()).unwrap();
        loaded.set("dbPath", "x");
        loaded.remove(&["syncUrl"]);
        loaded.save().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), r#"{"dbPath":"x"}"#);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_and_its_new_directory_are_private_and_links_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let home = tempfile::tempdir().unwrap();

        let path = home.path().join("made/hzl/config.json");
        let mut loaded = ConfigFile::load(path.clone()).unwrap();
        loaded.set("authToken", "t");
        loaded.save().unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&home.path().join("made/hzl")), 0o700);

        let real = file(&home, "{}");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
        let link = home.path().join("link.json");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut loaded = ConfigFile::load(link.clone()).unwrap();
        loaded.set("authToken", "t");
        loaded.save().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(mode(&real), 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3);
    }
}
