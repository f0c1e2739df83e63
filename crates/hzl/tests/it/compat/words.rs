//! Splitting a command line into words the way a POSIX shell quotes them. No expansion of any kind.

/// Returns the words of a line, or `None` when a quote is not closed.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        quoted => word.push(quoted),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        quoted => word.push(quoted),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
}

#[test]
fn words_are_split_as_a_shell_does() {
    let words = |line: &str| split(line).expect("quotes are closed");
    assert_eq!(words(""), Vec::<String>::new());
    assert_eq!(
        words(" a  'b c' \"d \\\"e\\\" \\n\""),
        ["a", "b c", "d \"e\" \\n"]
    );
    assert_eq!(words("'' x'y'\"z\" a\\ b"), ["", "xyz", "a b"]);
    assert_eq!(split("'open"), None);
    assert_eq!(split("\"open"), None);
}
