//! Values of arguments and options: from text to checked, typed form, once.
//!
//! Pure. Each function is a clap value parser; its error says whether a bad value is a usage error
//! or an input error, which have different exit codes for historical reasons. Rules about content
//! (length of a title, names of projects) are not here: the ledger decides those.

use std::fmt;

use hzl_core::limits::MINUTES_MAX;
use hzl_core::limits::PRIORITY_MAX;
use hzl_core::limits::PROGRESS_MAX;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use serde_json::Map;
use serde_json::Value;

/// Why a value is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueError {
    /// What kind of failure a bad value of this option is.
    pub(crate) class: Class,
    /// Names the value and the limit.
    pub(crate) message: String,
}

/// What kind of failure a bad value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Usage,
    Input,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}

type Parsed<T> = Result<T, ValueError>;

/// How much of a task is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Summary,
    Standard,
    Full,
}

/// What to do with local changes that meet others in the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictStrategy {
    Merge,
    DiscardLocal,
    Fail,
}

impl ConflictStrategy {
    /// Finds the strategy of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        match name {
            "merge" => Some(Self::Merge),
            "discard-local" => Some(Self::DiscardLocal),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

/// A time that reaches back from now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// As given, with its unit.
    pub(crate) label: String,
    /// At least 1.
    pub(crate) minutes: u32,
}

/// A comma-separated list as given to one option. Items are trimmed; the empty text is no items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommaList(Vec<String>);

impl CommaList {
    /// Returns the items of all lists given to a repeated option.
    pub(crate) fn join(lists: &[Self]) -> Vec<String> {
        lists
            .iter()
            .flat_map(|list| list.0.iter().cloned())
            .collect()
    }
}

/// Parses a comma-separated list. Empty items are kept for the ledger to refuse.
pub(crate) fn comma_list(text: &str) -> Parsed<CommaList> {
    if text.trim().is_empty() {
        return Ok(CommaList(Vec::new()));
    }
    let items = text.split(',').map(|item| item.trim().to_owned());
    Ok(CommaList(items.collect()))
}

/// Parses a priority, 0 to 3.
pub(crate) fn priority(text: &str) -> Parsed<u8> {
    ranged("priority", text, 0, PRIORITY_MAX.into(), Class::Input)
}

/// Parses the progress argument of `task progress`, 0 to 100.
pub(crate) fn progress_argument(text: &str) -> Parsed<u8> {
    ranged("progress", text, 0, PROGRESS_MAX.into(), Class::Usage)
}

/// Parses the value of a `--progress` option, 0 to 100.
pub(crate) fn progress_option(text: &str) -> Parsed<u8> {
    ranged("progress", text, 0, PROGRESS_MAX.into(), Class::Input)
}

/// Parses a lease in minutes, at least 1.
pub(crate) fn lease_minutes(text: &str) -> Parsed<u32> {
    ranged("lease", text, 1, MINUTES_MAX.into(), Class::Input)
}

/// Parses a number of minutes, at least 0.
pub(crate) fn minutes(text: &str) -> Parsed<u32> {
    ranged(
        "number of minutes",
        text,
        0,
        MINUTES_MAX.into(),
        Class::Input,
    )
}

/// Parses a page or a number of rows, at least 1.
pub(crate) fn at_least_one(text: &str) -> Parsed<u32> {
    ranged("number", text, 1, u32::MAX.into(), Class::Input)
}

/// Parses a number of events, 1 to 200.
pub(crate) fn log_limit(text: &str) -> Parsed<u32> {
    ranged("number of events", text, 1, 200, Class::Input)
}

/// Parses a row id to start after, at least 0.
pub(crate) fn row_id(text: &str) -> Parsed<i64> {
    ranged("row id", text, 0, i64::MAX, Class::Input)
}

/// Parses a duration in minutes: digits and an optional `m`, `h` or `d`; bare digits are minutes.
pub(crate) fn duration_minutes(text: &str) -> Parsed<u32> {
    let bad = |reason: &str| input(format!("duration is `{text}`, {reason}"));
    let trimmed = text.trim();
    let (digits, factor) = match trimmed.strip_suffix(['m', 'h', 'd']) {
        Some(digits) if trimmed.ends_with('d') => (digits, 24 * 60),
        Some(digits) if trimmed.ends_with('h') => (digits, 60),
        Some(digits) => (digits, 1),
        None => (trimmed, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad("expected something like 90, 30m, 2h or 1d"));
    }
    digits
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|minutes| *minutes <= MINUTES_MAX)
        .ok_or_else(|| bad(&format!("the limit is {} days", MINUTES_MAX / (24 * 60))))
}

