//! System calls: which ones a run makes, and what becomes of it when one of them goes wrong.
//!
//! ```text
//! let (run, calls) = strace::calls(home.call(&["task", "add", "T"]), &home);
//! let injected = strace::inject(home.call(&["task", "add", "T"]), &calls[7], Fault::Kill);
//! ```
//!
//! Everything here runs strace: the one of `PATH`, else the one that `scripts/fetch-strace` gets. Calls are
//! counted per name and thread, as strace counts them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::home::Call;
use crate::home::Home;
use crate::home::Run;
use crate::tools::fetched;

/// A system call of a run: the n-th of its name in its thread, counted from 1.
///
/// Written as `pwrite64:12`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemCall {
    /// Its name.
    pub name: String,
    /// Which of that name.
    pub nth: u32,
}

impl fmt::Display for SystemCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.nth)
    }
}

impl FromStr for SystemCall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (name, nth) = text.split_once(':')?;
            let (name, nth) = (name.to_owned(), nth.parse().ok()?);
            Some(Self { name, nth })
        };
        parse().ok_or_else(|| format!("{text} is no system call such as pwrite64:12"))
    }
}

/// What happens at a system call, which is then not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The process is killed.
    Kill,
    /// This one call fails with this error, such as `EIO`.
    Once(&'static str),
    /// It and all later ones of its name fail with this error.
    FromThenOn(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Once(error) => write!(f, "{error} once"),
            Self::FromThenOn(error) => write!(f, "{error} from then on"),
        }
    }
}

/// What came of a run in which a system call went wrong.
#[derive(Debug)]
pub struct Injected {
    /// The run.
    pub run: Run,
    /// Whether the call was made at all; otherwise nothing went wrong.
    pub reached: bool,
}

/// Carries out a call and returns it with its system calls in order, from the first one on that names the home:
/// the ones before are the loader's. The run must succeed.
///
/// # Panics
///
/// When there is no strace, or it shows nothing.
#[track_caller]
pub fn calls(call: Call, home: &Home) -> (Run, Vec<SystemCall>) {
    let output = Output::new();
    let run = call
        .under(words(&["-f", "-o"], output.path(), &["-e", "signal=none"]))
        .run();
    assert_eq!(run.exit, 0, "unexpected exit code\n{run}");
    let trace = output.read();
    let mark = home.path().to_string_lossy().into_owned();
    let calls = in_order(&trace, &mark);
    assert!(!calls.is_empty(), "strace shows no system calls\n{trace}");
    (run, calls)
}

/// Carries out a call, which must succeed, and returns how often it made each system call, in all its threads and
/// from its first one on.
///
/// # Panics
///
/// When there is no strace.
#[track_caller]
pub fn tally(call: Call) -> (Run, BTreeMap<String, u32>) {
    let output = Output::new();
    let run = call
        .under(words(&["-f", "-o"], output.path(), &["-e", "signal=none"]))
        .run();
    assert_eq!(run.exit, 0, "unexpected exit code\n{run}");
    let mut counts = BTreeMap::new();
    for line in output.read().lines() {
        if let Some((_, name)) = begun(line) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    (run, counts)
}

/// Returns thread and name of the system call that begins in this line of a trace, if one does.
fn begun(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(char::is_whitespace)?;
    let (name, _) = rest.trim_start().split_once('(')?;
    // Otherwise it is the second half of an interrupted line, or an exit.
    let is_name = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    is_name.then_some((thread, name))
}

/// Reads a trace: the calls from the first line on that contains `mark`.
fn in_order(trace: &str, mark: &str) -> Vec<SystemCall> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut calls = vec![];
    let mut counting = false;
    for line in trace.lines() {
        let Some((thread, name)) = begun(line) else {
            continue;
        };
        let nth = counts.entry((thread, name)).or_default();
        *nth += 1;
        // The name of the program stands in execve, and the home is not in it.
        counting = counting || name != "execve" && line.contains(mark);
        let call = SystemCall {
            name: name.to_owned(),
            nth: *nth,
        };
        if counting && !calls.contains(&call) {
            calls.push(call);
        }
    }
    calls
}

/// Carries out a call in which one system call goes wrong.
///
/// # Panics
///
/// When there is no strace.
#[track_caller]
pub fn inject(call: Call, at: &SystemCall, fault: Fault) -> Injected {
    let SystemCall { name, nth } = at;
    let what = match fault {
        Fault::Kill => format!("inject={name}:signal=KILL:when={nth}"),
        Fault::Once(error) => format!("inject={name}:error={error}:when={nth}"),
        Fault::FromThenOn(error) => format!("inject={name}:error={error}:when={nth}+"),
    };
    let only = format!("trace={name}");
    // Twice as fast on an idle machine, but strace 6.1 then delivers no signal.
    let form: &[&str] = match fault {
        Fault::Kill => &["-f", "-o"],
        Fault::Once(_) | Fault::FromThenOn(_) => &["-f", "--seccomp-bpf", "-o"],
    };
    let output = Output::new();
    let what = ["-e", &only, "-e", &what];
    let run = call.under(words(form, output.path(), &what)).run();
    let trace = output.read();
    let reached = match fault {
        Fault::Kill => trace.contains("killed by SIGKILL"),
        Fault::Once(_) | Fault::FromThenOn(_) => trace.contains("(INJECTED)"),
    };
    Injected { run, reached }
}

