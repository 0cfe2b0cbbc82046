//! What is promised of every charset that is offered.

use super::*;
use proptest::prelude::*;

fn charset(name: &str) -> Charset {
    Charset::find(name).unwrap()
}

fn shown(name: &str, octets: &[u8]) -> Vec<u8> {
    charset(name).to_wire(octets).into_owned()
}

fn survives(charset: Charset, octets: &[u8]) {
    let wire = charset.to_wire(octets);
    assert_eq!(
        charset.to_disk(&wire).as_deref(),
        Ok(octets),
        "{charset:?}: {}",
        wire.escape_ascii()
    );
}

/// Any names, among them many that only look like escapes or like text of another charset.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        "[%u{}x0-9A-F]{0,6}".prop_map(String::into_bytes),
        "[а-яА-ЯÀ-ÿー-ヾ一-龠가-힣ก-ฮא-ת€¥‾~\\\\]{1,4}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| {
        let mut name = pieces.concat();
        name.retain(|octet| !matches!(octet, 0 | b'/'));
        name
    })
}

#[test]
fn names_look_as_in_their_charset() {
    assert_eq!(shown("windows-1251", "Яя".as_bytes()), b"\xdf\xff");
    assert_eq!(shown("Shift_JIS", "表.txt".as_bytes()), b"\x95\x5c.txt");
    assert_eq!(shown("GBK", "中€".as_bytes()), b"\xd6\xd0\x80");
    assert_eq!(shown("KOI8-R", "файл".as_bytes()), b"\xc6\xc1\xca\xcc");
    assert_eq!(shown("UTF-8", b"\xff\r%u{41}"), b"\xff\r%u{41}");
}

#[test]
fn what_a_charset_lacks_is_escaped() {
    assert_eq!(shown("windows-1251", "né€".as_bytes()), b"n%u{E9}\x88");
    assert_eq!(shown("windows-1251", b"caf\xe9 \xd1"), b"caf%x{E9} %x{D1}");
    assert_eq!(shown("GBK", "100% 😀".as_bytes()), b"100% %u{1F600}");
    assert_eq!(shown("GBK", b"%u{41}%x{%"), b"%u{25}u{41}%u{25}x{%");
    assert_eq!(shown("GBK", b"a\r\nb"), b"a%u{D}%u{A}b");
}

#[test]
fn what_would_be_read_as_something_else_is_escaped() {
    // Written as 5C and 7E, which are read as backslash and tilde.
    assert_eq!(shown("Shift_JIS", "¥‾".as_bytes()), b"%u{A5}%u{203E}");
    assert_eq!(shown("EUC-JP", "¥‾".as_bytes()), b"%u{A5}%u{203E}");
}

#[test]
fn what_is_no_text_is_refused() {
    for (name, octets) in [
        ("Shift_JIS", &b"\x95"[..]),
        ("Shift_JIS", b"\x95/etc"),
        ("GBK", b"\xff"),
        ("EUC-KR", b"a\x80"),
        ("windows-1255", b"\xd9"),
    ] {
        assert_eq!(charset(name).to_disk(octets), Err(NotText), "{name}");
    }
}

#[test]
fn nothing_is_copied_without_need() {
    for charset in Charset::all() {
        assert!(matches!(charset.to_wire(b"plain"), Cow::Borrowed(_)));
        assert!(matches!(charset.to_disk(b"plain"), Ok(Cow::Borrowed(_))));
    }
    assert!(matches!(Charset::UTF_8.to_wire(b"\xff%"), Cow::Borrowed(_)));
    assert!(matches!(
        Charset::UTF_8.to_disk(b"\xff%"),
        Ok(Cow::Borrowed(_))
    ));
}

#[test]
fn charsets_are_found_by_their_many_names() {
    for (name, canonical) in [
        ("cp1251", "windows-1251"),
        ("CP936", "GBK"),
        ("gb2312", "GBK"),
        ("sjis", "Shift_JIS"),
        ("cp932", "Shift_JIS"),
        ("koi8-r", "KOI8-R"),
        ("latin1", "windows-1252"),
        ("ISO-8859-9", "windows-1254"),
        ("utf8", "UTF-8"),
    ] {
        assert_eq!(charset(name).name(), canonical);
    }
    assert_eq!(Charset::find("cp437"), Err(Unusable::Unknown));
    assert_eq!(Charset::find(""), Err(Unusable::Unknown));
}

#[test]
fn charsets_with_a_state_are_refused() {
    for name in [
        "ISO-2022-JP",
        "utf-16",
        "UTF-16BE",
        "replacement",
        "hz-gb-2312",
        "iso-2022-kr",
        "x-user-defined",
    ] {
        let found = Charset::find(name);
        assert!(
            matches!(found, Err(Unusable::NotForNames(_))),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn a_charset_is_known_by_its_number() {
    for charset in Charset::all() {
        assert_eq!(Charset::from_number(charset.number()), Some(charset));
    }
    assert_eq!(Charset::from_number(u8::MAX), None);
}

#[test]
fn ascii_is_the_same_in_every_charset() {
    let ascii: Vec<u8> = (1..128).collect();
    for charset in Charset::all() {
        assert_eq!(charset.to_disk(&ascii).as_deref(), Ok(&ascii[..]));
        for octet in 1..128 {
            let wire = charset.to_wire(&[octet]).into_owned();
            let escaped = matches!(octet, b'\r' | b'\n') && !charset.is_transparent();
            assert_eq!(wire == [octet], !escaped, "{charset:?} {octet}");
        }
    }
}

#[test]
fn every_character_survives_in_every_charset() {
    for charset in Charset::all() {
        // Alone: neighbours must not hide that one of them does not.
        for number in (1..0x1_0000).chain((0x1_0000..0x11_0000).step_by(61)) {
            if let Some(character) = char::from_u32(number) {
                survives(charset, character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

#[test]
fn what_two_octets_mean_can_be_shown_again() {
    for charset in Charset::all() {
        for first in 1..=255u8 {
            for second in 1..=255u8 {
                if let Ok(disk) = charset.to_disk(&[first, second]) {
                    survives(charset, &disk);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_name_survives_in_every_charset(name in name()) {
        for charset in Charset::all() {
            survives(charset, &name);
        }
    }

    #[test]
    fn a_shown_name_has_no_separator_and_ends_no_line(name in name()) {
        for charset in Charset::all().filter(|charset| !charset.is_transparent()) {
            let wire = charset.to_wire(&name);
            prop_assert!(!wire.iter().any(|octet| matches!(octet, 0 | b'/' | b'\r' | b'\n')));
        }
    }

    #[test]
    fn a_path_is_shown_component_by_component(first in name(), second in name()) {
        let path = [&first[..], b"/", &second].concat();
        for charset in Charset::all() {
            let (one, two) = (charset.to_wire(&first), charset.to_wire(&second));
            let joined = [&one[..], b"/", &two].concat();
            prop_assert_eq!(&*charset.to_wire(&path), &joined[..]);
        }
    }

    #[test]
    fn any_octets_are_names_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
        for charset in Charset::all() {
            if let Ok(disk) = charset.to_disk(&octets) {
                let slashes = |octets: &[u8]| octets.iter().filter(|&&octet| octet == b'/').count();
                prop_assert_eq!(slashes(&disk), slashes(&octets));
                survives(charset, &disk);
            }
        }
    }
}
