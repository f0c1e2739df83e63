//! Between the devices and the cloud: pull, push, and a cloud that falls back.

use hzl_core::event::PlacedEvent;
use hzl_core::ids::DeviceId;

use super::{Device, MINUTE, Row, Waiting, World};
use crate::view::Incremental;

impl World {
    pub(super) fn add_device(&mut self) {
        self.devices.push(Device {
            id: DeviceId::new(format!("D{}", self.devices.len())),
            settled: vec![],
            tail: vec![],
            rewind_points: vec![],
            clock_error: 0,
            offset: 0,
            largest_ms: 0,
            folded: Incremental::default(),
        });
    }

    /// Brings up to `limit` rows; `true` if there may be more.
    pub(super) fn pull(&mut self, at: usize, limit: usize) -> bool {
        let cursor_row = self.devices[at].settled.last();
        let gone = cursor_row.is_some_and(|row| !self.cloud.contains(row));
        if gone || self.devices[at].rewind_points != self.cloud_rewind_points {
            self.reset(at);
            return true;
        }
        let cursor = self.devices[at].cursor();
        let page: Vec<Row> = self
            .cloud
            .iter()
            .filter(|row| row.seq > cursor)
            .take(limit)
            .cloned()
            .collect();
        let rewind_points = self.devices[at].rewind_points.clone();
        for row in &page {
            let placed = self.placed(row);
            let device = &mut self.devices[at];
            device.tail.retain(|waiting| waiting.event != row.event);
            device.largest_ms = device.largest_ms.max(placed.effective_ts().millis());
            device.folded.apply(&placed, &rewind_points);
            device.settled.push(row.clone());
        }
        self.devices[at].offset = -self.devices[at].clock_error;
        page.len() == limit
    }

    /// The cloud fell back: what stood above the rewind point is tail again, in its old order.
    fn reset(&mut self, at: usize) {
        let device = &mut self.devices[at];
        let common = if device.rewind_points == self.cloud_rewind_points {
            let common = device
                .settled
                .iter()
                .take_while(|row| self.cloud.contains(row));
            let common = common.last().map_or(0, |row| row.seq);
            self.cloud_rewind_points.push(common);
            common
        } else {
            let news = self
                .cloud_rewind_points
                .iter()
                .skip(device.rewind_points.len());
            news.copied().min().unwrap_or(0)
        };
        let (kept, again) = std::mem::take(&mut device.settled)
            .into_iter()
            .partition(|row| row.seq <= common);
        device.settled = kept;
        let again: Vec<Row> = again;
        let again = again.into_iter().map(|row| Waiting {
            event: row.event,
            device: row.device,
            received_at: Some(row.received_at),
            resent: true,
        });
        device.tail = again.chain(std::mem::take(&mut device.tail)).collect();
        device.rewind_points = self.cloud_rewind_points.clone();
        let kept: Vec<PlacedEvent> = self.devices[at]
            .settled
            .iter()
            .map(|row| self.placed(row))
            .collect();
        let mut folded = Incremental::default();
        kept.iter()
            .for_each(|placed| folded.apply(placed, &self.cloud_rewind_points));
        self.devices[at].folded = folded;
    }

    /// Sends whole commands, about `limit` events. The reply is never used: only a pull settles, so
    /// what was sent is sent again until a pull brings it.
    pub(super) fn push(&mut self, at: usize, limit: usize, arrives: bool) {
        let device = &self.devices[at];
        let anchored = device
            .settled
            .last()
            .is_none_or(|row| self.cloud.contains(row));
        let mine = |row: &Row| row.device.as_ref() == Some(&device.id) && row.seq > device.cursor();
        if !arrives || !anchored || self.cloud.iter().any(mine) {
            return;
        }
        let command = |waiting: &Waiting| self.events[waiting.event].causation_id.clone();
        let mut size = limit.min(device.tail.len());
        while size > 0
            && device.tail.get(size).is_some_and(|next| {
                command(next).is_some() && command(next) == command(&device.tail[size - 1])
            })
        {
            size += 1;
        }
        for waiting in device.tail.iter().take(size) {
            if self.cloud.iter().all(|row| row.event != waiting.event) {
                self.cloud.push(Row {
                    event: waiting.event,
                    seq: self.cloud.last().map_or(0, |row| row.seq) + 1,
                    received_at: waiting.received_at.unwrap_or(self.real_time),
                    device: waiting.device.clone(),
                });
            }
        }
    }

    pub(super) fn sync(&mut self, at: usize) {
        for _ in 0..8 {
            while self.pull(at, 50) {}
            if self.devices[at].tail.is_empty() {
                break;
            }
            self.push(at, 50, true);
        }
        self.note_confirmed(at);
    }

    pub(super) fn rewind(&mut self, rows: usize) {
        if self.may_rewind && !self.rewound && self.cloud.len() > 1 {
            let left = (self.cloud.len() - 1).saturating_sub(rows).max(1);
            self.cloud.truncate(left);
            self.rewound = true;
        }
    }

    pub(super) fn note_confirmed(&mut self, at: usize) {
        let settled = &self.devices[at].folded;
        self.confirmed.extend(settled.claims());
    }

    pub(super) fn settle_all(&mut self) {
        self.real_time += MINUTE;
        for _ in 0..4 {
            (0..self.devices.len()).for_each(|at| self.sync(at));
        }
        let all = self.cloud.len();
        for device in &self.devices {
            assert!(
                device.tail.is_empty() && device.settled.len() == all,
                "synced"
            );
        }
        self.add_device();
        let fresh = self.devices.len() - 1;
        while self.pull(fresh, 9) {}
    }
}
