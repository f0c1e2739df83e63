//! A crowd: 64 processes at once on one store with a real cloud behind it, doing what agents and people do.
//!
//! Nobody sees an error, no task is handed out twice, nobody starves, the WALs stay bounded, nothing is left
//! behind, and at the end log, projections, cloud, followers and backups say the same.
//!
//! Long: `HZL_TEST_CROWD_SECONDS=300 cargo test -p hzl --test proof crowd`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use hzl_testkit::home::Home;
use hzl_testkit::home::Running;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::stub::exchange;
use hzl_testkit::wait_until;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use crate::home;
use crate::setting;

/// What a process of the crowd does, again and again, and how many do it.
const KINDS: [(Kind, usize); 6] = [
    (Kind::Read, 16),
    (Kind::Add, 12),
    (Kind::Claim, 20),
    (Kind::Comment, 8),
    (Kind::Sync, 4),
    (Kind::Backup, 2),
];
/// With those that do one thing all the time, 64.
const FOLLOWERS: usize = 2;
/// No WAL is ever larger than this, and when everybody has gone none is larger than the second number.
const WAL_BYTES: u64 = 4 << 20;
const WAL_BYTES_LEFT: u64 = 1 << 20;
/// How long the end may take: what waits is sent, and processes in the background end.
const AFTERWARDS: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Read,
    Add,
    Claim,
    Comment,
    Sync,
    Backup,
}

/// What the crowd has got hold of, all together.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Tasks that were added, for the others to read and comment on.
    tasks: Mutex<Vec<String>>,
    /// Tasks that were handed out; one comes twice only if it was handed out twice.
    claimed: Mutex<Vec<String>>,
    completed: Mutex<Vec<String>>,
    comments: Mutex<Vec<String>>,
}

fn push(list: &Mutex<Vec<String>>, text: &str) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.push(text.to_owned());
}

fn all(list: &Mutex<Vec<String>>) -> Vec<String> {
    list.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// One process of the crowd: its runs follow one another.
struct Worker<'a> {
    home: &'a Home,
    shared: &'a Shared,
    kind: Kind,
    number: usize,
    done: usize,
    slowest: Duration,
}

impl Worker<'_> {
    /// Works until it is told to stop.
    fn work(mut self) -> Self {
        while !self.shared.stop.load(Ordering::Relaxed) {
            match self.kind {
                Kind::Read => self.read(),
                Kind::Add => self.add(),
                Kind::Claim => self.claim(),
                Kind::Comment => self.comment(),
                Kind::Sync => drop(self.json(&["sync"])),
                Kind::Backup => self.back_up(),
            }
            self.done += 1;
        }
        self
    }

    /// Runs a command, which has to succeed without a word on standard error.
    fn json(&mut self, arguments: &[&str]) -> Value {
        let started = Instant::now();
        let run = self.home.hzl(arguments);
        self.slowest = self.slowest.max(started.elapsed());
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
        run.json()
    }

    /// Some task, another one every time.
    fn some_task(&self) -> String {
        let tasks = all(&self.shared.tasks);
        tasks[(self.number * 31 + self.done * 7) % tasks.len()].clone()
    }

    fn read(&mut self) {
        let task = self.some_task();
        match self.done % 5 {
            0 => assert!(self.json(&["task", "list"])["tasks"].is_array()),
            1 => {
                let shown = self.json(&["task", "show", &task]);
                assert!(shown.to_string().contains(&task), "{shown}");
            }
            2 => drop(self.json(&["task", "search", "crowd"])),
            3 => drop(self.json(&["status"])),
            _ => drop(self.json(&["task", "history", &task])),
        }
    }

    fn add(&mut self) {
        let title = format!("crowd task {} of {}", self.done, self.number);
        let added = self.json(&["task", "add", &title, "-s", "ready"]);
        push(&self.shared.tasks, text(&added, "task_id"));
    }

    /// Claims a task and finishes it under that claim.
    fn claim(&mut self) {
        let agent = format!("agent-{}", self.number);
        let answer = self.json(&["task", "claim", "--next", "--agent", &agent]);
        // Nothing to claim is an answer, too.
        let Some(task) = answer["task_id"].as_str() else {
            return;
        };
        assert_eq!(answer["agent"], agent.as_str(), "{answer}");
        push(&self.shared.claimed, task);
        let claim = text(&answer["claim"], "id");
        let done = self.json(&["task", "complete", task, "--claim", claim]);
        assert_eq!(done["status"], "done", "{done}");
        push(&self.shared.completed, task);
    }

    fn comment(&mut self) {
        let task = self.some_task();
        let said = format!("word {} of {}", self.done, self.number);
        self.json(&["task", "comment", &task, &said]);
        push(&self.shared.comments, &said);
    }

    fn back_up(&mut self) {
        let file = format!("backup-{}.db", self.number);
        let backup = self.json(&["backup", &file, "--force"]);
        assert_eq!(backup["verified"], true, "{backup}");
    }
}

