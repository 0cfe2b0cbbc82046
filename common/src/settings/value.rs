//! The grammar of setting values: text to typed values, or what was expected instead. Pure: no I/O.

mod choices;
mod paths;

use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;

use super::rates;
use super::rules::{Advertised, Rules};
use crate::proto::args;
use crate::rate::Rate;

pub(in crate::settings) use self::choices::charset;
pub use self::paths::{STDERR, STDOUT, SYSLOG};

/// The longest text of the reply to a login, in octets.
pub const LONGEST_PROMPT: usize = 1024;

/// The text of a value and what is needed to understand it.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pub text: &'a str,
    /// The directory that relative paths start from; without one, they are refused.
    pub base: Option<&'a Path>,
}

/// Why a text is not a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The value is not what this says, for example `a port number`.
    Not(String),
    /// A whole sentence about it.
    Because(String),
}

impl Wrong {
    /// The sentence about a text that is not a value.
    pub fn sentence(self, text: &str) -> String {
        match self {
            Wrong::Not(expected) => format!("\"{}\" is not {expected}", shown(text)),
            Wrong::Because(sentence) => sentence,
        }
    }
}

fn not(expected: &str) -> Wrong {
    Wrong::Not(expected.to_owned())
}

/// No time in a configuration is longer, so that sums of times cannot overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Whether an interval may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    Allow,
    Refuse,
}

