//! What noise cannot touch: system calls, syncs of the disk, round trips, bytes, SQL statements.
//!
//! `crates/hzl/tests/proof/counts.rs` asserts the first four on every change; here they are counted for the program
//! as it is shipped, which has fewer, since nothing is loaded.

use std::fs;
use std::path::Path;
use std::process::Command;

use hzl_testkit::counted;
use hzl_testkit::counted::Counts;
use hzl_testkit::home::Home;
use hzl_testkit::made_up::Shape;
use hzl_testkit::strace;
use serde_json::Value;
use serde_json::json;

use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::code;
use crate::stores::Bench;

pub(crate) fn run(bench: &Bench) -> Section {
    let mut table = Table::new(
        "One process each. `–`: not counted, since valgrind is not installed or the program has no symbols.",
        &[
            "Command",
            "Tasks",
            "System calls",
            "Syncs",
            "SQL statements",
            "Instructions, millions",
        ],
    );
    let mut figures = vec![];
    let mut targets = vec![];
    let [least_to_read, least_to_write] = ["open2", "insert"].map(|work| {
        let (calls, syncs) = yardstick(bench, work);
        let row = [
            format!("{work} (yardstick)"),
            "–".to_owned(),
            calls.to_string(),
            syncs.to_string(),
        ];
        table.rows.push(
            row.into_iter()
                .chain(["–".to_owned(), "–".to_owned()])
                .collect(),
        );
        f64::from(calls)
    });
    for tasks in [1000, 10_000] {
        let machine = bench.machine("counts", tasks, Shape::Lived);
        let home = Home::new(&bench.hzl);
        let data = home.data();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(machine.directory().join("data"))
            .arg(&data)
            .status();
        assert!(
            copied.expect("cp starts").success(),
            "a store cannot be copied"
        );
        for case in counted::cases(&home) {
            let counts = case.count();
            let inside = inside(&bench.hzl, &case);
            figures.push(json!({
                "command": case.name, "tasks": tasks, "syscalls": counts.total(), "syncs": counts.syncs(),
                "by_name": counts.by_name, "statements": inside.map(|it| it.statements),
                "instructions": inside.map(|it| it.instructions),
            }));
            let or_not = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
            table.rows.push(vec![
                code(case.name),
                tasks.to_string(),
                counts.total().to_string(),
                counts.syncs().to_string(),
                or_not(inside.map(|it| it.statements.to_string())),
                or_not(inside.map(|it| format!("{:.1}", it.instructions as f64 / 1e6))),
            ]);
            let what = |what: &str| format!("{what} of {} at {tasks} tasks", code(case.name));
            let syncs = if case.writes { 2.0 } else { 0.0 };
            if tasks == 10_000 && !case.name.contains("checkpoint") {
                let syncs = Target::at_most("P3", what("syncs"), f64::from(counts.syncs()), syncs);
                targets.push(syncs);
                let calls =
                    Target::at_most("P3", what("system calls"), f64::from(counts.total()), 300.0);
                targets.push(calls.with_floor(if case.writes {
                    least_to_write
                } else {
                    least_to_read
                }));
            }
        }
    }
    let (wire, exchanges) = on_the_wire(bench);
    let mut section = Section::new("counts", json!({"commands": figures, "wire": exchanges}));
    section.tables = vec![table, wire];
    section.targets = targets;
    section
}

/// Counts the system calls and the syncs of a yardstick that has run before.
fn yardstick(bench: &Bench, work: &str) -> (u32, u32) {
    let home = Home::new(bench.program("floor"));
    let pair = home.path().join("pair").to_string_lossy().into_owned();
    for before in ["init", work] {
        let run = home.hzl(&[before, &pair]);
        assert_eq!(run.exit, 0, "{run}");
    }
    let (_, by_name) = strace::tally(home.call(&[work, &pair]));
    let counts = Counts { by_name };
    (counts.total(), counts.syncs())
}

/// Syncs with a real server, seen by a proxy.
fn on_the_wire(bench: &Bench) -> (Table, Value) {
    let mut table = Table::new(
        "Syncs with a sqld, heads of HTTP included.",
        &["What", "Round trips", "Bytes sent", "Bytes received"],
    );
    let mut figures = vec![];
    for exchange in counted::exchanges(&Home::new(&bench.hzl)) {
        table.rows.push(vec![
            exchange.name.to_owned(),
            exchange.round_trips.to_string(),
            exchange.sent_bytes.to_string(),
            exchange.received_bytes.to_string(),
        ]);
        figures.push(json!({
            "name": exchange.name, "round_trips": exchange.round_trips,
            "sent_bytes": exchange.sent_bytes, "received_bytes": exchange.received_bytes,
        }));
    }
    (table, Value::from(figures))
}

/// What a process did inside.
#[derive(Debug, Clone, Copy)]
struct Inside {
    /// How many statements were prepared; those kept from earlier uses count once.
    statements: u64,
    instructions: u64,
}

/// Runs a case under callgrind; `None` if that is not installed, or the program has no symbols.
fn inside(hzl: &Path, case: &counted::Case) -> Option<Inside> {
    let home = case.home();
    let out = home.path().join("callgrind.out");
    let words = [
        "--tool=callgrind".to_owned(),
        "--compress-strings=no".to_owned(),
        "--compress-pos=no".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    if !has_valgrind {
        return None;
    }
    let program = ["valgrind".to_owned()].into_iter().chain(words);
    let run = case.call(&home).under(program).run();
    assert_eq!(run.exit, 0, "{} fails in valgrind\n{run}", hzl.display());
    let text = fs::read_to_string(&out).ok()?;
    let mut called = "";
    let mut statements = 0;
    let mut instructions = 0;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(rest) = line.strip_prefix("calls=") {
            // All ways to prepare a statement go through this one.
            if called == "sqlite3LockAndPrepare" {
                statements += rest.split(' ').next()?.parse::<u64>().ok()?;
            }
        } else if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse().ok()?;
        }
    }
    (statements > 0).then_some(Inside {
        statements,
        instructions,
    })
}
