//! Tests of listings: which lines there are, and that nothing but lines comes out.

use super::*;
use std::os::unix::ffi::OsStrExt;

pub(super) fn request(format: Format) -> ListRequest {
    ListRequest {
        format,
        all: false,
        pattern: None,
        typed: Vec::new(),
        facts: FactSet::ALL,
    }
}

/// Runs a listing to its end; no step may go beyond its budget by more than a line.
fn run(mut listing: Listing, budget: usize) -> Vec<u8> {
    let (mut all, mut step) = (Vec::new(), Vec::new());
    loop {
        let state = listing.step(&mut step, budget).unwrap();
        assert!(step.len() <= budget + 1024, "{}", step.len());
        assert!(step.is_empty() || step.ends_with(b"\r\n"));
        all.append(&mut step);
        if state == Step::Done {
            return all;
        }
    }
}

impl Place {
    fn list(&self, name: &str, request: &ListRequest) -> Vec<String> {
        let listing = self.jail.list(&path(name), request).unwrap();
        let text = String::from_utf8(run(listing, 4096)).unwrap();
        let mut lines: Vec<_> = text.split_terminator("\r\n").map(String::from).collect();
        lines.sort();
        lines
    }

    fn matching(&self, name: &str, pattern: &str, typed: &str) -> Vec<String> {
        let request = ListRequest {
            pattern: Some(pattern.into()),
            typed: typed.into(),
            facts: FactSet::ALL,
            ..request(Format::Names)
        };
        self.list(name, &request)
    }
}

#[test]
fn names_are_listed_plainly() {
    let place = Place::new();
    place.write("b", "");
    place.write(".dot", "");
    place.write(".ftpd-0000000000000000.part", "");
    fs::create_dir(place.inside("a")).unwrap();
    assert_eq!(place.list("/", &request(Format::Names)), ["a", "b"]);
    let all = ListRequest {
        all: true,
        ..request(Format::Names)
    };
    assert_eq!(place.list("/", &all), [".dot", "a", "b"]);
    assert!(place.list("/a", &all).is_empty());
}

#[test]
fn patterns_choose_names_and_want_their_leading_dot() {
    let place = Place::new();
    for name in ["a.c", "b.c", "c.h", ".a.c", ".ftpd-0000000000000000.part"] {
        place.write(name, "");
    }
    assert_eq!(place.matching("/", "*.c", ""), ["a.c", "b.c"]);
    assert_eq!(
        place.matching("/", "*", "/x/../"),
        ["/x/../a.c", "/x/../b.c", "/x/../c.h"]
    );
    assert_eq!(place.matching("/", ".*", ""), [".a.c"]);
    assert_eq!(place.matching("/", "[bc].?", ""), ["b.c", "c.h"]);
    assert!(place.matching("/", "*.none", "").is_empty());
    let too_long = ListRequest {
        pattern: Some(vec![b'*'; LONGEST_PATTERN + 1]),
        ..request(Format::Long)
    };
    let refused = place.jail.list(&VirtualPath::root(), &too_long);
    assert_eq!(refused.err(), Some(Failure::NameTooLong));
}

#[test]
fn a_single_file_is_listed_as_it_was_typed() {
    let place = Place::new();
    place.write("file", "12");
    symlink("nowhere", place.inside("dangling")).unwrap();
    let typed = |format| ListRequest {
        typed: b"../".to_vec(),
        facts: FactSet::ALL,
        ..request(format)
    };
    assert_eq!(place.list("/file", &typed(Format::Names)), ["../file"]);
    let long = place.list("/file", &typed(Format::Long));
    assert!(
        long[0].starts_with("-rw") && long[0].ends_with(" ../file"),
        "{long:?}"
    );
    let dangling = place.list("/dangling", &request(Format::Long));
    assert!(
        dangling[0].ends_with(" dangling -> nowhere"),
        "{dangling:?}"
    );
    let list = |name, format| place.jail.list(&path(name), &request(format)).err();
    assert_eq!(list("/none", Format::Names), Some(Failure::NotFound));
    assert_eq!(list("/file", Format::Facts), Some(Failure::NotADirectory));
    assert_eq!(list("/file/x", Format::Long), Some(Failure::NotADirectory));
}

#[test]
fn long_lines_have_the_values_of_the_file() {
    let place = Place::new();
    place.write("file", "12345");
    fs::set_permissions(place.inside("file"), fs::Permissions::from_mode(0o4755)).unwrap();
    let names = Names::from_passwd(
        format!("me:x:{}:0", viewer().uid).as_bytes(),
        format!("us:x:{}:", viewer().groups[0]).as_bytes(),
    );
    let root = fs::File::open(place.inside("")).unwrap().into();
    let jail = Jail::new(root, 0, viewer(), names);
    let listing = jail.list(&path("/"), &request(Format::Long)).unwrap();
    let line = String::from_utf8(run(listing, 4096)).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[..5], ["-rwsr-xr-x", "1", "me", "us", "5"], "{line}");
    assert_eq!(words[8], "file");
}

