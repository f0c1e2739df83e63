//! The least that SQLite costs for what hzl does: programs without rules, checks or answers.
//!
//! ```text
//! hzl-bench-floor init DIR            makes two databases
//! hzl-bench-floor open1|open2 DIR     opens one or both, reads a row of each
//! hzl-bench-floor insert DIR          one durable event, and its row in the other database
//! hzl-bench-floor append FILE DB      all events of an export, in one transaction
//! hzl-bench-floor scan DB             reads all events of a log
//! hzl-bench-floor fold DB OUT         folds all events of a log and writes the tasks, in bulk
//! hzl-bench-floor peak PROGRAM …      runs a program, prints how much memory it had at most, in bytes
//! ```
//!
//! Not a model of good behaviour: whatever goes wrong is a panic.

#[path = "bulk.rs"]
mod bulk;
#[path = "pair.rs"]
mod pair;

use std::env;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use wait4::Wait4 as _;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["init", directory] => pair::init(Path::new(directory)),
        ["open1", directory] => pair::open(Path::new(directory), &["events.db"]),
        ["open2", directory] => pair::open(Path::new(directory), &["cache.db", "events.db"]),
        ["insert", directory] => pair::insert(Path::new(directory)),
        ["append", file, database] => bulk::append(Path::new(file), Path::new(database)),
        ["scan", database] => bulk::scan(Path::new(database)),
        ["fold", database, out] => bulk::fold(Path::new(database), Path::new(out)),
        ["peak", program, ref rest @ ..] => peak(program, rest),
        _ => panic!("unknown work: {words:?}"),
    }
}

#[expect(clippy::print_stdout, reason = "the benchmark reads it")]
fn peak(program: &str, arguments: &[&str]) {
    let child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let used = child.wait4().expect("a child can be waited for");
    assert!(used.status.success(), "{program} failed");
    println!("{}", used.rusage.maxrss);
}
