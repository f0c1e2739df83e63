//! Points in time as milliseconds, and their text form. No clock: the time arrives as an argument.

use std::fmt;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, UTC. May be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// Wraps milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Returns this point moved by `millis` (may be negative), saturating.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Returns this point moved by whole minutes.
    #[must_use]
    pub fn plus_minutes(self, minutes: u32) -> Self {
        self.plus_millis(i64::from(minutes) * 60_000)
    }

    /// Reads an ISO 8601 date or date-time: `2026-03-01`, `2026-03-01T09:00:00Z`,
    /// `2026-03-01 09:00:00.123+01:00`. A time without zone is taken as UTC. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, time) = match text.find(['T', 't', ' ']) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?),
            None => (text, ""),
        };
        let mut parts = date.splitn(3, '-');
        let year = digits(parts.next()?, 4)?;
        let month = digits(parts.next()?, 2)?;
        let day = digits(parts.next()?, 2)?;
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        let of_day = if time.is_empty() {
            Some(0)
        } else {
            parse_time(time)
        }?;
        Some(Self(days_from_civil(year, month, day) * DAY_MS + of_day))
    }
}

/// `2026-03-01T09:00:00.000Z`, the form in which events store time. Text order is time order for the
/// years 0 to 9999.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

/// Milliseconds of the day, minus the zone's offset.
fn parse_time(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |text| digits(text, 2))?;
    if hour > 24 || minute > 59 || second > 60 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut millis = 0;
    for place in 0..3 {
        millis = millis * 10
            + fraction
                .as_bytes()
                .get(place)
                .map_or(0, |b| i64::from(b - b'0'));
    }
    let offset_minutes = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let numbers = zone.get(1..)?.replace(':', "");
            let hours = digits(numbers.get(..2)?, 2)?;
            let minutes = if numbers.len() > 2 {
                digits(numbers.get(2..)?, 2)?
            } else {
                0
            };
            sign * (hours * 60 + minutes)
        }
    };
    Some(((hour * 60 + minute - offset_minutes) * 60 + second) * 1_000 + millis)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let plain = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Source: H. Hinnant, "chrono-compatible
/// low-level date algorithms".
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_milliseconds_agree() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2026-03-01T09:00:00.000Z", 1_772_355_600_000),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2100-12-31T00:00:00.000Z", 4_133_894_400_000),
        ] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp(millis)), "{text}");
            assert_eq!(Timestamp(millis).to_string(), text);
        }
    }

    #[test]
    fn lenient_forms_are_read() {
        let nine = Timestamp::parse("2026-03-01T09:00:00.000Z");
        for text in [
            "2026-03-01T09:00:00Z",
            "2026-03-01 09:00:00",
            "2026-03-01T10:00:00+01:00",
            "2026-03-01T10:00+0100",
            "2026-03-01T08:30:00.000000-00:30",
        ] {
            assert_eq!(Timestamp::parse(text), nine, "{text}");
        }
        assert_eq!(
            Timestamp::parse("2026-03-01").map(Timestamp::millis),
            Some(1_772_323_200_000)
        );
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "soon",
            "2026-13-01",
            "2026-02-30",
            "2026-03-01T25:00:00Z",
            "1",
            "é-é-é",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
