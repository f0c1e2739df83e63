//! The WAL over many short-lived writers.

use hzl_store::Access;
use hzl_store::checkpoint;
use hzl_store::transaction::WriteTransaction;

use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::paths;
use crate::files::text;

const CYCLES: usize = 2000;

/// Without checkpoints of our own it grew to 12 MB in 620 cycles, each of which read all of it.
#[test]
fn the_wal_stays_small_over_many_short_writers() {
    let directory = directory();
    let paths = paths(directory.path());
    let wal = directory.path().join("events.db-wal");
    let mut largest = 0;
    for number in 0..CYCLES {
        let files = open(&paths, Access::ReadWrite).unwrap();
        // What is tested is the size, and each fsync of 2,000 would cost a millisecond.
        files
            .events
            .execute_batch("pragma synchronous = off")
            .unwrap();
        let transaction = WriteTransaction::begin(&files.events).unwrap();
        append(&transaction, &number.to_string());
        transaction.commit_log(None).unwrap();
        checkpoint::after_commit(&files.events, &files.paths.events);
        largest = largest.max(wal.metadata().unwrap().len());
    }
    assert!(
        largest <= checkpoint::LIMIT_BYTES,
        "the WAL grew to {largest} bytes"
    );
    let files = open(&paths, Access::Existing).unwrap();
    assert_eq!(
        text(&files.events, "select count(*) from events"),
        CYCLES.to_string()
    );
}
