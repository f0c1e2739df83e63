//! What must hold after a command was killed, or met an error, at some system call.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::strace::Fault;
use hzl_testkit::strace::Injected;
use hzl_testkit::strace::SystemCall;
use serde_json::Value;

use super::scenes::Manner;
use super::scenes::Product;
use super::scenes::Scene;
use crate::store;
use crate::store::Log;

/// What a command did to the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The types of new events, by command, in order.
    added: Vec<Vec<String>>,
    /// Events that are gone, or are not what they were.
    removed: BTreeSet<String>,
    /// New rows in tables beside the events.
    beside: BTreeMap<&'static str, i64>,
}

/// In the event that makes the inbox.
const INBOX: &str = r#"\"is_protected\":true"#;

impl Effect {
    /// Compares two logs, leaving out the events of one task, and the inbox, which any command makes where it
    /// is missing.
    pub(crate) fn between(before: &Log, after: &Log, left_out: Option<&str>) -> Self {
        let kept: BTreeSet<&str> = after.events.iter().map(|e| e.content.as_str()).collect();
        let old: BTreeSet<&str> = before.events.iter().map(|e| e.id.as_str()).collect();
        let is_gone = |event: &&store::Event| !kept.contains(event.content.as_str());
        let mut added: Vec<(&str, Vec<String>)> = vec![];
        for event in after
            .events
            .iter()
            .filter(|event| !old.contains(event.id.as_str()))
        {
            let is_inbox = event.content.contains(INBOX);
            if is_inbox || left_out.is_some_and(|task| event.content.contains(task)) {
                continue;
            }
            match added.iter_mut().find(|(cause, _)| *cause == event.cause) {
                Some((_, kinds)) => kinds.push(event.kind.clone()),
                None => added.push((&event.cause, vec![event.kind.clone()])),
            }
        }
        let rows = |log: &Log, table: &str| log.beside.get(table).copied().unwrap_or(0);
        let beside = after.beside.keys();
        Self {
            added: added.into_iter().map(|(_, kinds)| kinds).collect(),
            removed: (before.events.iter().filter(is_gone))
                .map(|event| event.id.clone())
                .collect(),
            beside: beside
                .map(|table| (*table, rows(after, table) - rows(before, table)))
                .filter(|(_, rows)| *rows != 0)
                .collect(),
        }
    }

    /// Tells whether there is none.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how many commands' events there are.
    pub(crate) fn commands(&self) -> usize {
        self.added.len()
    }

    /// Tells whether this is a beginning of another effect, in whole commands.
    fn begins(&self, whole: &Self) -> bool {
        self.removed.is_empty() && self.beside.is_empty() && whole.added.starts_with(&self.added)
    }
}

/// A command without a fault, and the one that is judged by it.
pub(crate) struct Case<'a> {
    pub(crate) scene: &'a Scene,
    /// The log before the command.
    pub(crate) before: &'a Log,
    /// What it does if nothing goes wrong.
    pub(crate) effect: &'a Effect,
    /// The exit codes that the program has, with their error codes.
    pub(crate) codes: &'a [(i32, String)],
}

/// What is done besides the checks of every point, which takes longer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thorough {
    /// `hzl doctor`, and a state hash without a cache.
    Yes,
    No,
}

