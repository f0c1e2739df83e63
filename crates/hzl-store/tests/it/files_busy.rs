//! Waiting for the writer lock, and giving up.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use hzl_store::Access;
use hzl_store::Error;
use hzl_store::checkpoint;
use hzl_store::transaction::WriteTransaction;
use hzl_testkit::wait_until;

use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::open_within;
use crate::files::paths;
use crate::files::text;

#[test]
fn a_writer_gives_up_at_its_deadline() {
    let directory = directory();
    let paths = paths(directory.path());
    let holder = open(&paths, Access::ReadWrite).unwrap();
    let held = WriteTransaction::begin(&holder.events).unwrap();
    let waiter = open_within(&paths, Access::Existing, Duration::from_millis(60)).unwrap();
    for _ in 0..2 {
        let started = Instant::now();
        let error = WriteTransaction::begin(&waiter.events).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error:?}");
        assert!(
            started.elapsed() >= Duration::from_millis(60),
            "{:?}",
            started.elapsed()
        );
    }
    held.roll_back().unwrap();
    drop(WriteTransaction::begin(&waiter.events).unwrap());
}

#[test]
fn a_writer_that_waits_gets_its_turn() {
    let directory = directory();
    let paths = paths(directory.path());
    let holder = open(&paths, Access::ReadWrite).unwrap();
    let held = WriteTransaction::begin(&holder.events).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let files = open(&paths, Access::Existing).unwrap();
            append(&files.events, "SECOND");
        });
        append(&held, "FIRST");
        thread::sleep(Duration::from_millis(30));
        held.commit_log(Some("FIRST")).unwrap();
        waiter.join().unwrap();
    });
    let order = "select group_concat(event_id) from (select event_id from events order by id)";
    assert_eq!(text(&holder.events, order), "FIRST,SECOND");
}

/// Readers who come and go without a gap let a WAL grow to 11 MB in five minutes.
#[test]
fn a_checkpoint_of_a_large_wal_waits_for_a_gap_between_readers() {
    let directory = directory();
    let paths = paths(directory.path());
    let files = open(&paths, Access::ReadWrite).unwrap();
    let reader = open(&paths, Access::Existing).unwrap();
    let look = "begin; select count(*) from hook_outbox";
    reader.events.execute_batch(look).unwrap();
    let big = "insert into hook_outbox (hook_name, url, payload)
        values ('n', 'u', hex(zeroblob(530000)))";
    files.events.execute_batch(big).unwrap();
    let wal = directory.path().join("events.db-wal");
    let size = wal.metadata().unwrap().len();
    assert!((1 << 20..(1 << 20) + (1 << 18)).contains(&size), "{size}");
    let other = open_within(&paths, Access::Existing, Duration::ZERO).unwrap();
    let is_empty = || wal.metadata().unwrap().len() == 0;
    thread::scope(|scope| {
        let files = files;
        let waiter = scope.spawn(move || {
            for _ in 0..20 {
                if !is_empty() {
                    checkpoint::after_commit(&files.events, &files.paths.events);
                }
            }
        });
        // Whoever waits for readers keeps writers out meanwhile.
        wait_until(Duration::from_secs(10), "it waits, or has given up", || {
            let is_held = WriteTransaction::begin(&other.events).is_err();
            is_held || waiter.is_finished()
        });
        reader.events.execute_batch("commit").unwrap();
    });
    assert!(is_empty());
}

#[test]
fn a_checkpoint_after_a_commit_waits_for_nobody() {
    let directory = directory();
    let paths = paths(directory.path());
    let files = open(&paths, Access::ReadWrite).unwrap();
    let big = "insert into hook_outbox (hook_name, url, payload)
        values ('n', 'u', hex(zeroblob(600000)))";
    files.events.execute_batch(big).unwrap();
    let reader = open(&paths, Access::Existing).unwrap();
    reader
        .events
        .execute_batch("begin; select count(*) from hook_outbox")
        .unwrap();
    append(&files.events, "E1");
    let started = Instant::now();
    checkpoint::after_commit(&files.events, &files.paths.events);
    assert!(started.elapsed() < Duration::from_secs(5));
    let wal = directory.path().join("events.db-wal");
    assert!(
        wal.metadata().unwrap().len() > checkpoint::LIMIT_BYTES,
        "the reader was in the way"
    );

    reader.events.execute_batch("commit").unwrap();
    checkpoint::after_commit(&files.events, &files.paths.events);
    assert_eq!(wal.metadata().unwrap().len(), 0);
    assert_eq!(
        text(&reader.events, "select count(*) from hook_outbox"),
        "1"
    );

    // And waiting works again.
    let held = WriteTransaction::begin(&reader.events).unwrap();
    thread::scope(|scope| {
        let files = files;
        let waiter = scope.spawn(move || append(&files.events, "E2"));
        thread::sleep(Duration::from_millis(20));
        held.roll_back().unwrap();
        waiter.join().unwrap();
    });
}
