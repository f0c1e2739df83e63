//! Damage: files of the store are spoilt in every way disks, tools and people do it.
//!
//! Each time the program heals it, refuses with a code of its table, or answers as if nothing had happened and
//! is right. Never a panic, never a hang, and no wrong answer that `doctor` does not flag. What `doctor --fix`
//! saves is what was there, and the damaged file is still there afterwards.
//!
//! Long: `HZL_TEST_DAMAGE_TRIALS=2000 cargo test -p hzl --test proof damage`; `HZL_TEST_DAMAGE_SEED` is the
//! first seed, and a failure prints the one to repeat it with (`HZL_TEST_DAMAGE_TRIALS=1`): same way, same
//! places; ids and times in the store are new.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::random::Random;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use rusqlite::Connection;
use serde_json::Value;

use crate::home;
use crate::setting;

/// How many stores are spoilt at a time.
const THREADS: usize = 4;

/// The files of a store, by name.
type Files = BTreeMap<String, Vec<u8>>;

fn read_store(home: &Home) -> Files {
    let entries = fs::read_dir(home.data().join("hzl")).expect("there is a store");
    entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("it can be read"))
        })
        .collect()
}

/// Lays the files down in a machine of their own.
fn lay_down(files: &Files) -> Home {
    let home = home();
    home.write("config/hzl/config.json", "{}");
    for (name, content) in files {
        home.write(format!("data/hzl/{name}"), content);
    }
    home
}

/// Sound stores, and what they answer.
struct Fixture {
    /// As it was some commands ago.
    older: Files,
    /// With commits in the WALs, and after a checkpoint.
    hot: Files,
    cold: Files,
    /// Another ledger.
    foreign: Files,
    /// Commands and what they print.
    answers: Vec<(Vec<String>, String)>,
    events: BTreeSet<String>,
}

fn fill(home: &Home, words: &str, tasks: usize) -> Vec<String> {
    home.json(&["project", "create", words]);
    let mut ids: Vec<String> = vec![];
    for number in 0..tasks {
        let title = format!("The {words} task number {number}");
        let mut line = vec![
            "task", "add", &title, "-P", words, "-s", "ready", "-t", "tag",
        ];
        if let Some(last) = ids.last().filter(|_| number % 3 == 1) {
            line.extend(["--depends-on", last]);
        }
        let task = home.json(&line)["task_id"].as_str().map(str::to_owned);
        ids.push(task.expect("an id"));
    }
    for (number, id) in ids.iter().enumerate() {
        let text = format!("{words} {number} ").repeat(20);
        home.json(&["task", "comment", id, &text]);
    }
    home.json(&["task", "claim", "--next", "--agent", "ann"]);
    ids
}

impl Fixture {
    fn make() -> Self {
        let other = home();
        fill(&other, "foreign", 4);
        // Half of it has been settled by a cloud.
        let server = Sqld::start(Auth::Jwt);
        let token = server.token(Access::ReadWrite, 3600);
        let mut home = home()
            .env("HZL_SYNC_URL", server.url())
            .env("HZL_SYNC_TOKEN", &token);
        let manual = r#"{"db": {"sync": {"policy": "manual"}}, "sync": {"claims": "local"}}"#;
        home.write("config/hzl/config.json", manual);
        let mut tasks = fill(&home, "settled", 10);
        home.json(&["sync"]);
        home.remove_env("HZL_SYNC_URL");
        home.remove_env("HZL_SYNC_TOKEN");
        let older = read_store(&home);
        tasks.extend(fill(&home, "waiting", 6));
        home.json(&["task", "list"]);
        let hot = read_store(&home);
        let reads = reads(&tasks);
        let answers = reads.into_iter().map(|line| {
            let words: Vec<&str> = line.iter().map(String::as_str).collect();
            let run = home.hzl(&words);
            assert_eq!(run.exit, 0, "{run}");
            (line, run.stdout)
        });
        let answers = answers.collect();
        let events = ids(&home.hzl(&["events"]));
        for file in ["events.db", "cache.db"] {
            let conn = Connection::open(home.data().join("hzl").join(file)).expect("it opens");
            conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
                .expect("nobody is in the way");
        }
        Self {
            older,
            hot,
            cold: read_store(&home),
            foreign: read_store(&other),
            answers,
            events,
        }
    }
}

fn reads(tasks: &[String]) -> Vec<Vec<String>> {
    let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let all = ["--limit", "1000", "--stale-threshold", "0"];
    let mut reads: Vec<Vec<String>> = vec![
        line(&["events"]),
        line(&[&["task", "list", "--view", "full"][..], &all[..]].concat()),
        line(&["task", "search", "waiting"]),
        line(&["project", "list"]),
    ];
    for task in tasks.iter().step_by(4) {
        reads.push(line(&["task", "show", task, "--deep"]));
        reads.push(line(&["task", "history", task]));
    }
    reads
}