impl Case<'_> {
    /// Says what does not hold after this run.
    pub(crate) fn find_fault(
        &self,
        home: &Home,
        (at, fault): (&SystemCall, Fault),
        injected: &Injected,
        thorough: Thorough,
    ) -> Result<(), String> {
        let run = &injected.run;
        let answer = self.read_answer(at, fault, run)?;
        let directory = store::directory(home);
        if self.scene.cloud.is_some() {
            // First, as a new machine that has written something would have to merge.
            self.check_effect(&Log::read(&directory), None, answer)?;
            succeeds(home, &["sync"])?;
        }
        let next = succeeds(home, &["task", "add", "The next command", "-P", "inbox"])?;
        let next = next["task_id"].as_str().expect("a task id");
        if self.scene.cloud.is_none() {
            self.check_effect(&Log::read(&directory), Some(next), answer)?;
        }
        store::find_fault(&directory)?;
        self.check_files(home, (at, fault), answer)?;
        if thorough == Thorough::Yes {
            check_health(home)?;
        }
        self.check_cloud(home, next)
    }

    /// Says what the command answered, or what is wrong with how it ended.
    fn read_answer(&self, at: &SystemCall, fault: Fault, run: &Run) -> Result<Answered, String> {
        if run.stderr.contains("panicked") || run.exit == 101 {
            return Err(format!("it panicked:\n{run}"));
        }
        if acknowledged(run).is_some() {
            return Ok(Answered::Done);
        }
        match (run.exit, fault) {
            (0, _) => Err(format!("success without an answer:\n{run}")),
            (-1, Fault::Kill) => Ok(Answered::Nothing),
            (-1, _) => Err(format!("it was ended by a signal:\n{run}")),
            (exit, _) => {
                // Where the answer itself cannot be written there is none.
                if at.name == "write" && run.stdout.is_empty() {
                    return Ok(Answered::Nothing);
                }
                let error: Value = serde_json::from_str(&run.stdout)
                    .map_err(|_| format!("a failure without an error:\n{run}"))?;
                let code = error["error"]["code"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                if !self.codes.contains(&(exit, code.clone())) {
                    return Err(format!("no such exit code:\n{run}"));
                }
                let message = error["error"]["message"].as_str().unwrap_or_default();
                if at.name == "write" && message.starts_with("cannot write the output") {
                    return Ok(Answered::Done); // it says so
                }
                // A sync that fails may have brought something before.
                let may_have_written = code == "commit_unknown" || self.scene.cloud.is_some();
                Ok(if may_have_written {
                    Answered::Nothing
                } else {
                    Answered::Refused
                })
            }
        }
    }

    /// All of it, or nothing; all of it if it was acknowledged, nothing if it was refused.
    fn check_effect(
        &self,
        after: &Log,
        next: Option<&str>,
        answer: Answered,
    ) -> Result<(), String> {
        let ids: BTreeSet<&str> = after.events.iter().map(|event| event.id.as_str()).collect();
        if ids.len() != after.events.len() {
            return Err("an event is there twice".to_owned());
        }
        let effect = Effect::between(self.before, after, next);
        let is_whole = effect == *self.effect;
        let is_begun = match self.scene.manner {
            Manner::InTurn(_) => effect.begins(self.effect),
            Manner::AsOne | Manner::Brought => effect.is_none(),
        };
        let holds = match answer {
            Answered::Done => is_whole,
            Answered::Refused => is_begun,
            Answered::Nothing => is_whole || is_begun,
        };
        if holds {
            return Ok(());
        }
        let expected = &self.effect;
        Err(format!(
            "the answer was {answer:?}, but what happened is\n{effect:?}\nof\n{expected:?}"
        ))
    }

    /// Files for the user are whole or not there; nothing else is left.
    fn check_files(
        &self,
        home: &Home,
        (at, fault): (&SystemCall, Fault),
        answer: Answered,
    ) -> Result<(), String> {
        // Whoever is killed cannot clear up, nor can whoever is not allowed to delete anything any more.
        let cannot_delete = fault == Fault::Kill
            || (at.name.starts_with("unlink") && matches!(fault, Fault::FromThenOn(_)));
        let entries = fs::read_dir(store::directory(home)).expect("the store is a directory");
        for entry in entries {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy();
            let known = ["events.db", "cache.db"].iter().any(|file| {
                name.strip_prefix(file)
                    .is_some_and(|rest| ["", "-wal", "-shm"].contains(&rest))
            });
            let is_copy = name.starts_with("events.db.before-restore-");
            let is_cut_short = cannot_delete && name.starts_with(".tmp");
            let is_lock = ["write.lock", "sync.lock"].contains(&name.as_ref());
            if !(known || is_lock || is_copy || is_cut_short) {
                return Err(format!("{name} was left in the store"));
            }
        }
        let Some(product) = self.scene.product else {
            return Ok(());
        };
        let (Product::Backup(file) | Product::Export(file)) = product;
        let path = home.path().join(file);
        if !path.exists() {
            return match answer {
                Answered::Done => Err(format!("{file} is not there")),
                Answered::Refused | Answered::Nothing => Ok(()),
            };
        }
        let line = match product {
            // Into the ledger it was made of: it is read, and nothing is new.
            Product::Export(_) => ["import", file, "--dry-run"],
            Product::Backup(_) => ["restore", file, "--force"],
        };
        succeeds(home, &line).map(drop)
    }

    /// After one more sync, machine and cloud hold the same.
    fn check_cloud(&self, home: &Home, next: &str) -> Result<(), String> {
        let Some(cloud) = &self.scene.cloud else {
            return Ok(());
        };
        succeeds(home, &["sync"])?;
        let log = Log::read(&store::directory(home));
        let there = cloud.event_ids();
        let here: BTreeSet<String> = log.events.iter().map(|event| event.id.clone()).collect();
        if here != there || here.len() != log.events.len() {
            let (here, there) = (here.len(), there.len());
            return Err(format!(
                "{here} events here are not the {there} in the cloud"
            ));
        }
        let lost = self
            .before
            .events
            .iter()
            .find(|event| !here.contains(&event.id));
        if let Some(event) = lost {
            return Err(format!("an acknowledged event is lost: {event:?}"));
        }
        if !log.events.iter().any(|event| event.content.contains(next)) {
            return Err("the next command is lost".to_owned());
        }
        store::find_fault(&store::directory(home))
    }
}

/// What a command said of what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    /// That it is done.
    Done,
    /// That it failed and nothing was written.
    Refused,
    /// Nothing, or that it does not know.
    Nothing,
}

/// Returns the answer of a command that says it is done. It may have been killed after that.
fn acknowledged(run: &Run) -> Option<Value> {
    if run.exit != 0 && run.exit != -1 || run.stdout.is_empty() {
        return None;
    }
    let answer: Value = serde_json::from_str(&run.stdout).ok()?;
    (answer["ok"] != false).then_some(answer)
}

/// A later command, which has to work, whatever was left.
fn succeeds(home: &Home, line: &[&str]) -> Result<Value, String> {
    let run = home.hzl(line);
    let answer = (run.exit == 0).then(|| acknowledged(&run)).flatten();
    answer.ok_or_else(|| format!("a later command fails:\n{run}"))
}

/// Asks the program itself, with and without its cache.
fn check_health(home: &Home) -> Result<(), String> {
    let doctor = home.hzl(&["doctor"]);
    let said: Value = serde_json::from_str(&doctor.stdout).unwrap_or_default();
    for check in ["database", "projections"] {
        if said["checks"][check]["status"] != "pass" {
            return Err(format!("the doctor finds something:\n{doctor}"));
        }
    }
    let hash = || home.json(&["status"])["data"]["stateHash"].clone();
    let before = hash();
    store::delete_cache(&store::directory(home));
    let after = hash();
    if before == after {
        return Ok(());
    }
    Err(format!(
        "the state was {before}, without a cache it is {after}"
    ))
}
