//! What is built into hzl and its tests: a new crate, another licence or `unsafe` code of ours is seen by whoever
//! reviews the change, as a line in `docs/dependencies.txt`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::root;

/// Licences that ask for no more than to be named.
const LICENCES: [&str; 14] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "0BSD",
    "BSL-1.0",
    "MIT-0",
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        // Crates for other systems may still have to be fetched: nothing has built them here.
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Returns the packages that a program depends on by edges of these kinds, itself included.
fn reached(metadata: &Value, start: &str, with_tests: bool) -> BTreeSet<String> {
    let nodes = list(&metadata["resolve"], "nodes");
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|node| (text(node, "id"), node)).collect();
    let packages = list(metadata, "packages");
    let ids = packages
        .iter()
        .filter(|package| text(package, "name") == start);
    let mut left: Vec<&str> = ids.map(|package| text(package, "id")).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !seen.insert(id.to_owned()) {
            continue;
        }
        for edge in list(nodes[id], "deps") {
            let kinds = list(edge, "dep_kinds");
            if kinds
                .iter()
                .any(|kind| with_tests || text(kind, "kind") != "dev")
            {
                left.push(text(edge, "pkg"));
            }
        }
    }
    seen
}

#[test]
fn no_crate_comes_in_unseen() {
    let metadata = metadata();
    let shipped = reached(&metadata, "hzl", false);
    let mut lines = BTreeSet::new();
    for package in list(&metadata, "packages") {
        if package["source"].is_null() {
            continue;
        }
        let source = text(package, "source");
        assert_eq!(
            source,
            "registry+https://github.com/rust-lang/crates.io-index",
            "{}",
            text(package, "name")
        );
        let used = if shipped.contains(text(package, "id")) {
            "in hzl"
        } else {
            "for tests or other systems"
        };
        lines.insert(format!("{}, {used}", text(package, "name")));
    }
    let expected: Vec<String> = lines.into_iter().collect();
    let path = root().join("docs/dependencies.txt");
    let listed = fs::read_to_string(&path).expect("the list is there");
    let listed: Vec<&str> = listed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    let new: Vec<_> = expected
        .iter()
        .filter(|line| !listed.contains(&line.as_str()))
        .collect();
    let gone: Vec<_> = listed
        .iter()
        .filter(|line| !expected.iter().any(|other| other == *line))
        .collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "docs/dependencies.txt has to say what is used.\nadd: {new:#?}\nremove: {gone:#?}"
    );
}

#[test]
fn every_licence_is_one_that_only_asks_to_be_named() {
    let metadata = metadata();
    for package in list(&metadata, "packages") {
        let licence = text(package, "license").replace('/', " OR ");
        let bare = licence.replace(['(', ')'], "");
        // One of the alternatives will do, all of what is joined by AND has to.
        let good = bare
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())));
        assert!(good, "{}: {licence}", text(package, "name"));
    }
}

#[test]
fn there_is_no_unsafe_code_and_no_updating_of_itself() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        let path = entry.expect("an entry").path();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("it is there");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}",
            path.display()
        );
        let is_binary = path.ends_with("hzl");
        assert_eq!(
            path.join("build.rs").exists(),
            is_binary,
            "{}: one script runs while hzl is built",
            path.display()
        );
    }
    let script = fs::read_to_string(root().join("crates/hzl/build.rs")).expect("it is there");
    let starts: Vec<_> = script.matches("Command::new(").collect();
    assert_eq!(starts.len(), 1, "it starts one program");
    assert!(script.contains("Command::new(\"git\")"), "which is git");
    assert!(!script.contains("fs::"), "and writes nothing");
    assert_eq!(script.matches("cc::Build").count(), 1, "it compiles once");
    assert_eq!(
        c_files(&root().join("crates")),
        ["clock.c", "memory.c", "memory_check.c"],
        "which is memory.c: the others are of tests"
    );
    let run = crate::home().hzl(&["--help"]);
    let updates = ["update", "upgrade", "self-update"].map(|word| format!("\n  {word} "));
    assert!(
        updates.iter().all(|word| !run.stdout.contains(word)),
        "{run}"
    );
}

/// The files below a directory that are C, by name.
fn c_files(directory: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(c_files(&path));
        } else if path
            .extension()
            .is_some_and(|kind| kind == "c" || kind == "h")
        {
            let name = path.file_name().unwrap_or_default();
            found.push(name.to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}
