//! Killed at any moment: what was acknowledged is there, once, and everything goes on.

use std::collections::BTreeSet;
use std::ops::Range;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use hzl_testkit::home::Home;
use hzl_testkit::random::Random;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::cloud::Cloud;
use crate::cloud::Device;
use crate::cloud::assert_same;
use crate::cloud::manual;
use crate::home;

/// Runs SQL on a file of the store as it lies on the disk.
fn query(home: &Home, file: &str, sql: &str) -> Vec<String> {
    let conn = Connection::open(home.data().join("hzl").join(file)).expect("the file opens");
    let mut statement = conn.prepare(sql).expect("the statement fits");
    let rows = statement.query_map([], |row| row.get(0)).expect("it runs");
    rows.collect::<Result<_, _>>().expect("rows are read")
}

#[track_caller]
fn assert_sound(home: &Home) {
    for file in ["events.db", "cache.db"] {
        assert_eq!(
            query(home, file, "pragma integrity_check"),
            ["ok"],
            "{file}"
        );
    }
    let doctor = home.json(&["doctor"]);
    assert_eq!(
        doctor["checks"]["projections"]["status"], "pass",
        "{doctor}"
    );
}

/// Adds or comments until it has done so `times` times, and kills every second run at some moment.
/// Returns what was acknowledged: titles and texts.
fn write_and_kill(home: &Home, writer: u64, times: u64, task: &str) -> Vec<String> {
    let mut random = Random::new(0x9E37_79B9 + writer * 7919);
    let mut acknowledged = vec![];
    for number in 0..times {
        let text = format!("by {writer}, number {number}");
        let line = match random.below(2) {
            0 => ["task", "add", &text, "-P", "inbox"],
            _ => ["task", "comment", task, &text, "--author=w"],
        };
        let mut running = home.spawn(&line);
        let killed = random.below(2) == 0;
        if killed {
            thread::sleep(random.within(Duration::from_millis(40)));
            running.kill();
        }
        let run = running.wait();
        assert!(run.exit == 0 || killed, "{run}");
        // What was printed counts, even if the process did not get to its end.
        if serde_json::from_str::<Value>(&run.stdout).is_ok() {
            acknowledged.push(text);
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_kills_once() {
    let home = home();
    let task = add(&home, &["Talk"]);
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                scope.spawn({
                    let (home, task) = (&home, &task);
                    move || write_and_kill(home, writer, 24, task)
                })
            })
            .collect();
        let all = writers.into_iter().map(|writer| writer.join());
        all.flat_map(|texts| texts.expect("no writer fails"))
            .collect()
    });
    let more = add(&home, &["The next command works"]);
    home.json(&["task", "show", &more]);
    let events = crate::log(&home);
    let ids: BTreeSet<_> = events
        .iter()
        .map(|event| event["event_id"].to_string())
        .collect();
    assert_eq!(ids.len(), events.len(), "no event twice");
    for text in &acknowledged {
        let has = |event: &&Value| {
            event["data"]["title"] == text.as_str() || event["data"]["text"] == text.as_str()
        };
        assert_eq!(events.iter().filter(has).count(), 1, "{text}");
    }
    assert!(
        acknowledged.len() > 64,
        "most of those that were not killed"
    );
    assert_sound(&home);
    assert_follows_from_the_log(&home);
}

/// Checks that a cache built anew says the same.
fn assert_follows_from_the_log(home: &Home) {
    let hash = || home.json(&["status"])["data"]["stateHash"].clone();
    let before = hash();
    for file in ["cache.db", "cache.db-wal", "cache.db-shm"] {
        let path = home.data().join("hzl").join(file);
        assert!(!path.exists() || std::fs::remove_file(path).is_ok());
    }
    assert_eq!(hash(), before);
}

/// Writes tasks with these numbers straight into the log, as fast as the disk takes them.
fn fill(home: &Home, numbers: Range<u32>) {
    let mut log = Connection::open(home.data().join("hzl/events.db")).expect("the log opens");
    let transaction = log.transaction().expect("nobody else writes");
    for number in numbers {
        let sql = "insert into events (event_id, task_id, type, data, timestamp)
                   values ('01HZZ' || ?1, '01HZX' || ?1, 'task_created', ?2,
                           '2025-03-01T00:00:00.000Z')";
        let data = json!({"title": format!("Task {number}"), "project": "inbox"}).to_string();
        transaction
            .execute(sql, (format!("{number:021}"), data))
            .expect("an event can be added");
    }
    transaction.commit().expect("it is written");
}

/// Runs `hzl sync` and kills it at some moment before `end`.
fn sync_and_kill(device: &Device, random: &mut Random, end: Duration) {
    let mut running = device.spawn(&["sync"]);
    thread::sleep(random.within(end));
    running.kill();
    let run = running.wait();
    assert!(run.exit == 0 || run.exit == -1, "{run}");
}

