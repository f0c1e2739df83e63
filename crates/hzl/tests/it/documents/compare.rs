//! Whether a command printed what a page shows: ids, times and the like differ from run to run, and `…` stands for
//! what was left out.

use std::collections::BTreeMap;

/// What a page puts where output was too long for it.
pub(crate) const LEFT_OUT: char = '…';
const ID_LENGTH: usize = 26;

/// A part of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Id(&'a str),
    Time,
    Date,
    Hash,
    /// Of the commit the program was built from, in brackets.
    Commit,
    /// How long something took.
    Duration,
    LeftOut,
    Text(&'a str),
}

impl Token<'_> {
    fn fits(self, printed: Self) -> bool {
        match (self, printed) {
            (Token::Id(_), Token::Id(_)) => true,
            _ => self == printed,
        }
    }
}

/// Whether it is an id or the beginning of one, as lists shorten them.
fn is_id(word: &str) -> bool {
    (6..=ID_LENGTH).contains(&word.len())
        && word.starts_with("01")
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn is_hex(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'))
}

fn is_hash(word: &str) -> bool {
    matches!(word.len(), 32 | 64) && is_hex(word)
}

/// Tells how much of the beginning has one of these shapes, in which `d` is a digit.
fn shaped(text: &str, shapes: &[&str]) -> Option<usize> {
    shapes.iter().find_map(|shape| {
        let begins = text.get(..shape.len())?;
        let same = begins.chars().zip(shape.chars()).all(|(c, s)| match s {
            'd' => c.is_ascii_digit(),
            _ => c == s,
        });
        same.then_some(shape.len())
    })
}

/// Returns a time like `2026-11-22T19:09:11.455Z`, or a date, at the beginning, and its length.
fn time(text: &str) -> Option<(Token<'_>, usize)> {
    const TIMES: [&str; 2] = ["dddd-dd-ddTdd:dd:dd.dddZ", "dddd-dd-ddTdd-dd-dd-dddZ"];
    let found = shaped(text, &TIMES).map(|length| (Token::Time, length));
    found.or_else(|| Some((Token::Date, shaped(text, &["dddd-dd-dd"])?)))
}

/// Splits a text into words of letters and digits and what is between them.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut in_duration = false;
    while let Some(first) = rest.chars().next() {
        if let Some((time, length)) = time(rest) {
            tokens.push(time);
            rest = &rest[length..];
            continue;
        }
        let end = if first.is_ascii_alphanumeric() {
            rest.find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        let token = match word {
            _ if first == LEFT_OUT => Token::LeftOut,
            // Before ids: one may begin with 01, and have no letter.
            _ if word.len() >= 7 && is_hex(word) && tokens.last() == Some(&Token::Text("(")) => {
                Token::Commit
            }
            _ if is_id(word) => Token::Id(word),
            _ if is_hash(word) => Token::Hash,
            _ if in_duration && word.chars().all(|c| c.is_ascii_digit()) => Token::Duration,
            _ => Token::Text(word),
        };
        // How wide a table is depends on how long its ids have to be.
        let fills = matches!(first, ' ' | '─' | '═');
        if !fills || tokens.last() != Some(&token) {
            tokens.push(token);
        }
        // `"durationMs":18`
        in_duration = word.ends_with("Ms") || (in_duration && matches!(word, "\"" | ":"));
        rest = after;
    }
    tokens
}

/// The ids of a page and those that stand for them in this run.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    real: BTreeMap<String, String>,
}

impl Ids {
    /// Returns a command of the page with the ids of this run.
    pub(crate) fn in_command(&self, line: &str) -> String {
        self.replaced(line, |word| {
            let mut known = self
                .real
                .iter()
                .filter(|(shown, _)| shown.starts_with(word));
            match (known.next(), known.next()) {
                (Some((_, real)), None) => Some(real.clone()),
                _ => None,
            }
        })
    }

    /// Returns an output of this run with the ids of the page.
    fn in_page(&self, printed: &str) -> String {
        self.replaced(printed, |word| {
            let mut known = self.real.iter().filter(|(_, real)| real.starts_with(word));
            match (known.next(), known.next()) {
                (Some((shown, _)), None) => shown.get(..word.len()).map(str::to_owned),
                _ => None,
            }
        })
    }

    fn replaced(&self, text: &str, other: impl Fn(&str) -> Option<String>) -> String {
        let mut words = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = rest
                .find(|c: char| c.is_ascii_alphanumeric() != first.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            match is_id(word).then(|| other(word)).flatten() {
                Some(id) => words.push_str(&id),
                None => words.push_str(word),
            }
            rest = after;
        }
        words
    }

    /// Takes note of two ids that stand for one another. Beginnings of ids say too little.
    fn learn(&mut self, shown: &str, printed: &str) -> bool {
        if shown.len() < ID_LENGTH || printed.len() < ID_LENGTH {
            return true;
        }
        let known = self.real.entry(shown.to_owned());
        known.or_insert_with(|| printed.to_owned()) == printed
    }

