//! Tests of listings: which lines there are, and that nothing but lines comes out.

use super::*;
use crate::pattern::LONGEST_PATTERN;
use crate::proto::listing::{ListOptions, Order, Remark};
use crate::proto::verbs::Verb;
use crate::settings::Owners;
use std::os::unix::ffi::OsStrExt;

pub(super) fn request(format: Format) -> ListRequest {
    ListRequest {
        format,
        options: ListOptions::default(),
        pattern: None,
        typed: Vec::new(),
        facts: FactSet::ALL,
        limits: Limits {
            depth: 16,
            entries: 0,
            sorted: MOST_SORTED,
        },
    }
}

/// A request with options as a client types them; `l` is the long form.
fn options(letters: &str) -> ListRequest {
    let has = |letter| letters.contains(letter);
    let order = match (has('t'), has('S'), has('n')) {
        (true, ..) => Order::Time,
        (_, true, _) => Order::Size,
        (.., true) => Order::Name,
        _ => Order::Unsorted,
    };
    ListRequest {
        options: ListOptions {
            all: has('a'),
            recursive: has('R'),
            itself: has('d'),
            order,
            reverse: has('r'),
        },
        ..request(if has('l') {
            Format::Long
        } else {
            Format::Names
        })
    }
}

/// Runs a listing to its end; no step may go beyond its budget by more than a line.
fn run(listing: Listing, budget: usize) -> Vec<u8> {
    run_and_remark(listing, budget).0
}

fn run_and_remark(mut listing: Listing, budget: usize) -> (Vec<u8>, Remark) {
    let (mut all, mut step) = (Vec::new(), Vec::new());
    loop {
        let state = listing.step(&mut step, budget).unwrap();
        assert!(step.len() <= budget + 1024, "{}", step.len());
        assert!(step.is_empty() || step.ends_with(b"\r\n"));
        all.append(&mut step);
        if state == Step::Done {
            return (all, listing.remark());
        }
    }
}

impl Place {
    fn list(&self, name: &str, request: &ListRequest) -> Vec<String> {
        let mut lines = self.unsorted(name, request).0;
        lines.sort();
        lines
    }

    /// The lines as they come, and how the listing came out.
    fn unsorted(&self, name: &str, request: &ListRequest) -> (Vec<String>, Remark) {
        let listing = self.jail.list(&path(name), request).unwrap();
        let (text, remark) = run_and_remark(listing, 4096);
        let text = String::from_utf8(text).unwrap();
        let lines = text.split_terminator("\r\n").map(String::from).collect();
        (lines, remark)
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
    assert_eq!(place.list("/", &options("a")), [".dot", "a", "b"]);
    assert!(place.list("/a", &options("a")).is_empty());
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
        typed: b"../file".to_vec(),
        ..request(format)
    };
    assert_eq!(place.list("/file", &typed(Format::Names)), ["../file"]);
    let long = place.list("/file", &typed(Format::Long));
    assert!(
        long[0].starts_with("-rw") && long[0].ends_with(" ../file"),
        "{long:?}"
    );
    let dangling = ListRequest {
        typed: b"dangling".to_vec(),
        ..request(Format::Long)
    };
    let dangling = place.list("/dangling", &dangling);
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
    let mut reading = VerbSet::NONE;
    reading.insert(Verb::find("RETR").unwrap());
    let viewer = Viewer {
        allowed: Allowed::by(reading),
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

/// A tree with directories of two levels, a link to a directory, and something hidden.
fn tree() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.inside("a/deep/er")).unwrap();
    fs::create_dir_all(place.inside("b")).unwrap();
    fs::create_dir_all(place.inside(".hidden")).unwrap();
    for name in [
        "top.c",
        "a/one.c",
        "a/deep/two.c",
        "a/deep/er/three.c",
        "b/four.c",
        ".hidden/five.c",
    ] {
        place.write(name, "");
    }
    symlink("/a", place.inside("link")).unwrap();
    symlink("../..", place.inside("b/up")).unwrap();
    place
}

#[test]
fn names_below_are_listed_as_paths() {
    let place = tree();
    let all = [
        "a",
        "a/deep",
        "a/deep/er",
        "a/deep/er/three.c",
        "a/deep/two.c",
        "a/one.c",
        "b",
        "b/four.c",
        "b/up",
        "link",
        "top.c",
    ];
    let (_, remark) = place.unsorted("/", &options("R"));
    assert_eq!(remark, Remark::Whole);
    assert_eq!(place.list("/", &options("R")), all);
    // The order changes nothing about what is there.
    assert_eq!(place.list("/", &options("Rt")), all);
    let typed = ListRequest {
        typed: b"../a/".to_vec(),
        ..options("Ran")
    };
    let (below_a, _) = place.unsorted("/a", &typed);
    assert_eq!(
        below_a,
        [
            "../a/deep",
            "../a/one.c",
            "../a/deep/er",
            "../a/deep/two.c",
            "../a/deep/er/three.c"
        ]
    );
    assert!(
        place
            .list("/", &options("Ra"))
            .contains(&".hidden/five.c".to_owned())
    );
}

