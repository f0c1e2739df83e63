//! `hzl devices`: the machines of the ledger.

use hzl_store::ledger::Ledger;
use hzl_store::query::devices;
use schemars::JsonSchema;
use serde::Serialize;

use super::sync;
use crate::cloud;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::output::counted;

/// List the machines of this ledger and how far each has come
///
/// As they last told the cloud about themselves. `lag` counts the events of others that a machine did not
/// have yet when it was last seen. `agrees` says whether its tasks were the same as here; null where that cannot be
/// told, because one of the two had events that the other had not. Works offline with the list as it was last fetched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl devices
  hzl devices --format md")]
pub(crate) struct Args {
    /// Sync first, and fetch the list
    #[arg(short, long)]
    pub(crate) refresh: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List {
    devices: Vec<Device>,
    total: usize,
    /// The sequence up to which this machine has everything.
    cursor: i64,
    /// When the list was fetched; null: never.
    listed_at: Option<String>,
    refreshed: bool,
}

/// A machine.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    device_id: String,
    name: Option<String>,
    hzl_version: Option<String>,
    /// By the server's clock.
    last_seen_at: Option<String>,
    acked_seq: Option<i64>,
    state_hash: Option<String>,
    pub(crate) is_this_device: bool,
    /// Events of others that it had not pulled; null: it does not say.
    lag: Option<u64>,
    /// Whether its state was the one here; null: they cannot be compared.
    pub(crate) agrees: Option<bool>,
}

/// Lists the machines.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Inspect)?;
    if args.refresh {
        let Some(target) = cloud::target(ctx)? else {
            let message = "no cloud database is set up: there is nobody to ask";
            return Err(CommandError::new(Kind::Input, message)
                .hint("hzl init --sync-url <url> --auth-token -"));
        };
        sync::sync(&sync::Args::default(), ctx, &mut ledger, &target)?;
    }
    let known = load(&mut ledger)?;
    ctx.output.answer(&List {
        total: known.devices.len(),
        devices: known.devices,
        cursor: known.cursor,
        listed_at: known.listed_at,
        refreshed: args.refresh,
    })
}

/// What is known of the machines.
pub(crate) struct Known {
    pub(crate) devices: Vec<Device>,
    pub(crate) cursor: i64,
    pub(crate) listed_at: Option<String>,
}

/// Loads what is known of the machines, without asking the cloud.
///
/// # Errors
///
/// Whatever the store reports.
pub(crate) fn load(ledger: &mut Ledger) -> hzl_store::Result<Known> {
    ledger.read(|_| Ok(()))?;
    let own = ledger.settled_state()?;
    let known = devices::list(&ledger.files().events, &own)?;
    Ok(Known {
        devices: known.devices.into_iter().map(Device::from).collect(),
        cursor: own.cursor_seq,
        listed_at: known.listed_at.map(|at| at.to_string()),
    })
}

impl From<devices::Device> for Device {
    fn from(device: devices::Device) -> Self {
        Self {
            device_id: device.device.into_string(),
            name: device.name,
            hzl_version: device.hzl_version,
            last_seen_at: device.last_seen_at,
            acked_seq: device.acked_seq,
            state_hash: device.state_hash,
            is_this_device: device.is_this_device,
            lag: device.lag,
            agrees: device.agrees,
        }
    }
}

impl Device {
    /// The name people know it by.
    pub(crate) fn title(&self) -> String {
        let name = self.name.as_deref().unwrap_or(&self.device_id);
        match self.is_this_device {
            true => format!("{name} (this one)"),
            false => name.to_owned(),
        }
    }
}

impl Answer for List {
    fn md(&self, md: &mut Md) {
        if self.devices.is_empty() {
            md.line("No machine is known: nothing has been synced yet.");
            return;
        }
        table(&self.devices, md);
        if let Some(at) = &self.listed_at {
            md.field("Listed", at);
        }
    }
}

/// Writes the machines as a table, and warns of those that hold something else.
pub(crate) fn table(devices: &[Device], md: &mut Md) {
    let rows: Vec<_> = devices.iter().map(row).collect();
    md.table(&["Device", "Last seen", "hzl", "Behind", "State"], &rows);
    for device in devices.iter().filter(|it| it.agrees == Some(false)) {
        md.warning(&format!(
            "{} had the same events and another state: run `hzl sync --verify` there and here",
            device.title()
        ));
    }
}

fn row(device: &Device) -> Vec<String> {
    let behind = match device.lag {
        Some(0) => "no".to_owned(),
        Some(lag) => counted(lag, "event"),
        None => "unknown".to_owned(),
    };
    let state = match device.agrees {
        Some(true) => "the same",
        Some(false) => "DIFFERENT",
        None => "not comparable",
    };
    vec![
        device.title(),
        device.last_seen_at.clone().unwrap_or_default(),
        device.hzl_version.clone().unwrap_or_default(),
        behind,
        state.to_owned(),
    ]
}
