//! Texts with placeholders. `<id:3>` is the same id wherever it stands in a scenario and another
//! than `<id:4>`; `<ts>` is any time with a zone, `<hex>` anything like a hash.

use std::collections::BTreeMap;

/// Which id the binary used for which recorded one.
#[derive(Debug, Default, Clone)]
pub(super) struct Ids {
    actual: BTreeMap<String, String>,
    recorded: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Piece<'a> {
    Literal(&'a str),
    Time,
    Hash,
    Id(&'a str),
}

impl Ids {
    /// Whether a text is the recorded one. If so, its ids are kept for later comparisons.
    pub(super) fn matches(&mut self, golden: &str, actual: &str) -> bool {
        let Some(ids) = self.place(&pieces(golden), actual) else {
            return false;
        };
        *self = ids;
        true
    }

    /// Puts the ids that are known into a recorded text.
    pub(super) fn render(&self, golden: &str) -> String {
        pieces(golden)
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.to_owned(),
                Piece::Time => "<ts>".to_owned(),
                Piece::Hash => "<hex>".to_owned(),
                Piece::Id(name) => match self.actual.get(name) {
                    Some(id) => id.clone(),
                    None => format!("<id:{name}>"),
                },
            })
            .collect()
    }

    fn place(&self, pieces: &[Piece<'_>], text: &str) -> Option<Self> {
        let Some((piece, rest)) = pieces.split_first() else {
            return text.is_empty().then(|| self.clone());
        };
        match piece {
            Piece::Literal(literal) => self.place(rest, text.strip_prefix(literal)?),
            Piece::Time => time_ends(text)
                .into_iter()
                .rev()
                .find_map(|end| self.place(rest, &text[end..])),
            Piece::Hash => (1..=token_length(text))
                .rev()
                .find_map(|end| self.place(rest, &text[end..])),
            Piece::Id(name) => {
                if let Some(known) = self.actual.get(*name) {
                    return self.place(rest, text.strip_prefix(known.as_str())?);
                }
                if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
                    return None;
                }
                (6..=token_length(text).min(64)).rev().find_map(|end| {
                    let (id, after) = text.split_at(end);
                    self.with(name, id)?.place(rest, after)
                })
            }
        }
    }

    /// Also knows this id, unless it already stands for another.
    fn with(&self, name: &str, id: &str) -> Option<Self> {
        if self.recorded.contains_key(id) {
            return None;
        }
        let mut ids = self.clone();
        ids.actual.insert(name.to_owned(), id.to_owned());
        ids.recorded.insert(id.to_owned(), name.to_owned());
        Some(ids)
    }
}

fn pieces(golden: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut search) = (0, 0);
    while let Some(open) = golden[search..].find('<').map(|at| search + at) {
        let found = golden[open..].find('>').and_then(|length| {
            let piece = match &golden[open + 1..open + length] {
                "ts" => Piece::Time,
                "hex" => Piece::Hash,
                name => Piece::Id(name.strip_prefix("id:").filter(|number| {
                    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
                })?),
            };
            Some((piece, open + length + 1))
        });
        match found {
            Some((piece, end)) => {
                pieces.push(Piece::Literal(&golden[start..open]));
                pieces.push(piece);
                (start, search) = (end, end);
            }
            None => search = open + 1,
        }
    }
    pieces.push(Piece::Literal(&golden[start..]));
    pieces
}

/// How many bytes at the beginning can be part of an id or a hash.
fn token_length(text: &str) -> usize {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
    text.bytes().take_while(|b| is_part(b)).count()
}

/// Where an ISO 8601 time with a zone at the beginning of a text can end.
fn time_ends(text: &str) -> Vec<usize> {
    let Some(mut at) = shaped(text, 0, "dddd-dd-ddTdd:dd:dd") else {
        return Vec::new();
    };
    if let Some(mut end) = shaped(text, at, ".d") {
        while let Some(next) = shaped(text, end, "d") {
            end = next;
        }
        at = end;
    }
    ["Z", "+dddd", "+dd:dd", "-dddd", "-dd:dd"]
        .into_iter()
        .filter_map(|zone| shaped(text, at, zone))
        .collect()
}

/// Where a text ends that begins at `start` and has a digit for every `d`.
fn shaped(text: &str, start: usize, shape: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(start..start + shape.len())?;
    let fits = |(byte, shape): (&u8, u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        shape => *byte == shape,
    };
    let all = bytes.iter().zip(shape.bytes()).all(fits);
    all.then_some(start + shape.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const B: &str = "01BX5ZZKBKACTAV9WEVGEMMVRZ";

    #[test]
    fn an_id_stays_the_same_and_is_no_other() {
        let mut ids = Ids::default();
        assert!(ids.matches("task <id:1>, <id:2>", &format!("task {A}, {B}")));
        assert!(ids.matches("<id:2>", B));
        assert!(!ids.matches("<id:1>", B), "swapped");
        assert!(!ids.matches("<id:3>", A), "one id for two");
        assert!(!ids.matches("<id:3><id:3>", &format!("{A}{B}")));
        assert_eq!(ids.render("<id:1> <id:9> <ts>"), format!("{A} <id:9> <ts>"));
    }

    #[test]
    fn a_failed_match_keeps_nothing() {
        let mut ids = Ids::default();
        assert!(!ids.matches("<id:1> is done", &format!("{A} is open")));
        assert!(ids.matches("<id:1>", B));
    }

    #[test]
    fn placeholders_take_what_they_stand_for() {
        for (golden, actual, fits) in [
            ("at <ts>.", "at 2026-03-01T09:00:00Z.", true),
            ("<ts>", "2026-03-01T09:00:00.123456+01:00", true),
            ("<ts>", "2026-03-01T09:00:00-0100", true),
            ("<ts>", "2026-03-01T09:00:00", false),
            ("<ts>", "2026-03-01 09:00:00Z", false),
            ("<hex>", "deadbeef", true),
            ("<hex>", "", false),
            ("<id:1>", "short", false),
            ("<id:1>", "-starts-badly", false),
            ("<b> <id:x> < <home>", "<b> <id:x> < <home>", true),
            ("<b>", "<c>", false),
            ("é<ts>é", "é2026-03-01T09:00:00Zé", true),
        ] {
            assert_eq!(
                Ids::default().matches(golden, actual),
                fits,
                "{golden} {actual}"
            );
        }
    }
}