impl Value<'_> {
    /// A yes or no. A key without a value is a yes.
    pub fn switch(self) -> Result<bool, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "" | "yes" | "true" | "on" | "1" => Ok(true),
            "no" | "false" | "off" | "0" => Ok(false),
            _ => Err(not("yes or no")),
        }
    }

    /// A port number from `lowest` up.
    pub fn port(self, lowest: u16) -> Result<u16, Wrong> {
        digits::<u16>(self.text)
            .filter(|&port| port >= lowest)
            .ok_or_else(|| Wrong::Not(format!("a port number from {lowest} to 65535")))
    }

    /// Two ports as `low-high`.
    pub fn port_range(self, lowest: u16) -> Result<(u16, u16), Wrong> {
        self.text
            .split_once('-')
            .and_then(|(low, high)| Some((digits::<u16>(low.trim())?, digits(high.trim())?)))
            .filter(|&(low, high)| low >= lowest && low <= high)
            .ok_or_else(|| {
                Wrong::Not(format!(
                    "a range of ports such as 50000-50999 between {lowest} and 65535"
                ))
            })
    }

    /// A count of at least one.
    pub fn count(self) -> Result<u32, Wrong> {
        digits(self.text)
            .filter(|&count| count > 0)
            .ok_or_else(|| not("a number from 1 up"))
    }

    /// A count that may be zero, which means what the setting says.
    pub fn count_or_zero(self) -> Result<u64, Wrong> {
        digits(self.text).ok_or_else(|| not("a number from 0 up"))
    }

    /// A limit, or zero for none.
    pub fn limit(self) -> Result<u32, Wrong> {
        digits(self.text).ok_or_else(|| not("a number from 0 up"))
    }

    /// A number of directories that may be open at a time.
    pub fn depth(self) -> Result<u32, Wrong> {
        digits(self.text)
            .filter(|&depth| depth <= 64)
            .ok_or_else(|| not("a number from 0 to 64"))
    }

    /// A user's number that is neither root's nor the one that means none.
    pub fn unprivileged_id(self) -> Result<u32, Wrong> {
        digits(self.text)
            // The three behind it are taken too.
            .filter(|&id| id != 0 && id < u32::MAX - 3)
            .ok_or_else(|| not("a user number other than root's"))
    }

    /// Permission bits in octal.
    pub fn mode_bits(self) -> Result<u32, Wrong> {
        let octal = !self.text.is_empty() && self.text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        u32::from_str_radix(self.text, 8)
            .ok()
            .filter(|&bits| octal && bits <= 0o777)
            .ok_or_else(|| not("an octal mode from 000 to 777"))
    }

    /// An interval: a bare number of seconds, or numbers with the units d, h, m, s and ms from the largest down.
    pub fn interval(self, zero: Zero) -> Result<Duration, Wrong> {
        let interval =
            interval(self.text).ok_or_else(|| not("a time such as 90, 5m, 1h30m or 500ms"))?;
        if interval > LONGEST {
            return Err(not("a time of at most 366d"));
        }
        if interval.is_zero() && zero == Zero::Refuse {
            return Err(not("a time longer than zero"));
        }
        Ok(interval)
    }

    /// A type that passwords can be changed to.
    /// A time of whole seconds, which is what the kernel counts in.
    pub fn keepalive(self) -> Result<Duration, Wrong> {
        let time = self.interval(Zero::Refuse)?;
        let longest = Duration::from_secs(32767);
        if time.subsec_nanos() != 0 || time > longest {
            return Err(not("a time of whole seconds, up to 32767"));
        }
        Ok(time)
    }

    /// A day of the calendar.
    pub fn day(self) -> Result<Date, Wrong> {
        let bytes = self.text.as_bytes();
        // FromStr knows other forms of ISO 8601 too, and drops a time of day.
        let plain = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        let day = self.text.parse().ok().filter(|_| plain);
        day.ok_or_else(|| not("a day such as 2027-01-31"))
    }

    /// A rate of transfer: a number with a unit of octets or bits per second. Zero is no limit.
    pub fn rate(self) -> Result<Option<Rate>, Wrong> {
        rates::parse(self.text).map_err(|hint| {
            Wrong::Because(format!(
                "\"{}\" is not a rate such as 500KiB/s, 10MB/s or 100Mbit/s{hint}",
                shown(self.text)
            ))
        })
    }

    /// Rules for the address that PASV tells; `local` alone is what there is without any.
    pub fn advertised(self) -> Result<Rules<Advertised>, Wrong> {
        let list = match self.text.eq_ignore_ascii_case("local") {
            true => "",
            false => self.text,
        };
        Rules::parse(list, Advertised::parse)
    }

    /// How often names are looked up: a time, or vsftpd's yes or no, which is once a minute or never again.
    pub fn resolve(self) -> Result<Duration, Wrong> {
        match (digits::<u64>(self.text), self.switch()) {
            (None, Ok(true)) => Ok(Duration::from_secs(60)),
            (None, Ok(false)) => Ok(Duration::ZERO),
            _ => self.interval(Zero::Allow),
        }
    }

    /// The size of a file: octets, or a number of KiB, MiB, GiB or TiB. Zero is no limit.
    pub fn size_limit(self) -> Result<Option<u64>, Wrong> {
        let text = self.text.to_ascii_lowercase();
        let units = [("kib", 10), ("mib", 20), ("gib", 30), ("tib", 40)];
        let (number, shift) = units
            .iter()
            .find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)))
            .unwrap_or((&text, 0));
        let octets = digits::<u64>(number).and_then(|number| number.checked_mul(1 << shift));
        match octets {
            None => Err(not("a size such as 1000000, 500MiB or 2GiB")),
            Some(octets) => Ok((octets > 0).then_some(octets)),
        }
    }

    /// One line of text for the greeting.
    pub fn line(self) -> Result<String, Wrong> {
        if self.text.contains(|c: char| c.is_control() && c != '\t') {
            return Err(not("a line of text without control characters"));
        }
        Ok(self.text.to_owned())
    }

    /// Lines of text for the greeting.
    pub fn lines(self) -> Result<Vec<String>, Wrong> {
        self.text
            .lines()
            .map(|text| {
                Value { text, ..self }
                    .line()
                    .map_err(|_| Wrong::Because("the file holds control characters".to_owned()))
            })
            .collect()
    }

    /// Lines of a reply, which `\n` separates where a value is one line; none where they are empty.
    pub fn prompt(self) -> Result<Vec<String>, Wrong> {
        if self.text.is_empty() {
            return Ok(Vec::new());
        }
        if self.text.len() > LONGEST_PROMPT {
            return Err(Wrong::Because(format!(
                "this is longer than {LONGEST_PROMPT} octets"
            )));
        }
        let lines = self.text.split("\\n").flat_map(|text| text.split('\n'));
        lines
            .map(|line| {
                Value { text: line, ..self }
                    .line()
                    .map_err(|_| not("lines of text without control characters"))
            })
            .collect()
    }

    /// Names of hosts, as they are compared.
    pub fn host_names(self) -> Result<Vec<String>, Wrong> {
        let name = |word: &str| {
            args::host(word.as_bytes())
                .map_err(|_| Wrong::Because(format!("\"{}\" is no name of a host", shown(word))))
        };
        words(self.text).map(name).collect()
    }

    /// The name of a group of the system.
    pub fn group(self) -> Result<String, Wrong> {
        match self.text {
            "" => Err(not("the name of a group")),
            name => Ok(name.to_owned()),
        }
    }

    /// Names of users, with nothing in them that would make them patterns or groups.
    pub fn full_names(self) -> Result<Vec<String>, Wrong> {
        let name = |word: &str| {
            if word.contains(['*', '?', '[', '@']) {
                Err(Wrong::Because(format!(
                    "\"{}\" is no full name: patterns and groups are not meant here",
                    shown(word)
                )))
            } else {
                Ok(word.to_owned())
            }
        };
        words(self.text).map(name).collect()
    }
}

