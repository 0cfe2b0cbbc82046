//! How rates of transfer are written. Pure: no I/O.

use super::value::digits;
use crate::rate::Rate;

/// A rate, or what to add to the sentence that says that it is none.
pub(super) fn parse(text: &str) -> Result<Option<Rate>, String> {
    let lower = text.to_ascii_lowercase();
    let number_ends = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(number_ends);
    let unit = unit.trim_start();
    if lower == "none" || (unit.is_empty() && digits(number) == Some(0)) {
        return Ok(None);
    }
    if unit.is_empty() && digits::<u64>(number).is_some() {
        return Err(format!(
            ": it lacks its unit; {number}B/s would be so many octets a second"
        ));
    }
    let &(_, numerator, denominator) = RATE_UNITS
        .iter()
        .find(|&&(name, ..)| name == unit)
        .ok_or_else(String::new)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let (Some(whole), Some(thousandths)) = (digits::<u64>(whole), thousandths(fraction)) else {
        return Err(String::new());
    };
    let octets = u128::from(whole) * 1000 + u128::from(thousandths);
    let octets = octets * u128::from(numerator) / (1000 * u128::from(denominator));
    let octets = u64::try_from(octets).map_err(|_| String::new())?;
    Rate::new(octets)
        .map(Some)
        .ok_or_else(|| ": it is less than an octet a second".to_owned())
}

/// Units of rates, with the octets per second that they are: a numerator and a denominator.
#[rustfmt::skip]
const RATE_UNITS: &[(&str, u64, u64)] = &[
    ("b/s", 1, 1),
    ("kb/s", 1_000, 1), ("mb/s", 1_000_000, 1), ("gb/s", 1_000_000_000, 1),
    ("kib/s", 1 << 10, 1), ("mib/s", 1 << 20, 1), ("gib/s", 1 << 30, 1),
    ("bit/s", 1, 8), ("kbit/s", 1_000, 8), ("mbit/s", 1_000_000, 8), ("gbit/s", 1_000_000_000, 8),
];

/// The thousandths of a decimal fraction of up to three digits.
fn thousandths(fraction: &str) -> Option<u64> {
    let padded = format!("{fraction:0<3}");
    (1..=3)
        .contains(&fraction.len())
        .then(|| digits(&padded))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn octets(text: &str) -> Option<u64> {
        parse(text).unwrap().map(Rate::octets_per_second)
    }

    #[test]
    fn octets_and_bits_decimal_and_binary() {
        for (text, expected) in [
            ("1B/s", 1),
            ("500 KiB/s", 500 << 10),
            ("10MiB/s", 10 << 20),
            ("10mb/s", 10_000_000),
            ("1.5MB/s", 1_500_000),
            ("100Mbit/s", 12_500_000),
            ("1Gbit/s", 125_000_000),
            ("8bit/s", 1),
        ] {
            assert_eq!(octets(text), Some(expected), "{text}");
        }
        assert_eq!((octets("0"), octets("none")), (None, None));
    }

    #[test]
    fn a_number_alone_is_told_of_its_unit() {
        assert!(parse("1000").unwrap_err().contains("1000B/s"));
        assert!(parse("1bit/s").unwrap_err().contains("less than an octet"));
    }

    proptest! {
        #[test]
        fn what_is_no_rate_is_an_error(text in "[0-9.]{0,24} ?[a-zA-Z/]{0,6}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            "B/s",
            "10M",
            "10MB",
            "-1B/s",
            "1.2345MB/s",
            "1.MB/s",
            "1e3B/s",
            "99999999999999999999GB/s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
