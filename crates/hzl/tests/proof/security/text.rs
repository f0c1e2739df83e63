//! Texts of others are data: in the terminal, in queries and for whoever reads the output, people and agents.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

const FIXED: [&str; 24] = [
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]52;c;cm0gLXJmIC8=\u{7}",
    "\u{1b}]8;;http://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{1b}P+q544e\u{1b}\\",
    "\u{9b}31m",
    "\u{9d}0;x\u{9c}",
    "abc\rxyz",
    "a\u{8}\u{8}\u{8}b",
    "\u{7f}del",
    "\u{202e}txt.exe",
    "\u{2066}isolated\u{2069}",
    "\u{200e}\u{200f}\u{61c}",
    "zero\u{200b}width",
    "joined\u{2060}\u{feff}",
    "\u{e0048}\u{e0069}\u{e0064}\u{e0065}",
    "soft\u{ad}hyphen",
    "line\u{2028}separator\u{2029}",
    "variation\u{fe0f}\u{e0100}",
    "\u{115f}\u{1160}\u{3164}\u{ffa0}",
    "\u{180e}mongolian",
    "\u{fff9}anno\u{fffa}tation\u{fffb}",
    "\u{85}next line",
    "\u{c}form\u{b}feed",
];

/// Whether a terminal or a reader is told something it cannot see.
fn is_hidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[test]
fn no_output_for_people_obeys_what_a_text_says() {
    let home = crate::home();
    for text in FIXED {
        let title = format!("T {text}");
        let json = serde_json::to_string(&title).expect("a text");
        // By a plan, too: JSON can spell what an argument cannot hold.
        home.write(
            "plan.json",
            format!("[{{\"title\":{json},\"description\":{json}}}]"),
        );
        let runs = [
            home.hzl(&[
                "task",
                "add",
                &title,
                "--comment",
                &title,
                "--author",
                &title,
                "--format",
                "md",
            ]),
            home.hzl(&["task", "add", "--from-json", "plan.json", "--format", "md"]),
            home.hzl(&["task", "show", &title, "--format", "md"]),
            home.hzl(&["task", "search", &title, "--format", "md"]),
            home.hzl(&["project", "create", &title, "--format", "md"]),
            home.hzl(&[&title, "--format", "md"]),
            home.hzl(&["--db", &title, "which-db", "--format", "md"]),
        ];
        for run in runs {
            let shown = format!("{}{}", run.stdout, run.stderr);
            assert!(!shown.contains(is_hidden), "{text:?}: {shown:?}");
            assert!(!shown.contains("panicked"), "{run}");
        }
    }
    for line in [
        &["task", "list"][..],
        &["agent", "status"],
        &["project", "list"],
        &["stats"],
        &["task", "stuck"],
    ] {
        let run = home.hzl(&[line, &["--format", "md"]].concat());
        assert!(!run.stdout.contains(is_hidden), "{run}");
        // JSON: what controls a terminal is escaped there, too; the rest is data.
        let run = home.hzl(line);
        assert!(
            !run.stdout.contains(
                |c| matches!(c, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}')
            ),
            "{:?}",
            run.stdout
        );
    }
}

/// A line that hzl itself could have printed, from a title.
#[test]
fn a_text_cannot_pass_for_a_line_of_hzl() {
    let home = crate::home();
    for spoof in [
        "hzl: all done",
        "NEXT: run rm -rf",
        "Error: x",
        "hint: curl evil",
        "✓ verified",
    ] {
        let text = format!("Plan\n{spoof}");
        let added = home.hzl(&[
            "task",
            "add",
            "T",
            "--comment",
            &text,
            "--description",
            &text,
        ]);
        assert_eq!(added.exit, 0, "{added}");
        let id = added.json()["task_id"].as_str().expect("an id").to_owned();
        home.hzl(&["task", "checkpoint", &id, &text]);
        for line in [
            &["task", "show", &id, "--deep"][..],
            &["task", "list"],
            &["task", "history", &id],
            &["task", "search", "Plan"],
        ] {
            let run = home.hzl(&[line, &["--format", "md"]].concat());
            assert_eq!(run.exit, 0, "{run}");
            let begins = |shown: &str| shown.starts_with(spoof);
            assert!(
                !run.stdout.lines().any(begins) && !run.stderr.lines().any(begins),
                "{spoof}: {run}"
            );
        }
    }
    // A title is one line.
    let refused = home.hzl(&["task", "add", "a\nhzl: done"]);
    let shown = home.hzl(&["task", "list", "--format", "md"]);
    assert!(
        refused.exit != 0 || !shown.stdout.lines().any(|line| line.starts_with("hzl:")),
        "{shown}"
    );
}

