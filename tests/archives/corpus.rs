//! The hostile archives themselves: what each holds, what the server says to it, and which files there are then.

use tests::tape::{archive, directory, extended, file, filled, header, link, pax, record};

/// An archive, what the server says to it, and the files that are there afterwards.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) archive: Vec<u8>,
    pub(crate) code: u16,
    pub(crate) files: &'static [&'static str],
}

fn case(name: &'static str, parts: &[Vec<u8>], code: u16, files: &'static [&'static str]) -> Case {
    Case {
        name,
        archive: archive(parts),
        code,
        files,
    }
}

#[rustfmt::skip]
fn links(outside: &str) -> Vec<Case> {
    let target = |name: &str| format!("{outside}{name}").into_bytes();
    let f = |name: &str| file(name.as_bytes(), b"evil");
    let hard = |name: &str, target: &[u8]| header(b'1', name.as_bytes(), 0).link(target).0.to_vec();
    vec![
        case("file through an absolute link", &[link(b"l", &target("")), f("l/file")], 226, &["l/file"]),
        case("file through a link that leads up", &[link(b"l", b"../outside"), f("l/file")], 226, &["l/file"]),
        case("file onto a link", &[link(b"l", &target("/file")), f("l")], 226, &["l"]),
        case("links in a chain", &[link(b"a", b"b"), link(b"b", &target("")), f("a/file")], 226, &["a/file"]),
        case("link, directory, file", &[link(b"l", &target("")), directory(b"l/directory"), f("l/directory/tool")], 226, &["l/directory/tool"]),
        case("directory onto a link", &[link(b"l", &target("")), directory(b"l"), f("l/file")], 226, &["l/file"]),
        case("mode through a link", &[link(b"l", &target("/file")), header(b'5', b"l", 0).mode(b"0007777\0").0.to_vec()], 226, &[]),
        case("hard link to outside", &[hard("h", &target("/file")), f("h")], 226, &["h"]),
        case("hard link that leads up", &[hard("h", b"../outside/file"), f("h")], 226, &["h"]),
        case("hard link to a link", &[link(b"l", &target("/file")), hard("h", b"l"), f("h")], 226, &["h"]),
        case("hard link with content", &[filled(&header(b'1', b"h", 5).link(b"x"), b"hello")], 451, &[]),
        case("link with content", &[filled(&header(b'2', b"l", 5).link(b"x"), b"hello")], 451, &[]),
        case("link by a record", &[pax(&[("linkpath", &target("/file"))]), link(b"l", b"short"), f("l")], 226, &["l"]),
        case("link by a long target", &[extended(b'K', &target("/file\0")), link(b"l", b"short"), f("l")], 226, &["l"]),
        case("link that is there, to a directory inside", &[f("inside/file")], 550, &[]),
        case("link that is there, to a directory outside", &[f("out/file")], 550, &[]),
        case("link that is there, as a directory", &[directory(b"out"), f("out/file")], 550, &[]),
        case("link that is there, to a file outside", &[f("to-file")], 226, &["to-file"]),
        case("link that is there, on the way", &[f("out/directory/tool")], 550, &[]),
    ]
}

#[rustfmt::skip]
fn kinds() -> Vec<Case> {
    let of = |kind: u8, size: usize| filled(&header(kind, b"thing", size), &vec![b'x'; size]);
    let mode = |kind: u8, mode: &[u8; 8]| header(kind, b"thing", 0).mode(mode).0.to_vec();
    vec![
        case("character device", &[header(b'3', b"d", 0) .with(329, b"0000001\x000000003\0") .sealed() .0 .to_vec()], 226, &[]),
        case("block device", &[header(b'4', b"d", 0) .with(329, b"0000010\x000000000\0") .sealed() .0 .to_vec()], 226, &[]),
        case("pipe", &[of(b'6', 0)], 226, &[]),
        case("device with content", &[of(b'3', 600)], 451, &[]),
        case("pipe with content", &[of(b'6', 600)], 451, &[]),
        case("directory with content that is a header", &[filled(&header(b'5', b"d", 512), &header(b'0', b"hidden", 0).0)], 451, &[]),
        case("sparse file of GNU tar", &[of(b'S', 0)], 451, &[]),
        case("sparse file of 8 EiB", &[pax(&[("GNU.sparse.realsize", b"9223372036854775807")]), file(b"f", b"")], 451, &[]),
        case("sparse file with a map", &[pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"../x")]), file(b"f", b"")], 451, &[]),
        case("piece of a multi-volume archive", &[of(b'M', 0)], 451, &[]),
        case("directory dump", &[of(b'D', 0)], 451, &[]),
        case("label of a volume", &[of(b'V', 0)], 451, &[]),
        case("kind that nobody knows", &[of(b'Z', 0)], 451, &[]),
        case("kind above ASCII", &[of(0xff, 0)], 451, &[]),
        case("setuid, setgid and sticky file", &[mode(b'0', b"0007777\0")], 226, &["thing"]),
        case("setuid, setgid and sticky directory", &[mode(b'5', b"0007777\0")], 226, &[]),
        case("mode with the bits of a device", &[mode(b'0', b"0067777\0")], 226, &["thing"]),
        case("mode in base 256", &[mode(b'0', b"\x80\0\0\0\0\0\x0f\xff")], 226, &["thing"]),
        case("mode that is no number", &[mode(b'0', b"rwsrwsrw")], 451, &[]),
        case("negative mode", &[mode(b'0', &[0xff; 8])], 226, &["thing"]),
        case("directory that is closed to its owner", &[mode(b'5', b"0000000\0"), file(b"thing/f", b"x")], 226, &["thing/f"]),
    ]
}

