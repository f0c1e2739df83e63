//! Hostile servers, seen from the engine: whatever a reply says, a sync ends, and nothing local is lost.
//!
//! How many cases and which: `hzl_testkit::fuzz`.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its case"
)]

use std::cell::RefCell;
use std::time::Duration;

use hzl_core::command::{Actor, AddTask, ClaimTask, Command};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_remote::error::RemoteError;
use hzl_remote::hrana::{self, Outcome, Statement, Value};
use hzl_remote::sync::claim::{Fallback, claim, conclude};
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::{SyncOptions, sync, wire};
use hzl_sim::cloud::InMemory;
use hzl_store::intent::Intended;
use hzl_store::ledger::Ledger;
use hzl_store::memory::Memory;
use hzl_store::open::Birth;
use hzl_store::source::{Clock, IdSource};
use hzl_store::{log, projector};
use hzl_testkit::fuzz::{Random, Target, corpus, fuzz, mutate};
use serde_json::{Value as Json, json};

/// When everything happens.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// A sync of a handful of events needs fewer requests; one that needs more does not end.
const MOST_REQUESTS: u64 = 400;

/// What names mean something in a reply.
const KEYS: [&str; 18] = [
    "results",
    "type",
    "ok",
    "error",
    "response",
    "execute",
    "result",
    "cols",
    "name",
    "rows",
    "affected_row_count",
    "value",
    "base64",
    "message",
    "code",
    "text",
    "integer",
    "null",
];

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

struct Counted(u64);

impl IdSource for Counted {
    fn new_id(&mut self, _: Timestamp) -> String {
        self.0 += 1;
        format!("01M9{:022}", self.0)
    }
}

/// Answers as sqld writes them, each changed as the case says.
struct Liar<'case> {
    cloud: &'case InMemory,
    /// For each request to come how it is answered; then honestly.
    lies: std::slice::Iter<'case, u64>,
    requests: u64,
}

impl Remote for Liar<'_> {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        self.requests += 1;
        assert!(self.requests <= MOST_REQUESTS, "it goes on asking");
        let mut body = reply(&self.cloud.execute(statements, NOW));
        if let Some(lie) = self.lies.next() {
            body = distorted(&body, &mut Random::of("a lie", *lie, 0));
        }
        hrana::read_reply(&body, statements).map_err(|reason| RemoteError::BadReply {
            host: "liar".to_owned(),
            reason,
        })
    }

    fn requests(&self) -> u64 {
        self.requests
    }

    fn pause(&mut self, _: Duration) {}
}

/// The body of a reply.
fn reply(outcomes: &[Outcome]) -> Vec<u8> {
    let value = |value: &Value| match value {
        Value::Null => json!({"type": "null"}),
        Value::Integer(number) => json!({"type": "integer", "value": number.to_string()}),
        Value::Real(number) => json!({"type": "float", "value": number}),
        Value::Text(text) => json!({"type": "text", "value": text}),
        Value::Blob(_) => json!({"type": "blob", "base64": "AAAA"}),
    };
    let result = |outcome: &Outcome| match outcome {
        Ok(rows) => {
            let cols: Vec<Json> = rows
                .columns
                .iter()
                .map(|name| json!({"name": name}))
                .collect();
            let rows: Vec<Vec<Json>> = rows
                .rows
                .iter()
                .map(|row| row.iter().map(value).collect())
                .collect();
            let result = json!({"cols": cols, "rows": rows, "affected_row_count": 0});
            json!({"type": "ok", "response": {"type": "execute", "result": result}})
        }
        Err(error) => {
            let error = json!({"message": error.message, "code": error.code});
            json!({"type": "error", "error": error})
        }
    };
    let results: Vec<Json> = outcomes.iter().map(result).collect();
    json!({"baton": null, "results": results})
        .to_string()
        .into_bytes()
}

/// The same body with something wrong: as bytes, as JSON, or in the JSON that its texts hold.
fn distorted(body: &[u8], random: &mut Random) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Json>(body) else {
        return body.to_vec();
    };
    match random.below(4) {
        0 => {
            let mut body = body.to_vec();
            mutate::bytes(random, &mut body);
            return body;
        }
        1 => mutate::json(random, &mut value, &KEYS),
        _ => {
            let texts = inner_texts(&mut value);
            if !texts.is_empty() {
                let at = random.below(texts.len());
                if let Some(text) = texts.into_iter().nth(at) {
                    let mut inner: Json = serde_json::from_str(text).unwrap_or_default();
                    for _ in 0..=random.below(2) {
                        mutate::json(random, &mut inner, &["instance_id", "format", "epoch"]);
                    }
                    *text = inner.to_string();
                }
            }
        }
    }
    value.to_string().into_bytes()
}

/// The texts in a reply that are JSON themselves: pages, cursors, meta.
fn inner_texts(value: &mut Json) -> Vec<&mut String> {
    match value {
        Json::String(text) if text.starts_with(['[', '{']) => vec![text],
        Json::Array(items) => items.iter_mut().flat_map(inner_texts).collect(),
        Json::Object(object) => object.values_mut().flat_map(inner_texts).collect(),
        _ => vec![],
    }
}

#[test]
fn any_body_is_a_reply_or_none() {
    let target = Target {
        name: "read replies",
        share: 12_000,
    };
    let cloud = InMemory::new();
    joined(&cloud);
    let statements = [
        wire::pull(0, 6),
        wire::list_devices(),
        wire::list_rows(0, 10),
    ];
    let body = reply(&cloud.execute(&statements, NOW));
    fuzz(
        target,
        |random| {
            let mut body = distorted(&body, random);
            for _ in 0..random.below(3) {
                body = distorted(&body, random);
            }
            body
        },
        |body| {
            let Ok(outcomes) = hrana::read_reply(body, &statements) else {
                return;
            };
            let rows: Vec<_> = outcomes
                .into_iter()
                .map(Result::unwrap_or_default)
                .collect();
            drop(wire::read_pull(&rows[0]));
            drop(wire::read_devices(&rows[1]));
            drop(wire::read_rows(&rows[2]));
            wire::read_count(&rows[1]);
        },
    );
}

