//! `hzl completions` and `hzl man`.

use std::fs;
use std::process::Command;

use hzl_testkit::home::Home;

use crate::add;
use crate::home;

/// Returns what is suggested for the last word of a line.
fn suggested(home: &Home, line: &[&str]) -> Vec<String> {
    let index = line.len().to_string();
    let mut arguments = vec!["--", "hzl"];
    arguments.extend(line);
    let run = home
        .call(&arguments)
        .env("HZL_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", index)
        .env("_CLAP_IFS", "\n")
        .run();
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
    run.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn commands_options_ids_and_projects_are_suggested() {
    let home = home();
    home.json(&["project", "create", "webshop"]);
    let one = add(&home, &["One"]);
    let two = add(&home, &["Two"]);
    assert!(suggested(&home, &["task", "un"]).contains(&"unarchive".to_owned()));
    assert_eq!(suggested(&home, &["task", "list", "--proj"]), ["--project"]);
    for line in [["task", "show", &one[..4]], ["task", "complete", &one[..2]]] {
        assert_eq!(suggested(&home, &line), [one.as_str(), two.as_str()]);
    }
    assert_eq!(
        suggested(&home, &["task", "list", "-P", "web"]),
        ["webshop"]
    );
    let list = format!("{one},{}", &two[..10]);
    let lists = suggested(&home, &["task", "add", "T", "--depends-on", &list]);
    assert!(lists.contains(&format!("{one},{two}")), "{lists:?}");
    assert_eq!(suggested(&home, &["completions", "po"]), ["powershell"]);
}

#[test]
fn nothing_is_made_where_there_is_no_ledger() {
    let home = home();
    let suggestions = suggested(&home, &["task", "show", ""]);
    assert!(
        suggestions.iter().all(|word| word.starts_with("--")),
        "{suggestions:?}"
    );
    assert!(!home.data().exists());
}

#[test]
fn every_shell_gets_a_script_and_bash_takes_it() {
    let home = home();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let run = home.hzl(&["completions", shell]);
        assert_eq!(run.exit, 0, "{run}");
        assert!(run.stdout.contains("HZL_COMPLETE"), "{run}");
    }
    home.fails(&["completions", "tcsh"], 2);

    let task = add(&home, &["One"]);
    let script = home.write("script", home.hzl(&["completions", "bash"]).stdout);
    let line = format!(
        "source {}; COMP_WORDS=(hzl task show 01); COMP_CWORD=3; COMP_TYPE=9
         _clap_complete_hzl hzl 01 show; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let bash = Command::new("bash")
        .args(["-c", &line])
        .env("XDG_DATA_HOME", home.data())
        .env("HOME", home.path())
        .output()
        .expect("there is a bash");
    let output = String::from_utf8_lossy(&bash.stdout);
    assert_eq!(
        output.trim(),
        task,
        "{}",
        String::from_utf8_lossy(&bash.stderr)
    );
}

#[test]
fn man_pages_are_printed_or_written_for_every_command() {
    let home = home();
    let page = home.hzl(&["man", "task", "claim"]);
    assert!(page.stdout.contains("hzl\\-task\\-claim"), "{page}");
    assert!(home.hzl(&["man"]).stdout.contains(".TH hzl 1"));
    home.fails(&["man", "task", "clam"], 2);
    let directory = home.path().join("share/man1");
    let written = home.hzl(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!(written.exit, 0, "{written}");
    for name in ["hzl.1", "hzl-task-claim.1", "hzl-workflow-run-start.1"] {
        let page = fs::read_to_string(directory.join(name)).expect(name);
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    home.write("file", "");
    home.fails(&["man", "--dir", "file/below"], 1);
}
