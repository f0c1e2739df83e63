//! The power goes at any moment: what was acknowledged is there, and projections are never wrong.
//!
//! A run of commands is recorded, with every write, sync and name it makes. Then the disk is laid down as it
//! may be after a cut between any two of them, and opened: by the store in this process, and a sample by the
//! binary. Settings of long runs:
//! - `HZL_TEST_POWER_CUTS`: how many disks
//! - `HZL_TEST_POWER_CUTS_SEED`: which of them
//! - `HZL_TEST_POWER_CUTS_THREADS`: how many at a time
//! - `HZL_TEST_POWER_CUTS_ONLY`: the number of one that failed

mod disk;
mod recording;

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Instant;

use hzl_store::Access;
use hzl_store::StorePaths;
use hzl_store::ledger::Ledger;
use hzl_testkit::home::Home;
use hzl_testkit::random::Random;
use hzl_testkit::strace;
use serde_json::Value;

use self::disk::Cut;
use self::disk::Disk;
use self::recording::Op;
use crate::setting;
use crate::store;
use crate::store::Log;

/// How many disks the binary opens too: one of so many.
const SAMPLE: usize = 16;

/// The file that a command makes a backup into, below the home.
const BACKUP: &str = "made.db";

/// What was asked of the disk, and the log after each command.
struct Recording {
    home: Home,
    ops: Vec<Op>,
    /// The first is before any command.
    logs: Vec<Log>,
    /// The command that makes a backup.
    backup: usize,
}

impl Recording {
    fn new() -> Self {
        Self {
            home: crate::home(),
            ops: vec![],
            logs: vec![Log::default()],
            backup: 0,
        }
    }

    fn play(&mut self, line: &[&str]) -> Value {
        let (run, text) = strace::record(self.home.call(line), &recording::CALLS);
        assert_eq!(run.exit, 0, "unexpected exit code\n{run}");
        self.ops.extend(recording::decode(&text, self.home.path()));
        let answers = self.ops.iter().filter(|op| matches!(op, Op::Answer));
        assert_eq!(answers.count(), self.logs.len(), "a command answers once");
        // A copy: who opens the files themselves might change them.
        let copy = self.home.duplicate();
        self.logs.push(Log::read(&store::directory(&copy)));
        serde_json::from_str(&run.stdout).expect("an answer is JSON")
    }

    fn add(&mut self, line: &[&str]) -> String {
        let answer = self.play(&[&["task", "add"], line].concat());
        answer["task_id"].as_str().expect("a task id").to_owned()
    }
}

/// A first start, all kinds of writes, and enough of them for both WALs to be written back.
fn record() -> Recording {
    let mut run = Recording::new();
    let first = run.add(&["First"]);
    let second = run.add(&["Second", "-s", "ready", "--comment", "with a note"]);
    run.play(&["task", "claim", &second, "--agent", "ann"]);
    run.play(&["task", "checkpoint", &second, "half of it"]);
    run.play(&["project", "create", "docs"]);
    run.play(&["task", "move", &first, "docs"]);
    run.play(&["task", "complete", &second]);
    run.play(&["rebuild"]);
    run.play(&["backup", BACKUP]);
    run.backup = run.logs.len() - 1;
    run.play(&["undo"]);
    let long = "漢".repeat(16_000);
    for number in 0..20 {
        run.play(&["task", "comment", &first, &format!("{number} {long}")]);
    }
    run.play(&["task", "complete", &second]);
    run.play(&[
        "task",
        "prune",
        "--all",
        "--yes",
        "--as-of",
        "2099-01-01T00:00:00Z",
    ]);
    run.play(&["project", "delete", "docs", "--move-to", "inbox"]);
    let truncated =
        |op: &&Op| matches!(op, Op::Truncate(path, 0) if path.ends_with("events.db-wal"));
    assert!(
        run.ops.iter().filter(truncated).count() >= 2,
        "the WAL was written back"
    );
    run
}

/// Lays down disk `number` of `count` and opens it.
fn check(
    run: &Recording,
    disk: &Disk,
    (number, cut): (usize, Cut),
    seed: u64,
    acknowledged: usize,
) -> Result<u64, String> {
    let home = crate::home();
    let mixed = u64::try_from(number).expect("a number") ^ (seed << 32);
    disk.cut(cut, &mut Random::new(mixed), home.path());
    let directory = store::directory(&home);
    let identity = fingerprint(&directory);
    let paths = StorePaths {
        events: directory.join("events.db"),
        cache: directory.join("cache.db"),
    };
    let mut ledger =
        Ledger::open(&paths, Access::ReadWrite).map_err(|e| format!("it does not open: {e}"))?;
    ledger
        .read(|_| Ok(()))
        .map_err(|e| format!("it cannot be read: {e}"))?;
    drop(ledger);
    store::find_fault(&directory)?;
    let log = Log::read(&directory);
    let before = &run.logs[acknowledged];
    let is_next = run.logs.get(acknowledged + 1).is_some_and(|next| {
        // The inbox is a transaction of its own.
        log.events == next.events || acknowledged == 0 && next.events.starts_with(&log.events)
    });
    if log.events != before.events && !is_next {
        let (here, expected) = (log.events.len(), before.events.len());
        return Err(format!(
            "of {expected} acknowledged events there are {here}, or others"
        ));
    }
    check_backup(run, &home, acknowledged)?;
    if number.is_multiple_of(SAMPLE) {
        check_binary(&home)?;
    }
    Ok(identity)
}

