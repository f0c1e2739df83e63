//! The table of threats in `docs/security.md`: one named test for each.

mod canary;
mod hooks;
mod modes;
mod planted;
mod stores;
mod supply;
mod text;
mod tls;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Returns the root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table: number, and the tests it names as `FILE` and `NAME`.
fn rows() -> BTreeMap<String, Vec<(String, String)>> {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the table is there");
    let rows = page.lines().filter(|line| line.starts_with("| S"));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let tests = cells.get(4).expect("four columns").split("<br>");
        let tests = tests.filter_map(|test| test.trim_matches('`').split_once("::"));
        let tests = tests.map(|(file, name)| (file.to_owned(), name.to_owned()));
        (cells[1].to_owned(), tests.collect())
    })
    .collect()
}

#[test]
fn every_threat_has_a_test_that_exists() {
    let rows = rows();
    for number in 1..=21 {
        let row = format!("S{number}");
        let tests = rows.get(&row).unwrap_or_else(|| panic!("no row {row}"));
        // The dashboard, which is not there yet.
        if (6..=10).contains(&number) && nothing_listens() {
            continue;
        }
        assert!(!tests.is_empty(), "{row} names no test");
        for (file, name) in tests {
            let path = root().join(file);
            let source = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{row}: no {file}"));
            let lines: Vec<&str> = source.lines().map(str::trim).collect();
            let head = format!("fn {name}()");
            let found = lines.iter().position(|line| line.starts_with(&head));
            let at = found.unwrap_or_else(|| panic!("{row}: no test {name} in {file}"));
            let is_test = lines[..at]
                .iter()
                .rev()
                .take(3)
                .any(|line| *line == "#[test]");
            assert!(is_test, "{row}: {name} in {file} is not a test");
        }
    }
}

/// Whether hzl-web is empty still.
fn nothing_listens() -> bool {
    let manifest = root().join("crates/hzl-web/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("the manifest is there");
    manifest.trim_end().ends_with("[dependencies]")
}