#[test]
fn facts_begin_with_the_directory_and_the_one_above() {
    let place = Place::new();
    fs::create_dir_all(place.inside("a/b")).unwrap();
    place.write("a/.file", "123");
    symlink("/a;b", place.inside("a/link")).unwrap();
    let lines = place.list("/a", &request(Format::Facts));
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.split_once(';').unwrap().0,
                line.split_once("; ").unwrap().1,
            )
        })
        .collect();
    let expected = [
        ("type=OS.unix=slink:/a?b", "link"),
        ("type=cdir", "."),
        ("type=dir", "b"),
        ("type=file", ".file"),
        ("type=pdir", ".."),
    ];
    assert_eq!(shown, expected);
    assert!(
        lines[3].starts_with("type=file;size=3;modify=2"),
        "{}",
        lines[3]
    );
    assert!(lines[3].contains(";perm=adfrw;"), "{}", lines[3]);
    assert!(lines[2].contains(";perm=cdeflmp;"), "{}", lines[2]);
    // Above the root there is nothing that could be told.
    let root = place.list("/", &request(Format::Facts)).concat();
    assert!(root.contains("cdir") && !root.contains("pdir"), "{root}");
}

#[test]
fn the_directory_above_is_that_of_the_path_even_through_links() {
    let place = Place::new();
    symlink("/", place.inside("loop")).unwrap();
    let inode = fs::metadata(place.inside("")).unwrap().ino();
    let lines = place.list("/loop", &request(Format::Facts));
    let above = lines
        .iter()
        .find(|line| line.contains("type=pdir"))
        .unwrap();
    assert!(above.contains(&format!("-{inode:x};")), "{above}");
}

#[test]
fn facts_of_one_path_follow_links_that_lead_somewhere() {
    let place = Place::new();
    place.write("file", "123");
    symlink("file", place.inside("link")).unwrap();
    symlink("none", place.inside("dangling")).unwrap();
    let facts = |name| {
        let mut out = Vec::new();
        place
            .jail
            .facts(&path(name), FactSet::ALL, &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(
        facts("/link").starts_with("type=file;size=3;"),
        "{}",
        facts("/link")
    );
    assert!(facts("/link").ends_with("; /link"));
    assert!(facts("/dangling").starts_with("type=OS.unix=slink:none;"));
    assert!(facts("/").starts_with("type=dir;") && facts("/").ends_with("; /"));
    let missing = place
        .jail
        .facts(&path("/none"), FactSet::ALL, &mut Vec::new());
    assert_eq!(missing, Err(Failure::NotFound));
}

#[test]
fn a_viewer_who_may_not_write_is_told_so() {
    let place = Place::new();
    place.write("file", "");
    let root = fs::File::open(place.inside("")).unwrap().into();
    let viewer = Viewer {
        may_write: false,
        ..viewer()
    };
    let jail = Jail::new(root, 0, viewer, Names::numeric());
    let mut out = Vec::new();
    jail.facts(&path("/file"), FactSet::ALL, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains(";perm=r;"));
}

#[test]
fn names_of_all_octets_never_break_a_line() {
    let place = Place::new();
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for octet in (1..=255u8).filter(|&octet| octet != b'/') {
        let name = [b'x', octet, b'y'];
        fs::write(
            place.inside("").join(std::ffi::OsStr::from_bytes(&name)),
            "",
        )
        .unwrap();
        let shown = if matches!(octet, b'\r' | b'\n') {
            b'?'
        } else {
            octet
        };
        expected.push(vec![b'x', shown, b'y']);
    }
    expected.sort();
    for format in [Format::Names, Format::Long, Format::Facts] {
        let listing = place.jail.list(&path("/"), &request(format)).unwrap();
        let text = run(listing, 512);
        let lines = text.split(|&octet| octet == b'\n');
        let mut names: Vec<Vec<u8>> = lines
            .filter(|line| !line.is_empty() && !line.starts_with(b"type=cdir"))
            .map(|line| line.strip_suffix(b"\r").unwrap()[line.len() - 4..].to_vec())
            .collect();
        names.sort();
        assert_eq!(names, expected, "{format:?}");
    }
}

#[test]
fn ten_thousand_entries_stream_in_small_steps() {
    let place = Place::new();
    for number in 0..10_000 {
        place.write(&format!("file{number:05}"), "");
    }
    for (format, budget) in [
        (Format::Names, 100),
        (Format::Long, 1000),
        (Format::Facts, 0),
    ] {
        let listing = place.jail.list(&path("/"), &request(format)).unwrap();
        let text = String::from_utf8(run(listing, budget)).unwrap();
        let mut names: Vec<_> = text
            .lines()
            .filter_map(|line| line.rsplit(' ').next())
            .collect();
        names.retain(|name| *name != ".");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 10_000);
    }
}

#[test]
fn entries_that_vanish_during_a_listing_are_left_out() {
    let place = Place::new();
    for number in 0..100 {
        place.write(&format!("file{number}"), "");
    }
    let mut listing = place.jail.list(&path("/"), &request(Format::Long)).unwrap();
    let mut first = Vec::new();
    assert_eq!(listing.step(&mut first, 1), Ok(Step::More));
    fs::remove_dir_all(place.inside("")).unwrap();
    assert!(run(listing, 4096).is_empty());
}
