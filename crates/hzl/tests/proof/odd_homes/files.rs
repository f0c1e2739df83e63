//! Where the ledger is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use super::assert_fails;
use super::assert_holds;
use super::looked_at;
use super::script;
use super::shell;

/// Makes `data` a mount that may not be written.
const READ_ONLY: &str = "mount --bind data data && mount -o remount,ro,bind data && ";

#[test]
fn a_read_only_file_system_is_read() {
    let shell = shell();
    looked_at(&shell).json(&["task", "add", "T"]);
    for left in [
        &["events.db-wal"][..],
        &["events.db-shm", "cache.db-shm"],
        &[],
    ] {
        for command in [
            "task list",
            "events",
            "project list",
            "status",
            "which-db",
            "export",
            "task search T",
            "stats",
        ] {
            let run = crate::apart(
                &shell,
                &["--mount"],
                &format!("{READ_ONLY}exec \"$HZL\" {command}"),
            )
            .run();
            assert_eq!(run.exit, 0, "{run}");
            assert!(!run.stderr.contains("panicked"), "{run}");
        }
        let run = crate::apart(
            &shell,
            &["--mount"],
            &format!("{READ_ONLY}exec \"$HZL\" task list"),
        )
        .run();
        assert!(run.stdout.contains("\"T\""), "{run}");
        let run = crate::apart(
            &shell,
            &["--mount"],
            &format!("{READ_ONLY}exec \"$HZL\" task add No"),
        )
        .run();
        assert_fails(&run, 5, "database_error");
        assert!(run.stdout.contains("events.db"), "it names the file: {run}");
        for name in left {
            // What a checkpoint leaves, without the journal or with a journal nobody has an index of.
            if *name == "events.db-wal" {
                looked_at(&shell).json(&["backup", "whole.db"]);
            } else {
                drop(fs::remove_file(shell.data().join("hzl").join(name)));
            }
        }
    }
    assert_holds(&looked_at(&shell), &["T"]);
    // Where there is no ledger none can be made, and it is said so.
    let empty = super::shell();
    fs::create_dir(empty.data()).expect("it is new");
    let run = crate::apart(
        &empty,
        &["--mount"],
        &format!("{READ_ONLY}exec \"$HZL\" task add No"),
    )
    .run();
    assert_fails(&run, 5, "database_error");
}

#[test]
fn without_a_home_files_have_to_be_named() {
    let shell = shell();
    // Of a user whom nobody has heard of: otherwise the system knows a home.
    let stranger = ["--map-user=54321", "--map-group=54321"];
    let nobody = "unset HOME XDG_DATA_HOME XDG_CONFIG_HOME; ";
    let run = crate::in_user_namespace(
        &shell,
        &stranger,
        &format!("{nobody}exec \"$HZL\" task add T"),
    )
    .run();
    assert_fails(&run, 1, "general_error");
    assert!(run.stdout.contains("HZL_DB"), "{run}");
    let named = format!("{nobody}export HZL_DB=$PWD/l.db HZL_CONFIG=$PWD/c.json; ");
    for command in ["task add T", "task list", "doctor", "config"] {
        let run = crate::in_user_namespace(
            &shell,
            &stranger,
            &format!("{named}exec \"$HZL\" {command}"),
        )
        .run();
        assert_eq!(run.exit, 0, "{run}");
    }
    let run = script(
        &shell,
        "export HOME=/nonexistent XDG_DATA_HOME= XDG_CONFIG_HOME=; exec \"$HZL\" which-db",
    );
    assert_eq!(run.exit, 0, "{run}");
}

