//! Whoever scripts HZL 3.2.0 can go on: its recorded behaviour, step by step, in `tests/compat`.
//!
//! What differs on purpose is in `deviations.json` at the root, and nothing else may.

mod compare;
mod deviations;
mod files;
mod ids;
mod path;
mod run;
mod scenario;
mod variables;
mod words;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Returns a folder of recorded behaviour.
fn data(folder: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("compat").join(folder)
}

/// One test for each scenario, which prints a line that counts its steps.
macro_rules! scenarios {
    ($($name:ident)*) => {
        const SCENARIOS: &[&str] = &[$(stringify!($name)),*];

        mod scenarios {
            $(
                #[test]
                fn $name() {
                    let outcome = super::run::run(stringify!($name), &super::deviations::load());
                    println!("{outcome}");
                    assert!(outcome.is_clean(), "{outcome}");
                }
            )*
        }
    };
}

scenarios! {
    agent_log
    agent_status
    archive
    block_unblock
    checkpoint_progress
    claim_deps
    claim_explicit
    claim_next_filters
    claim_next_order
    claim_stagger_config
    comments
    deps_edit
    deps_list
    events_stream
    health
    history_limits
    hooks
    id_prefix
    lease_steal
    legacy_events
    lenient_input
    lifecycle_complete
    lifecycle_release
    list_filters
    list_paging
    list_stale
    list_views_groups
    lock
    md_output
    move_tasks
    project_crud
    project_delete_modes
    project_errors
    prune
    rebuild_cache
    sample_project
    search_basic
    set_status
    setup_auto_create
    setup_bad_config
    setup_db_paths
    setup_init
    setup_init_options
    show_views
    stats
    task_add_errors
    task_add_options
    task_add_status
    task_subtasks
    update_fields
    update_parent
    usage_errors
    validate_damage
    workflow_delegate
    workflow_discover
    workflow_handoff
    workflow_idempotency
    workflow_start
    workflow_start_resume
}

#[test]
fn every_scenario_is_run_and_has_its_golden() {
    for (folder, extension) in [("scenarios", "scn"), ("goldens", "json")] {
        let entries = fs::read_dir(data(folder)).expect("the folder is there");
        let mut names: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the folder can be read").file_name().into())
            .collect();
        names.sort();
        let expected = SCENARIOS.iter().map(|name| format!("{name}.{extension}"));
        assert_eq!(names, expected.map(PathBuf::from).collect::<Vec<_>>());
    }
}

#[test]
fn every_deviation_is_that_of_a_step() {
    let mut seen = Vec::new();
    for deviation in deviations::load() {
        let steps = run::step_lines(&deviation.scenario);
        assert!(
            steps.contains(&deviation.line),
            "no such step: {deviation:?}"
        );
        let place = (deviation.scenario, deviation.line);
        assert!(!seen.contains(&place), "{place:?} is listed twice");
        seen.push(place);
    }
}
