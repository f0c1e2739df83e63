//! Text for people: `--format md`, colours, pipes.

use crate::add;
use crate::home;

#[test]
fn text_is_for_people_and_errors_go_to_stderr() {
    let home = home();
    let run = home.hzl(&["which-db", "--format", "md"]);
    assert_eq!(run.exit, 0, "{run}");
    assert!(run.stdout.starts_with("Events: "), "{run}");

    let run = home.hzl(&["task", "frob", "--format", "md"]);
    assert_eq!((run.exit, run.stdout.as_str()), (2, ""), "{run}");
    assert!(
        run.stderr.starts_with("Error: unknown command `task frob`"),
        "{run}"
    );
}

#[test]
fn colours_are_used_when_asked_for() {
    let home = home();
    let colored = home.hzl(&["which-db", "--format", "md", "--color", "always"]);
    assert!(colored.stdout.contains('\u{1b}'), "{colored}");
    let plain = home.hzl(&["which-db", "--format", "md"]);
    assert!(!plain.stdout.contains('\u{1b}'), "{plain}");
}

#[test]
fn control_characters_of_others_do_not_reach_the_terminal() {
    let home = home();
    let evil = "\u{1b}]0;evil\u{7}";
    for arguments in [
        &["which-db", "--db", evil, "--format", "md"][..],
        &["task", evil, "--format", "md"],
        &[evil, "--format", "md"],
    ] {
        let run = home.hzl(arguments);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{run}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_a_failure() {
    use std::process::Command;
    use std::process::Stdio;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let home = home();
    let run = Command::new(env!("CARGO_BIN_EXE_hzl"))
        .arg("which-db")
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&run.stderr), "");
}

#[test]
fn only_the_keys_that_were_asked_for_are_printed() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let out = |line: &[&str]| {
        let run = home.hzl(line);
        assert_eq!(run.exit, 0, "{run}");
        run.stdout
    };
    let list = ["task", "list", "--fields", "task_id,title"];
    assert_eq!(
        out(&list),
        format!("{{\"tasks\":[{{\"task_id\":\"{task}\",\"title\":\"T\"}}]}}\n")
    );
    assert_eq!(
        out(&["task", "list", "-s", "done", "--fields", "title"]),
        "{\"tasks\":[]}\n"
    );
    assert_eq!(
        out(&["--fields", "task.status", "task", "show", &task]),
        "{\"task\":{\"status\":\"ready\"}}\n"
    );
    let types = out(&["events", "--fields", "type"]);
    assert_eq!(types.lines().last(), Some("{\"type\":\"status_changed\"}"));
    let claimed = out(&[
        "task",
        "claim",
        &task,
        "--agent",
        "ann",
        "--fields",
        "claim.state",
    ]);
    assert_eq!(claimed, "{\"claim\":{\"state\":\"confirmed\"}}\n");
}

#[test]
fn a_wrong_name_is_refused_before_anything_is_done() {
    let home = home();
    let task = add(&home, &["T", "-s", "ready"]);
    let before = crate::log(&home);
    let line = ["task", "complete", &task, "--fields", "titel"];
    let error = home.fails(&line, 2);
    assert!(
        error["error"]["details"]["known"]
            .to_string()
            .contains("title"),
        "{error}"
    );
    home.fails(&["task", "set-status", &task, "done", "--fields", ","], 2);
    home.fails(&["guide", "--fields", "title"], 2);
    let md = home.hzl(&["task", "list", "--fields", "title", "--format", "md"]);
    assert_eq!(md.exit, 2, "{md}");
    // Failures are always whole.
    let error = home.fails(&["task", "show", "nosuch", "--fields", "title"], 4);
    assert_eq!(error["error"]["code"], "not_found");
    assert_eq!(crate::log(&home), before);
}