#[rustfmt::skip]
fn paths(outside: &str) -> Vec<Case> {
    let f = |name: &[u8]| file(name, b"evil");
    let by_record = |name: &[u8]| vec![pax(&[("path", name)]), file(b"short", b"evil")];
    let by_long = |name: &[u8]| {
        vec![
            extended(b'L', &[name, b"\0"].concat()),
            file(b"short", b"evil"),
        ]
    };
    let prefixed = |prefix: &[u8], name: &[u8]| {
        vec![header(b'0', name, 0).with(345, prefix).sealed().0.to_vec()]
    };
    let absolute = format!("{outside}/file").into_bytes();
    let deep = |depth: usize| ["d"].repeat(depth).join("/").into_bytes();
    vec![
        case("up", &[f(b"../outside/file")], 553, &[]),
        case("down and up", &[f(b"a/../../outside/file")], 553, &[]),
        case("up within", &[f(b"a/../b")], 553, &[]),
        case("directory up", &[directory(b"..")], 553, &[]),
        case("directory up, with a slash", &[directory(b"../")], 553, &[]),
        case("absolute", &[f(&absolute[..absolute.len().min(100)])], 553, &[]),
        case("absolute twice", &[f(b"//tmp/x")], 553, &[]),
        case("up by a record", &by_record(b"../outside/file"), 553, &[]),
        case("absolute by a record", &by_record(&absolute), 553, &[]),
        case("up by a long name", &by_long(b"../outside/file"), 553, &[]),
        case("absolute by a long name", &by_long(&absolute), 553, &[]),
        case("up by the prefix", &prefixed(b"..", b"outside/file"), 553, &[]),
        case("absolute by the prefix", &prefixed(b"/tmp", b"x"), 553, &[]),
        case("NUL in a record", &by_record(b"a\0/../../b"), 451, &[]),
        case("NUL in a long name", &by_long(b"a\0b"), 451, &[]),
        case("backslashes", &[f(b"..\\..\\outside\\file")], 226, &["..\\..\\outside\\file"]),
        case("line ends and more", &[f(b"a\r\n226 Done.\xff\xf4")], 226, &["a\r\n226 Done.\u{fffd}\u{fffd}"]),
        case("line ends in a refusal", &[f(b"../a\r\n226 Done.")], 553, &[]),
        case("hidden name of an upload", &[f(b".ftpd-0123456789abcdef.part")], 550, &[]),
        case("dots and slashes", &[f(b"./a/.//./b")], 226, &["a/b"]),
        case("the directory itself", &[directory(b"./"), f(b"a")], 226, &["a"]),
        case("the directory itself as a file", &[f(b".")], 553, &[]),
        case("no name", &[f(b"")], 451, &[]),
        case("name of 256 octets", &by_record(&[b'n'; 256]), 553, &[]),
        case("name of 64 KiB by a record", &by_record(&[b'n'; 65_536]), 451, &[]),
        case("name of 64 KiB by a long name", &by_long(&[b'n'; 65_536]), 451, &[]),
        case("path of 4,200 octets", &by_record(&b"nnnnnnnnn/".repeat(420)), 451, &[]),
        case("90 deep", &by_record(&deep(90)), 226, &["d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d"]),
        case("101 deep", &by_record(&deep(101)), 552, &[]),
        case("2,000 deep", &by_record(&deep(2000)), 552, &[]),
        case("100,000 deep", &by_record(&deep(100_000)), 451, &[]),
        case("the same name twice", &[f(b"a"), file(b"a", b"later")], 226, &["a"]),
        case("names in two cases", &[f(b"Name"), f(b"name")], 226, &["Name", "name"]),
        case("file onto a directory", &[directory(b"a"), f(b"a")], 550, &[]),
        case("directory onto a file", &[f(b"a"), directory(b"a")], 550, &["a"]),
        case("file below a file", &[f(b"a"), f(b"a/b")], 550, &["a"]),
    ]
}

