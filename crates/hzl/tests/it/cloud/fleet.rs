//! `hzl devices`: who shares the ledger, how far each machine is, and whether they agree.

use hzl_testkit::stub::exchange;
use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use crate::add;
use crate::home;

/// Runs SQL in the cloud database, as somebody would who does not go through hzl.
pub(super) fn tamper(cloud: &Cloud, sql: &str) {
    let body = json!({"requests": [{"type": "execute", "stmt": {"sql": sql}}]});
    let url = cloud.server.url();
    let token = Some(cloud.token.as_str());
    let (status, reply) =
        exchange(&url, "POST", "/v2/pipeline", token, &body.to_string()).expect("an answer");
    assert_eq!(status, 200, "{reply}");
    assert!(!reply.contains("\"error\""), "{reply}");
}

/// Both sync until both have told where they are.
pub(super) fn settle_both(a: &Device, b: &Device) {
    for _ in 0..3 {
        a.sync();
        b.sync();
    }
}

/// What a machine knows of this one and of the other.
fn known(device: &Device) -> (Value, Value) {
    let list = device.json(&["devices"]);
    assert_eq!(list["total"], 2, "{list}");
    let (own, other) = (&list["devices"][0], &list["devices"][1]);
    assert_eq!(own["isThisDevice"], true, "{list}");
    assert_eq!(other["isThisDevice"], false, "{list}");
    (own.clone(), other.clone())
}

#[test]
fn each_machine_lists_the_other_also_offline() {
    let mut cloud = Cloud::start();
    let (a, b, _) = cloud.pair(&["Shared"]);
    settle_both(&a, &b);
    let (own, other) = known(&b);
    let status = a.status();
    assert_eq!(own["deviceId"], b.status()["deviceId"]);
    assert_eq!(own["lag"], 0);
    assert_eq!(other["deviceId"], status["deviceId"]);
    assert_eq!(
        (&other["lag"], &other["agrees"]),
        (&json!(0), &json!(true)),
        "{other}"
    );
    assert_eq!(other["ackedSeq"], status["lastSyncFrameNo"]);
    assert_eq!(other["stateHash"], status["stateHash"]);
    assert_eq!(other["hzlVersion"], env!("CARGO_PKG_VERSION"));
    assert!(other["lastSeenAt"].is_string() && other["name"].is_string());
    assert_eq!(b.status()["devices"], json!([own, other]));

    // A is behind by what B has pushed since, and what it has then cannot be compared.
    add(&b, &["New"]);
    assert_eq!(
        known(&b).1["agrees"],
        Value::Null,
        "something waits to be sent"
    );
    b.sync();
    let (_, other) = known(&b);
    assert_eq!(
        (&other["lag"], &other["agrees"]),
        (&json!(1), &Value::Null),
        "{other}"
    );
    cloud.server.stop();
    assert_eq!(known(&b).1, other);
    let error = b.fails(&["devices", "--refresh"], 8);
    assert_eq!(error["error"]["code"], "sync_unavailable");
    cloud.server.restart();
    a.sync();
    a.sync();
    let refreshed = b.json(&["devices", "--refresh"]);
    assert_eq!(refreshed["refreshed"], true);
    let other = &refreshed["devices"][1];
    assert_eq!(
        (&other["lag"], &other["agrees"]),
        (&json!(0), &json!(true)),
        "{refreshed}"
    );
    assert_same(&a, &b);
}

#[test]
fn a_machine_with_another_state_is_pointed_out() {
    let cloud = Cloud::start();
    let (a, b, _) = cloud.pair(&["Shared"]);
    settle_both(&a, &b);
    let id = a.status()["deviceId"].as_str().expect("a text").to_owned();
    tamper(
        &cloud,
        &format!(
            "update hzl_devices set name = 'x\u{1b}[2Jy', state_hash = '00' where device_id = '{id}'"
        ),
    );
    let list = b.json(&["devices", "-r"]);
    assert_eq!(list["devices"][1]["agrees"], false, "{list}");
    for line in [
        &["devices", "--format", "md"][..],
        &["status", "--format", "md"],
    ] {
        let text = b.hzl(line).stdout;
        assert!(text.contains("DIFFERENT"), "{text}");
        assert!(text.contains("hzl sync --verify"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("x\\u{1b}[2Jy"), "{text}");
    }
}

#[test]
fn where_nothing_is_synced_nobody_is_known() {
    let home = home();
    add(&home, &["Alone"]);
    let list = home.json(&["devices"]);
    assert_eq!(
        (&list["devices"], &list["total"], &list["listedAt"]),
        (&json!([]), &json!(0), &Value::Null)
    );
    let text = home.hzl(&["devices", "--format", "md"]).stdout;
    assert!(text.contains("nothing has been synced"), "{text}");
    let error = home.fails(&["devices", "--refresh"], 3);
    assert!(
        error["error"]["suggestions"][0]
            .as_str()
            .unwrap()
            .starts_with("hzl init")
    );
}