/// Carries out a call and returns the text that strace writes of these system calls: strings whole and in hex,
/// descriptors with their paths.
///
/// # Panics
///
/// When there is no strace.
#[track_caller]
pub fn record(call: Call, names: &[&str]) -> (Run, String) {
    let only = format!("trace={}", names.join(","));
    let output = Output::new();
    let form = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", "100000000", "-o"];
    let run = call
        .under(words(&form, output.path(), &["-e", &only]))
        .run();
    (run, output.read())
}

fn words(before: &[&str], output: &Path, after: &[&str]) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec![program().into()];
    line.extend(before.iter().map(Into::into));
    line.push(output.into());
    line.extend(after.iter().map(Into::into));
    line
}

/// The file strace writes to.
struct Output(tempfile::NamedTempFile);

impl Output {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().expect("a temporary file can be made"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read(&self) -> String {
        let bytes = fs::read(self.path()).expect("the trace can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Returns the path of strace, after fetching it if there is none.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let fetch = || fetched("tools", "strace/strace", "fetch-strace", "strace");
        installed().unwrap_or_else(fetch)
    })
}

fn installed() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut files = env::split_paths(&path).map(|directory| directory.join("strace"));
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (Home, Call) {
        let home = Home::new("/bin/sh");
        let call = home.call(&["-c", script]);
        (home, call)
    }

    fn at(text: &str) -> SystemCall {
        text.parse().expect("a system call")
    }

    #[test]
    fn calls_are_counted_by_name_and_thread_from_the_home_on() {
        let trace = r#"7 execve("/bin/hzl", ["hzl"]) = 0
7 read(3, "x", 1) = 1
7 openat(AT_FDCWD, "/home/x/a", O_RDONLY) = 3
7 read(3, "x", 1) = 1
8 read(3,  <unfinished ...>
7 write(1, "x(y", 3) = 3
8 <... read resumed>"x", 1) = 1
8 read(3, "x", 1) = 1
7 +++ exited with 0 +++"#;
        let calls: Vec<_> = in_order(trace, "/home/x")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(calls, ["openat:1", "read:2", "read:1", "write:1"]);
    }

    #[test]
    fn a_run_shows_its_calls() {
        let (home, call) = shell("echo a; : > $HOME/file");
        let (run, seen) = calls(call, &home);
        assert_eq!(run.stdout, "a\n");
        assert!(seen.iter().any(|call| call.name == "openat"), "{seen:?}");
        assert!(!seen.iter().any(|call| call.name == "execve"), "{seen:?}");
    }

    #[test]
    fn calls_are_tallied_by_name() {
        let (_home, call) = shell("echo a; echo b");
        let (run, counts) = tally(call);
        assert_eq!(run.stdout, "a\nb\n");
        assert_eq!(
            (counts.get("write"), counts.get("execve")),
            (Some(&2), Some(&1))
        );
    }

    #[test]
    fn a_process_is_killed_before_a_call() {
        let (_home, call) = shell("echo a; echo b; echo c");
        let injected = inject(call, &at("write:2"), Fault::Kill);
        let run = &injected.run;
        assert!(injected.reached, "{run}");
        assert_eq!((run.exit, run.stdout.as_str()), (-1, "a\n"), "{run}");
    }

    #[test]
    fn a_call_fails_once_or_from_then_on() {
        for (fault, expected) in [
            (Fault::Once("EIO"), "a\nc\n"),
            (Fault::FromThenOn("EIO"), "a\n"),
        ] {
            let (_home, call) = shell("echo a; echo b; echo c");
            let injected = inject(call, &at("write:2"), fault);
            assert!(injected.reached);
            assert_eq!(injected.run.stdout, expected, "{}", injected.run);
        }
    }

    #[test]
    fn a_call_that_is_not_made_is_not_reached() {
        for fault in [Fault::Kill, Fault::Once("EIO")] {
            let (_home, call) = shell("echo a");
            let injected = inject(call, &at("write:2"), fault);
            assert!(!injected.reached);
            assert_eq!(
                (injected.run.exit, injected.run.stdout.as_str()),
                (0, "a\n")
            );
        }
    }

    #[test]
    fn a_recording_shows_paths_and_bytes() {
        let (home, call) = shell("printf 'a\\001' > file");
        let (_run, text) = record(call, &["write"]);
        let hex: String = (home.path().join("file").to_string_lossy().bytes())
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        assert!(
            text.contains(&format!("<{hex}>, \"\\x61\\x01\", 2) = 2")),
            "{text}"
        );
    }
}
