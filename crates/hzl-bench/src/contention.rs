//! Sixty-four processes that claim at once: hzl's store, and bare SQLite as most programs use it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::made_up::Shape;
use serde_json::json;

use crate::claimer;
use crate::claimer::Done;
use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::number;
use crate::statistics::median;
use crate::statistics::percentile;
use crate::stores::Bench;

const PROCESSES: usize = 64;
/// More than anybody claims in the time.
const TASKS: u64 = 30_000;
/// What the processes get to start.
const START_MS: u64 = 1500;

/// What all processes of one mode did, over all rounds.
#[derive(Default)]
struct Mode {
    latencies_us: Vec<f64>,
    tasks: Vec<String>,
    failures: Vec<String>,
    /// Slowest process over median process, of each round.
    fairness: Vec<f64>,
    seconds: f64,
}

impl Mode {
    fn add(&mut self, done: Vec<Done>, seconds: f64) {
        let claims: Vec<f64> = done.iter().map(|done| done.tasks.len() as f64).collect();
        self.fairness
            .push(percentile(&claims, 0.0) / median(&claims).max(1.0));
        self.seconds += seconds;
        for done in done {
            self.latencies_us.extend(done.latencies_us);
            self.tasks.extend(done.tasks);
            self.failures.extend(done.failures);
        }
    }

    /// How many tasks were given to two.
    fn granted_twice(&self) -> usize {
        let different: BTreeSet<&String> = self.tasks.iter().collect();
        self.tasks.len() - different.len()
    }

    fn ms(&self, share: f64) -> f64 {
        percentile(&self.latencies_us, share) / 1000.0
    }

    fn slowest_over_median(&self) -> f64 {
        percentile(&self.fairness, 0.0)
    }
}

pub(crate) fn run(bench: &Bench) -> Section {
    let (rounds, seconds) = bench.choose((1, 3), (2, 5), (2, 10));
    let machine = bench.machine("contention", TASKS, Shape::Ready);
    let bare = bench.fresh("contention-bare");
    fs::create_dir_all(&bare).expect("target/ is writable");
    claimer::make_bare(&bare.join("bare.db"), TASKS);
    let (mut ours, mut theirs) = (Mode::default(), Mode::default());
    for _ in 0..rounds {
        ours.add(crowd("hzl", &machine.store(), seconds), seconds as f64);
        theirs.add(crowd("busy", &bare, seconds), seconds as f64);
    }
    let mut table = Table::new(
        &format!(
            "{PROCESSES} processes, one connection each, claiming without a pause for {rounds} × {seconds} s; \
             power-loss durable."
        ),
        &[
            "Store",
            "Claims/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "Longest ms",
            "Failures",
            "Granted twice",
            "Slowest / median",
        ],
    );
    let mut figures = vec![];
    for (name, mode) in [("hzl", &ours), ("bare, busy_timeout 5 s", &theirs)] {
        let values = [
            mode.tasks.len() as f64 / mode.seconds,
            mode.ms(0.5),
            mode.ms(0.99),
            mode.ms(0.999),
            mode.ms(1.0),
        ];
        let counts = [mode.failures.len(), mode.granted_twice()].map(|count| count.to_string());
        let mut row = vec![name.to_owned()];
        row.extend(values.map(number));
        row.extend(counts);
        row.push(number(mode.slowest_over_median()));
        table.rows.push(row);
        figures.push(json!({
            "store": name, "claims_per_s": values[0], "p50_ms": values[1], "p99_ms": values[2],
            "p999_ms": values[3], "max_ms": values[4], "failures": mode.failures.len(),
            "first_failure": mode.failures.first(), "granted_twice": mode.granted_twice(),
            "slowest_over_median": mode.slowest_over_median(),
        }));
    }
    let mut section = Section::new("contention", json!(figures));
    section.tables.push(table);
    let target = |what: &str, value| {
        Target::at_most("P4", format!("{what} of {PROCESSES} claimers"), value, 0.0)
    };
    section.targets = vec![
        target("failures", ours.failures.len() as f64),
        target("tasks granted twice", ours.granted_twice() as f64),
        Target::at_least(
            "P4",
            "p99.9 of bare busy_timeout / of hzl",
            theirs.ms(0.999) / ours.ms(0.999),
            5.0,
        ),
        Target::at_least(
            "P4",
            "claims, slowest / median process",
            ours.slowest_over_median(),
            0.25,
        ),
    ];
    section
}

/// Lets the processes claim, and returns what each did.
fn crowd(mode: &str, directory: &Path, seconds: u64) -> Vec<Done> {
    let own = env::current_exe().expect("a program knows its path");
    let from = claimer::now_ms() + START_MS;
    let until = from + seconds * 1000;
    let start = |number: usize| {
        Command::new(&own)
            .args(["claimer", mode])
            .arg(directory)
            .args([from.to_string(), until.to_string(), number.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the benchmark starts itself")
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    let done = children.into_iter().map(|child| {
        let output = child.wait_with_output().expect("a child can be waited for");
        assert!(output.status.success(), "a claimer failed");
        serde_json::from_slice(&output.stdout).expect("a claimer says what it did")
    });
    done.collect()
}