/// The ids of the events that were printed.
fn ids(events: &Run) -> BTreeSet<String> {
    assert_eq!(events.exit, 0, "{events}");
    let lines = events.stdout.lines();
    lines
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"))
        .map(|event| event["event_id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Ways to spoil a file; the database is `name`.
const WAYS: [&str; 18] = [
    "flip a bit",
    "flip a bit",
    "flip a bit of a text",
    "flip a bit of a text",
    "flip a bit of the wal",
    "zero a range",
    "garbage in a range",
    "swap two pages",
    "cut the file",
    "cut the wal",
    "delete the wal",
    "garbage as shm",
    "a foreign wal",
    "an older file",
    "an older file and wal",
    "garbage in the header",
    "another file",
    "delete the file",
];

fn spoil(files: &mut Files, name: &str, way: &str, fixture: &Fixture, random: &mut Random) {
    let wal = format!("{name}-wal");
    let target = if way.ends_with("wal") { &wal } else { name };
    let mut content = files.get(target).cloned().unwrap_or_default();
    let length = content.len();
    let at = random.below(length);
    match way {
        "flip a bit" | "flip a bit of the wal" if length > 0 => content[at] ^= 1 << random.below(8),
        "flip a bit of a text" => {
            // Text that SQLite cannot judge, wherever it lies now.
            let target = if fixture.cold.get(name) == files.get(name) {
                name
            } else {
                &wal
            };
            content = files.get(target).cloned().unwrap_or_default();
            let words: Vec<usize> = content
                .windows(5)
                .enumerate()
                .filter(|(_, text)| text.iter().all(u8::is_ascii_lowercase))
                .map(|(at, _)| at)
                .collect();
            if !words.is_empty() {
                content[words[random.below(words.len())]] ^= 1;
            }
            files.insert(target.to_owned(), content);
            return;
        }
        "zero a range" | "garbage in a range" => {
            let end = (at + 1 + random.below(6000)).min(length);
            for byte in &mut content[at..end] {
                *byte = if way.starts_with("zero") {
                    0
                } else {
                    random.byte()
                };
            }
        }
        "swap two pages" if length >= 8192 => {
            let (one, other) = (random.below(length / 4096), random.below(length / 4096));
            for byte in 0..4096 {
                content.swap(one * 4096 + byte, other * 4096 + byte);
            }
        }
        "cut the file" | "cut the wal" => content.truncate(at),
        "delete the wal" | "delete the file" => {
            files.remove(target);
            return;
        }
        "garbage as shm" => {
            let garbage = (0..32_768).map(|_| random.byte()).collect();
            files.insert(format!("{name}-shm"), garbage);
            return;
        }
        "a foreign wal" => content.clone_from(&fixture.foreign[&wal]),
        "an older file" => content.clone_from(&fixture.older[name]),
        "an older file and wal" => {
            files.insert(name.to_owned(), fixture.older[name].clone());
            content.clone_from(&fixture.older[&wal]);
        }
        "garbage in the header" => {
            for _ in 0..=random.below(4) {
                let at = random.below(100.min(length));
                if let Some(byte) = content.get_mut(at) {
                    *byte = random.byte();
                }
            }
        }
        "another file" => {
            let sqlite = fixture.foreign["cache.db"].clone();
            let others = [vec![], b"Dear diary,\n".repeat(900), sqlite];
            content.clone_from(&others[random.below(3)]);
        }
        _ => {}
    }
    files.insert(target.to_owned(), content);
}

/// What became of the trials.
#[derive(Default)]
struct Tally {
    right: AtomicU64,
    refused: AtomicU64,
    flagged: AtomicU64,
    fixed: AtomicU64,
    saved: AtomicU64,
    of: AtomicU64,
}

struct Trial<'a> {
    fixture: &'a Fixture,
    home: Home,
    files: Files,
    name: &'a str,
    /// For messages.
    title: String,
}

/// A run that is allowed: it ended by itself, and it either succeeded or gave a code.
fn code(run: &Run, title: &str) -> Option<String> {
    assert!(!run.stderr.contains("panicked"), "{title}\n{run}");
    if run.exit == 0 {
        return None;
    }
    assert!((1..=11).contains(&run.exit), "{title}\n{run}");
    let error = run.json()["error"]["code"].clone();
    Some(
        error
            .as_str()
            .unwrap_or_else(|| panic!("{title}\n{run}"))
            .to_owned(),
    )
}

impl Trial<'_> {
    /// Asks some of the questions; returns whether all answers were right, and whether one was refused.
    fn ask(&self, random: &mut Random) -> (bool, bool) {
        let (mut right, mut refused) = (true, false);
        let count = self.fixture.answers.len();
        let some = 2 + random.below(count - 2);
        for index in [0, 1, some] {
            let (line, expected) = &self.fixture.answers[index];
            let words: Vec<&str> = line.iter().map(String::as_str).collect();
            let run = self.home.hzl(&words);
            match code(&run, &self.title).as_deref() {
                None => right &= run.stdout == *expected,
                Some("database_error") => refused = true,
                Some(_) => right = false,
            }
        }
        (right, refused)
    }

    /// Runs `doctor`; returns whether it found something, and its report.
    fn examine(&self, line: &[&str]) -> (bool, Value) {
        let run = self.home.hzl(line);
        assert!([0, 1].contains(&run.exit), "{}\n{run}", self.title);
        assert!(!run.stderr.contains("panicked"), "{}\n{run}", self.title);
        assert!(!run.stdout.contains("rm "), "{}\n{run}", self.title);
        let report = run.json();
        let checks = report["checks"]
            .as_object()
            .unwrap_or_else(|| panic!("{run}"));
        let flagged = checks.values().any(|check| check["status"] != "pass");
        (flagged, report)
    }

    fn run(&self, random: &mut Random, tally: &Tally) {
        let (right, refused) = self.ask(random);
        if right && !refused {
            tally.right.fetch_add(1, Ordering::Relaxed);
        }
        let (flagged, report) = self.examine(&["doctor"]);
        if refused {
            tally.refused.fetch_add(1, Ordering::Relaxed);
            assert!(
                flagged || right,
                "refused, and doctor is silent: {}\n{report}",
                self.title
            );
        } else if !right {
            tally.flagged.fetch_add(1, Ordering::Relaxed);
            assert!(
                flagged,
                "a wrong answer in silence: {}\n{report}",
                self.title
            );
        }
        if self.name == "cache.db" {
            let (right, refused) = self.ask(random);
            assert!(
                right && !refused,
                "the cache is not healed: {}\n{report}",
                self.title
            );
            assert_eq!(report["success"], true, "{}\n{report}", self.title);
        } else if report["success"] == false {
            self.repair(tally);
        }
    }

    /// Lets the damaged log be repaired.
    fn repair(&self, tally: &Tally) {
        let before = read_store(&self.home);
        let (_, report) = self.examine(&["doctor", "--fix"]);
        let after = read_store(&self.home);
        for (name, content) in &before {
            let kept = format!(
                "{}.damaged-1{}",
                &name[..9.min(name.len())],
                &name[9.min(name.len())..]
            );
            let is_file = name.starts_with("events.db") && !name.ends_with("-shm");
            if is_file && after.contains_key("events.db.damaged-1") {
                assert_eq!(after.get(&kept), Some(content), "{kept}: {}", self.title);
            }
        }
        if report["success"] == false {
            // There is nothing to be saved, and nothing has been touched.
            let untouched = before.get("events.db") == after.get("events.db");
            assert!(untouched, "{}\n{report}", self.title);
            return;
        }
        tally.fixed.fetch_add(1, Ordering::Relaxed);
        let saved = ids(&self.home.hzl(&["events"]));
        let known = saved.intersection(&self.fixture.events).count();
        // A new ledger may have made its inbox, and nothing else.
        assert!(saved.len() <= known + 1, "{}\n{report}", self.title);
        // In a WAL a bit costs all commits after it: SQLite does not go on behind a broken frame.
        if self.title.starts_with("flip a bit of a text") && self.title.contains("cold") {
            let lost = self.fixture.events.len() - known;
            assert!(
                lost <= 1,
                "one bit, {lost} events: {}\n{report}",
                self.title
            );
        }
        tally.saved.fetch_add(known as u64, Ordering::Relaxed);
        tally
            .of
            .fetch_add(self.fixture.events.len() as u64, Ordering::Relaxed);
        let (flagged, again) = self.examine(&["doctor", "--fix"]);
        assert!(
            !flagged && again.get("fixes").is_none(),
            "{}\n{again}",
            self.title
        );
        self.home.json(&["task", "add", "It goes on"]);
    }
}

#[expect(clippy::print_stdout, reason = "the figures of a long run")]
fn play(name: &str, first: u64, trials: u64) {
    let fixture = Fixture::make();
    let (next, tally) = (AtomicU64::new(first), Tally::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + trials {
                        return;
                    }
                    let mut random = Random::new(seed);
                    let is_hot = random.below(2) == 0;
                    let mut files = if is_hot {
                        fixture.hot.clone()
                    } else {
                        fixture.cold.clone()
                    };
                    let way = WAYS[usize::try_from(seed).expect("64 bits") % WAYS.len()];
                    spoil(&mut files, name, way, &fixture, &mut random);
                    let title = format!(
                        "{way}, {name}, {}: HZL_TEST_DAMAGE_SEED={seed} HZL_TEST_DAMAGE_TRIALS=1",
                        if is_hot { "hot" } else { "cold" },
                    );
                    let home = lay_down(&files);
                    let trial = Trial {
                        fixture: &fixture,
                        home,
                        files,
                        name,
                        title,
                    };
                    trial.run(&mut random, &tally);
                    drop(trial.files);
                }
            });
        }
    });
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{name}: {trials} from seed {first}: {} right, {} refused, {} flagged; {} repaired, {} of {} events saved",
        count(&tally.right),
        count(&tally.refused),
        count(&tally.flagged),
        count(&tally.fixed),
        count(&tally.saved),
        count(&tally.of),
    );
}

