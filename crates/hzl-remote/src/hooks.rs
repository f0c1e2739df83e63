//! Delivers hooks: one POST, one verdict, within limits.
//!
//! Only http and https, no redirects, 10 s for everything, and no more of a reply is read than a
//! message needs. Which addresses may be called is `reach`'s to say, and the address that was judged is the one
//! that is called. What to deliver and when to try again is the queue's business.

use std::io::Read as _;
use std::net::IpAddr;
use std::time::Duration;

use sha2::Digest as _;
use sha2::Sha256;
use ureq::Agent;
use ureq::Proxy;
use ureq::http::HeaderName;
use ureq::http::HeaderValue;
use ureq::http::Uri;
use ureq::http::header;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;

use crate::error::clean;
pub use crate::reach::PrivateHooks;
pub use crate::reach::Refused;
use crate::resolve;
use crate::resolve::Lookup;
use crate::resolve::Names;
use crate::secret::Secret;

/// For everything, from resolving the name to the reply.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How much of a reply is read.
const REPLY_LIMIT_BYTES: u64 = 4 * 1024;
const USER_AGENT: &str = concat!("hzl/", env!("CARGO_PKG_VERSION"));
/// What is shorter keeps nobody out, and would be masked in the middle of words.
const SHORTEST_CREDENTIAL: usize = 6;
/// Names the delivery: the same for every attempt.
const DELIVERY_HEADER: &str = "x-hzl-delivery";
/// HMAC-SHA256 of the body under the secret, as `sha256=` and hexadecimal digits.
const SIGNATURE_HEADER: &str = "x-hzl-signature";
/// Headers of this name are ours.
const OWN_PREFIX: &str = "x-hzl-";
/// What the connection needs is not for settings to say.
const CONNECTION_HEADERS: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::HOST,
];

/// What is sent, and where.
#[derive(Debug)]
pub struct Post<'a> {
    /// An http or https address.
    pub url: &'a str,
    /// Sent along.
    pub headers: &'a [(String, String)],
    /// JSON.
    pub body: &'a str,
    /// The same for every attempt of one delivery.
    pub delivery_id: &'a str,
    /// Signs the body; it is not sent.
    pub secret: Option<&'a Secret>,
    /// Which addresses may be called.
    pub private: PrivateHooks,
}

/// Why a delivery did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It cannot be sent like this, now or later.
    #[error("{reason}")]
    Unsendable {
        /// What is wrong; no header value is repeated.
        reason: String,
    },
    /// The name leads to where hooks may not be sent. It may lead elsewhere later.
    #[error("not sent: {0}")]
    Blocked(Refused),
    /// Nobody answered.
    #[error("network error: {reason}")]
    Network {
        /// What happened.
        reason: String,
    },
    /// The answer was not a success.
    #[error("HTTP {status}{}{message}", if message.is_empty() { "" } else { ": " })]
    Status {
        /// The status code.
        status: u16,
        /// The beginning of the reply, fit to be shown.
        message: String,
    },
}

/// Sends a delivery. Any 2xx is a success.
///
/// # Errors
///
/// As [`HookError`].
pub fn deliver(post: &Post<'_>) -> Result<(), HookError> {
    deliver_by(resolve::system, post)
}

fn deliver_by(lookup: Lookup, post: &Post<'_>) -> Result<(), HookError> {
    let uri = check_url(post.url).map_err(unsendable)?;
    let host = uri.host().unwrap_or_default();
    let checked = post.private.check_host(host);
    checked.map_err(|refused| unsendable(&refused.to_string()))?;
    let names = Names::guarding(host, post.private, lookup);
    let mut request = agent(&uri, names).post(uri);
    let mut has_type = false;
    for (name, value) in post.headers {
        let (name, value) = check_header(name, value).map_err(unsendable)?;
        if name.as_str().starts_with(OWN_PREFIX) || CONNECTION_HEADERS.contains(&name) {
            continue;
        }
        has_type |= name == header::CONTENT_TYPE;
        request = request.header(name, value);
    }
    if !has_type {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request = request.header(DELIVERY_HEADER, post.delivery_id);
    if let Some(secret) = post.secret {
        request = request.header(SIGNATURE_HEADER, signature(secret, post.body));
    }
    let sent = request.send(post.body);
    let mut response = sent.map_err(|error| failure(&error, post))?;
    if response.status().is_success() {
        return Ok(());
    }
    let mut body = vec![];
    let reader = response.body_mut().as_reader();
    // The status says enough if the message breaks off.
    drop(reader.take(REPLY_LIMIT_BYTES).read_to_end(&mut body));
    Err(HookError::Status {
        status: response.status().as_u16(),
        message: shown(&String::from_utf8_lossy(&body), post),
    })
}

/// Checks that deliveries can be sent to an address.
///
/// # Errors
///
/// Says what is wrong, without repeating the address.
pub fn check_url(url: &str) -> Result<Uri, &'static str> {
    let uri: Uri = url.trim().parse().map_err(|_| "the URL is malformed")?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(uri),
        _ => Err("the URL is not an http or https address"),
    }
}

