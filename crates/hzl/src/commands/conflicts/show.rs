//! `hzl conflicts show`

use hzl_core::ids::EventId;
use hzl_core::restore;
use hzl_store::log;
use hzl_store::log::StoredEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::item;
use super::item::Item;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::output::Answer;
use crate::output::Md;
use crate::output::one_line;
use crate::values;

/// Show a write that lost a merge: what it wanted, what stands, and who wrote both
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl conflicts show 01KAQX2V
  hzl conflicts show 01KAQX2V --format md")]
pub(crate) struct Args {
    /// Id of the event that lost, or the beginning of it
    #[arg(value_name = "EVENT_ID", value_parser = values::event_id)]
    pub(crate) event_id: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Shown {
    event_id: EventId,
    conflicts: Vec<Detail>,
    /// The event that lost; absent when it has been pruned here.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Written>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Detail {
    #[serde(flatten)]
    item: Item,
    /// Whether `hzl conflicts restore` can write the value again.
    restorable: bool,
    /// The event that stands; absent where no single event does.
    #[serde(skip_serializing_if = "Option::is_none")]
    winner: Option<Written>,
}

/// An event as it was written.
#[derive(Debug, JsonSchema, Serialize)]
struct Written {
    event_id: EventId,
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    author: Option<String>,
    data: Box<RawValue>,
}

impl From<StoredEvent> for Written {
    fn from(event: StoredEvent) -> Self {
        Self {
            event_id: event.event_id,
            kind: event.kind,
            timestamp: event.timestamp,
            author: event.author,
            data: one_line(&event.data),
        }
    }
}

/// Shows the conflict.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let mut ledger = ctx.ledger(Purpose::Read)?;
    let found = item::of_event(&mut ledger, &args.event_id)?;
    let log = &ledger.files().events;
    let written = |event_id: &EventId| -> Result<Option<Written>, CommandError> {
        Ok(log::find_stored(log, event_id)?.map(Written::from))
    };
    let mut conflicts = vec![];
    for stored in found {
        let winner = stored.conflict.winner_event_id.as_ref();
        conflicts.push(Detail {
            restorable: restore::restoring(&stored.conflict).is_ok(),
            winner: winner.map(written).transpose()?.flatten(),
            item: Item::from(stored),
        });
    }
    let event_id = conflicts.first().map(|one| one.item.event_id.clone());
    let event_id = event_id.unwrap_or_else(|| EventId::from(args.event_id.as_str()));
    let lost = written(&event_id)?;
    ctx.output.answer(&Shown {
        event_id,
        conflicts,
        lost,
    })
}

impl Answer for Shown {
    fn md(&self, md: &mut Md) {
        for (at, detail) in self.conflicts.iter().enumerate() {
            if at > 0 {
                md.gap();
            }
            let item = &detail.item;
            let task = item.task_id.as_ref().map(ToString::to_string);
            if let Some(title) = item.title.clone().or(task) {
                md.field("Task", &title);
            }
            md.field("Why", item.kind);
            if !item.field.is_empty() {
                md.field("Field", &item.field);
            }
            md.field(
                "Lost",
                &value(&item.losing_value.to_string(), self.lost.as_ref()),
            );
            let stands = item.winning_value.to_string();
            md.field("Stands", &value(&stands, detail.winner.as_ref()));
            if item.acknowledged {
                md.line("Acknowledged.");
            }
        }
        let restorable = self.conflicts.iter().any(|detail| detail.restorable);
        if restorable {
            md.gap();
            md.line(&format!(
                "`hzl conflicts restore {}` writes the lost value again.",
                self.event_id
            ));
        }
    }
}

fn value(value: &str, event: Option<&Written>) -> String {
    match event {
        Some(event) => {
            let author = event.author.as_deref().unwrap_or("somebody");
            format!("{value}, by {author} at {}", event.timestamp)
        }
        None => value.to_owned(),
    }
}