#[track_caller]
fn text<'a>(answer: &'a Value, key: &str) -> &'a str {
    let text = answer[key].as_str();
    text.unwrap_or_else(|| panic!("no {key} in {answer}"))
}

fn store(home: &Home, file: &str) -> std::path::PathBuf {
    home.data().join("hzl").join(file)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Returns the larger of the two WALs.
fn wal_bytes(home: &Home) -> u64 {
    size(&store(home, "events.db-wal")).max(size(&store(home, "cache.db-wal")))
}

/// Lets the crowd work for a time; returns the workers and the largest WAL that was seen.
fn let_work(home: &Home, shared: &Shared, time: Duration) -> (Vec<(Kind, usize, Duration)>, u64) {
    thread::scope(|scope| {
        let workers = KINDS
            .iter()
            .flat_map(|(kind, count)| std::iter::repeat_n(*kind, *count));
        let workers: Vec<_> = workers
            .enumerate()
            .map(|(number, kind)| {
                let worker = Worker {
                    home,
                    shared,
                    kind,
                    number,
                    done: 0,
                    slowest: Duration::ZERO,
                };
                scope.spawn(move || worker.work())
            })
            .collect();
        let (end, mut largest) = (Instant::now() + time, 0);
        // A worker that has failed ends it at once.
        wait_until(time * 2, "the time is over", || {
            largest = largest.max(wal_bytes(home));
            Instant::now() >= end || workers.iter().any(thread::ScopedJoinHandle::is_finished)
        });
        shared.stop.store(true, Ordering::Relaxed);
        let ended = workers.into_iter().map(|worker| match worker.join() {
            Ok(worker) => (worker.kind, worker.done, worker.slowest),
            Err(panic) => std::panic::resume_unwind(panic),
        });
        let ended = ended.collect();
        (ended, largest.max(wal_bytes(home)))
    })
}

#[expect(clippy::print_stdout, reason = "the figures of a long run")]
fn report(line: &str) {
    println!("{line}");
}

/// Checks that the slowest process of each kind did at least a quarter of what is usual for its kind.
fn assert_nobody_starved(workers: &[(Kind, usize, Duration)]) {
    let mut kinds: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for (kind, done, _) in workers {
        kinds.entry(*kind).or_default().push(*done);
    }
    for (kind, mut done) in kinds {
        done.sort_unstable();
        let (least, median) = (done[0], done[done.len() / 2]);
        let of_kind = workers.iter().filter(|(other, ..)| *other == kind);
        let longest = of_kind.map(|(.., slowest)| slowest).max();
        let all: usize = done.iter().sum();
        report(&format!(
            "{kind:?}: {} processes, {all} operations, least {least}, median {median}, longest run {longest:?}",
            done.len(),
        ));
        assert!(median > 0, "{kind:?} did nothing");
        assert!(least * 4 >= median, "{kind:?} starved: {done:?}");
    }
}

fn assert_each_once(what: &str, list: &Mutex<Vec<String>>) -> BTreeSet<String> {
    let list = all(list);
    let set: BTreeSet<String> = list.iter().cloned().collect();
    assert_eq!(set.len(), list.len(), "{what} twice: {list:?}");
    set
}

const EVENTS: &str =
    "select event_id || ' ' || task_id || ' ' || type || ' ' || timestamp || ' ' || data";

/// Returns the events of a log, by row.
fn events_of(file: &Path) -> Vec<String> {
    let conn = Connection::open(file).expect("the log opens");
    let mut statement = conn
        .prepare(&format!("{EVENTS} from events order by id"))
        .expect("the statement fits");
    let rows = statement.query_map([], |row| row.get(0)).expect("it runs");
    rows.collect::<Result<_, _>>().expect("rows are read")
}

/// Returns the events that the cloud has, asked without any code of the program.
fn events_in_cloud(server: &Sqld, token: &str) -> Vec<String> {
    let sql = format!("{EVENTS} from hzl_events order by seq");
    let body = json!({"requests": [{"type": "execute", "stmt": {"sql": sql}}]}).to_string();
    let (status, reply) = exchange(&server.url(), "POST", "/v2/pipeline", Some(token), &body)
        .expect("the server answers");
    assert_eq!(status, 200, "{reply}");
    let start = reply.find('{').expect("an object");
    let end = reply.rfind('}').expect("its end");
    let reply: Value = serde_json::from_str(&reply[start..=end]).expect("JSON");
    let rows = &reply["results"][0]["response"]["result"]["rows"];
    let rows = rows.as_array().expect("rows");
    rows.iter()
        .map(|row| text(&row[0], "value").to_owned())
        .collect()
}

/// Processes that have this home, whatever they are.
fn processes_of(home: &Home) -> Vec<String> {
    let mark = format!("HOME={}\0", home.path().display());
    let contains = |text: &[u8]| text.windows(mark.len()).any(|at| at == mark.as_bytes());
    let processes = fs::read_dir("/proc").expect("processes can be listed");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ids.filter(|id| id.parse::<u32>().is_ok())
        .filter(|id| contains(&fs::read(format!("/proc/{id}/environ")).unwrap_or_default()))
        .map(|id| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            format!("{id}: {}", String::from_utf8_lossy(&line))
        })
        .collect()
}

