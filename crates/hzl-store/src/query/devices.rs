//! The machines of the ledger, as they told about themselves, and how they stand to this one.
//!
//! Reads events.db, not projections. What a device tells is of the moment it told it: a lag is what it had
//! not pulled then.

use std::collections::BTreeMap;

use hzl_core::ids::DeviceId;
use hzl_core::time::Timestamp;
use rusqlite::{Connection, Row, named_params};

use crate::error::{OnConnection as _, Result};
use crate::replica::{HZL_VERSION, SettledState};
use crate::state::{self, Key};

/// A machine of the ledger.
#[derive(Clone, PartialEq, Debug)]
pub struct Device {
    /// Its id.
    pub device: DeviceId,
    /// What its people call it.
    pub name: Option<String>,
    /// The program it runs.
    pub hzl_version: Option<String>,
    /// When it last told about itself, by the server's clock, as the cloud wrote it.
    pub last_seen_at: Option<String>,
    /// Up to which sequence it had pulled then.
    pub acked_seq: Option<i64>,
    /// Its state hash there, if it was made of settled events alone.
    pub state_hash: Option<String>,
    /// It is this one.
    pub is_this_device: bool,
    /// How many events of others, of those that are here, it had not pulled. Always 0 for this device;
    /// `None`: it did not say how far it is.
    pub lag: Option<u64>,
    /// Whether its state was this device's. `None`: they cannot be compared, because they are not of the same
    /// events.
    pub agrees: Option<bool>,
}

/// All of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Devices {
    /// This one first, then whoever was seen last.
    pub devices: Vec<Device>,
    /// When the list was fetched, local clock; `None`: never.
    pub listed_at: Option<Timestamp>,
}

const DEVICES: &str = "
    select device_id, name, hzl_version, last_seen_at, acked_seq, state_hash
      from cloud_devices order by device_id <> :this, last_seen_at desc, device_id";

/// Lists the devices as the cloud last had them. `own` is what
/// [`crate::ledger::Ledger::settled_state`] returns now.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(events: &Connection, own: &SettledState) -> Result<Devices> {
    let this = state::device(events)?;
    let read = |row: &Row<'_>| {
        let device = DeviceId::new(row.get::<_, String>(0)?);
        Ok(Device {
            is_this_device: device == this,
            device,
            name: row.get(1)?,
            hzl_version: row.get(2)?,
            last_seen_at: row.get(3)?,
            acked_seq: row.get(4)?,
            state_hash: row.get(5)?,
            lag: None,
            agrees: None,
        })
    };
    let mut statement = events.prepare_cached(DEVICES).on(events, "list devices")?;
    let rows = statement
        .query_map(named_params! { ":this": this.as_str() }, read)
        .on(events, "list devices")?;
    let mut devices = rows
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(events, "list devices")?;
    count_lags(events, &mut devices)?;
    for device in &mut devices {
        device.agrees = agrees(device, own);
    }
    let listed_at = state::find(events, Key::DevicesListedAtMs)?;
    Ok(Devices {
        devices,
        listed_at: listed_at
            .and_then(|text| text.parse().ok())
            .map(Timestamp::from_millis),
    })
}

/// Tells whether a device had the state that this one has. Two states can be compared only if both are made of the
/// same settled events; and another version of hzl may rightly make something else of them.
fn agrees(device: &Device, own: &SettledState) -> Option<bool> {
    let (theirs, mine) = (device.state_hash.as_ref()?, own.state_hash?);
    if device.acked_seq != Some(own.cursor_seq) {
        return None;
    }
    let is_same = *theirs == mine.to_string();
    (is_same || device.hzl_version.as_deref() == Some(HZL_VERSION)).then_some(is_same)
}

const SETTLED_BACKWARDS: &str = "
    select cloud_seq, device_id from event_sync
     where cloud_seq > :least order by cloud_seq desc";