/// Parses a number of seconds, 0 included.
pub(crate) fn seconds(text: &str) -> Parsed<u32> {
    let number = text.trim().parse();
    number.map_err(|_| input(format!("seconds are `{text}`, expected a whole number")))
}

/// The longest age that can be asked for: ten years.
const MAX_DAYS: u32 = 3_650;

/// Parses an age in days, such as `30d`; at least one.
pub(crate) fn days(text: &str) -> Parsed<u32> {
    let digits = text.trim().strip_suffix('d').unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(misused(format!(
            "age is `{text}`, expected days, such as 30d"
        )));
    }
    match digits.parse::<u32>() {
        Ok(days) if (1..=MAX_DAYS).contains(&days) => Ok(days),
        _ => Err(input(format!(
            "age is `{text}`, expected 1d to {MAX_DAYS}d"
        ))),
    }
}

/// Parses an ISO 8601 date or date-time.
pub(crate) fn time(text: &str) -> Parsed<Timestamp> {
    let expected = "expected an ISO 8601 date or date-time, such as 2026-03-01";
    Timestamp::parse(text).ok_or_else(|| misused(format!("time is `{text}`, {expected}")))
}

/// Parses a duration that reaches back from now, at least one minute.
pub(crate) fn window(text: &str) -> Parsed<Window> {
    let minutes = duration_minutes(text)?;
    if minutes == 0 {
        return Err(input(format!(
            "window is `{text}`, expected at least one minute"
        )));
    }
    let mut label = text.trim().to_owned();
    if label.ends_with(|last: char| last.is_ascii_digit()) {
        label.push('m');
    }
    Ok(Window { label, minutes })
}

/// Parses the name of any status, in any case.
pub(crate) fn status(text: &str) -> Parsed<Status> {
    status_among(text, &Status::ALL)
}

/// Parses the name of a status a new task can have: any but archived.
pub(crate) fn initial_status(text: &str) -> Parsed<Status> {
    let initial = Status::ALL
        .into_iter()
        .filter(|status| *status != Status::Archived);
    status_among(text, &initial.collect::<Vec<_>>())
}

/// Parses the name of a status a finished task can go back to: ready or backlog.
pub(crate) fn reopened_status(text: &str) -> Parsed<Status> {
    status_among(text, &[Status::Ready, Status::Backlog])
}

/// Parses the name of a view, in any case.
pub(crate) fn view(text: &str) -> Parsed<View> {
    match text.to_ascii_lowercase().as_str() {
        "summary" => Ok(View::Summary),
        "standard" => Ok(View::Standard),
        "full" => Ok(View::Full),
        _ => Err(input(format!(
            "view is `{text}`, expected summary, standard or full"
        ))),
    }
}

/// Parses the name of a conflict strategy.
pub(crate) fn conflict_strategy(text: &str) -> Parsed<ConflictStrategy> {
    ConflictStrategy::find(&text.to_ascii_lowercase()).ok_or_else(|| {
        input(format!(
            "conflict strategy is `{text}`, expected merge, discard-local or fail"
        ))
    })
}

/// Parses a JSON object.
pub(crate) fn json_object(text: &str) -> Parsed<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(input(
            "data is JSON, but not an object like {\"key\": 1}".to_owned(),
        )),
        Err(error) => Err(input(format!("data is not JSON: {error}"))),
    }
}

/// Parses a task id or the beginning of one. Only the empty text is refused here.
pub(crate) fn task_id(text: &str) -> Parsed<String> {
    id("task id", text)
}

/// Parses an event id or the beginning of one. Only the empty text is refused here.
pub(crate) fn event_id(text: &str) -> Parsed<String> {
    id("event id", text)
}

fn id(what: &str, text: &str) -> Parsed<String> {
    match text.trim() {
        "" => Err(input(format!("{what} is empty"))),
        id => Ok(id.to_owned()),
    }
}

fn input(message: String) -> ValueError {
    ValueError {
        class: Class::Input,
        message,
    }
}

fn misused(message: String) -> ValueError {
    ValueError {
        class: Class::Usage,
        message,
    }
}