#[test]
fn a_sync_that_is_killed_is_finished_by_the_next() {
    let cloud = Cloud::start();
    let (a, b, c) = (cloud.device(), cloud.device(), cloud.device());
    let own = add(&a, &["By hand", "--comment", "with a note"]);
    let mut random = Random::new(0x5EED);
    for round in 0..10 {
        fill(&a, round * 200..(round + 1) * 200);
        sync_and_kill(&a, &mut random, Duration::from_millis(250));
        sync_and_kill(&b, &mut random, Duration::from_millis(250));
    }
    let expected = a.event_ids();
    assert_eq!(expected.len(), 2_003);
    let started = Instant::now();
    a.sync();
    let pushed_in = started.elapsed();
    assert_eq!((a.event_ids(), a.pending()), (expected.clone(), 0));
    // Pages of a thousand rows.
    for _ in 0..3 {
        sync_and_kill(&c, &mut random, pushed_in + Duration::from_millis(300));
    }
    for device in [&b, &c] {
        device.sync();
        assert_eq!(device.event_ids(), expected);
        let again = device.sync();
        assert_eq!((&again["pushed"], &again["pulled"]), (&json!(0), &json!(0)));
        assert_same(&a, device);
    }
    b.json(&["task", "comment", &own, "on"]);
    b.sync();
    assert_eq!(a.sync()["pulled"], 1);
    for device in [&a, &b] {
        assert_sound(device);
        assert_follows_from_the_log(device);
    }
}

#[test]
fn a_server_that_is_killed_loses_nothing_either() {
    let mut cloud = Cloud::start();
    let (a, b) = (cloud.device(), cloud.device());
    add(&a, &["By hand"]);
    fill(&a, 0..2_000);
    let mut random = Random::new(0xFEED);
    for _ in 0..3 {
        let running = a.spawn(&["sync"]);
        thread::sleep(random.within(Duration::from_millis(150)));
        cloud.server.kill();
        let run = running.wait();
        assert!([0, 8].contains(&run.exit), "{run}");
        cloud.server.restart();
    }
    a.sync();
    b.sync();
    assert_same(&a, &b);
}

/// Everything a failed command could have changed, in both files.
#[derive(Debug, PartialEq)]
struct Content {
    events: String,
    tasks: Vec<String>,
    pending: u64,
}

impl Content {
    fn of(device: &Device) -> Self {
        let columns = query(
            device,
            "cache.db",
            "select group_concat('quote(' || name || ')', '||') from pragma_table_info('p_tasks')",
        );
        let tasks = format!("select {} from p_tasks order by 1", columns.concat());
        Self {
            events: device.hzl(&["events"]).stdout,
            tasks: query(device, "cache.db", &tasks),
            pending: device.pending(),
        }
    }
}

#[test]
fn a_command_that_fails_writes_nothing_although_there_is_a_cloud() {
    let mut cloud = Cloud::start();
    let (device, elsewhere) = (cloud.device(), cloud.device());
    let task = add(&device, &["T", "-s", "ready"]);
    let held = add(&device, &["Held", "-s", "ready"]);
    let done = add(&device, &["Done", "-s", "done"]);
    device.json(&["task", "claim", &held, "--agent", "ann"]);
    device.sync();
    add(&device, &["Waits"]);
    add(&elsewhere, &["Foreign"]);
    let url = cloud.server.url();
    cloud.server.stop();
    let long = "x".repeat(70_000);
    let before = Content::of(&device);
    assert_eq!((before.tasks.len(), before.pending), (4, 1));
    for (line, exit) in [
        (&["sync"][..], 8),
        (&["sync", "--merge"], 8),
        (&["sync", "--reset"], 8),
        (&["sync", "--conflict-strategy", "discard-local"], 3),
        (&["init", "--sync-url", "ftp://x"], 9),
        (&["init", "--sync-url", &url, "--auth-token", " "], 2),
        (&["init", "--force"], 2),
        (&["init", "--encryption-key", "k3y"], 3),
        (&["project", "create", "inbox"], 1),
        (&["project", "create", "bad name"], 1),
        (&["project", "show", "nosuch"], 4),
        (&["task", "add", ""], 1),
        (&["task", "add", "T", "-P", "nosuch"], 1),
        (&["task", "add", "T", "--depends-on", "00NO"], 4),
        (&["task", "add", "T", "--parent", "00NO"], 4),
        (&["task", "add", "T", "--comment", &long], 1),
        (&["task", "claim", &held, "--agent", "bob"], 3),
        (&["task", "start", &done], 3),
        (&["task", "complete", &task], 3),
        (&["task", "complete", &held, "--claim", "00NO"], 7),
        (&["task", "release", &task], 3),
        (&["task", "checkpoint", &held, ""], 1),
        (&["task", "comment", &held, " "], 1),
        (&["task", "progress", &held, "101"], 2),
        (
            &["task", "update", &task, "--title", "New", "--parent", &task],
            3,
        ),
        (&["task", "set-status", &task, "nonsense"], 3),
        (&["task", "frobnicate"], 2),
    ] {
        let run = device.hzl(line);
        assert_eq!((run.exit, run.stderr.as_str()), (exit, ""), "{run}");
        assert_eq!(run.stdout.lines().count(), 1, "{run}");
        assert_eq!(run.json()["ok"], false, "{run}");
        assert_eq!(Content::of(&device), before, "{run}");
    }
    // Nor when it is the cloud that refuses.
    cloud.server.restart();
    let before = Content::of(&elsewhere);
    elsewhere.fails(&["sync"], 10);
    elsewhere.configure(&url, "wrong", &manual());
    elsewhere.fails(&["sync"], 9);
    assert_eq!(Content::of(&elsewhere), before);
}
