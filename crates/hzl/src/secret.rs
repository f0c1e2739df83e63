//! Text that must not be shown: tokens, keys, passwords in addresses.
//!
//! A [`Secret`] has no `Serialize`; its `Debug` and `Display` say nothing. Whatever is printed about
//! a failure passes through [`Redactor::mask`], because servers and parsers echo what they were
//! given.

pub(crate) use hzl_remote::secret::Secret;

/// Stands where a secret stood.
pub(crate) const MASK: &str = "***";

/// Shorter texts are not searched for: replacing every `a` would make a message unreadable.
const SHORTEST_SEARCHED: usize = 4;

/// Wraps a token, key or password, without the white space around it.
pub(crate) fn trimmed(text: &str) -> Secret {
    Secret::new(text.trim())
}

/// Every secret this process has met, to keep them out of what it prints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// Remembers a secret.
    pub(crate) fn add(&mut self, secret: Secret) {
        if secret.expose().len() >= SHORTEST_SEARCHED {
            self.secrets.push(secret);
        }
    }

    /// Remembers the password and the token parameters of an address, if it has any.
    pub(crate) fn add_url(&mut self, url: &str) {
        let Some((_, rest)) = url.split_once("://") else {
            return;
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((user_info, _)) = authority.rsplit_once('@') {
            let password = user_info
                .split_once(':')
                .map_or(user_info, |(_, word)| word);
            self.add(trimmed(password));
        }
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query
            .split(['&', '#'])
            .filter_map(|pair| pair.split_once('='))
        {
            if is_sensitive(name) {
                self.add(trimmed(value));
            }
        }
    }

    /// Returns the text with every known secret replaced.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), MASK)
        })
    }
}

/// Returns an address without the parts that can hold a secret: user, password, query, fragment.
/// For addresses that cannot be parsed; not even a scheme is needed.
pub(crate) fn bare_url(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (bare, cut) = rest.split_at(end);
    // A password may hold a slash, so the last `@` counts.
    let (user, bare) = match bare.rsplit_once('@') {
        Some((_, host)) => (format!("{MASK}@"), host),
        None => (String::new(), bare),
    };
    let tail = cut
        .chars()
        .next()
        .map_or_else(String::new, |sign| format!("{sign}{MASK}"));
    format!("{scheme}{user}{bare}{tail}")
}

/// Returns whether an option, parameter or key of this name holds a secret.
pub(crate) fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Parts of words, so that a misspelt `--auth-tokn` does not print what follows it.
    ["tok", "tkn", "secret", "passw", "jwt", "key", "auth-"]
        .iter()
        .any(|word| name.contains(word))
}

/// Returns the values in a command line that belong to options for secrets, misspelt ones included,
/// and whatever looks like a signed token.
pub(crate) fn find_in_arguments(arguments: &[String]) -> Vec<String> {
    let positions = arguments.iter().enumerate();
    let values = positions.filter_map(|(at, argument)| {
        if looks_like_token(argument) {
            return Some(argument.as_str());
        }
        let option = argument.strip_prefix('-')?;
        let (name, attached) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let value = attached.or_else(|| arguments.get(at + 1).map(String::as_str))?;
        let holds_more = name.contains("url") && value.contains(['@', '?', '#']);
        (is_sensitive(name) || holds_more).then_some(value)
    });
    values
        // A single dash means standard input.
        .filter(|value| !value.is_empty() && *value != "-")
        .map(str::to_owned)
        .collect()
}

/// A signed token (JWT) is three runs of base64url with dots between, the first one an object.
fn looks_like_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.matches('.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_an_address_are_found() {
        let mut redactor = Redactor::default();
        redactor.add_url("libsql://kim:pass-word@db.example.org/x?authToken=ey123456&tls=1");
        let shown =
            redactor.mask("libsql://kim:pass-word@db.example.org/x?authToken=ey123456&tls=1");
        assert_eq!(
            shown,
            "libsql://kim:***@db.example.org/x?authToken=***&tls=1"
        );
    }

    #[test]
    fn an_address_is_bare_without_what_may_be_secret() {
        for (url, bare) in [
            ("http://host:1/x", "http://host:1/x"),
            ("ftp://kim:a/b@host/x", "ftp://***@host/x"),
            ("http://kim@", "http://***@"),
            ("host?authToken=x#y", "host?***"),
            ("kim:pw@host#frag", "***@host#***"),
            ("", ""),
        ] {
            assert_eq!(bare_url(url), bare);
        }
    }

    #[test]
    fn values_of_secret_options_are_found_even_when_misspelt() {
        let found = |line: &str| {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            find_in_arguments(&arguments)
        };
        assert_eq!(found("init --auth-token abc"), ["abc"]);
        assert_eq!(found("init --auth-token=abc --local"), ["abc"]);
        assert_eq!(found("init --auth-tokn abc"), ["abc"]);
        assert_eq!(found("task eyJh.eyJi.sig"), ["eyJh.eyJi.sig"]);
        assert_eq!(found("init --sync-url kim:pw@host"), ["kim:pw@host"]);
        assert!(found("init --sync-url libsql://host").is_empty());
        assert!(found("init --auth-token -").is_empty());
        assert!(found("task add T --author ann").is_empty());
    }

    #[test]
    fn a_very_short_secret_does_not_destroy_the_message() {
        let mut redactor = Redactor::default();
        redactor.add(trimmed("a"));
        redactor.add(trimmed(""));
        assert_eq!(redactor.mask("a bad token"), "a bad token");
    }
}