fn status_among(text: &str, allowed: &[Status]) -> Parsed<Status> {
    let wanted = text.to_ascii_lowercase().replace('-', "_");
    let found = allowed.iter().find(|status| status.name() == wanted);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = allowed.iter().map(|status| status.name()).collect();
        input(format!(
            "status is `{text}`, expected one of {}",
            names.join(", ")
        ))
    })
}

fn ranged<T: TryFrom<i64>>(what: &str, text: &str, min: i64, max: i64, class: Class) -> Parsed<T> {
    let number = text.trim().parse::<i64>().ok();
    number
        .filter(|number| (min..=max).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            let range = if max >= u32::MAX.into() {
                format!("at least {min}")
            } else {
                format!("from {min} to {max}")
            };
            ValueError {
                class,
                message: format!("{what} is `{text}`, expected a whole number {range}"),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_0_to_3() {
        assert_eq!(priority("0"), Ok(0));
        assert_eq!(priority("3"), Ok(3));
        for bad in ["4", "-1", "high", "1.5", ""] {
            assert_eq!(priority(bad).unwrap_err().class, Class::Input, "{bad}");
        }
    }

    #[test]
    fn progress_is_a_usage_error_as_argument_and_an_input_error_as_option() {
        assert_eq!(progress_argument("55"), Ok(55));
        assert_eq!(progress_argument("101").unwrap_err().class, Class::Usage);
        assert_eq!(progress_option("101").unwrap_err().class, Class::Input);
    }

    #[test]
    fn durations_have_units_and_limits() {
        assert_eq!(duration_minutes("45"), Ok(45));
        assert_eq!(duration_minutes(" 2h "), Ok(120));
        assert_eq!(duration_minutes("1d"), Ok(1440));
        assert_eq!(duration_minutes("0"), Ok(0));
        for bad in [
            "soon",
            "-5m",
            "1w",
            "1.5h",
            "m",
            "",
            "+3",
            "99999999999d",
            "4000d",
        ] {
            assert!(duration_minutes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_window_has_a_unit_and_is_not_empty() {
        let labels = |text| window(text).map(|window| (window.label, window.minutes));
        assert_eq!(labels(" 7d"), Ok(("7d".to_owned(), 10_080)));
        assert_eq!(labels("90"), Ok(("90m".to_owned(), 90)));
        assert!(window("0").is_err());
        assert!(window("soon").is_err());
    }

    #[test]
    fn leases_are_at_least_one_minute() {
        assert_eq!(lease_minutes("1"), Ok(1));
        assert!(lease_minutes("0").is_err());
        assert!(lease_minutes("soon").is_err());
        assert!(lease_minutes("99999999999").is_err());
    }

    #[test]
    fn statuses_are_found_in_any_case_and_archived_is_not_initial() {
        assert_eq!(status("In_Progress"), Ok(Status::InProgress));
        assert_eq!(status("in-progress"), Ok(Status::InProgress));
        assert_eq!(status("archived"), Ok(Status::Archived));
        assert!(initial_status("archived").is_err());
        assert_eq!(reopened_status("Backlog"), Ok(Status::Backlog));
        assert!(reopened_status("done").is_err());
        assert!(status("doing").unwrap_err().message.contains("in_progress"));
    }

    #[test]
    fn lists_are_trimmed_and_joined() {
        let lists = [comma_list("a, b").unwrap(), comma_list("c").unwrap()];
        assert_eq!(CommaList::join(&lists), ["a", "b", "c"]);
        assert_eq!(
            CommaList::join(&[comma_list("a,,b").unwrap()]),
            ["a", "", "b"]
        );
        assert!(CommaList::join(&[comma_list("").unwrap()]).is_empty());
    }

    #[test]
    fn checkpoint_data_is_an_object() {
        assert!(json_object("{\"a\":1}").is_ok());
        assert!(json_object("{oops").is_err());
        assert!(json_object("[1]").is_err());
    }

    #[test]
    fn numbers_of_rows_start_at_one_and_row_ids_at_zero() {
        assert_eq!(at_least_one("1"), Ok(1));
        assert!(at_least_one("0").is_err());
        assert_eq!(log_limit("200"), Ok(200));
        assert!(log_limit("201").is_err());
        assert_eq!(row_id("0"), Ok(0));
        assert!(row_id("-1").is_err());
    }
}