/// The words of a list that commas or blanks separate.
pub(crate) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
}

/// A value as a message shows it: on one line and not endless.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().count() > 80 {
        shown.push('…');
    }
    shown
}

/// A decimal number: digits only, where `FromStr` would let a plus sign pass.
pub(crate) fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn interval(text: &str) -> Option<Duration> {
    if let Some(seconds) = digits(text) {
        return Some(Duration::from_secs(seconds));
    }
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut left = units.iter();
    let mut rest = text;
    let mut milliseconds = 0u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        // Searching on from the last unit keeps the order and refuses a unit that comes twice.
        let (_, each) = left.find(|(name, _)| *name == unit)?;
        milliseconds = milliseconds.checked_add(digits::<u64>(number)?.checked_mul(*each)?)?;
        rest = after.trim_start();
    }
    (!text.is_empty()).then(|| Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn value(text: &str) -> Value<'_> {
        Value { text, base: None }
    }

    #[test]
    fn a_time_is_seconds_or_has_units() {
        let time = |text| value(text).interval(Zero::Allow).ok();
        assert_eq!(time("90"), Some(Duration::from_secs(90)));
        assert_eq!(time("5m"), Some(Duration::from_secs(300)));
        assert_eq!(time("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(time("1d 2h 3s"), Some(Duration::from_secs(93603)));
        assert_eq!(time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(time("1s500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(time("0"), Some(Duration::ZERO));
        for wrong in [
            "", "m", "5M", "-1", "+1", "1.5h", "5x", "5m5m", "30s1m", "5 m", "10000d",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        assert_eq!(time("99999999999999999999d"), None);
        assert_eq!(
            value("0s").interval(Zero::Refuse),
            Err(not("a time longer than zero"))
        );
    }

    #[test]
    fn a_switch_has_a_no() {
        for (text, switch) in [("", true), ("Yes", true), ("no", false), ("OFF", false)] {
            assert_eq!(value(text).switch(), Ok(switch));
        }
        assert!(value("perhaps").switch().is_err());
    }

    #[test]
    fn numbers_have_bounds_and_no_sign() {
        assert_eq!(value("21").port(1), Ok(21));
        for wrong in ["0", "65536", "+21", "", "2 1", "ftp"] {
            assert!(value(wrong).port(1).is_err(), "{wrong}");
        }
        assert_eq!(value("2000 - 3000").port_range(1024), Ok((2000, 3000)));
        assert_eq!(value("2000-2000").port_range(1024), Ok((2000, 2000)));
        for wrong in ["3000-2000", "1000-2000", "2000", "2000-", "0-0"] {
            assert!(value(wrong).port_range(1024).is_err(), "{wrong}");
        }
        assert!(value("0").unprivileged_id().is_err());
        assert!(value("4294967295").unprivileged_id().is_err());
        assert_eq!(value("027").mode_bits(), Ok(0o027));
        for wrong in ["1000", "8", "", "+22", "u=rwx"] {
            assert!(value(wrong).mode_bits().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_an_error(text in "[0-9dhms ]{0,30}") {
            let _ = value(&text).interval(Zero::Allow);
        }

        #[test]
        fn what_is_shown_stays_on_a_line(text in any::<String>()) {
            let shown = shown(&text);
            prop_assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
}
