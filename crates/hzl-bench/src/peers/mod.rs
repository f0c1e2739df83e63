//! Other programs that keep tasks, where they are installed: the same questions, in turn with hzl.

mod backlog;
mod node;
mod taskwarrior;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::made_up::Shape;
use serde_json::Value;
use serde_json::json;

use self::backlog::Backlog;
use self::node::Node;
use self::taskwarrior::Taskwarrior;
use crate::commands::call;
use crate::commands::owned;
use crate::report::Section;
use crate::report::Table;
use crate::report::Target;
use crate::report::number;
use crate::stores::Bench;
use crate::timing::Contestant;
use crate::timing::Results;
use crate::timing::in_turn;

/// What is asked of both programs.
struct Question {
    name: &'static str,
    /// Arguments of the other program.
    theirs: &'static [&'static str],
    /// Arguments of hzl; `ID` is the id of a task.
    ours: &'static [&'static str],
}

/// What P7 asks: to be so many times faster on stores of so many tasks.
struct Goal {
    tasks: u64,
    times: f64,
}

/// Another program.
trait Peer {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// What the table says above its figures.
    fn title(&self) -> String;
    /// The sizes of its stores, in tasks.
    fn sizes(&self) -> &'static [u64];
    fn questions(&self) -> &'static [Question];
    fn goal(&self) -> Option<Goal>;
    /// Makes a store of so many open tasks, and returns where it is.
    fn lay_out(&self, bench: &Bench, tasks: u64) -> PathBuf;
    /// The program, to be started with these arguments on that store.
    fn command(&self, home: &Path, arguments: &[&str]) -> Command;
}

pub(crate) fn run(bench: &Bench) -> Section {
    let mut peers: Vec<Box<dyn Peer>> = vec![];
    let mut missing = vec![];
    match Taskwarrior::find() {
        Some(found) => peers.push(Box::new(found)),
        None => missing.push("taskwarrior (`apt-get install taskwarrior`)"),
    }
    match Backlog::find() {
        Some(found) => peers.push(Box::new(found)),
        None => missing.push("Backlog.md (`npm install --global backlog.md`)"),
    }
    match Node::find() {
        Some(found) => peers.push(Box::new(found)),
        None => missing.push("Node (`apt-get install nodejs`)"),
    }
    let mut line = vec![bench.nop()];
    for peer in &peers {
        for tasks in peer.sizes() {
            line.extend(contestants(bench, &**peer, *tasks));
        }
    }
    let results = in_turn(bench, bench.choose(7, 15, 30), &mut line);
    let nop = results.get("nop", None);
    let figures: Vec<Value> = results.0.iter().map(|series| series.json(nop)).collect();
    let titles: Vec<String> = peers.iter().map(|peer| peer.title()).collect();
    let mut section = Section::new("peers", json!({"peers": titles, "runs": figures}));
    for peer in &peers {
        add_to(&mut section, &**peer, &results);
    }
    for name in missing {
        let title = format!("Not measured, since it is not installed: {name}.");
        section.tables.push(Table::new(&title, &["Peer", "Figure"]));
    }
    section
}

/// Both programs, one after the other, for each question.
fn contestants<'a>(bench: &Bench, peer: &'a dyn Peer, tasks: u64) -> Vec<Contestant<'a>> {
    let home = peer.lay_out(bench, tasks);
    let machine = bench.machine(&format!("peers-{}", peer.name()), tasks, Shape::Ready);
    let shown = machine.claimable(1).remove(0);
    let mut both = vec![];
    for question in peer.questions() {
        let home = home.clone();
        let theirs = format!("{}: {}", peer.name(), question.name);
        both.push(Contestant::new(&theirs, Some(tasks), move |_| {
            peer.command(&home, question.theirs)
        }));
        let machine = machine.clone();
        let mut arguments = owned(question.ours);
        for argument in arguments.iter_mut().filter(|argument| *argument == "ID") {
            argument.clone_from(&shown);
        }
        let ours = format!("{}: {}, hzl", peer.name(), question.name);
        both.push(Contestant::new(&ours, Some(tasks), move |_| {
            call(&machine, &arguments)
        }));
    }
    both
}

/// Adds the table of one program, and what P7 says of it.
fn add_to(section: &mut Section, peer: &dyn Peer, results: &Results) {
    let (name, title) = (peer.name(), peer.title());
    let (theirs, ratio) = (format!("{name}, µs"), format!("{name} / hzl"));
    let header = ["Question", "Tasks", &theirs, "hzl, µs", &ratio];
    let mut table = Table::new(&title, &header);
    for tasks in peer.sizes() {
        for question in peer.questions() {
            let asked = format!("{name}: {}", question.name);
            let theirs = results.get(&asked, Some(*tasks));
            let ours = results.get(&format!("{asked}, hzl"), Some(*tasks));
            let ratio = theirs.over(ours);
            table.rows.push(vec![
                question.name.to_owned(),
                number(*tasks as f64),
                number(theirs.wall()),
                number(ours.wall()),
                number(ratio),
            ]);
            let goal = peer.goal().filter(|goal| goal.tasks == *tasks);
            if let Some(Goal { times, .. }) = goal {
                let size = number(*tasks as f64);
                let what = format!("{} at {size} tasks, {name} / hzl", question.name);
                section
                    .targets
                    .push(Target::at_least("P7", what, ratio, times));
            }
        }
    }
    section.tables.push(table);
}

/// What a program says when it is asked for its version; `None` if it is not there, or is another of that name.
fn version_of(program: &str) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.trim().trim_start_matches('v');
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}
