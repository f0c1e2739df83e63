//! What pages say about the program in tables: error codes, files, settings, sizes, links.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use hzl_testkit::home::Home;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::stub::exchange;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use super::is_understood;
use super::page;
use super::page::Step;
use super::play::pages;
use super::root;
use super::words;
use crate::add;
use crate::home;

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the text below a heading, up to the next one of its rank.
fn section(path: &str, heading: &str) -> String {
    let text = text(path);
    let (_, rest) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("{path} has no section {heading}"));
    let end = rest.find("\n## ").unwrap_or(rest.len());
    rest[..end].to_owned()
}

/// Returns what stands between backticks.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Returns the rows of all tables in a text, without their heads, as cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.map(|line| {
        let line = line.trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

// ---- errors

#[test]
fn every_error_code_is_explained_and_none_besides() {
    let table = home().json(&["help", "exit-codes"]);
    let codes = table["exit_codes"].as_array().expect("a table").iter();
    let real: BTreeSet<(String, String)> = codes
        .filter(|row| row["exit"] != 0)
        .map(|row| {
            let code = row["code"].as_str().expect("a text");
            (row["exit"].to_string(), code.to_owned())
        })
        .collect();
    let page = section("docs/errors.md", "Codes");
    let explained: BTreeSet<(String, String)> = rows(&page)
        .into_iter()
        .skip(1)
        .map(|row| {
            assert_eq!(row.len(), 5, "{row:?}");
            (row[0].clone(), spans(&row[1])[0].clone())
        })
        .collect();
    assert_eq!(explained, real);
}

