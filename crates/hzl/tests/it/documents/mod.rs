//! The documentation shows what really happens: every command on every page is played in a fresh home, with the real
//! binary and a real server, and what it prints is compared with what the page shows.
//!
//! `UPDATE_DOCS=1` writes what was printed into the page. `page` says what a page may tell the test.

mod compare;
mod facts;
mod page;
mod play;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

use crate::home;
use page::Step;
use play::World;
use play::pages;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the checkout is there")
}

/// Plays a page. Returns what is wrong with it, and the page as it should be.
fn played(name: &str, text: &str) -> (Vec<String>, String) {
    let mut world = World::new();
    let mut problems = vec![];
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // What was printed, with the lines that show it: put in from the end, so that numbers stay right.
    let mut edits = vec![];
    let steps = page::steps(name, text);
    for (place, (number, step)) in steps.iter().enumerate() {
        match step {
            Step::Machine(machine) => world.machine(machine),
            Step::Copy { of, name } => world.copy(of, name),
            Step::Server(order) => world.server(order),
            Step::OldStore => world.old_store(),
            Step::Fresh => world = World::new(),
            Step::Settings(settings) => {
                world.settings(settings);
                let answer = world.run("hzl config");
                if answer.exit != 0 {
                    problems.push(format!("{name}:{number}: bad settings\n{}", answer.text));
                }
            }
            Step::Hidden(line) => {
                let answer = world.run(line);
                if answer.exit != 0 {
                    problems.push(format!("{name}:{number}: $ {line}\n{}", answer.text));
                }
            }
            Step::Command { line, shown, at } => {
                let answer = world.run(line);
                let asks_how_it_ended = matches!(
                    steps.get(place + 1),
                    Some((_, Step::Command { line, .. })) if line == "echo $?"
                );
                let says_that_it_failed =
                    answer.text.contains("\"ok\":false") || answer.text.contains("Error: ");
                if (answer.exit != 0) != says_that_it_failed && !asks_how_it_ended {
                    let exit = answer.exit;
                    problems.push(format!(
                        "{name}:{number}: exit code {exit}\n{}",
                        answer.text
                    ));
                }
                if !world.ids.matches(shown, &answer.text) {
                    let new = world.ids.rewritten(shown, &answer.text);
                    problems.push(format!(
                        "{name}:{number}: $ {line}\n--- shown\n{shown}--- printed\n{new}"
                    ));
                    let commands = line.lines().count();
                    edits.push((at.start + commands..at.end, new));
                }
            }
            // Looked at by other tests.
            Step::Script(_) | Step::Snippet(_) | Step::Other(_) => {}
        }
    }
    for (at, new) in edits.into_iter().rev() {
        lines.splice(at, new.lines().map(str::to_owned));
    }
    (problems, lines.join("\n") + "\n")
}

/// Plays a page, and writes it anew if that is wanted. Returns what is wrong, and how many commands there are.
fn checked(name: &str, path: &Path) -> (Vec<String>, usize) {
    let text = fs::read_to_string(path).expect("a page can be read");
    let steps = page::steps(name, &text);
    let is_command = |step: &Step| matches!(step, Step::Command { .. });
    let count = steps.iter().filter(|(_, step)| is_command(step)).count();
    let (problems, new) = played(name, &text);
    if !problems.is_empty() && env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, new).expect("pages can be written");
    }
    (problems, count)
}

#[test]
fn every_page_shows_what_really_happens() {
    let pages = pages();
    // Each in its own homes and with its own server, so all at once.
    let found = thread::scope(|scope| {
        let page = |(name, path): &(String, PathBuf)| {
            let (name, path) = (name.clone(), path.clone());
            scope.spawn(move || checked(&name, &path))
        };
        let running: Vec<_> = pages.iter().map(page).collect();
        let pages = running.into_iter();
        pages
            .map(|page| page.join().expect("a page can be played"))
            .collect::<Vec<_>>()
    });
    let problems: Vec<&str> = found
        .iter()
        .flat_map(|(problems, _)| problems.iter().map(String::as_str))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    let count: usize = found.iter().map(|(_, count)| count).sum();
    assert!(count > 60, "{count} commands");
}

