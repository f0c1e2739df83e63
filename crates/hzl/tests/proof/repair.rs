//! The repair of a damaged log, killed and failed at its system calls: the damaged file is kept all the time, what
//! is told is so, and doing it again saves the same events.
//!
//! `HZL_TEST_REPAIRS`: at how many points besides the syncs, 0 for all of them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::random::Random;
use hzl_testkit::strace;
use hzl_testkit::strace::Fault;
use hzl_testkit::strace::SystemCall;
use rusqlite::Connection;

use crate::damage::zero_page_with;
use crate::home;
use crate::setting;
use crate::store;

/// Calls after which the files may be others than before, and calls that read what is repaired.
const TOUCHING: [&str; 12] = [
    "openat",
    "pread64",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "linkat",
    "link",
    "unlink",
    "exit_group",
];

/// A home whose log has lost a page, and what a repair makes of it.
struct Damaged {
    home: Home,
    bytes: Vec<u8>,
    saved: Vec<String>,
    calls: Vec<SystemCall>,
}

fn log_of(home: &Home) -> PathBuf {
    store::directory(home).join("events.db")
}

/// The ids of all events; `None`: they cannot be read.
fn ids_of(home: &Home) -> Option<Vec<String>> {
    let conn = store::open(&log_of(home));
    let mut statement = conn
        .prepare("select event_id from events order by id")
        .ok()?;
    let ids = statement.query_map([], |row| row.get(0)).ok()?;
    ids.collect::<rusqlite::Result<_>>().ok()
}

impl Damaged {
    fn new() -> Self {
        let home = home();
        home.write("config/hzl/config.json", r#"{"sync": {"enabled": false}}"#);
        for number in 0..40 {
            home.json(&[
                "task",
                "add",
                &format!("A task to be saved, number {number}"),
            ]);
        }
        let conn = Connection::open(log_of(&home)).expect("it opens");
        conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
            .expect("nobody is in the way");
        drop(conn);
        let whole = ids_of(&home).expect("nothing is damaged yet");
        zero_page_with(&log_of(&home), "to be saved, number 7");
        let bytes = fs::read(log_of(&home)).expect("it can be read");
        let repaired = home.duplicate();
        let (run, calls) = strace::calls(repaired.call(&["doctor", "--fix"]), &repaired);
        let saved = ids_of(&repaired).expect("it is repaired");
        assert!(
            saved.len() < whole.len() && saved.len() * 3 > whole.len(),
            "{run}"
        );
        Self {
            home,
            bytes,
            saved,
            calls,
        }
    }

    fn play(&self, at: &SystemCall, fault: Fault) -> Result<(), String> {
        let home = self.home.duplicate();
        let injected = strace::inject(home.call(&["doctor", "--fix"]), at, fault);
        let told = |error: &str| Err(format!("{at} {fault}: {error}\n{}", injected.run));
        if !self.is_kept(&home) {
            return told("the damaged file is gone");
        }
        let saved = || ids_of(&home);
        let is_replaced = fs::read(log_of(&home)).ok().as_ref() != Some(&self.bytes)
            || wal_of(&home).is_some_and(|bytes| !bytes.is_empty());
        match claims(&injected.run) {
            Some(true) if saved().as_ref() != Some(&self.saved) => {
                return told("it says that it is repaired");
            }
            Some(false) if is_replaced && saved().as_ref() == Some(&self.saved) => {
                return told("it says that it failed, and it did not");
            }
            _ => {}
        }
        let again = home.hzl(&["doctor", "--fix"]);
        if again.exit != 0 || saved().as_ref() != Some(&self.saved) {
            return told(&format!("doing it again is of no use: {again}"));
        }
        if !self.is_kept(&home) {
            return told("the damaged file is gone after the second repair");
        }
        Ok(())
    }

    /// Tells whether the damaged file is still there, under whatever name.
    fn is_kept(&self, home: &Home) -> bool {
        crate::files(&store::directory(home))
            .iter()
            .any(|path| fs::read(path).is_ok_and(|bytes| bytes == self.bytes))
    }
}

fn wal_of(home: &Home) -> Option<Vec<u8>> {
    fs::read(Path::new(&format!("{}-wal", log_of(home).display()))).ok()
}

/// Whether a report says that the log was repaired; `None`: it could not be written, or this is not known.
fn claims(run: &Run) -> Option<bool> {
    let report: serde_json::Value = serde_json::from_str(&run.stdout).ok()?;
    let database = report["checks"].get("database")?;
    if report["fixes"][0]["check"] == "database" {
        return Some(true);
    }
    let message = database["message"].as_str().unwrap_or_default();
    (!message.contains("may still take effect")).then_some(false)
}

#[test]
fn a_repair_that_fails_anywhere_loses_nothing_and_can_be_done_again() {
    let seed = setting("HZL_TEST_KILLS_SEED", 1);
    let damaged = Damaged::new();
    let touching = |at: &&SystemCall| TOUCHING.contains(&at.name.as_str());
    let points: Vec<(SystemCall, Fault)> = (damaged.calls.iter().filter(touching))
        .flat_map(|at| {
            let fails = at.name != "exit_group";
            let faults = [Fault::Kill, Fault::Once("EIO"), Fault::Once("ENOSPC")];
            faults
                .into_iter()
                .take(if fails { 3 } else { 1 })
                .map(|fault| (at.clone(), fault))
        })
        .collect();
    let all = points.len();
    // A sync that failed was once told as if nothing had been repaired.
    let (mut chosen, others): (Vec<_>, Vec<_>) =
        (points.into_iter()).partition(|(at, _)| at.name.ends_with("sync"));
    let count = usize::try_from(setting("HZL_TEST_REPAIRS", 60)).expect("a number of points");
    let count = if count == 0 { others.len() } else { count };
    chosen.extend(Random::new(seed).sample(others, count));
    let failures: Vec<String> = (chosen.iter())
        .filter_map(|(at, fault)| damaged.play(at, *fault).err())
        .collect();
    println!("repairs: {} of {all} points, seed {seed}", chosen.len());
    let first: Vec<&str> = failures.iter().take(10).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} (seed {seed}):\n{}",
        failures.len(),
        first.join("\n\n")
    );
}
