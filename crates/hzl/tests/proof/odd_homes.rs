//! Machines that are not what hzl was written on: nothing may be written, nobody is at home, there is no network, no
//! process, no memory, no space, no clock, and nobody reads the output.

mod clock;
mod files;
mod limits;
mod output;

use hzl_testkit::home::Call;
use hzl_testkit::home::Home;
use hzl_testkit::home::Run;

/// A shell with the binary as `$HZL`.
fn shell() -> Home {
    Home::new("/bin/sh").env("HZL", crate::binary())
}

/// A script for that shell.
fn script(shell: &Home, script: &str) -> Run {
    call(shell, script).run()
}

fn call(shell: &Home, script: &str) -> Call {
    shell.call(&["-c", script])
}

/// Checks that a run failed with this exit code and error code, in one line of JSON, without a panic.
#[track_caller]
fn assert_fails(run: &Run, exit: i32, code: &str) {
    assert_eq!(run.exit, exit, "{run}");
    let last = run.stdout.lines().last().unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{run}"));
    assert_eq!(answer["error"]["code"], code, "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
}

/// Checks that the ledger is whole and holds the tasks with these titles, and no others.
#[track_caller]
fn assert_holds(home: &Home, titles: &[&str]) {
    let doctor = home.json(&["doctor"]);
    assert_eq!(
        doctor["checks"]["projections"]["status"], "pass",
        "{doctor}"
    );
    let tasks = home.json(&["task", "list", "--limit", "1000"]);
    let tasks = tasks["tasks"].as_array().expect("a list");
    let mut found: Vec<&str> = tasks
        .iter()
        .filter_map(|task| task["title"].as_str())
        .collect();
    found.sort_unstable();
    let mut titles = titles.to_vec();
    titles.sort_unstable();
    assert_eq!(found, titles);
}

/// The same machine for the binary itself.
fn looked_at(shell: &Home) -> Home {
    crate::home()
        .env("XDG_DATA_HOME", shell.data())
        .env("XDG_CONFIG_HOME", shell.config())
}
