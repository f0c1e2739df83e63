//! `hzl sync --verify`: whether projections, log, cloud and the other machines are what they should be.
//!
//! Nothing but projections is ever repaired here: they can be derived again. What the cloud has that is not
//! what is here is shown, and left to people.

use hzl_remote::sync::Session;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::SyncOptions;
use hzl_remote::sync::verify::Discrepancy;
use hzl_remote::sync::verify::LogCheck;
use hzl_remote::sync::verify::Wrong;
use hzl_store::ledger::Ledger;
use hzl_store::query::compare;
use hzl_store::query::compare::Compared;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cloud;
use crate::commands::devices;
use crate::commands::devices::Device;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Md;
use crate::output::counted;

/// How many of many are named in a message; the details list more.
const NAMED: usize = 3;

/// What came of the comparison.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verified {
    projections: Projections,
    /// The tables that were not what the log says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<Table>,
    /// Null where there is no cloud.
    log: Option<Log>,
    devices: Option<Agreement>,
}

/// How the projections stood to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Projections {
    Ok,
    /// They were not what the log says, and were built anew.
    Healed,
    /// Others wrote so much that they could not be compared.
    Unknown,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Table {
    table: &'static str,
    rows: u64,
    /// Ids of tasks, names of projects; the first ones.
    subjects: Vec<String>,
}

/// The settled events here against the cloud's.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    /// Here.
    events: u64,
    cloud_events: u64,
    compared: u64,
    /// Here and not in the cloud.
    missing: u64,
    /// In the cloud and not here.
    extra: u64,
    different: u64,
    /// Rows of the cloud that are no events of hzl.
    set_aside: u64,
    /// The first rows that are not the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Row>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    seq: i64,
    event_id: String,
    task_id: String,
    /// missing, extra or different.
    what: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<&'static str>,
}

/// The other machines' states against this one's.
#[derive(Debug, JsonSchema, Serialize)]
struct Agreement {
    agree: usize,
    differ: usize,
    /// They had not the same events when they were last seen.
    unknown: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differing: Vec<String>,
}

/// Compares the projections alone, where there is no cloud.
///
/// # Errors
///
/// Whatever the store reports.
pub(super) fn verify_projections(ledger: &mut Ledger) -> Result<Verified, CommandError> {
    let (projections, tables) = compare_projections(ledger)?;
    Ok(Verified {
        projections,
        tables,
        log: None,
        devices: None,
    })
}

/// Compares everything, after a sync.
///
/// # Errors
///
/// As [`Session::verify`]; whatever the store reports.
pub(super) fn verify(
    ledger: &mut Ledger,
    session: &mut Session,
    options: &SyncOptions,
    on_progress: &mut dyn FnMut(u64),
) -> Result<Verified, SyncError> {
    // First: what is told to the others is the state as it should be.
    let (projections, tables) = compare_projections(ledger)?;
    let log = session.verify(ledger, options, on_progress)?;
    let known = devices::load(ledger)?;
    Ok(Verified {
        projections,
        tables,
        log: Some(log.into()),
        devices: Some(agreement(&known.devices)),
    })
}

fn compare_projections(ledger: &mut Ledger) -> hzl_store::Result<(Projections, Vec<Table>)> {
    ledger.read(|_| Ok(()))?;
    let paths = ledger.files().paths.clone();
    let tables = match compare::compare(&paths)? {
        Compared::Same { .. } => return Ok((Projections::Ok, vec![])),
        Compared::Unknown => return Ok((Projections::Unknown, vec![])),
        Compared::Different { tables, .. } => tables,
    };
    ledger.rebuild()?;
    let table = |found: compare::TableDifference| Table {
        table: found.table,
        rows: found.rows,
        subjects: found.subjects,
    };
    Ok((Projections::Healed, tables.into_iter().map(table).collect()))
}

fn agreement(known: &[Device]) -> Agreement {
    let others = || known.iter().filter(|device| !device.is_this_device);
    let count = |verdict| others().filter(|device| device.agrees == verdict).count();
    let differing = others().filter(|device| device.agrees == Some(false));
    Agreement {
        agree: count(Some(true)),
        differ: count(Some(false)),
        unknown: count(None),
        differing: differing.map(Device::title).collect(),
    }
}

impl From<LogCheck> for Log {
    fn from(check: LogCheck) -> Self {
        Self {
            events: check.here,
            cloud_events: check.there,
            compared: check.compared,
            missing: check.missing,
            extra: check.extra,
            different: check.different,
            set_aside: check.set_aside,
            rows: check.discrepancies.into_iter().map(Row::from).collect(),
        }
    }
}

