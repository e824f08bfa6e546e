//! Days of the calendar, for what is reported of certificates.

use std::fmt;

use rustls::pki_types::UnixTime;
use serde::{Serialize, Serializer};

const DAY_S: u64 = 86_400;

/// A day in UTC, counted from 1970-01-01; printed as in ISO 8601.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(i64);

impl Date {
    /// The day of a time.
    pub(super) fn of(time: UnixTime) -> Date {
        Date((time.as_secs() / DAY_S) as i64)
    }

    /// The day of the Gregorian calendar (Fliegel and Van Flandern, CACM 11 (1968), p. 657).
    pub(super) fn of_calendar(year: i64, month: i64, day: i64) -> Date {
        let m = (month - 14) / 12;
        let julian = 1461 * (year + 4800 + m) / 4 + 367 * (month - 2 - 12 * m) / 12
            - 3 * ((year + 4900 + m) / 100) / 4
            + day
            - 32_075;
        Date(julian - JULIAN_OF_1970)
    }

    /// Days from `earlier` to this day.
    pub fn days_since(self, earlier: Date) -> i64 {
        self.0 - earlier.0
    }

    fn calendar(self) -> (i64, i64, i64) {
        let l = self.0 + JULIAN_OF_1970 + 68_569;
        let n = 4 * l / 146_097;
        let l = l - (146_097 * n + 3) / 4;
        let i = 4_000 * (l + 1) / 1_461_001;
        let l = l - 1_461 * i / 4 + 31;
        let j = 80 * l / 2_447;
        let day = l - 2_447 * j / 80;
        let l = j / 11;
        (100 * (n - 49) + i + l, j + 2 - 12 * l, day)
    }
}

/// The Julian day number of 1970-01-01.
const JULIAN_OF_1970: i64 = 2_440_588;

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.calendar();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_days_are_named_rightly() {
        for (seconds, named) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_400, "2000-02-29"),
            (1_767_225_600, "2026-01-01"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            let date = Date::of(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
            assert_eq!(date.to_string(), named);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut day = Date::of_calendar(1950, 1, 1);
        assert_eq!(day, Date(-7_305));
        for _ in 0..400 * 365 + 97 {
            let (year, month, date) = day.calendar();
            assert_eq!(Date::of_calendar(year, month, date), day);
            day = Date(day.0 + 1);
        }
        assert_eq!(day.to_string(), "2350-01-01");
    }
}
