//! Hostile rows, searches and filters: a store takes them, answers, and stays what a rebuild makes of it.
//!
//! How many cases and which: `hzl_testkit::fuzz`.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its case"
)]

use hzl_core::command::{Actor, AddTask, Command};
use hzl_core::ids::{DeviceId, EventId, ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_store::ledger::Ledger;
use hzl_store::log::StoredEvent;
use hzl_store::memory::Memory;
use hzl_store::open::Birth;
use hzl_store::query::{self, quarantine};
use hzl_store::replica::{CloudRow, PullBasis};
use hzl_store::source::{Clock, IdSource};
use hzl_store::{log, projector};
use hzl_testkit::fuzz::{Random, Target, corpus, fuzz, mutate};
use hzl_testkit::time_worked;
use rusqlite::Connection;
use serde_json::Value;

/// When everything happens: after the corpus.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Ids in their order.
#[derive(Default)]
struct Counted(u64);

impl IdSource for Counted {
    fn new_id(&mut self, _: Timestamp) -> String {
        self.0 += 1;
        format!("01M9{:022}", self.0)
    }
}

/// A store in memory that is emptied before each case.
struct Store {
    memory: Memory,
    ledger: Option<Ledger>,
}

impl Store {
    fn new(name: &str) -> Self {
        let memory = Memory::new(name.to_owned(), birth(&mut name_of_device)).unwrap();
        let ledger = Ledger::open_in_memory(name, Box::new(Stopped), Box::new(Counted::default()));
        Self {
            memory,
            ledger: Some(ledger.unwrap()),
        }
    }

    /// The ledger of a store that was just made and has joined a cloud.
    fn fresh(&mut self) -> &mut Ledger {
        let ledger = self.ledger.take().unwrap();
        // Not even a case that panicked leaves a transaction behind.
        assert!(ledger.files().is_shared_and_idle());
        self.memory.empty(&mut birth(&mut name_of_device)).unwrap();
        let mut ledger = ledger.restart(Box::new(Stopped), Box::new(Counted::default()));
        ledger.join("cloud", &[]).unwrap();
        self.ledger.insert(ledger)
    }
}

fn birth(new_id: &mut dyn FnMut() -> String) -> Birth<'_> {
    Birth {
        new_id,
        now_ms: NOW.millis(),
    }
}

/// The ledger and the device have one name here: it matters to nobody.
fn name_of_device() -> String {
    "01M90000000000000000000000".to_owned()
}

fn basis(ledger: &Ledger) -> PullBasis {
    PullBasis {
        joined: ledger.membership().unwrap().joined,
        cursor: ledger.cloud_cursor().unwrap(),
        rewind_points: ledger.sync_state().unwrap().rewind_points,
    }
}

/// The row of a line: what is no JSON is the data of the type that it mentions.
fn row(line: &str, seq: i64) -> CloudRow {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    let torn = || {
        line.split_once("\"data\":")
            .map_or(line, |(_, data)| data)
            .to_owned()
    };
    let number = |key: &str| {
        event[key]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
    };
    CloudRow {
        seq,
        received_at: text("received_at").unwrap_or_else(|| NOW.to_string()),
        device: text("device_id").map(DeviceId::new),
        event: StoredEvent {
            rowid: 0,
            event_id: EventId::new(text("event_id").unwrap_or_else(|| format!("torn-{seq}"))),
            task_id: text("task_id").unwrap_or_else(|| "T".to_owned()),
            kind: text("type").unwrap_or_else(|| "comment_added".to_owned()),
            data: event.get("data").map_or_else(torn, Value::to_string),
            schema_version: number("schema_version").unwrap_or(1),
            author: text("author"),
            agent_id: text("agent_id"),
            session_id: text("session_id"),
            correlation_id: text("correlation_id"),
            causation_id: text("causation_id"),
            timestamp: text("timestamp").unwrap_or_default(),
            basis_seq: event["basis_seq"].as_i64(),
            epoch: number("epoch"),
        },
    }
}

