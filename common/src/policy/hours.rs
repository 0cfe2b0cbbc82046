//! Days and times of a week: `Mon-Fri/08:00-18:00,Sat/22:00-04:00,Sun`. Pure: no clock.

use jiff::civil::{DateTime, Weekday};

use crate::settings::value::{Wrong, shown, words};

/// The longest list, in its parts.
const MOST: usize = 64;

const DAYS: [(&str, Weekday); 7] = [
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// The times of a week at which a login may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Vec<Span>);

/// The same minutes of some days. Where the end is not behind the start, it is on the day after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// One bit for each day, Monday's the lowest.
    days: u8,
    from: u16,
    /// The first minute that is outside.
    until: u16,
}

impl Hours {
    /// Reads a list of days, of times, or of days with times.
    pub fn parse(list: &str) -> Result<Hours, Wrong> {
        let spans: Vec<_> = words(list).map(Span::parse).collect::<Result<_, _>>()?;
        match spans.len() {
            0 => Err(Wrong::Not(
                "a list such as Mon-Fri/08:00-18:00,Sat".to_owned(),
            )),
            1..=MOST => Ok(Hours(spans)),
            _ => Err(Wrong::Because(format!("there are more than {MOST} parts"))),
        }
    }

    /// Whether the time is in one of the parts.
    pub fn contain(&self, time: DateTime) -> bool {
        let day = 1 << time.weekday().to_monday_zero_offset();
        let before = 1 << time.weekday().previous().to_monday_zero_offset();
        let minute = minute(time.hour(), time.minute());
        self.0.iter().any(|span| {
            if span.from < span.until {
                span.days & day != 0 && (span.from..span.until).contains(&minute)
            } else {
                span.days & day != 0 && minute >= span.from
                    || span.days & before != 0 && minute < span.until
            }
        })
    }
}

impl Span {
    fn parse(word: &str) -> Result<Span, Wrong> {
        let (days, times) = match word.split_once('/') {
            Some((days, times)) => (Some(days), Some(times)),
            None if word.starts_with(|c: char| c.is_ascii_digit()) => (None, Some(word)),
            None => (Some(word), None),
        };
        let days = days.map_or(Some(0x7f), parse_days);
        let times = times.map_or(Some((0, DAY)), parse_times);
        let (Some(days), Some((from, until))) = (days, times) else {
            return Err(Wrong::Because(format!(
                "\"{}\" is not days and times such as Mon-Fri/08:00-18:00, Sat or 22:00-04:00",
                shown(word)
            )));
        };
        Ok(Span { days, from, until })
    }
}

/// The bits of `Mon-Fri`, `Fri-Mon` or `Sunday`.
fn parse_days(text: &str) -> Option<u8> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_day(first)?, parse_day(last)?);
    let mut day = first;
    let mut days = 0;
    loop {
        days |= 1 << day.to_monday_zero_offset();
        if day == last {
            return Some(days);
        }
        day = day.next();
    }
}

/// A day by its English name or the beginning of it; two letters tell all seven apart.
fn parse_day(text: &str) -> Option<Weekday> {
    let begins = |name: &str| {
        name.get(..text.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(text))
    };
    let found = DAYS.into_iter().find(|(name, _)| begins(name));
    found.filter(|_| text.len() >= 2).map(|(_, day)| day)
}

/// `08:00-18:00`. Two equal times would be nothing to some and a whole day to others, so they are refused.
fn parse_times(text: &str) -> Option<(u16, u16)> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (parse_time(from)?, parse_time(until)?);
    (from < DAY && from != until && until != 0).then_some((from, until))
}

fn parse_time(text: &str) -> Option<u16> {
    let (hour, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<i8>().ok())?
    };
    let (hour, minutes) = (
        number(hour)?,
        number(minutes).filter(|_| minutes.len() == 2)?,
    );
    let time = minute(hour, minutes);
    (minutes < 60 && time <= DAY).then_some(time)
}

