//! Reads typed values out of JSON and remembers the path, so that an error can name the key.

use serde_json::Map;
use serde_json::Value;

use super::BadKey;
use crate::secret;
use crate::secret::Secret;

/// An object in the config file, or its absence.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// Path of the object, empty or ending with a dot.
    prefix: String,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn root(object: &'a Map<String, Value>) -> Self {
        Self {
            prefix: String::new(),
            object: Some(object),
        }
    }

    pub(crate) fn object(&self, key: &str) -> Result<Self, BadKey> {
        let object = match self.value(key) {
            None => None,
            Some(Value::Object(object)) => Some(object),
            Some(other) => return Err(self.bad(key, "an object", Some(other))),
        };
        Ok(Self {
            prefix: format!("{}{key}.", self.prefix),
            object,
        })
    }

    /// Reads a text that is not empty.
    pub(crate) fn string(&self, key: &str) -> Result<Option<String>, BadKey> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(self.bad(key, "a text that is not empty", Some(other))),
        }
    }

    /// Reads a text that is not shown when it is wrong.
    pub(crate) fn secret(&self, key: &str) -> Result<Option<Secret>, BadKey> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(secret::trimmed(text))),
            Some(_) => Err(self.bad(key, "a text that is not empty", None)),
        }
    }

    /// Reads an object whose values are texts that are not shown.
    pub(crate) fn secrets(&self, key: &str) -> Result<Vec<(String, Secret)>, BadKey> {
        let inner = self.object(key)?;
        let Some(object) = inner.object else {
            return Ok(Vec::new());
        };
        let pairs = object.iter().map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), secret::trimmed(text))),
            _ => Err(inner.bad(name, "a text", None)),
        });
        pairs.collect()
    }

    /// Reads an object as it is.
    pub(crate) fn map(&self, key: &str) -> Result<Option<Map<String, Value>>, BadKey> {
        Ok(self.object(key)?.object.cloned())
    }

    /// The error of a value that is not shown.
    pub(crate) fn refused(&self, key: &str, problem: &str) -> BadKey {
        BadKey {
            key: format!("{}{key}", self.prefix),
            problem: problem.to_owned(),
        }
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, BadKey> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.bad(key, "true or false", Some(other))),
        }
    }

    /// Reads a whole number, at least `min`.
    pub(crate) fn integer(&self, key: &str, min: u64) -> Result<Option<u64>, BadKey> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.as_u64().filter(|number| *number >= min) {
            Some(number) => Ok(Some(number)),
            None => Err(self.bad(key, &format!("a whole number, at least {min}"), Some(value))),
        }
    }

    /// Reads one of these names.
    pub(crate) fn one_of<T: Copy>(
        &self,
        key: &str,
        names: &[(&str, T)],
    ) -> Result<Option<T>, BadKey> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let found = names.iter().find(|(name, _)| value.as_str() == Some(name));
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            self.bad(key, &format!("one of {}", names.join(", ")), Some(value))
        })
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.object?.get(key).filter(|value| !value.is_null())
    }

    fn bad(&self, key: &str, expected: &str, shown: Option<&Value>) -> BadKey {
        const LONGEST_SHOWN: usize = 40;
        let found = shown
            .map(ToString::to_string)
            .filter(|text| text.len() <= LONGEST_SHOWN)
            .map_or_else(String::new, |text| format!(", not {text}"));
        BadKey {
            key: format!("{}{key}", self.prefix),
            problem: format!("must be {expected}{found}"),
        }
    }
}