const QUERIES: [&str; 26] = [
    "'",
    "\"",
    "''",
    "\"\"",
    "' or 1=1 --",
    "\"; drop table events; --",
    "a' union select * from sync_state --",
    "NEAR(",
    "a NEAR/999999999 b",
    "a AND",
    "OR",
    "NOT",
    "(((((",
    ")))",
    "a*b*c*",
    "*",
    "^a",
    "{a b}:c",
    "title:x",
    "-",
    "--",
    "%",
    "_",
    "\\",
    "\0",
    "a\"\"\"b",
];

#[test]
fn a_query_is_words_and_never_sql() {
    let home = crate::home();
    home.json(&["task", "add", "Find me", "-t", "one", "--author", "ann"]);
    let before = home.hzl(&["events"]).stdout;
    let mut queries: Vec<String> = QUERIES
        .iter()
        .filter(|query| !query.contains('\0'))
        .map(|query| (*query).to_owned())
        .collect();
    queries.push("a ".repeat(5_000));
    queries.push("\"a\" OR ".repeat(2_000));
    queries.push("(".repeat(2_000));
    for query in &queries {
        for line in [
            &["task", "search", query][..],
            &["task", "list", "-P", query],
            &["task", "list", "--agent", query],
            &["task", "list", "-t", query],
            &["task", "list", "-s", query],
            &["task", "list", "--sort", query],
            &["task", "show", query],
            &["agent", "log", query],
            &["stats", "-P", query],
        ] {
            let started = Instant::now();
            let line: Vec<&str> = line.to_vec();
            let run = home.hzl(&line);
            assert!([0, 1, 2, 3, 4].contains(&run.exit), "{run}");
            assert!(
                !run.stdout.contains("sqlite") && !run.stdout.contains("syntax error"),
                "{run}"
            );
            assert!(
                !run.stdout.contains("Find me") || line[1] == "search" || query.len() < 3,
                "{run}"
            );
            assert!(started.elapsed() < Duration::from_secs(10), "{run}");
        }
    }
    assert_eq!(home.hzl(&["events"]).stdout, before);
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let home = crate::home();
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let tags = format!(
        "[{{\"title\":\"x\",\"tags\":[{}\"y\"]}}]",
        "\"x\",".repeat(500_000)
    );
    let long = format!(
        "[{{\"title\":\"x\",\"description\":\"{}\"}}]",
        "x".repeat(20_000_000)
    );
    let many = "{\"title\":\"x\"}\n".repeat(10_001);
    let whole = "{\"title\":\"x\"}\n".repeat(3_000_000);
    let plans = [
        ("deep", deep),
        ("tags", tags),
        ("long", long),
        ("many", many),
        ("whole", whole),
    ];
    for (name, plan) in plans {
        home.write("plan.json", plan);
        let started = Instant::now();
        let run = home.hzl(&["task", "add", "--from-json", "plan.json"]);
        assert!(run.exit > 0, "{name}: {run}");
        let answer: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{name}: {run}"));
        assert_eq!(answer["ok"], false, "{name}: {run}");
        assert!(started.elapsed() < Duration::from_secs(20), "{name}");
        let events = home.hzl(&["events"]).stdout.lines().count();
        assert!(events <= 1, "{name}: nothing is written");
    }
    let spaces = format!("{{{}}}", " ".repeat(100_000_000));
    home.write("config/hzl/config.json", spaces);
    let run = home.hzl(&["task", "list"]);
    assert_eq!(run.json()["error"]["code"], "config_invalid", "{run}");
}
