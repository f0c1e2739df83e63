//! The judge: what must hold after every step, and when the faults have ended.

mod end;
mod ownership;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hzl_store::catch_up;
use hzl_store::digest::StateSum;
use hzl_store::ledger::Ledger;
use hzl_store::projector;
use hzl_store::query::compare::differences;
use hzl_store::state::{self, Key, SyncState};
use rusqlite::Connection;

pub(crate) use self::end::{agree, at_end};
use crate::device::Device;
use crate::verdict::Finding;
use crate::world::World;

/// More than any sync needs here, whatever goes wrong.
pub(crate) const MOST_REQUESTS: u64 = 500;

/// What must hold at any time.
pub(crate) fn after_step(world: &World, device: &Rc<Device>) {
    if world.violation.borrow().is_some() {
        return;
    }
    let place = device.look(|ledger| place(ledger));
    if place == *device.checked.borrow() {
        return;
    }
    let state = state(world, device);
    device.checked.replace(place);
    world.note(&|| state.map_or_else(String::new, |state| state.to_string()));
}

/// The cloud holds a command as a whole or not at all. On a line that hardly lets anything through, and
/// behind an event that was set aside, it may be sent in parts.
pub(crate) fn commands_whole(world: &World, device: &Rc<Device>) {
    let rows = device.look(|ledger| state::number(&ledger.files().events, Key::StepRows));
    let is_narrow = rows.is_ok_and(|rows| rows > 0 && rows < 16);
    world
        .had_narrow_line
        .set(world.had_narrow_line.get() || is_narrow);
    if world.had_narrow_line.get() || world.had_troubled_order() || world.was_rewound.get() {
        return;
    }
    let cloud = world.cloud_event_ids();
    let history = world.history.borrow();
    let mut commands: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for written in &history.events {
        let Some(command) = written.event.causation_id.as_deref() else {
            continue;
        };
        let is_there = cloud.iter().any(|id| id == written.event.event_id.as_str());
        commands.entry(command).or_default()[usize::from(is_there)] += 1;
    }
    if let Some((command, _)) = commands
        .into_iter()
        .find(|(_, [away, there])| *away > 0 && *there > 0)
    {
        world.report(Finding::CommandSplit, command.to_owned());
    }
}

/// Where log and projections stand: a step that moves neither need not be looked at.
fn place(ledger: &Ledger) -> Option<(StateSum, SyncState, i64)> {
    let (log, cache) = (&ledger.files().events, &ledger.files().cache);
    let last = hzl_store::log::find_end(log)
        .ok()?
        .map_or(0, |end| end.rowid);
    Some((
        projector::state_sum(cache).ok()?,
        SyncState::load(log).ok()?,
        last,
    ))
}

/// The state hash of a device, once it is known to be what a rebuild makes of the log.
pub(crate) fn state(world: &World, device: &Device) -> Option<StateSum> {
    let states = device.look(|ledger| {
        let kept = ledger.read(projector::state_sum)?;
        catch_up::rebuild(&ledger.files().events, &world.scratch.files().cache)?;
        let rebuilt = projector::state_sum(&world.scratch.files().cache)?;
        Ok::<_, hzl_store::Error>((kept, rebuilt))
    });
    match states {
        Ok((kept, rebuilt)) if kept == rebuilt => Some(kept),
        Ok((kept, rebuilt)) => {
            let differing = device.look(|ledger| difference(ledger, &world.scratch));
            let detail = format!("{kept} is kept, {rebuilt} is rebuilt: {differing}");
            world.report(Finding::NotAsRebuilt, detail);
            None
        }
        Err(error) => {
            world.report(Finding::Damaged, error.to_string());
            None
        }
    }
}

/// What stands in one store and not in the other, for people.
pub(crate) fn difference(ledger: &Ledger, other: &Ledger) -> String {
    let found = differences(&ledger.files().cache, &other.files().cache);
    found.map_or_else(|error| error.to_string(), |found| format!("{found:?}"))
}

/// The rows above this one that a pull has returned.
pub(crate) fn settled_after(log: &Connection, rowid: i64) -> BTreeSet<i64> {
    let sql = "select event_rowid from event_sync where event_rowid > ?1 and cloud_seq is not null";
    let mut statement = log.prepare_cached(sql).expect("the log can be read");
    let rows = statement
        .query_map([rowid], |row| row.get(0))
        .expect("the log can be read");
    rows.filter_map(Result::ok).collect()
}
