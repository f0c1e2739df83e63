//! The commands as `docs/cli.md` lists them: every example runs, every option is used by a test.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use hzl_testkit::home::Home;

use crate::home;

/// A command of the reference.
struct Section {
    /// The words behind `hzl`.
    path: String,
    /// Names of options, short and long ones of the same option together.
    options: Vec<Vec<String>>,
    /// Lines, without the prompt.
    examples: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sections() -> Vec<Section> {
    let text = fs::read_to_string(root().join("docs/cli.md")).expect("there is a reference");
    let mut sections: Vec<Section> = vec![];
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("## hzl ") {
            sections.push(Section {
                path: path.to_owned(),
                options: vec![],
                examples: vec![],
            });
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        if let Some(example) = line.strip_prefix("$ ") {
            section.examples.push(example.to_owned());
        }
        if let Some(names) = line.strip_prefix("| `-") {
            let names = names.split('`').next().unwrap_or_default();
            let names = names.split(" <").next().unwrap_or_default();
            let names = format!("-{names}");
            section
                .options
                .push(names.split(", ").map(str::to_owned).collect());
        }
    }
    sections
}

// ---- examples

/// What the examples speak of: two tasks, one of them claimed under the id that examples give.
const LEDGER: &str = r#"{"event_id":"01K9ZZ00000000000000000001","task_id":"__project__","type":"project_created","data":{"name":"inbox","is_protected":true},"timestamp":"2026-03-01T09:00:00.000Z"}
{"event_id":"01K9ZZ00000000000000000002","task_id":"__project__","type":"project_created","data":{"name":"web"},"timestamp":"2026-03-01T09:00:00.000Z"}
{"event_id":"01K9ZZ00000000000000000003","task_id":"__project__","type":"project_created","data":{"name":"docs"},"timestamp":"2026-03-01T09:00:00.000Z"}
{"event_id":"01K9ZZ00000000000000000004","task_id":"__project__","type":"project_created","data":{"name":"ops"},"timestamp":"2026-03-01T09:00:00.000Z"}
{"event_id":"01K9ZZ00000000000000000005","task_id":"01K9ZZ3D1H7E2GQ4S8V5KJTMNP","type":"task_created","data":{"title":"Draft","project":"web","tags":["bug"]},"author":"ada","timestamp":"2026-03-01T09:01:00.000Z"}
{"event_id":"01K9ZZ00000000000000000006","task_id":"01K9ZZ3D1H7E2GQ4S8V5KJTMNP","type":"status_changed","data":{"from":"backlog","to":"ready"},"timestamp":"2026-03-01T09:02:00.000Z"}
{"event_id":"01K9ZZ00000000000000000007","task_id":"01K9ZZ6B1H7E2GQ4S8V5KJTMNQ","type":"task_created","data":{"title":"Other","project":"web"},"timestamp":"2026-03-01T09:03:00.000Z"}
"#;

/// The claim that examples give with `--claim`.
const CLAIM: &str = r#"{"event_id":"01KA0B7QF3","task_id":"01K9ZZ3D1H7E2GQ4S8V5KJTMNP","type":"status_changed","data":{"from":"ready","to":"in_progress","lease_until":"2026-03-01T10:04:00.000Z"},"author":"ada","timestamp":"2026-03-01T09:04:00.000Z"}
"#;

/// Brings a home into the state in which the examples of a command make sense.
fn prepared(path: &str) -> Home {
    let home = home();
    home.call(&["import", "-"]).stdin(LEDGER).json();
    let claimed = [
        "task complete",
        "task release",
        "task block",
        "task unblock",
        "task steal",
        "task renew",
        "task checkpoint",
        "task progress",
        "workflow run handoff",
        "workflow run delegate",
        "undo",
    ];
    if claimed.contains(&path) {
        home.call(&["import", "-"]).stdin(CLAIM).json();
    }
    let task = "01K9ZZ3D";
    match path {
        "task unblock" => drop(home.json(&["task", "block", task])),
        "task reopen" => drop(home.json(&["task", "set-status", task, "done"])),
        "task unarchive" => drop(home.json(&["task", "archive", task])),
        "task remove-dep" => drop(home.json(&["task", "add-dep", task, "01K9ZZ6B"])),
        "task prune" => drop(home.json(&["task", "archive", "01K9ZZ6B"])),
        "undo" => drop(home.json(&["task", "update", task, "-p", "1", "--author", "ada"])),
        "project create" => drop(home.json(&["project", "delete", "docs"])),
        _ => {}
    }
    home.write("plan.json", "[{\"title\": \"Planned\"}]");
    let export = home.hzl(&["export"]).stdout;
    match path {
        "import" => drop(home.write("ledger.ndjson", export)),
        "restore" => drop(home.json(&["backup", "ledger-2026-12-01.db"])),
        _ => {}
    }
    home.write(
        "config/hzl/config.json",
        r#"{"hooks": {"on_done": {"url": "http://127.0.0.1:9/hook"}}}"#,
    );
    home
}

/// Examples that cannot end well here, and how they end.
fn expected_exits(example: &str) -> &'static [i32] {
    const NEEDS_A_CONFLICT: [&str; 3] = [
        "hzl conflicts show",
        "hzl conflicts restore",
        "hzl conflicts ack 01",
    ];
    if NEEDS_A_CONFLICT
        .iter()
        .any(|start| example.starts_with(start))
    {
        // There is none in a ledger of one machine.
        return &[4];
    }
    if example.starts_with("hzl hook show") || example.starts_with("hzl hook retry") {
        // Nothing was queued.
        return &[0, 4];
    }
    if example.starts_with("hzl hook test") {
        // Nobody listens.
        return &[0, 1, 8];
    }
    if example.starts_with("hzl restore") && !example.contains("--force") {
        // The ledger holds something.
        return &[3];
    }
    if example.starts_with("hzl wait") && !example.contains("ready") {
        // Nobody finishes the task.
        return &[11];
    }
    if example.starts_with("hzl doctor") {
        return &[0, 1];
    }
    &[0]
}

