//! The benchmark: hzl against yardsticks that are built beside it, in one interleaved run.
//!
//! `scripts/bench` builds everything and runs it; docs/performance.md says what the figures mean. Figures travel
//! only as ratios to a yardstick of the same run: machines differ, and so do moments. What can be counted is counted.
//!
//! Nothing here is part of hzl, and whatever goes wrong is a panic that says what.

mod claimer;
mod commands;
mod contention;
mod counts;
mod docs;
mod growth;
mod machine;
mod options;
mod peers;
mod plot;
mod report;
mod statistics;
mod stores;
mod sync;
mod throughput;
mod timing;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::Options;
use crate::options::Work;
use crate::report::Report;
use crate::report::Section;
use crate::stores::Bench;

/// A part of the benchmark, by the name that `--only` takes.
type Part = (&'static str, fn(&Bench) -> Section);

const PARTS: [Part; 7] = [
    ("commands", commands::run),
    ("counts", counts::run),
    ("contention", contention::run),
    ("throughput", throughput::run),
    ("sync", sync::run),
    ("peers", peers::run),
    ("growth", growth::run),
];

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(Work::Claimer(work)) = &options.work {
        claimer::run(work);
        return ExitCode::SUCCESS;
    }
    for name in &options.only {
        let known = PARTS.map(|(name, _)| name);
        assert!(
            known.contains(&name.as_str()),
            "there is no part named {name}: {known:?}"
        );
    }
    let bench = Bench::new(&options);
    let mut report = Report::new(&bench);
    for (name, run) in PARTS {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            report::progress(&format!("{name} …"));
            report.add(run(&bench));
        }
    }
    report.print();
    report.save(&bench.out);
    if options.write_docs {
        docs::write(&report);
    }
    match options.check && report.has_missed() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
