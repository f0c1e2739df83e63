//! Who else can get at the files, and what they may put in their place.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use hzl_store::Access;
use hzl_store::Error;
use hzl_store::lock::SyncLock;

use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::paths;
use crate::files::text;
use crate::files_process::process;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn assert_all_private(directory: &Path, files: usize) {
    assert_eq!(mode(directory), 0o700);
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let entries = entries.collect::<Vec<_>>();
    for entry in &entries {
        assert_eq!(mode(entry), 0o600, "{}", entry.display());
    }
    assert_eq!(entries.len(), files, "{entries:?}");
}

#[test]
fn files_of_a_new_store_are_private_whatever_the_umask() {
    let directory = directory();
    let store = directory.path().join("new");
    let ready = process("create", &store, "E1");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(ready.get_program());
    shell.args(ready.get_args());
    for (key, value) in ready.get_envs() {
        shell.env(key, value.unwrap());
    }
    assert!(shell.status().unwrap().success());
    SyncLock::try_acquire(&paths(&store).sync_lock(), std::time::Duration::ZERO).unwrap();
    // The two databases, -wal and -shm of each, and one lock.
    assert_all_private(&store, 7);
}

#[test]
fn wider_files_are_made_private() {
    let directory = directory();
    let paths = paths(&directory.path().join("old"));
    drop(open(&paths, Access::ReadWrite).unwrap());
    let store = paths.events.parent().unwrap();
    for entry in fs::read_dir(store).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o664)).unwrap();
    }
    drop(open(&paths, Access::Existing).unwrap());
    assert_all_private(store, 6);
}

#[test]
fn a_directory_that_was_there_keeps_its_mode() {
    let directory = directory();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    drop(open(&paths(directory.path()), Access::ReadWrite).unwrap());
    assert_eq!(mode(directory.path()), 0o755);
}

#[test]
fn a_link_of_somebody_else_is_refused_and_its_target_stays() {
    let uid = fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(
        uid, 0,
        "only root can give a link away: run this test as root"
    );
    let directory = directory();
    let victim = directory.path().join("victim");
    fs::write(&victim, "").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o644)).unwrap();
    let store = directory.path().join("store");
    fs::create_dir(&store).unwrap();
    let paths = paths(&store);
    for path in [&paths.events, &paths.cache] {
        symlink(&victim, path).unwrap();
        lchown(path, Some(65534), Some(65534)).unwrap();
        let error = open(&paths, Access::ReadWrite).unwrap_err();
        assert!(matches!(error, Error::Unsafe { .. }), "{error:?}");
        fs::remove_file(path).unwrap();
    }
    assert_eq!(
        (mode(&victim), fs::read(&victim).unwrap()),
        (0o644, Vec::new())
    );
}

#[test]
fn a_link_that_leads_nowhere_is_refused() {
    let directory = directory();
    let paths = paths(directory.path());
    let victim = directory.path().join("victim");
    symlink(&victim, &paths.events).unwrap();
    let error = open(&paths, Access::ReadWrite).unwrap_err();
    assert!(matches!(error, Error::Unsafe { .. }), "{error:?}");
    assert!(!victim.exists());
}

#[test]
fn a_link_of_ours_leads_to_the_log_and_to_its_locks() {
    let directory = directory();
    let real = paths(&directory.path().join("real"));
    append(&open(&real, Access::ReadWrite).unwrap().events, "E1");
    let linked = directory.path().join("linked");
    fs::create_dir(&linked).unwrap();
    let linked = paths(&linked);
    symlink(&real.events, &linked.events).unwrap();
    let files = open(&linked, Access::Existing).unwrap();
    assert_eq!(text(&files.events, "select count(*) from events"), "1");
    let store = fs::canonicalize(directory.path()).unwrap().join("real");
    assert_eq!(files.paths.write_lock(), store.join("write.lock"));
    assert!(!linked.events.with_file_name("events.db-wal").exists());
}

#[test]
fn what_is_not_a_file_is_refused_without_waiting_for_it() {
    let directory = directory();
    let paths = paths(directory.path());
    for path in [&paths.events, &paths.cache] {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        let error = open(&paths, Access::ReadWrite).unwrap_err();
        assert!(matches!(error, Error::Unsafe { .. }), "{error:?}");
        fs::remove_file(path).unwrap();
    }
    fs::create_dir(&paths.cache).unwrap();
    assert!(matches!(
        open(&paths, Access::ReadWrite),
        Err(Error::Unsafe { .. })
    ));
}

#[test]
fn companions_that_sqlite_did_not_make_are_refused_and_left_alone() {
    for suffix in [
        "events.db-wal",
        "events.db-shm",
        "cache.db-wal",
        "cache.db-shm",
    ] {
        let directory = directory();
        let store = directory.path().join("store");
        fs::create_dir(&store).unwrap();
        let paths = paths(&store);
        let victim = directory.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        let companion = store.join(suffix);
        for plant in ["hard link", "link", "directory"] {
            match plant {
                "hard link" => fs::hard_link(&victim, &companion).unwrap(),
                "link" => symlink(&victim, &companion).unwrap(),
                _ => fs::create_dir(&companion).unwrap(),
            }
            let error = open(&paths, Access::ReadWrite).unwrap_err();
            assert!(matches!(error, Error::Unsafe { .. }), "{plant}: {error:?}");
            assert_eq!(fs::read(&victim).unwrap(), b"kept");
            let removed = fs::remove_file(&companion);
            removed.or_else(|_| fs::remove_dir(&companion)).unwrap();
        }
        drop(open(&paths, Access::ReadWrite).unwrap());
        // A copy of everything by hard links is no trap.
        let copy = directory.path().join("copy");
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(&store).unwrap() {
            let entry = entry.unwrap();
            fs::hard_link(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        drop(open(&paths, Access::Existing).unwrap());
    }
}

#[test]
fn a_link_in_place_of_a_lock_is_refused() {
    let directory = directory();
    let victim = directory.path().join("victim");
    fs::write(&victim, "kept").unwrap();
    let lock = paths(directory.path()).sync_lock();
    symlink(&victim, &lock).unwrap();
    let error = SyncLock::try_acquire(&lock, std::time::Duration::ZERO).unwrap_err();
    assert!(matches!(error, Error::Unsafe { .. }), "{error:?}");
    assert_eq!(fs::read(&victim).unwrap(), b"kept");
}

#[test]
fn a_path_is_never_taken_for_a_uri() {
    let directory = directory();
    let store = directory.path().join("file:x?mode=memory&vfs=none#%41");
    let paths = paths(&store);
    append(&open(&paths, Access::ReadWrite).unwrap().events, "E1");
    assert!(paths.events.metadata().unwrap().len() > 0);
    let seen = open(&paths, Access::ReadOnly).unwrap();
    assert_eq!(text(&seen.events, "select count(*) from events"), "1");
}