/// Returns the commands of hzl in a line of shell.
fn commands_of(line: &str) -> Vec<&str> {
    let mut found = vec![];
    for part in line.split("| ").flat_map(|part| part.split("&& ")) {
        let part = part.split(" # ").next().unwrap_or(part).trim();
        let command = match part.split_once(" -p hzl -- ") {
            Some((start, command)) if start.starts_with("cargo run") => Some(command),
            _ => part.strip_prefix("hzl "),
        };
        found.extend(command);
    }
    found
}

/// Whether hzl knows the command and its options. It is not run.
fn is_understood(command: &str) -> Result<(), String> {
    let behind = [" > ", " < ", "; "]
        .iter()
        .find_map(|mark| command.split_once(mark));
    let command = behind.map_or(command, |(command, _)| command);
    let words = words(&placeholders_as_words(
        &command.replace(['…', '[', ']'], " "),
    ));
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.first().is_some_and(|word| word.starts_with('<')) {
        // `hzl <command>`
        words.remove(0);
    }
    words.push("--help");
    let run = home().hzl(&words);
    // Prose may name an option without a value.
    if run.exit == 0 || run.stdout.contains("needs a value, but `") {
        return Ok(());
    }
    Err(run.to_string())
}

/// Makes one word of each `<new address>`.
fn placeholders_as_words(command: &str) -> String {
    let mut inside = false;
    let letters = command.chars().map(|c| {
        inside = (inside || c == '<') && c != '>';
        if inside && c == ' ' { '-' } else { c }
    });
    letters.collect()
}

/// Splits a command line as a shell does, for the quoting that pages use.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_of_every_page_is_one() {
    /// What is run by the gate, or wants another system, an account or more rights than a test has.
    const ELSEWHERE: [&str; 12] = [
        "cargo ",
        "git ",
        "scripts/",
        ".ci/",
        "turso ",
        "sh scripts/",
        "sudo ",
        "podman ",
        "brew ",
        "sha256sum ",
        "export ",
        "echo ",
    ];
    let mut report = String::new();
    let mut count = 0;
    for (name, path) in pages() {
        let text = fs::read_to_string(&path).expect("a page can be read");
        let mut check = |number: usize, command: &str| {
            count += 1;
            if let Err(problem) = is_understood(command) {
                writeln!(report, "{name}:{number}: hzl {command}\n{problem}").expect("grows");
            }
        };
        for (number, command) in page::mentioned(&text) {
            check(number, &command);
        }
        let mut unseen = vec![];
        for (number, step) in page::steps(&name, &text) {
            match step {
                Step::Script(block) => {
                    for line in block.replace("\\\n", " ").lines() {
                        let commands = commands_of(line);
                        let known = line.is_empty()
                            || line.starts_with('#')
                            || !commands.is_empty()
                            || ELSEWHERE.iter().any(|start| line.starts_with(start));
                        if !known {
                            unseen.push(format!("{name}:{number}: no test sees `{line}`"));
                        }
                        commands.iter().for_each(|command| check(number, command));
                    }
                }
                Step::Snippet(block) => {
                    for (_, command) in page::mentioned(&block) {
                        check(number, &command);
                    }
                }
                Step::Other(block) if block.lines().any(page::is_hzl) => {
                    unseen.push(format!("{name}:{number}: no test sees this\n{block}"));
                }
                _ => {}
            }
        }
        for line in unseen {
            writeln!(report, "{line}").expect("a text grows");
        }
    }
    assert!(report.is_empty(), "{report}");
    assert!(count > 100, "{count} commands");
}

#[test]
fn the_set_up_commands_are_there_each_in_a_block_of_its_own() {
    let text = fs::read_to_string(root().join("README.md")).expect("there is one");
    let steps = page::steps("README.md", &text);
    for command in [
        "cargo run --release --locked -p hzl -- task add \"My first task\" -s ready\n",
        "cargo test --workspace --locked\n",
    ] {
        let script = Step::Script(command.to_owned());
        assert!(steps.iter().any(|(_, step)| *step == script), "{command}");
    }
}