#[test]
fn a_home_that_may_not_be_written_is_named_in_the_failure() {
    let shell = shell();
    fs::set_permissions(shell.path(), fs::Permissions::from_mode(0o555)).expect("it is ours");
    let drop_rights = crate::as_nobody(&shell);
    let run = script(&shell, &format!("{drop_rights} task add T"));
    assert_fails(&run, 5, "database_error");
    assert!(run.stdout.contains("data"), "it names the place: {run}");
    let run = script(
        &shell,
        &format!("{drop_rights} init --sync-url http://127.0.0.1:9 --auth-token x"),
    );
    assert_ne!(run.exit, 0, "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    fs::set_permissions(shell.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
}

#[test]
fn paths_may_hold_any_byte() {
    let home = crate::home();
    for name in [
        &b"with space"[..],
        b"new\nline",
        b"\xff\xfe",
        "größer ✓".as_bytes(),
        b"-P",
        b"'\"$x`",
        b"%41?#;&",
    ] {
        let directory = home.path().join(OsStr::from_bytes(name));
        fs::create_dir(&directory).expect("it is new");
        let named = |line: &[&str]| home.call(line).env("HZL_DB", directory.join("l.db")).json();
        named(&["task", "add", "T"]);
        assert_eq!(named(&["task", "list"])["tasks"][0]["title"], "T");
        assert_eq!(
            named(&["doctor"])["checks"]["projections"]["status"],
            "pass"
        );
        assert!(directory.join("l.db").exists());
        let moved = home.path().join("moved");
        let home_there = crate::home()
            .env("XDG_DATA_HOME", &directory)
            .env("HOME", &directory);
        home_there.json(&["task", "add", "T2"]);
        assert!(directory.join("hzl/events.db").exists());
        drop(moved);
    }
    // Arguments are text; the environment takes the rest.
    let shell = shell();
    let run = script(
        &shell,
        "exec \"$HZL\" --db \"$(printf '\\377.db')\" task list",
    );
    assert_fails(&run, 2, "invalid_usage");
}

#[test]
fn a_file_system_that_loses_everything_is_warned_of_once() {
    let shell = shell();
    fs::create_dir(shell.data()).expect("it is new");
    let mount = |kind: &str| {
        format!(
            "mount -t {kind} none data && \"$HZL\" task add T && \"$HZL\" task list && exec \"$HZL\" doctor"
        )
    };
    let run = crate::apart(&shell, &["--mount"], &mount("ramfs")).run();
    assert_eq!(run.exit, 0, "{run}");
    assert_eq!(
        run.stderr.matches("ramfs").count(),
        1,
        "when it is made: {run}"
    );
    let doctor = run.stdout.lines().last().unwrap_or_default();
    assert!(
        doctor.contains("ramfs") && doctor.contains("\"warn\""),
        "{run}"
    );
    let run = crate::apart(&shell, &["--mount"], &mount("tmpfs")).run();
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    assert!(!run.stdout.contains("tmpfs"), "{run}");
}

#[test]
fn a_full_disk_fails_what_it_must_and_nothing_else() {
    for size in ["64k", "256k", "512k", "1m"] {
        let shell = shell();
        fs::create_dir(shell.data()).expect("it is new");
        let fill = format!(
            "mount -t tmpfs -o size={size} none data && n=0; while [ $n -lt 400 ]; do n=$((n+1));
             \"$HZL\" task add \"T$n\" --comment {text} >out 2>&1; code=$?
             if [ $code -ne 0 ]; then cat out; echo \"exit $code\"; break; fi; echo \"added $n\"; done
             \"$HZL\" task list --limit 1000; echo \"list $?\"
             rm -f data/hzl/ballast; mount -o remount,size=64m data && \"$HZL\" task add Last && \"$HZL\" doctor",
            text = "x".repeat(12_000)
        );
        let run = crate::apart(&shell, &["--mount"], &fill).run();
        assert!(
            run.stdout.contains("\nexit 5\n") || run.stdout.starts_with("exit 5"),
            "{size}: {}",
            tail(&run.stdout)
        );
        assert!(run.stdout.contains("full"), "{size}: {}", tail(&run.stdout));
        assert!(
            !run.stdout.contains("panicked") && !run.stderr.contains("panicked"),
            "{size}: {run}"
        );
        let added = run
            .stdout
            .lines()
            .filter(|line| line.starts_with("added"))
            .count();
        assert_eq!(
            run.exit,
            0,
            "{size}: once there is space all goes on: {}",
            tail(&run.stdout)
        );
        if added > 0 {
            assert!(
                run.stdout.contains("\nlist 0\n"),
                "{size}: reading goes on: {}",
                tail(&run.stdout)
            );
            let listed = run
                .stdout
                .lines()
                .find(|line| line.starts_with("{\"tasks\""))
                .expect("a list");
            let titles = (1..=added)
                .filter(|n| listed.contains(&format!("\"T{n}\"")))
                .count();
            assert_eq!(titles, added, "{size}: what was acknowledged is there");
            assert!(
                !listed.contains(&format!("\"T{}\"", added + 1)),
                "{size}: what failed is not"
            );
        }
    }
}

fn tail(text: &str) -> String {
    let short = text
        .lines()
        .rev()
        .take(8)
        .map(|line| line.chars().take(300).collect::<String>());
    short.collect::<Vec<_>>().join("\n")
}

#[test]
fn files_are_private_under_an_open_umask_and_usable_under_a_closed_one() {
    for umask in ["000", "077", "022", "002"] {
        let shell = shell();
        for command in [
            "init --local",
            "task add T",
            "backup b.db",
            "export e.ndjson",
            "task list",
        ] {
            let run = script(&shell, &format!("umask {umask}; exec \"$HZL\" {command}"));
            assert_eq!(run.exit, 0, "{umask}: {run}");
        }
        let listed = script(&shell, "find data config b.db e.ndjson -perm /077");
        assert_eq!(listed.stdout, "", "umask {umask}: {listed}");
        assert_holds(&looked_at(&shell), &["T"]);
    }
}