/// A backup that was acknowledged is there, and one that is there is whole.
fn check_backup(run: &Recording, home: &Home, acknowledged: usize) -> Result<(), String> {
    let file = home.path().join(BACKUP);
    if !file.exists() {
        let is_lost = acknowledged >= run.backup;
        return if is_lost {
            Err("the backup is lost".to_owned())
        } else {
            Ok(())
        };
    }
    let conn = store::open(&file);
    let sql = "select count(*) || (select integrity_check from pragma_integrity_check) from events";
    let found: Result<String, _> = conn.query_row(sql, [], |row| row.get(0));
    let events = run.logs[run.backup].events.len();
    if found == Ok(format!("{events}ok")) {
        return Ok(());
    }
    Err(format!("the backup is not whole: {found:?}"))
}

/// The binary goes on, and finds nothing wrong.
fn check_binary(home: &Home) -> Result<(), String> {
    for line in [
        &["task", "add", "After the cut", "-P", "inbox"][..],
        &["doctor"],
    ] {
        let run = home.hzl(line);
        if run.exit != 0 {
            return Err(format!("a later command fails:\n{run}"));
        }
    }
    store::find_fault(&store::directory(home))
}

/// A number for what is on a disk, to count different ones.
fn fingerprint(directory: &Path) -> u64 {
    use std::hash::Hash as _;
    use std::hash::Hasher as _;
    let mut hasher = std::hash::DefaultHasher::new();
    for file in [
        "events.db",
        "events.db-wal",
        "events.db-journal",
        "cache.db",
        "cache.db-wal",
    ] {
        fs::read(directory.join(file)).ok().hash(&mut hasher);
    }
    hasher.finish()
}

/// Goes through the recording once and opens every disk whose turn it is in this thread.
fn go_through(
    run: &Recording,
    turn: impl Fn(usize) -> bool,
    count: usize,
    mut open: impl FnMut(&Disk, usize, usize),
) {
    let mut disk = Disk::new(run.home.path());
    let (mut moment, mut acknowledged) = (0, 0);
    for number in 0..count {
        while moment < number * run.ops.len() / count {
            acknowledged += usize::from(matches!(run.ops[moment], Op::Answer));
            disk.apply(&run.ops[moment]);
            moment += 1;
        }
        if turn(number) {
            open(&disk, number, acknowledged);
        }
    }
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let started = Instant::now();
    let seed = setting("HZL_TEST_POWER_CUTS_SEED", 1);
    let count = usize::try_from(setting("HZL_TEST_POWER_CUTS", 400)).expect("a number");
    let threads = usize::try_from(setting("HZL_TEST_POWER_CUTS_THREADS", 2)).expect("a number");
    let only = setting("HZL_TEST_POWER_CUTS_ONLY", u64::MAX);
    let run = record();
    let failures: Mutex<Vec<String>> = Mutex::new(vec![]);
    let different: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
    let work = |thread: usize| {
        let turn = |number: usize| match only {
            u64::MAX => number % threads == thread,
            only => usize::try_from(only) == Ok(number) && thread == 0,
        };
        go_through(&run, turn, count, |disk, number, acknowledged| {
            let kinds = [
                Cut::Everything,
                Cut::AllLost,
                Cut::Content,
                Cut::AllKept,
                Cut::Names,
            ];
            // Two of three as chance wills.
            let cut = kinds[[0, 1, 2, 0, 3, 4][number % 6]];
            let checked =
                panic::catch_unwind(|| check(&run, disk, (number, cut), seed, acknowledged));
            match checked.unwrap_or_else(|_| Err("it panicked: see above".to_owned())) {
                Ok(identity) => {
                    different
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(identity);
                }
                Err(error) => {
                    let text = format!(
                        "disk {number} ({cut:?}, {acknowledged} commands acknowledged): {error}"
                    );
                    failures
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(text);
                }
            }
        });
    };
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || work(thread));
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let different = different
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .len();
    let (ops, seconds) = (run.ops.len(), started.elapsed().as_secs());
    println!(
        "power cuts: {count} disks, {different} different, of {ops} requests, {seconds} s, seed {seed}"
    );
    assert!(
        failures.is_empty(),
        "{} of {count} disks fail; again with HZL_TEST_POWER_CUTS={count} HZL_TEST_POWER_CUTS_SEED={seed} and perhaps \
         HZL_TEST_POWER_CUTS_ONLY=N (a recording has other ids each time)\n{}",
        failures.len(),
        failures
            .iter()
            .take(20)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    );
    let is_enough = different * 2 >= count || only != u64::MAX;
    assert!(is_enough, "only {different} of {count} disks are different");
}
