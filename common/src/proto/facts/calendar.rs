//! Seconds since 1970 as the dates that clients are shown, in UTC. Pure: no clock, no zones.
//!
//! A listing shows a date for every entry, and neighbours often share their day, so the last day is remembered.

use super::two_digits;

const DAY: i64 = 86_400;
/// The days of 400 years.
const ERA: i64 = 146_097;
/// The days from 0000-03-01 to 1970-01-01.
const MARCH_YEAR_0: i64 = 719_468;
/// The years that four digits can show; anything beyond is shown as the nearest end.
const EARLIEST: i64 = -62_167_219_200; // 0000-01-01T00:00:00Z
const LATEST: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z
/// `ls` shows the year instead of the time for what is older than half a mean Gregorian year.
const HALF_YEAR: i64 = 31_556_952 / 2;

#[rustfmt::skip]
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Writes dates, and remembers the last day that it wrote.
#[derive(Clone, Debug)]
pub struct Calendar {
    day: i64,
    /// `YYYYMMDD`
    stamp: [u8; 8],
    /// `Mon DD`
    short: [u8; 6],
}

impl Default for Calendar {
    fn default() -> Self {
        Calendar {
            day: 0,
            stamp: *b"19700101",
            short: *b"Jan 01",
        }
    }
}

impl Calendar {
    /// Appends a time value, `YYYYMMDDhhmmss` (RFC 3659 §2.3).
    pub fn time_value(&mut self, out: &mut Vec<u8>, seconds: i64) {
        let time = self.turn_to(seconds);
        out.extend_from_slice(&self.stamp);
        for part in [time / 3600, time / 60 % 60, time % 60] {
            out.extend_from_slice(&two_digits(part));
        }
    }

    /// Appends the date of a LIST line, as it looks at `now`: `Mon DD hh:mm`, or `Mon DD  YYYY` for what is half a
    /// year old or in the future.
    pub fn list_date(&mut self, out: &mut Vec<u8>, seconds: i64, now: i64) {
        let time = self.turn_to(seconds);
        out.extend_from_slice(&self.short);
        let age = now.saturating_sub(seconds);
        if (0..HALF_YEAR).contains(&age) {
            out.push(b' ');
            out.extend_from_slice(&two_digits(time / 3600));
            out.push(b':');
            out.extend_from_slice(&two_digits(time / 60 % 60));
        } else {
            out.extend_from_slice(b"  ");
            out.extend_from_slice(&self.stamp[..4]);
        }
    }

    /// Makes the day of `seconds` the remembered one; the answer is the second of that day.
    fn turn_to(&mut self, seconds: i64) -> u32 {
        let seconds = seconds.clamp(EARLIEST, LATEST);
        let day = seconds.div_euclid(DAY);
        if day != self.day {
            let (year, month, date) = civil(day);
            self.day = day;
            self.stamp[..2].copy_from_slice(&two_digits(year / 100));
            self.stamp[2..4].copy_from_slice(&two_digits(year % 100));
            self.stamp[4..6].copy_from_slice(&two_digits(month));
            self.stamp[6..].copy_from_slice(&two_digits(date));
            self.short[..3].copy_from_slice(MONTHS[month as usize - 1]);
            self.short[4..].copy_from_slice(&two_digits(date));
        }
        narrow(seconds.rem_euclid(DAY))
    }
}

/// The year, month and day of month of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counting starts at a first of March, so that the leap day is the last of its year, and in eras of 400 years,
/// which all have the same length.
fn civil(day: i64) -> (u32, u32, u32) {
    let day = day + MARCH_YEAR_0;
    let (era, of_era) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // The months from March have 31 30 31 30 31 | 31 30 31 30 31 | 31 …: 153 days for every five.
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (narrow(era * 400 + year + next), narrow(month), narrow(date))
}

/// Reads a time stamp in UTC: `YYYYMMDD`, with `hhmm` behind it, or with `hhmmss`. What is left out is zero; a leap second
/// counts as the one after it.
pub fn seconds_of(stamp: &[u8]) -> Option<i64> {
    if !matches!(stamp.len(), 8 | 12 | 14) || !stamp.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let part = |from: usize, to: usize| {
        let digits = stamp.get(from..to).unwrap_or_default();
        let each = digits.iter().map(|digit| i64::from(digit - b'0'));
        each.fold(0, |number, digit| number * 10 + digit)
    };
    let (year, month, date) = (part(0, 4), part(4, 6), part(6, 8));
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    let day = day_of(year, month, date)?;
    (hour < 24 && minute < 60 && second <= 60)
        .then_some(day * DAY + hour * 3600 + minute * 60 + second)
}