#[test]
fn long_listings_below_have_headings() {
    let place = tree();
    let plain = |request: ListRequest, name| {
        let lines = place.unsorted(name, &request).0;
        let last = |line: &String| line.rsplit(' ').next().unwrap_or_default().to_owned();
        lines.iter().map(last).collect::<Vec<_>>()
    };
    let expected = [
        ".:",
        "a",
        "b",
        "/a",
        "top.c",
        "",
        "./a:",
        "deep",
        "one.c",
        "",
        "./a/deep:",
        "er",
        "two.c",
        "",
        "./a/deep/er:",
        "three.c",
        "",
        "./b:",
        "four.c",
        "../..",
    ];
    assert_eq!(plain(options("lRn"), "/"), expected);
    let typed = ListRequest {
        typed: b"a".to_vec(),
        ..options("lRnr")
    };
    let backwards = [
        "a:",
        "one.c",
        "deep",
        "",
        "a/deep:",
        "two.c",
        "er",
        "",
        "a/deep/er:",
        "three.c",
    ];
    assert_eq!(plain(typed, "/a"), backwards);
}

#[test]
fn a_limit_ends_a_listing_and_says_so() {
    let place = tree();
    let limited = |depth, entries, letters| ListRequest {
        limits: Limits {
            depth,
            entries,
            sorted: MOST_SORTED,
        },
        ..options(letters)
    };
    for letters in ["R", "Rn"] {
        let (lines, remark) = place.unsorted("/", &limited(1, 0, letters));
        assert_eq!((lines.len(), remark), (8, Remark::TooDeep), "{lines:?}");
        let (lines, remark) = place.unsorted("/", &limited(2, 0, letters));
        assert_eq!((lines.len(), remark), (10, Remark::TooDeep), "{lines:?}");
        let (lines, remark) = place.unsorted("/", &limited(3, 0, letters));
        assert_eq!((lines.len(), remark), (11, Remark::Whole));
    }
    // Two dots in each directory and the hidden one are looked at too.
    let (lines, remark) = place.unsorted("/", &limited(9, 5, "R"));
    assert!(lines.len() <= 5 && remark == Remark::TooMany, "{lines:?}");
    let (lines, remark) = place.unsorted("/", &limited(9, 9, "Rn"));
    assert_eq!(
        lines[..4],
        ["a", "b", "link", "top.c"],
        "what was kept is shown"
    );
    assert_eq!(remark, Remark::TooMany);
    // The limits are for what goes through several directories.
    assert_eq!(place.unsorted("/", &limited(0, 1, "")).1, Remark::Whole);
    let (lines, remark) = place.unsorted("/", &limited(0, 0, "R"));
    assert_eq!(
        (lines.len(), remark),
        (4, Remark::Whole),
        "without depth there is no -R"
    );
}

