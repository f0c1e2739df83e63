//! What can go wrong between us and a server, sorted by what has to be done about it.
//!
//! Invariant: texts that came from a server are shortened, free of control characters and of the
//! token before they get into an error.

mod sql;

use std::fmt;
use std::time::Duration;

use crate::endpoint::EndpointError;
use crate::secret::Secret;

pub use self::sql::SqlError;
pub use self::sql::SqlErrorKind;

/// How much of a server's text is kept, in characters.
const TEXT_LIMIT_CHARS: usize = 300;

/// Why there is no usable reply.
///
/// Whether the request had an effect is known only for the refusals ([`RemoteError::Unauthorized`]
/// and the like: it had none). After a timeout or a broken connection it may have had one.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address cannot be used.
    #[error(transparent)]
    BadUrl(#[from] EndpointError),
    /// There is no connection, or it broke before the reply was complete.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// The host of the endpoint.
        host: String,
        /// What exactly failed.
        cause: Unreachability,
        /// The error of the network layer.
        source: ureq::Error,
    },
    /// The reply did not come in time.
    #[error("{host} {phase} within {limit:?}")]
    Timeout {
        /// The host of the endpoint.
        host: String,
        /// What was waited for.
        phase: Phase,
        /// How long it was waited for.
        limit: Duration,
    },
    /// No encrypted connection could be made: wrong, unknown or expired certificate, or no TLS.
    #[error("{host} cannot be trusted: {reason}")]
    Tls {
        /// The host of the endpoint.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// 401: the token is missing, invalid or expired.
    #[error("the server does not accept the token: {message}")]
    Unauthorized {
        /// What the server said.
        message: String,
    },
    /// 403: the token does not allow this. Reading may still be allowed.
    #[error("the token does not permit this: {message}")]
    Forbidden {
        /// What the server said.
        message: String,
    },
    /// 404: no such database, or not for this token, or not a database server at all.
    #[error("there is no such database on the server: {message}")]
    NotFound {
        /// What the server said.
        message: String,
    },
    /// 400 and the other refusals of a request as such.
    #[error("the server rejects the request (HTTP status {status}): {message}")]
    BadRequest {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// 429: too many requests.
    #[error("the server asks to slow down: {message}")]
    Throttled {
        /// What the server said.
        message: String,
        /// How long the server wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// 5xx: the server has a problem.
    #[error("the server failed (HTTP status {status}): {message}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// 3xx: the database is said to be elsewhere. Redirects are not followed.
    #[error("the server redirects to {location} (HTTP status {status})")]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where it points, without the query part.
        location: String,
    },
    /// The batch was refused as a whole. Its first steps may have been done nevertheless.
    #[error("the server refuses the batch: {0}")]
    BatchRefused(#[source] SqlError),
    /// The reply is not what a Hrana server sends.
    #[error("the reply of {host} cannot be understood: {reason}")]
    BadReply {
        /// The host of the endpoint.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The reply is larger than is read. A smaller page may do.
    #[error("the reply of {host} is larger than {limit} bytes")]
    ReplyTooLarge {
        /// The host of the endpoint.
        host: String,
        /// The most that is read.
        limit: u64,
    },
}

impl RemoteError {
    /// Returns whether trying again is pointless until somebody changes the configuration.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::BadUrl(_)
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Redirect { .. } => true,
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::BadRequest { .. }
            | Self::Throttled { .. }
            | Self::Server { .. }
            | Self::BatchRefused(_)
            | Self::BadReply { .. }
            | Self::ReplyTooLarge { .. } => false,
        }
    }

    /// Returns whether the same request may fail for ever where a smaller one gets through: the line is
    /// slow, or something on it breaks long transfers.
    #[must_use]
    pub fn may_be_too_much(&self) -> bool {
        matches!(
            self,
            Self::Timeout {
                phase: Phase::Reply,
                ..
            } | Self::Unreachable {
                cause: Unreachability::Closed,
                ..
            } | Self::Server { status: 504, .. }
                | Self::BadRequest { status: 408, .. }
        )
    }

    /// Returns the stable name of this kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl(_) => "bad_url",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Tls { .. } => "tls",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::BadRequest { .. } => "bad_request",
            Self::Throttled { .. } => "throttled",
            Self::Server { .. } => "server_error",
            Self::Redirect { .. } => "redirected",
            Self::BatchRefused(_) => "batch_refused",
            Self::BadReply { .. } | Self::ReplyTooLarge { .. } => "bad_reply",
        }
    }
}