/// The inverse of [`civil`]; `None` where the calendar has no such day.
fn day_of(year: i64, month: i64, date: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&date) {
        return None;
    }
    let of_march_year = (month + 9) % 12;
    let year_of_era = year - i64::from(month <= 2);
    let (era, of_era) = (year_of_era.div_euclid(400), year_of_era.rem_euclid(400));
    let of_year = (153 * of_march_year + 2) / 5 + date - 1;
    let day = era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - MARCH_YEAR_0;
    // The 31st of a short month has become a day of the next one.
    let same = civil(day);
    (same == (narrow(year), narrow(month), narrow(date))).then_some(day)
}

/// A part of a date: never negative after the clamp to four digits of year, and never large.
fn narrow(part: i64) -> u32 {
    u32::try_from(part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    fn value(seconds: i64) -> String {
        let mut out = Vec::new();
        Calendar::default().time_value(&mut out, seconds);
        String::from_utf8(out).unwrap()
    }

    fn listed(seconds: i64, now: i64) -> String {
        let mut out = Vec::new();
        Calendar::default().list_date(&mut out, seconds, now);
        String::from_utf8(out).unwrap()
    }

    fn expected(seconds: i64) -> String {
        let time = Timestamp::from_second(seconds)
            .unwrap()
            .to_zoned(TimeZone::UTC);
        time.strftime("%Y%m%d%H%M%S").to_string()
    }

    #[test]
    fn ends_of_the_calendar_are_shown_as_the_nearest_year() {
        assert_eq!(value(i64::MIN), "00000101000000");
        assert_eq!(value(i64::MAX), "99991231235959");
    }

    #[test]
    fn every_day_of_800_years_agrees_with_jiff() {
        let mut calendar = Calendar::default();
        for day in -170_000..122_000 {
            let mut out = Vec::new();
            calendar.time_value(&mut out, day * DAY + 3_723);
            assert_eq!(out, expected(day * DAY + 3_723).as_bytes(), "day {day}");
        }
    }

    #[test]
    fn list_dates_show_the_year_of_what_is_old_or_to_come() {
        let now = 1_767_225_600; // 2026-01-01
        assert_eq!(listed(now, now), "Jan 01 00:00");
        assert_eq!(listed(now - 60, now), "Dec 31 23:59");
        assert_eq!(listed(now - HALF_YEAR + 1, now), "Jul 02 09:05");
        assert_eq!(listed(now - HALF_YEAR, now), "Jul 02  2025");
        assert_eq!(listed(now + 1, now), "Jan 01  2026");
        assert_eq!(listed(i64::MIN, now), "Jan 01  0000");
    }

    #[test]
    fn stamps_have_eight_twelve_or_fourteen_digits() {
        assert_eq!(seconds_of(b"20010909014640"), Some(1_000_000_000));
        assert_eq!(seconds_of(b"200109090146"), Some(999_999_960));
        assert_eq!(seconds_of(b"20010909"), Some(999_993_600));
        assert_eq!(seconds_of(b"20161231235960"), seconds_of(b"20170101000000"));
        for stamp in [
            "",
            "2001",
            "2001090901",
            "20010909014661",
            "20010909240000",
            "20010909016000",
            "2001090901464 ",
            "-0010909",
        ] {
            assert_eq!(seconds_of(stamp.as_bytes()), None, "{stamp}");
        }
    }

    proptest! {
        #[test]
        fn any_second_agrees_with_jiff(seconds in EARLIEST..=253_402_207_200i64) {
            prop_assert_eq!(value(seconds), expected(seconds));
        }

        #[test]
        fn a_written_time_is_read_as_what_it_was(seconds in EARLIEST..=LATEST) {
            prop_assert_eq!(seconds_of(value(seconds).as_bytes()), Some(seconds));
        }

        #[test]
        fn every_day_of_the_calendar_is_read_and_no_other(year in 0i16..=9999, month in 0i8..=13, date in 0i8..=32) {
            let stamp = format!("{year:04}{month:02}{date:02}");
            let expected = jiff::civil::Date::new(year, month, date).ok();
            let expected = expected.map(|date| date.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second());
            prop_assert_eq!(seconds_of(stamp.as_bytes()), expected);
        }

        #[test]
        fn the_remembered_day_changes_nothing(seconds in proptest::collection::vec(-200_000i64..200_000, 1..20)) {
            let mut calendar = Calendar::default();
            for second in seconds {
                let mut out = Vec::new();
                calendar.time_value(&mut out, second);
                prop_assert_eq!(String::from_utf8(out).unwrap(), value(second));
            }
        }
    }
}
