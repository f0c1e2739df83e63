//! A page of the documentation as a list of steps.
//!
//! What a reader sees is played as it stands. What only the test needs to know stands in HTML comments, each on a
//! line of its own:
//!
//! ```text
//! <!-- machine: desktop -->          what follows happens on that machine; the first one is called laptop
//! <!-- copy: laptop to other -->     a machine with a copy of that disk, on which what follows happens
//! <!-- server: start -->             also stop and wipe: a real sqld, its token in ~/hzl-cloud/token
//! <!-- server: next block -->        the next block makes keys and a token, and starts a server
//! <!-- run: hzl task add "A" -->     runs here, and is not shown
//! <!-- settings -->                  the next block is a config file, and is written
//! <!-- store: 3.2.0 -->              the files of HZL 3.2.0 with two tasks
//! <!-- fresh -->                     new machines and no server, as at the start of a page
//! <!-- not run: why -->              the next block is only read
//! ```

use std::ops::Range;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Machine(String),
    Copy {
        of: String,
        name: String,
    },
    Server(Order),
    Hidden(String),
    Settings(String),
    OldStore,
    Fresh,
    /// A command, and what the page says it prints.
    Command {
        line: String,
        shown: String,
        /// The lines of the page that show it.
        at: Range<usize>,
    },
    /// A block of shell that is not played: its commands have to be understood.
    Script(String),
    /// Markdown to put elsewhere, such as into AGENTS.md.
    Snippet(String),
    /// Anything else in a fence.
    Other(String),
}

/// What happens to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Start,
    Stop,
    Wipe,
    /// It is made by this block.
    By(String),
}

/// A step and the line of the page on which it begins, from 1.
pub(crate) type Steps = Vec<(usize, Step)>;

/// What a comment says about the next block.
enum Next {
    Plain,
    Server,
    Settings,
    NotRun,
}

/// Reads a page.
///
/// # Panics
///
/// When a comment that looks like one of ours is none, or a fence is indented or not closed.
#[track_caller]
pub(crate) fn steps(name: &str, text: &str) -> Steps {
    let lines: Vec<&str> = text.lines().collect();
    let mut steps = vec![];
    let mut next = Next::Plain;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        if let Some(order) = comment(line) {
            match order.split_once(": ").unwrap_or((order, "")) {
                ("machine", machine) => steps.push((number, Step::Machine(machine.to_owned()))),
                ("copy", machines) => {
                    let (of, name) = machines.split_once(" to ").expect("a copy of what to what");
                    let (of, name) = (of.to_owned(), name.to_owned());
                    steps.push((number, Step::Copy { of, name }));
                }
                ("server", "start") => steps.push((number, Step::Server(Order::Start))),
                ("server", "stop") => steps.push((number, Step::Server(Order::Stop))),
                ("server", "wipe") => steps.push((number, Step::Server(Order::Wipe))),
                ("server", "next block") => next = Next::Server,
                ("run", command) => steps.push((number, Step::Hidden(command.to_owned()))),
                ("settings", "") => next = Next::Settings,
                ("store", "3.2.0") => steps.push((number, Step::OldStore)),
                ("fresh", "") => steps.push((number, Step::Fresh)),
                // For the script that writes tables into a page.
                ("bench" | "end", _) => {}
                ("not run", why) if !why.is_empty() => next = Next::NotRun,
                _ => panic!("{name}:{number}: nobody understands <!-- {order} -->"),
            }
        }
        let Some(language) = line.strip_prefix("```") else {
            let is_fence = line.trim_start().starts_with("```");
            assert!(
                !is_fence,
                "{name}:{number}: a fence that is indented is not seen"
            );
            continue;
        };
        let length = lines[at..].iter().position(|line| line.starts_with("```"));
        let length = length.unwrap_or_else(|| panic!("{name}:{number}: the fence is not closed"));
        let inside = at..at + length;
        let block: String = lines[inside.clone()]
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        at = inside.end + 1;
        match (language, std::mem::replace(&mut next, Next::Plain)) {
            (_, Next::Settings) => steps.push((number, Step::Settings(block))),
            ("sh", Next::Server) => steps.push((number, Step::Server(Order::By(block)))),
            ("console", Next::Plain) => steps.extend(commands(&lines, inside)),
            ("sh", Next::Plain) => steps.push((number, Step::Script(block))),
            ("markdown", Next::Plain) => steps.push((number, Step::Snippet(block))),
            ("sh" | "console", Next::NotRun) => {
                for line in block.lines().filter(|line| is_hzl(line)) {
                    let line = line.strip_prefix("$ ").unwrap_or(line);
                    steps.push((number, Step::Script(format!("{line}\n"))));
                }
            }
            (_, Next::Plain | Next::NotRun) => steps.push((number, Step::Other(block))),
            (language, Next::Server) => panic!("{name}:{number}: no server starts with {language}"),
        }
    }
    steps
}