    /// Pairs the ids of two outputs that are not the same, as they come.
    fn guess(&mut self, shown: &str, printed: &str) {
        let new = |text: &str, known: Vec<&String>| {
            let mut ids: Vec<String> = vec![];
            for token in tokens(text) {
                if let Token::Id(id) = token
                    && id.len() == ID_LENGTH
                    && !known.iter().any(|known| *known == id)
                    && !ids.iter().any(|found| found == id)
                {
                    ids.push(id.to_owned());
                }
            }
            ids
        };
        let shown = new(shown, self.real.keys().collect());
        let printed = new(printed, self.real.values().collect());
        self.real.extend(shown.into_iter().zip(printed));
    }

    /// Whether the output is what the page shows, with any text where it left something out. Takes note of the ids.
    pub(crate) fn matches(&mut self, shown: &str, printed: &str) -> bool {
        let (shown, printed) = (tokens(shown), tokens(printed));
        let parts: Vec<&[Token<'_>]> = shown.split(|token| *token == Token::LeftOut).collect();
        let mut rest = printed.as_slice();
        let mut pairs = vec![];
        for (number, part) in parts.iter().enumerate() {
            let fits = |at: usize| {
                rest.get(at..at + part.len())
                    .is_some_and(|there| part.iter().zip(there).all(|(a, b)| a.fits(*b)))
            };
            let last = number + 1 == parts.len();
            let places = match (number, last) {
                (0, false) => 0..=0,
                (0, true) if rest.len() == part.len() => 0..=0,
                (_, true) => match rest.len().checked_sub(part.len()) {
                    Some(at) if number > 0 => at..=at,
                    _ => return false,
                },
                (_, false) => 0..=rest.len(),
            };
            let Some(at) = places.into_iter().find(|at| fits(*at)) else {
                return false;
            };
            let end = at + part.len();
            pairs.extend(part.iter().zip(&rest[at..end]));
            rest = &rest[end..];
        }
        pairs.into_iter().all(|pair| match pair {
            (Token::Id(shown), Token::Id(printed)) => self.learn(shown, printed),
            _ => true,
        })
    }

    /// Returns what the page should show instead: the output with the page's ids, without what it left out before.
    pub(crate) fn rewritten(&mut self, shown: &str, printed: &str) -> String {
        self.guess(shown, printed);
        let printed = self.in_page(printed);
        let mut parts = shown.split(LEFT_OUT).peekable();
        let mut kept = String::new();
        let mut rest = printed.as_str();
        while let Some(part) = parts.next() {
            let Some(after) = parts.peek() else { break };
            // The longest end of what stands before the gap that was printed, too.
            let before = [12, 8, 5, 3].into_iter().find_map(|length| {
                let end = ending(part, length);
                let at = rest.find(end).filter(|_| !end.is_empty())?;
                Some(at + end.len())
            });
            let Some(before) = before else { break };
            let (before, behind) = rest.split_at(before);
            let anchor = beginning(after);
            let gap = match anchor {
                "" => Some(behind.len()),
                // The last line feed ends a text of which the rest was left out.
                "\n" if after.len() == 1 => Some(behind.len() - 1),
                anchor => behind.find(anchor),
            };
            let Some(gap) = gap else { break };
            kept.push_str(before);
            kept.push(LEFT_OUT);
            rest = &behind[gap..];
        }
        kept.push_str(rest);
        kept
    }
}

/// Returns the last characters of a text.
fn ending(text: &str, length: usize) -> &str {
    let from = text.char_indices().rev().nth(length - 1);
    &text[from.map_or(0, |(at, _)| at)..]
}

/// Returns the first characters of a text, at most one line.
fn beginning(text: &str) -> &str {
    let to = text.char_indices().nth(6).map_or(text.len(), |(at, _)| at);
    let text = &text[..to];
    text.find('\n').map_or(text, |end| &text[..=end])
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
        ("…", true),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",…,\"n\":3}\n", false),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",\"n\":2}\n", false),
        ("{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\"\n", false),
        ("", false),
    ] {
        assert_eq!(Ids::default().matches(shown, printed), same, "{shown}");
    }
}

#[test]
fn any_commit_will_do_also_one_that_looks_like_an_id() {
    for (shown, printed) in [("7ab1c9d", "0181360"), ("0181360", "7ab1c9d")] {
        let line = |commit| format!("hzl 0.1.0 ({commit} 2026-11-23)\n");
        assert!(Ids::default().matches(&line(shown), &line(printed)));
    }
}

#[test]
fn an_id_of_a_page_stands_for_one_id_only() {
    let (shown, a, b) = (
        "01AAAAAAAAAAAAAAAAAAAAAAAA",
        "01M82AK4DHZQSR1SEPD7XC7TZP",
        "01M82AK4E9JD0GR5821CFX427J",
    );
    let mut ids = Ids::default();
    assert!(ids.matches(shown, a));
    assert!(ids.matches(shown, a));
    assert!(!ids.matches(shown, b));
    assert_eq!(
        ids.in_command("hzl task show 01AAAAAAA"),
        format!("hzl task show {a}")
    );
}

#[test]
fn what_is_written_anew_keeps_ids_and_leaves_out_what_was_left_out() {
    let mut ids = Ids::default();
    let shown = "{\"id\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",\"task\":{…},\"n\":2}\nmore\n…\n";
    let printed =
        "{\"id\":\"01M82AK4DHZQSR1SEPD7XC7TZP\",\"task\":{\"a\":1},\"n\":3}\nmore\nlines\n";
    assert_eq!(
        ids.rewritten(shown, printed),
        shown.replace("\"n\":2", "\"n\":3")
    );
}
