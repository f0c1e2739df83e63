//! A conflict in answers, and from what a caller typed to the conflicts that are meant.

use hzl_core::conflict::ConflictKind;
use hzl_core::ids::EventId;
use hzl_core::ids::TaskId;
use hzl_store::ledger::Ledger;
use hzl_store::query::conflicts;
use hzl_store::query::conflicts::ConflictFilter;
use hzl_store::query::conflicts::StoredConflict;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::error::CommandError;
use crate::error::Kind;

/// A write that lost a merge.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Item {
    pub(super) event_id: EventId,
    pub(super) kind: &'static str,
    pub(super) field: String,
    pub(super) task_id: Option<TaskId>,
    pub(super) title: Option<String>,
    pub(super) winner_event_id: Option<EventId>,
    pub(super) losing_value: Value,
    pub(super) winning_value: Value,
    pub(super) at: Option<String>,
    /// Left out in lists of those that are not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) acknowledged: bool,
}

impl From<StoredConflict> for Item {
    fn from(stored: StoredConflict) -> Self {
        let conflict = stored.conflict;
        Self {
            event_id: conflict.event_id,
            kind: conflict.kind.name(),
            field: conflict.field,
            task_id: conflict.task_id,
            title: stored.title,
            winner_event_id: conflict.winner_event_id,
            losing_value: conflict.losing_value,
            winning_value: conflict.winning_value,
            at: conflict.at.map(|at| at.to_string()),
            acknowledged: stored.is_acknowledged,
        }
    }
}

/// Finds the conflicts of the event with this id, or with the only one that begins like this.
///
/// # Errors
///
/// `NotFound`: there is none. `Input`: several events begin like this.
pub(super) fn of_event(
    ledger: &mut Ledger,
    typed: &str,
) -> Result<Vec<StoredConflict>, CommandError> {
    let acknowledged = conflicts::load_acknowledged(&ledger.files().events)?;
    let filter = ConflictFilter {
        acknowledged: true,
        event_id: Some(typed),
    };
    let (found, _) =
        ledger.read(|cache| conflicts::list(cache, &acknowledged, filter, u32::MAX))?;
    let Some(first) = found.first() else {
        let message = format!("no event with id `{typed}` lost a merge");
        return Err(CommandError::new(Kind::NotFound, message).hint("hzl conflicts list --all"));
    };
    let event_id = &first.conflict.event_id;
    if found
        .iter()
        .any(|other| other.conflict.event_id != *event_id)
    {
        let message = format!("event id `{typed}` is ambiguous");
        return Err(CommandError::new(Kind::Input, message).hint("hzl conflicts list --all"));
    }
    Ok(found)
}

/// Finds the one conflict that is meant.
///
/// # Errors
///
/// As [`of_event`]; `Input`: the event lost in several fields and none is named.
pub(super) fn one(
    ledger: &mut Ledger,
    typed: &str,
    field: Option<&str>,
) -> Result<StoredConflict, CommandError> {
    let mut found = of_event(ledger, typed)?;
    let fields: Vec<_> = found.iter().map(|one| one.conflict.field.clone()).collect();
    let kind = found.first().map(|one| one.conflict.kind);
    found.retain(|one| field.is_none_or(|field| one.conflict.field == field));
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) => {
            let wanted = field.unwrap_or_default();
            let message = format!("event `{typed}` did not lose in a field `{wanted}`");
            Err(CommandError::new(Kind::NotFound, message)
                .detail("fields", fields)
                .hint(format!("hzl conflicts show {typed}")))
        }
        _ => {
            let message = format!("event `{typed}` lost in several fields: name one with --field");
            let kind = kind.map_or("", ConflictKind::name);
            Err(CommandError::new(Kind::Input, message)
                .detail("fields", fields)
                .detail("kind", kind))
        }
    }
}
