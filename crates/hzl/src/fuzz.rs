//! Hostile command lines, settings, exports and texts: each is understood or refused, in so many words.
//!
//! How many cases and which: `hzl_testkit::fuzz`.

use std::fs;
use std::path::Path;

use clap::FromArgMatches as _;
use hzl_testkit::fuzz::Random;
use hzl_testkit::fuzz::Target;
use hzl_testkit::fuzz::corpus;
use hzl_testkit::fuzz::fuzz;
use hzl_testkit::fuzz::mutate;

use crate::cli;
use crate::config::ConfigFile;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::error::Kind;
use crate::ndjson::EventLine;
use crate::ndjson::Reader;
use crate::normalize;
use crate::output::Format;
use crate::output::Md;
use crate::output::Output;
use crate::usage;

/// The command lines of the compatibility scenarios, as words, one a line.
fn command_lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let lines = texts.flat_map(|text| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
        lines.map(words).collect::<Vec<_>>()
    });
    lines.collect()
}

/// Splits a line at spaces that are not in quotes.
fn words(line: &str) -> String {
    let mut in_quotes = false;
    let words = line.chars().filter_map(|c| match c {
        '"' => {
            in_quotes = !in_quotes;
            None
        }
        ' ' if !in_quotes => Some('\n'),
        other => Some(other),
    });
    words.collect()
}

fn typed(random: &mut Random, lines: &[String]) -> Vec<u8> {
    let mut words: Vec<String> = random.one(lines).split('\n').map(str::to_owned).collect();
    for _ in 0..random.below(4) {
        let at = random.below(words.len() + 1);
        match random.below(6) {
            0 => words.insert(at, mutate::text(random).replace('\n', " ")),
            1 => words.insert(
                at,
                random
                    .one(lines)
                    .split('\n')
                    .next_back()
                    .unwrap_or("")
                    .to_owned(),
            ),
            2 if at < words.len() => drop(words.remove(at)),
            3 if at < words.len() => words[at] += *random.one(&mutate::NASTY),
            4 if at < words.len() => words[at] = random.one(&mutate::NASTY).replace('\n', " "),
            _ => {
                if let Some(word) = words.get_mut(at) {
                    let mut bytes = std::mem::take(word).into_bytes();
                    mutate::bytes(random, &mut bytes);
                    *word = String::from_utf8_lossy(&bytes).into_owned();
                }
            }
        }
    }
    words.join("\n").into_bytes()
}

#[test]
fn any_command_line_is_parsed_or_refused() {
    let target = Target {
        name: "command lines",
        share: 8_000,
    };
    let lines = command_lines();
    assert!(lines.len() > 300, "{}", lines.len());
    let mut root = cli::command();
    fuzz(
        target,
        |random| typed(random, &lines),
        |text| {
            let text = String::from_utf8_lossy(text);
            let arguments: Vec<String> = text.split('\n').map(str::to_owned).collect();
            let _look = cli::Look::guess(&arguments);
            let line = match normalize::normalize(arguments, &mut root) {
                Ok(line) => line,
                Err(refusal) => {
                    is_told(&usage::from_refusal(&refusal, &root));
                    return;
                }
            };
            let matches = root.clone().try_get_matches_from(line.with_program_name());
            let parsed = matches.and_then(|matches| cli::Cli::from_arg_matches(&matches));
            if let Err(error) = parsed
                && error.use_stderr()
            {
                is_told(&usage::from_clap(&error, &line, &root));
            }
        },
    );
}

