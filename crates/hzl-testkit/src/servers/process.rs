//! One server process: finding its binary, a port that is its own, coming up, going down.

use std::fmt;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::port::Port;
use crate::stub::exchange;
use crate::tools::fetched;

/// How long a server may take to come up; generous, as test machines are busy.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a server may take for an orderly end before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Returns the path of a server's binary, after fetching the servers if it is missing.
pub(crate) fn binary(name: &str) -> PathBuf {
    fetched(
        "servers",
        name,
        "fetch-servers",
        &format!("the server {name}"),
    )
}

/// A server that can be stopped and started again at the same address.
pub(crate) struct Process {
    command: Command,
    log: PathBuf,
    port: Port,
    running: Option<Running>,
}

struct Running {
    child: Child,
    watchdog: Child,
}

impl Process {
    /// Starts a server; `configure` adds its arguments, given the address to listen on.
    pub(crate) fn start(binary: &Path, log: &Path, configure: impl Fn(&mut Command, &str)) -> Self {
        loop {
            let port = Port::reserve();
            let mut command = Command::new(binary);
            configure(&mut command, &port.address());
            let mut process = Self {
                command,
                log: log.to_owned(),
                port,
                running: None,
            };
            match process.try_run() {
                Ok(()) => return process,
                // Somebody else's server took the port between our look and the start.
                Err(log) if log.contains("in use") => {}
                Err(log) => panic!("{} does not come up:\n{log}", binary.display()),
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Starts the server again.
    pub(crate) fn run(&mut self) {
        if let Err(log) = self.try_run() {
            panic!("the server does not come up again:\n{log}");
        }
    }

    /// Ends the server, by SIGTERM first.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = &mut self.running {
            terminate(&running.child);
            let deadline = Instant::now() + STOP_LIMIT;
            while !has_ended(&mut running.child) && Instant::now() < deadline {
                thread::sleep(POLL_INTERVAL);
            }
        }
        self.kill();
    }

    /// Ends the server by SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            // The watchdog first: it must not meet a recycled process id.
            end(&mut running.watchdog);
            end(&mut running.child);
        }
    }

    /// Starts the server and waits until it answers, or returns its log.
    fn try_run(&mut self) -> Result<(), String> {
        let log = File::create(&self.log).expect("the log can be written");
        let errors = log.try_clone().expect("a file handle can be duplicated");
        let child = self
            .command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("the server's binary can be run");
        let watchdog = watch(&child);
        let running = self.running.insert(Running { child, watchdog });
        let url = format!("http://{}", self.port.address());
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if has_ended(&mut running.child) || Instant::now() >= deadline {
                break;
            }
            // Any answer will do: tursodb has no health route.
            if exchange(&url, "GET", "/health", None, "").is_ok() && !has_ended(&mut running.child)
            {
                return Ok(());
            }
            thread::sleep(POLL_INTERVAL);
        }
        self.kill();
        Err(fs::read_to_string(&self.log).unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("url", &self.url())
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

/// Starts a process that kills the server when our end of the pipe closes, which also happens when
/// the test process is killed and runs no destructors.
fn watch(child: &Child) -> Child {
    Command::new("sh")
        .args([
            "-c",
            r#"read -r _; kill -KILL "$1""#,
            "sh",
            &child.id().to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh can be run")
}

fn terminate(child: &Child) {
    let status = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "kill -TERM does not work"
    );
}

fn has_ended(child: &mut Child) -> bool {
    child
        .try_wait()
        .expect("a child can be waited for")
        .is_some()
}

fn end(child: &mut Child) {
    // Fails only when it has already ended, which is what is wanted.
    drop(child.kill());
    drop(child.wait());
}
