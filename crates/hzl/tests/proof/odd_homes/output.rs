//! Nobody reads, nobody writes, or nothing can be written to.

use super::assert_holds;
use super::looked_at;
use super::script;
use super::shell;

#[test]
fn closed_streams_are_no_files() {
    let shell = shell();
    looked_at(&shell).json(&["task", "add", "First"]);
    let mut titles = vec!["First".to_owned()];
    for closed in [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let title = format!("With {closed}");
        let run = script(
            &shell,
            &format!("\"$HZL\" task add '{title}' {closed}; echo \"exit $?\""),
        );
        assert!(run.stdout.ends_with("exit 0\n"), "{closed}: {run}");
        titles.push(title);
        for command in [
            "task list",
            "doctor",
            "export",
            "backup b.db --force",
            "task add --from-json -",
            "nonsense",
        ] {
            let run = script(
                &shell,
                &format!("\"$HZL\" {command} {closed}; echo \"exit $?\""),
            );
            assert!(
                !run.stderr.contains("panicked") && !run.stdout.contains("exit 101"),
                "{closed}: {run}"
            );
        }
    }
    // A database that took the place of a closed stream would hold what was printed.
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    assert_holds(&looked_at(&shell), &titles);
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let shell = shell();
    looked_at(&shell).json(&["task", "add", "First"]);
    for command in [
        "task list",
        "task list --format md",
        "events",
        "export",
        "--help",
        "schema",
        "man",
        "guide",
        "completions bash",
        "doctor",
    ] {
        let run = script(&shell, &format!("exec \"$HZL\" {command} >/dev/full"));
        assert_eq!(run.exit, 1, "{command}: {run}");
        assert!(!run.stderr.contains("panicked"), "{run}");
        assert!(
            run.stderr.contains("space") || run.stderr.contains("output"),
            "{command}: it says why: {run}"
        );
    }
    // What was written is said to be written, whoever reads it.
    let run = script(&shell, "exec \"$HZL\" task add Second >/dev/full");
    assert_ne!(run.exit, 0, "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    let run = script(&shell, "exec \"$HZL\" task list >/dev/full 2>/dev/full");
    assert_eq!(run.exit, 1, "{run}");
    assert_holds(&looked_at(&shell), &["First", "Second"]);
}

#[test]
fn a_reader_that_goes_away_ends_the_output_and_nothing_else() {
    let shell = shell();
    let home = looked_at(&shell);
    for number in 0..20 {
        home.json(&[
            "task",
            "add",
            &format!("T{number}"),
            "--comment",
            &"x".repeat(8_000),
        ]);
    }
    for command in [
        "events",
        "export",
        "task list --view full --limit 1000",
        "task list --view full --limit 1000 --format md",
    ] {
        let run = script(
            &shell,
            &format!("{{ \"$HZL\" {command}; echo \"exit $?\" >&2; }} | head -n 1 >/dev/null"),
        );
        assert_eq!(run.stderr, "exit 0\n", "{command}: {run}");
    }
}