/// As many trials as wanted, from the seed that is wanted.
fn play_wanted(name: &str) {
    let first = setting("HZL_TEST_DAMAGE_SEED", 1);
    play(name, first, setting("HZL_TEST_DAMAGE_TRIALS", 150));
}

#[test]
fn a_damaged_log_never_answers_wrongly_in_silence() {
    play_wanted("events.db");
}

/// Two pages of the log change places, and events stand where the list of those that were set aside should be: the
/// repair took them over as such, and kept them from the cloud.
#[test]
fn a_repair_takes_no_events_for_ones_that_were_set_aside() {
    play("events.db", 709, 1);
}

#[test]
fn damaged_projections_are_healed() {
    play_wanted("cache.db");
}

/// Finds the page of a database that holds a text, and zeroes it.
pub(crate) fn zero_page_with(path: &Path, text: &str) {
    let mut content = fs::read(path).expect("it can be read");
    // The last: what was the root of the tree keeps what it held as a leaf.
    let found = content
        .windows(text.len())
        .rposition(|at| at == text.as_bytes());
    let page = found.expect("the text is there") / 4096;
    content[page * 4096..(page + 1) * 4096].fill(0);
    fs::write(path, content).expect("it can be written");
}

fn log_of(home: &Home) -> PathBuf {
    home.data().join("hzl/events.db")
}

