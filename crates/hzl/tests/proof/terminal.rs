//! Texts of others on a terminal: whatever is stored, no command prints what moves the cursor, turns the
//! direction or hides.

use hzl_testkit::fuzz::mutate::NASTY;
use serde_json::Value;
use serde_json::json;

use crate::home;

#[test]
fn no_command_prints_what_a_terminal_would_obey() {
    let home = home();
    let nasty: Vec<&str> = NASTY
        .iter()
        .copied()
        .filter(|text| !text.trim().is_empty())
        .collect();
    let entries: Vec<Value> = nasty
        .iter()
        .enumerate()
        .map(|(at, text)| {
            json!({
                "title": format!("{text} {at}"), "description": format!("one {text}\n{text} two\r{text}"),
                "links": [text], "tags": [format!("t{text}")], "status": "ready", "agent": text,
                "comment": text, "metadata": {*text: text}
            })
        })
        .collect();
    let input = Value::Array(entries).to_string();
    let added = home
        .call(&["task", "add", "--from-json", "-", "--author", "ada"])
        .stdin(input)
        .json();
    let ids: Vec<&str> = added["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["task_id"].as_str().unwrap())
        .collect();
    for (id, text) in ids.iter().zip(&nasty).step_by(6) {
        // An argument holds no NUL and does not begin with a dash here.
        let text = format!("x{}", text.replace('\0', ""));
        assert_eq!(
            home.hzl(&["task", "checkpoint", id, &text, "--author", &text])
                .exit,
            0
        );
        home.hzl(&["task", "claim", id, "--agent", &text]);
        home.hzl(&["task", "block", id, "--author", &text, "--comment", &text]);
    }
    let shown = ids[ids.len() / 2];
    let mut printed = 0;
    for line in [
        &["task", "list", "--limit", "200"][..],
        &["task", "search", "one two"],
        &["task", "history", shown],
        &["task", "stuck"],
        &["events"],
        &["agent", "status"],
        &["agent", "log", "ada"],
        &["stats"],
        &["status"],
        &["dep", "list"],
        &["project", "list"],
        &["project", "show", "inbox"],
        &["conflicts", "list"],
        &["doctor"],
        &["validate"],
        &["devices"],
        &["which-db"],
        &["config"],
        &["hook", "list"],
        &["undo", "--dry-run"],
        &["export", "-"],
    ] {
        printed += harmless(&home, line);
    }
    for id in &ids {
        printed += harmless(&home, &["task", "show", id]);
    }
    for text in &nasty {
        let text = text.replace('\0', "");
        for line in [
            &["task", &text][..],
            &["task", "show", &text],
            &["project", "show", &text],
            &["task", "list", "-P", &text],
        ] {
            printed += harmless(&home, line);
        }
    }
    println!("{printed} characters of output were looked at");
    assert!(printed > 20_000, "{printed}");
}

/// How much was printed, all of it harmless.
fn harmless(home: &hzl_testkit::home::Home, line: &[&str]) -> usize {
    let run = home.call(line).env("HZL_SYNC_URL", "").run();
    for text in [&run.stdout, &run.stderr] {
        // JSON is for programs; its own escapes are checked by parsing it.
        assert!(!text.contains(|c: char| c < ' ' && c != '\n'), "{run}");
    }
    let line = [line, &["--format", "md"]].concat();
    let run = home.hzl(&line);
    for text in [&run.stdout, &run.stderr] {
        if line[0] == "export" || line[0] == "events" {
            continue;
        }
        let found = text.chars().find(|c| obeyed(*c));
        assert_eq!(found, None, "{run}");
    }
    run.stdout.len() + run.stderr.len()
}

fn obeyed(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}
