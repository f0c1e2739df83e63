//! What the workflows are and take, for those who ask. The lists are those of HZL 3.2.0: scripts
//! compare them; `--help` names every option.

use schemars::JsonSchema;
use serde::Serialize;

/// A workflow.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Workflow {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) supports_auto_op_id: bool,
    pub(super) args: &'static [Argument],
    pub(super) notes: &'static [&'static str],
}

/// An option of a workflow.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<&'static str>,
}

const fn required(name: &'static str, description: &'static str) -> Argument {
    Argument {
        name,
        required: true,
        description,
        default: None,
    }
}

const fn optional(name: &'static str, description: &'static str) -> Argument {
    Argument {
        name,
        required: false,
        description,
        default: None,
    }
}

const fn defaulting(
    name: &'static str,
    default: &'static str,
    description: &'static str,
) -> Argument {
    Argument {
        name,
        required: false,
        description,
        default: Some(default),
    }
}

const OP_ID: Argument = optional(
    "--op-id <key>",
    "Carry this out once: the same key gives the same answer again",
);
const AUTO_OP_ID: Argument = optional(
    "--auto-op-id",
    "The same with a key made from the input and the state of the source",
);

/// All workflows, in the order in which a task meets them.
pub(super) const WORKFLOWS: [Workflow; 3] = [
    Workflow {
        name: "start",
        description: "Go on with a task in progress, else claim the next one",
        supports_auto_op_id: false,
        args: &[
            required("--agent <name>", "Who works"),
            optional(
                "--project <project>",
                "Only tasks of this project; needed unless --any-project",
            ),
            optional("--tags <csv>", "Only tasks with all these tags"),
            optional("--lease <minutes>", "Hold the task for this long"),
            defaulting(
                "--resume-policy <policy>",
                "priority",
                "Which task in progress to go on with: first, latest or priority",
            ),
            OP_ID,
        ],
        notes: &[
            "A task in progress is preferred to a new one; at most one agent gets a task.",
            "--auto-op-id is not supported: who asks again may rightly get another task.",
            "--any-project looks into all projects; --others-limit and --no-include-others say \
             which alternatives are listed.",
        ],
    },
    Workflow {
        name: "handoff",
        description: "Complete a task and leave a follow-on task with its last checkpoints",
        supports_auto_op_id: true,
        args: &[
            required("--from <task-id>", "The task that is completed"),
            required("--title <title>", "Title of the follow-on task"),
            optional(
                "--project <project>",
                "Project of the follow-on; this or --agent is needed",
            ),
            optional("--agent <agent>", "Who should take the follow-on"),
            defaulting(
                "--carry-checkpoints <n>",
                "3",
                "How many of the last checkpoints go along",
            ),
            defaulting(
                "--carry-max-chars <n>",
                "4000",
                "How many characters of them go along",
            ),
            OP_ID,
            AUTO_OP_ID,
        ],
        notes: &[
            "The source must be in progress or blocked.",
            "With --agent alone the follow-on stays in the project of the source.",
            "All steps or none: after a refusal nothing was written.",
        ],
    },
    Workflow {
        name: "delegate",
        description: "Give a part of a task to somebody else",
        supports_auto_op_id: true,
        args: &[
            required("--from <task-id>", "The task that needs help"),
            required("--title <title>", "Title of the delegated task"),
            optional(
                "--project <project>",
                "Project of the delegated task; that of the source if left out",
            ),
            optional("--agent <agent>", "Who should take it"),
            optional("--no-depends", "Do not make the source wait for it"),
            optional(
                "--checkpoint <text>",
                "Note this in a checkpoint of the source",
            ),
            optional("--pause-parent", "Block the source if it is in progress"),
            OP_ID,
            AUTO_OP_ID,
        ],
        notes: &[
            "The source waits for the delegated task unless --no-depends is given.",
            "A paused source stays blocked until somebody unblocks it.",
            "All steps or none: after a refusal nothing was written.",
        ],
    },
];