#[test]
fn directories_that_cannot_be_read_are_told() {
    if nix::unistd::geteuid().is_root() {
        // Root reads everything but what the kernel shows of itself; ordinary users run the other half.
        let root = fs::File::open("/").unwrap().into();
        let jail = Jail::new(root, 0, viewer(), Names::numeric());
        let request = ListRequest {
            limits: Limits {
                depth: 1,
                entries: 0,
                sorted: MOST_SORTED,
            },
            pattern: Some(b"proc/self*".to_vec()),
            ..options("")
        };
        let listing = jail.list(&path("/"), &request).unwrap();
        assert_eq!(
            run_and_remark(listing, 4096),
            (Vec::new(), Remark::Unreadable)
        );
        return;
    }
    let place = tree();
    fs::set_permissions(place.inside("a/deep"), fs::Permissions::from_mode(0o600)).unwrap();
    let (lines, remark) = place.unsorted("/", &options("R"));
    assert_eq!(remark, Remark::Unreadable);
    assert!(lines.contains(&"a/deep".to_owned()) && !lines.contains(&"a/deep/two.c".to_owned()));
    fs::set_permissions(place.inside("a/deep"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn patterns_go_through_directories_and_links_inside_the_root() {
    let place = tree();
    symlink(place.outside(""), place.inside("out")).unwrap();
    let matching = |pattern: &str, typed: &str| place.matching("/", pattern, typed);
    assert_eq!(matching("*/*.c", ""), ["a/one.c", "b/four.c", "link/one.c"]);
    assert_eq!(
        matching("*/deep/*.c", "/"),
        ["/a/deep/two.c", "/link/deep/two.c"]
    );
    assert_eq!(matching("?/*/*/three.c", ""), ["a/deep/er/three.c"]);
    assert_eq!(matching(".*/*", ""), [".hidden/five.c"]);
    // The root is above nothing, so that the link leads back to it.
    assert!(matching("*/up/top.c", "").contains(&"b/up/top.c".to_owned()));
    assert!(matching("out/*", "").is_empty() && matching("*/secret", "").is_empty());
    assert!(matching("*/none/*", "").is_empty());
    let endless = ListRequest {
        pattern: Some(b"*/up/b/up/b/up/b/up/b/up/b/up/b/up/b/up/b/up/b/up/b/up/b/*".to_vec()),
        ..options("")
    };
    assert_eq!(place.unsorted("/", &endless).1, Remark::TooDeep);
}

#[test]
fn what_a_pattern_finds_can_be_gone_into() {
    let place = tree();
    let request = ListRequest {
        pattern: Some(b"*".to_vec()),
        ..options("Rn")
    };
    let found = place.unsorted("/", &request).0;
    assert_eq!(found, place.unsorted("/", &options("Rn")).0);
}

#[test]
fn listings_are_sorted_as_asked() {
    let place = Place::new();
    for (name, size, time) in [("b", 5, 30), ("a", 1, 20), ("c", 9, 10), ("d", 5, 20)] {
        place.write(name, &"x".repeat(size));
        let file = fs::File::options()
            .write(true)
            .open(place.inside(name))
            .unwrap();
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(time))
            .unwrap();
    }
    let sorted = |letters| place.unsorted("/", &options(letters)).0.concat();
    assert_eq!(sorted("n"), "abcd");
    assert_eq!(sorted("nr"), "dcba");
    assert_eq!(sorted("t"), "badc");
    assert_eq!(sorted("tr"), "cdab");
    assert_eq!(sorted("S"), "cbda");
    assert_eq!(sorted("Sr"), "adbc");
    let facts = ListRequest {
        options: options("Rn").options,
        ..request(Format::Facts)
    };
    let (lines, _) = place.unsorted("/", &facts);
    let names: String = lines
        .iter()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(names, ".abcd", "MLSD goes nowhere else");
}

#[test]
fn too_much_to_be_sorted_is_listed_unsorted() {
    let place = Place::new();
    let count = 100;
    for number in 0..count {
        place.write(&format!("{number:0>200}"), "");
    }
    let enough = options("ln");
    let (_, remark) = place.unsorted("/", &enough);
    assert_eq!(remark, Remark::Whole);
    let limits = Limits {
        sorted: count * 200,
        ..enough.limits
    };
    let (lines, remark) = place.unsorted("/", &ListRequest { limits, ..enough });
    assert_eq!((lines.len(), remark), (count, Remark::Unsorted));
}

#[test]
fn a_directory_itself_is_one_line() {
    let place = tree();
    let one = |name, typed: &str| {
        let request = ListRequest {
            typed: typed.into(),
            ..options("d")
        };
        place.list(name, &request)
    };
    assert_eq!(one("/a", "./a"), ["./a"]);
    assert_eq!(one("/", ""), ["."]);
    assert_eq!(one("/", "/"), ["/"]);
    let link = ListRequest {
        typed: b"link".to_vec(),
        ..options("ld")
    };
    let line = place.list("/link", &link);
    assert!(
        line[0].starts_with('l') && line[0].ends_with(" link -> /a"),
        "{line:?}"
    );
    let root = place.list("/", &options("ld"));
    assert!(
        root[0].starts_with('d') && root[0].ends_with(" ."),
        "{root:?}"
    );
}

#[test]
fn every_kind_of_file_has_its_letter() {
    let place = Place::new();
    nix::unistd::mkfifo(&place.inside("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    let _socket = UnixListener::bind(place.inside("socket")).unwrap();
    symlink("a\nb", place.inside("link")).unwrap();
    let lines = place.list("/", &request(Format::Long));
    let shown: Vec<_> = lines
        .iter()
        .map(|line| (line.get(..1).unwrap(), line.rsplit(' ').next().unwrap()))
        .collect();
    assert_eq!(shown, [("l", "a?b"), ("p", "pipe"), ("s", "socket")]);
    let dev = Jail::new(
        fs::File::open("/dev").unwrap().into(),
        0,
        viewer(),
        Names::numeric(),
    );
    let null = ListRequest {
        typed: b"null".to_vec(),
        ..request(Format::Long)
    };
    let listing = dev.list(&path("/null"), &null).unwrap();
    let line = String::from_utf8(run(listing, 4096)).unwrap();
    assert!(
        line.starts_with("crw") && line.contains("   1,   3 "),
        "{line}"
    );
}

#[test]
fn hidden_owners_are_nowhere_to_be_seen() {
    let place = Place::new();
    place.write("file", "");
    let names = Names::from_passwd(b"me:x:0:0", b"us:x:0:").shown(Owners::Hidden);
    let root = fs::File::open(place.inside("")).unwrap().into();
    let jail = Jail::new(root, 0, viewer(), names);
    let listed = |format| {
        let listing = jail.list(&path("/"), &request(format)).unwrap();
        String::from_utf8(run(listing, 4096)).unwrap()
    };
    let long = listed(Format::Long);
    assert_eq!(
        long.split_whitespace().collect::<Vec<_>>()[2..4],
        ["ftp", "ftp"]
    );
    let facts = listed(Format::Facts);
    assert!(
        facts.contains("UNIX.mode=") && !facts.contains("UNIX.owner"),
        "{facts}"
    );
    let mut one = Vec::new();
    jail.facts(&path("/file"), FactSet::ALL, &mut one).unwrap();
    assert!(!String::from_utf8(one).unwrap().contains("UNIX.group"));
}
