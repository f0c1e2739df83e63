//! Help, version, slips and lines that cannot be understood.

use serde_json::Value;

use crate::home;

#[track_caller]
fn refused(arguments: &[&str]) -> Value {
    let answer = home().fails(arguments, 2);
    assert_eq!(answer["schema_version"], "v2", "{answer}");
    assert_eq!(answer["ok"], false, "{answer}");
    assert_eq!(answer["error"]["code"], "invalid_usage", "{answer}");
    answer["error"].clone()
}

#[test]
fn unusable_lines_end_with_2_and_say_why() {
    for arguments in [
        &["frobnicate"][..],
        &["task", "frobnicate"],
        &["task", "list", "--frobnicate"],
        &["task", "list", "stray"],
        &["task", "show"],
        &["task", "list", "--limit"],
        &["project", "show"],
        &["task", "s", "x"],
        &["task", "add"],
        &["task", "add", "ok", "extra", "arguments"],
        &["task", "claim"],
        &["task", "list", "--format", "xml"],
    ] {
        let error = refused(arguments);
        assert!(error["details"]["received"].is_string(), "{error}");
        assert!(error["details"]["reason"].is_string(), "{error}");
        assert!(!error["details"]["examples"].as_array().unwrap().is_empty());
    }
}

#[test]
fn bare_groups_fail_with_a_list_of_commands() {
    for arguments in [&[][..], &["task"], &["project"]] {
        let error = refused(arguments);
        assert!(error["details"]["commands"].as_array().unwrap().len() > 2);
    }
    let run = home().hzl(&["task", "--format", "md"]);
    assert_eq!((run.exit, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("set-status"), "{}", run.stderr);
}

#[test]
fn guesses_are_suggested_and_not_run() {
    let error = refused(&["tasks", "list"]);
    assert_eq!(error["details"]["did_you_mean"][0], "task");
    assert_eq!(error["suggestions"][0], "hzl task list");
    let error = refused(&["which-db", "--form", "md"]);
    assert_eq!(error["details"]["did_you_mean"][0], "--format");
}

#[test]
fn slips_with_one_meaning_are_accepted_with_a_note() {
    let home = home();
    for arguments in [
        &["which-db", "--json"][..],
        &["which_db"],
        &["which-db", "-db", "x.db"],
    ] {
        let run = home.hzl(arguments);
        assert_eq!(run.exit, 0, "{run}");
        assert!(run.stderr.starts_with("Note: "), "{run}");
        assert_eq!(run.stdout.lines().count(), 1, "{run}");
    }
}

#[test]
fn help_and_version_are_answers() {
    let home = home();
    for (arguments, word) in [
        (&["--help"][..], "project"),
        (&["task", "--help"], "checkpoint"),
        (&["task", "claim", "--help"], "--next"),
        (&["help", "task", "claim"], "--next"),
        (&["--version"], "hzl "),
    ] {
        let run = home.hzl(arguments);
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
        assert!(run.stdout.contains(word), "{run}");
    }
}

#[test]
fn the_short_option_prints_the_bare_version_and_the_long_one_what_it_was_built_from() {
    let home = home();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(home.hzl(&["-V"]).stdout, format!("{version}\n"));
    let long = home.hzl(&["--version"]).stdout;
    let rest = long.strip_prefix(&format!("hzl {version}"));
    let rest = rest.expect("name and version come first").trim_end();
    if rest.is_empty() {
        return; // built where neither git nor the environment knew more
    }
    let known = rest
        .strip_prefix(" (")
        .and_then(|rest| rest.strip_suffix(')'));
    for word in known.expect("in parentheses").split(' ') {
        let is_commit = word.len() == 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_day = word.len() == 10 && word.starts_with("20") && word.matches('-').count() == 2;
        assert!(is_commit || is_day, "{long}");
    }
}

#[test]
fn a_token_on_the_line_is_not_repeated() {
    for arguments in [
        &["init", "--auth-token", "s3cr3t-value", "--bogus"][..],
        &["init", "--auth-tokn", "s3cr3t-value"],
        &["init", "--auth-token=s3cr3t-value", "stray"],
        &["init", "--sync-url", "https://kim:s3cr3t-value@x", "stray"],
    ] {
        for format in ["json", "md"] {
            let mut arguments = arguments.to_vec();
            arguments.extend(["--format", format]);
            let run = home().hzl(&arguments);
            assert_eq!(run.exit, 2, "{run}");
            let text = format!("{}{}", run.stdout, run.stderr);
            assert!(!text.contains("s3cr3t-value"), "{run}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let argument = std::ffi::OsStr::from_bytes(b"\xff.db");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_hzl"))
        .args(["which-db", "--db"])
        .arg(argument)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(run.stdout.starts_with(b"{\"schema_version\""));
}

#[test]
fn help_explains_commands_and_exit_codes() {
    let home = home();
    let help = home.hzl(&["task", "claim", "--help"]).stdout;
    for line in [&["help", "task", "claim"][..], &["task", "help", "claim"]] {
        assert_eq!(home.hzl(line).stdout, help, "{line:?}");
    }
    let root = home.hzl(&["--help"]).stdout;
    assert_eq!(home.hzl(&["help"]).stdout, root);
    let error = refused(&["help", "task", "clam"]);
    assert!(error["message"].as_str().unwrap().contains("`task clam`"));

    let table = home.json(&["help", "exit-codes"]);
    let rows = table["exit_codes"].as_array().unwrap();
    assert_eq!(rows[0]["exit"], 0);
    let lost = rows.iter().find(|row| row["code"] == "claim_lost").unwrap();
    assert_eq!(lost["exit"], 7);
    let md = home.hzl(&["help", "exit-codes", "--format", "md"]);
    assert!(md.stdout.contains("claim_lost"), "{md}");
    assert!(!home.data().exists(), "help touches nothing");
}
