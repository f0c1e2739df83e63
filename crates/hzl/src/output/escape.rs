//! Makes text of other people harmless on a terminal. Pure.
//!
//! Titles, comments and names arrive from other machines. Control characters could move the
//! cursor, set the clipboard or hide text; bidirectional and invisible characters could show
//! something else than what is stored. They are written as `\u{..}`. Escaping twice changes
//! nothing more.

/// Stands for a line break where only one line has room.
const LINE_BREAK: char = '↵';
const TAB: &str = "    ";

/// Returns the text for one line: line breaks become `↵`, tabs a space.
pub(crate) fn inline(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    escape(&text, |c, out| match c {
        '\n' => out.push(LINE_BREAK),
        '\t' => out.push(' '),
        other => push_escaped(other, out),
    })
}

/// Returns the text as lines, which the caller indents so that they cannot pass for our own.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| {
        escape(line, |c, out| match c {
            '\t' => out.push_str(TAB),
            other => push_escaped(other, out),
        })
    };
    text.lines().map(line).collect()
}

/// Escapes in printed JSON what serialisers leave in texts although terminals obey it: DEL and C1 controls,
/// characters that change the direction, line separators, tags. Whoever parses it gets the same value.
pub(crate) fn json(line: Vec<u8>) -> Vec<u8> {
    // These begin the UTF-8 of all of them, and are rare.
    let may_need_it = |byte: &u8| matches!(byte, 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xf3);
    if !line.iter().any(may_need_it) {
        return line;
    }
    match String::from_utf8(line) {
        Ok(text) if text.contains(acts_in_json) => {
            let mut out = String::with_capacity(text.len() + 16);
            for c in text.chars() {
                if acts_in_json(c) {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                } else {
                    out.push(c);
                }
            }
            out.into_bytes()
        }
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// What may only be in a text: outside of texts JSON is ASCII.
fn acts_in_json(c: char) -> bool {
    matches!(c,
        '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(text: &str, mut unsafe_char: impl FnMut(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = is_joiner(c)
            && before.is_some_and(is_joinable)
            && rest.peek().copied().is_some_and(is_joinable);
        if is_safe(c) || joins {
            out.push(c);
        } else {
            unsafe_char(c, &mut out);
        }
        before = Some(c);
    }
    out
}

fn push_escaped(c: char, out: &mut String) {
    out.extend(c.escape_unicode());
}

fn is_safe(c: char) -> bool {
    !(c.is_control() || is_invisible(c))
}

/// Joiners are how Persian, Indic scripts and composed emoji are written. Between characters of
/// such scripts they are part of the text; elsewhere they only hide.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_joinable(c: char) -> bool {
    // A space joins nothing, and may be taken away at the end of a line.
    !c.is_ascii() && is_safe(c) && !c.is_whitespace()
}

/// Characters that take no room or change the direction of others.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(inline("\u{1b}[2Jx"), "\\u{1b}[2Jx");
        assert_eq!(inline("a\u{7f}\u{9b}b\u{7}"), "a\\u{7f}\\u{9b}b\\u{7}");
        assert_eq!(inline("a\rb"), "a\\u{d}b");
    }

    #[test]
    fn direction_and_invisible_characters_are_shown() {
        assert_eq!(inline("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(inline("pay\u{200b}pal\u{feff}"), "pay\\u{200b}pal\\u{feff}");
        assert_eq!(inline("x\u{e0041}"), "x\\u{e0041}");
        assert_eq!(inline("a\u{200d}b"), "a\\u{200d}b");
        assert_eq!(inline("é\u{200d}\u{2004}"), "é\\u{200d}\u{2004}");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        for text in [
            "naïve 日本語 ✓",
            "می\u{200c}خواهم",
            "👩\u{200d}👧 ok",
            "❤\u{fe0f}",
        ] {
            assert_eq!(inline(text), text);
        }
    }

    #[test]
    fn line_breaks_are_marked_or_kept() {
        assert_eq!(inline("a\r\nb\nc\td"), "a↵b↵c d");
        assert_eq!(lines("a\r\n\tb\u{1b}"), ["a", "    b\\u{1b}"]);
    }

    #[test]
    fn json_keeps_its_meaning_and_loses_what_terminals_obey() {
        let text = "a\u{9b}31m\u{7f}\u{85}\u{202e}\u{2069}\u{2028}\u{e0041}\u{61c}";
        let line = json(serde_json::to_vec(&[text]).unwrap());
        assert!(line.is_ascii());
        let [parsed]: [String; 1] = serde_json::from_slice(&line).unwrap();
        assert_eq!(parsed, text);
        for plain in ["größer ✓ “quoted” €", "👩\u{200d}🚀", "é؟", "x"] {
            let line = serde_json::to_vec(plain).unwrap();
            assert_eq!(json(line.clone()), line);
        }
    }

    #[test]
    fn escaping_twice_changes_nothing_more() {
        let once = inline("\u{1b}]0;x\u{7}\n\u{202e}");
        assert_eq!(inline(&once), once);
    }
}
