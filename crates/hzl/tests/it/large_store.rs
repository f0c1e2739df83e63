//! A store of HZL 3.2.0 with 12,000 tasks: it opens, and answers what a plain model of the rules says.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use std::time::Instant;

use hzl_core::time::Timestamp;
use hzl_testkit::home::Home;
use rusqlite::Connection;
use rusqlite::params;
use serde_json::Value;
use serde_json::json;

use crate::each;
use crate::home;

const SCHEMA: &str = include_str!("../../../hzl-store/tests/it/files_upgrade/events_3_2_0.sql");
const TASKS: usize = 12_000;
/// 2026-01-01T00:00:00Z
const START_MS: i64 = 1_767_225_600_000;
const PROJECTS: [&str; 3] = ["inbox", "web", "docs"];

/// What the model knows of a task.
struct Modelled {
    id: String,
    project: &'static str,
    status: &'static str,
    priority: usize,
    due: Option<String>,
    depends_on: Option<usize>,
    parent: Option<usize>,
    word: usize,
}

/// Returns task number `n` as it is at the end.
fn modelled(n: usize) -> Modelled {
    let parent = (n % 10 == 9).then(|| n - 9);
    let project = PROJECTS[parent.unwrap_or(n) % 3];
    Modelled {
        id: format!("01KE{n:022}"),
        project,
        status: match n % 24 {
            0..=3 => "backlog",
            4..=13 => "ready",
            14..=17 => "in_progress",
            18 | 19 => "blocked",
            20..=22 => "done",
            _ => "archived",
        },
        priority: n % 4,
        due: n
            .is_multiple_of(5)
            .then(|| format!("2027-01-{:02}T00:00:00.000Z", n % 28 + 1)),
        depends_on: (n % 7 == 3).then(|| n - 1),
        parent,
        word: n % 50,
    }
}

/// The statuses a task goes through.
fn way(status: &str) -> &'static [(&'static str, &'static str)] {
    const READY: (&str, &str) = ("backlog", "ready");
    const CLAIMED: (&str, &str) = ("ready", "in_progress");
    match status {
        "ready" => &[READY],
        "in_progress" => &[READY, CLAIMED],
        "blocked" => &[READY, CLAIMED, ("in_progress", "blocked")],
        "done" => &[READY, CLAIMED, ("in_progress", "done")],
        _ => &[],
    }
}

