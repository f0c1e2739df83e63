//! Running a scenario, each in a home of its own.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use hzl_core::time::Timestamp;
use hzl_testkit::home::Home;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;

use super::compare::Comparer;
use super::data;
use super::deviations::Deviation;
use super::files;
use super::ids::Ids;
use super::path;
use super::scenario;
use super::scenario::Action;
use super::scenario::Compared;
use super::scenario::Exit;
use super::scenario::Step;
use super::variables;
use super::variables::Variables;

/// No two steps may share a millisecond.
const GAP: Duration = Duration::from_millis(3);
/// How far a time may be from where it is expected.
const NEAR_MS: u64 = 90_000;

/// What became of the steps of a scenario.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    name: String,
    title: String,
    passed: usize,
    deviated: usize,
    failed: usize,
    report: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {} steps passed, {} deviations, {} failed{}",
            self.name, self.title, self.passed, self.deviated, self.failed, self.report
        )
    }
}

/// What 3.2.0 did in a scenario.
#[derive(Debug, Deserialize)]
struct Goldens {
    steps: Vec<Golden>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    argv: Vec<String>,
    /// A number, or `"error"` for any failure.
    exit: Value,
    kind: Kind,
    #[serde(default)]
    code: String,
    #[serde(default)]
    also: Map<String, Value>,
    #[serde(default)]
    stdout: Value,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Json,
    Ndjson,
    Error,
    Text,
    /// Free text: only that there is some.
    Prose,
    Empty,
    /// Only the exit code counts.
    Exit,
    None,
}

/// What the binary answered. `value` is null when standard output is not JSON.
#[derive(Debug)]
struct Answer {
    exit: i32,
    stdout: String,
    stderr: String,
    kind: Kind,
    value: Value,
}

/// A scenario in progress.
#[derive(Debug)]
struct Runner {
    home: Home,
    /// Without symbolic links, as the binary may show it.
    path: PathBuf,
    variables: Variables,
    ids: Ids,
}

/// Runs all steps of a scenario and compares them with what is recorded.
pub(super) fn run(name: &str, deviations: &[Deviation]) -> Outcome {
    let file = data("scenarios").join(format!("{name}.scn"));
    let text = fs::read_to_string(file).expect("a scenario can be read");
    let scenario = scenario::parse(&text).unwrap_or_else(|error| panic!("{name}.scn: {error}"));
    let mut goldens = load_goldens(name).into_iter();
    let mut outcome = Outcome {
        name: name.to_owned(),
        title: scenario.title,
        ..Outcome::default()
    };
    let mut runner = Runner::new();
    for step in &scenario.steps {
        let arguments = match &step.action {
            Action::Run(arguments) => arguments,
            Action::Helper { words, body } => {
                let done = files::help(&runner.path, &mut runner.variables, words, body);
                if let Err(reason) = done {
                    outcome.fail(step, words, &[reason]);
                }
                continue;
            }
        };
        let golden = goldens.next().expect("every step is recorded");
        assert_eq!(golden.argv, *arguments, "{name}.scn:{}", step.line);
        let (answer, mut differences) = match runner.execute(step, arguments) {
            Ok(answer) => {
                let differences = runner.check(step, &golden, &answer);
                (Some(answer), differences)
            }
            Err(reason) => (None, vec![reason]),
        };
        let listed =
            |deviation: &&Deviation| deviation.scenario == name && deviation.line == step.line;
        let deviation = deviations.iter().find(listed);
        match deviation {
            Some(deviation) if !differences.is_empty() => {
                let exit = answer.as_ref().map(|answer| answer.exit);
                let value = answer.as_ref().map_or(&Value::Null, |answer| &answer.value);
                differences = deviation.differences(exit, value);
            }
            Some(_) => differences.push(
                "listed as a deviation, but behaves as recorded: drop it from the list".to_owned(),
            ),
            None => {}
        }
        if let Some(answer) = answer.filter(|answer| answer.exit != 0 && !differences.is_empty()) {
            let first = answer.stderr.lines().next().unwrap_or_default();
            differences.push(format!("stderr: {first}"));
        }
        match (differences.is_empty(), deviation) {
            (true, None) => outcome.passed += 1,
            (true, Some(_)) => outcome.deviated += 1,
            (false, _) => outcome.fail(step, arguments, &differences),
        }
    }
    assert_eq!(
        goldens.len(),
        0,
        "{name}: more is recorded than there are steps"
    );
    outcome
}

/// Returns the lines of the steps of a scenario that run the binary.
pub(super) fn step_lines(name: &str) -> Vec<usize> {
    let file = data("scenarios").join(format!("{name}.scn"));
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let steps = scenario::parse(&text).expect("a scenario").steps;
    let runs = steps
        .iter()
        .filter(|step| matches!(step.action, Action::Run(_)));
    runs.map(|step| step.line).collect()
}

/// Returns the code of an error as the binary prints it.
pub(super) fn error_code(answer: &Value) -> Option<&str> {
    answer.get("error")?.get("code")?.as_str()
}

