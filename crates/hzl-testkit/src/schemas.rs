//! Every JSON answer that a test reads is checked against the schema the binary prints for it.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use jsonschema::Validator;
use serde_json::Value;

/// The most words a command has.
const WORDS: usize = 3;

/// The schemas of one binary, by command.
struct Schemas {
    commands: HashMap<String, Validator>,
    error: Validator,
}

/// Checks an answer of the binary against the schema of the command. A stand-in for `hzl` has none.
///
/// # Errors
///
/// What does not fit: also a key that the schema does not know.
pub fn check(binary: &Path, arguments: &[String], answer: &Value) -> Result<(), String> {
    if binary.file_name().is_none_or(|name| name != "hzl") {
        return Ok(());
    }
    static LOADED: OnceLock<Mutex<HashMap<PathBuf, &'static Schemas>>> = OnceLock::new();
    let schemas = {
        let loaded = LOADED.get_or_init(Mutex::default);
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        *loaded
            .entry(binary.to_owned())
            .or_insert_with(|| Box::leak(Box::new(load(binary))))
    };
    let validator = if answer["ok"] == false && answer["error"].is_object() {
        &schemas.error
    } else {
        match command(arguments, schemas) {
            Some(validator) => validator,
            None => return Ok(()),
        }
    };
    let problems: Vec<String> = validator
        .iter_errors(answer)
        .map(|error| format!("{} at `{}`", error, error.instance_path()))
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the answer does not fit `hzl schema`: {}\n{answer}",
        problems.join("; ")
    ))
}

/// Finds the command in a line: options may stand before it.
fn command<'a>(arguments: &[String], schemas: &'a Schemas) -> Option<&'a Validator> {
    (0..arguments.len()).find_map(|start| {
        (1..=WORDS).rev().find_map(|count| {
            let words = arguments.get(start..start + count)?;
            schemas.commands.get(&words.join(" "))
        })
    })
}

fn load(binary: &Path) -> Schemas {
    let output = Command::new(binary)
        .arg("schema")
        .output()
        .expect("the binary starts");
    let mut all: Value = serde_json::from_slice(&output.stdout).expect("schemas are JSON");
    close(&mut all);
    let compile = |schema: &Value| jsonschema::validator_for(schema).expect("a schema is valid");
    let commands = all["commands"].as_object().expect("there are commands");
    Schemas {
        commands: commands
            .iter()
            .map(|(path, schema)| (path.clone(), compile(schema)))
            .collect(),
        error: compile(&all["error"]),
    }
}

/// Published schemas allow keys of later versions; here a key that nobody declared is a mistake.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(entries) => {
            entries.values_mut().for_each(close);
            let is_schema = entries.get("properties").is_some_and(Value::is_object)
                && entries.contains_key("type");
            if is_schema {
                entries
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
        }
        _ => {}
    }
}
