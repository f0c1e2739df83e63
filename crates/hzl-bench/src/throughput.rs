//! Whole logs: import, rebuild, push and pull, beside bare SQLite doing the same to the same events.

use std::path::Path;
use std::process::Command;

use hzl_testkit::made_up::Shape;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::json;

use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::number;
use crate::statistics::median;
use crate::statistics::median_ratio;
use crate::stores::Bench;
use crate::timing;

/// A kind of work, and how long each round of it took.
struct Work {
    name: &'static str,
    seconds: Vec<f64>,
}

impl Work {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            seconds: vec![],
        }
    }

    fn time(&mut self, command: &mut Command) {
        self.seconds.push(timing::run(command).wall_us / 1e6);
    }
}

pub(crate) fn run(bench: &Bench) -> Section {
    let tasks = bench.choose(10_000, 20_000, 200_000);
    let rounds = bench.choose(3, 11, 5);
    let export = bench.export(tasks, Shape::Lived);
    let events = bench.events(tasks, Shape::Lived);
    let bare_log = bench.fresh("bare-log.db");
    let bare_cache = bench.fresh("bare-cache.db");
    let full = bench.machine("throughput", tasks, Shape::Lived);
    let cloud = Sqld::start(Auth::None);
    let [mut append, mut scan, mut fold] = [
        "bare insert of an export",
        "bare scan",
        "bare fold and bulk insert",
    ]
    .map(Work::new);
    let [mut import, mut rebuild, mut push, mut pull] =
        ["import", "rebuild", "first sync: push", "first sync: pull"].map(Work::new);
    full.join(&cloud.url());
    for round in 0..rounds {
        let two = |work: &str, a: &Path, b: &Path| {
            let mut command = bench.floor(&[work], a);
            command.arg(b);
            command
        };
        append.time(&mut two("append", &export, &bare_log));
        let importing = bench.empty("throughput-import");
        import.time(&mut importing.command(&["import", &export.to_string_lossy()]));
        scan.time(&mut bench.floor(&["scan"], &bare_log));
        fold.time(&mut two("fold", &bare_log, &bare_cache));
        rebuild.time(&mut full.command(&["rebuild"]));
        if round == 0 {
            push.time(&mut full.command(&["sync"]));
        }
        let pulling = bench.empty("throughput-pull");
        pulling.join(&cloud.url());
        pull.time(&mut pulling.command(&["sync"]));
        let pulled = pulling.json(&["task", "list", "--limit", "1"])["total"].clone();
        assert_eq!(
            pulled,
            full.json(&["task", "list", "--limit", "1"])["total"],
            "the pull brought all"
        );
    }
    let header = ["Work", "Seconds", "Events/s", "× fold and bulk insert"];
    let title = format!(
        "{} events of {} tasks, median of {rounds} rounds.",
        number(events),
        number(tasks as f64)
    );
    let mut table = Table::new(&title, &header);
    let mut figures = vec![];
    for work in [&append, &scan, &fold, &import, &rebuild, &push, &pull] {
        let seconds = median(&work.seconds);
        let ratio = median_ratio(&work.seconds, &fold.seconds);
        table.rows.push(vec![
            work.name.to_owned(),
            number(seconds),
            number(events / seconds),
            number(ratio),
        ]);
        figures.push(json!({
            "work": work.name, "events": events, "seconds": work.seconds, "events_per_s": events / seconds,
            "over_fold": ratio,
        }));
    }
    let mut section = Section::new("throughput", json!(figures));
    section.tables.push(table);
    let both: Vec<f64> = append
        .seconds
        .iter()
        .zip(&fold.seconds)
        .map(|(a, b)| a + b)
        .collect();
    let speed = |yardstick: &[f64], work: &Work| median_ratio(yardstick, &work.seconds);
    section.targets = vec![
        Target::at_least(
            "P5",
            "speed of `rebuild` / bare fold and bulk insert",
            speed(&fold.seconds, &rebuild),
            0.7,
        )
        .with_floor(1.0),
        Target::at_least(
            "P6",
            "speed of `import` / bare insert",
            speed(&append.seconds, &import),
            0.7,
        )
        .with_floor(1.0),
        Target::at_least(
            "P6",
            "speed of `import` / bare insert and fold",
            speed(&both, &import),
            0.7,
        )
        .with_floor(1.0),
        Target::at_least(
            "P8",
            "pull with fold, events/s",
            events / median(&pull.seconds),
            30_000.0,
        ),
        Target::at_least(
            "P8",
            "push, events/s",
            events / median(&push.seconds),
            30_000.0,
        ),
    ];
    section
}
