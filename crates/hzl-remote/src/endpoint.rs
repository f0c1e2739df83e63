//! The address of a cloud database, checked before anything is sent there.
//!
//! Invariants of an [`Endpoint`]: it is `https`, or `http` to this machine (or was explicitly
//! allowed); it holds no credentials, so it may be shown and stored anywhere.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

/// The route of the Hrana pipeline, version 2: the one that every known server has.
const PIPELINE_ROUTE: &str = "/v2/pipeline";

/// Whether plain HTTP may leave this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsecureHttp {
    /// Plain HTTP only to a loopback address.
    Refused,
    /// The user asked for it.
    Allowed,
}

/// A database server, as `https://HOST[:PORT][/PREFIX]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    host: String,
    secure: bool,
}

impl Endpoint {
    /// Reads `libsql://`, `https://` and `http://` addresses; `libsql` means `https`.
    ///
    /// # Errors
    ///
    /// When the address is of another kind, holds credentials, or would send a token over the
    /// network unencrypted. No message repeats credentials.
    pub fn parse(url: &str, insecure_http: InsecureHttp) -> Result<Self, EndpointError> {
        let url = url.trim();
        if url.is_empty() {
            return Err(EndpointError::Empty);
        }
        let (scheme, rest) = url.split_once("://").ok_or(EndpointError::NoScheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "libsql" | "https" => true,
            "http" => false,
            _ => {
                return Err(EndpointError::Scheme {
                    scheme: printable_scheme(scheme),
                });
            }
        };
        let authority_length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_length);
        if authority.contains('@') {
            return Err(EndpointError::Credentials);
        }
        if let Some((_, query)) = path.split_once('?') {
            let query = query.to_ascii_lowercase();
            return Err(
                if ["token", "jwt", "key", "auth"]
                    .iter()
                    .any(|word| query.contains(word))
                {
                    EndpointError::Credentials
                } else {
                    EndpointError::Query
                },
            );
        }
        if path.contains('#') {
            return Err(EndpointError::Query);
        }
        let scheme = if secure { "https" } else { "http" };
        let path = path.trim_end_matches('/');
        let base = format!("{scheme}://{}{path}", authority.to_ascii_lowercase());
        let uri: Uri = base.parse().map_err(|_| EndpointError::Malformed)?;
        // `Uri` takes "host:" and "host:99999" for authorities without a port.
        let host = match uri.authority() {
            Some(authority) if !authority.host().is_empty() => authority.host().to_owned(),
            _ => return Err(EndpointError::Malformed),
        };
        let port = authority.get(host.len()..).unwrap_or_default();
        if !port.is_empty() && uri.port_u16().is_none_or(|port| port == 0) {
            return Err(EndpointError::Malformed);
        }
        if !secure && insecure_http == InsecureHttp::Refused && !is_loopback(&host) {
            return Err(EndpointError::Insecure { host });
        }
        Ok(Self { base, host, secure })
    }

    /// Returns the address for messages, `status` and logs. It holds nothing secret.
    #[must_use]
    pub fn redacted(&self) -> &str {
        &self.base
    }

    /// Returns the host without port, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether the connection is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns whether the host is this machine, by address or as `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns where requests go: the address with `/v2/pipeline` behind its path.
    #[must_use]
    pub fn pipeline_url(&self) -> String {
        format!("{}{PIPELINE_ROUTE}", self.base)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.redacted())
    }
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is nothing in it.
    #[error("the sync URL is empty")]
    Empty,
    /// It does not start with `libsql://` or the like.
    #[error("the sync URL has no scheme")]
    NoScheme,
    /// It starts with something we do not speak.
    #[error("the sync URL has the scheme {scheme}, which is not supported")]
    Scheme {
        /// The scheme, safe to print.
        scheme: String,
    },
    /// Host, port or path cannot be understood.
    #[error("the sync URL is malformed")]
    Malformed,
    /// A user name, password or token is part of it.
    #[error("the sync URL holds credentials")]
    Credentials,
    /// It has a `?query` or a `#fragment`.
    #[error("the sync URL has a query or fragment part")]
    Query,
    /// It would send the token over the network in the clear.
    #[error("the sync URL uses plain HTTP to {host}, which is not this machine")]
    Insecure {
        /// The host it names.
        host: String,
    },
}

