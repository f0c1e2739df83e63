//! The two real libSQL servers: `sqld` and `tursodb --sync-server`, on loopback, each with its own
//! data directory.
//!
//! The binaries come from `scripts/fetch-servers`, which runs by itself when one is missing.
//! Invariants: sqld is always started with `--checkpoint-interval-s 3600`, because without it the
//! server can wedge for good under several writers (measured with 0.24.32); a server never
//! outlives the process that started it.

mod access;
mod process;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

pub use self::access::Access;
use self::access::Signer;
use self::process::Process;
use self::process::binary;

/// Whether a server asks for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Everyone may do everything.
    None,
    /// A JWT signed with this server's own key is needed; [`Sqld::token`] makes them.
    Jwt,
}

/// A running `sqld`. Dropping it ends the server and deletes its data.
#[derive(Debug)]
pub struct Sqld {
    process: Process,
    signer: Signer,
    directory: TempDir,
}

impl Sqld {
    /// Starts a server with an empty database on a free loopback port, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When the server cannot be fetched or does not come up.
    #[must_use]
    pub fn start(auth: Auth) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let signer = Signer::generate();
        let key_file = directory.path().join("jwt.key");
        fs::write(&key_file, signer.public_key()).expect("the key file can be written");
        let data = data_directory(&directory);
        let log = directory.path().join("log");
        let process = Process::start(&binary("sqld"), &log, |command, address| {
            command
                .args(["--no-welcome", "--checkpoint-interval-s", "3600"])
                .args(["--http-listen-addr", address])
                .arg("--db-path")
                .arg(&data);
            match auth {
                Auth::None => {}
                Auth::Jwt => {
                    command.arg("--auth-jwt-key-file").arg(&key_file);
                }
            }
        });
        Self {
            process,
            signer,
            directory,
        }
    }

    /// Returns the address as `http://127.0.0.1:PORT`. It stays the same over restarts.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// Ends the server in an orderly way; connections are refused from then on. Data is kept.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Ends the server by SIGKILL. Data is kept.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the server if it runs, and starts it again with the same address and data.
    pub fn restart(&mut self) {
        self.process.stop();
        self.process.run();
    }

    /// Restarts the server with the same address and no data, as if the database was recreated.
    pub fn wipe(&mut self) {
        self.process.stop();
        remove_directory(&data_directory(&self.directory));
        self.process.run();
    }

    /// Makes a token for the database.
    ///
    /// `expires_in_seconds` may be negative: the token has expired. The server grants a leeway of
    /// 60 seconds, so only −61 and below is surely refused.
    #[must_use]
    pub fn token(&self, access: Access, expires_in_seconds: i64) -> String {
        self.signer.token(access, expires_in_seconds)
    }

    /// Makes a token with these claims, for instance `{"a": "rw", "id": "another-database"}`.
    #[must_use]
    pub fn token_with_claims(&self, claims: &Value) -> String {
        self.signer.sign(claims)
    }

    /// Makes a token that is only good for the database (namespace) of that name.
    #[must_use]
    pub fn token_for_database(&self, name: &str) -> String {
        self.signer.sign(&json!({ "a": "rw", "id": name }))
    }
}

/// A running `tursodb --sync-server`, which knows no authentication. Dropping it ends the server
/// and deletes its data.
///
/// It serves one connection at a time, has a single database connection for everyone, and rejects
/// requests that `sqld` accepts, `close` among them.
#[derive(Debug)]
pub struct Tursodb {
    process: Process,
    directory: TempDir,
}

impl Tursodb {
    /// Starts a server with an empty database on a free loopback port, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When the server cannot be fetched or does not come up.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let data = data_directory(&directory);
        let log = directory.path().join("log");
        let process = Process::start(&binary("tursodb"), &log, |command, address| {
            fs::create_dir_all(&data).expect("the data directory can be made");
            command
                .arg(data.join("cloud.db"))
                .args(["--sync-server", address]);
        });
        Self { process, directory }
    }

    /// Returns the address as `http://127.0.0.1:PORT`. It stays the same over restarts.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// Ends the server; connections are refused from then on. Data is kept.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Ends the server by SIGKILL. Data is kept.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the server if it runs, and starts it again with the same address and data.
    pub fn restart(&mut self) {
        self.process.stop();
        self.process.run();
    }

    /// Restarts the server with the same address and no data, as if the database was recreated.
    pub fn wipe(&mut self) {
        self.process.stop();
        let data = data_directory(&self.directory);
        remove_directory(&data);
        fs::create_dir_all(&data).expect("the data directory can be made");
        self.process.run();
    }
}

fn data_directory(directory: &TempDir) -> PathBuf {
    directory.path().join("data")
}

fn remove_directory(path: &PathBuf) {
    fs::remove_dir_all(path).expect("the data of a stopped server can be deleted");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::exchange;

    const COUNT: &str =
        r#"{"requests":[{"type":"execute","stmt":{"sql":"select count(*) as n from t"}}]}"#;
    const FILL: &str = r#"{"requests":[{"type":"execute","stmt":{"sql":"create table t(a)"}},{"type":"execute","stmt":{"sql":"insert into t values (7)"}}]}"#;

    fn pipeline(url: &str, token: Option<&str>, body: &str) -> (u16, String) {
        exchange(url, "POST", "/v2/pipeline", token, body).expect("the server answers")
    }

    #[test]
    fn sqld_keeps_data_over_a_restart_and_a_kill_and_loses_it_when_wiped() {
        let mut sqld = Sqld::start(Auth::None);
        let url = sqld.url();
        assert_eq!(pipeline(&url, None, FILL).0, 200);
        sqld.restart();
        assert!(pipeline(&url, None, COUNT).1.contains(r#""value":"1""#));
        sqld.kill();
        sqld.restart();
        assert!(pipeline(&url, None, COUNT).1.contains(r#""value":"1""#));
        sqld.wipe();
        assert_eq!(sqld.url(), url);
        assert!(pipeline(&url, None, COUNT).1.contains("no such table"));
        sqld.stop();
        exchange(&url, "GET", "/health", None, "").expect_err("a stopped server refuses");
    }

    #[test]
    fn sqld_checks_tokens() {
        let sqld = Sqld::start(Auth::Jwt);
        let status = |token: Option<&str>, body| pipeline(&sqld.url(), token, body).0;
        let writer = sqld.token(Access::ReadWrite, 3600);
        let reader = sqld.token(Access::ReadOnly, 3600);
        assert_eq!(status(Some(&writer), FILL), 200);
        assert_eq!(status(Some(&reader), COUNT), 200);
        assert_eq!(status(Some(&reader), FILL), 403);
        assert_eq!(
            status(Some(&sqld.token(Access::ReadWrite, -120)), COUNT),
            401
        );
        assert_eq!(status(Some(&sqld.token_for_database("other")), COUNT), 404);
        assert_eq!(status(None, COUNT), 401);
        let stranger = Signer::generate().token(Access::ReadWrite, 3600);
        assert_eq!(status(Some(&stranger), COUNT), 401);
    }

    #[test]
    fn tursodb_keeps_data_over_a_restart_and_loses_it_when_wiped() {
        let mut tursodb = Tursodb::start();
        assert_eq!(pipeline(&tursodb.url(), None, FILL).0, 200);
        tursodb.restart();
        assert!(
            pipeline(&tursodb.url(), None, COUNT)
                .1
                .contains(r#""value":"1""#)
        );
        tursodb.wipe();
        assert!(
            pipeline(&tursodb.url(), None, COUNT)
                .1
                .contains("no such table")
        );
    }
}