/// Checks that a header can be sent.
///
/// # Errors
///
/// Says what is wrong, without repeating the value.
pub fn check_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "a header has a name that none can have")?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| "a header has a value with a line break or another control character")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Returns the value of the signature header for a body.
#[must_use]
pub fn signature(secret: &Secret, body: &str) -> String {
    let bytes = hmac_sha256(secret.expose().as_bytes(), body.as_bytes());
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

fn failure(error: &ureq::Error, post: &Post<'_>) -> HookError {
    if let ureq::Error::Other(other) = error
        && let Some(refused) = other.downcast_ref::<Refused>()
    {
        return HookError::Blocked(*refused);
    }
    HookError::Network {
        reason: shown(&error.to_string(), post),
    }
}

/// Makes a text of the other side fit to be stored and shown: it may repeat what it was sent.
fn shown(text: &str, post: &Post<'_>) -> String {
    let is_type = |name: &str| name.eq_ignore_ascii_case(header::CONTENT_TYPE.as_str());
    let headers = post.headers.iter().filter(|(name, _)| !is_type(name));
    // Of `Bearer TOKEN`, the token alone as well.
    let in_headers =
        headers.flat_map(|(_, value)| [Some(value.as_str()), value.rsplit(' ').next()]);
    let query = post.url.split_once('?').map_or("", |(_, query)| query);
    let in_query = query
        .split('&')
        .map(|pair| pair.split_once('=').map(|(_, value)| value));
    let credentials = in_headers.chain(in_query).flatten();
    let masked = credentials
        .filter(|credential| credential.len() >= SHORTEST_CREDENTIAL)
        .fold(text.to_owned(), |text, credential| {
            Secret::new(credential).mask(&text)
        });
    clean(&masked, post.secret)
}

fn unsendable(reason: &str) -> HookError {
    HookError::Unsendable {
        reason: reason.to_owned(),
    }
}

fn agent(uri: &Uri, names: Names) -> Agent {
    // What stays on this machine needs no proxy, and the proxy could read it.
    let proxy = if uri.host().is_some_and(is_loopback) {
        None
    } else {
        Proxy::try_from_env()
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .timeout_global(Some(TIME_LIMIT))
        .user_agent(USER_AGENT)
        .build();
    Agent::with_parts(config, DefaultConnector::new(), names)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Source: RFC 2104, with the block of 64 bytes of SHA-256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let digest = Sha256::digest(key);
    let key = if key.len() > BLOCK { &digest[..] } else { key };
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message);
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use hzl_testkit::stub::Stub;

    use super::*;

    fn post<'a>(url: &'a str, headers: &'a [(String, String)]) -> Post<'a> {
        Post {
            url,
            headers,
            body: "{}",
            delivery_id: "d1",
            secret: None,
            private: PrivateHooks::Named,
        }
    }

    /// Source: RFC 4231, test cases 2 and 6.
    #[test]
    fn signatures_are_those_of_the_standard() {
        assert_eq!(
            signature(&Secret::new("Jefe"), "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = hmac_sha256(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
        );
        assert_eq!(long[..4], [0x60, 0xe4, 0x31, 0x59]);
    }

    #[test]
    fn only_http_addresses_are_called() {
        for url in ["file:///etc/passwd", "ftp://h/x", "h", "", "http://", "/x"] {
            let error = deliver(&post(url, &[])).unwrap_err();
            assert!(matches!(error, HookError::Unsendable { .. }), "{url}");
        }
    }

    #[test]
    fn a_header_cannot_smuggle_another_one_in() {
        let stub = Stub::http(200, &[], "");
        for (name, value) in [("A", "b\r\nX: y"), ("A", "b\nc"), ("A\r\nB", "c")] {
            let headers = [(name.to_owned(), value.to_owned())];
            let error = deliver(&post(&stub.url(), &headers)).unwrap_err();
            assert!(matches!(error, HookError::Unsendable { .. }), "{error}");
        }
        assert!(stub.requests().is_empty());
    }

    #[test]
    fn our_own_headers_are_not_for_settings_to_say() {
        let stub = Stub::http(204, &[], "");
        let headers = [
            ("X-Hzl-Delivery".to_owned(), "forged".to_owned()),
            ("Content-Length".to_owned(), "9".to_owned()),
            ("Content-Type".to_owned(), "text/x".to_owned()),
        ];
        deliver(&post(&stub.url(), &headers)).unwrap();
        let request = stub.requests()[0].to_lowercase();
        assert!(request.contains("x-hzl-delivery: d1\r\n"), "{request}");
        assert!(request.contains("content-type: text/x\r\n"), "{request}");
        assert!(!request.contains("forged") && !request.contains("application/json"));
    }

    fn loopback(host_and_port: &str) -> io::Result<Vec<SocketAddr>> {
        let (_, port) = host_and_port.rsplit_once(':').expect("a port");
        resolve::system(&format!("127.0.0.1:{port}"))
    }

    #[test]
    fn a_public_name_that_leads_to_this_machine_is_not_called() {
        let stub = Stub::http(204, &[], "");
        let url = stub.url().replace("127.0.0.1", "hooks.example.org");
        for private in [PrivateHooks::Named, PrivateHooks::Refused] {
            let post = Post {
                private,
                ..post(&url, &[])
            };
            let error = deliver_by(loopback, &post).unwrap_err();
            assert!(matches!(error, HookError::Blocked(_)), "{error}");
        }
        assert!(stub.requests().is_empty());
        let private = PrivateHooks::Allowed;
        deliver_by(
            loopback,
            &Post {
                private,
                ..post(&url, &[])
            },
        )
        .unwrap();
        let request = &stub.requests()[0];
        assert!(
            request.to_lowercase().contains("host: hooks.example.org:"),
            "{request}"
        );
    }

    /// An answer for whoever checks, and another one for whoever calls.
    #[test]
    fn the_address_that_was_judged_is_the_one_that_is_called() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        fn rebinding(host_and_port: &str) -> io::Result<Vec<SocketAddr>> {
            match ASKED.fetch_add(1, Ordering::SeqCst) {
                // Reserved for documentation: nobody is there.
                0 => Ok(vec!["192.0.2.1:9".parse().expect("an address")]),
                _ => loopback(host_and_port),
            }
        }
        let stub = Stub::http(204, &[], "");
        let url = stub.url().replace("127.0.0.1", "hooks.example.org");
        let names = Names::guarding("hooks.example.org", PrivateHooks::Named, rebinding);
        let uri: Uri = url.parse().unwrap();
        let agent = agent(&uri, names);
        let request = agent
            .post(uri)
            .config()
            .timeout_global(Some(Duration::from_millis(300)));
        request.build().send("{}").unwrap_err();
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
        assert!(stub.requests().is_empty());
    }

    #[test]
    fn of_several_addresses_only_those_allowed_are_called() {
        fn both(host_and_port: &str) -> io::Result<Vec<SocketAddr>> {
            let mut found = loopback(host_and_port)?;
            found.insert(0, "169.254.169.254:80".parse().expect("an address"));
            Ok(found)
        }
        let stub = Stub::http(204, &[], "");
        let url = stub.url().replace("127.0.0.1", "gateway.lan");
        deliver_by(both, &post(&url, &[])).unwrap();
        assert_eq!(stub.requests().len(), 1);
    }

    #[test]
    fn a_redirect_is_a_failure_and_is_not_followed() {
        let target = Stub::http(200, &[], "");
        let stub = Stub::http(307, &[("Location", &target.url())], "");
        let error = deliver(&post(&stub.url(), &[])).unwrap_err();
        assert!(
            matches!(error, HookError::Status { status: 307, .. }),
            "{error}"
        );
        assert!(target.requests().is_empty());
    }

    #[test]
    fn a_reply_that_repeats_credentials_is_not_repeated() {
        let stub = Stub::http(
            403,
            &[],
            "no b34rer1, no t0k3n1, no s3cret for Bearer b34rer1",
        );
        let url = format!("{}/in?a=1&token=t0k3n1", stub.url());
        let headers = [("Authorization".to_owned(), "Bearer b34rer1".to_owned())];
        let secret = Secret::new("s3cret");
        let error = deliver(&Post {
            secret: Some(&secret),
            ..post(&url, &headers)
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "HTTP 403: no <redacted>, no <redacted>, no <redacted> for <redacted>"
        );
    }

    #[test]
    fn a_long_reply_is_not_read_to_its_end() {
        let stub = Stub::http(500, &[], &"x".repeat(1_000_000));
        let error = deliver(&post(&stub.url(), &[])).unwrap_err();
        assert!(error.to_string().len() < 1_000, "{error}");
    }
}
