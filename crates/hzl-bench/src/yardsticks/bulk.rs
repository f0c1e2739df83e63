//! Whole logs: append, scan, and fold with a bulk insert.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::params;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Line<'a> {
    event_id: &'a str,
    task_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
    author: Option<&'a str>,
    timestamp: &'a str,
}

pub(crate) fn append(file: &Path, database: &Path) {
    drop(fs::remove_file(database));
    let mut log = Connection::open(database).expect("a database");
    log.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full;
         create table events (id integer primary key, event_id text not null unique,
           task_id text not null, type text not null, data text not null check (json_valid(data)),
           author text, timestamp text not null);
         create index events_task on events (task_id, id);",
    )
    .expect("tables can be made");
    let transaction = log.transaction().expect("a transaction");
    let mut insert = transaction
        .prepare("insert into events (event_id, task_id, type, data, author, timestamp) values (?, ?, ?, ?, ?, ?)")
        .expect("a statement");
    let mut lines = BufReader::with_capacity(1 << 20, File::open(file).expect("the export opens"));
    let mut text = String::new();
    while lines.read_line(&mut text).expect("it can be read") > 0 {
        let line: Line<'_> = serde_json::from_str(&text).expect("a line is an event");
        let Line {
            event_id,
            task_id,
            kind,
            data,
            author,
            timestamp,
        } = line;
        insert
            .execute(params![
                event_id,
                task_id,
                kind,
                data.get(),
                author,
                timestamp
            ])
            .expect("an event");
        text.clear();
    }
    drop(insert);
    transaction.commit().expect("a commit");
}

fn read_only(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the log opens")
}

const ALL: &str = "select task_id, type, data, timestamp from events order by id";

pub(crate) fn scan(database: &Path) {
    let log = read_only(database);
    let mut statement = log.prepare(ALL).expect("a statement");
    let mut rows = statement.query([]).expect("a query");
    let mut bytes = 0;
    while let Some(row) = rows.next().expect("a row") {
        for column in 0..4 {
            bytes += row
                .get_ref(column)
                .and_then(|value| Ok(value.as_str()?.len()))
                .expect("a text");
        }
    }
    assert!(bytes > 0);
}

/// What any event may say.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    project: Option<Cow<'a, str>>,
    #[serde(borrow)]
    description: Option<Cow<'a, str>>,
    priority: Option<u8>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    depends_on: Vec<String>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Task {
    title: String,
    project: String,
    description: Option<String>,
    priority: u8,
    tags: Vec<String>,
    depends_on: Vec<String>,
    status: String,
    created_at: String,
    updated_at: String,
}

pub(crate) fn fold(database: &Path, out: &Path) {
    drop(fs::remove_file(out));
    let mut cache = Connection::open(out).expect("a database");
    cache
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = normal;
             create table tasks (id integer primary key, task_id text not null unique, title text not null,
               project text not null, description text, priority integer not null, status text not null,
               created_at text not null, updated_at text not null);
             create table tags (tag text not null, task_id text not null, primary key (tag, task_id)) without rowid;
             create table deps (task_id text not null, on_id text not null, primary key (task_id, on_id))
               without rowid;
             create table notes (id integer primary key, task_id text not null, text text not null,
               at text not null);
             create virtual table search using fts5 (title, description, tags, content = '',
               contentless_delete = 1);",
        )
        .expect("tables can be made");
    let transaction = cache.transaction().expect("a transaction");
    let mut tasks: HashMap<String, Task> = HashMap::new();
    {
        let mut note = transaction
            .prepare("insert into notes (task_id, text, at) values (?, ?, ?)")
            .expect("a statement");
        let log = read_only(database);
        let mut statement = log.prepare(ALL).expect("a statement");
        let mut rows = statement.query([]).expect("a query");
        while let Some(row) = rows.next().expect("a row") {
            let text = |column| {
                row.get_ref(column)
                    .and_then(|value| Ok(value.as_str()?))
                    .expect("a text")
            };
            let (id, kind, at) = (text(0), text(1), text(3));
            if kind == "project_created" {
                continue;
            }
            let data: Data<'_> = serde_json::from_str(text(2)).expect("data is JSON");
            if let Some(text) = data.text.or(data.name) {
                note.execute(params![id, text, at]).expect("a row");
                continue;
            }
            if !tasks.contains_key(id) {
                tasks.insert(id.to_owned(), Task::default());
            }
            let task = tasks.get_mut(id).expect("it was just put there");
            at.clone_into(&mut task.updated_at);
            match kind {
                "task_created" => {
                    task.title = data.title.unwrap_or_default().into_owned();
                    task.project = data.project.unwrap_or_default().into_owned();
                    task.description = data.description.map(Cow::into_owned);
                    task.priority = data.priority.unwrap_or_default();
                    task.tags = data.tags;
                    task.depends_on = data.depends_on;
                    "backlog".clone_into(&mut task.status);
                    at.clone_into(&mut task.created_at);
                }
                "task_archived" => "archived".clone_into(&mut task.status),
                _ => task.status = data.to.unwrap_or_default().into_owned(),
            }
        }
    }
    write(&transaction, &tasks.into_iter().collect());
    transaction
        .execute_batch(
            "create index tasks_status on tasks (status, priority desc, created_at, task_id);
             create index tasks_project on tasks (project, status, priority desc, created_at, task_id);
             create index tasks_order on tasks (priority desc, created_at, task_id);
             create index notes_task on notes (task_id, id);",
        )
        .expect("indexes can be made");
    transaction.commit().expect("a commit");
}

/// Writes the tasks in the order of their keys.
fn write(cache: &Connection, tasks: &BTreeMap<String, Task>) {
    let prepare = |sql| cache.prepare(sql).expect("a statement");
    let mut row = prepare("insert into tasks values (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    let mut words =
        prepare("insert into search (rowid, title, description, tags) values (?, ?, ?, ?)");
    let mut edge = prepare("insert into deps values (?, ?)");
    let mut tag = prepare("insert or ignore into tags values (?, ?)");
    let mut tags = vec![];
    for (number, (id, task)) in (1_i64..).zip(tasks) {
        let Task {
            title,
            project,
            description,
            priority,
            status,
            created_at,
            updated_at,
            ..
        } = task;
        row.execute(params![
            number,
            id,
            title,
            project,
            description,
            priority,
            status,
            created_at,
            updated_at
        ])
        .expect("a row");
        words
            .execute(params![number, title, description, task.tags.join(" ")])
            .expect("a row");
        for on in &task.depends_on {
            edge.execute([id, on]).expect("a row");
        }
        tags.extend(task.tags.iter().map(|tag| (tag, id)));
    }
    tags.sort_unstable();
    for (name, id) in tags {
        tag.execute([name, id]).expect("a row");
    }
}
