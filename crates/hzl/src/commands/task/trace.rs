//! Why a claim took the task it took, or none: the `decision_trace` of `claim` and `start`.
//!
//! The names are a contract with scripts; the reasons in words are not.

use hzl_core::availability::Ineligible;
use hzl_core::ids::TaskId;
use schemars::JsonSchema;
use serde::Serialize;

/// How many blockers a refused claim names.
const BLOCKERS_SHOWN: usize = 3;

/// How a claim was decided.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Trace {
    version: &'static str,
    mode: &'static str,
    filters: Filters,
    eligibility: Eligibility,
    pub(crate) outcome: Decision,
    pub(crate) alternatives: Vec<Alternative>,
}

/// What the caller asked for.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Filters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task_id: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<TaskId>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Eligibility {
    status_ready_required: bool,
    dependencies_done_required: bool,
    leaf_only_required: bool,
}

/// What came of it.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Decision {
    selected: bool,
    reason_code: &'static str,
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
}

/// Another task that was looked at.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Alternative {
    pub(crate) task_id: TaskId,
    reason_code: &'static str,
    pub(crate) reason: String,
}

impl Trace {
    /// Tells of a named task that was claimed.
    pub(crate) fn claimed_by_id(task_id: &TaskId) -> Self {
        let reason = "ready, and nothing it waits for is open".to_owned();
        Self::explicit(task_id, "claimed", reason, vec![])
    }

    /// Tells of a named task that could not be claimed.
    pub(crate) fn refused_by_id(task_id: &TaskId, reason: Ineligible, blockers: &[TaskId]) -> Self {
        let blocker = |task_id: &TaskId| Alternative {
            task_id: task_id.clone(),
            reason_code: reason.code(),
            reason: "it has to be finished first".to_owned(),
        };
        let blockers = blockers.iter().take(BLOCKERS_SHOWN).map(blocker).collect();
        Self::explicit(task_id, reason.code(), reason.to_string(), blockers)
    }

    /// Tells of the task that was chosen, and which would have come next.
    pub(crate) fn chosen(filters: Filters, task_id: &TaskId, next: &[TaskId]) -> Self {
        let next = next.iter().map(|task_id| Alternative {
            task_id: task_id.clone(),
            reason_code: "eligible",
            reason: "next in this order".to_owned(),
        });
        let decision = Decision {
            selected: true,
            reason_code: "claimed",
            reason: "first by priority, due date and age".to_owned(),
            task_id: Some(task_id.clone()),
        };
        Self::next(filters, decision, next.collect())
    }

    /// Tells that there was nothing to choose, and which tasks were passed over.
    pub(crate) fn nothing(filters: Filters, rejected: &[(TaskId, Ineligible)]) -> Self {
        let rejected = rejected.iter().map(|(task_id, reason)| Alternative {
            task_id: task_id.clone(),
            reason_code: reason.code(),
            reason: reason.to_string(),
        });
        let decision = Decision {
            selected: false,
            reason_code: "no_candidates",
            reason: "no task can be claimed now".to_owned(),
            task_id: None,
        };
        Self::next(filters, decision, rejected.collect())
    }

    fn explicit(
        task_id: &TaskId,
        reason_code: &'static str,
        reason: String,
        alternatives: Vec<Alternative>,
    ) -> Self {
        let filters = Filters {
            task_id: Some(task_id.clone()),
            ..Filters::default()
        };
        let selected = reason_code == "claimed";
        let outcome = Decision {
            selected,
            reason_code,
            reason,
            task_id: selected.then(|| task_id.clone()),
        };
        Self {
            version: "v1",
            mode: "explicit",
            filters,
            eligibility: Eligibility {
                status_ready_required: true,
                dependencies_done_required: true,
                leaf_only_required: false,
            },
            outcome,
            alternatives,
        }
    }

    fn next(filters: Filters, outcome: Decision, alternatives: Vec<Alternative>) -> Self {
        Self {
            version: "v1",
            mode: "next",
            filters,
            eligibility: Eligibility {
                status_ready_required: true,
                dependencies_done_required: true,
                leaf_only_required: true,
            },
            outcome,
            alternatives,
        }
    }
}
