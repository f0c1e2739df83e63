//! `hzl dep list` and `hzl validate`.

use hzl_testkit::home::Home;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

/// Two projects and a chain of four tasks: each waits for the one before.
fn chain(home: &Home) -> [String; 4] {
    home.json(&["project", "create", "api"]);
    home.json(&["project", "create", "ui"]);
    let base = add(
        home,
        &["Base", "-P", "api", "-s", "ready", "--agent", "ann"],
    );
    let next = |title: &str, project: &str, agent: &str, on: &str| {
        let line = [title, "-P", project, "--agent", agent, "--depends-on", on];
        add(home, &line)
    };
    let two = next("Two", "api", "bob", &base);
    let form = next("Form", "ui", "cyd", &two);
    let later = next("Later", "ui", "cyd", &form);
    for task in [&two, &form] {
        home.json(&["task", "set-status", task, "ready"]);
    }
    [base, two, form, later]
}

fn listed(home: &Home, filter: &[&str]) -> Vec<String> {
    let mut line = vec!["dep", "list"];
    line.extend(filter);
    let list = home.json(&line);
    let titles = each(&list["dependencies"], "from_title");
    assert_eq!(list["total"], titles.len());
    titles
        .into_iter()
        .map(|title| title.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_dependency_is_listed_with_both_ends() {
    let home = home();
    let [base, two, ..] = chain(&home);
    let list = home.json(&["dep", "list"]);
    assert_eq!(
        list["dependencies"][0],
        json!({
            "from_task_id": two, "to_task_id": base, "from_title": "Two", "to_title": "Base",
            "from_project": "api", "to_project": "api", "from_agent": "bob", "to_agent": "ann",
            "from_status": "ready", "to_status": "ready", "cross_project": false,
            "blocking": true, "missing_from": false, "missing_to": false,
        })
    );
    assert_eq!(list["total"], 3);
}

#[test]
fn every_filter_narrows_the_list() {
    let home = home();
    chain(&home);
    for (filter, expected) in [
        (&[][..], &["Two", "Form", "Later"][..]),
        (&["-P", "api"], &["Two", "Form"]),
        (&["--project", "ui"], &["Form", "Later"]),
        (&["-P", "nosuch"], &[]),
        (&["--from-project", "ui"], &["Form", "Later"]),
        (&["--to-project", "api"], &["Two", "Form"]),
        (&["--agent", "bob"], &["Two", "Form"]),
        (&["--from-agent", "cyd"], &["Form", "Later"]),
        (&["--to-agent", "ann"], &["Two"]),
        (&["--blocking-only"], &["Two", "Form"]),
        (&["--cross-project-only"], &["Form"]),
        (&["--blocking-only", "--to-agent", "bob"], &["Form"]),
    ] {
        assert_eq!(listed(&home, filter), expected, "{filter:?}");
    }
}

#[test]
fn done_archived_and_deleted_tasks_block_nobody() {
    let home = home();
    let [base, two, form, _] = chain(&home);
    home.json(&["task", "set-status", &base, "done"]);
    assert_eq!(listed(&home, &["--blocking-only"]), ["Form"]);
    home.json(&["task", "archive", &two]);
    assert!(listed(&home, &["--blocking-only"]).is_empty());
    home.json(&["task", "claim", &form]);
    home.json(&["project", "create", "gone"]);
    let gone = add(&home, &["Gone", "-P", "gone"]);
    home.json(&["task", "add-dep", &form, &gone]);
    assert_eq!(listed(&home, &["--blocking-only"]), ["Form"]);
    home.json(&["project", "delete", "gone", "--delete-tasks"]);
    assert!(listed(&home, &["--blocking-only"]).is_empty());
    let list = home.json(&["dep", "list"])["dependencies"].clone();
    let dangling = list.as_array().into_iter().flatten();
    let dangling: Vec<&Value> = dangling
        .filter(|item| item["to_task_id"] == *gone)
        .collect();
    assert_eq!(each(&json!(dangling), "missing_to"), [true]);
    assert_eq!(dangling[0]["to_status"], json!(null));
    assert_eq!(dangling[0]["cross_project"], false);
}

#[test]
fn sound_dependencies_are_valid_and_a_missing_task_is_not() {
    let home = home();
    let [_, two, ..] = chain(&home);
    assert_eq!(
        home.json(&["validate"]),
        json!({"isValid": true, "issues": [], "cycles": [], "missingDeps": []})
    );
    home.json(&["project", "create", "gone"]);
    let gone = add(&home, &["Gone", "-P", "gone"]);
    home.json(&["task", "add-dep", &two, &gone]);
    home.json(&["project", "delete", "gone", "--delete-tasks"]);
    let run = home.hzl(&["validate"]);
    assert_eq!(run.exit, 1, "{run}");
    let report: Value = serde_json::from_str(&run.stdout).expect("one line of JSON");
    let missing = json!({"taskId": two, "missingDepId": gone});
    assert_eq!(report["isValid"], false);
    assert_eq!(report["missingDeps"], json!([missing]));
    assert_eq!(report["issues"][0]["type"], "missing_dep");
    assert_eq!(report["issues"][0]["severity"], "error");
    assert_eq!(report["issues"][0]["details"], missing);
    let run = home.hzl(&["validate", "--format", "md"]);
    assert_eq!(run.exit, 1, "{run}");
    let remedy = run.stdout.lines().last().expect("a remedy").trim();
    let line: Vec<&str> = remedy.split(' ').skip(1).collect();
    home.json(&line);
    let run = home.hzl(&["validate", "--format", "md"]);
    assert_eq!(run.stdout, "✓ All dependencies are sound\n");
}

#[test]
fn people_get_a_table() {
    let home = home();
    chain(&home);
    let table = home.hzl(&["dep", "list", "--format", "md"]).stdout;
    for word in ["From", "Blocking", "Cross-Project", "Agents", "Form", "cyd"] {
        assert!(table.contains(word), "{table}");
    }
    let none = home.hzl(&["dep", "list", "-P", "nosuch", "--format", "md"]);
    assert_eq!(none.stdout, "No dependencies.\n");
    home.fails(&["dep"], 2);
    home.fails(&["dep", "list", "stray"], 2);
}
