//! A cloud database that can be put back to what it was.

use std::collections::BTreeSet;
use std::sync::Mutex;

use hzl_testkit::servers::Access;
use hzl_testkit::servers::Sqld;
use hzl_testkit::stub::exchange;
use serde_json::Value;
use serde_json::json;

/// A server, and what it held when it was wrapped.
pub(crate) struct Cloud {
    /// Held by whoever uses the cloud.
    pub(crate) turn: Mutex<()>,
    server: Sqld,
    token: String,
    /// The last sequence, or none if there are no tables.
    end: Option<i64>,
}

impl Cloud {
    /// Remembers what this server holds.
    pub(crate) fn of(server: Sqld) -> Self {
        let token = server.token(Access::ReadWrite, 7 * 24 * 3600);
        let mut cloud = Self {
            turn: Mutex::new(()),
            server,
            token,
            end: None,
        };
        if !cloud
            .rows("select name from sqlite_master where name = 'hzl_events'")
            .is_empty()
        {
            let end = cloud.rows("select cast(max(seq) as text) from hzl_events");
            cloud.end = Some(end[0].parse().expect("a number"));
        }
        cloud
    }

    /// Puts it back to what it was.
    pub(crate) fn reset(&self) {
        let run = |sql: &str| drop(self.rows(sql));
        let Some(end) = self.end else {
            for table in ["hzl_events", "hzl_devices", "hzl_meta"] {
                run(&format!("drop table if exists {table}"));
            }
            return;
        };
        run(&format!("delete from hzl_events where seq > {end}"));
        run(&format!(
            "update sqlite_sequence set seq = {end} where name = 'hzl_events'"
        ));
    }

    /// Returns the ids of all events.
    pub(crate) fn event_ids(&self) -> BTreeSet<String> {
        let ids = self.rows("select event_id from hzl_events");
        let count = ids.len();
        let ids: BTreeSet<String> = ids.into_iter().collect();
        assert_eq!(ids.len(), count, "an event is in the cloud twice");
        ids
    }

    /// Runs SQL and returns the first column, a text.
    fn rows(&self, sql: &str) -> Vec<String> {
        // Else the server would keep the stream for a while, and there are many.
        let requests = json!([{"type": "execute", "stmt": {"sql": sql}}, {"type": "close"}]);
        let body = json!({ "requests": requests }).to_string();
        let (url, token) = (self.server.url(), Some(self.token.as_str()));
        let (status, reply) =
            exchange(&url, "POST", "/v2/pipeline", token, &body).expect("the server answers");
        assert_eq!(status, 200, "{reply}");
        let reply: Value = serde_json::from_str(&reply).expect("JSON");
        let result = &reply["results"][0];
        assert_eq!(result["type"], "ok", "{sql}: {reply}");
        let rows = result["response"]["result"]["rows"].as_array();
        let rows = rows.expect("rows").iter();
        rows.map(|row| row[0]["value"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}
