//! A cloud behind a proxy, and what must be true of it when the faults have ended.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use std::collections::BTreeSet;

use hzl_remote::hrana::{Statement, Value};
use hzl_testkit::proxy::Proxy;

use crate::devices::{Cloud, Device};

pub(crate) struct Network {
    pub(crate) proxy: Proxy,
    /// The way to the cloud through the proxy.
    pub(crate) far: Cloud,
    /// The direct way.
    pub(crate) near: Cloud,
}

impl Network {
    pub(crate) fn before(url: String) -> Self {
        let proxy = Proxy::start(&url);
        let (mut far, mut near) = (Cloud::at(proxy.url()), Cloud::at(url));
        // Known from the start, so that a fault always meets a request with something in it.
        let mut client = near.client();
        drop(client.pipeline(&[]));
        (far.rejects_close, near.rejects_close) = (client.rejects_close(), client.rejects_close());
        Self { proxy, far, near }
    }

    /// The ids of all events in the cloud, by sequence.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let (mut ids, mut last) = (vec![], 0);
        loop {
            // A reply may hold so many values, and no more.
            let page = self.query(&format!(
                "select seq, event_id from hzl_events where seq > {last} order by seq limit 10000"
            ));
            if page.is_empty() {
                return ids;
            }
            for row in page {
                let [Value::Integer(seq), Value::Text(id)] = &row[..] else {
                    panic!("{row:?}");
                };
                last = *seq;
                ids.push(id.clone());
            }
        }
    }

    /// How many rows the cloud holds, and how many different events.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let sql = "select count(*), count(distinct event_id) from hzl_events";
        let rows = self.query(sql);
        let [Value::Integer(rows), Value::Integer(events)] = rows[0][..] else {
            panic!("{rows:?}");
        };
        (rows.try_into().unwrap(), events.try_into().unwrap())
    }

    /// Makes the cloud as new.
    pub(crate) fn clear(&self) {
        let drop = |table| Statement::new(format!("drop table if exists {table}"), vec![]);
        let statements = ["hzl_events", "hzl_devices", "hzl_meta"].map(drop);
        for outcome in self.near.client().pipeline(&statements).unwrap() {
            outcome.unwrap();
        }
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        let statement = Statement::new(sql.to_owned(), vec![]);
        let mut outcomes = self.near.client().pipeline(&[statement]).unwrap();
        outcomes.remove(0).unwrap().rows
    }

    /// The faults are over: after a sync each, the cloud holds every event of every device exactly once,
    /// nothing waits anywhere, and all devices are in the same state, which is what a rebuild gives.
    pub(crate) fn assert_whole(&self, devices: &mut [&mut Device]) {
        for _ in 0..2 {
            for device in devices.iter_mut() {
                assert!(!device.sync(&self.near).became_clone, "nobody was copied");
            }
        }
        let (rows, events) = self.counts();
        assert_eq!(rows, events, "every event is there once");
        let cloud: BTreeSet<String> = self.event_ids().into_iter().collect();
        let mut hashes = BTreeSet::new();
        for device in devices {
            assert_eq!(device.ledger.count_pending().unwrap(), 0);
            let here: BTreeSet<String> = device.event_ids().into_iter().collect();
            assert_eq!(here, cloud);
            hashes.insert(device.hash());
        }
        assert_eq!(hashes.len(), 1, "{hashes:?}");
    }
}
