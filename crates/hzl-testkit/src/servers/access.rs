//! Tokens: JWTs signed with Ed25519, as sqld checks them.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use serde_json::json;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing.
    ReadWrite,
    /// Reading only: one writing statement and the whole request is refused.
    ReadOnly,
}

/// Signs tokens with a key of its own.
#[derive(Debug)]
pub(crate) struct Signer(SigningKey);

impl Signer {
    /// Makes a signer with a random key.
    pub(crate) fn generate() -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system has random bytes");
        Self(SigningKey::from_bytes(&secret))
    }

    /// Returns the public key as sqld reads it from a file: url-safe base64 without padding.
    pub(crate) fn public_key(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes())
    }

    pub(crate) fn token(&self, access: Access, expires_in_seconds: i64) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is past 1970");
        let now_seconds = i64::try_from(now.as_secs()).expect("the clock is before the year 292e9");
        let access = match access {
            Access::ReadWrite => "rw",
            Access::ReadOnly => "ro",
        };
        self.sign(&json!({ "a": access, "exp": now_seconds + expires_in_seconds }))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT" });
        let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.0.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}