#[rustfmt::skip]
fn numbers() -> Vec<Case> {
    let sized = |field: &[u8; 12]| header(b'0', b"f", 0).with(124, field).sealed().0.to_vec();
    let timed = |field: &[u8; 12]| header(b'0', b"f", 0).with(136, field).sealed().0.to_vec();
    let said = |size: &[u8], content: &[u8]| vec![pax(&[("size", size)]), file(b"f", content)];
    let inner = header(b'0', b"smuggled", 0).0;
    vec![
        case("size of 8 EiB", &said(b"9223372036854775807", b""), 452, &[]),
        case("size beyond 8 EiB", &said(b"9223372036854775808", b""), 451, &[]),
        case("size below zero", &[sized(&[0xff; 12])], 451, &[]),
        case("size below zero by a record", &said(b"-1", b""), 451, &[]),
        case("size beyond 64 bits", &[sized(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")], 451, &[]),
        case("size that is no number", &[sized(b"12345678\x009 \0")], 451, &[]),
        case("no size", &[sized(b"           \0")], 451, &[]),
        case("record with a smaller size", &said(b"0", &inner), 451, &[]),
        case("record with a larger size", &said(b"1024", &inner), 451, &[]),
        case("record with an octal size", &said(b"0512", &inner), 451, &[]),
        case("record with the same size", &said(b"512", &inner), 226, &["f"]),
        case("time of 2^62", &[timed(b"\x80\0\0\0\x40\0\0\0\0\0\0\0")], 226, &["f"]),
        case("time before 1970", &[timed(&[0xff; 12])], 226, &["f"]),
        case("time that is no number", &[timed(b"yesterday  \0")], 451, &[]),
        case("time beyond all file systems", &[pax(&[("mtime", b"9223372036854775807")]), file(b"f", b"")], 226, &["f"]),
        case("time before the universe", &[pax(&[("mtime", b"-9223372036854775807")]), file(b"f", b"")], 226, &["f"]),
        case("time with an exponent", &[pax(&[("mtime", b"1e9")]), file(b"f", b"")], 451, &[]),
    ]
}

#[rustfmt::skip]
fn headers() -> Vec<Case> {
    let f = || file(b"f", b"content");
    let raw = |name, archive, code, files| Case {
        name,
        archive,
        code,
        files,
    };
    let mut cases = vec![
        case("record without its end", &[extended(b'x', b"9 path=ab"), f()], 451, &[]),
        case("record longer than the header", &[extended(b'x', b"99 path=ab\n"), f()], 451, &[]),
        case("record of length zero", &[extended(b'x', b"0 path=ab\n"), f()], 451, &[]),
        case("record of a length beyond 64 bits", &[extended(b'x', b"18446744073709551626 path=a\n"), f()], 451, &[]),
        case("record with a sign", &[extended(b'x', b"+11 path=a\n"), f()], 451, &[]),
        case("record in two lines, one of them empty", &[extended(b'x', b"\n10 path=a\n"), f()], 451, &[]),
        case("record without a key", &[extended(b'x', b"5 =a\n"), f()], 451, &[]),
        case("the same record twice", &[pax(&[("path", b"a"), ("path", b"b")]), f()], 451, &[]),
        case("two extended headers", &[pax(&[("path", b"a")]), pax(&[("path", b"b")]), f()], 451, &[]),
        case("two long names", &[extended(b'L', b"a\0"), extended(b'L', b"b\0"), f()], 451, &[]),
        case("long name and record", &[extended(b'L', b"a\0"), pax(&[("path", b"b")]), f()], 451, &[]),
        case("name for all entries", &[extended(b'g', &record("path", b"all")), f()], 451, &[]),
        case("size for all entries", &[extended(b'g', &record("size", b"0")), f()], 451, &[]),
        case("comment for all entries", &[extended(b'g', &record("comment", b"c")), f()], 226, &["f"]),
        case("extended header without an entry", &[f(), pax(&[("path", b"a")])], 451, &["f"]),
        case("extended header of 300 KiB", &[extended(b'x', &record("comment", &[b'c'; 300 << 10])), f()], 451, &[]),
        case("extended header of 200 KiB", &[extended(b'x', &record("comment", &[b'c'; 200 << 10])), f()], 226, &["f"]),
        case("wrong sum", &[header(b'0', b"f", 0).with(0, b"g").0.to_vec()], 451, &[]),
        case("no sum", &[header(b'0', b"f", 0).with(148, &[0; 8]).0.to_vec()], 451, &[]),
        case("wrong magic", &[header(b'0', b"f", 0) .with(257, b"ustax") .sealed() .0 .to_vec()], 451, &[]),
        case("hole in the archive", &[f(), vec![0; 512], f()], 451, &["f"]),
        case("nothing", &[], 226, &[]),
    ];
    let good = archive(&[f()]);
    cases.push(raw("no octet", Vec::new(), 426, &[]));
    cases.push(raw("half a header", good[..256].to_vec(), 426, &[]));
    cases.push(raw("half a file", good[..515].to_vec(), 426, &[]));
    cases.push(raw("no end", good[..1024].to_vec(), 426, &["f"]));
    cases.push(raw("half an end", good[..1536].to_vec(), 426, &["f"]));
    cases.push(raw("something behind the end", [good.as_slice(), &good].concat(), 451, &["f"]));
    cases.push(raw("padding behind the end", [good.as_slice(), &[0; 8192]].concat(), 226, &["f"]));
    cases.push(raw("gzip", [b"\x1f\x8b\x08".as_slice(), &[7; 2000]].concat(), 451, &[]));
    cases.push(raw("random octets", (0..9999u32) .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]) .collect(), 451, &[]));
    cases
}

/// All of them, for a directory that they try to get to.
pub(crate) fn corpus(outside: &str) -> Vec<Case> {
    let cases = [
        links(outside),
        kinds(),
        paths(outside),
        numbers(),
        headers(),
    ];
    cases.into_iter().flatten().collect()
}
