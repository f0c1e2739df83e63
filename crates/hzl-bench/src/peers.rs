//! Other programs that keep tasks, where they are installed: the same tasks, in the same run.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::made_up::Drafts;
use hzl_testkit::made_up::Shape;
use serde_json::Value;
use serde_json::json;

use crate::commands::call;
use crate::commands::owned;
use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::number;
use crate::stores::Bench;
use crate::timing::Contestant;
use crate::timing::in_turn;

/// What is asked of both: a name, the words for taskwarrior, those for hzl, and whether P7 speaks of it.
const QUESTIONS: [(&str, &[&str], &[&str]); 3] = [
    (
        "add",
        &["add", "Write it down", "project:docs"],
        &["task", "add", "Write it down", "-P", "docs"],
    ),
    (
        "the next 20",
        &["next", "limit:20"],
        &["task", "list", "--available", "--limit", "20"],
    ),
    (
        "a list of 50",
        &["list", "limit:50"],
        &["task", "list", "--limit", "50"],
    ),
];

pub(crate) fn run(bench: &Bench) -> Section {
    let Some(version) = taskwarrior_version() else {
        let mut section = Section::new("peers", json!(null));
        let title = "Not measured: no taskwarrior is installed (`apt-get install taskwarrior`).";
        section.tables.push(Table::new(title, &["Peer", "Figure"]));
        return section;
    };
    let rounds = bench.choose(7, 15, 30);
    let sizes: &[u64] = bench.choose(&[1000, 10_000], &[1000, 10_000], &[1000, 10_000]);
    let mut line = vec![bench.nop()];
    for tasks in sizes {
        let theirs = taskwarrior(bench, *tasks);
        let ours = bench.machine("peers", *tasks, Shape::Ready);
        for (name, their_words, our_words) in QUESTIONS {
            let (theirs, ours, our_words) = (theirs.clone(), ours.clone(), owned(our_words));
            let their_name = format!("taskwarrior: {name}");
            line.push(Contestant::new(&their_name, Some(*tasks), move |_| {
                task(&theirs, their_words)
            }));
            let our_name = format!("hzl: {name}");
            line.push(Contestant::new(&our_name, Some(*tasks), move |_| {
                call(&ours, &our_words)
            }));
        }
    }
    let results = in_turn(bench, rounds, &mut line);
    let nop = results.get("nop", None);
    let figures: Vec<Value> = results.0.iter().map(|series| series.json(nop)).collect();
    let title = format!("taskwarrior {version} with as many open tasks, in turn with hzl.");
    let header = [
        "Question",
        "Tasks",
        "taskwarrior, µs",
        "hzl, µs",
        "taskwarrior / hzl",
    ];
    let mut table = Table::new(&title, &header);
    let mut section = Section::new("peers", json!({"taskwarrior": version, "runs": figures}));
    for tasks in sizes {
        for (name, ..) in QUESTIONS {
            let theirs = results.get(&format!("taskwarrior: {name}"), Some(*tasks));
            let ours = results.get(&format!("hzl: {name}"), Some(*tasks));
            let ratio = theirs.over(ours);
            table.rows.push(vec![
                name.to_owned(),
                number(*tasks as f64),
                number(theirs.wall()),
                number(ours.wall()),
                number(ratio),
            ]);
            if *tasks == 10_000 {
                let what = format!("{name} at 10,000 tasks, taskwarrior / hzl");
                section
                    .targets
                    .push(Target::at_least("P7", what, ratio, 10.0));
            }
        }
    }
    section.tables.push(table);
    section
}

fn taskwarrior_version() -> Option<String> {
    let output = Command::new("task")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // Other programs have that name, too.
    let version = text.trim();
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}

/// Makes a taskwarrior with so many open tasks; returns its home.
fn taskwarrior(bench: &Bench, tasks: u64) -> PathBuf {
    let home = bench.fresh(&format!("taskwarrior-{tasks}"));
    fs::create_dir_all(home.join("data")).expect("target/ is writable");
    fs::write(home.join("taskrc"), "confirmation=off\nverbose=nothing\n")
        .expect("target/ is writable");
    let mut drafts = Drafts::new(7);
    let task_of = |n: u64| {
        let draft = drafts.next_draft();
        let priority = ["", "L", "M", "H"][draft.priority];
        let mut task = json!({
            "uuid": format!("00000000-0000-4000-8000-{n:012}"),
            "description": draft.title,
            "project": draft.project,
            "tags": draft.tags,
            "status": "pending",
            "entry": "20250101T000000Z",
        });
        if !priority.is_empty() {
            task["priority"] = json!(priority);
        }
        task.to_string()
    };
    let lines: Vec<String> = (0..tasks).map(task_of).collect();
    let file = home.join("tasks.json");
    fs::write(&file, lines.join("\n")).expect("target/ is writable");
    let imported = task(&home, &["import"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    assert!(
        imported.expect("task starts").status.success(),
        "taskwarrior takes the tasks"
    );
    home
}

fn task(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("task");
    command.args(arguments).env("HOME", home);
    command
        .env("TASKRC", home.join("taskrc"))
        .env("TASKDATA", home.join("data"));
    command
}
