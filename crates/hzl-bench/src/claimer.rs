//! One process of many that claim, for as long as it is told to.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use hzl_core::command::Actor;
use hzl_core::command::ClaimFilter;
use hzl_core::command::Command;
use hzl_store::Access;
use hzl_store::StorePaths;
use hzl_store::ledger::Ledger;
use rusqlite::Connection;
use rusqlite::OptionalExtension as _;
use rusqlite::TransactionBehavior;
use serde::Deserialize;
use serde::Serialize;

use crate::options;

/// What SQLite's own handler waits for a lock, at most.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What each claim of the yardstick writes.
const DATA: &str = r#"{"from":"ready","to":"in_progress","note":"as long as most events are"}"#;

/// What a process did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The tasks it got.
    pub(crate) tasks: Vec<String>,
    /// How long each claim took.
    pub(crate) latencies_us: Vec<f64>,
    /// What did not work.
    pub(crate) failures: Vec<String>,
}

/// Claims one task; `None`: there is none left.
type Claim = Box<dyn FnMut() -> Result<Option<String>, String>>;

/// Claims until the time is up, and prints what came of it.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn run(options: &options::Claimer) {
    let mut claim = match options.mode.as_str() {
        "hzl" => by_hzl(options),
        "busy" => by_hand(options),
        mode => panic!("unknown mode: {mode}"),
    };
    let mut done = Done::default();
    while now_ms() < options.from_ms {
        std::thread::yield_now();
    }
    while now_ms() < options.until_ms {
        let started = Instant::now();
        let claimed = claim();
        done.latencies_us
            .push(started.elapsed().as_secs_f64() * 1e6);
        match claimed {
            Ok(Some(task)) => done.tasks.push(task),
            Ok(None) => break,
            Err(failure) => done.failures.push(failure),
        }
    }
    println!("{}", serde_json::to_string(&done).expect("it is JSON"));
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is past 1970");
    u64::try_from(now.as_millis()).expect("it is before the year 584e6")
}

/// The store of hzl, as every command uses it, but on one connection.
fn by_hzl(options: &options::Claimer) -> Claim {
    let paths = StorePaths {
        events: options.directory.join("events.db"),
        cache: options.directory.join("cache.db"),
    };
    let agent = format!("agent-{}", options.number);
    let mut ledger = Ledger::open(&paths, Access::Existing).expect("the store opens");
    let actor = Actor {
        author: Some(agent.clone()),
        ..Actor::default()
    };
    let filter = ClaimFilter {
        agent: Some(agent),
        ..ClaimFilter::default()
    };
    let command = Command::ClaimNext {
        filter,
        lease_minutes: None,
    };
    Box::new(move || {
        let outcome = ledger
            .execute(&command, &actor)
            .map_err(|error| error.to_string())?;
        let event = outcome.events.first();
        let task = event.and_then(|(_, event)| event.task_id.as_ref());
        Ok(task.map(ToString::to_string))
    })
}

/// Bare SQLite with its own time-out, as most programs wait.
fn by_hand(options: &options::Claimer) -> Claim {
    let mut store = Connection::open(options.directory.join("bare.db")).expect("the store opens");
    store
        .execute_batch("pragma synchronous = full")
        .expect("a setting");
    store.busy_timeout(BUSY_TIMEOUT).expect("a time-out");
    let (agent, mut number) = (options.number.to_string(), 0);
    Box::new(move || {
        number += 1;
        let claim = |store: &mut Connection| {
            let transaction = store.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let task: Option<String> = transaction
                .prepare_cached(
                    "update tasks set status = 1, agent = ?1 where id = (
                       select id from tasks where status = 0 order by priority desc, id limit 1
                     ) and status = 0 returning task_id",
                )?
                .query_row([&agent], |row| row.get(0))
                .optional()?;
            if let Some(task) = &task {
                transaction
                    .prepare_cached(
                        "insert into events (event_id, task_id, data) values (?1, ?2, ?3)",
                    )?
                    .execute([&format!("{agent}-{number}"), task, DATA])?;
            }
            transaction.commit()?;
            Ok(task)
        };
        claim(&mut store).map_err(|error: rusqlite::Error| error.to_string())
    })
}

/// Makes the store that [`by_hand`] claims from.
pub(crate) fn make_bare(path: &std::path::Path, tasks: u64) {
    let mut store = Connection::open(path).expect("a database");
    store
        .execute_batch(
            "pragma journal_mode = wal;
             create table tasks (id integer primary key, task_id text not null unique, status integer not null,
               priority integer not null, agent integer);
             create index tasks_next on tasks (priority desc, id) where status = 0;
             create table events (id integer primary key, event_id text not null unique, task_id text not null,
               data text not null check (json_valid(data)));
             create index events_task on events (task_id, id);",
        )
        .expect("tables can be made");
    let transaction = store.transaction().expect("a transaction");
    for n in 0..tasks {
        let sql = "insert into tasks (task_id, status, priority) values (?, 0, ?)";
        let mut insert = transaction.prepare_cached(sql).expect("a statement");
        let priority = i64::try_from(n % 4).expect("it is below 4");
        insert
            .execute((format!("task-{n}"), priority))
            .expect("a row");
    }
    transaction.commit().expect("a commit");
}