fn load_goldens(name: &str) -> Vec<Golden> {
    let file = data("goldens").join(format!("{name}.json"));
    let text = fs::read_to_string(file).expect("a golden can be read");
    let goldens: Goldens =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"));
    goldens.steps
}

impl Outcome {
    /// Whether there were steps and none failed.
    pub(super) fn is_clean(&self) -> bool {
        self.passed + self.deviated > 0 && self.failed == 0
    }

    fn fail(&mut self, step: &Step, words: &[String], differences: &[String]) {
        self.failed += 1;
        self.report.push_str(&format!(
            "\n  {}.scn:{}  {}\n    {}",
            self.name,
            step.line,
            words.join(" "),
            differences.join("\n    ")
        ));
    }
}

impl Runner {
    fn new() -> Self {
        let mut home = Home::new(env!("CARGO_BIN_EXE_hzl"));
        let path = fs::canonicalize(home.path()).expect("the home has a path");
        for folder in ["data", "config", "cache", "state", "tmp", "work"] {
            fs::create_dir(path.join(folder)).expect("folders can be made in the home");
        }
        home.set_env("HOME", &path);
        for (name, value) in [("TZ", "UTC"), ("LANG", "C.UTF-8"), ("NO_COLOR", "1")] {
            home.set_env(name, value);
        }
        let mut variables = Variables::default();
        variables.set("home", path.to_str().expect("the home is UTF-8"));
        variables.set("nl", "\n");
        variables.set("tab", "\t");
        Self {
            home,
            path,
            variables,
            ids: Ids::default(),
        }
    }

    fn execute(&mut self, step: &Step, arguments: &[String]) -> Result<Answer, String> {
        let fill = |text: &String| self.variables.fill(text);
        let arguments: Vec<String> = arguments.iter().map(fill).collect::<Result<_, _>>()?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let directory = step.directory.as_ref().map(fill).transpose()?;
        let environment: Vec<(&String, String)> = step
            .environment
            .iter()
            .map(|(name, value)| Ok((name, fill(value)?)))
            .collect::<Result<_, String>>()?;
        let stdin = step.stdin.as_ref().map(fill).transpose()?;
        // What an earlier step unset is there again.
        for folder in ["data", "config", "cache", "state"] {
            let name = format!("XDG_{}_HOME", folder.to_uppercase());
            self.home.set_env(name, self.path.join(folder));
        }
        self.home.set_env("TMPDIR", self.path.join("tmp"));
        for name in &step.unset {
            self.home.remove_env(name);
        }
        thread::sleep(GAP);
        let mut call = self
            .home
            .call(&arguments)
            .current_dir(self.path.join(directory.as_deref().unwrap_or("work")));
        for (name, value) in environment {
            call = call.env(name, value);
        }
        if let Some(stdin) = stdin {
            call = call.stdin(stdin);
        }
        let run = call.run();
        let stdout = self.clean(&run.stdout);
        let (kind, value) = read(&stdout, step.compared);
        if matches!(kind, Kind::Json | Kind::Error) {
            // Also that it fits its schema.
            drop(run.json());
        }
        Ok(Answer {
            exit: run.exit,
            stderr: self.clean(&run.stderr),
            stdout,
            kind,
            value,
        })
    }

    fn clean(&self, text: &str) -> String {
        text.replace(self.path.to_str().expect("the home is UTF-8"), "<home>")
    }

    /// Returns how an answer differs from what the scenario says and what is recorded.
    fn check(&mut self, step: &Step, golden: &Golden, answer: &Answer) -> Vec<String> {
        let mut found = Vec::new();
        let ended_well = match step.exit {
            Exit::Ok => answer.exit == 0,
            Exit::Error => answer.exit != 0,
            Exit::Code(code) => answer.exit == code,
        };
        if !ended_well {
            found.push(format!(
                "exit: expected {:?}, got {}",
                step.exit, answer.exit
            ));
        }
        for (texts, output, name, wanted) in [
            (&step.has, &answer.stdout, "stdout", true),
            (&step.stderr_has, &answer.stderr, "stderr", true),
            (&step.absent, &answer.stdout, "stdout", false),
        ] {
            for text in texts {
                match self.variables.fill(text).map(|text| self.clean(&text)) {
                    Ok(text) if output.contains(&text) == wanted => {}
                    Ok(text) if wanted => found.push(format!("{name}: does not contain {text:?}")),
                    Ok(text) => found.push(format!("{name}: must not contain {text:?}")),
                    Err(reason) => found.push(reason),
                }
            }
        }
        for (place, offset) in &step.near {
            let time = path::find(&answer.value, place).and_then(Value::as_str);
            let expected = variables::time_at(offset).expect("an offset");
            match time.and_then(Timestamp::parse) {
                Some(time) if time.millis().abs_diff(expected.millis()) <= NEAR_MS => {}
                Some(time) => found.push(format!("{place}: expected now{offset}, got {time}")),
                None => found.push(format!("{place}: expected a time, about now{offset}")),
            }
        }
        if step.compared == Compared::Json && answer.kind != Kind::Json {
            found.push("stdout: expected JSON".to_owned());
        }
        for (name, place) in &step.captures {
            match path::find(&answer.value, place) {
                Some(Value::String(text)) => self.variables.set(name, text),
                Some(value) => self.variables.set(name, value.to_string()),
                None => found.push(format!("capture {name}: no {place} in the output")),
            }
        }
        self.compare(step, golden, answer, &mut found);
        found
    }