impl EndpointError {
    /// Returns what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoScheme | Self::Scheme { .. } | Self::Malformed => {
                "use an address like libsql://NAME.turso.io or https://HOST:PORT"
            }
            Self::Credentials => {
                "give the token separately, as HZL_SYNC_TOKEN or in the configuration, \
                 and replace it if the URL was visible to others"
            }
            Self::Query => "remove everything from the ? or # on",
            Self::Insecure { .. } => {
                "use https://, or allow plain HTTP explicitly if the network is trusted"
            }
        }
    }
}

/// Whether the host is this machine for certain. Other spellings that systems may resolve to it
/// (`127.1`, `0x7f.1`, `x.localhost`) do not count.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Returns the scheme if it can be one, so that no part of a mistyped secret is repeated.
fn printable_scheme(scheme: &str) -> String {
    let plausible = scheme.len() <= 16
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if plausible {
        scheme.to_owned()
    } else {
        "(unreadable)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(url, InsecureHttp::Refused)
    }

    #[test]
    fn good_addresses_become_pipeline_urls() {
        for (url, expected) in [
            (
                "libsql://db-me.turso.io",
                "https://db-me.turso.io/v2/pipeline",
            ),
            (
                "  LIBSQL://DB.Turso.IO/ \n",
                "https://db.turso.io/v2/pipeline",
            ),
            (
                "https://db.example:8443",
                "https://db.example:8443/v2/pipeline",
            ),
            (
                "https://example.com/a/B/",
                "https://example.com/a/B/v2/pipeline",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v2/pipeline"),
            ("http://127.9.9.9", "http://127.9.9.9/v2/pipeline"),
            ("http://localhost:8080", "http://localhost:8080/v2/pipeline"),
            ("http://LOCALHOST", "http://localhost/v2/pipeline"),
            ("http://[::1]:8080", "http://[::1]:8080/v2/pipeline"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]/v2/pipeline"),
        ] {
            let endpoint = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(endpoint.pipeline_url(), expected, "{url}");
            assert_eq!(format!("{endpoint}/v2/pipeline"), expected, "{url}");
        }
    }

    #[test]
    fn bad_addresses_are_refused() {
        let scheme = |scheme: &str| EndpointError::Scheme {
            scheme: scheme.to_owned(),
        };
        for (url, expected) in [
            ("", EndpointError::Empty),
            (" \n", EndpointError::Empty),
            ("db.turso.io", EndpointError::NoScheme),
            ("localhost:8080", EndpointError::NoScheme),
            ("ws://127.0.0.1", scheme("ws")),
            ("wss://db.turso.io", scheme("wss")),
            ("file:///tmp/x.db", scheme("file")),
            ("postgres://me:pw@db", scheme("postgres")),
            ("eyJhbGciOi.s3cr3t!://x", scheme("(unreadable)")),
            ("https://", EndpointError::Malformed),
            ("https:///x", EndpointError::Malformed),
            ("https://:443", EndpointError::Malformed),
            ("https://a b", EndpointError::Malformed),
            ("https://a/b c", EndpointError::Malformed),
            ("https://a\nb", EndpointError::Malformed),
            ("https://host:99999", EndpointError::Malformed),
            ("https://host:0", EndpointError::Malformed),
            ("https://host:", EndpointError::Malformed),
            ("https://host:12x", EndpointError::Malformed),
            ("https://[::1", EndpointError::Malformed),
            ("https://me:s3cr3t@db", EndpointError::Credentials),
            ("https://s3cr3t@db", EndpointError::Credentials),
            ("libsql://db?authToken=s3cr3t", EndpointError::Credentials),
            ("libsql://db/?AUTHTOKEN=s3cr3t", EndpointError::Credentials),
            ("libsql://db?jwt=s3cr3t", EndpointError::Credentials),
            ("libsql://db?tls=0", EndpointError::Query),
            ("libsql://db#x", EndpointError::Query),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error, expected, "{url}");
            assert!(
                !format!("{error}{error:?}{}", error.hint()).contains("s3cr3t"),
                "{url}"
            );
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_allowed() {
        for host in [
            "example.com",
            "192.168.0.1",
            "0.0.0.0",
            "127.1",
            "0x7f.1",
            "2130706433",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "[::2]",
        ] {
            let url = format!("http://{host}:8080");
            let error = parse(&url).expect_err(host);
            assert_eq!(
                error,
                EndpointError::Insecure {
                    host: host.to_owned()
                }
            );
            let allowed = Endpoint::parse(&url, InsecureHttp::Allowed).expect(host);
            assert!(!allowed.is_secure() && !allowed.is_loopback());
        }
    }
}