/// What a device has made of the rows of a cloud, in pages of that many: its state, and what it set aside.
fn taken(ledger: &mut Ledger, rows: &[CloudRow], page: usize) -> (String, Vec<(String, String)>) {
    // It wrote some of them itself; of one of these the cloud has something else.
    for (at, row) in rows.iter().enumerate().filter(|(at, _)| at % 7 == 3) {
        let mut mine = row.event.clone();
        if at % 2 == 0 {
            mine.author = Some("somebody else".to_owned());
        }
        // The log refuses what it cannot hold.
        drop(log::append_stored(&ledger.files().events, &mine));
    }
    for page in rows.chunks(page) {
        let basis = basis(ledger);
        assert!(!ledger.settle(&basis, page, 0).unwrap().is_stale);
        ledger.fold_pulled().unwrap();
    }
    let seq = rows.last().map_or(0, |row| row.seq);
    assert_eq!(
        ledger
            .cloud_cursor()
            .unwrap()
            .map_or(0, |cursor| cursor.seq),
        seq
    );
    ledger.count_own_events().unwrap();
    let state = ledger.read(projector::state_sum).unwrap().to_string();
    ledger.rebuild().unwrap();
    let rebuilt = ledger.read(projector::state_sum).unwrap().to_string();
    assert_eq!(state, rebuilt, "a rebuild");
    let (aside, total) = quarantine::list(&ledger.files().events, 1_000).unwrap();
    assert_eq!(usize::try_from(total).unwrap(), aside.len());
    let why = aside
        .into_iter()
        .map(|found| (found.event_id.to_string(), found.reason));
    let mut why: Vec<_> = why.collect();
    why.sort();
    (state, why)
}

#[test]
fn any_rows_are_taken_or_set_aside_by_all_alike() {
    let target = Target {
        name: "take rows",
        share: 500,
    };
    let (mut one, mut other) = (Store::new("fuzz-one"), Store::new("fuzz-other"));
    fuzz(
        target,
        |random| corpus::mutated_history(random, 60),
        |lines| {
            let lines = String::from_utf8_lossy(lines);
            let rows = lines.lines().zip(1..).map(|(line, seq)| row(line, seq));
            let rows: Vec<_> = rows.collect();
            let at_once = taken(one.fresh(), &rows, 1_000);
            let in_pages = taken(other.fresh(), &rows, 3);
            assert_eq!(at_once, in_pages, "in pages of three");
        },
    );
}

/// A store with tasks whose texts are hostile, and what is in it.
fn hostile_store(name: &str) -> (Store, Vec<AddTask>) {
    let mut store = Store::new(name);
    let ledger = store.fresh();
    ledger.ensure_inbox().unwrap();
    let actor = Actor::default();
    let mut tasks = vec![];
    for project in ["p", "P-1", "x_y"] {
        let create = Command::CreateProject {
            name: ProjectName::new(project),
            description: None,
            is_protected: false,
        };
        ledger.execute(&create, &actor).unwrap();
    }
    for (at, text) in mutate::NASTY.iter().cycle().take(400).enumerate() {
        let project = ["inbox", "p", "P-1", "x_y"][at % 4];
        let title = format!("task {at} {text} word{at}");
        let add = AddTask {
            description: Some(format!(
                "{text} and {}",
                "some words about it ".repeat(at % 30)
            )),
            tags: vec![format!("tag{at}")],
            agent: (at % 3 > 0)
                .then(|| (*text).to_owned())
                .filter(|name| !name.is_empty()),
            status: [Status::Ready, Status::Backlog, Status::Done][at % 3],
            parent: None,
            ..AddTask::new(ledger.new_task_id(), &title, ProjectName::new(project))
        };
        ledger
            .execute(&Command::AddTask(Box::new(add.clone())), &actor)
            .unwrap();
        tasks.push(add);
    }
    (store, tasks)
}

/// What a person or a program types where text is wanted.
fn typed(random: &mut Random) -> Vec<u8> {
    let count = random.below(4);
    let mut text: Vec<String> = (0..=count).map(|_| mutate::text(random)).collect();
    if random.chance(3) {
        text.push(format!("word{}", random.below(500)));
    }
    let mut bytes = text
        .join(*random.one(&["", " ", " OR ", "\" "]))
        .into_bytes();
    bytes.truncate(20_000);
    if random.chance(4) {
        mutate::bytes(random, &mut bytes);
    }
    bytes
}

