//! A machine of its own for the real binary: home, XDG directories and environment.
//!
//! ```text
//! let home = Home::new(env!("CARGO_BIN_EXE_hzl"));
//! let task = home.json(&["task", "add", "Write it down", "-P", "demo"]);
//! let refused = home.fails(&["task", "show", "nope"], 3);
//! ```

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::schemas;

/// What is kept of the environment the tests run in. All else is dropped, every `HZL_*` included.
const KEPT: [&str; 5] = [
    "PATH",
    "TMPDIR",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
    "SYSTEMROOT",
];
/// How long one run may take before it counts as hanging.
const RUN_LIMIT: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A temporary home directory and the binary that runs in it. Deleted when dropped.
#[derive(Debug)]
pub struct Home {
    binary: PathBuf,
    directory: TempDir,
    environment: BTreeMap<OsString, OsString>,
}

impl Home {
    /// Makes an empty home for the binary at this path.
    ///
    /// Only the tests of the crate that owns the binary know its path:
    /// `env!("CARGO_BIN_EXE_hzl")`.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut environment: BTreeMap<OsString, OsString> = KEPT
            .into_iter()
            .filter_map(|name| Some((name.into(), env::var_os(name)?)))
            .collect();
        environment.insert("HOME".into(), directory.path().into());
        for (name, folder) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_STATE_HOME", "state"),
        ] {
            environment.insert(name.into(), directory.path().join(folder).into());
        }
        environment.insert("HZL_DEV_MODE".into(), "0".into());
        Self {
            binary: binary.into(),
            directory,
            environment,
        }
    }

    /// Makes a home with the same files, settings and binary; only the directory is another.
    ///
    /// # Panics
    ///
    /// When the files cannot be copied.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let copy = Self::new(self.binary.clone());
        copy_directory(self.path(), copy.path()).expect("a home can be copied");
        let moved = |value: &OsString| {
            let below = Path::new(value).strip_prefix(self.path());
            below.map_or_else(|_| value.clone(), |below| copy.path().join(below).into())
        };
        let environment = self.environment.iter();
        Self {
            environment: environment
                .map(|(name, value)| (name.clone(), moved(value)))
                .collect(),
            ..copy
        }
    }

    /// Sets a variable for every later run.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set_env(name, value);
        self
    }

    /// Sets a variable for every later run.
    pub fn set_env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.environment
            .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
    }

    /// Removes a variable from every later run.
    pub fn remove_env(&mut self, name: impl AsRef<OsStr>) {
        self.environment.remove(name.as_ref());
    }

    /// Returns the home directory, which is also the working directory of runs.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns `$XDG_DATA_HOME`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Returns `$XDG_CONFIG_HOME`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path().join("config")
    }

    /// Writes a file below the home, making its directories.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        let parent = path.parent().expect("a path below the home has a parent");
        fs::create_dir_all(parent).expect("directories can be made below the home");
        fs::write(&path, content).expect("files can be written below the home");
        path
    }

    /// Prepares a run, to which input or environment can be added before it starts.
    #[must_use]
    pub fn call(&self, arguments: &[&str]) -> Call {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.path());
        Call {
            command,
            binary: self.binary.clone(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            stdin: None,
        }
    }

    /// Runs the binary to its end, whatever that is.
    #[track_caller]
    pub fn hzl(&self, arguments: &[&str]) -> Run {
        self.call(arguments).run()
    }

    /// Runs the binary and returns its JSON output.
    ///
    /// # Panics
    ///
    /// When the exit code is not 0 or the output is not JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.call(arguments).json()
    }

    /// Runs the binary, which must fail with this exit code, and returns the error it prints.
    ///
    /// # Panics
    ///
    /// When the exit code is another or the output is not one line of JSON.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], exit: i32) -> Value {
        self.call(arguments).fails(exit)
    }

    /// Starts the binary and returns while it runs.
    #[track_caller]
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        self.call(arguments).spawn()
    }
}

/// A run that has not started yet.
#[derive(Debug)]
pub struct Call {
    command: Command,
    binary: PathBuf,
    arguments: Vec<String>,
    stdin: Option<Input>,
}

