//! Programs in turn: each round runs every one of them once, so that what disturbs a round disturbs all.

use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use wait4::Wait4 as _;

use crate::statistics::median;
use crate::statistics::median_ratio;
use crate::statistics::percentile;
use crate::stores::Bench;

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// From before the start to after the end.
    pub(crate) wall_us: f64,
    /// User and system.
    pub(crate) cpu_us: f64,
}

/// Runs a program to its end; it must succeed. What it prints is thrown away.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Sample {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let used = child.wait4().expect("a child can be waited for");
    let wall = started.elapsed();
    assert!(
        used.status.success(),
        "{command:?} failed ({})",
        used.status
    );
    let cpu = used.rusage.utime + used.rusage.stime;
    Sample {
        wall_us: wall.as_secs_f64() * 1e6,
        cpu_us: cpu.as_secs_f64() * 1e6,
    }
}

/// Runs a program to its end, and returns how much memory it had at most, in MB.
///
/// The kernel counts what a process had before it became another program, so a small one has to start it: the
/// benchmark itself is larger than most of what it measures.
#[track_caller]
pub(crate) fn peak_mb(bench: &Bench, command: &Command) -> f64 {
    let mut small = Command::new(bench.program("floor"));
    small
        .arg("peak")
        .arg(command.get_program())
        .args(command.get_args());
    // All of ours have an environment of their own, or that of the benchmark and more.
    small.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let output = small
        .stdin(Stdio::null())
        .output()
        .expect("the yardsticks were built");
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8_lossy(&output.stdout);
    let bytes: f64 = text.trim().parse().expect("the peak is a number");
    bytes / 1e6
}

/// A program that takes its turn.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    pub(crate) tasks: Option<u64>,
    /// Makes the command of a round.
    pub(crate) command: Box<dyn FnMut(usize) -> Command + 'a>,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new(
        name: &str,
        tasks: Option<u64>,
        command: impl FnMut(usize) -> Command + 'a,
    ) -> Self {
        Self {
            name: name.to_owned(),
            tasks,
            command: Box::new(command),
        }
    }
}

/// All runs of one program.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) tasks: Option<u64>,
    samples: Vec<Sample>,
    pub(crate) peak_mb: f64,
}

impl Series {
    fn column(&self, value: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(value).collect()
    }

    pub(crate) fn wall(&self) -> f64 {
        median(&self.column(|sample| sample.wall_us))
    }

    pub(crate) fn p99(&self) -> f64 {
        percentile(&self.column(|sample| sample.wall_us), 0.99)
    }

    pub(crate) fn cpu(&self) -> f64 {
        median(&self.column(|sample| sample.cpu_us))
    }

    /// Times as long as the yardstick, round by round.
    pub(crate) fn over(&self, yardstick: &Self) -> f64 {
        median_ratio(
            &self.column(|sample| sample.wall_us),
            &yardstick.column(|sample| sample.wall_us),
        )
    }

    /// Times as much CPU as the yardstick, round by round.
    pub(crate) fn cpu_over(&self, yardstick: &Self) -> f64 {
        median_ratio(
            &self.column(|sample| sample.cpu_us),
            &yardstick.column(|sample| sample.cpu_us),
        )
    }

    pub(crate) fn json(&self, yardstick: &Self) -> Value {
        json!({
            "name": self.name,
            "tasks": self.tasks,
            "runs": self.samples.len(),
            "wall_us_p50": self.wall(),
            "wall_us_p99": self.p99(),
            "cpu_us_p50": self.cpu(),
            "peak_mb": self.peak_mb,
            "wall_over_nop": self.over(yardstick),
            "cpu_over_nop": self.cpu_over(yardstick),
        })
    }
}

/// What came of a line-up, in its order.
#[derive(Debug)]
pub(crate) struct Results(pub(crate) Vec<Series>);

impl Results {
    #[track_caller]
    pub(crate) fn get(&self, name: &str, tasks: Option<u64>) -> &Series {
        let mut all = self.0.iter();
        all.find(|series| series.name == name && series.tasks == tasks)
            .unwrap_or_else(|| panic!("{name} did not run"))
    }
}

/// Lets all run in turn, as often as said, after one round that only shows how much memory they take.
pub(crate) fn in_turn(bench: &Bench, rounds: usize, contestants: &mut [Contestant<'_>]) -> Results {
    let mut results: Vec<Series> = contestants
        .iter()
        .map(|contestant| Series {
            name: contestant.name.clone(),
            tasks: contestant.tasks,
            samples: vec![],
            peak_mb: 0.0,
        })
        .collect();
    for round in 0..=rounds {
        for (contestant, series) in contestants.iter_mut().zip(&mut results) {
            let mut command = (contestant.command)(round);
            if round == 0 {
                series.peak_mb = peak_mb(bench, &command);
            } else {
                series.samples.push(run(&mut command));
            }
        }
    }
    Results(results)
}
