//! Reading scenarios: `$` is a step of the binary, `!` sets something up, what is indented says more
//! about the step above it.

use std::collections::BTreeMap;

use super::words;

/// The scenario of one file.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) title: String,
    pub(super) steps: Vec<Step>,
}

/// One line of a scenario with its directives.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) action: Action,
    pub(super) exit: Exit,
    pub(super) compared: Compared,
    pub(super) strict: bool,
    /// Name and path of values to keep.
    pub(super) captures: Vec<(String, String)>,
    /// Path and offset of times that must be about now plus that offset.
    pub(super) near: Vec<(String, String)>,
    pub(super) has: Vec<String>,
    pub(super) absent: Vec<String>,
    pub(super) stderr_has: Vec<String>,
    pub(super) ignore: Vec<String>,
    pub(super) unordered: Vec<String>,
    pub(super) also: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) unset: Vec<String>,
    pub(super) stdin: Option<String>,
    pub(super) directory: Option<String>,
}

/// What a step does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Runs the binary with these arguments.
    Run(Vec<String>),
    /// Prepares or looks at files; `body` is the content to write.
    Helper { words: Vec<String>, body: String },
}

impl Default for Action {
    fn default() -> Self {
        Self::Run(Vec::new())
    }
}

/// How a step must end.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(super) enum Exit {
    #[default]
    Ok,
    Error,
    Code(i32),
}

/// What of standard output counts.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(super) enum Compared {
    #[default]
    Auto,
    Json,
    Ndjson,
    Text,
    Exit,
    Nothing,
}

/// Reads a scenario, or says in which line what is wrong.
pub(super) fn parse(text: &str) -> Result<Scenario, String> {
    let mut title = String::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((raw, line)) = lines.next() {
        let text = raw.trim();
        if text.is_empty() {
            continue;
        }
        if let Some(comment) = text.strip_prefix('#') {
            if let Some(found) = comment.trim_start().strip_prefix("title:") {
                found.trim().clone_into(&mut title);
            }
        } else if text == "$" || text.starts_with("$ ") {
            let words = words::split(&text[1..]).ok_or(format!("line {line}: open quote"))?;
            steps.push(new_step(line, Action::Run(words)));
        } else if let Some(helper) = text.strip_prefix("! ") {
            let (helper, end) = split_heredoc(helper);
            let mut action = parse_helper(helper).ok_or(format!("line {line}: open quote"))?;
            if let (Some(end), Action::Helper { body, .. }) = (end, &mut action) {
                *body = read_heredoc(&mut lines, end)
                    .ok_or(format!("line {line}: {end} is missing"))?;
            }
            steps.push(new_step(line, action));
        } else {
            let step = steps
                .last_mut()
                .ok_or(format!("line {line}: no step yet"))?;
            direct(step, text).map_err(|reason| format!("line {line}: {reason}"))?;
        }
    }
    Ok(Scenario { title, steps })
}

fn new_step(line: usize, action: Action) -> Step {
    Step {
        line,
        action,
        ..Step::default()
    }
}

/// Splits `write a <<END` into the helper and `END`.
fn split_heredoc(helper: &str) -> (&str, Option<&str>) {
    let is_word = |text: &str| !text.is_empty() && text.chars().all(char::is_alphanumeric);
    match helper.rsplit_once(" <<") {
        Some((helper, end)) if is_word(end) => (helper, Some(end)),
        _ => (helper, None),
    }
}

/// Returns the lines before `end`.
fn read_heredoc<'a>(
    lines: &mut impl Iterator<Item = (&'a str, usize)>,
    end: &str,
) -> Option<String> {
    let mut body = String::new();
    loop {
        let (line, _) = lines.next()?;
        if line.trim() == end {
            return Some(body);
        }
        body.push_str(line);
        body.push('\n');
    }
}

fn parse_helper(helper: &str) -> Option<Action> {
    // The text to write is taken as it stands, quotes included.
    if let Some((path, content)) = helper
        .strip_prefix("write ")
        .and_then(|rest| rest.trim_start().split_once(' '))
    {
        return Some(Action::Helper {
            words: vec!["write".to_owned(), path.to_owned()],
            body: format!("{}\n", content.trim_start()),
        });
    }
    let (words, body) = (words::split(helper)?, String::new());
    Some(Action::Helper { words, body })
}

