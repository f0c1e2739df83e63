//! Which existing name was probably meant by one that does not exist. Pure; the answer is only shown,
//! never acted on.

/// Words people use for commands that are called something else. Only for suggestions, and only
/// where the command exists.
const OTHER_WORDS: [(&str, &[&str]); 20] = [
    ("add", &["create"]),
    ("assign", &["claim"]),
    ("close", &["complete"]),
    ("create", &["add"]),
    ("delete", &["archive", "prune"]),
    ("done", &["complete"]),
    ("edit", &["update"]),
    ("finish", &["complete"]),
    ("get", &["show"]),
    ("log", &["history", "events"]),
    ("ls", &["list"]),
    ("new", &["add", "create"]),
    ("note", &["comment"]),
    ("pull", &["sync"]),
    ("push", &["sync"]),
    ("rm", &["archive", "prune"]),
    ("take", &["claim"]),
    ("unclaim", &["release"]),
    ("view", &["show"]),
    ("description", &["desc"]),
];

/// Which of the names was probably meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guess {
    None,
    One(String),
    Several(Vec<String>),
}

/// Finds which of the names was probably meant.
pub(super) fn guess(word: &str, names: &[&str]) -> Guess {
    let owned = |names: Vec<&str>| match names.as_slice() {
        [] => Guess::None,
        [one] => Guess::One((*one).to_owned()),
        several => Guess::Several(several.iter().map(|name| (*name).to_owned()).collect()),
    };
    let other_words = OTHER_WORDS.iter().filter(|(other, _)| *other == word);
    let known = other_words
        .flat_map(|(_, meant)| meant.iter())
        .find(|meant| names.contains(meant));
    if let Some(known) = known {
        return Guess::One((*known).to_owned());
    }
    let begins: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| name.starts_with(word))
        .collect();
    if !begins.is_empty() {
        return owned(begins);
    }
    let allowed = match word.chars().count() {
        0..=2 => return Guess::None,
        3 => 1,
        _ => 2,
    };
    let near: Vec<(usize, &str)> = names
        .iter()
        .copied()
        .filter(|name| !is_opposite(word, name))
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    let nearest = near
        .iter()
        .filter(|(distance, _)| Some(*distance) == least)
        .map(|(_, name)| *name);
    owned(nearest.collect())
}

fn is_opposite(word: &str, name: &str) -> bool {
    ["un", "no-", "de"].iter().any(|prefix| {
        word.strip_prefix(prefix) == Some(name) || name.strip_prefix(prefix) == Some(word)
    })
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = last;
        last = row;
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opposite_is_never_suggested() {
        for word in ["unarchive", "unclaim", "unstart"] {
            let Guess::One(name) = guess(word, &["archive", "claim", "start", "list"]) else {
                continue;
            };
            panic!("{word} suggests {name}");
        }
        assert_eq!(
            guess("complte", &["complete"]),
            Guess::One("complete".to_owned())
        );
    }

    #[test]
    fn distances() {
        assert_eq!(distance("list", "lst"), 1);
        assert_eq!(distance("lsit", "list"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("task", "task"), 0);
    }
}
