//! The records of extended headers: `LENGTH KEY=VALUE\n` (POSIX pax, "pax Extended Header"). Pure: no I/O.
//!
//! A value may hold newlines, as names may, so records are taken by their lengths and not by lines.

/// Takes records from a text. `Err` is said once, by what is no record.
pub(super) struct Records<'a>(pub(super) &'a [u8]);

/// It is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl<'a> Records<'a> {
    fn take(&mut self) -> Result<(&'a [u8], &'a [u8]), Damaged> {
        let blank = memchr::memchr(b' ', self.0).ok_or(Damaged)?;
        let length = usize::try_from(decimal(&self.0[..blank]).ok_or(Damaged)?);
        let length = length.map_err(|_| Damaged)?;
        let record = self.0.get(blank + 1..length).ok_or(Damaged)?;
        let record = record.strip_suffix(b"\n").ok_or(Damaged)?;
        let equals = memchr::memchr(b'=', record).ok_or(Damaged)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        // GNU tar skips blanks before a key and ends it at a NUL; others do not.
        if key.is_empty() || key.starts_with(b" ") || key.iter().any(u8::is_ascii_control) {
            return Err(Damaged);
        }
        self.0 = &self.0[length..];
        Ok((key, value))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.0 = &[];
        }
        Some(taken)
    }
}

/// Reads a number without a sign; leading zeros are somebody's mistake.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    text.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Reads a time: seconds with a sign and a fraction, of which the whole second before it is kept.
pub(super) fn time(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, b"".as_slice()),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    let later = fraction.iter().any(|&digit| digit != b'0');
    if negative {
        seconds.checked_neg()?.checked_sub(i64::from(later))
    } else {
        Some(seconds)
    }
}

/// Appends a record.
pub(super) fn write(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    // A blank, an equals sign and a newline; the length counts its own digits too.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + digits(rest);
    if digits(length) > digits(rest) {
        length += 1;
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |log| usize::try_from(log).unwrap_or(0) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..1100), 0..5)) {
            let mut text = Vec::new();
            for value in &values {
                write(&mut text, "path", value);
            }
            let read: Result<Vec<_>, _> = Records(&text).collect();
            let expected: Vec<_> = values.iter().map(|value| (b"path".as_slice(), value.as_slice())).collect();
            prop_assert_eq!(read, Ok(expected));
        }
    }

    #[test]
    fn lengths_near_a_power_of_ten_count_themselves() {
        for length in 0..1100 {
            let mut text = Vec::new();
            write(&mut text, "k", &vec![b'v'; length]);
            let said: usize = std::str::from_utf8(&text)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(said, text.len());
        }
    }

    #[test]
    fn what_is_no_record_is_damaged() {
        for text in [
            b"6 a=b".as_slice(),
            b"7 a=b\n",
            b"5 a=b\n",
            b"06 a=b\n",
            b"+6 a=b\n",
            b" 6 a=b\n",
            b"6\ta=b\n",
            b"5 =b\n",
            b"7  a=b\n",
            b"7 \ta=b\n",
            b"7 a\0=b\n",
            b"4 a\n",
            b"6 a=b\n\n",
            b"18446744073709551617 a=b\n",
            b"0 a=b\n",
            b"2 a=b\n",
            b"\0",
        ] {
            assert!(
                Records(text).any(|record| record.is_err()),
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn times_have_signs_and_fractions() {
        assert_eq!(time(b"1700000000.123456789"), Some(1_700_000_000));
        assert_eq!(time(b"-1.5"), Some(-2));
        assert_eq!(time(b"-1.0"), Some(-1));
        assert_eq!(time(b"-0.25"), Some(-1));
        for wrong in [
            b"".as_slice(),
            b".5",
            b"1.x",
            b"1e3",
            b"+1",
            b"--1",
            b"99999999999999999999",
            b"1.-5",
        ] {
            assert_eq!(time(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