#[test]
fn any_text_can_be_searched_for() {
    let target = Target {
        name: "search",
        share: 20_000,
    };
    let (mut store, _) = hostile_store("fuzz-search");
    let ledger = store.ledger.as_mut().unwrap();
    let filter = query::search::SearchFilter::default();
    fuzz(target, typed, |text| {
        let text = String::from_utf8_lossy(text);
        let start = time_worked();
        let search = |cache: &Connection| query::search::search(cache, &text, &filter, 50);
        let found = ledger.read(search).unwrap();
        let took = time_worked().saturating_sub(start);
        assert!(took.as_millis() < 100, "{took:?}");
        assert!(found.total >= found.tasks.len() as u64);
        if let Some(word) = text
            .split_whitespace()
            .find(|word| word.starts_with("word"))
            && text.trim() == word
            && word[4..]
                .parse::<usize>()
                .is_ok_and(|at| (100..400).contains(&at))
        {
            assert_eq!(found.total, 1, "the word of one title");
        }
    });
}

#[test]
fn any_filter_selects_what_a_plain_comparison_selects() {
    let target = Target {
        name: "filters",
        share: 1_000,
    };
    let (mut store, tasks) = hostile_store("fuzz-filters");
    let ledger = store.ledger.as_mut().unwrap();
    let events = log::count(&ledger.files().events).unwrap();
    fuzz(target, typed, |text| {
        let text = String::from_utf8_lossy(text).into_owned();
        let is_listed = |task: &&AddTask| task.status != Status::Archived;
        let count = |filter: &dyn Fn(&AddTask) -> bool| {
            let count = tasks
                .iter()
                .filter(is_listed)
                .filter(|task| filter(task))
                .count();
            u64::try_from(count).unwrap()
        };
        let mut total = |filter: query::tasks::ListFilter| {
            let listed = ledger
                .read(|cache| query::tasks::list(cache, &filter, 0, 5))
                .unwrap();
            listed.total
        };
        let by_project = query::tasks::ListFilter {
            project: Some(text.clone()),
            ..Default::default()
        };
        assert_eq!(
            total(by_project),
            count(&|task| task.project.as_str() == text)
        );
        let by_agent = query::tasks::ListFilter {
            agent: Some(text.clone()),
            ..Default::default()
        };
        assert_eq!(
            total(by_agent),
            count(&|task| task.agent.as_deref() == Some(&*text))
        );
        let by_pattern = query::tasks::ListFilter {
            agent_pattern: Some(text.clone()),
            ..Default::default()
        };
        let matched = total(by_pattern);
        if !text.contains(['*', '\\', '\0']) {
            // To LIKE a text ends at its first NUL.
            let name = |task: &AddTask| task.agent.clone().unwrap_or_default();
            let seen = |name: &str| name.split('\0').next().map(str::to_ascii_lowercase);
            let same = |task: &AddTask| seen(&name(task)) == Some(text.to_ascii_lowercase());
            assert_eq!(matched, count(&same), "without `*` a pattern is a name");
        }
        let by_parent = query::tasks::ListFilter {
            parent: Some(TaskId::new(text.clone())),
            ..Default::default()
        };
        assert_eq!(total(by_parent), 0);
        let prefix = text.clone();
        let found = ledger
            .read(|cache| query::tasks::list_by_prefix(cache, &prefix))
            .unwrap();
        let begins = |task: &&AddTask| task.task_id.as_str().starts_with(&text);
        let expected = tasks
            .iter()
            .filter(begins)
            .count()
            .min(query::tasks::MAX_MATCHES);
        if text.is_ascii() && !text.contains('\0') && !text.chars().any(|c| c.is_ascii_lowercase())
        {
            assert_eq!(found.len(), expected, "ids that begin like this");
        }
        let agents = query::agents::AgentFilter {
            agent: Some(text.clone()),
            project: None,
        };
        ledger
            .read(|cache| query::agents::list(cache, &agents))
            .unwrap();
        ledger
            .read(|cache| query::stats::count_queue(cache, Some(&text), NOW))
            .unwrap();
        query::agents::load_log(&ledger.files().events, &text, 5).unwrap();
        assert_eq!(
            log::count(&ledger.files().events).unwrap(),
            events,
            "nothing is written"
        );
    });
}