#[test]
fn what_the_disk_has_lost_comes_back_from_the_cloud() {
    let server = Sqld::start(Auth::Jwt);
    let token = server.token(Access::ReadWrite, 3600);
    let home = home()
        .env("HZL_SYNC_URL", server.url())
        .env("HZL_SYNC_TOKEN", &token);
    let manual = r#"{"db": {"sync": {"policy": "manual"}}, "sync": {"claims": "local"}}"#;
    home.write("config/hzl/config.json", manual);
    fill(&home, "cloudy", 30);
    home.json(&["sync"]);
    home.json(&["task", "add", "Not sent yet"]);
    let (events, hash) = (
        ids(&home.hzl(&["events"])),
        home.json(&["status"])["data"]["stateHash"].clone(),
    );
    let conn = Connection::open(log_of(&home)).expect("it opens");
    conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        .expect("nobody is in the way");
    drop(conn);
    zero_page_with(&log_of(&home), "The cloudy task number 7");
    assert_eq!(home.hzl(&["doctor"]).exit, 1);
    // Another program has the file open all the time, and goes on with the repaired one.
    let other = Connection::open(log_of(&home)).expect("it opens");
    other
        .query_row("select count(*) from sqlite_master", [], |_| Ok(()))
        .expect("it can be read");
    let report = home.json(&["doctor", "--fix"]);
    assert_eq!(report["fixes"][0]["check"], "database", "{report}");
    assert_eq!(ids(&home.hzl(&["events"])), events, "{report}");
    assert_eq!(
        home.json(&["status"])["data"]["stateHash"],
        hash,
        "{report}"
    );
    let count: i64 = other
        .query_row("select count(*) from events", [], |row| row.get(0))
        .expect("the other program goes on");
    assert_eq!(usize::try_from(count).expect("a count"), events.len());
    let verified = home.json(&["sync", "--verify"]);
    assert_eq!(verified["success"], true, "{verified}");
    assert_eq!(home.json(&["doctor", "--fix"]).get("fixes"), None);
}