impl Log {
    /// Names the first rows of a kind, as far as they are listed.
    fn rows_text(&self, what: &str) -> String {
        let found: Vec<_> = self.rows.iter().filter(|row| row.what == what).collect();
        let named = found.iter().take(NAMED);
        let mut texts: Vec<String> = named
            .map(|row| format!("{} at {}", row.event_id, row.seq))
            .collect();
        if found.len() > NAMED {
            texts.push("…".to_owned());
        }
        match texts.is_empty() {
            true => String::new(),
            false => format!(" ({})", texts.join(", ")),
        }
    }
}

impl From<Discrepancy> for Row {
    fn from(row: Discrepancy) -> Self {
        let (what, columns) = match row.what {
            Wrong::Missing => ("missing", vec![]),
            Wrong::Extra => ("extra", vec![]),
            Wrong::Different(columns) => ("different", columns),
        };
        Self {
            seq: row.seq,
            event_id: row.event_id,
            task_id: row.task_id,
            what,
            columns,
        }
    }
}

impl Verified {
    /// Makes the failure of a verification that has found something; `None`: all is as it should be.
    pub(super) fn failure(&self) -> Option<CommandError> {
        let mut findings = vec![];
        let mut hints = vec![];
        if self.projections == Projections::Healed {
            findings.push(format!(
                "the projections here were not what the log says ({}) and were built anew",
                self.tables_text()
            ));
            hints.push("nothing is to be done about the projections; if it happens again, check the disk: `hzl doctor`");
        }
        if let Some(log) = &self.log {
            for (count, what, text) in [
                (
                    log.missing,
                    "missing",
                    "events that are here are not in the cloud",
                ),
                (log.extra, "extra", "events in the cloud are not here"),
                (
                    log.different,
                    "different",
                    "events in the cloud are not the ones that are here",
                ),
            ] {
                if count > 0 {
                    findings.push(format!("{count} {text}{}", log.rows_text(what)));
                }
            }
            if log.missing + log.extra + log.different > 0 {
                hints.push(
                    "keep a copy of what is here first: `hzl backup <file>`; somebody has changed the cloud database past hzl",
                );
                hints.push(
                    "then restore the cloud database from its own backup and run `hzl sync --reset`, or fill a new one from here: `hzl init --sync-url <new address> --auth-token -`",
                );
            }
        }
        if let Some(devices) = self.devices.as_ref().filter(|it| it.differ > 0) {
            findings.push(format!(
                "{} machines have the same events and another state: {}",
                devices.differ,
                devices.differing.join(", ")
            ));
            hints.push("run `hzl sync --verify` on these machines: projections that are wrong there are built anew");
        }
        if findings.is_empty() {
            return None;
        }
        let message = format!("{}; {}", findings.join("; "), cloud::KEPT);
        let details = serde_json::to_value(self).unwrap_or_default();
        let failure = CommandError::new(Kind::VerifyFailed, message).detail("verify", details);
        Some(hints.into_iter().fold(failure, CommandError::hint))
    }

    fn tables_text(&self) -> String {
        let text = |table: &Table| {
            let subjects = table.subjects.iter().take(NAMED).cloned();
            let mut subjects: Vec<String> = subjects.collect();
            if table.subjects.len() > subjects.len() {
                subjects.push("…".to_owned());
            }
            let (name, rows) = (table.table, table.rows);
            format!("{name}: {rows} rows of {}", subjects.join(", "))
        };
        if self.tables.is_empty() {
            return "the state hash".to_owned();
        }
        let texts: Vec<String> = self.tables.iter().map(text).collect();
        texts.join("; ")
    }

    /// Writes the outcome of a verification that has found nothing.
    pub(super) fn md(&self, md: &mut Md) {
        match self.projections {
            Projections::Ok | Projections::Healed => {
                md.ok("The projections are what the log says");
            }
            Projections::Unknown => {
                md.warning(
                    "others write so much that the projections could not be compared: try again",
                );
            }
        }
        if let Some(log) = &self.log {
            md.ok(&format!(
                "The cloud has the same {}",
                counted(log.compared, "event")
            ));
            if log.set_aside > 0 {
                md.warning(&format!(
                    "{} more rows in the cloud are no events of hzl: see `hzl doctor`",
                    log.set_aside
                ));
            }
        }
        if let Some(devices) = &self.devices {
            md.field("Machines with the same state", &devices.agree.to_string());
            if devices.unknown > 0 {
                md.field(
                    "Machines that cannot be compared",
                    &devices.unknown.to_string(),
                );
            }
        }
    }
}
