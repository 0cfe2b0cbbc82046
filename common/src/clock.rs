//! The time of day: in UTC as a client may ask for it, as a session can open no zone's file; and as the server's clock on the
//! wall has it, for rules about logins.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// The longest format, in octets: room for everything that a date has.
const LONGEST_FORMAT: usize = 64;
/// The longest text that a format may come to, since each part of it can be padded.
const LONGEST_TEXT: usize = 512;

/// Formats the present time as strftime(3) does; `None` if the format is not understood or too long.
pub fn now(format: &str) -> Option<String> {
    if format.len() > LONGEST_FORMAT {
        return None;
    }
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    strtime::format(format, &now)
        .ok()
        .filter(|text| text.len() <= LONGEST_TEXT)
}

/// The present time in the zone of this system; `None` where it cannot be told which that is. It reads the zone's files, so
/// it is for processes that still can.
pub fn local() -> Option<DateTime> {
    let zone = TimeZone::try_system().ok()?;
    Some(Timestamp::now().to_zoned(zone).datetime())
}

/// Seconds since 1970.
pub fn seconds() -> i64 {
    Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_strftime_and_bounded() {
        assert_eq!(now("%%%z"), Some("%+0000".to_owned()));
        assert_eq!(now("%Y").map(|year| year.len()), Some(4));
        assert_eq!(now("%!"), None);
        assert_eq!(now(&"x".repeat(65)), None);
        assert_eq!(now(&"%c".repeat(32)), None);
    }
}
