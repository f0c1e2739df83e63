//! Settings: what the config file and the environment say.
//!
//! Every key is checked when the file is read, and a bad one is an error that names it: ignoring
//! it, or the whole file, could silently move a caller to another database. Unknown keys are
//! tolerated and kept. Changing the file is the business of `file`.

mod file;
mod reader;

pub(crate) use file::ConfigFile;

use hzl_remote::endpoint::Endpoint;
use hzl_remote::endpoint::InsecureHttp;
use hzl_remote::hooks::PrivateHooks;
use hzl_store::outbox;
use hzl_store::outbox::HookTarget;
use serde_json::Map;
use serde_json::Value;

use crate::environment::Environment;
use crate::secret;
use crate::secret::Secret;
use crate::values::ConflictStrategy;
use reader::Reader;

/// The settings of the config file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// `dbPath`, as written.
    pub(crate) db_path: Option<String>,
    /// `db.events.path`, as written.
    pub(crate) events_path: Option<String>,
    /// `db.cache.path`, as written.
    pub(crate) cache_path: Option<String>,
    /// `syncUrl`, else `db.events.syncUrl`.
    pub(crate) sync_url: Option<String>,
    /// `authToken`, else `db.events.authToken`.
    pub(crate) auth_token: Option<Secret>,
    /// `db.sync` and `sync`.
    pub(crate) sync: SyncSettings,
    /// `hooks`: one for each trigger that has an address.
    pub(crate) hooks: Vec<Hook>,
    /// `hooks.allowPrivate`: whether they may be sent to this machine and to private networks.
    pub(crate) private_hooks: PrivateHooks,
    /// `gateway.token`.
    pub(crate) gateway_token: Option<Secret>,
    /// `defaultProject`.
    pub(crate) default_project: Option<String>,
    /// `defaultAuthor`.
    pub(crate) default_author: Option<String>,
    /// `leaseMinutes`, at least 1.
    pub(crate) lease_minutes: Option<u64>,
}

/// When and how to sync. `None`: not configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SyncSettings {
    /// `db.sync.policy`.
    pub(crate) policy: Option<SyncPolicy>,
    /// `db.sync.staleAfterMs`.
    pub(crate) stale_after_ms: Option<u64>,
    /// `db.sync.minIntervalMs`.
    pub(crate) min_interval_ms: Option<u64>,
    /// `db.sync.conflictStrategy`.
    pub(crate) conflict_strategy: Option<ConflictStrategy>,
    /// `sync.claims`.
    pub(crate) claims: Option<ClaimMode>,
    /// `sync.allowInsecure`: plain http to another machine.
    pub(crate) allow_insecure: Option<bool>,
}

/// When sync runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncPolicy {
    /// Only when asked.
    Manual,
    /// In the background, after writes and stale reads.
    Opportunistic,
    /// Every write needs the cloud.
    Strict,
}

/// How a claim is made when sync is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimMode {
    /// Ask the cloud; when it does not answer in time, claim provisionally.
    Auto,
    /// Ask the cloud; when it does not answer in time, claim nothing.
    Strict,
    /// Never wait for the cloud.
    Local,
}

/// `hooks.TRIGGER`: an address to call when something happens.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    /// One of [`outbox::TRIGGERS`] or [`outbox::ANY_TRIGGER`].
    pub(crate) trigger: &'static str,
    pub(crate) url: String,
    /// In the order of the file. Values may be credentials.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Keys to add to what is sent.
    pub(crate) body: Option<Map<String, Value>>,
    /// Signs what is sent.
    pub(crate) secret: Option<Secret>,
}

impl Hook {
    /// Returns what the ledger has to know to queue deliveries. The secret is not among it: it is
    /// needed when they are sent.
    pub(crate) fn target(&self) -> HookTarget {
        let headers = self.headers.iter();
        HookTarget {
            trigger: self.trigger.to_owned(),
            url: self.url.clone(),
            headers: headers
                .map(|(name, value)| (name.clone(), value.expose().into()))
                .collect(),
            body: self.body.clone(),
        }
    }
}

/// The cloud database to sync with.
#[derive(Clone, Debug)]
pub(crate) struct SyncTarget {
    pub(crate) url: String,
    pub(crate) token: Option<Secret>,
}

impl SyncTarget {
    /// Returns the address without anything secret, for output.
    pub(crate) fn redacted_url(&self) -> String {
        match Endpoint::parse(&self.url, InsecureHttp::Allowed) {
            Ok(endpoint) => endpoint.redacted().to_owned(),
            Err(_) => secret::bare_url(&self.url),
        }
    }
}

/// A key with a value it cannot have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("config key `{key}` {problem}")]
pub(crate) struct BadKey {
    /// The path of the key, joined by dots.
    pub(crate) key: String,
    /// What was found and what is expected.
    pub(crate) problem: String,
}

