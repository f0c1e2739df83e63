//! The queue of writers, and the lock of the one sync.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use hzl_store::lock::Probe;
use hzl_store::lock::SyncLock;
use hzl_store::lock::WriteQueue;

use crate::files::directory;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn writers_go_one_by_one() {
    let directory = directory();
    let path = directory.path().join("write.lock");
    let first = WriteQueue::join(&path, LONG);
    thread::scope(|scope| {
        let second = scope.spawn(|| WriteQueue::join(&path, LONG));
        thread::sleep(Duration::from_millis(20));
        assert!(!second.is_finished());
        drop(first);
        drop(second.join().unwrap());
    });
}

#[test]
fn a_writer_goes_ahead_after_its_deadline_and_leaves_no_lock_behind() {
    let directory = directory();
    let path = directory.path().join("write.lock");
    let first = WriteQueue::join(&path, LONG);
    let started = Instant::now();
    drop(WriteQueue::join(&path, SHORT));
    assert!(started.elapsed() >= SHORT);
    drop(first);
    // The thread left in the queue gets the lock now, and must give it back.
    let started = Instant::now();
    drop(WriteQueue::join(&path, LONG));
    assert!(started.elapsed() < LONG);
}

#[test]
fn a_writer_needs_no_lock_file() {
    let directory = directory();
    drop(WriteQueue::join(
        &directory.path().join("no/such/directory"),
        LONG,
    ));
    let path = directory.path().join("write.lock");
    symlink("/dev/null", &path).unwrap();
    drop(WriteQueue::join(&path, LONG));
}

#[test]
fn there_is_one_sync() {
    let directory = directory();
    let path = directory.path().join("sync.lock");
    assert_eq!(SyncLock::probe(&path), Probe::Free);
    assert!(!path.exists(), "a probe creates nothing");
    let held = SyncLock::try_acquire(&path, Duration::ZERO).unwrap();
    assert!(held.is_some());
    assert_eq!(SyncLock::probe(&path), Probe::Held);
    let started = Instant::now();
    assert!(SyncLock::try_acquire(&path, SHORT).unwrap().is_none());
    assert!(started.elapsed() >= SHORT);
    drop(held);
    assert_eq!(SyncLock::probe(&path), Probe::Free);
    assert!(
        SyncLock::try_acquire(&path, Duration::ZERO)
            .unwrap()
            .is_some()
    );
}

#[test]
fn probes_keep_nobody_from_starting() {
    let directory = directory();
    let path = directory.path().join("sync.lock");
    fs::write(&path, "").unwrap();
    thread::scope(|scope| {
        let prober = || {
            for _ in 0..2000 {
                let _either = SyncLock::probe(&path);
            }
        };
        let probers = [scope.spawn(prober), scope.spawn(prober)];
        for _ in 0..20 {
            let lock = SyncLock::try_acquire(&path, LONG).unwrap();
            assert!(lock.is_some());
        }
        for prober in probers {
            prober.join().unwrap();
        }
    });
}
