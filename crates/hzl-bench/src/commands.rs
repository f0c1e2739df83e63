//! What single commands cost, beside an empty program and the least that SQLite costs.

use std::cell::Cell;
use std::fs;
use std::process::Command;

use hzl_testkit::made_up::Shape;
use serde_json::Value;
use serde_json::json;

use crate::machine::Machine;
use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::code;
use crate::report::number;
use crate::stores::Bench;
use crate::timing::Contestant;
use crate::timing::Results;
use crate::timing::in_turn;

/// Commands that only read, and what P1 says of them.
const READS: [&str; 3] = ["task show", "task list", "task list --available"];
const WRITES: [&str; 3] = ["task add", "task claim --next", "task complete"];

pub(crate) fn run(bench: &Bench) -> Section {
    let rounds = bench.choose(40, 100, 300);
    let pair = bench.fresh("pair");
    bench.prepare(&["init"], &pair);
    let mut line = vec![bench.nop()];
    line.extend(bench.nop_musl());
    for work in ["open1", "open2", "insert"] {
        let pair = pair.clone();
        line.push(Contestant::new(work, None, move |_| {
            bench.floor(&[work], &pair)
        }));
    }
    let sizes = bench.sizes();
    for tasks in sizes {
        let machine = bench.machine("commands", *tasks, Shape::Lived);
        line.extend(contestants(&machine, *tasks, rounds));
    }
    let results = in_turn(bench, rounds, &mut line);
    report(bench, &results, sizes)
}

/// Every command, on one machine.
fn contestants(machine: &Machine, tasks: u64, rounds: usize) -> Vec<Contestant<'static>> {
    let ready = add_ready(machine, 2 * rounds + 2, "claimable");
    let mut held = ready;
    held.truncate(rounds + 1);
    for id in &held {
        machine.json(&["task", "claim", id, "--agent", "ada"]);
    }
    let shown = machine.claimable(1).remove(0);
    let fixed = |name: &str, arguments: &[&str]| {
        let (machine, arguments) = (machine.clone(), owned(arguments));
        Contestant::new(name, Some(tasks), move |_| call(&machine, &arguments))
    };
    let next_held = Cell::new(0);
    let completing = machine.clone();
    vec![
        fixed("--version", &["--version"]),
        fixed("task show", &["task", "show", &shown]),
        fixed("task list", &["task", "list"]),
        fixed("task list --available", &["task", "list", "--available"]),
        fixed(
            "task search",
            &["task", "search", "claimable", "--limit", "20"],
        ),
        fixed("status", &["status"]),
        fixed(
            "task add",
            &[
                "task",
                "add",
                "Write it down",
                "-P",
                "docs",
                "-t",
                "one,two",
                "-s",
                "ready",
            ],
        ),
        fixed(
            "task claim --next",
            &["task", "claim", "--next", "--agent", "ada"],
        ),
        Contestant::new("task complete", Some(tasks), move |_| {
            let number = next_held.replace(next_held.get() + 1);
            completing.command(&["task", "complete", &held[number], "--author", "ada"])
        }),
    ]
}

/// Adds ready tasks, and returns their ids.
pub(crate) fn add_ready(machine: &Machine, count: usize, title: &str) -> Vec<String> {
    let task = |n| {
        json!({"title": format!("{title} {n}"), "status": "ready", "project": "web"}).to_string()
    };
    let lines: Vec<String> = (0..count).map(task).collect();
    let file = machine.directory().join("more.json");
    fs::write(&file, lines.join("\n")).expect("the home is writable");
    let answer = machine.json(&["task", "add", "--from-json", &file.to_string_lossy()]);
    ids(&answer)
}

/// Every task id in an answer, wherever it stands, in order.
fn ids(value: &Value) -> Vec<String> {
    match value {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(id) if key == "task_id" => vec![id.clone()],
                other => ids(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        _ => vec![],
    }
}

pub(crate) fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn call(machine: &Machine, arguments: &[String]) -> Command {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    machine.command(&words)
}

fn report(bench: &Bench, results: &Results, sizes: &[u64]) -> Section {
    let nop = results.get("nop", None);
    let figures: Vec<Value> = results.0.iter().map(|series| series.json(nop)).collect();
    let mut section = Section::new("commands", Value::from(figures));
    let header = [
        "Command",
        "Tasks",
        "p50 µs",
        "p99 µs",
        "CPU µs",
        "× nop",
        "× nop, CPU",
        "Peak MB",
    ];
    let mut table = Table::new("One process each, in turn.", &header);
    for series in &results.0 {
        table.rows.push(vec![
            code(&series.name),
            series
                .tasks
                .map_or_else(|| "–".to_owned(), |tasks| number(tasks as f64)),
            number(series.wall()),
            number(series.p99()),
            number(series.cpu()),
            number(series.over(nop)),
            number(series.cpu_over(nop)),
            number(series.peak_mb),
        ]);
    }
    section.tables.push(table);
    let (first, last) = (sizes.first().copied(), sizes.last().copied());
    let most = number(last.unwrap_or_default() as f64);
    let open = results.get("open2", None).over(nop);
    let insert = results.get("insert", None);
    for name in READS {
        let (small, large) = (results.get(name, first), results.get(name, last));
        let at = |what: &str| format!("{} at {most} tasks, {what}", code(name));
        section.targets.extend([
            Target::at_most("P1", at("× empty program"), large.over(nop), 3.5).with_floor(open),
            Target::at_most("P1", at("p99 × p50"), large.p99() / large.wall(), 2.0)
                .with_floor(nop.p99() / nop.wall()),
            Target::at_most("P1", at("× at 1,000"), large.over(small), 1.3).with_floor(1.0),
        ]);
    }
    for name in WRITES {
        let large = results.get(name, last);
        let at = |what: &str| format!("{} at {most} tasks, {what}", code(name));
        section.targets.extend([
            Target::at_most("P2", at("× empty program"), large.over(nop), 4.5)
                .with_floor(insert.over(nop)),
            Target::at_most("P2", at("× bare durable insert"), large.over(insert), 1.4)
                .with_floor(1.0),
        ]);
    }
    let size = fs::metadata(&bench.hzl).expect("hzl is a file").len() as f64 / 1e6;
    let peak = results
        .0
        .iter()
        .filter(|series| series.tasks == last)
        .map(|series| series.peak_mb);
    section.targets.extend([
        Target::at_most("P9", "the program, MB", size, 12.0),
        Target::at_most(
            "P9",
            format!("memory of a command at {most} tasks, MB"),
            peak.fold(0.0, f64::max),
            12.0,
        )
        .with_floor(results.get("open2", None).peak_mb),
    ]);
    section
}
