//! One HTTP request and its reply, within limits.
//!
//! Blocking, with a deadline on everything. The token goes into the `Authorization` header of the
//! one request to the one endpoint and nowhere else: redirects are not followed, proxies only ever
//! tunnel. Certificates are judged by the platform, so company certificate authorities work.

use std::io;
use std::time::Duration;

use ureq::Agent;
use ureq::Proxy;
use ureq::http::HeaderMap;
use ureq::http::HeaderValue;
use ureq::http::header;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;

use crate::endpoint::Endpoint;
use crate::error::Phase;
use crate::error::RemoteError;
use crate::error::Unreachability;
use crate::error::clean;
use crate::resolve::Names;
use crate::secret::Secret;

/// The largest reply that is read: what is made of it takes several times as much memory. Any one row fits, also
/// when each character of its 1 MiB of data is escaped twice; a page that does not is asked for in parts.
const REPLY_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// How much of the reply is read when only its error message matters.
const ERROR_LIMIT_BYTES: u64 = 64 * 1024;
const USER_AGENT: &str = concat!("hzl/", env!("CARGO_PKG_VERSION"));

/// How long to wait for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection: tunnel and TLS included, name resolution on top.
    pub connect: Duration,
    /// For everything, from resolving the name to the last byte of the reply.
    pub total: Duration,
}

impl Timeouts {
    /// When nobody waits: 3 s to connect, 10 s in all.
    pub const BACKGROUND: Self = Self {
        connect: Duration::from_secs(3),
        total: Duration::from_secs(10),
    };
    /// When a command waits: 2 s to connect, 3 s in all.
    pub const FOREGROUND: Self = Self {
        connect: Duration::from_secs(2),
        total: Duration::from_secs(3),
    };
}

/// A successful reply, or one whose failure only the protocol above can judge.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The body of a 2xx reply.
    Body(Vec<u8>),
    /// A 500, which may be a matter of dialect, with its cleaned message.
    InternalError(String),
}

/// A connection to one endpoint, kept open between requests where the server allows it.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    endpoint: Endpoint,
    url: String,
    token: Option<Secret>,
    timeouts: Timeouts,
}

impl Http {
    pub(crate) fn new(endpoint: Endpoint, token: Option<Secret>, timeouts: Timeouts) -> Self {
        // What stays on this machine needs no proxy, and the proxy could read it.
        let proxy = if endpoint.is_loopback() {
            None
        } else {
            Proxy::try_from_env()
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(endpoint.is_secure())
            .max_redirects(0)
            .proxy(proxy)
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            )
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_global(Some(timeouts.total))
            .user_agent(USER_AGENT)
            .build();
        let names = Names::of_the_system();
        let agent = Agent::with_parts(config, DefaultConnector::new(), names);
        let url = endpoint.pipeline_url();
        Self {
            agent,
            endpoint,
            url,
            token,
            timeouts,
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Posts a JSON body.
    pub(crate) fn post(&self, body: &[u8]) -> Result<Reply, RemoteError> {
        let mut request = self
            .agent
            .post(&self.url)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, authorization(token)?);
        }
        let mut response = request.send(body).map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        let is_success = response.status().is_success();
        let limit = if is_success {
            REPLY_LIMIT_BYTES
        } else {
            ERROR_LIMIT_BYTES
        };
        let headers = response.headers().clone();
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        if is_success {
            return body.map(Reply::Body).map_err(|error| self.failure(error));
        }
        // The status alone says enough if the message is endless or cut off.
        let message = error_message(&body.unwrap_or_default());
        let message = clean(&message, self.token());
        Err(match status {
            500 => return Ok(Reply::InternalError(message)),
            300..=399 => RemoteError::Redirect {
                status,
                location: self.location(&headers),
            },
            401 => RemoteError::Unauthorized { message },
            403 => RemoteError::Forbidden { message },
            404 => RemoteError::NotFound { message },
            429 => RemoteError::Throttled {
                message,
                retry_after: retry_after(&headers),
            },
            501.. => RemoteError::Server { status, message },
            _ => RemoteError::BadRequest { status, message },
        })
    }

