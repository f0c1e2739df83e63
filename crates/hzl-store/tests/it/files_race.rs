//! Many who open one store at the same moment.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::process::Stdio;
use std::sync::Barrier;
use std::thread;

use hzl_store::Access;
use hzl_store::Note;
use hzl_store::StorePaths;
use rusqlite::Connection;

use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::paths;
use crate::files::text;
use crate::files_process::process;
use crate::files_upgrade::lay_down;

const PROCESSES: usize = 64;
const THREADS: usize = 32;

/// Starts processes that all wait at a gate, opens it, and expects each to append its event.
fn race(directory: &Path) {
    let gate = File::create(directory.join("gate")).unwrap();
    gate.lock().unwrap();
    let start = |number| {
        let mut command = process("append", directory, &format!("P{number}"));
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children = (0..PROCESSES).map(start).collect::<Vec<Child>>();
    gate.unlock().unwrap();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::remove_file(directory.join("gate")).unwrap();
}

fn count(paths: &StorePaths) -> String {
    let log = Connection::open(&paths.events).unwrap();
    assert_eq!(text(&log, "pragma integrity_check"), "ok");
    assert_eq!(
        text(
            &Connection::open(&paths.cache).unwrap(),
            "pragma integrity_check"
        ),
        "ok"
    );
    text(&log, "select count(*) from events")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names
}

#[test]
fn processes_create_one_store() {
    let directory = directory();
    race(directory.path());
    assert_eq!(count(&paths(directory.path())), PROCESSES.to_string());
}

#[test]
fn processes_upgrade_one_old_store() {
    let directory = directory();
    let paths = paths(directory.path());
    lay_down(&paths);
    race(directory.path());
    assert_eq!(count(&paths), (PROCESSES + 3).to_string());
    assert_eq!(
        names(directory.path()),
        ["cache.db", "cache.v5.bak", "events.db"]
    );
    let log = Connection::open(&paths.events).unwrap();
    assert_eq!(text(&log, "select count(*) from hook_outbox"), "2");
    let kept = Connection::open(directory.path().join("cache.v5.bak")).unwrap();
    assert_eq!(text(&kept, "select title from tasks_current"), "Old");
}

#[test]
fn processes_replace_one_broken_cache() {
    let directory = directory();
    let paths = paths(directory.path());
    drop(open(&paths, Access::ReadWrite).unwrap());
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(directory.path().join(format!("cache.db{suffix}"))).unwrap();
    }
    fs::write(
        &paths.cache,
        "no database at all, and longer than the header of one. ".repeat(99),
    )
    .unwrap();
    race(directory.path());
    assert_eq!(count(&paths), PROCESSES.to_string());
    assert_eq!(
        names(directory.path()),
        ["cache.db", "cache.db.corrupt-1", "events.db"]
    );
}

#[test]
fn threads_of_one_process_share_new_and_old_stores() {
    for old in [false, true] {
        let directory = directory();
        let paths = paths(directory.path());
        if old {
            lay_down(&paths);
        }
        let barrier = Barrier::new(THREADS);
        let upgrades = thread::scope(|scope| {
            let work = |number| {
                let (barrier, paths) = (&barrier, &paths);
                scope.spawn(move || {
                    barrier.wait();
                    let files = open(paths, Access::ReadWrite).unwrap();
                    assert!(
                        old || !files.notes.contains(&Note::Upgraded),
                        "nobody upgrades what another has just created"
                    );
                    append(&files.events, &format!("N{number}"));
                    text(&files.cache, "select count(*) from p_meta");
                    files
                        .notes
                        .iter()
                        .any(|note| matches!(note, Note::OldCacheKept(_)))
                })
            };
            let threads = (0..THREADS).map(work).collect::<Vec<_>>();
            let kept = threads.into_iter().map(|thread| thread.join().unwrap());
            kept.filter(|kept| *kept).count()
        });
        assert_eq!(
            upgrades,
            usize::from(old),
            "exactly one replaces the old cache"
        );
        assert_eq!(
            count(&paths),
            (THREADS + if old { 3 } else { 0 }).to_string()
        );
    }
}
