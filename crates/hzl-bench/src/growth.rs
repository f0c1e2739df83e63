//! What commands cost against the size of the store, from a thousand tasks to a million.

use hzl_testkit::made_up::Shape;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::words::Words;
use serde_json::json;

use crate::commands::add_ready;
use crate::commands::call;
use crate::commands::owned;
use crate::machine::Machine;
use crate::plot;
use crate::plot::Curve;
use crate::report;
use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::code;
use crate::report::number;
use crate::statistics::FLAT;
use crate::statistics::Growth;
use crate::stores::Bench;
use crate::timing::Contestant;
use crate::timing::Results;
use crate::timing::in_turn;

const SIZES: [u64; 7] = [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// What everything has to be read for.
const WHOLE: [&str; 2] = ["rebuild", "export"];
/// The rank of a word that stands in about one of a hundred and fifty tasks.
const RANK: usize = 450;

pub(crate) fn run(bench: &Bench) -> Section {
    let rounds = bench.choose(10, 30, 30);
    let heavy_rounds = bench.choose(1, 2, 2);
    let sizes = &SIZES[..bench.choose(3, 5, 7)];
    // Each size has to be pushed to a server first, which takes long.
    let synced = bench.choose(10_000, 30_000, 100_000);
    let mut light = vec![bench.nop()];
    let mut heavy = vec![bench.nop()];
    let mut clouds = vec![];
    for tasks in sizes {
        let machine = bench.machine("growth", *tasks, Shape::Lived);
        light.extend(light_commands(&machine, *tasks, rounds));
        heavy.extend(heavy_commands(&machine, *tasks));
        if *tasks <= synced {
            report::progress(&format!("pushing {tasks} tasks …"));
            let cloud = Sqld::start(Auth::None);
            let machine = bench.machine("growth-sync", *tasks, Shape::Lived);
            machine.join(&cloud.url());
            machine.json(&["sync"]);
            clouds.push(cloud);
            light.push(Contestant::new(
                "sync, nothing to do",
                Some(*tasks),
                move |_| machine.command(&["sync"]),
            ));
        }
    }
    report::progress("timing …");
    let light = in_turn(bench, rounds, &mut light);
    let heavy = in_turn(bench, heavy_rounds, &mut heavy);
    drop(clouds);
    report(&[light, heavy], sizes)
}

fn light_commands(machine: &Machine, tasks: u64, rounds: usize) -> Vec<Contestant<'static>> {
    let ready = add_ready(machine, rounds + 2, "Claimable");
    let shown = ready[rounds + 1].clone();
    add_ready(machine, 1, "Quagga");
    let words = Words::new();
    let command = |name: &str, arguments: &[&str]| {
        let (machine, arguments) = (machine.clone(), owned(arguments));
        Contestant::new(name, Some(tasks), move |_| call(&machine, &arguments))
    };
    vec![
        command("task show", &["task", "show", &shown]),
        command("task list", &["task", "list", "--limit", "20"]),
        command(
            "task list --available",
            &["task", "list", "--available", "--limit", "20"],
        ),
        command(
            "task list, one project",
            &["task", "list", "-P", "docs", "--limit", "20"],
        ),
        command("task search, one match", &["task", "search", "quagga"]),
        command(
            "task search, 1 in 150 tasks",
            &["task", "search", words.ranked(RANK)],
        ),
        command("status", &["status"]),
        command(
            "task add",
            &["task", "add", "Write it down", "-P", "docs", "-s", "ready"],
        ),
        command(
            "task claim --next",
            &["task", "claim", "--next", "--agent", "ada"],
        ),
    ]
}

fn heavy_commands(machine: &Machine, tasks: u64) -> Vec<Contestant<'static>> {
    let (rebuilding, exporting) = (machine.clone(), machine.clone());
    vec![
        Contestant::new("export", Some(tasks), move |_| {
            exporting.command(&["export"])
        }),
        Contestant::new("rebuild", Some(tasks), move |_| {
            rebuilding.command(&["rebuild"])
        }),
    ]
}

fn report(results: &[Results; 2], sizes: &[u64]) -> Section {
    let mut curves: Vec<Curve> = vec![];
    for results in results {
        let nop = results.get("nop", None);
        for series in &results.0 {
            let Some(tasks) = series.tasks else { continue };
            let point = (tasks as f64, series.over(nop));
            match curves.iter_mut().find(|curve| curve.name == series.name) {
                Some(curve) => curve.points.push(point),
                None => curves.push(Curve {
                    name: series.name.clone(),
                    points: vec![point],
                }),
            }
        }
    }
    let mut header = vec!["Command".to_owned()];
    header.extend(sizes.iter().map(|tasks| number(*tasks as f64)));
    header.extend(["largest / smallest", "share that grows with the size"].map(str::to_owned));
    let title = "Times an empty program of the same run, by the number of tasks.";
    let mut table = Table {
        header,
        ..Table::new(title, &[])
    };
    let mut section = Section::new("growth", json!(null));
    let mut figures = vec![];
    for curve in &curves {
        let growth = Growth::of(&curve.points);
        let at = |tasks: &u64| {
            let found = curve.points.iter().find(|(size, _)| *size == *tasks as f64);
            found.map_or_else(|| "–".to_owned(), |(_, cost)| number(*cost))
        };
        let mut row = vec![curve.name.clone()];
        row.extend(sizes.iter().map(at));
        row.extend([
            number(growth.factor),
            format!("{:.0} %", growth.linear_share * 100.0),
        ]);
        table.rows.push(row);
        figures.push(json!({
            "command": curve.name, "points": curve.points, "factor": growth.factor,
            "linear_share": growth.linear_share, "faster_than_log": growth.is_fast(),
        }));
        if !WHOLE.contains(&curve.name.as_str()) {
            let what = format!("{}, share that grows with the size", code(&curve.name));
            let share = growth.linear_share;
            section
                .targets
                .push(Target::at_most("Growth", what, share, FLAT));
        }
    }
    section.figures = json!(figures);
    section.plot = Some(plot::draw(&curves));
    section.tables.push(table);
    section
}