/// Counts for each device what others had pushed above its cursor, in one pass. Counted, since sequences
/// have gaps; what a device pushed itself it did not have to pull.
fn count_lags(events: &Connection, devices: &mut [Device]) -> Result<()> {
    let context = "count what devices have not pulled";
    let mut waiting: Vec<&mut Device> = vec![];
    for device in devices {
        match device.acked_seq {
            _ if device.is_this_device => device.lag = Some(0),
            Some(_) => waiting.push(device),
            None => {}
        }
    }
    waiting.sort_by_key(|device| device.acked_seq);
    let Some(least) = waiting.first().and_then(|device| device.acked_seq) else {
        return Ok(());
    };
    let mut statement = events
        .prepare_cached(SETTLED_BACKWARDS)
        .on(events, context)?;
    let mut rows = statement
        .query(named_params! { ":least": least })
        .on(events, context)?;
    let (mut all, mut own) = (0_u64, BTreeMap::<String, u64>::new());
    loop {
        let row = match rows.next().on(events, context)? {
            Some(row) => Some((
                row.get::<_, i64>(0).on(events, context)?,
                row.get::<_, Option<String>>(1).on(events, context)?,
            )),
            None => None,
        };
        let seq = row.as_ref().map_or(i64::MIN, |(seq, _)| *seq);
        while let Some(device) = waiting.pop_if(|device| device.acked_seq >= Some(seq)) {
            let pushed = own.get(device.device.as_str()).copied().unwrap_or(0);
            device.lag = Some(all - pushed);
        }
        let Some((_, pusher)) = row else { break };
        all += 1;
        if let Some(pusher) = pusher {
            *own.entry(pusher).or_default() += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::StateSum;

    /// A log in which A pushed 1 to 3 and 7, and B 4, 9 and 10.
    fn log() -> Connection {
        let log = Connection::open_in_memory().unwrap();
        log.execute_batch(include_str!("../schema/events_v1.sql"))
            .unwrap();
        for (rowid, (seq, device)) in [
            (1, "A"),
            (2, "A"),
            (3, "A"),
            (4, "B"),
            (7, "A"),
            (9, "B"),
            (10, "B"),
        ]
        .into_iter()
        .enumerate()
        {
            log.execute(
                "insert into event_sync (event_rowid, cloud_seq, device_id) values (?1, ?2, ?3)",
                rusqlite::params![i64::try_from(rowid).unwrap(), seq, device],
            )
            .unwrap();
        }
        state::set(&log, Key::DeviceId, Some("A")).unwrap();
        log
    }

    fn tell(log: &Connection, device: &str, version: &str, acked: Option<i64>, hash: Option<&str>) {
        log.execute(
            "insert into cloud_devices (device_id, hzl_version, acked_seq, state_hash)
             values (?1, ?2, ?3, ?4)",
            rusqlite::params![device, version, acked, hash],
        )
        .unwrap();
    }

    fn found<T>(
        log: &Connection,
        own: &SettledState,
        what: impl Fn(&Device) -> T,
    ) -> Vec<(String, T)> {
        let listed = list(log, own).unwrap().devices;
        let pair = |device: &Device| (device.device.as_str().to_owned(), what(device));
        listed.iter().map(pair).collect()
    }

    #[test]
    fn a_lag_counts_the_events_of_others_and_not_the_gaps() {
        let log = log();
        for (device, acked) in [
            ("B", Some(0)),
            ("C", Some(3)),
            ("D", Some(10)),
            ("E", None),
            ("F", Some(8)),
            ("A", Some(2)),
            ("G", Some(12)),
        ] {
            tell(&log, device, HZL_VERSION, acked, None);
        }
        let own = SettledState {
            cursor_seq: 10,
            state_hash: None,
        };
        let lags = found(&log, &own, |device| device.lag);
        let expected = [
            ("A", Some(0)),
            ("B", Some(4)),
            ("C", Some(4)),
            ("D", Some(0)),
            ("E", None),
            ("F", Some(2)),
            ("G", Some(0)),
        ];
        assert_eq!(lags, expected.map(|(name, lag)| (name.to_owned(), lag)));
    }

    #[test]
    fn states_are_compared_only_where_that_means_something() {
        let log = log();
        let hash = StateSum::of("x", &1).to_string();
        let other = StateSum::of("x", &2).to_string();
        tell(&log, "B", HZL_VERSION, Some(10), Some(&hash));
        tell(&log, "C", HZL_VERSION, Some(10), Some(&other));
        tell(&log, "D", HZL_VERSION, Some(9), Some(&other));
        tell(&log, "E", HZL_VERSION, Some(10), None);
        tell(&log, "F", "0.0.1", Some(10), Some(&other));
        tell(&log, "G", "0.0.1", Some(10), Some(&hash));
        let mut own = SettledState {
            cursor_seq: 10,
            state_hash: Some(StateSum::of("x", &1)),
        };
        let expected = [
            ("B", Some(true)),
            ("C", Some(false)),
            ("D", None),
            ("E", None),
            ("F", None),
            ("G", Some(true)),
        ];
        let agree = found(&log, &own, |device| device.agrees);
        assert_eq!(
            agree,
            expected.map(|(name, agrees)| (name.to_owned(), agrees))
        );
        own.state_hash = None;
        let agree = found(&log, &own, |device| device.agrees);
        assert!(
            agree.iter().all(|(_, agrees)| agrees.is_none()),
            "{agree:?}"
        );
    }

    #[test]
    fn what_a_device_lacks_is_found_by_a_seek() {
        let plan = crate::schema::events::plan(SETTLED_BACKWARDS);
        assert!(plan.starts_with("SEARCH event_sync"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
