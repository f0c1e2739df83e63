//! Plays schedules: the troubled part, the end of all faults, and the verdict.

use std::rc::Rc;

use crate::check;
use crate::cloud::{Database, InMemory};
use crate::device::Device;
use crate::random::Random;
use crate::schedule::{Ending, Schedule, Step};
use crate::trace::Trace;
use crate::verdict::{Finding, Violation};
use crate::world::World;

/// How often everybody syncs before they must agree.
const ROUNDS: usize = 3;

/// What came of a schedule.
#[derive(Clone, Debug)]
pub struct Played {
    /// What happened.
    pub trace: Trace,
    /// What must not be; `None`: all is well.
    pub violation: Option<Violation>,
    /// Events written.
    pub events: usize,
    /// Requests carried out by the cloud.
    pub requests: u64,
}

/// Plays a schedule with the cloud in memory.
#[must_use]
pub fn play(schedule: &Schedule) -> Played {
    play_with(schedule, Box::new(InMemory::new()), Trace::default())
}

/// Plays a schedule with a cloud on this database, which has none of our tables.
#[must_use]
pub fn play_with(schedule: &Schedule, database: Box<dyn Database>, trace: Trace) -> Played {
    let world = World::new(schedule, database, trace);
    world.begin();
    for step in &schedule.steps {
        world.step(step);
    }
    settle(&world, schedule);
    let violation = world.violation.take();
    let events = world.history.borrow().events.len();
    Played {
        trace: world.trace.take(),
        violation,
        events,
        requests: world.cloud.requests(),
    }
}

fn settle(world: &World, schedule: &Schedule) {
    let all = world.devices.borrow().clone();
    if schedule.ending == Ending::CoreFirst && all.len() > 2 {
        core_first(world, schedule, &all);
    }
    world.end_faults();
    for device in &all {
        device.look(|ledger| ledger.retry_quarantined().map(drop).unwrap_or_default());
    }
    rounds(world, &all);
    // A machine that comes last gets everything; and then nobody has anything left to say.
    let fresh = Rc::new(Device::new(&world.nature));
    world.devices.borrow_mut().push(Rc::clone(&fresh));
    fresh.look(|ledger| {
        ledger
            .ensure_inbox()
            .expect("an empty store takes a project")
    });
    world.learn(&fresh);
    world.sync_well(&fresh);
    for device in &all {
        world.sync_well(device);
    }
    let everybody = world.devices.borrow().clone();
    idle(world, &everybody);
    check::agree(world, &everybody);
    if world.violation.borrow().is_none() {
        check::at_end(world, &fresh);
    }
}

/// The faults end for some: these must agree, whatever the others still do.
fn core_first(world: &World, schedule: &Schedule, all: &[Rc<Device>]) {
    let (core, others) = all.split_at(all.len() / 2 + 1);
    world.end_faults();
    for device in core {
        device.look(|ledger| ledger.retry_quarantined().map(drop).unwrap_or_default());
    }
    rounds(world, core);
    check::agree(world, core);
    let mut random = Random::new(schedule.seed ^ 0x00C0_FFEE);
    for _ in 0..6 {
        let at = core.len() + random.index(others.len());
        world.step(&Step::troubled(&mut random, at));
    }
    rounds(world, core);
    check::agree(world, core);
}

/// Everybody syncs, until a whole round moves nothing, and not too often.
fn rounds(world: &World, devices: &[Rc<Device>]) {
    for _ in 0..ROUNDS {
        let mut moved = false;
        for device in devices {
            let report = world.sync_well(device);
            moved |= report
                .is_none_or(|report| report.requests != 1 || report.pushed + report.pulled > 0);
            if world.violation.borrow().is_some() {
                return;
            }
        }
        if !moved {
            return;
        }
    }
}

/// Once more costs one request each, and moves nothing.
fn idle(world: &World, devices: &[Rc<Device>]) {
    for (at, device) in devices.iter().enumerate() {
        let Some(report) = world.sync_well(device) else {
            continue;
        };
        if report.requests != 1 || report.pushed + report.pulled > 0 {
            let detail = format!("device {at}, with nothing to do: {report:?}");
            world.report(Finding::Wedged, detail);
        }
    }
}
