//! Bad events, from here and from there: set aside, listed, and never in the way.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_core::task::Status;
use hzl_remote::sync::{Report, SyncOptions, sync};

use crate::devices::Device;
use crate::model_cloud::ModelCloud;

fn exchange(device: &mut Device, cloud: &ModelCloud) -> Report {
    let options = SyncOptions::default();
    sync(
        &mut device.ledger,
        &mut cloud.line(vec![]),
        &options,
        &mut |_| {},
    )
    .unwrap()
}

#[test]
fn an_event_the_cloud_refuses_is_set_aside_and_the_rest_goes_on() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    exchange(&mut a, &cloud);
    cloud.refuse("poison");
    let (sick, healthy) = (a.add("sick"), a.add("healthy"));
    a.remark(&sick, "poison");
    a.claim(&sick, "ann");
    (0..40).for_each(|n| a.remark(&healthy, &format!("remark {n}")));
    let report = exchange(&mut a, &cloud);
    assert_eq!(report.quarantined, 1);
    assert!(!a.ledger.has_outgoing().unwrap());
    exchange(&mut b, &cloud);
    assert_eq!(b.titles(), ["sick", "healthy"]);
    // Its later events of that task are held back: they would mean something else without it.
    assert_eq!(b.task(&sick).unwrap().status, Status::Ready);
    assert_eq!(
        a.task(&sick).unwrap().status,
        Status::InProgress,
        "here everything is as it was"
    );
    assert_eq!(a.ledger.count_pending().unwrap(), 1);
    a.hash();
    cloud.accept();
    assert_eq!(
        exchange(&mut a, &cloud).quarantined,
        0,
        "what was set aside stays aside"
    );
}

#[test]
fn rows_that_no_hzl_wrote_harm_nobody() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("before");
    exchange(&mut a, &cloud);
    let id = task.as_str();
    cloud.plant("X1", id, "status_changed", "this is not JSON");
    cloud.plant(
        "X2",
        id,
        "status_changed",
        r#"{"from":"ready","to":"flying"}"#,
    );
    cloud.plant("X3", id, "task_exploded", "{}");
    cloud.plant(
        "X4",
        "unknown-task",
        "comment_added",
        r#"{"text":"to nobody"}"#,
    );
    cloud.plant(
        "X5",
        id,
        "task_updated",
        r#"{"field":"title","new_value":[1]}"#,
    );
    cloud.plant(
        "X6",
        id,
        "dependency_added",
        &format!(r#"{{"depends_on_id":"{id}"}}"#),
    );
    cloud.plant(
        "X7",
        id,
        "task_updated",
        &format!(
            r#"{{"field":"title","new_value":"{}"}}"#,
            "x".repeat(2_000_000)
        ),
    );
    cloud.plant("", id, "comment_added", r#"{"text":"no id"}"#);
    let after = a.add("after");
    let report = exchange(&mut a, &cloud);
    assert_eq!(report.quarantined, 3, "not JSON, too large, no id");
    exchange(&mut b, &cloud);
    exchange(&mut a, &cloud);
    for device in [&mut a, &mut b] {
        assert_eq!(device.task(&task).unwrap().title, "before");
        assert!(device.task(&after).is_some());
    }
    assert_eq!(a.hash(), b.hash());
}
