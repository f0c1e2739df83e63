//! `docs/cli.md`, written from the definitions. The test fails when the file is not what the definitions
//! say; `UPDATE_DOCS=1 cargo test -p hzl reference` writes it.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::Arg;
use clap::Command;

use super::command;
use super::leaves;

const INTRODUCTION: &str = "\
# Command reference

Written from the definitions of the commands; `hzl help <command>` and `hzl man <command>` say the same. What
a command prints in JSON is described by `hzl schema <command>`, how it can end by `hzl help exit-codes`.
";

fn page() -> String {
    let root = command();
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Options of every command\n\n");
    options(&mut page, root.get_arguments());
    for (path, leaf) in leaves(&root) {
        section(&mut page, &path, leaf);
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

fn section(page: &mut String, path: &str, leaf: &Command) {
    let about = leaf.get_long_about().or(leaf.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let usage = leaf.clone().render_usage().to_string();
    let usage = usage.trim().trim_start_matches("Usage:").trim();
    let usage: Vec<&str> = usage.split_whitespace().collect();
    let usage = usage.join(" ");
    write!(page, "## hzl {path}\n\n{about}\n\n```\n{usage}\n```\n\n").expect("a text grows");
    options(
        page,
        leaf.get_arguments()
            .filter(|argument| !argument.is_global_set()),
    );
    let examples = leaf.get_after_help().map(ToString::to_string);
    page.push_str("```console\n");
    for line in examples.unwrap_or_default().lines().skip(1) {
        writeln!(page, "$ {}", line.trim()).expect("a text grows");
    }
    page.push_str("```\n\n");
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let shown: Vec<&Arg> = arguments
        .filter(|argument| argument.get_id() != "help" && !argument.is_hide_set())
        .collect();
    if shown.is_empty() {
        return;
    }
    page.push_str("| | |\n|---|---|\n");
    for argument in shown {
        let help = argument.get_help().map(ToString::to_string);
        let default = argument.get_default_values();
        let default = default.iter().map(|value| value.to_string_lossy());
        let default: Vec<_> = default.collect();
        let default = match argument.get_action().takes_values() && !default.is_empty() {
            true => format!(" [default: {}]", default.join(",")),
            false => String::new(),
        };
        let help = help.unwrap_or_default().replace('|', "\\|");
        writeln!(page, "| `{}` | {help}{default} |", name(argument)).expect("a text grows");
    }
    page.push('\n');
}

fn name(argument: &Arg) -> String {
    let value = argument.get_value_names().unwrap_or_default();
    let value: Vec<&str> = value.iter().map(|name| name.as_str()).collect();
    let value = value.join(" ");
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let long = argument.get_long().map(|name| format!("--{name}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    match (names.is_empty(), argument.get_action().takes_values()) {
        (true, _) => format!("<{value}>"),
        (false, true) => format!("{} <{value}>", names.join(", ")),
        (false, false) => names.join(", "),
    }
}

#[test]
fn the_reference_in_docs_is_what_the_definitions_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = page();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).expect("docs can be written");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/cli.md is not current: run UPDATE_DOCS=1 cargo test -p hzl reference"
    );
}
