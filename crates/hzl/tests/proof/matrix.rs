//! Every command there is, as the program itself lists them, and the examples its help gives for each: a new
//! command is in every proof that goes through all of them without anybody thinking of it.

use std::sync::OnceLock;

use hzl_testkit::home::Home;

/// A command without commands of its own.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The words that lead to it.
    pub(crate) path: Vec<String>,
    /// The lines of its examples, without the name of the program.
    pub(crate) examples: Vec<Vec<String>>,
}

/// Returns all commands, in the order of the help.
pub(crate) fn leaves() -> &'static [Leaf] {
    static LEAVES: OnceLock<Vec<Leaf>> = OnceLock::new();
    LEAVES.get_or_init(|| {
        let mut found = vec![];
        collect(&crate::home(), vec![], &mut found);
        assert!(found.len() > 60, "there are {} commands", found.len());
        found
    })
}

fn collect(home: &Home, path: Vec<String>, found: &mut Vec<Leaf>) {
    let mut line: Vec<&str> = path.iter().map(String::as_str).collect();
    line.push("--help");
    let run = home.hzl(&line);
    assert_eq!(run.exit, 0, "{run}");
    let commands = section(&run.stdout, "Commands:");
    if commands.is_empty() {
        let examples = section(&run.stdout, "Examples:");
        let examples: Vec<_> = examples.iter().filter_map(|line| arguments(line)).collect();
        assert!(!examples.is_empty(), "no example in the help of {path:?}");
        found.push(Leaf { path, examples });
        return;
    }
    for command in commands {
        let word = command.split_whitespace().next().unwrap_or_default();
        collect(home, [path.clone(), vec![word.to_owned()]].concat(), found);
    }
}

/// Returns the lines under a heading of a help text. Of a list, only those that begin an entry.
fn section<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    let entries = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    entries.map(str::trim).collect()
}

/// Returns the arguments of an example; what a shell does with the output is left out.
fn arguments(example: &str) -> Option<Vec<String>> {
    let line = example.split(" | ").next()?.split(" > ").next()?;
    let words = words(line);
    let (program, rest) = words.split_first()?;
    (program == "hzl").then(|| rest.to_vec())
}

/// Splits a line of a shell, single and double quotes included.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