fn files_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("the directory can be listed");
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// Whoever follows has printed every event once, in order, and is ended.
fn assert_followed(followers: Vec<Running>, expected: &[String]) {
    let last = expected.last().expect("there are events");
    for mut follower in followers {
        wait_until(AFTERWARDS, "the follower has the last event", || {
            follower.printed().contains(last.as_str())
        });
        follower.kill();
        let printed = follower.wait().stdout;
        let lines = printed.lines().map(|line| {
            let event: Value = serde_json::from_str(line).expect("an event is a JSON line");
            text(&event, "event_id").to_owned()
        });
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn sixty_four_processes_share_a_store_and_a_cloud() {
    assert_eq!(KINDS.iter().map(|(_, n)| n).sum::<usize>() + FOLLOWERS, 64);
    let server = Sqld::start(Auth::Jwt);
    let token = server.token(Access::ReadWrite, 24 * 3600);
    let home = home()
        .env("HZL_SYNC_URL", server.url())
        .env("HZL_SYNC_TOKEN", &token);
    home.write("config/hzl/config.json", "{}");
    let shared = Shared::default();
    let first = home.json(&["task", "add", "The first of the crowd", "-s", "ready"]);
    push(&shared.tasks, text(&first, "task_id"));
    let follow = ["events", "--follow", "--from", "0"];
    let followers: Vec<Running> = (0..FOLLOWERS).map(|_| home.spawn(&follow)).collect();

    let time = Duration::from_secs(setting("HZL_TEST_CROWD_SECONDS", 15));
    let (workers, largest) = let_work(&home, &shared, time);

    assert_nobody_starved(&workers);
    let claimed = assert_each_once("handed out", &shared.claimed);
    assert_eq!(assert_each_once("done", &shared.completed), claimed);
    report(&format!("largest WAL {largest} bytes"));
    assert!(largest <= WAL_BYTES, "a WAL grew to {largest} bytes");

    wait_until(AFTERWARDS, "all is sent", || {
        home.json(&["status"])["data"]["pendingEvents"] == 0
    });
    let events = events_of(&store(&home, "events.db"));
    let ids = events.iter().map(|event| event.split(' ').next());
    let ids: Vec<String> = ids.flatten().map(str::to_owned).collect();
    assert_followed(followers, &ids);
    wait_until(AFTERWARDS, "nobody works in the background", || {
        processes_of(&home).is_empty()
    });
    let left = wal_bytes(&home);
    assert!(left <= WAL_BYTES_LEFT, "a WAL of {left} bytes is left");
    assert_all_agree(&home, &server, &token, &events);
    assert_acknowledged(&home, &shared, &claimed);
    assert_backups(&home, &events);
    assert_tidy(&home);
}

/// Log, projections and cloud say the same.
fn assert_all_agree(home: &Home, server: &Sqld, token: &str, events: &[String]) {
    let mut here = events.to_vec();
    let mut there = events_in_cloud(server, token);
    here.sort();
    there.sort();
    assert_eq!(here, there, "the cloud has exactly the events here");
    let verified = home.json(&["sync", "--verify"]);
    assert!(
        verified.to_string().contains("\"projections\":\"ok\""),
        "{verified}"
    );
    let hash = || home.json(&["status"])["data"]["stateHash"].clone();
    let before = hash();
    home.json(&["rebuild"]);
    assert_eq!(hash(), before, "a rebuild arrives at the same state");
    let doctor = home.json(&["doctor"]);
    for (name, check) in doctor["checks"].as_object().expect("checks") {
        assert_eq!(check["status"], "pass", "{name}: {doctor}");
    }
}

/// Whatever was answered is in the log, once.
fn assert_acknowledged(home: &Home, shared: &Shared, claimed: &BTreeSet<String>) {
    let log = home.hzl(&["events"]).stdout;
    let log = log.lines().map(serde_json::from_str);
    let log: Vec<Value> = log.collect::<Result<_, _>>().expect("JSON lines");
    let having = |key: &str, value: &str| {
        let of = |event: &&Value| event["data"][key] == value;
        let found = log.iter().filter(of);
        found
            .map(|event| text(event, "task_id").to_owned())
            .collect::<Vec<_>>()
    };
    for to in ["in_progress", "done"] {
        let tasks = having("to", to);
        assert_eq!(tasks.len(), claimed.len(), "{to}");
        assert_eq!(&tasks.into_iter().collect::<BTreeSet<_>>(), claimed, "{to}");
    }
    for comment in all(&shared.comments) {
        assert_eq!(having("text", &comment).len(), 1, "{comment}");
    }
    let created = log.iter().filter(|event| event["type"] == "task_created");
    let created = created.map(|event| text(event, "task_id").to_owned());
    let tasks = assert_each_once("added", &shared.tasks);
    assert_eq!(created.collect::<BTreeSet<_>>(), tasks);
}

/// A backup holds the log as it was at one moment: its first events.
fn assert_backups(home: &Home, events: &[String]) {
    let backups = files_in(home.path());
    let backups = backups.iter().filter(|name| name.starts_with("backup-"));
    let mut count = 0;
    for name in backups {
        let held = events_of(&home.path().join(name));
        assert!(!held.is_empty(), "{name}");
        assert_eq!(held, events[..held.len()], "{name}");
        count += 1;
    }
    assert_eq!(count, 2);
}

/// No file is left but those of the store, which the next command finds.
fn assert_tidy(home: &Home) {
    let expected = [
        "cache.db",
        "cache.db-shm",
        "cache.db-wal",
        "events.db",
        "events.db-shm",
        "events.db-wal",
        "sync.lock",
        "write.lock",
    ];
    let mut found = files_in(&home.data().join("hzl"));
    for name in expected {
        found.remove(name);
    }
    assert!(found.is_empty(), "left behind: {found:?}");
    let mut rest = files_in(home.path());
    rest.retain(|name| !name.starts_with("backup-"));
    assert_eq!(rest.into_iter().collect::<Vec<_>>(), ["config", "data"]);
    wait_until(AFTERWARDS, "no process is left", || {
        processes_of(home).is_empty()
    });
}