fn minute(hour: i8, minute: i8) -> u16 {
    u16::from(hour.unsigned_abs()) * 60 + u16::from(minute.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    /// Monday, the 4th of January 2027, and the days after it.
    fn at(day: i8, time: &str) -> DateTime {
        let (hour, minute) = time.split_once(':').unwrap();
        date(2027, 1, 3 + day).at(hour.parse().unwrap(), minute.parse().unwrap(), 59, 0)
    }

    fn contain(list: &str, day: i8, time: &str) -> bool {
        Hours::parse(list).unwrap().contain(at(day, time))
    }

    #[test]
    fn days_and_times_are_those_of_the_list() {
        let office = "Mon-Fri/08:00-18:00, sat/9:00-12:30";
        assert!(contain(office, 1, "8:00") && contain(office, 5, "17:59"));
        assert!(!contain(office, 1, "7:59") && !contain(office, 5, "18:00"));
        assert!(contain(office, 6, "12:29") && !contain(office, 6, "12:30"));
        assert!(!contain(office, 7, "12:00"));
        assert!(contain("Sunday", 7, "0:00") && contain("su", 7, "23:59"));
        assert!(contain("23:00-24:00", 3, "23:59") && !contain("23:00-24:00", 3, "0:00"));
        assert!(contain("Fri-Mon", 7, "3:00") && !contain("Fri-Mon", 4, "3:00"));
    }

    #[test]
    fn a_range_over_midnight_belongs_to_the_day_that_it_begins_on() {
        let night = "Fri/22:00-06:00";
        assert!(!contain(night, 5, "5:00") && !contain(night, 5, "21:59"));
        assert!(contain(night, 5, "22:00") && contain(night, 6, "5:59"));
        assert!(!contain(night, 6, "6:00") && !contain(night, 6, "22:00"));
        // From Sunday into the next week.
        assert!(contain("Sun/22:00-06:00", 8, "5:59"));
        assert!(contain("22:00-06:00", 1, "0:00") && !contain("22:00-06:00", 1, "12:00"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for list in [
            "M",
            "Funday",
            "Mon/",
            "/08:00-18:00",
            "Mon/8-18",
            "Mon/08:00",
            "Mon/08:00-08:00",
            "24:00-08:00",
            "08:00-24:01",
            "08:60-09:00",
            "8:0-9:00",
            "+8:00-9:00",
            "-1:00-9:00",
            "Mon-",
            "-Mon",
            "Mon-Tue-Wed",
            "08:00-18:00-20:00",
            "Mon/08:00-18:00/x",
            "Mondays",
            "22:00-00:00",
            "ä",
            "Mon/ä",
        ] {
            assert!(
                matches!(Hours::parse(list), Err(Wrong::Because(_))),
                "{list}"
            );
        }
        assert!(matches!(Hours::parse(" , "), Err(Wrong::Not(_))));
        assert!(Hours::parse(&"Mon,".repeat(MOST)).is_ok());
        assert!(Hours::parse(&"Mon,".repeat(MOST + 1)).is_err());
    }

    proptest! {
        #[test]
        fn a_range_and_what_is_left_of_the_day_make_the_day(from in 0u16..1440, until in 1u16..1440, minute in 0u16..1440) {
            prop_assume!(from != until);
            let range = |from: u16, until: u16| {
                let text = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60);
                Hours::parse(&text).unwrap()
            };
            let time = at(3, &format!("{}:{}", minute / 60, minute % 60));
            let inside = range(from, until).contain(time);
            let outside = if from == 0 { range(until, DAY) } else { range(until, from) };
            prop_assert_ne!(inside, outside.contain(time));
        }

        #[test]
        fn any_text_is_hours_or_none(list in "[MoTuWeSa0-9:/, -]{0,40}") {
            let _ = Hours::parse(&list);
        }
    }
}
