//! Reading where nothing may be written.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use hzl_store::Access;
use hzl_store::Files;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::paths;
use crate::files_process::process;
use crate::files_upgrade::lay_down;

fn store() -> (TempDir, Files) {
    let directory = directory();
    let files = open(&paths(directory.path()), Access::ReadWrite).unwrap();
    append(&files.events, "E1");
    (directory, files)
}

/// Lets a process without write permission read the store, and say what it sees.
fn read(directory: &Path, expected: &str) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(directory, Permissions::from_mode(0o555)).unwrap();
    let before = names(directory);
    let mut reader = process("read", directory, expected);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        reader.uid(65534).gid(65534); // To root nothing is read-only.
    }
    let output = reader.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(names(directory), before);
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_store_with_its_wal_and_index_is_read() {
    let (directory, files) = store();
    read(directory.path(), "file file E1");
    drop(files);
    read(directory.path(), "file file E1");
}

#[test]
fn a_wal_without_its_index_is_not_forgotten() {
    let (directory, files) = store();
    drop(files);
    for name in ["events.db-shm", "cache.db-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    read(directory.path(), "file file E1");
}

#[test]
fn a_store_without_a_wal_is_read() {
    let (directory, files) = store();
    drop(files);
    for name in ["events.db", "cache.db"] {
        // Anybody else's connection checkpoints when it closes, and removes the companions.
        let conn = Connection::open(directory.path().join(name)).unwrap();
        conn.execute_batch("create table x (y); drop table x")
            .unwrap();
    }
    assert_eq!(names(directory.path()), ["cache.db", "events.db"]);
    read(directory.path(), "file file E1");
}

#[test]
fn a_store_without_projections_gets_some_in_memory() {
    let (directory, files) = store();
    drop(files);
    for name in ["cache.db", "cache.db-wal", "cache.db-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    read(directory.path(), "file memory E1");
}

#[test]
fn an_old_store_is_upgraded_in_memory() {
    let directory = directory();
    lay_down(&paths(directory.path()));
    read(directory.path(), "memory memory E1,E2,E3");
}
