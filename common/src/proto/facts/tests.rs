//! Tests of the forms in which files are described.

use super::*;
use proptest::prelude::*;

const FILE: Stat = Stat {
    kind: Kind::File,
    mode: 0o644,
    links: 1,
    uid: 1000,
    gid: 100,
    size: 12_345,
    modified: (1_714_564_800, 5), // 2024-05-01 12:00:00
    device: 0xfe00,
    inode: 0x2a,
    node: (0, 0),
};

fn facts(subject: Subject<'_>, stat: &Stat, name: &[u8]) -> String {
    let mut out = Vec::new();
    let perm = || Perm {
        append: true,
        delete: true,
        rename: true,
        retrieve: true,
        store: true,
        ..Perm::default()
    };
    Facts::default().write(&mut out, subject, stat, perm, name);
    String::from_utf8(out).unwrap()
}

fn long(stat: &Stat) -> String {
    let mut out = Vec::new();
    let mut lines = LongLines::new(1_714_564_860);
    lines.write(
        &mut out,
        stat,
        |out| out.extend(b"alice"),
        |out| out.extend(b"users"),
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn facts_of_a_file() {
    assert_eq!(
        facts(Subject::Entry, &FILE, b"a; b"),
        "type=file;size=12345;modify=20240501120000;unique=fe00-2a;perm=adfrw;\
         UNIX.mode=0644;UNIX.owner=1000;UNIX.group=100; a; b"
    );
}

#[test]
fn a_line_of_facts_has_the_facts_that_feat_names() {
    let line = facts(Subject::Entry, &FILE, b"name");
    let sent: Vec<&str> = line
        .split(';')
        .filter_map(|f| Some(f.split_once('=')?.0))
        .collect();
    let advertised = FEAT.strip_prefix("MLST ").unwrap();
    for fact in &sent {
        assert!(advertised.contains(&format!("{fact}*;")), "{fact}");
    }
    assert_eq!(sent.len(), advertised.matches('*').count());
}

#[test]
fn directories_and_links_say_what_they_are() {
    let directory = Stat {
        kind: Kind::Directory,
        ..FILE
    };
    let link = Stat {
        kind: Kind::Link,
        ..FILE
    };
    assert!(facts(Subject::Listed, &directory, b".").starts_with("type=cdir;modify="));
    assert!(facts(Subject::Above, &directory, b"..").starts_with("type=pdir;modify="));
    assert!(facts(Subject::Entry, &directory, b"d").starts_with("type=dir;modify="));
    assert!(
        facts(Subject::Link(b"x;y\r\nz"), &link, b"l")
            .starts_with("type=OS.unix=slink:x?y??z;modify=")
    );
}

#[test]
fn what_is_kept_from_the_last_entry_is_dropped_when_mode_or_owner_change() {
    let (mut kept, mut writer) = (Vec::new(), Facts::default());
    let other = Stat {
        mode: 0o4755,
        uid: 0,
        ..FILE
    };
    for stat in [FILE, other, other, FILE] {
        kept.clear();
        writer.write(&mut kept, Subject::Entry, &stat, Perm::default, b"n");
        let mut fresh = Vec::new();
        Facts::default().write(&mut fresh, Subject::Entry, &stat, Perm::default, b"n");
        assert_eq!(kept, fresh);
    }
}

#[test]
fn long_lines_look_like_ls() {
    assert_eq!(
        long(&FILE),
        "-rw-r--r--    1 alice    users       12345 May 01 12:00 "
    );
    let directory = Stat {
        kind: Kind::Directory,
        mode: 0o1777,
        links: 12,
        size: 4096,
        ..FILE
    };
    assert_eq!(
        long(&directory),
        "drwxrwxrwt   12 alice    users        4096 May 01 12:00 "
    );
    let wide = Stat {
        mode: 0o6610,
        size: u64::MAX,
        links: 123_456,
        modified: (0, 0),
        ..FILE
    };
    assert_eq!(
        long(&wide),
        "-rwS--s--- 123456 alice    users    18446744073709551615 Jan 01  1970 "
    );
}

#[test]
fn every_kind_has_its_letter() {
    let kinds = [
        (0o100_644, b'-'),
        (0o040_755, b'd'),
        (0o120_777, b'l'),
        (0o010_600, b'p'),
        (0o140_600, b's'),
        (0o020_600, b'c'),
        (0o060_600, b'b'),
    ];
    for (mode, letter) in kinds {
        assert_eq!(Kind::of(mode).letter(), letter, "{mode:o}");
    }
}

#[test]
fn names_cannot_end_their_line() {
    let mut out = Vec::new();
    name_in_line(&mut out, b"a\r\nb\nc\x07\xff");
    assert_eq!(out, b"a??b?c\x07\xff");
}

proptest! {
    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them(number in any::<u64>(), shift in 0u32..64) {
        for number in [number >> shift, 0, 9, 10, 99, 100, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), number.to_string());
            out.clear();
            right_aligned(&mut out, number, 8);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), format!("{number:8}"));
            out.clear();
            hexadecimal(&mut out, number);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), format!("{number:x}"));
        }
    }
}

#[test]
fn devices_have_their_numbers_where_files_have_their_size() {
    let device = Stat {
        kind: Kind::BlockDevice,
        node: (8, 17),
        size: 0,
        ..FILE
    };
    assert!(
        long(&device).contains(" users      8,  17 May 01"),
        "{}",
        long(&device)
    );
    let far = Stat {
        node: (2048, 123_456),
        ..device
    };
    assert!(long(&far).contains(" 2048, 123456 "), "{}", long(&far));
}

#[test]
fn a_target_cannot_end_its_fact_or_all_of_them() {
    let link = Stat {
        kind: Kind::Link,
        ..FILE
    };
    let line = facts(Subject::Link(b"a b;c\nd\te"), &link, b"name");
    assert!(
        line.starts_with("type=OS.unix=slink:a?b?c?d?e;modify="),
        "{line}"
    );
    assert_eq!(line.split_once(' ').unwrap().1, "name");
}
