//! README.md shows what really happens: its first session is run and compared.

use std::collections::BTreeMap;

use crate::home;

const README: &str = include_str!("../../../../README.md");
/// What README.md puts where output was too long for the page.
const LEFT_OUT: char = '…';

/// Returns the text below a heading, up to the next one of its rank.
fn section(heading: &str) -> &'static str {
    let marker = format!("\n## {heading}\n");
    let (_, rest) = README
        .split_once(&marker)
        .unwrap_or_else(|| panic!("README.md has no section {heading}"));
    rest.split_once("\n## ").map_or(rest, |(text, _)| text)
}

/// Returns the content of the fenced blocks of that language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let mut parts = text.split(fence.as_str());
    parts.next();
    parts
        .map(|part| part.split("```").next().unwrap_or(part))
        .collect()
}

/// Splits a command line as a shell does, for the quoting that README.md uses.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (count, part) in line.split('"').enumerate() {
        if count % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Whether it is an id or the beginning of one, as lists shorten them.
fn is_id(word: &str) -> bool {
    word.len() >= 6
        && word.starts_with("01")
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// Splits a text into words of letters and digits and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .find(|c: char| c.is_ascii_alphanumeric() != first.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Returns the length of a time like `2026-11-22T19:09:11.455Z` at the beginning, if there is one.
fn time_length(text: &str) -> Option<usize> {
    let shape = "dddd-dd-ddTdd:dd:dd.dddZ";
    let begins = text.get(..shape.len())?;
    let same = begins.chars().zip(shape.chars()).all(|(c, s)| match s {
        'd' => c.is_ascii_digit(),
        _ => c == s,
    });
    same.then_some(shape.len())
}

fn without_times(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match time_length(rest) {
            Some(length) => {
                kept.push_str("<time>");
                rest = &rest[length..];
            }
            None => {
                kept.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    kept
}

/// Replaces ids and times, which differ from run to run, by placeholders.
fn normalised(text: &str) -> String {
    let text = without_times(text);
    let pieces = pieces(&text).into_iter();
    pieces
        .map(|piece| if is_id(piece) { "<id>" } else { piece })
        .collect()
}

/// Whether the output is what README.md shows, with any text where it left something out.
fn matches(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (normalised(shown), normalised(printed));
    let mut parts = shown.split(LEFT_OUT);
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn the_set_up_commands_are_there_each_in_a_block_of_its_own() {
    let blocks = blocks(section("Set up"), "sh");
    for command in [
        "cargo run --release --locked -p hzl -- task add \"My first task\" -s ready\n",
        "cargo test --workspace --locked\n",
    ] {
        assert!(blocks.contains(&command), "{command} is not in {blocks:?}");
    }
}

#[test]
fn the_first_session_prints_what_readme_shows() {
    let home = home();
    // Ids as README.md has them, and as they are in this run.
    let mut ids = BTreeMap::new();
    let session = blocks(section("A first session"), "console");
    assert_eq!(session.len(), 10);
    for block in session {
        let (line, shown) = block.split_once('\n').expect("a command and its output");
        let line = line.strip_prefix("$ hzl ").expect("a command of hzl");
        let arguments: Vec<_> = words(line)
            .into_iter()
            .map(|word| ids.get(&word).cloned().unwrap_or(word))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let run = home.hzl(&arguments);
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
        assert!(
            matches(shown, &run.stdout),
            "README.md shows:\n{shown}\n{run}"
        );
        if let ["task", "add", ..] = arguments[..] {
            let id = |text: &str| {
                pieces(text)
                    .into_iter()
                    .find(|piece| is_id(piece))
                    .map(str::to_owned)
            };
            let (in_readme, here) = (id(shown), id(&run.stdout));
            ids.insert(in_readme.expect("an id"), here.expect("an id"));
        }
    }
}

#[test]
fn outputs_are_compared_but_for_ids_times_and_what_was_left_out() {
    let printed =
        "{\"id\":\"01M82AK4DHZQSR1SEPD7XC7TZP\",\"at\":\"2026-11-22T19:09:11.455Z\",\"n\":2}\n";
    for (shown, same) in [
        (
            "{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",\"at\":\"2020-01-01T00:00:00.000Z\",\"n\":2}\n",
            true,
        ),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",…,\"n\":2}\n", true),
        ("{…}\n", true),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",…,\"n\":3}\n", false),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",\"n\":2}\n", false),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\"\n", false),
    ] {
        assert_eq!(matches(shown, printed), same, "{shown}");
    }
}