    fn compare(&mut self, step: &Step, golden: &Golden, answer: &Answer, found: &mut Vec<String>) {
        if golden.kind == Kind::None {
            return;
        }
        if golden.exit == "error" {
            if answer.exit == 0 {
                found.push("exit: expected a failure, got 0".to_owned());
            }
            return;
        }
        if golden.exit != answer.exit {
            found.push(format!(
                "exit: expected {}, got {}",
                golden.exit, answer.exit
            ));
        }
        let comparer = Comparer::new(step);
        match golden.kind {
            Kind::Json | Kind::Ndjson if answer.kind != golden.kind => found.push(format!(
                "stdout: expected {:?}, got {:?}",
                golden.kind, answer.kind
            )),
            Kind::Json | Kind::Ndjson => found.extend(comparer.differences(
                &golden.stdout,
                &answer.value,
                &[],
                &mut self.ids,
            )),
            Kind::Error if error_code(&answer.value) != Some(&golden.code) => {
                let actual = error_code(&answer.value);
                found.push(format!(
                    "error.code: expected {:?}, got {actual:?}",
                    golden.code
                ));
            }
            Kind::Error => {
                for (place, expected) in &golden.also {
                    let parts = path::parse(place);
                    match path::find(&answer.value, place) {
                        Some(actual) => found.extend(comparer.differences(
                            expected,
                            actual,
                            &parts,
                            &mut self.ids,
                        )),
                        None => found.push(format!("{place}: missing; expected {expected}")),
                    }
                }
            }
            Kind::Text => self.compare_lines(golden, answer, found),
            Kind::Empty if step.strict && answer.kind != Kind::Empty => {
                found.push("stdout: expected nothing".to_owned());
            }
            Kind::Prose if answer.kind == Kind::Empty => {
                found.push("stdout: expected some text, got nothing".to_owned());
            }
            Kind::Empty | Kind::Prose | Kind::Exit | Kind::None => {}
        }
    }

    fn compare_lines(&mut self, golden: &Golden, answer: &Answer, found: &mut Vec<String>) {
        let expected = golden
            .stdout
            .as_array()
            .expect("recorded text is a list of lines");
        let (more, fewer) = (answer.stdout.lines().count(), expected.len());
        if more != fewer {
            found.push(format!("stdout: expected {fewer} lines, got {more}"));
        }
        for ((expected, actual), number) in expected.iter().zip(answer.stdout.lines()).zip(1..) {
            let expected = expected.as_str().expect("a recorded line is text");
            if !self.ids.matches(expected, actual) {
                let expected = self.ids.render(expected);
                found.push(format!(
                    "line {number}: expected {expected:?}, got {actual:?}"
                ));
            }
        }
    }
}

/// Says what standard output is and reads it.
fn read(stdout: &str, compared: Compared) -> (Kind, Value) {
    let lines = || stdout.lines().filter(|line| !line.trim().is_empty());
    let json = match compared {
        Compared::Text => return (Kind::Text, Value::Null),
        Compared::Ndjson => lines()
            .map(serde_json::from_str::<Value>)
            .collect::<Result<_, _>>(),
        _ if lines().next().is_none() => return (Kind::Empty, Value::Null),
        _ => serde_json::from_str(stdout),
    };
    match (json, compared) {
        (Ok(values), Compared::Ndjson) => (Kind::Ndjson, values),
        (Ok(value), _) => (Kind::Json, value),
        (Err(_), _) => (Kind::Text, Value::Null),
    }
}

#[test]
fn what_is_not_declared_fails_and_what_is_must_differ() {
    let deviations = super::deviations::load();
    let declared = run("block_unblock", &deviations);
    assert!(declared.is_clean() && declared.deviated > 0, "{declared}");

    let undeclared = run("block_unblock", &[]);
    assert_eq!(undeclared.failed, declared.deviated, "{undeclared}");
    assert_eq!(
        (undeclared.passed, undeclared.deviated),
        (declared.passed, 0)
    );

    let line = step_lines("archive")[0];
    let text = serde_json::json!({"scenario": "archive", "line": line, "reason": "r", "exit": 0});
    let needless = serde_json::from_value(text).expect("a deviation");
    let outcome = run("archive", &[needless]);
    assert_eq!(outcome.failed, 1, "{outcome}");
    assert!(
        outcome.to_string().contains("drop it from the list"),
        "{outcome}"
    );
}
