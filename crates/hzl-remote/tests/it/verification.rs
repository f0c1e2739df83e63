//! The log against the cloud, row by row.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_remote::error::{RemoteError, SqlError};
use hzl_remote::hrana::{Outcome, Statement, Value};
use hzl_remote::sync::SyncError;
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::verify::{LogCheck, Wrong, verify};

use crate::devices::Device;
use crate::model_cloud::{Line, ModelCloud, exchange};

fn check(device: &mut Device, cloud: &ModelCloud) -> LogCheck {
    verify(
        &mut device.ledger,
        &mut cloud.line(vec![]),
        None,
        &mut |_| {},
    )
    .unwrap()
}

/// Two devices with the same events, more of them than a page holds.
fn pair(cloud: &ModelCloud) -> (Device, Device) {
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("talked about");
    a.add_remarks(&task, 2_500);
    exchange(&mut a, cloud);
    exchange(&mut b, cloud);
    b.add("more");
    exchange(&mut b, cloud);
    exchange(&mut a, cloud);
    (a, b)
}

#[test]
fn a_clean_pair_has_what_the_cloud_has() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = pair(&cloud);
    let all = u64::try_from(cloud.event_ids().len()).unwrap();
    for device in [&mut a, &mut b] {
        let checked = check(device, &cloud);
        assert!(checked.is_same(), "{checked:?}");
        let counts = [checked.here, checked.there, checked.compared];
        assert_eq!(counts, [all; 3]);
    }
    // What others push meanwhile is no difference.
    b.add("later");
    exchange(&mut b, &cloud);
    assert!(check(&mut a, &cloud).is_same());
    // Both have told where they are.
    exchange(&mut a, &cloud);
    check(&mut b, &cloud);
    check(&mut a, &cloud);
    let own = a.ledger.settled_state().unwrap();
    let listed = hzl_store::query::devices::list(&a.ledger.files().events, &own).unwrap();
    let agree = listed.devices.iter().map(|device| device.agrees);
    assert_eq!(agree.collect::<Vec<_>>(), [Some(true); 2]);
}

#[test]
fn each_row_that_is_not_the_same_is_found() {
    let cloud = ModelCloud::new();
    let (mut a, _b) = pair(&cloud);
    let ids = cloud.event_ids();
    cloud.tamper(
        "update hzl_events set data = json_object('text', 'forged') where seq = 700;
         update hzl_events set received_at = '2020-01-01T00:00:00.000Z', author = 'eve'
          where seq = 1400;
         delete from hzl_events where seq in (1000, 1001, 2000);
         insert into hzl_events (seq, event_id, task_id, type, data, timestamp)
         values (1001, 'FOREIGN', 'T', 'comment_added', '{\"text\":\"x\"}', '2026-01-01T00:00:00.000Z')",
    );
    let found = check(&mut a, &cloud);
    assert_eq!(
        (found.missing, found.extra, found.different),
        (2, 0, 3),
        "{found:?}"
    );
    assert_eq!(found.here, found.there + 2);
    let listed: Vec<_> = found
        .discrepancies
        .iter()
        .map(|row| (row.seq, row.event_id.as_str(), &row.what))
        .collect();
    let other_event = [
        "event_id",
        "received_at",
        "device_id",
        "epoch",
        "basis_seq",
        "task_id",
        "data",
        "timestamp",
    ];
    assert_eq!(
        listed,
        [
            (700, ids[699].as_str(), &Wrong::Different(vec!["data"])),
            (1000, ids[999].as_str(), &Wrong::Missing),
            (
                1001,
                ids[1000].as_str(),
                &Wrong::Different(other_event.to_vec())
            ),
            (
                1400,
                ids[1399].as_str(),
                &Wrong::Different(vec!["received_at", "author"])
            ),
            (2000, ids[1999].as_str(), &Wrong::Missing),
        ]
    );
}

#[test]
fn a_row_that_appeared_behind_the_cursor_is_extra_and_one_set_aside_is_not() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    a.add("before");
    exchange(&mut a, &cloud);
    cloud.plant("X1", "T", "status_changed", "this is not JSON");
    cloud.tamper("update sqlite_sequence set seq = seq + 5 where name = 'hzl_events'");
    a.add("after");
    exchange(&mut a, &cloud);
    let clean = check(&mut a, &cloud);
    assert_eq!((clean.set_aside, clean.extra), (1, 0), "{clean:?}");
    assert_eq!(clean.there, clean.here + 1);
    assert!(clean.is_same());
    cloud.tamper(
        "insert into hzl_events (seq, event_id, task_id, type, data, timestamp)
         values (6, 'LATE', 'T', 'comment_added', '{\"text\":\"x\"}', '2026-01-01T00:00:00.000Z')",
    );
    let found = check(&mut a, &cloud);
    assert_eq!((found.extra, found.missing), (1, 0), "{found:?}");
    assert_eq!(found.discrepancies[0].event_id, "LATE");
    assert_eq!(found.discrepancies[0].what, Wrong::Extra);
}

#[test]
fn no_more_is_listed_than_anybody_reads() {
    let cloud = ModelCloud::new();
    let (mut a, _b) = pair(&cloud);
    cloud.tamper("update hzl_events set author = 'eve' where seq % 2 = 0");
    let found = check(&mut a, &cloud);
    assert!(found.different > 1_000, "{found:?}");
    assert_eq!(found.discrepancies.len(), 20);
}

/// A server that sends no page of more than a hundred rows, and is busy now and then.
struct Narrow<'cloud> {
    line: Line<'cloud>,
}

impl Remote for Narrow<'_> {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        let mut outcomes = self.line.pipeline(statements)?;
        let code = match statements[0].args.as_slice() {
            [_, Value::Integer(rows)] if *rows > 100 => "RESPONSE_TOO_LARGE",
            [..] if self.line.requests().is_multiple_of(3) => "SQLITE_BUSY",
            [..] => return Ok(outcomes),
        };
        outcomes[0] = Err(SqlError {
            code: code.to_owned(),
            message: code.to_owned(),
        });
        Ok(outcomes)
    }

    fn requests(&self) -> u64 {
        self.line.requests()
    }
}

#[test]
fn a_server_that_sends_little_at_a_time_is_compared_as_well() {
    let cloud = ModelCloud::new();
    let (mut a, _b) = pair(&cloud);
    cloud.tamper("delete from hzl_events where seq = 2000");
    let mut narrow = Narrow {
        line: cloud.line(vec![]),
    };
    let mut heard = vec![];
    let found = verify(&mut a.ledger, &mut narrow, None, &mut |done| {
        heard.push(done);
    });
    assert_eq!(found.unwrap().missing, 1);
    assert!(heard.len() > 25, "{heard:?}");
    assert!(heard.is_sorted(), "{heard:?}");
}

#[test]
fn another_ledger_in_its_place_is_not_compared() {
    let cloud = ModelCloud::new();
    let (mut a, _b) = pair(&cloud);
    cloud.tamper("update hzl_meta set value = 'another' where key = 'instance_id'");
    let refused = verify(&mut a.ledger, &mut cloud.line(vec![]), None, &mut |_| {});
    assert!(
        matches!(refused, Err(SyncError::ChangedMeanwhile)),
        "{refused:?}"
    );
}
