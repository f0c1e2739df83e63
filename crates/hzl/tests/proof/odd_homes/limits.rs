//! Sandboxes: no network, no other process or thread, little memory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hzl_testkit::home::Home;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::json;

use super::assert_fails;
use super::assert_holds;
use super::looked_at;
use super::script;
use super::shell;

fn configure(home: &Home, url: &str, token: &str) {
    let config = json!({"syncUrl": url, "authToken": token});
    home.write("config/hzl/config.json", config.to_string());
}

#[test]
fn without_any_network_everything_local_works_and_sync_says_so() {
    let shell = shell();
    for url in ["http://127.0.0.1:9", "https://db.example.org"] {
        configure(&shell, url, "t");
        for command in [
            "task add T",
            "task list",
            "task claim --next --agent ann",
            "status",
            "doctor",
            "which-db",
        ] {
            let run = crate::apart(&shell, &["--net"], &format!("exec \"$HZL\" {command}")).run();
            assert!(run.exit == 0 || command.contains("claim"), "{run}");
            assert!(!run.stderr.contains("panicked"), "{run}");
        }
        let run = crate::apart(&shell, &["--net"], "exec \"$HZL\" sync").run();
        assert_fails(&run, 8, "sync_unavailable");
        assert!(run.stdout.contains("kept"), "{run}");
    }
    drop(fs::remove_file(shell.config().join("hzl/config.json")));
    assert_holds(&looked_at(&shell), &["T", "T"]);
}

/// Neither a process nor a thread can be started: the limit is that of a user who has one already.
#[test]
fn without_other_processes_everything_works_even_sync() {
    let sqld = Sqld::start(Auth::Jwt);
    let token = sqld.token(Access::ReadWrite, 3600);
    let shell = shell();
    fs::set_permissions(shell.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let alone = format!("exec prlimit --nproc=1 {}", crate::as_nobody(&shell));
    let forks = alone
        .rsplit_once(' ')
        .map_or("", |(before, _binary)| before);
    let refused = script(
        &shell,
        &format!("{forks} /bin/sh -c 'sleep 0 && echo forked'"),
    );
    assert!(
        refused.stderr.contains("fork"),
        "the limit holds: {refused}"
    );
    let by_name = sqld.url().replace("127.0.0.1", "localhost");
    let mut titles = vec![];
    for url in [sqld.url(), by_name] {
        configure(&shell, &url, &token);
        let config = shell.path().join("config/hzl/config.json");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("it is ours");
        for command in [
            "task add T",
            "task list",
            "status",
            "sync",
            "doctor",
            "hook drain",
        ] {
            let run = script(&shell, &format!("{alone} {command}"));
            assert_eq!(run.exit, 0, "{run}");
            assert!(!run.stderr.contains("panicked"), "{run}");
        }
        titles.push("T");
    }
    configure(&shell, "https://nosuch.example.invalid", "t");
    let config = shell.path().join("config/hzl/config.json");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let run = script(&shell, &format!("{alone} sync"));
    assert_fails(&run, 8, "sync_unavailable");
    drop(fs::remove_file(config));
    assert_holds(&looked_at(&shell), &titles);
}

/// From far too little memory up to enough: a command does what it says or says that it failed, and the ledger is
/// whole after each. `HZL_TEST_MEMORY_STEPS`: how many amounts are tried.
#[test]
fn with_little_memory_commands_fail_whole() {
    let steps = crate::setting("HZL_TEST_MEMORY_STEPS", 12);
    let shell = shell();
    let home = looked_at(&shell);
    home.json(&["task", "add", "First"]);
    let mut titles = vec!["First".to_owned()];
    let (mut failed, mut done) = (0, 0);
    for step in 0..steps {
        // Kilobytes of address space, between what a program needs to be loaded and plenty.
        let limit = 8_000 + step * 160_000 / steps;
        let title = format!("With {limit}");
        let run = script(
            &shell,
            &format!("ulimit -v {limit}; exec \"$HZL\" task add '{title}'"),
        );
        if run.exit == 0 {
            done += 1;
            titles.push(title);
        } else {
            failed += 1;
            let listed = home.json(&["task", "list", "--limit", "1000"]).to_string();
            if listed.contains(&format!("\"{title}\"")) {
                // Killed between commit and answer: it was never acknowledged, and is there once.
                titles.push(title);
            }
        }
    }
    assert!(failed > 0 && done > 0, "{failed} failed, {done} did not");
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    assert_holds(&home, &titles);
}
