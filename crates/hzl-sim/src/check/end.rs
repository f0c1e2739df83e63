//! What must hold when the faults have ended and everybody has synced.

use std::collections::BTreeMap;
use std::rc::Rc;

use hzl_store::query::compare::differences;
use hzl_store::{projector, query};
use rusqlite::Connection;
use rusqlite::types::FromSql;

use super::{difference, ownership, values};
use crate::device::Device;
use crate::verdict::Finding;
use crate::world::World;

/// These devices agree, and nothing waits.
pub(crate) fn agree(world: &World, devices: &[Rc<Device>]) {
    let mut first = None;
    for (at, device) in devices.iter().enumerate() {
        let Some(state) = device.look(|ledger| ledger.read(projector::state_sum).ok()) else {
            return world.report(Finding::Damaged, format!("device {at}"));
        };
        let (waiting, aside, conflicts) = device.look(|ledger| {
            let waiting = ledger.count_pending().unwrap_or(u64::MAX);
            let aside = count(
                &ledger.files().events,
                "select count(*) from quarantine where event_rowid > 0",
            );
            (
                waiting,
                aside,
                ledger.read(query::conflicts::count).unwrap_or(u64::MAX),
            )
        });
        if waiting > 0 {
            world.report(
                Finding::Wedged,
                format!("device {at} still holds {waiting} events"),
            );
        }
        if aside > 0 {
            world.report(
                Finding::SetAside,
                format!("device {at} has set {aside} events aside"),
            );
        }
        let (known, _) = *first.get_or_insert((state, conflicts));
        if known != state {
            let differing =
                devices[0].look(|other| device.look(|ledger| difference(ledger, other)));
            world.report(
                Finding::Disagreement,
                format!("device {at}: {state}, device 0: {known}; {differing}"),
            );
        }
    }
}

fn count(log: &Connection, sql: &str) -> i64 {
    ask(log, sql).unwrap_or(i64::MAX)
}

fn ask<T: FromSql>(conn: &Connection, sql: &str) -> rusqlite::Result<T> {
    conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// The whole contract, judged by the truth on a device that has everything.
pub(crate) fn at_end(world: &World, device: &Rc<Device>) {
    nothing_lost(world);
    order_kept(world);
    if world.violation.borrow().is_some() {
        return;
    }
    files_sound(world);
    device.look(|ledger| {
        let tasks = ownership::folds(ledger);
        for task in &tasks {
            ownership::check(world, task);
            values::check(world, task);
        }
    });
    no_deep_parents(world, device);
}

/// What was acknowledged is in the cloud and on every device; nothing is anywhere twice.
fn nothing_lost(world: &World) {
    let cloud = world.cloud_event_ids();
    if cloud.windows(2).any(|pair| pair[0] == pair[1]) {
        world.report(Finding::Duplicated, "in the cloud".to_owned());
    }
    let history = world.history.borrow();
    for (at, written) in history
        .events
        .iter()
        .enumerate()
        .filter(|(_, one)| one.is_acknowledged)
    {
        let id = written.event.event_id.as_str().to_owned();
        if cloud.binary_search(&id).is_err() {
            world.report(
                Finding::Lost,
                format!("{id} ({}) is not in the cloud", written.event.kind),
            );
        }
        for (number, device) in world.devices.borrow().iter().enumerate() {
            if !device.known.borrow().contains(at) {
                world.report(Finding::Lost, format!("{id} is not on device {number}"));
            }
        }
    }
    for id in &cloud {
        if history.find(id).is_none() {
            world.report(Finding::NobodyWroteIt, format!("{id} is in the cloud"));
        }
    }
}

/// The events of one device stand in the cloud as they were written.
fn order_kept(world: &World) {
    let sql = "select device_id, event_id from hzl_events where epoch is not null order by seq";
    let rows = world.cloud.tamper(sql, vec![], world.now_ms());
    let history = world.history.borrow();
    let mut last: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for row in rows.rows {
        let [
            hzl_remote::hrana::Value::Text(device),
            hzl_remote::hrana::Value::Text(id),
        ] = row.as_slice()
        else {
            continue;
        };
        let Some(at) = history.find(id) else { continue };
        // What was set aside goes later than the rest; two copies share a name until they meet.
        let excused = world.had_troubled_order();
        if let Some((before, other)) = last.insert(device.clone(), (at, id.clone())) {
            let known = history.saw(before, at);
            if known && !excused {
                world.report(
                    Finding::Reordered,
                    format!("{other} had seen {id}, and stands before it"),
                );
            }
        }
    }
}

fn files_sound(world: &World) {
    for (at, device) in world.devices.borrow().iter().enumerate() {
        let sound = device.look(|ledger| {
            let (log, cache) = (&ledger.files().events, &ledger.files().cache);
            // What others did to the full-text index, a connection learns at a search; a check takes it for damage.
            count(
                cache,
                "select count(*) from p_search where p_search match 'nothing'",
            );
            [log, cache].iter().all(|conn| {
                ask::<String>(conn, "pragma quick_check").is_ok_and(|verdict| verdict == "ok")
            })
        });
        if !sound {
            world.report(Finding::Damaged, format!("device {at}"));
        }
        let differing = device.look(|ledger| {
            let rebuilt = &world.scratch.files().cache;
            hzl_store::catch_up::rebuild(&ledger.files().events, rebuilt)?;
            differences(&ledger.files().cache, rebuilt)
        });
        match differing {
            Ok(differing) if differing.is_empty() => {}
            Ok(differing) => {
                let detail = format!("device {at}, row by row: {differing:?}");
                world.report(Finding::NotAsRebuilt, detail);
            }
            Err(error) => world.report(Finding::Damaged, format!("device {at}: {error}")),
        }
    }
}

fn no_deep_parents(world: &World, device: &Rc<Device>) {
    let deep = device.look(|ledger| {
        let sql = "select count(*) from p_tasks t join p_tasks p on p.task_id = t.parent_id
                    where p.parent_id is not null";
        count(&ledger.files().cache, sql)
    });
    if deep > 0 {
        world.report(Finding::DeepParent, format!("{deep} tasks"));
    }
}