/// What a run finds on standard input.
struct Input(Box<dyn Read + Send>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

impl Call {
    /// Sets a variable for this run only.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives this text on standard input; without it, standard input is empty.
    #[must_use]
    pub fn stdin(self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin_from(io::Cursor::new(text.into()))
    }

    /// Gives what this reader gives on standard input, as long as anybody reads it.
    #[must_use]
    pub fn stdin_from(mut self, source: impl Read + Send + 'static) -> Self {
        self.stdin = Some(Input(Box::new(source)));
        self
    }

    /// Runs under this program: what follows its arguments is the binary and its own.
    #[must_use]
    pub fn under<Word: AsRef<OsStr>>(mut self, line: impl IntoIterator<Item = Word>) -> Self {
        let mut line = line.into_iter();
        let program = line.next().expect("a command line begins with a program");
        let mut outer = Command::new(program);
        outer.args(line).arg(self.command.get_program());
        outer.args(self.command.get_args()).env_clear();
        outer.envs(self.command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        if let Some(directory) = self.command.get_current_dir() {
            outer.current_dir(directory);
        }
        self.command = outer;
        self
    }

    /// Runs in this directory instead of the home.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs the binary to its end, whatever that is.
    #[track_caller]
    pub fn run(self) -> Run {
        self.spawn().wait()
    }

    /// Like [`Home::json`].
    #[track_caller]
    pub fn json(self) -> Value {
        let run = self.run();
        assert_eq!(run.exit, 0, "unexpected exit code\n{run}");
        run.json()
    }

    /// Like [`Home::fails`].
    #[track_caller]
    pub fn fails(self, exit: i32) -> Value {
        let run = self.run();
        assert_eq!(run.exit, exit, "unexpected exit code\n{run}");
        assert_eq!(
            run.stdout.lines().count(),
            1,
            "an error is one line on stdout\n{run}"
        );
        run.json()
    }

    /// Starts the binary and returns while it runs.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        let stdin = if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} does not start: {error}", self.command));
        if let (Some(mut pipe), Some(Input(mut source))) = (child.stdin.take(), self.stdin) {
            // Not every command reads its input to the end.
            thread::spawn(move || drop(io::copy(&mut source, &mut pipe)));
        }
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Running {
            binary: self.binary,
            arguments: self.arguments,
            child,
            stdout,
            stderr,
        }
    }
}

/// A run in progress. Dropping it kills the process.
#[derive(Debug)]
pub struct Running {
    binary: PathBuf,
    arguments: Vec<String>,
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

/// What comes out of a pipe, and the news that it has ended.
#[derive(Debug)]
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<io::Result<()>>,
}

impl Pipe {
    fn so_far(&self) -> Vec<u8> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.clone()
    }
}

impl Running {
    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has printed so far, on both streams.
    #[must_use]
    pub fn printed(&self) -> String {
        let bytes = [self.stdout.so_far(), self.stderr.so_far()].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_some()
    }