#[test]
fn every_example_runs() {
    let mut problems = vec![];
    let mut count = 0;
    for section in sections() {
        for example in &section.examples {
            count += 1;
            // What a shell does with the output is not ours.
            let line = example.split(" | ").next().unwrap_or_default();
            let line = line.split(" > ").next().unwrap_or_default();
            let words = split(line.strip_prefix("hzl ").unwrap_or_default());
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let home = prepared(&section.path);
            if words.contains(&"--follow") {
                let mut running = home.spawn(&words);
                // Whole commands come and go meanwhile.
                home.json(&["task", "add", "Later"]);
                home.json(&["task", "list"]);
                if running.has_ended() {
                    problems.push(format!("{example}: ended by itself"));
                }
                running.kill();
                continue;
            }
            let run = home.call(&words).stdin("a-token\n").run();
            if !expected_exits(example).contains(&run.exit) {
                problems.push(format!("{example}\n{run}"));
            }
        }
    }
    assert!(count > 100, "{count} examples");
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// Splits a line as a shell would, single and double quotes included.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.trim().chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().expect("there is one").push(c),
        }
    }
    words
}

// ---- options

/// The words of one line of a test: the texts in one pair of brackets, or of a recorded step.
type Words = Vec<String>;

/// Returns the texts in each pair of brackets that holds no other.
fn bracketed(source: &str) -> Vec<Words> {
    let mut found = vec![];
    let mut words: Option<Words> = None;
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '[' => words = Some(vec![]),
            ']' => found.extend(words.take()),
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => text.extend(chars.next()),
                        c => text.push(c),
                    }
                }
                if let Some(words) = &mut words {
                    words.push(text);
                }
            }
            _ => {}
        }
    }
    found
}

fn lines_of_tests() -> Vec<Words> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut lines = vec![];
    let mut directories = vec![tests];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory of tests") {
            let path = entry.expect("an entry").path();
            let read = || fs::read_to_string(&path).expect("a readable file");
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => directories.push(path),
                Some("rs") => lines.extend(bracketed(&read())),
                Some("scn") => {
                    let text = read();
                    let steps = text.lines().filter_map(|line| line.strip_prefix("$ "));
                    lines.extend(steps.map(split));
                }
                _ => {}
            }
        }
    }
    lines
}

/// Helpers of the tests that put these words before those in the brackets.
const HELPED: [&str; 2] = ["task add", "task claim"];

#[test]
fn every_option_is_used_by_a_test() {
    let lines = lines_of_tests();
    let sections = sections();
    let commands: Vec<&str> = sections
        .iter()
        .filter_map(|section| section.path.split(' ').next_back())
        .collect();
    let mut unused = vec![];
    for section in &sections {
        let last = section.path.split(' ').next_back().unwrap_or_default();
        for names in &section.options {
            let is_used = lines.iter().any(|words| {
                let given = |word: &String| {
                    let name = word.split('=').next().unwrap_or_default();
                    names.iter().any(|option| option == name)
                };
                let of_command = words.iter().any(|word| word == last);
                let helped = HELPED.contains(&section.path.as_str())
                    && !words.iter().any(|word| commands.contains(&word.as_str()));
                words.iter().any(given) && (of_command || helped)
            });
            if !is_used {
                unused.push(format!("hzl {} {}", section.path, names.join("/")));
            }
        }
    }
    assert!(unused.is_empty(), "no test uses:\n{}", unused.join("\n"));
}