/// Writes the log as 3.2.0 would have, and returns how many events it has.
fn write_log(home: &Home) -> i64 {
    let directory = home.data().join("hzl");
    fs::create_dir_all(&directory).expect("a directory");
    let mut log = Connection::open(directory.join("events.db")).expect("a database");
    // The tables, without the few rows that stand behind them.
    let tables = SCHEMA.split("\ninsert into events").next();
    log.execute_batch(tables.unwrap_or_default())
        .expect("the schema of 3.2.0");
    let transaction = log.transaction().expect("a transaction");
    let mut rows = 0_i64;
    let mut add = |task: &str, kind: &str, data: Value, author: Option<&str>| {
        rows += 1;
        let at = Timestamp::from_millis(START_MS + rows).to_string();
        let sql = "insert into events (event_id, task_id, type, data, author, timestamp)
                   values (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = transaction.prepare_cached(sql).expect("a statement");
        let id = format!("01KD{rows:022}");
        let data = data.to_string();
        statement
            .execute(params![id, task, kind, data, author, at])
            .expect("an event");
    };
    for project in PROJECTS {
        add(
            "__project__",
            "project_created",
            json!({"name": project}),
            None,
        );
    }
    for n in 0..TASKS {
        let task = modelled(n);
        let data = json!({
            "title": format!("Task {n} about topic{}", task.word),
            "project": task.project,
            "priority": task.priority,
            "due_at": task.due,
            "depends_on": task.depends_on.map(|on| vec![modelled(on).id]),
            "parent_id": task.parent.map(|parent| modelled(parent).id),
        });
        add(&task.id, "task_created", without_nulls(data), Some("kim"));
        for (from, to) in way(task.status) {
            let agent = format!("agent-{}", n % 5);
            add(
                &task.id,
                "status_changed",
                json!({"from": from, "to": to}),
                Some(&agent),
            );
        }
        if task.status == "archived" {
            add(&task.id, "task_archived", json!({}), Some("kim"));
        }
    }
    transaction.commit().expect("a commit");
    rows
}

fn without_nulls(mut value: Value) -> Value {
    let entries = value.as_object_mut().expect("an object");
    entries.retain(|_, value| !value.is_null());
    value
}

#[test]
fn it_opens_and_answers_what_the_rules_say() {
    let home = home();
    let events = write_log(&home);
    let model: Vec<Modelled> = (0..TASKS).map(modelled).collect();
    let started = Instant::now();
    let log = home.hzl(&["events", "--fields", "rowid"]).stdout;
    assert_eq!(i64::try_from(log.lines().count()), Ok(events));
    home.json(&["task", "list"]);
    let opened = started.elapsed();
    assert!(opened < Duration::from_secs(30), "{opened:?}");

    // Lists: most important first, then the oldest; archived ones are in none.
    let mut listed: Vec<&Modelled> = model
        .iter()
        .filter(|task| task.status != "archived")
        .collect();
    listed.sort_by_key(|task| (3 - task.priority, task.id.clone()));
    let ids =
        |tasks: &[&Modelled]| -> Vec<Value> { tasks.iter().map(|task| json!(task.id)).collect() };
    for page in [1, 2, 117, 230] {
        let number = page.to_string();
        let answer = home.json(&["task", "list", "--page", &number, "--limit", "50"]);
        assert_eq!(answer["total"], listed.len());
        let first = (page - 1) * 50;
        let expected = &listed[first.min(listed.len())..(first + 50).min(listed.len())];
        let found: Vec<Value> = each(&answer["tasks"], "task_id")
            .into_iter()
            .cloned()
            .collect();
        assert_eq!(found, ids(expected), "page {page}");
    }

    // Projects.
    for project in PROJECTS {
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for task in model.iter().filter(|task| task.project == project) {
            *expected.entry(task.status).or_default() += 1;
        }
        let statuses = home.json(&["project", "show", project])["statuses"].clone();
        for (status, count) in expected {
            assert_eq!(statuses[status], count, "{project} {status}");
        }
    }

    // Search.
    let found = home.json(&["task", "search", "topic7", "--limit", "5"]);
    let expected = model.iter().filter(|task| task.word == 7).count();
    assert_eq!(found["total"], expected, "{found}");

    // The next task: ready, without children, waiting for nothing.
    let is_finished = |n: usize| matches!(model[n].status, "done" | "archived");
    let parents: Vec<usize> = model.iter().filter_map(|task| task.parent).collect();
    let mut candidates: Vec<(usize, &Modelled)> = model
        .iter()
        .enumerate()
        .filter(|(n, task)| {
            task.status == "ready"
                && task.depends_on.is_none_or(is_finished)
                && parents.binary_search(n).is_err()
        })
        .collect();
    candidates.sort_by_key(|(_, task)| {
        let due = task.due.clone();
        (3 - task.priority, due.is_none(), due, task.id.clone())
    });
    for (_, expected) in candidates.iter().take(5) {
        let claimed = home.json(&["task", "claim", "--next", "--agent", "ann"]);
        assert_eq!(claimed["task_id"], expected.id);
    }
    let in_web = candidates.iter().find(|(_, task)| task.project == "web");
    let claimed = home.json(&["task", "claim", "--next", "-P", "web", "--agent", "ann"]);
    let taken = each(
        &home.json(&["task", "list", "--agent", "ann"])["tasks"],
        "task_id",
    )
    .len();
    assert_eq!(taken, 6);
    assert!(
        in_web.is_some() && claimed["task"]["project"] == "web",
        "{claimed}"
    );
    let before = home.json(&["status"])["data"]["stateHash"].clone();
    home.json(&["rebuild"]);
    assert_eq!(home.json(&["status"])["data"]["stateHash"], before);
}