/// Makes the tables and puts a history there.
fn joined(cloud: &InMemory) {
    cloud.execute(&wire::create_schema("L", &[]), NOW);
    let insert =
        "insert into hzl_events (event_id, received_at, device_id, epoch, basis_seq, task_id,
                    type, data, author, timestamp)
                  values (?1, ?2, ?3, 0, 0, ?4, ?5, ?6, ?7, ?8)";
    for line in corpus::EXPORT.lines().skip(1) {
        let event: Json = serde_json::from_str(line).unwrap();
        let text = |key: &str| Value::from(event[key].as_str());
        let data = Value::from(event["data"].to_string());
        let args = vec![
            text("event_id"),
            text("timestamp"),
            text("device_id"),
            text("task_id"),
            text("type"),
            data,
            text("author"),
            text("timestamp"),
        ];
        let done = cloud.execute(&[Statement::without_rows(insert, args)], NOW);
        assert!(done[0].is_ok(), "{done:?}");
    }
}

fn birth(new_id: &mut dyn FnMut() -> String) -> Birth<'_> {
    Birth {
        new_id,
        now_ms: NOW.millis(),
    }
}

fn name_of_device() -> String {
    "01M90000000000000000000000".to_owned()
}

/// Adds two ready tasks.
fn write(ledger: &mut Ledger) -> Vec<TaskId> {
    let actor = Actor {
        author: Some("ann".to_owned()),
        ..Actor::default()
    };
    let mut ids = vec![];
    for title in ["one", "two"] {
        let task_id = ledger.new_task_id();
        let add = AddTask {
            status: Status::Ready,
            ..AddTask::new(task_id.clone(), title, ProjectName::inbox())
        };
        ledger
            .execute(&Command::AddTask(Box::new(add)), &actor)
            .unwrap();
        ids.push(task_id);
    }
    ids
}

/// What is in a log: ids may become others, rows never become fewer or different.
fn contents(ledger: &Ledger) -> Vec<(i64, String, String)> {
    let stored = log::list_stored_after(&ledger.files().events, 0, None).unwrap();
    let rows = stored
        .into_iter()
        .map(|event| (event.rowid, event.kind, event.data));
    rows.collect()
}

#[test]
fn any_server_is_survived() {
    let target = Target {
        name: "sync with a liar",
        share: 400,
    };
    let memory =
        RefCell::new(Memory::new("fuzz-sync".to_owned(), birth(&mut name_of_device)).unwrap());
    let ledger = Ledger::open_in_memory("fuzz-sync", Box::new(Stopped), Box::new(Counted(0)));
    let mut kept = Some(ledger.unwrap());
    let seed = |random: &mut Random| {
        // A line for each request; the first says whether there is a ledger in the cloud already.
        let lines = 1 + random.below(8);
        let numbers: Vec<String> = (0..=lines).map(|_| random.number().to_string()).collect();
        numbers.join("\n").into_bytes()
    };
    fuzz(target, seed, |case| {
        let text = String::from_utf8_lossy(case);
        let numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let Some((first, lies)) = numbers.split_first() else {
            return;
        };
        let cloud = InMemory::new();
        if first % 3 > 0 {
            joined(&cloud);
        }
        let ledger = kept.take().unwrap();
        assert!(ledger.files().is_shared_and_idle());
        memory
            .borrow_mut()
            .empty(&mut birth(&mut name_of_device))
            .unwrap();
        let ledger = kept.insert(ledger.restart(Box::new(Stopped), Box::new(Counted(0))));
        ledger.ensure_inbox().unwrap();
        survives(ledger, &cloud, lies);
    });
}

fn survives(ledger: &mut Ledger, cloud: &InMemory, lies: &[u64]) {
    let mut before = contents(ledger);
    let options = SyncOptions {
        merge: true,
        list_devices: true,
        ..SyncOptions::default()
    };
    let mut line = Liar {
        cloud,
        lies: lies.iter(),
        requests: 0,
    };
    for attempt in 0..3 {
        let tasks = write(ledger);
        let written = contents(ledger);
        assert!(before.iter().all(|row| written.contains(row)));
        before = written;
        line.requests = 0;
        let reset = attempt == 1;
        let options = SyncOptions {
            reset,
            ..options.clone()
        };
        // Whatever it says: it ends, and has not lost anything.
        drop(sync(ledger, &mut line, &options, &mut |_| {}));
        let wanted = ClaimTask {
            task_id: tasks[0].clone(),
            lease_minutes: None,
        };
        let actor = Actor {
            author: Some("ann".to_owned()),
            ..Actor::default()
        };
        let command = Command::ClaimTask(wanted);
        line.requests = 0;
        if let Ok(Intended::Claim(intent)) = ledger.intend_claim(&command, &actor) {
            let asked = claim(ledger, &mut line, &intent.outgoing, &options);
            conclude(ledger, &intent, asked, Fallback::Here).unwrap();
        }
        let now = contents(ledger);
        let lost = before.iter().find(|row| !now.contains(row));
        assert_eq!(lost, None, "a row is missing, or another");
        before = now;
        let state = ledger.fold_pulled().unwrap();
        ledger.rebuild().unwrap();
        assert_eq!(
            state,
            ledger.read(projector::state_sum).unwrap(),
            "a rebuild"
        );
    }
}