    /// Returns where a redirect points, without what may be confidential in it.
    fn location(&self, headers: &HeaderMap) -> String {
        let location = headers
            .get(header::LOCATION)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        let location = String::from_utf8_lossy(location);
        let location = location.split(['?', '#']).next().unwrap_or_default();
        if location.is_empty() {
            "nowhere".to_owned()
        } else {
            clean(location, self.token())
        }
    }

    fn failure(&self, error: ureq::Error) -> RemoteError {
        let host = self.endpoint.host().to_owned();
        let unreachable = |cause, source| RemoteError::Unreachable {
            host: host.clone(),
            cause,
            source,
        };
        match error {
            ureq::Error::Timeout(timeout) => {
                let (phase, limit) = match timeout {
                    ureq::Timeout::Resolve => (Phase::Resolve, self.timeouts.connect),
                    ureq::Timeout::Connect => (Phase::Connect, self.timeouts.connect),
                    _ => (Phase::Reply, self.timeouts.total),
                };
                RemoteError::Timeout { host, phase, limit }
            }
            ureq::Error::Io(error) => self.io_failure(error),
            ureq::Error::HostNotFound => {
                unreachable(Unreachability::UnknownHost, ureq::Error::HostNotFound)
            }
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
                unreachable(Unreachability::Proxy, error)
            }
            ureq::Error::Rustls(_)
            | ureq::Error::Tls(_)
            | ureq::Error::Pem(_)
            | ureq::Error::TlsRequired => RemoteError::Tls {
                host,
                reason: clean(&error.to_string(), self.token()),
            },
            ureq::Error::BodyExceedsLimit(limit) => RemoteError::ReplyTooLarge { host, limit },
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                RemoteError::BadReply {
                    host,
                    reason: clean(&error.to_string(), self.token()),
                }
            }
            other => unreachable(Unreachability::Other, other),
        }
    }

    fn io_failure(&self, error: io::Error) -> RemoteError {
        let host = self.endpoint.host().to_owned();
        let cause = match error.kind() {
            io::ErrorKind::TimedOut => {
                let limit = self.timeouts.connect;
                return RemoteError::Timeout {
                    host,
                    phase: Phase::Connect,
                    limit,
                };
            }
            // This is how a failed handshake arrives: rustls wraps its verdict in an i/o error.
            io::ErrorKind::InvalidData if self.endpoint.is_secure() => {
                return RemoteError::Tls {
                    host,
                    reason: clean(&error.to_string(), self.token()),
                };
            }
            io::ErrorKind::ConnectionRefused => Unreachability::Refused,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Unreachability::NoRoute,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Unreachability::Closed,
            // The standard library has no kind for failed name resolution.
            _ if error.to_string().contains("failed to lookup address") => {
                Unreachability::UnknownHost
            }
            _ => Unreachability::Other,
        };
        RemoteError::Unreachable {
            host,
            cause,
            source: ureq::Error::Io(error),
        }
    }
}

fn authorization(token: &Secret) -> Result<HeaderValue, RemoteError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        let message = "it holds characters that no token has, such as a line break".to_owned();
        RemoteError::Unauthorized { message }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the text of an error reply: the `error` of a JSON object, or all of it.
fn error_message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if text.trim().is_empty() {
        return "it does not say why".to_owned();
    }
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(json) => match json.get("error").and_then(serde_json::Value::as_str) {
            Some(error) => error.to_owned(),
            None => text.into_owned(),
        },
        Err(_) => text.into_owned(),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_messages_are_unwrapped() {
        assert_eq!(
            error_message(br#"{"error":"Unauthorized: x"}"#),
            "Unauthorized: x"
        );
        assert_eq!(error_message(br#"{"fault":1}"#), r#"{"fault":1}"#);
        assert_eq!(error_message(b"plain"), "plain");
        assert_eq!(error_message(b"\xff"), "\u{fffd}");
        assert_eq!(error_message(b"\n"), "it does not say why");
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_not_shown() {
        let error = authorization(&Secret::new("tok3n\n")).expect_err("a line break");
        assert!(matches!(error, RemoteError::Unauthorized { .. }));
        assert!(!format!("{error}{error:?}").contains("tok3n"));
        let value = authorization(&Secret::new("tok3n")).expect("a plain token");
        assert!(!format!("{value:?}").contains("tok3n"));
    }

    #[test]
    fn retry_after_takes_seconds_only() {
        let of = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(
                header::RETRY_AFTER,
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
