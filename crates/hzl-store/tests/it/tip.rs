//! Projections that are read without the log hold all of it, or are not read.

use std::fs::File;
use std::io::Write as _;

use hzl_core::command::{Actor, AddTask, Command};
use hzl_core::ids::ProjectName;
use hzl_store::ledger::Ledger;
use hzl_store::projections::Projections;
use hzl_store::state::Key;
use hzl_store::{Access, StorePaths, projector};
use hzl_testkit::random::{Random, setting};
use rusqlite::Connection;

use crate::files::{directory, paths};

const STEPS: usize = 120;
const HISTORIES: u64 = 6;

fn add(ledger: &mut Ledger) {
    let task_id = ledger.new_task_id();
    let add = AddTask::new(task_id, "Title", ProjectName::inbox());
    let command = Command::AddTask(Box::new(add));
    ledger.execute(&command, &Actor::default()).unwrap();
}

fn open(paths: &StorePaths) -> Ledger {
    let mut ledger = Ledger::open(paths, Access::ReadWrite).unwrap();
    ledger.ensure_inbox().unwrap();
    ledger
}

/// What the projections were made of: the last event, and how many tasks there are.
fn folded(cache: &Connection) -> hzl_store::Result<(i64, i64)> {
    let cursor = projector::find_cursor(cache)?.unwrap();
    let tasks = cache.query_row("select count(*) from p_tasks", [], |row| row.get(0));
    Ok((cursor.rowid, tasks.unwrap()))
}

/// The same, from the log.
fn logged(paths: &StorePaths) -> (i64, i64) {
    let log = Connection::open(&paths.events).unwrap();
    let of = "select max(id), count(*) filter (where type = 'task_created') from events";
    log.query_row(of, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
}

/// Somebody else's connection, as other programs make it.
struct Foreign {
    conn: Connection,
    written: u64,
}

impl Foreign {
    fn open(paths: &StorePaths) -> Self {
        let conn = Connection::open(&paths.events).unwrap();
        conn.execute_batch("pragma synchronous = off; pragma cache_size = 4")
            .unwrap();
        Self { conn, written: 0 }
    }

    fn insert(&mut self, random: &mut Random, events: usize) {
        for _ in 0..events {
            self.written += 1;
            let id = format!("F{}X{}", random.number(), self.written);
            let sql = "insert into events (event_id, task_id, type, data) values
              (?1, ?1, 'task_created', '{\"title\":\"Theirs\",\"project\":\"inbox\"}')";
            self.conn.execute(sql, [id]).unwrap();
        }
    }

    fn run(&self, sql: &str) {
        // A checkpoint may find somebody in the way.
        drop(self.conn.query_row(sql, [], |_| Ok(())));
    }
}

/// One step of somebody. Connections come and go, and may hold a snapshot for a while.
fn step(
    random: &mut Random,
    paths: &StorePaths,
    ledger: &mut Option<Ledger>,
    foreign: &mut Option<Foreign>,
) {
    match random.below(14) {
        0..=3 => add(ledger.get_or_insert_with(|| open(paths))),
        4 => *ledger = None,
        5 => *foreign = None,
        6 => {
            let foreign = foreign.get_or_insert_with(|| Foreign::open(paths));
            foreign.insert(random, 1);
        }
        7 => {
            // Large enough to be written to the WAL before it is committed.
            let foreign = foreign.get_or_insert_with(|| Foreign::open(paths));
            foreign.conn.execute_batch("begin immediate").unwrap();
            foreign.insert(random, 60);
            let end = *random.one(&["commit", "rollback"]);
            foreign.conn.execute_batch(end).unwrap();
        }
        8 => {
            let foreign = foreign.get_or_insert_with(|| Foreign::open(paths));
            let mode = *random.one(&["passive", "full", "restart", "truncate"]);
            foreign.run(&format!("pragma wal_checkpoint({mode})"));
        }
        9 => {
            let ledger = ledger.get_or_insert_with(|| open(paths));
            let value = random.number().to_string();
            ledger.note_sync(&[(Key::Announced, Some(value))]).unwrap();
        }
        10 => {
            let ledger = ledger.get_or_insert_with(|| open(paths));
            ledger.read(folded).unwrap();
        }
        11 => {
            let ledger = ledger.get_or_insert_with(|| open(paths));
            ledger.note_rest().unwrap();
        }
        12 => {
            // A writer that was killed before its last frame.
            let wal = paths.events.with_extension("db-wal");
            if let Ok(mut wal) = File::options().append(true).open(wal) {
                let garbage = vec![7; random.below(9_000)];
                wal.write_all(&garbage).unwrap();
            }
        }
        _ => {
            // A reader keeps the WAL from being begun anew.
            let reader = Connection::open(&paths.events).unwrap();
            reader.execute_batch("begin").unwrap();
            let count = "select count(*) from events";
            let _: i64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
            add(ledger.get_or_insert_with(|| open(paths)));
        }
    }
}

#[test]
fn what_is_read_without_the_log_is_never_behind_it() {
    let first = setting("HZL_TEST_SEED").unwrap_or(1);
    let mut seen = 0;
    for seed in first..first + HISTORIES {
        let mut random = Random::new(seed);
        let directory = directory();
        let paths = paths(directory.path());
        let (mut ledger, mut foreign) = (Some(open(&paths)), None);
        for at in 0..STEPS {
            step(&mut random, &paths, &mut ledger, &mut foreign);
            let found = Projections::open(&paths).and_then(|found| found.read(folded));
            if let Some(found) = found {
                seen += 1;
                assert_eq!(found, logged(&paths), "HZL_TEST_SEED={seed}, step {at}");
            }
        }
    }
    // Else this test could not fail.
    assert!(seen > 100, "read without the log only {seen} times");
}

#[test]
fn after_a_write_the_log_need_not_be_opened() {
    let directory = directory();
    let paths = paths(directory.path());
    add(&mut open(&paths));
    let read = |paths| Projections::open(paths).and_then(|found| found.read(folded));
    assert_eq!(read(&paths), Some(logged(&paths)));
    // Neither is another version of the projections read, nor what is in the way of the log.
    std::fs::rename(&paths.events, directory.path().join("elsewhere")).unwrap();
    assert_eq!(read(&paths), None);
}
