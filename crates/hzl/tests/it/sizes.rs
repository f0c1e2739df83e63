//! How much an agent has to read: the answers of a working session, in bytes, beside those of 3.2.0.
//!
//! The table is in `docs/output-size.md`; `UPDATE_DOCS=1` writes it. What 3.2.0 printed is known key by key
//! (`tests/compat`): it is our answer without the keys that we add, and without prose, which was not
//! recorded. That is the least 3.2.0 can have printed.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hzl_testkit::home::Home;
use serde_json::Value;

use crate::add;
use crate::home;

/// Keys of answers of these commands that 3.2.0 did not have.
const ADDED: [(&str, &[&str]); 3] = [
    ("task claim", &["claim"]),
    ("task start", &["claim"]),
    ("workflow run start", &["claim_id"]),
];
/// Keys whose text was not recorded.
const PROSE: &str = "reason";

/// What an agent does from waking up to being done.
fn session(home: &Home) -> Vec<(String, usize, usize)> {
    home.json(&["project", "create", "docs"]);
    let task = add(
        home,
        &[
            "Draft the release notes",
            "-P",
            "docs",
            "-s",
            "ready",
            "-p",
            "2",
            "-t",
            "release",
        ],
    );
    let part = add(home, &["Collect the pull requests", "-P", "docs"]);
    let lines: [&[&str]; 12] = [
        &["workflow", "run", "start", "-P", "docs", "--agent", "ada"],
        &["task", "show", &task],
        &[
            "task",
            "checkpoint",
            &task,
            "Outline done",
            "--progress",
            "40",
            "--author",
            "ada",
        ],
        &[
            "task",
            "comment",
            &task,
            "Cover 1.4 to 1.6",
            "--author",
            "ada",
        ],
        &[
            "task",
            "add",
            "Check the links",
            "-P",
            "docs",
            "-s",
            "ready",
            "--author",
            "ada",
        ],
        &["task", "add-dep", &task, &part, "--author", "ada"],
        &["task", "list", "-P", "docs"],
        &[
            "task",
            "update",
            &task,
            "--priority",
            "3",
            "--author",
            "ada",
        ],
        &["task", "progress", &task, "90", "--author", "ada"],
        &["task", "complete", &task, "--author", "ada"],
        &["task", "claim", "--next", "-P", "docs", "--agent", "ada"],
        &["task", "release", "LAST", "--author", "ada"],
    ];
    let mut sizes = vec![];
    let mut last = String::new();
    for line in lines {
        let line: Vec<&str> = line
            .iter()
            .map(|word| if *word == "LAST" { last.as_str() } else { word })
            .collect();
        let answer = home.json(&line);
        let words = if line[0] == "workflow" { 3 } else { 2 };
        let command = line[..words].join(" ");
        sizes.push((
            command.clone(),
            answer.to_string().len(),
            least(&command, answer.clone()),
        ));
        last = answer["task_id"].as_str().unwrap_or_default().to_owned();
    }
    sizes
}

/// The least that 3.2.0 printed.
fn least(command: &str, mut answer: Value) -> usize {
    for (name, keys) in ADDED {
        if name == command {
            let answer = answer.as_object_mut().expect("an object");
            answer.retain(|key, _| !keys.contains(&key.as_str()));
        }
    }
    without_prose(&mut answer);
    answer.to_string().len()
}

fn without_prose(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if key == PROSE {
                    *value = Value::from("");
                }
                without_prose(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_prose),
        _ => {}
    }
}

fn page(sizes: &[(String, usize, usize)]) -> String {
    let mut page = "\
# How much an agent reads

The answers of a working session, in bytes with default options, beside what HZL 3.2.0 printed at the least.
Its answers were recorded key by key (`crates/hzl/tests/compat`), so what it printed is known, apart from the
texts of `reason`, which count as nothing here. Written by `UPDATE_DOCS=1 cargo test -p hzl --test it sizes`.

| Command | 3.2.0, at least | hzl |
|---|---:|---:|
"
    .to_owned();
    for (command, ours, theirs) in sizes {
        writeln!(page, "| `{command}` | {theirs} | {ours} |").expect("a text grows");
    }
    page.push_str(
        "
`task claim` is larger by the id and the state of the claim, which later commands can act under (`--claim`), and
by its reasons; `workflow run start` by that id. `--fields` makes any answer smaller:
`hzl task list --fields task_id,title`, `hzl task claim --next --fields task.task_id,task.title,claim`.
",
    );
    page
}

#[test]
fn answers_are_no_larger_than_those_of_3_2_0() {
    let sizes = session(&home());
    for (command, ours, theirs) in &sizes {
        let allowed = match command.as_str() {
            // The claim's id and state, and one reason for it and for each of three alternatives.
            "task claim" => 62 + 4 * 48,
            "workflow run start" => 40,
            _ => 0,
        };
        assert!(*ours <= theirs + allowed, "{command}: {ours} > {theirs}");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/output-size.md");
    let page = page(&sizes);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).expect("docs can be written");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/output-size.md is not current:\n{page}"
    );
}

#[test]
fn fields_make_an_answer_as_small_as_wanted() {
    let home = home();
    let task = add(&home, &["Draft the release notes", "-s", "ready"]);
    let whole = home.hzl(&["task", "show", &task]).stdout.len();
    let part = home.hzl(&["task", "show", &task, "--fields", "task.title,task.status"]);
    assert!(part.stdout.len() * 5 < whole, "{part}");
}
