//! Syncs that have little to do, with a real server on this machine.

use std::fs;

use hzl_testkit::made_up::Shape;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::Value;
use serde_json::json;

use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::number;
use crate::stores::Bench;
use crate::timing::Contestant;
use crate::timing::in_turn;

pub(crate) fn run(bench: &Bench) -> Section {
    let rounds = bench.choose(30, 60, 100);
    let sizes: &[u64] = bench.choose(&[1000], &[1000, 10_000], &[1000, 10_000, 100_000]);
    let mut line = vec![bench.nop()];
    let mut clouds = vec![];
    for tasks in sizes {
        let cloud = Sqld::start(Auth::None);
        let machine = bench.machine("sync", *tasks, Shape::Lived);
        machine.join(&cloud.url());
        machine.json(&["sync"]);
        let (other, claiming) = (machine.clone(), machine.clone());
        line.push(Contestant::new(
            "sync, nothing to do",
            Some(*tasks),
            move |_| other.command(&["sync"]),
        ));
        line.push(Contestant::new(
            "task claim --next, confirmed",
            Some(*tasks),
            move |_| claiming.command(&["task", "claim", "--next", "--agent", "ada"]),
        ));
        clouds.push((cloud, machine));
    }
    let results = in_turn(bench, rounds, &mut line);
    let nop = results.get("nop", None);
    let figures: Vec<Value> = results.0.iter().map(|series| series.json(nop)).collect();
    let title =
        "With a sqld on this machine, one for each store; the server works on the same cores.";
    let header = [
        "Command", "Tasks", "p50 µs", "p99 µs", "CPU µs", "× nop", "Peak MB",
    ];
    let mut table = Table::new(title, &header);
    for series in &results.0 {
        table.rows.push(vec![
            series.name.clone(),
            series
                .tasks
                .map_or_else(|| "–".to_owned(), |tasks| number(tasks as f64)),
            number(series.wall()),
            number(series.p99()),
            number(series.cpu()),
            number(series.over(nop)),
            number(series.peak_mb),
        ]);
    }
    let mut section = Section::new("sync", json!(figures));
    let largest = sizes.last().copied();
    let idle = results.get("sync, nothing to do", largest).over(nop);
    let what = format!(
        "sync with nothing to do at {} tasks, × empty program",
        number(largest.unwrap_or(0) as f64)
    );
    section
        .targets
        .push(Target::at_most("P8", what, idle, 10.0));
    section.tables.push(table);
    for (_, machine) in clouds {
        drop(fs::remove_dir_all(machine.directory()));
    }
    section
}