/// Returns what stands in a comment that is a line of its own.
fn comment(line: &str) -> Option<&str> {
    Some(line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.trim())
}

/// Whether it is a command of hzl, with or without a prompt.
pub(crate) fn is_hzl(line: &str) -> bool {
    line.strip_prefix("$ ").unwrap_or(line).starts_with("hzl ")
}

/// Returns the commands of a console block.
fn commands(lines: &[&str], inside: Range<usize>) -> Steps {
    let mut steps: Steps = vec![];
    let mut at = inside.start;
    while at < inside.end {
        let begin = at;
        let line = lines[at].strip_prefix("$ ");
        let mut line = line
            .unwrap_or_else(|| panic!("line {}: a console block begins with a command", at + 1))
            .to_owned();
        at += 1;
        while line.ends_with('\\') && at < inside.end {
            line = format!("{line}\n{}", lines[at]);
            at += 1;
        }
        let output = at;
        while at < inside.end && !lines[at].starts_with("$ ") {
            at += 1;
        }
        let shown = lines[output..at].iter().map(|line| format!("{line}\n"));
        let step = Step::Command {
            line,
            shown: shown.collect(),
            at: begin..at,
        };
        steps.push((begin + 1, step));
    }
    steps
}

/// How commands begin that prose names without the `hzl` before them.
const SHORT: [&str; 8] = [
    "task ",
    "project ",
    "workflow ",
    "conflicts ",
    "init --",
    "sync --",
    "doctor --",
    "hook ",
];

/// Returns the commands that stand in the text between backticks, without `hzl`.
pub(crate) fn mentioned(text: &str) -> Vec<(usize, String)> {
    let mut found = vec![];
    let mut in_fence = false;
    // A span may go on in the next line, but not beyond its paragraph.
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence || line.trim().is_empty() {
            open = None;
            continue;
        }
        let mut pieces = line.split('`');
        let first = pieces.next().unwrap_or_default();
        if let Some((_, span)) = &mut open {
            span.push(' ');
            span.push_str(first.trim_start());
        }
        for piece in pieces {
            open = match open.take() {
                Some((number, span)) => {
                    if let Some(command) = span.strip_prefix("hzl ") {
                        found.push((number, command.to_owned()));
                    } else if SHORT.iter().any(|start| span.starts_with(start)) {
                        found.push((number, span));
                    }
                    None
                }
                None => Some((at + 1, piece.to_owned())),
            };
        }
    }
    found
}

#[test]
fn a_page_is_its_commands_its_comments_and_its_blocks() {
    let page = "\
<!-- machine: desktop -->
```console
$ hzl task list
Tasks:
$ echo \\
  more
```
<!-- not run: nobody has it -->

```sh
brew install hzl
hzl status
```
```json
{}
```
";
    let command = |line: &str, shown: &str, at| Step::Command {
        line: line.to_owned(),
        shown: shown.to_owned(),
        at,
    };
    let expected = vec![
        (1, Step::Machine("desktop".to_owned())),
        (3, command("hzl task list", "Tasks:\n", 2..4)),
        (5, command("echo \\\n  more", "", 4..6)),
        (10, Step::Script("hzl status\n".to_owned())),
        (14, Step::Other("{}\n".to_owned())),
    ];
    assert_eq!(steps("a page", page), expected);
}

#[test]
#[should_panic(expected = "a page:1: nobody understands <!-- machin: desktop -->")]
fn a_comment_that_nobody_understands_is_a_mistake() {
    drop(steps("a page", "<!-- machin: desktop -->\n"));
}

#[test]
fn what_stands_between_backticks_is_found_over_line_ends_and_not_in_fences() {
    let page = "Run `hzl\nstatus`, or `hzl task\nlist`.\n\n```json\n`hzl no`\n```\nA ` alone.\n\n`hzl sync`\n";
    let found: Vec<String> = mentioned(page).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, ["status", "task list", "sync"]);
}
