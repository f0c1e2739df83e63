//! The commands, mirroring the command tree: one file per leaf, holding its `Args` and its `run`.

mod agent;
mod backup;
mod completions;
mod config;
mod conflicts;
mod dep;
mod devices;
mod doctor;
mod events;
mod export;
pub(crate) mod group;
mod guide;
mod help;
mod hook;
mod import;
mod init;
mod lock;
mod man;
mod project;
mod rebuild;
mod restore;
mod sample_project;
pub(crate) mod schema;
mod stats;
mod status;
mod sync;
mod task;
mod torture;
mod undo;
mod validate;
mod wait;
mod which_db;
mod workflow;

use group::group;

group! {
    /// The first level of commands.
    Init = "init" in init;
    Status = "status" in status;
    Devices = "devices" in devices;
    Sync = "sync" in sync;
    Doctor = "doctor" in doctor;
    WhichDb = "which-db" in which_db;
    Config = "config" in config;
    Project = "project" in project;
    Task = "task" in task;
    Dep = "dep" in dep;
    Agent = "agent" in agent;
    Stats = "stats" in stats;
    Validate = "validate" in validate;
    Events = "events" in events;
    Guide = "guide" in guide;
    SampleProject = "sample-project" in sample_project;
    Lock = "lock" in lock;
    Workflow = "workflow" in workflow;
    Hook = "hook" in hook;
    Conflicts = "conflicts" in conflicts;
    Undo = "undo" in undo;
    Wait = "wait" in wait;
    Rebuild = "rebuild" in rebuild;
    Export = "export" in export;
    Import = "import" in import;
    Backup = "backup" in backup;
    Restore = "restore" in restore;
    Torture = "torture" in torture;
    Schema = "schema" in schema;
    Completions = "completions" in completions;
    Man = "man" in man;
    Help = "help" in help;
}