impl Config {
    /// Reads the settings from the top level of a config file.
    ///
    /// # Errors
    ///
    /// The first key with a value it cannot have.
    pub(crate) fn from_json(root: &Map<String, Value>) -> Result<Self, BadKey> {
        let root = Reader::root(root);
        let db = root.object("db")?;
        let events = db.object("events")?;
        let db_sync = db.object("sync")?;
        let gateway = root.object("gateway")?;
        // Of 3.2.0, and without effect here: a claim needs no stagger, and there is no gateway.
        root.integer("claimStaggerMs", 0)?;
        gateway.string("url")?;

        // Checked although nothing uses them, so that a typing error does not go unnoticed.
        root.secret("encryptionKey")?;
        events.secret("encryptionKey")?;
        events.one_of("syncMode", &[("replica", ()), ("offline", ())])?;
        events.boolean("readYourWrites")?;

        let nested_url = events.string("syncUrl")?;
        let nested_token = events.secret("authToken")?;
        Ok(Self {
            db_path: root.string("dbPath")?,
            events_path: events.string("path")?,
            cache_path: db.object("cache")?.string("path")?,
            sync_url: root.string("syncUrl")?.or(nested_url),
            auth_token: root.secret("authToken")?.or(nested_token),
            sync: SyncSettings {
                policy: db_sync.one_of(
                    "policy",
                    &[
                        ("manual", SyncPolicy::Manual),
                        ("opportunistic", SyncPolicy::Opportunistic),
                        ("strict", SyncPolicy::Strict),
                    ],
                )?,
                stale_after_ms: db_sync.integer("staleAfterMs", 0)?,
                min_interval_ms: db_sync.integer("minIntervalMs", 0)?,
                conflict_strategy: db_sync.one_of(
                    "conflictStrategy",
                    &[
                        ("merge", ConflictStrategy::Merge),
                        ("discard-local", ConflictStrategy::DiscardLocal),
                        ("fail", ConflictStrategy::Fail),
                    ],
                )?,
                allow_insecure: root.object("sync")?.boolean("allowInsecure")?,
                claims: root.object("sync")?.one_of(
                    "claims",
                    &[
                        ("auto", ClaimMode::Auto),
                        ("strict", ClaimMode::Strict),
                        ("local", ClaimMode::Local),
                    ],
                )?,
            },
            hooks: hooks(&root.object("hooks")?)?,
            private_hooks: match root.object("hooks")?.boolean("allowPrivate")? {
                None => PrivateHooks::Named,
                Some(true) => PrivateHooks::Allowed,
                Some(false) => PrivateHooks::Refused,
            },
            gateway_token: gateway.secret("token")?,
            default_project: root.string("defaultProject")?,
            default_author: root.string("defaultAuthor")?,
            lease_minutes: root.integer("leaseMinutes", 1)?,
        })
    }

    /// Returns the cloud database to sync with, if one is configured. The environment wins over
    /// the config file, address and token each for itself.
    pub(crate) fn sync_target(&self, environment: &Environment) -> Option<SyncTarget> {
        let url = environment
            .text("HZL_SYNC_URL")
            .map(str::to_owned)
            .or_else(|| self.sync_url.clone())?;
        let token = environment_token(environment).or_else(|| self.auth_token.clone());
        Some(SyncTarget { url, token })
    }
}

/// Returns the token the environment gives: `HZL_SYNC_TOKEN`, or `HZL_AUTH_TOKEN` as of old.
pub(crate) fn environment_token(environment: &Environment) -> Option<Secret> {
    ["HZL_SYNC_TOKEN", "HZL_AUTH_TOKEN"]
        .iter()
        .find_map(|name| environment.text(name))
        .map(secret::trimmed)
}

fn hooks(reader: &Reader<'_>) -> Result<Vec<Hook>, BadKey> {
    let mut hooks = Vec::new();
    for trigger in outbox::TRIGGERS.into_iter().chain([outbox::ANY_TRIGGER]) {
        hooks.extend(hook(trigger, &reader.object(trigger)?)?);
    }
    Ok(hooks)
}