    /// Kills the process with SIGKILL. [`Running::wait`] then returns what it had printed.
    pub fn kill(&mut self) {
        // Fails only when it has already ended.
        drop(self.child.kill());
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When the process, or a child that inherited its output, still runs after 90 seconds.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let deadline = Instant::now() + RUN_LIMIT;
        let stdout = self.output(Stream::Stdout, deadline);
        let stderr = self.output(Stream::Stderr, deadline);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "`hzl {}` does not end",
                self.arguments.join(" ")
            );
            thread::sleep(POLL_INTERVAL);
        };
        Run {
            binary: self.binary.clone(),
            arguments: self.arguments.clone(),
            // No code means ended by a signal.
            exit: status.code().unwrap_or(-1),
            stdout,
            stderr,
        }
    }

    #[track_caller]
    fn output(&self, stream: Stream, deadline: Instant) -> String {
        let pipe = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        pipe.end
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .unwrap_or_else(|_| {
                panic!(
                    "`hzl {}` keeps {stream:?} open for over {RUN_LIMIT:?}",
                    self.arguments.join(" ")
                )
            })
            .expect("a pipe can be read");
        String::from_utf8(pipe.so_far()).unwrap_or_else(|error| {
            let line = self.arguments.join(" ");
            panic!("`hzl {line}` prints what is not UTF-8: {error}")
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process is already gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// What a finished run left behind.
#[derive(Debug, Clone)]
pub struct Run {
    binary: PathBuf,
    arguments: Vec<String>,
    /// The exit code, −1 if the process was ended by a signal.
    pub exit: i32,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Run {
    /// Returns standard output as JSON.
    ///
    /// # Panics
    ///
    /// When it is none, or does not fit the schema that the binary prints for the command.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        let value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"));
        if let Err(problem) = schemas::check(&self.binary, &self.arguments, &value) {
            panic!("{problem}\n{self}");
        }
        value
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "`hzl {}` ended with exit code {}",
            self.arguments.join(" "),
            self.exit
        )?;
        writeln!(f, "--- stdout\n{}", self.stdout.trim_end())?;
        write!(f, "--- stderr\n{}", self.stderr.trim_end())
    }
}

/// Reads a pipe to its end in the background, so that a full one never blocks the process.
fn collect(mut pipe: impl Read + Send + 'static) -> Pipe {
    let (sender, end) = mpsc::channel();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let so_far = Arc::clone(&bytes);
    thread::spawn(move || {
        let mut chunk = [0; 8192];
        let result = loop {
            match pipe.read(&mut chunk) {
                Ok(0) => break Ok(()),
                Ok(length) => {
                    let mut so_far = so_far.lock().unwrap_or_else(PoisonError::into_inner);
                    so_far.extend_from_slice(&chunk[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        // Nobody listens any more when the run was dropped.
        drop(sender.send(result));
    });
    Pipe { bytes, end }
}

/// Copies a directory with all that is below it.
fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // `sh` stands in for the binary, which this crate cannot know.
    fn shell() -> Home {
        Home::new("/bin/sh")
    }

    #[test]
    fn a_run_sees_its_home_and_nothing_else() {
        let home = shell().env("HZL_X", "yes");
        let run = home.hzl(&["-c", "env | sort; pwd"]);
        let path = home.path().display();
        for line in [
            format!("HOME={path}\n"),
            format!("XDG_DATA_HOME={path}/data\n"),
            format!("XDG_CONFIG_HOME={path}/config\n"),
            "HZL_DEV_MODE=0\n".to_owned(),
            "HZL_X=yes\n".to_owned(),
        ] {
            assert!(run.stdout.contains(&line), "{line} is missing\n{run}");
        }
        assert!(!run.stdout.contains("CARGO"), "{run}");
    }

    #[test]
    fn a_duplicate_has_the_same_files_and_a_directory_of_its_own() {
        let mut home = shell().env("HZL_X", "yes");
        home.set_env("HZL_HERE", home.path().join("a"));
        home.write("a/b", "text");
        let copy = home.duplicate();
        let run = copy.hzl(&["-c", "cat $HZL_HERE/b; echo $HZL_X >> $HOME/a/b"]);
        assert_eq!(run.stdout, "text", "{run}");
        let read = |home: &Home| fs::read_to_string(home.path().join("a/b")).unwrap();
        assert_eq!(
            (read(&home).as_str(), read(&copy).as_str()),
            ("text", "textyes\n")
        );
    }

    #[test]
    fn a_call_can_run_under_another_program() {
        let run = shell()
            .call(&["-c", "echo $HZL_X; exit 3"])
            .under(["env", "HZL_X=inner"])
            .run();
        assert_eq!((run.exit, run.stdout.as_str()), (3, "inner\n"), "{run}");
    }

    #[test]
    fn outputs_and_input_pass_through() {
        let home = shell();
        let run = home
            .call(&["-c", "cat; echo oops >&2; exit 3"])
            .stdin("{\"a\":1}\n")
            .run();
        assert_eq!(
            (run.exit, run.stdout.as_str(), run.stderr.as_str()),
            (3, "{\"a\":1}\n", "oops\n")
        );
        assert_eq!(run.json()["a"], 1);
        assert_eq!(home.json(&["-c", "echo '{\"ok\":true}'"])["ok"], true);
        assert_eq!(
            home.fails(&["-c", "echo '{\"code\":\"x\"}'; exit 4"], 4)["code"],
            "x"
        );
    }

    #[test]
    #[should_panic(expected = "--- stderr\nbecause")]
    fn an_unexpected_failure_shows_both_outputs() {
        let _value = shell().json(&["-c", "echo because >&2; exit 1"]);
    }

    #[test]
    fn a_killed_run_returns_what_it_had_printed() {
        let home = shell();
        let mut running = home.spawn(&["-c", "echo started; touch ready; exec sleep 100"]);
        let ready = home.path().join("ready");
        crate::wait_until(Duration::from_secs(10), "the process is up", || {
            ready.exists()
        });
        assert!(!running.has_ended());
        running.kill();
        let run = running.wait();
        assert_eq!((run.exit, run.stdout.as_str()), (-1, "started\n"));
    }
}