/// A failure is one line of JSON, or text that no terminal obeys.
fn is_told(error: &CommandError) {
    assert!(matches!(error.kind, Kind::Usage | Kind::Input), "{error:?}");
    let told = |format| {
        let (file, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let handles = [file.try_clone().unwrap(), other.try_clone().unwrap()];
        Output::into_writers(format, file, other).failure(error);
        handles.map(|handle| {
            use std::io::Read as _;
            use std::io::Seek as _;
            let (mut handle, mut text) = (handle, String::new());
            handle.rewind().unwrap();
            handle.read_to_string(&mut text).unwrap();
            text
        })
    };
    let [line, _] = told(Format::Json);
    assert_eq!(line.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(value["error"]["code"].is_string());
    let [_, text] = told(Format::Md);
    assert_harmless(&text);
}

/// No character moves the cursor, turns the direction, or hides.
fn assert_harmless(text: &str) {
    let characters: Vec<char> = text.chars().collect();
    for (at, c) in characters.iter().enumerate() {
        let around = |at: Option<usize>| {
            at.and_then(|at| characters.get(at))
                .is_some_and(|c| !c.is_ascii())
        };
        let harmless = match u32::from(*c) {
            0x0a => true,
            0..0x20 | 0x7f..=0x9f => false,
            // Soft hyphen, direction, zero width, line and paragraph, invisible operators, tags.
            0xad | 0x61c | 0x200b | 0x200e | 0x200f | 0x2028..=0x202e | 0x2060..=0x206f => false,
            0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff => false,
            // Joiners belong into some scripts, between two of their characters.
            0x200c | 0x200d => around(at.checked_sub(1)) && around(Some(at + 1)),
            _ => true,
        };
        assert!(harmless, "{c:?} in {text:?}");
    }
}

#[test]
fn any_text_is_harmless_on_a_terminal() {
    let target = Target {
        name: "terminal output",
        share: 320_000,
    };
    let make = |random: &mut Random| {
        let count = 1 + random.below(3);
        let texts: Vec<String> = (0..count).map(|_| mutate::text(random)).collect();
        let mut text = texts.concat().into_bytes();
        text.truncate(2_000);
        text
    };
    fuzz(target, make, |text| {
        let text = String::from_utf8_lossy(text);
        let mut md = Md::new(false, 80);
        md.line(&text);
        md.ok(&text);
        md.heading(&text);
        md.field(&text, &text);
        if text.len() < 40 {
            md.table(&["a", "b"], &[vec![text.to_string(), "x".to_owned()]]);
        }
        let before = md_lines(&text);
        assert_eq!(before, 1, "a text for one line stays on it");
        md.block("block", &text);
        let shown = md.finish();
        assert_harmless(&shown);
        // What belongs to a block is indented: it cannot pass for a line of ours.
        let block = shown.lines().skip_while(|line| *line != "block:").skip(1);
        assert!(
            block
                .filter(|line| !line.is_empty())
                .all(|line| line.starts_with("  ")),
            "{shown}"
        );
    });
}

fn md_lines(text: &str) -> usize {
    let mut md = Md::new(false, 80);
    md.line(text);
    md.finish().lines().count()
}

#[test]
fn any_config_file_is_read_or_its_fault_named() {
    let target = Target {
        name: "config file",
        share: 60_000,
    };
    const KEYS: [&str; 26] = [
        "dbPath",
        "db",
        "events",
        "cache",
        "path",
        "syncUrl",
        "authToken",
        "encryptionKey",
        "syncMode",
        "readYourWrites",
        "sync",
        "policy",
        "staleAfterMs",
        "minIntervalMs",
        "conflictStrategy",
        "claims",
        "allowInsecure",
        "hooks",
        "on_done",
        "url",
        "headers",
        "body",
        "secret",
        "defaultProject",
        "defaultAuthor",
        "leaseMinutes",
    ];
    let home = hzl_testkit::fast_directory();
    let path = home.path().join("config.json");
    let environment = Environment::for_tests(home.path(), &[]);
    fuzz(
        target,
        |random| corpus::mutated_json(random, corpus::CONFIG, &KEYS),
        |text| {
            fs::write(&path, text).unwrap();
            let read = ConfigFile::load(path.clone()).and_then(|file| file.config());
            match read {
                Ok(config) => {
                    if let Some(target) = config.sync_target(&environment) {
                        assert!(!target.redacted_url().contains(":pw@"));
                    }
                    drop(format!("{config:?}"));
                }
                Err(error) => assert_eq!(error.kind, Kind::ConfigInvalid),
            }
        },
    );
}

#[test]
fn any_export_is_read_line_by_line() {
    let target = Target {
        name: "read an export",
        share: 60_000,
    };
    let make = |random: &mut Random| {
        let count = random.below(3);
        let mut lines: Vec<Vec<u8>> = (0..=count).map(|_| corpus::mutated_event(random)).collect();
        if random.chance(2) {
            let header = corpus::EXPORT.lines().next().unwrap_or_default();
            lines.insert(
                0,
                corpus::mutated_json(random, header, &["hzl_export", "cursor", "rewind_points"]),
            );
        }
        lines.join(&b'\n')
    };
    fuzz(target, make, |text| {
        let Ok(mut reader) = Reader::new(text) else {
            return;
        };
        while let Ok(Some(next)) = reader.next() {
            let Ok(transfer) = next else { continue };
            // What is written of it is read as the same, but for the spelling of its data.
            let line = serde_json::to_string(&EventLine::new(&transfer)).unwrap();
            assert!(!line.contains('\n'));
            let mut again = Reader::new(line.as_bytes()).unwrap();
            let again = again.next().unwrap().unwrap().unwrap();
            assert_eq!(
                EventLine::new(&again).into_json(),
                EventLine::new(&transfer).into_json()
            );
        }
    });
}

impl EventLine {
    fn into_json(self) -> String {
        serde_json::to_string(&self).unwrap()
    }
}