fn hook(trigger: &'static str, reader: &Reader<'_>) -> Result<Option<Hook>, BadKey> {
    let headers = reader.secrets("headers")?;
    for (name, value) in &headers {
        if let Err(problem) = hzl_remote::hooks::check_header(name, value.expose()) {
            return Err(reader.refused("headers", &format!("cannot be sent: {problem}")));
        }
    }
    let url = reader.string("url")?;
    if let Some(url) = &url
        && let Err(problem) = hzl_remote::hooks::check_url(url)
    {
        return Err(reader.refused("url", &format!("cannot be used: {problem}")));
    }
    let body = reader.map("body")?;
    let secret = reader.secret("secret")?;
    Ok(url.map(|url| Hook {
        trigger,
        url,
        headers,
        body,
        secret,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Config, BadKey> {
        Config::from_json(value.as_object().unwrap())
    }

    #[test]
    fn every_key_is_read() {
        let config = read(&json!({
            "dbPath": "~/a.db",
            "db": {
                "events": {"path": "e.db", "syncUrl": "libsql://nested", "authToken": "nested-token"},
                "cache": {"path": "c.db"},
                "sync": {"policy": "strict", "staleAfterMs": 5, "minIntervalMs": 0,
                         "conflictStrategy": "discard-local"}
            },
            "sync": {"claims": "local", "allowInsecure": true},
            "syncUrl": "libsql://top",
            "hooks": {"on_done": {"url": "https://x", "headers": {"Authorization": "Bearer 1"}},
                      "on_event": {"url": "http://y", "body": {"a": 1}, "secret": "s3cret"},
                      "on_blocked": {}, "later": 1, "allowPrivate": false},
            "claimStaggerMs": 0,
            "gateway": {"url": "ws://g", "token": "gt"},
            "defaultProject": "p",
            "defaultAuthor": "a",
            "leaseMinutes": 30,
            "somethingElse": {"kept": true}
        }))
        .unwrap();
        assert_eq!(config.sync_url.as_deref(), Some("libsql://top"));
        assert_eq!(config.auth_token.unwrap().expose(), "nested-token");
        assert_eq!(config.sync.policy, Some(SyncPolicy::Strict));
        assert_eq!(config.sync.claims, Some(ClaimMode::Local));
        assert_eq!(config.sync.allow_insecure, Some(true));
        assert_eq!(
            config.sync.conflict_strategy,
            Some(ConflictStrategy::DiscardLocal)
        );
        assert_eq!(config.hooks.len(), 2);
        assert_eq!(config.private_hooks, PrivateHooks::Refused);
        assert_eq!(config.hooks[0].headers[0].0, "Authorization");
        assert_eq!(config.hooks[1].trigger, "on_event");
        assert_eq!(config.hooks[1].secret.as_ref().unwrap().expose(), "s3cret");
        assert_eq!(config.lease_minutes, Some(30));
    }

    #[test]
    fn a_bad_value_is_named() {
        for (value, key) in [
            (json!({"leaseMinutes": -5, "dbPath": "x"}), "leaseMinutes"),
            (json!({"leaseMinutes": 0}), "leaseMinutes"),
            (json!({"dbPath": 1}), "dbPath"),
            (json!({"dbPath": ""}), "dbPath"),
            (json!({"db": []}), "db"),
            (
                json!({"db": {"sync": {"policy": "often"}}}),
                "db.sync.policy",
            ),
            (
                json!({"db": {"sync": {"staleAfterMs": 1.5}}}),
                "db.sync.staleAfterMs",
            ),
            (json!({"sync": {"claims": true}}), "sync.claims"),
            (
                json!({"hooks": {"allowPrivate": "yes"}}),
                "hooks.allowPrivate",
            ),
            (
                json!({"hooks": {"on_done": {"headers": {"A": 1}}}}),
                "hooks.on_done.headers.A",
            ),
            (
                json!({"hooks": {"on_done": {"url": "https://x", "headers": {"A": "b\nc"}}}}),
                "hooks.on_done.headers",
            ),
            (
                json!({"hooks": {"on_blocked": {"url": "file:///x"}}}),
                "hooks.on_blocked.url",
            ),
            (
                json!({"hooks": {"on_event": {"url": "https://x", "body": "text"}}}),
                "hooks.on_event.body",
            ),
            (
                json!({"db": {"events": {"syncMode": "x"}}}),
                "db.events.syncMode",
            ),
        ] {
            assert_eq!(read(&value).unwrap_err().key, key, "{value}");
        }
    }

    #[test]
    fn a_bad_secret_is_not_repeated() {
        let error = read(&json!({"authToken": 123_456_789})).unwrap_err();
        assert!(!error.to_string().contains("123456789"), "{error}");
    }

    #[test]
    fn null_counts_as_absent() {
        let config = read(&json!({"dbPath": null, "db": null})).unwrap();
        assert!(config.db_path.is_none());
    }

    #[test]
    fn the_environment_wins_and_suffices_alone() {
        let config = read(&json!({"syncUrl": "libsql://c", "authToken": "tc"})).unwrap();
        let target = |config: &Config, variables: &[(&str, &str)]| {
            config.sync_target(&Environment::for_tests("/h", variables))
        };
        let variables = [
            ("HZL_SYNC_URL", "libsql://e"),
            ("HZL_AUTH_TOKEN", "old"),
            ("HZL_SYNC_TOKEN", "new"),
        ];
        let found = |target: Option<SyncTarget>| {
            let target = target.unwrap();
            let token = target.token.map(|token| token.expose().to_owned());
            (target.url, token.unwrap())
        };
        let from_environment = ("libsql://e".to_owned(), "new".to_owned());
        assert_eq!(found(target(&config, &variables)), from_environment);
        assert_eq!(
            found(target(&Config::default(), &variables)),
            from_environment
        );
        assert_eq!(target(&config, &[]).unwrap().url, "libsql://c");
        assert_eq!(found(target(&config, &variables[1..2])).1, "old");
        assert!(target(&Config::default(), &[]).is_none());
    }
}