/// Returns the texts that a function of the sources can return.
fn returned(path: &str, function: &str) -> BTreeSet<String> {
    let text = text(path);
    let (_, rest) = text.split_once(function).expect("the function is there");
    let body = rest.split("\n    }\n").next().unwrap_or_default();
    let codes = body.split("=> \"").skip(1);
    codes
        .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_cause_of_a_failed_sync_is_explained_and_none_besides() {
    let mut real = returned("crates/hzl-remote/src/error.rs", "pub fn code(&self)");
    real.extend(returned(
        "crates/hzl-remote/src/sync/error.rs",
        "pub fn code(&self)",
    ));
    let page = section("docs/cloud-sync.md", "Troubleshooting");
    let rows = rows(&page).into_iter().filter(|row| row.len() == 4);
    let explained: BTreeSet<String> = rows.skip(1).flat_map(|row| spans(&row[1])).collect();
    assert_eq!(explained, real);
}

#[test]
fn every_reason_why_a_task_cannot_be_claimed_is_explained() {
    let real = returned(
        "crates/hzl-core/src/availability.rs",
        "pub const fn code(self)",
    );
    let page = section("docs/errors.md", "Why a task cannot be claimed");
    let explained: BTreeSet<String> = rows(&page)
        .into_iter()
        .skip(1)
        .flat_map(|row| spans(&row[0]))
        .collect();
    assert_eq!(explained, real);
}

// ---- files

type Tables = BTreeMap<String, Vec<String>>;

/// Returns the tables that a section lists, with their columns.
fn listed(heading: &str) -> Tables {
    let page = section("docs/file-formats.md", heading);
    let rows = rows(&page).into_iter();
    rows.skip_while(|row| row[0] != "Table")
        .skip(1)
        .map(|row| (spans(&row[0])[0].clone(), spans(&row[1])))
        .collect()
}

const TABLES: &str = "
    select t.name, c.name from pragma_table_list t, pragma_table_xinfo(t.name) c
     where t.schema = 'main' and t.type in ('table', 'virtual') and t.name not like 'sqlite_%'
       and c.hidden = 0
     order by t.name, c.cid";

fn tables(database: &std::path::Path) -> Tables {
    let conn = Connection::open(database).expect("the database opens");
    let mut statement = conn.prepare(TABLES).expect("tables can be listed");
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("tables can be listed");
    let mut tables = Tables::new();
    for row in rows {
        let (table, column): (String, String) = row.expect("a row");
        tables.entry(table).or_default().push(column);
    }
    tables
}

#[test]
fn the_tables_of_a_new_ledger_are_those_of_the_page() {
    let home = home();
    add(&home, &["Write it down"]);
    assert_eq!(
        tables(&home.data().join("hzl/events.db")),
        listed("events.db")
    );
    assert_eq!(
        tables(&home.data().join("hzl/cache.db")),
        listed("cache.db")
    );
    let columns: Vec<String> = rows(&section("docs/file-formats.md", "events.db"))
        .into_iter()
        .skip(1)
        .take_while(|row| row[0] != "`type`" || row.len() != 2 || !row[1].starts_with("Keys"))
        .flat_map(|row| spans(&row[0]))
        .collect();
    assert_eq!(columns, listed("events.db")["events"]);
}

#[test]
fn the_tables_of_the_cloud_are_those_of_the_page() {
    let server = Sqld::start(Auth::None);
    let home = home();
    home.json(&["init", "--sync-url", &server.url()]);
    let body = json!({"requests": [{"type": "execute", "stmt": {"sql":
        "select m.name || ' ' || c.name from sqlite_master m, pragma_table_info(m.name) c
          where m.type = 'table' and m.name like 'hzl\\_%' escape '\\' order by m.name, c.cid"}}]});
    let reply = exchange(
        &server.url(),
        "POST",
        "/v2/pipeline",
        None,
        &body.to_string(),
    );
    let (_, reply) = reply.expect("an answer");
    let reply: Value = serde_json::from_str(&reply).expect("JSON");
    let rows = &reply["results"][0]["response"]["result"]["rows"];
    let mut tables = Tables::new();
    for row in rows.as_array().unwrap_or_else(|| panic!("{reply}")) {
        let name = row[0]["value"].as_str().expect("a text");
        let (table, column) = name.split_once(' ').expect("two names");
        tables
            .entry(table.to_owned())
            .or_default()
            .push(column.to_owned());
    }
    assert_eq!(tables, listed("The cloud's tables"));
}

// ---- settings

/// The keys of the config file that the page lists.
fn keys() -> Vec<String> {
    let page = section("docs/file-formats.md", "config.json");
    let rows = rows(&page).into_iter().skip(1);
    rows.flat_map(|row| {
        let mut keys = spans(&row[0]);
        // `syncUrl` … also `db.events.syncUrl`
        if row[2].contains("also `") {
            keys.extend(spans(&row[2]));
        }
        keys
    })
    .collect()
}

#[test]
fn every_setting_of_the_page_is_one_and_no_other_is_read() {
    let home = home();
    for key in keys() {
        // Nothing can have this value.
        let value = key.rsplit('.').fold(json!([[]]), |value, name| {
            let mut object = serde_json::Map::new();
            object.insert(name.to_owned(), value);
            Value::Object(object)
        });
        home.write("config/hzl/config.json", value.to_string());
        let error = home.fails(&["config"], 1);
        assert_eq!(error["error"]["details"]["key"], key.as_str(), "{error}");
    }
    let source = text("crates/hzl/src/config/mod.rs");
    let source = source.split("mod tests").next().unwrap_or_default();
    let page = section("docs/file-formats.md", "config.json");
    for part in source.split('(').skip(1) {
        let Some(name) = part.trim_start().strip_prefix('"') else {
            continue;
        };
        let name = name.split('"').next().unwrap_or_default();
        let is_key = name.chars().all(|c| c.is_ascii_alphabetic());
        let is_value = [
            "manual",
            "opportunistic",
            "strict",
            "merge",
            "fail",
            "auto",
            "local",
        ]
        .contains(&name)
            || ["replica", "offline"].contains(&name);
        assert!(
            !is_key || is_value || page.contains(name),
            "docs/file-formats.md does not name the setting {name}"
        );
    }
}

#[test]
fn every_variable_of_the_environment_is_listed() {
    let page = section("docs/file-formats.md", "Environment");
    let mut folders = vec![root().join("crates/hzl/src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("sources can be listed") {
            let path = entry.expect("sources can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap_or_default();
            // What a build is told is no variable of a user.
            let source = source.replace("env!(\"HZL_VERSION\")", "");
            for name in source.split('"').filter(|text| text.starts_with("HZL_")) {
                if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    assert!(found.len() > 8, "{found:?}");
    for name in found {
        assert!(
            page.contains(&name),
            "docs/file-formats.md does not name {name}"
        );
    }
}

// ---- texts for agents

/// A command of a text for agents.
struct Told {
    command: String,
    /// It stands in the middle of a sentence, and may lack its arguments there.
    is_mentioned: bool,
}

/// Returns the commands of a text for agents: lines of shell, and what it mentions.
fn commands(text: &str) -> Vec<Told> {
    let mut commands: Vec<Told> = vec![];
    let mut in_fence = false;
    for line in text.lines() {
        in_fence = in_fence != line.starts_with("```");
        if (in_fence || line.starts_with("    "))
            && let Some(command) = line.trim_start().strip_prefix("hzl ")
        {
            let command = command.to_owned();
            commands.push(Told {
                command,
                is_mentioned: false,
            });
        }
    }
    for (_, command) in page::mentioned(text) {
        commands.push(Told {
            command,
            is_mentioned: true,
        });
    }
    commands
}

/// A ledger in which such a command makes sense, and the command with what stands for `<id>` and the like.
fn situation(words: &[String]) -> (Home, Vec<String>) {
    let home = home();
    for project in ["web", "ops"] {
        home.json(&["project", "create", project]);
    }
    let task = add(&home, &["One", "-P", "web", "-s", "ready", "-p", "3"]);
    let other = add(&home, &["Other", "-P", "web", "-s", "ready"]);
    let claims = ["claim", "start", "reassign", "set-status", "move"];
    let command: Vec<&str> = words.iter().map(String::as_str).collect();
    let what = command.get(1).copied().unwrap_or_default();
    let is_free = matches!(command[..], ["workflow", "run", "start", ..]) || claims.contains(&what);
    let mut claim = String::new();
    if !is_free {
        let held = home.json(&["task", "claim", &task, "--agent", "ada", "--lease", "30"]);
        claim = held["claim"]["id"].as_str().expect("an id").to_owned();
    }
    match what {
        "unblock" => drop(home.json(&["task", "block", &task])),
        "reopen" => drop(home.json(&["task", "complete", &task])),
        "create" => drop(home.json(&["project", "delete", "web", "--move-to", "ops"])),
        "remove-dep" => drop(home.json(&["task", "add-dep", &task, &other])),
        _ => {}
    }
    let named = words.iter().map(|word| {
        word.replace("<id>", &task)
            .replace("<other-id>", &other)
            .replace("<depends-on-id>", &other)
            .replace("<claim-id>", &claim)
            .replace("<you>", "ada")
            .replace("<somebody>", "bob")
            .replace("<project>", "web")
            .replace("<other-project>", "ops")
    });
    let named = named.collect();
    (home, named)
}

/// Runs every command of a text for agents.
#[track_caller]
fn assert_runs(name: &str, text: &str) {
    /// What cannot succeed so soon: nobody finishes the task, no lease has run out.
    const ENDS: [(&str, i32); 2] = [("wait", 11), ("task steal", 3)];
    let commands = commands(text);
    assert!(commands.len() > 5, "{name}: {} commands", commands.len());
    for told in commands {
        let command = told.command;
        let (home, line) = situation(&words(&command));
        let mut line: Vec<&str> = line.iter().map(String::as_str).collect();
        if let ["wait", _, "--timeout", seconds] = &mut line[..] {
            // Nobody should wait for it here.
            *seconds = "0";
        }
        let run = home.hzl(&line);
        if told.is_mentioned && run.exit == 2 && is_understood(&command).is_ok() {
            continue;
        }
        let ends = ENDS.iter().find(|(start, _)| command.starts_with(start));
        let expected = ends.map_or(0, |(_, exit)| *exit);
        assert_eq!(run.exit, expected, "{name}: hzl {command}\n{run}");
    }
}

#[test]
fn every_command_of_the_skill_runs() {
    assert_runs("the skill", &text("docs/skill/SKILL.md"));
}

#[test]
fn every_command_of_the_guide_runs() {
    assert_runs("the guide", &home().hzl(&["guide"]).stdout);
}

#[test]
fn every_command_for_agents_md_runs() {
    let steps = page::steps("docs/agents.md", &text("docs/agents.md"));
    let snippet = steps.iter().find_map(|(_, step)| match step {
        Step::Snippet(text) => Some(text),
        _ => None,
    });
    assert_runs("the snippet", snippet.expect("there is one"));
}

#[test]
fn the_skill_is_short_and_says_when_to_use_it() {
    const TOKENS: usize = 1_500;
    let skill = text("docs/skill/SKILL.md");
    // Whatever the tokenizer: a token of English and commands is longer than this.
    let by_bytes = skill.len() * 10 / 32;
    let by_words = skill.split_whitespace().count() * 3 / 2;
    assert!(
        by_bytes.max(by_words) <= TOKENS,
        "{by_bytes} or {by_words} tokens"
    );
    let mut parts = skill.split("---\n");
    assert_eq!(parts.next(), Some(""));
    let head = parts.next().expect("a front matter");
    assert!(head.starts_with("name: hzl\ndescription: "), "{head}");
}

// ---- links

/// Returns the anchors of a page: its headings as they are linked to, and those set by hand.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| {
        let heading = line.trim_start_matches('#');
        let heading = heading
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))?;
        let heading = heading.to_lowercase().replace(' ', "-");
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_');
        Some(heading.chars().filter(kept).collect())
    });
    let by_hand = text.split("<a id=\"").skip(1);
    let by_hand = by_hand.map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
    headings.chain(by_hand).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut problems = vec![];
    let mut pages = pages();
    for name in [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/cli.md",
        "docs/output-size.md",
    ] {
        pages.push((name.to_owned(), root().join(name)));
    }
    for (name, path) in pages {
        let page = fs::read_to_string(&path).expect("a page can be read");
        for rest in page.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") || target.contains(' ') {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.clone(),
                file => path.with_file_name("").join(file),
            };
            let is_there = match fs::read_to_string(&file) {
                Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
                Err(_) => file.is_dir(),
            };
            if !is_there {
                problems.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let index = text("docs/README.md");
    for (name, _) in pages() {
        let Some(name) = name.strip_prefix("docs/") else {
            continue;
        };
        assert!(
            name == "README.md" || index.contains(&format!("]({name}")),
            "docs/README.md does not lead to {name}"
        );
    }
}

// ---- code spans

/// Returns the first lines of the paragraphs in which a backtick opens what no other closes.
fn open_spans(page: &str) -> Vec<&str> {
    let mut in_fence = false;
    let prose = page.lines().map(|line| {
        let is_mark = line.trim_start().starts_with("```");
        in_fence ^= is_mark;
        if in_fence || is_mark { "" } else { line }
    });
    let lines: Vec<&str> = prose.collect();
    let paragraphs = lines.split(|line| line.trim().is_empty());
    let open = paragraphs.filter(|lines| {
        lines
            .iter()
            .map(|line| line.matches('`').count())
            .sum::<usize>()
            % 2
            == 1
    });
    open.map(|lines| lines[0]).collect()
}

#[test]
fn every_code_span_ends_in_its_paragraph() {
    assert_eq!(open_spans("a `b\nc`\n\nd` e\n\n```\n`\n```\n"), ["d` e"]);
    for (name, path) in pages() {
        let page = fs::read_to_string(&path).expect("a page can be read");
        assert_eq!(open_spans(&page), Vec::<&str>::new(), "{name}");
    }
}
