//! The numbers in headers: octal digits, or the base-256 form of GNU tar. Pure: no I/O.

/// Reads a field. `None` is no number, or one that does not fit; an empty field is no number either.
pub(super) fn read(field: &[u8]) -> Option<i64> {
    match field {
        [0x80, rest @ ..] => binary(rest, 0),
        [0xff, rest @ ..] => binary(rest, -1),
        _ => octal(field),
    }
}

/// Big-endian; `sign` fills what is before it.
fn binary(octets: &[u8], sign: i64) -> Option<i64> {
    let mut value = i128::from(sign);
    for &octet in octets {
        value = value.checked_mul(256)?.checked_add(i128::from(octet))?;
    }
    i64::try_from(value).ok()
}

/// Digits with blanks before them, and blanks or NULs behind.
fn octal(field: &[u8]) -> Option<i64> {
    let start = field.iter().position(|&octet| octet != b' ')?;
    let digits = &field[start..];
    let end = digits
        .iter()
        .position(|octet| !(b'0'..=b'7').contains(octet))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() || rest.iter().any(|octet| !matches!(octet, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, digit| {
        value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))
    })
}

/// Whether there is nothing in a field.
pub(super) fn is_blank(field: &[u8]) -> bool {
    field.iter().all(|octet| matches!(octet, b' ' | 0))
}

/// Writes octal digits that fill the field but for the NUL at its end; `false` if there are too many.
#[must_use]
pub(super) fn write(field: &mut [u8], value: u64) -> bool {
    let (mut left, places) = (value, field.len() - 1);
    for place in field[..places].iter_mut().rev() {
        *place = b'0' + u8::try_from(left & 7).unwrap_or(0);
        left >>= 3;
    }
    field[places] = 0;
    left == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_between_blanks() {
        assert_eq!(read(b"00000000644\0"), Some(0o644));
        assert_eq!(read(b"   644 \0"), Some(0o644));
        assert_eq!(read(b"77777777777\0"), Some(0o77_777_777_777));
        assert_eq!(read(b"777777777777"), Some(0o777_777_777_777));
        for wrong in [
            b"".as_slice(),
            b"        ",
            b"\0\0\0\0",
            b"+7 ",
            b"-7 ",
            b"0x7",
            b"8",
            b"7 7",
            b"7\x007",
            b"\x006",
            b"7777777777777777777777777777",
        ] {
            assert_eq!(read(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn base_256_has_a_sign_and_an_end() {
        let mut field = [0; 12];
        field[0] = 0x80;
        field[11] = 7;
        assert_eq!(read(&field), Some(7));
        field[4] = 0x7f;
        assert_eq!(read(&field), Some(0x7f << 56 | 7));
        field[4] = 0x80;
        assert_eq!(read(&field), None);
        field[4] = 0;
        field[1] = 1;
        assert_eq!(read(&field), None);
        assert_eq!(read(&[0xff; 12]), Some(-1));
        assert_eq!(read(&[0x81, 0, 0, 0]), None);
        assert_eq!(read(&[0xc0; 12]), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut field = [0; 8];
        assert!(write(&mut field, 0o7_654_321));
        assert_eq!(&field, b"7654321\0");
        assert_eq!(read(&field), Some(0o7_654_321));
        assert!(!write(&mut field, 0o10_000_000));
    }
}
