//! What the process was started with: variables, working directory, terminals.
//!
//! Taken once at the start and passed on as a value, so that everything that depends on it can be
//! tested without touching the real environment.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::io::IsTerminal as _;
use std::path::Path;
use std::path::PathBuf;

/// Variables, working directory and terminals of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// The directory relative paths start from.
    pub(crate) current_dir: PathBuf,
    /// The home directory, if there is one.
    pub(crate) home: Option<PathBuf>,
    /// Which standard streams are terminals.
    pub(crate) terminals: Terminals,
}

/// Which standard streams are terminals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminals {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

impl Environment {
    /// Takes the environment of this process.
    pub(crate) fn of_this_process() -> Self {
        Self {
            variables: env::vars_os().collect(),
            // A deleted working directory matters only to relative paths, and those then fail.
            current_dir: env::current_dir().unwrap_or_default(),
            home: env::home_dir().filter(|home| home.is_absolute()),
            terminals: Terminals {
                stdin: io::stdin().is_terminal(),
                stdout: io::stdout().is_terminal(),
                stderr: io::stderr().is_terminal(),
            },
        }
    }

    /// Makes an environment for tests: a home, which is also the working directory, and variables.
    #[cfg(test)]
    pub(crate) fn for_tests(home: impl Into<PathBuf>, variables: &[(&str, &str)]) -> Self {
        let home = home.into();
        Self {
            variables: variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            current_dir: home.clone(),
            home: Some(home),
            terminals: Terminals::default(),
        }
    }

    /// Returns a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns a variable that is set, not empty, and text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }

    /// Returns a variable that holds an absolute directory. The XDG specification tells programs
    /// to ignore relative ones.
    pub(crate) fn absolute_path(&self, name: &str) -> Option<&Path> {
        self.get(name)
            .map(Path::new)
            .filter(|path| path.is_absolute())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment = Environment::for_tests("/home/ada", &[("A", ""), ("B", "x")]);
        assert_eq!(environment.text("A"), None);
        assert_eq!(environment.text("B"), Some("x"));
        assert_eq!(environment.absolute_path("B"), None);
    }
}