fn direct(step: &mut Step, text: &str) -> Result<(), String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    let listed = || rest.split_whitespace().map(str::to_owned);
    match word {
        "capture" => step.captures.push(pair(rest, '=')?),
        "exit" => step.exit = parse_exit(rest)?,
        "strict" => step.strict = true,
        "superset" => step.strict = false,
        "loose" => step.exit = Exit::Error,
        "compare" => step.compared = parse_compared(rest)?,
        "ignore" => step.ignore.extend(listed()),
        "unordered" => step.unordered.extend(listed()),
        // Stands as `<num>` in the golden.
        "num" => {}
        "also" => step.also.extend(listed()),
        "env" => step.environment.extend([pair(rest, '=')?]),
        "unset" => step.unset.extend(listed()),
        "stdin" if rest.starts_with('"') => step.stdin = Some(unquote(rest)?),
        "stdin" => step.stdin = Some(format!("{rest}\n")),
        "near" => step.near.push(pair(rest, ' ')?),
        "has" => step.has.push(unquote(rest)?),
        "absent" => step.absent.push(unquote(rest)?),
        "stderr_has" => step.stderr_has.push(unquote(rest)?),
        "cwd" => step.directory = Some(rest.to_owned()),
        _ => return Err(format!("unknown directive {word}")),
    }
    Ok(())
}

fn pair(text: &str, separator: char) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(separator)
        .ok_or(format!("{text} has no {separator:?}"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parse_exit(text: &str) -> Result<Exit, String> {
    match text {
        "ok" => Ok(Exit::Ok),
        "error" => Ok(Exit::Error),
        code => code
            .parse()
            .map(Exit::Code)
            .map_err(|_| format!("unknown exit {code}")),
    }
}

fn parse_compared(text: &str) -> Result<Compared, String> {
    Ok(match text {
        "auto" => Compared::Auto,
        "json" => Compared::Json,
        "ndjson" => Compared::Ndjson,
        "text" => Compared::Text,
        "exit" => Compared::Exit,
        "none" => Compared::Nothing,
        _ => return Err(format!("nothing known to compare as {text}")),
    })
}

/// A text may be a JSON string, for what has spaces at its ends or line breaks.
fn unquote(text: &str) -> Result<String, String> {
    if text.starts_with('"') {
        serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_steps_with_directives() {
        let text = "# title: A title\n# tags: x\n\n$ task add \"A b\" -P demo\n  capture t = task_id\n  \
                    exit 4\n  num x\n  ignore a.b c\n  env HZL_DB=a=b\n  stdin \"x\\ty\"\n  has \" a\"\n  near at +30m\n\
                    ! write a/b.json {\"c\": 'd'}\n! write e <<END\nf\n  g\n  END\n! rm 'h i'\n$\n  loose\n  strict\n";
        let scenario = parse(text).expect("it is one");
        assert_eq!(scenario.title, "A title");
        let [add, write, heredoc, rm, bare] = &scenario.steps[..] else {
            panic!("{scenario:?}");
        };
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        assert_eq!(add.line, 4);
        assert_eq!(
            add.action,
            Action::Run(words(&["task", "add", "A b", "-P", "demo"]))
        );
        assert_eq!(add.captures, [("t".to_owned(), "task_id".to_owned())]);
        assert_eq!(add.exit, Exit::Code(4));
        assert_eq!(add.ignore, ["a.b", "c"]);
        assert_eq!(add.environment["HZL_DB"], "a=b");
        assert_eq!(add.stdin.as_deref(), Some("x\ty"));
        assert_eq!(add.has, [" a"]);
        assert_eq!(add.near, [("at".to_owned(), "+30m".to_owned())]);
        for (step, path, content) in [
            (write, "a/b.json", "{\"c\": 'd'}\n"),
            (heredoc, "e", "f\n  g\n"),
        ] {
            let (words, body) = (words(&["write", path]), content.to_owned());
            assert_eq!(step.action, Action::Helper { words, body });
        }
        let (words, body) = (words(&["rm", "h i"]), String::new());
        assert_eq!(rm.action, Action::Helper { words, body });
        assert_eq!((bare.exit, bare.strict, bare.line), (Exit::Error, true, 19));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (text, reason) in [
            ("  exit 4", "line 1: no step yet"),
            ("$ a\n  sometimes", "line 2: unknown directive sometimes"),
            ("$ a\n  exit maybe", "line 2: unknown exit maybe"),
            (
                "$ a\n  compare xml",
                "line 2: nothing known to compare as xml",
            ),
            ("$ 'a", "line 1: open quote"),
            ("! write a <<END\nb", "line 1: END is missing"),
        ] {
            assert_eq!(parse(text).expect_err("it is wrong"), reason);
        }
    }
}
