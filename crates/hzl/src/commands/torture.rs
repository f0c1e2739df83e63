//! `hzl torture`

use std::num::NonZeroUsize;
use std::time::Instant;

use hzl_sim::Schedule;
use hzl_sim::Violation;
use hzl_sim::play::play_with;
use hzl_sim::shrink::Selection;
use hzl_sim::torture;
use hzl_sim::torture::Broken;
use hzl_sim::torture::Torture;
use hzl_sim::trace::Trace;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;

/// Try to break sync with random faults, on simulated machines
///
/// Plays schedules in memory: machines that write, claim and sync with one cloud while requests are
/// lost, processes die, disks fill up and are copied, clocks jump, and the cloud loses rows. No file of
/// yours is touched and no server is asked. One number gives one schedule, so what breaks can be
/// played again; it is made as small as it gets and printed as a command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl torture --runs 20
  hzl torture --seed 7 --runs 1 --trace
  hzl torture --seed 7 --runs 5 --twice --threads 1")]
pub(crate) struct Args {
    /// The first seed; the others follow it
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// How many schedules
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    runs: u64,
    /// How many at once; as many as there are processors if left out
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
    /// Play each schedule twice, and fail if anything is different the second time
    #[arg(long)]
    twice: bool,
    /// Play one schedule, and print what happens
    #[arg(long, conflicts_with_all = ["threads", "twice"])]
    trace: bool,
    /// Play one schedule with only these steps, as an earlier failure has printed them
    #[arg(long, value_name = "STEPS", requires = "seed", conflicts_with_all = ["threads", "twice"])]
    only: Option<Selection>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tortured {
    success: bool,
    seed: u64,
    /// Schedules played.
    runs: u64,
    /// Events written in them.
    events: u64,
    /// Requests that the simulated clouds carried out.
    requests: u64,
    /// Equal for equal seeds and programs.
    trace: String,
    duration_ms: u64,
}

/// Plays, and reports.
///
/// # Errors
///
/// When something breaks; the details hold the finding and the command that plays it again.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    if args.trace || args.only.is_some() {
        return play_one(args, ctx);
    }
    let started = Instant::now();
    let bar = progress_bar(ctx.environment.terminals.stderr, args.runs);
    let wanted = Torture {
        seed: args.seed,
        runs: args.runs,
        twice: args.twice,
        threads: args.threads,
    };
    let summary = torture::torture(wanted, &|done| bar.set_position(done));
    bar.finish_and_clear();
    if let Some(broken) = summary.broken {
        let smallest = torture::smallest(&broken);
        return Err(failure(&broken, Some(&smallest)));
    }
    ctx.output.answer(&Tortured {
        success: true,
        seed: args.seed,
        runs: summary.runs,
        events: summary.events,
        requests: summary.requests,
        trace: format!("{:016x}", summary.trace),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Plays one schedule and shows what happens, line by line.
fn play_one(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let whole = Schedule::of(args.seed);
    let schedule = match &args.only {
        Some(only) => only.of(&whole),
        None => whole,
    };
    let database = Box::new(hzl_sim::cloud::InMemory::new());
    let played = play_with(&schedule, database, Trace::kept());
    if args.trace {
        let mut text = played.trace.lines().join("\n");
        text.push('\n');
        ctx.output.text(&text)?;
    }
    match played.violation {
        Some(violation) => {
            let broken = Broken {
                seed: args.seed,
                violation,
            };
            Err(failure(&broken, args.only.as_ref()))
        }
        None if args.trace => Ok(()),
        None => ctx.output.answer(&Tortured {
            success: true,
            seed: args.seed,
            runs: 1,
            events: u64::try_from(played.events).unwrap_or(u64::MAX),
            requests: played.requests,
            trace: format!("{:016x}", played.trace.digest()),
            duration_ms: 0,
        }),
    }
}

fn failure(broken: &Broken, smallest: Option<&Selection>) -> CommandError {
    let Violation { finding, detail } = &broken.violation;
    let message = format!(
        "seed {} breaks something: {finding:?}: {detail}",
        broken.seed
    );
    let again = match smallest {
        Some(only) => format!("hzl torture --seed {} --only {only} --trace", broken.seed),
        None => format!("hzl torture --seed {} --runs 1 --trace", broken.seed),
    };
    CommandError::new(Kind::Validation, message)
        .detail("seed", broken.seed)
        .detail("finding", json!(format!("{finding:?}")))
        .detail("steps", smallest.map(|only| only.len()))
        .hint(again)
}

fn progress_bar(on_terminal: bool, runs: u64) -> ProgressBar {
    let bar = ProgressBar::new(runs);
    if !on_terminal {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

impl Answer for Tortured {
    fn md(&self, md: &mut Md) {
        md.ok(&format!(
            "{} schedules from seed {}: {} events, {} requests, nothing lost, all agree ({} ms)",
            self.runs, self.seed, self.events, self.requests, self.duration_ms
        ));
        md.field("Trace", &self.trace);
    }
}