/// Why a host cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachability {
    /// Its name does not resolve.
    UnknownHost,
    /// Nothing listens there.
    Refused,
    /// There is no way to it: this machine is offline, or the network is cut.
    NoRoute,
    /// The connection was closed in the middle.
    Closed,
    /// The proxy does not let us through, or its setting is invalid.
    Proxy,
    /// Something else; the source tells.
    Other,
}

impl fmt::Display for Unreachability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownHost => "its name cannot be resolved",
            Self::Refused => "the connection is refused",
            Self::NoRoute => "there is no route to it",
            Self::Closed => "the connection was closed",
            Self::Proxy => "the proxy cannot be used",
            Self::Other => "the connection failed",
        })
    }
}

/// What was waited for when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The addresses of the host. Nothing was sent.
    Resolve,
    /// A connection, TLS included. Nothing was sent.
    Connect,
    /// The complete reply.
    Reply,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "was not resolved to an address",
            Self::Connect => "did not accept a connection",
            Self::Reply => "did not answer",
        })
    }
}

/// Makes a server's text fit to be shown: token masked, control and invisible characters escaped,
/// shortened to 300 characters.
pub(crate) fn clean(text: &str, token: Option<&Secret>) -> String {
    let masked = token.map_or_else(|| text.to_owned(), |token| token.mask(text));
    let mut cleaned = String::new();
    for (count, c) in masked.trim().chars().enumerate() {
        if count == TEXT_LIMIT_CHARS {
            cleaned.push('…');
            break;
        }
        if c.is_control() {
            cleaned.extend(c.escape_default());
        } else if is_invisible(c) {
            cleaned.extend(c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

/// Characters that print nothing or reorder what is printed around them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_texts_are_made_harmless() {
        let token = Secret::new("tok3n");
        assert_eq!(
            clean(" bad tok3n\r\n\u{1b}[31m ", Some(&token)),
            "bad <redacted>\\r\\n\\u{1b}[31m"
        );
        assert_eq!(clean("a\u{202e}b\u{9b}", None), "a\\u{202e}b\\u{9b}");
        assert_eq!(clean("größer ✓", None), "größer ✓");
        let long = clean(&"x".repeat(5000), None);
        assert_eq!(long.chars().count(), TEXT_LIMIT_CHARS + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn masking_comes_before_shortening() {
        let text = format!("{}tok3n", "x".repeat(TEXT_LIMIT_CHARS - 2));
        assert!(!clean(&text, Some(&Secret::new("tok3n"))).contains("to"));
    }

    #[test]
    fn only_what_needs_a_change_of_configuration_is_permanent() {
        let message = String::new;
        let host = String::new;
        for (error, permanent, code) in [
            (RemoteError::BadUrl(EndpointError::Empty), true, "bad_url"),
            (
                RemoteError::Unauthorized { message: message() },
                true,
                "unauthorized",
            ),
            (
                RemoteError::Forbidden { message: message() },
                true,
                "forbidden",
            ),
            (
                RemoteError::NotFound { message: message() },
                true,
                "not_found",
            ),
            (
                RemoteError::Tls {
                    host: host(),
                    reason: message(),
                },
                true,
                "tls",
            ),
            (
                RemoteError::Redirect {
                    status: 302,
                    location: message(),
                },
                true,
                "redirected",
            ),
            (
                RemoteError::Throttled {
                    message: message(),
                    retry_after: None,
                },
                false,
                "throttled",
            ),
            (
                RemoteError::Server {
                    status: 503,
                    message: message(),
                },
                false,
                "server_error",
            ),
            (
                RemoteError::BadRequest {
                    status: 400,
                    message: message(),
                },
                false,
                "bad_request",
            ),
            (
                RemoteError::BadReply {
                    host: host(),
                    reason: message(),
                },
                false,
                "bad_reply",
            ),
            (
                RemoteError::Timeout {
                    host: host(),
                    phase: Phase::Reply,
                    limit: Duration::from_secs(10),
                },
                false,
                "timeout",
            ),
            (
                RemoteError::Unreachable {
                    host: host(),
                    cause: Unreachability::UnknownHost,
                    source: ureq::Error::HostNotFound,
                },
                false,
                "unreachable",
            ),
        ] {
            assert_eq!(
                (error.is_permanent(), error.code()),
                (permanent, code),
                "{error:?}"
            );
        }
    }
}
