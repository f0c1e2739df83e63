//! Nothing stops a sync for ever: half-made clouds, rows of others, servers that refuse or lie.

use std::cell::RefCell;

use hzl_core::command::{Actor, AddTask, Command};
use hzl_core::ids::ProjectName;
use hzl_remote::error::{RemoteError, SqlError};
use hzl_remote::hrana::{Outcome, Rows, Statement};
use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};

use crate::devices::Device;
use crate::model_cloud::ModelCloud;

fn exchange(device: &mut Device, remote: &mut dyn Remote) -> Result<Report, SyncError> {
    sync(
        &mut device.ledger,
        remote,
        &SyncOptions::default(),
        &mut |_| {},
    )
}

#[test]
fn a_cloud_that_was_made_by_half_is_finished_by_the_next() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let mut cut = Meddler::new(&cloud, |at, statements| {
        // The server dies before the last statement that makes the tables.
        (at == 1).then(|| statements.truncate(statements.len() - 1));
        None
    });
    drop(exchange(&mut a, &mut cut));
    a.add("first");
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    exchange(&mut b, &mut cloud.line(vec![])).unwrap();
    assert_eq!(b.titles(), ["first"]);
}

#[test]
fn rows_that_cannot_be_sent_are_set_aside() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("before");
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    cloud.plant("BIG", task.as_str(), "comment_added", "{}");
    cloud.tamper(
        "update hzl_events set data = json_array(hex(zeroblob(4000000))) where event_id = 'BIG';
         insert into hzl_events (event_id, task_id, type, data, author, timestamp)
         values ('BLOB', 't', 'x', '{}', x'ff00', 'now'), (x'c0ff', 't', x'c0', '{}', null, 'now')",
    );
    a.add("after");
    for device in [&mut a, &mut b] {
        exchange(device, &mut cloud.line(vec![])).unwrap();
        // The cursor stands on a row without an id now.
        device.add("later");
        let report = exchange(device, &mut cloud.line(vec![])).unwrap();
        assert!(report.pushed >= 2, "{report:?}");
    }
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    assert_eq!(b.titles().len(), 4);
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn a_server_that_forgets_what_it_took_is_not_asked_for_ever() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    a.add("waits");
    let mut lying = Meddler::new(&cloud, |_, statements| {
        let first = statements.first_mut().filter(|first| is_push(first))?;
        // It says what it inserted, and inserts nothing.
        *first = Statement::new("select 1 as seq", vec![]);
        None
    });
    let error = exchange(&mut a, &mut lying).unwrap_err();
    assert!(matches!(error, SyncError::Stuck), "{error}");
    assert!(lying.requests() < 10, "{}", lying.requests());
}

#[test]
fn what_a_server_refuses_does_not_stop_pulling() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    exchange(&mut b, &mut cloud.line(vec![])).unwrap();
    b.add("from B");
    exchange(&mut b, &mut cloud.line(vec![])).unwrap();
    a.add("waits");
    let mut blocked = Meddler::new(&cloud, |_, statements| {
        let first = statements.first_mut().filter(|first| is_push(first))?;
        *first = Statement::new("writes are blocked", vec![]);
        None
    });
    let error = exchange(&mut a, &mut blocked).unwrap_err();
    assert!(matches!(error, SyncError::Sql(SqlError { .. })), "{error}");
    assert_eq!(a.titles().len(), 2);
    assert_eq!(a.ledger.count_pending().unwrap(), 2);
}

#[test]
fn an_event_too_large_for_a_proxy_is_set_aside() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    a.add("small");
    a.add(&"x".repeat(100));
    let mut narrow = Meddler::new(&cloud, |_, statements| {
        let first = statements.first_mut().filter(|first| is_push(first))?;
        let long = format!("{:?}", first.args).contains(&"x".repeat(100));
        long.then(|| RemoteError::BadRequest {
            status: 413,
            message: String::new(),
        })
    });
    let report = exchange(&mut a, &mut narrow).unwrap();
    assert_eq!((report.quarantined, report.pushed), (1, 2));
}

#[test]
fn who_has_no_time_keeps_what_was_done_until_then() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    a.add("first");
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    let hurry = SyncOptions {
        deadline: Some(std::time::Instant::now()),
        ..SyncOptions::default()
    };
    let in_a_hurry = |a: &mut Device| {
        let mut line = cloud.line(vec![]);
        sync(&mut a.ledger, &mut line, &hurry, &mut |_| {})
    };
    let task = a.add("talked about");
    a.add_remarks(&task, 1_500);
    let waiting = a.ledger.count_pending().unwrap();
    let error = in_a_hurry(&mut a).unwrap_err();
    assert!(matches!(error, SyncError::NotInTime), "{error:?}");
    assert_eq!(error.kind(), SyncErrorKind::Unavailable);
    assert_eq!(a.ledger.count_pending().unwrap(), waiting - 1_000);
    // One round is always made, and here it suffices.
    in_a_hurry(&mut a).unwrap();
    assert_eq!(a.ledger.count_pending().unwrap(), 0);
}

#[test]
fn whoever_syncs_does_not_wait_for_what_others_go_on_writing() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    exchange(&mut a, &mut cloud.line(vec![])).unwrap();
    a.add("mine");
    let other = RefCell::new(a.other_process());
    let mut busy = Meddler::new(&cloud, move |at, _| {
        assert!(at < 50, "it goes on for ever");
        let mut other = other.borrow_mut();
        let task_id = other.new_task_id();
        let add = AddTask::new(task_id, "theirs", ProjectName::inbox());
        let add = Command::AddTask(Box::new(add));
        other.execute(&add, &Actor::default()).unwrap();
        None
    });
    exchange(&mut a, &mut busy).unwrap();
    assert!(a.titles().contains(&"theirs".to_owned()));
}

fn is_push(statement: &Statement) -> bool {
    statement.sql.contains("insert into hzl_events")
}

/// What happens to a request, by its number.
type Meddle = dyn Fn(u64, &mut Vec<Statement>) -> Option<RemoteError>;

/// A connection on which requests are changed or refused.
struct Meddler<'cloud> {
    line: crate::model_cloud::Line<'cloud>,
    meddle: Box<Meddle>,
}

impl<'cloud> Meddler<'cloud> {
    fn new(
        cloud: &'cloud ModelCloud,
        meddle: impl Fn(u64, &mut Vec<Statement>) -> Option<RemoteError> + 'static,
    ) -> Self {
        Self {
            line: cloud.line(vec![]),
            meddle: Box::new(meddle),
        }
    }
}

impl Remote for Meddler<'_> {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        let mut statements = statements.to_vec();
        let asked = statements.len();
        if let Some(error) = (self.meddle)(self.line.requests(), &mut statements) {
            return Err(error);
        }
        let mut outcomes = self.line.pipeline(&statements)?;
        outcomes.resize_with(asked, || Ok(Rows::default()));
        Ok(outcomes)
    }

    fn requests(&self) -> u64 {
        self.line.requests()
    }
}
