//! `hzl status`

use hzl_core::time::Timestamp;
use hzl_remote::sync::session;
use hzl_store::projector;
use hzl_store::query::conflicts;
use hzl_store::query::status;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::devices;
use super::devices::Device;
use crate::cloud;
use crate::config::SyncPolicy;
use crate::config::SyncTarget;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;

/// Show the state of this ledger and its sync
///
/// Works offline.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl status
  hzl status --format md")]
pub(crate) struct Args {}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Status {
    success: bool,
    data: Data,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    mode: &'static str,
    events_db: String,
    cache_db: String,
    instance_id: Option<String>,
    device_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_error: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_frame_no: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dirty_since: Option<String>,
    local_changes: bool,
    pending_events: u64,
    conflicts: u64,
    quarantined: u64,
    policy: &'static str,
    pull_only: bool,
    state_hash: String,
    devices: Vec<Device>,
}

/// Shows the status, without asking the cloud.
pub(crate) fn run(_: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let cloud = cloud::target(ctx)?;
    let target = ctx.sync_target()?;
    let policy = ctx.config()?.sync.policy;
    let mut ledger = ctx.ledger(Purpose::Inspect)?;
    let sync = status::load(&ledger.files().events)?;
    let acknowledged = conflicts::load_acknowledged(&ledger.files().events)?;
    let (conflicts, state_sum) = ledger.read(|cache| {
        let open = conflicts::count_open(cache, &acknowledged)?;
        Ok((open, projector::state_sum(cache)?))
    })?;
    let database = ctx.database()?;
    // Where nothing is synced and never was, nothing waits to be sent.
    let is_shared = target.is_some() || sync.cloud_instance_id.is_some();
    let pending = match is_shared {
        true => status::load_pending(&ledger.files().events)?,
        false => status::Pending::default(),
    };
    // A failure at another address says nothing about this one.
    let is_of_target = match &cloud {
        Some(cloud) => session::was_tried(&ledger, cloud)?,
        None => false,
    };
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let data = Data {
        mode: mode(target.as_ref()),
        events_db: database.events.to_string_lossy().into_owned(),
        cache_db: database.cache.to_string_lossy().into_owned(),
        sync_url: target.map(|target| target.redacted_url()),
        last_sync_at: text(sync.last_sync_at),
        last_sync_attempt_at: text(sync.last_attempt_at),
        last_sync_error: sync
            .last_error
            .as_deref()
            .filter(|_| is_of_target)
            .map(last_error),
        last_sync_frame_no: (sync.cursor_seq > 0).then_some(sync.cursor_seq),
        dirty_since: text(pending.since),
        local_changes: pending.count > 0,
        pending_events: pending.count,
        conflicts,
        quarantined: sync.quarantined,
        policy: policy_name(policy.unwrap_or(SyncPolicy::Opportunistic)),
        pull_only: sync.is_pull_only,
        state_hash: state_sum.to_string(),
        devices: devices::load(&mut ledger)?.devices,
        device_id: sync.device.into_string(),
        instance_id: sync.instance_id,
    };
    ctx.output.answer(&Status {
        success: true,
        data,
    })
}

/// Returns the name of the way this ledger is kept.
pub(crate) fn mode(target: Option<&SyncTarget>) -> &'static str {
    match target {
        Some(_) => "offline-sync",
        None => "local-only",
    }
}

fn policy_name(policy: SyncPolicy) -> &'static str {
    match policy {
        SyncPolicy::Manual => "manual",
        SyncPolicy::Opportunistic => "opportunistic",
        SyncPolicy::Strict => "strict",
    }
}

fn last_error(stored: &str) -> Value {
    serde_json::from_str(stored).unwrap_or_else(|_| json!({ "message": stored }))
}

impl Answer for Status {
    fn md(&self, md: &mut Md) {
        let data = &self.data;
        md.field("Mode", data.mode);
        md.field("Events", &data.events_db);
        md.field("Cache", &data.cache_db);
        md.field("Ledger", data.instance_id.as_deref().unwrap_or("unknown"));
        md.field("Device", &data.device_id);
        if let Some(url) = &data.sync_url {
            md.field("Cloud", url);
            md.field("Policy", data.policy);
            md.field("Last sync", data.last_sync_at.as_deref().unwrap_or("never"));
            md.field("Pending events", &data.pending_events.to_string());
        }
        if let Some(error) = &data.last_sync_error {
            for (name, key) in [("Last sync failed", "message"), ("What to do", "action")] {
                if let Some(text) = error.get(key).and_then(Value::as_str) {
                    md.field(name, text);
                }
            }
        }
        md.field("Conflicts", &data.conflicts.to_string());
        if data.quarantined > 0 {
            md.field("Quarantined events", &data.quarantined.to_string());
        }
        md.field("State", &data.state_hash);
        if !data.devices.is_empty() {
            md.gap();
            devices::table(&data.devices, md);
        }
    }
}
