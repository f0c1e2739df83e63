//! What scenarios do to their home without the binary: files, folders, and logs that are older than
//! any test could wait for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use super::data;
use super::variables::Variables;
use super::variables::time_at;

/// The log of 3.2.0.
const LOG: &str = "
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    schema_version INTEGER NOT NULL DEFAULT 1,
    author TEXT,
    agent_id TEXT,
    session_id TEXT,
    correlation_id TEXT,
    causation_id TEXT,
    timestamp TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)";

/// Carries out a helper.
pub(super) fn help(
    home: &Path,
    variables: &mut Variables,
    words: &[String],
    body: &str,
) -> Result<(), String> {
    let filled: Result<Vec<_>, _> = words.iter().map(|word| variables.fill(word)).collect();
    let filled = filled?;
    let words: Vec<&str> = filled.iter().map(String::as_str).collect();
    match words[..] {
        ["write", path] => write(&home.join(path), &variables.fill(body)?),
        ["rm", ref patterns @ ..] => patterns.iter().try_for_each(|p| remove(home, p)),
        ["mkdir", path] => fs::create_dir_all(home.join(path)).map_err(|error| error.to_string()),
        ["chmod", mode, path] => {
            let mode = u32::from_str_radix(mode, 8).map_err(|error| error.to_string())?;
            fs::set_permissions(home.join(path), fs::Permissions::from_mode(mode))
                .map_err(|error| error.to_string())
        }
        ["sleep", millis] => {
            let millis = millis.parse().map_err(|_| format!("bad time {millis}"))?;
            thread::sleep(Duration::from_millis(millis));
            Ok(())
        }
        ["store", fixture] => store(home, variables, fixture),
        ["exists", path] if !home.join(path).exists() => Err(format!("{path} does not exist")),
        ["missing", path] if home.join(path).exists() => Err(format!("{path} should not exist")),
        ["exists" | "missing", _] => Ok(()),
        _ => Err(format!("unknown helper {words:?}")),
    }
}

fn write(path: &Path, content: &str) -> Result<(), String> {
    let folder = path.parent().ok_or("a path below the home has a parent")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, content))
        .map_err(|error| error.to_string())
}

/// Removes what a pattern stands for: its last part may have `*`.
fn remove(home: &Path, pattern: &str) -> Result<(), String> {
    let (folder, pattern) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let Ok(entries) = fs::read_dir(home.join(folder)) else {
        return Ok(());
    };
    for entry in entries.map_while(Result::ok) {
        if is_like(&entry.file_name().to_string_lossy(), pattern) {
            let removed = if entry.path().is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            removed.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| is_like(&name[at..], rest))
        }),
    }
}

/// Lays down a log with events at chosen times. Names of tasks become variables.
fn store(home: &Path, variables: &mut Variables, fixture: &str) -> Result<(), String> {
    let text = fs::read_to_string(data("fixtures").join(fixture)).map_err(|e| e.to_string())?;
    let rows: Result<Vec<Value>, _> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
        .map(serde_json::from_str)
        .collect();
    let rows = rows.map_err(|error| format!("{fixture}: {error}"))?;
    let mut tasks = 0;
    for name in rows.iter().filter_map(|row| row["task"].as_str()) {
        if variables.get(name).is_err() {
            tasks += 1;
            variables.set(name, format!("01HZX{tasks:021}"));
        }
    }
    let folder = home.join("data/hzl");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut log = Connection::open(folder.join("events.db")).map_err(|e| e.to_string())?;
    insert(&mut log, variables, &rows).map_err(|reason| format!("{fixture}: {reason}"))
}

fn insert(log: &mut Connection, variables: &Variables, rows: &[Value]) -> Result<(), String> {
    let sql = |error: rusqlite::Error| error.to_string();
    let log = log.transaction().map_err(sql)?;
    log.execute_batch(LOG).map_err(sql)?;
    for (row, number) in rows.iter().zip(1..) {
        let text = |key: &str| row[key].as_str();
        log.execute(
            "INSERT INTO events (event_id, task_id, type, data, author, agent_id, timestamp)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                format!("01HZZ{number:021}"),
                text("task").map_or(Ok("__project__"), |name| variables.get(name))?,
                text("type"),
                fill(&row["data"], variables)?.to_string(),
                text("author"),
                text("agent_id"),
                time_at(text("at").ok_or("an event without time")?)?.to_string(),
            ),
        )
        .map_err(sql)?;
    }
    log.commit().map_err(sql)
}

/// Replaces variables in all texts of a value, and texts like `@-3d` with times.
fn fill(value: &Value, variables: &Variables) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => match text.strip_prefix('@').map(time_at) {
            Some(Ok(time)) => Value::String(time.to_string()),
            _ => Value::String(variables.fill(text)?),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| fill(item, variables))
            .collect::<Result<_, _>>()?,
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| Ok((key.clone(), fill(value, variables)?)))
            .collect::<Result<_, String>>()?,
        other => other.clone(),
    })
}

#[test]
fn a_pattern_may_have_stars() {
    for (name, pattern, like) in [
        ("cache.db", "cache.db*", true),
        ("cache.db-wal", "cache.db*", true),
        ("cache.db", "cache.db", true),
        ("cache.db-wal", "cache.db", false),
        ("events.db-wal", "*.db-*l", true),
        ("events.db", "e*x", false),
    ] {
        assert_eq!(is_like(name, pattern), like, "{name} {pattern}");
    }
}
