use std::io::Read as _;

use proptest::prelude::*;

use super::*;

/// An archive that was read: its entries with their contents, or what was wrong.
type Read = (Vec<(Found, Vec<u8>)>, Result<(), Malformed>);

/// Reads an archive in pieces of these lengths, over and over.
fn read(archive: &[u8], pieces: &[usize]) -> Read {
    let mut reader = Reader::default();
    let mut entries: Vec<(Found, Vec<u8>)> = Vec::new();
    let mut whole = 0;
    let mut rest = archive;
    for piece in pieces.iter().cycle() {
        let (mut input, later) = rest.split_at((*piece).min(rest.len()));
        rest = later;
        loop {
            match reader.next(&mut input) {
                Ok(Some(Event::Entry(found))) => {
                    assert_eq!(whole, entries.len());
                    entries.push((found, Vec::new()));
                }
                Ok(Some(Event::Data(data))) => {
                    assert!(!data.is_empty());
                    entries.last_mut().unwrap().1.extend_from_slice(data);
                }
                Ok(Some(Event::Whole)) => whole += 1,
                Ok(None) => break,
                Err(wrong) => {
                    assert_eq!(reader.next(&mut b"".as_slice()), Err(wrong.clone()));
                    assert_eq!(reader.finish(), Err(wrong.clone()));
                    entries.truncate(whole);
                    return (entries, Err(wrong));
                }
            }
        }
        assert!(input.is_empty());
        if rest.is_empty() {
            break;
        }
    }
    entries.truncate(whole);
    (entries, reader.finish())
}

fn whole(archive: &[u8]) -> Vec<(Found, Vec<u8>)> {
    let (entries, end) = read(archive, &[usize::MAX]);
    assert_eq!(end, Ok(()));
    entries
}

fn wrong(archive: &[u8]) -> Wrong {
    let (_, end) = read(archive, &[usize::MAX]);
    end.unwrap_err().wrong
}

fn entry(path: &[u8], kind: Kind, size: u64) -> Entry {
    Entry {
        path: path.to_vec(),
        kind,
        size,
        mode: 0o640,
        modified: 1_700_000_000,
    }
}

/// An archive of files, each of which holds its own name.
fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        header(entry, &Owner::default(), &mut out);
        let content: Vec<u8> = entry.path.iter().copied().cycle().collect_n(entry.size);
        out.extend_from_slice(&content);
        out.resize(out.len() + padding(entry.size), 0);
    }
    out.extend_from_slice(&END);
    out
}

trait CollectN {
    fn collect_n(self, count: u64) -> Vec<u8>;
}

impl<I: Iterator<Item = u8>> CollectN for I {
    fn collect_n(self, count: u64) -> Vec<u8> {
        self.take(usize::try_from(count).unwrap()).collect()
    }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let component = proptest::collection::vec(
        any::<u8>().prop_map(|octet| {
            if matches!(octet, 0 | b'/') {
                b'n'
            } else {
                octet
            }
        }),
        1..120,
    );
    let path =
        proptest::collection::vec(component, 1..5).prop_map(|components| components.join(&b'/'));
    let one = (
        path.clone(),
        path,
        0..3u8,
        0..1500u64,
        0..0o1000u16,
        any::<i64>(),
    )
        .prop_map(|(path, target, kind, size, mode, modified)| Entry {
            path,
            size: if kind == 0 { size } else { 0 },
            kind: match kind {
                0 => Kind::File,
                1 => Kind::Directory,
                _ => Kind::Link(target),
            },
            mode,
            modified: modified.max(-i64::MAX),
        });
    proptest::collection::vec(one, 0..6)
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_any_pieces(entries in entries(), pieces in proptest::collection::vec(1..3000usize, 1..8)) {
        let archive = archive(&entries);
        let (found, end) = read(&archive, &pieces);
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(found.len(), entries.len());
        for ((found, content), entry) in found.iter().zip(&entries) {
            let path = found.path.strip_suffix(b"/").unwrap_or(&found.path);
            prop_assert_eq!(path, entry.path.as_slice());
            let sort = match entry.kind {
                Kind::File => Sort::File,
                Kind::Directory => Sort::Directory,
                Kind::Link(_) => Sort::Other,
            };
            prop_assert_eq!(found.sort, sort);
            prop_assert_eq!((found.size, found.mode, found.modified), (entry.size, entry.mode, entry.modified));
            prop_assert_eq!(content.len() as u64, entry.size);
        }
    }

    #[test]
    fn the_crates_own_reader_reads_what_is_written(entries in entries()) {
        // Its records end at every newline.
        prop_assume!(entries.iter().all(|entry| !entry.path.contains(&b'\n')
            && !matches!(&entry.kind, Kind::Link(target) if target.contains(&b'\n'))));
        let archive = archive(&entries);
        let mut archive = ::tar::Archive::new(archive.as_slice());
        let mut count = 0;
        for (found, entry) in archive.entries().unwrap().zip(&entries) {
            let mut found = found.unwrap();
            let path = found.path_bytes().into_owned();
            prop_assert_eq!(path.strip_suffix(b"/").unwrap_or(&path), entry.path.as_slice());
            if let Kind::Link(target) = &entry.kind {
                let link = found.link_name_bytes().unwrap();
                prop_assert_eq!(link.as_ref(), target.as_slice());
            }
            let mut content = Vec::new();
            found.read_to_end(&mut content).unwrap();
            prop_assert_eq!(content.len() as u64, entry.size);
            count += 1;
        }
        prop_assert_eq!(count, entries.len());
    }

    #[test]
    fn any_octets_are_read_or_refused_alike_in_any_pieces(
        entries in entries(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        pieces in proptest::collection::vec(1..3000usize, 1..8),
    ) {
        let mut archive = archive(&entries);
        for (place, octet) in changes {
            let place = place.index(archive.len());
            archive[place] = octet;
        }
        archive.truncate(cut.index(archive.len() + 1));
        prop_assert_eq!(read(&archive, &pieces), read(&archive, &[usize::MAX]));
    }
}

#[test]
fn a_cut_archive_keeps_what_was_whole_and_says_where() {
    let archive = archive(&[
        entry(b"one", Kind::File, 600),
        entry(b"two", Kind::File, 600),
    ]);
    for length in 0..archive.len() {
        let (entries, end) = read(&archive[..length], &[usize::MAX]);
        let cut = end.unwrap_err();
        assert_eq!(cut.wrong, Wrong::Truncated);
        let count = usize::from(length >= 512 + 600) + usize::from(length >= 2 * 512 + 1024 + 600);
        assert_eq!(entries.len(), count, "{length}");
        if (512..512 + 600).contains(&length) {
            assert_eq!(cut.entry, b"one");
        }
    }
}

/// A header with these fields changed, its sum right again.
fn changed(name: &[u8], change: impl FnOnce(&mut ::tar::Header)) -> Vec<u8> {
    let mut out = Vec::new();
    header(&entry(name, Kind::File, 0), &Owner::default(), &mut out);
    let mut header = ::tar::Header::from_byte_slice(&out).clone();
    change(&mut header);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A header that carries a text.
fn text(flag: u8, text: &[u8]) -> Vec<u8> {
    let size = text.len() as u64;
    let mut out = changed(b"text", |header| {
        header.set_entry_type(::tar::EntryType::new(flag));
        header.set_size(size);
    });
    out.extend_from_slice(text);
    out.resize(out.len() + padding(size), 0);
    out
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    records::write(&mut out, key, value);
    out
}

fn file(size: u64) -> Vec<u8> {
    changed(b"file", |header| header.set_size(size))
}

#[test]
fn one_size_is_all_that_an_entry_has() {
    let said = |size: &[u8], header: Vec<u8>| {
        let mut archive = text(b'x', &record("size", size));
        archive.extend_from_slice(&header);
        archive.resize(archive.len() + 512, 0);
        archive.extend_from_slice(&END);
        archive
    };
    assert_eq!(whole(&said(b"7", file(7)))[0].0.size, 7);
    assert_eq!(wrong(&said(b"7", file(0))), Wrong::Sizes);
    assert_eq!(wrong(&said(b"0", file(7))), Wrong::Sizes);
    assert_eq!(wrong(&said(b"512", file(7))), Wrong::Sizes);
    assert_eq!(wrong(&said(b"-7", file(7))), Wrong::Number("size"));
    assert_eq!(
        wrong(&said(b"9223372036854775808", file(0))),
        Wrong::Number("size")
    );
    // Too much for the field, which says so in one of two ways.
    let large = 1u64 << 33;
    for header in [file(0), file(large - 1), file(large)] {
        let (_, end) = read(&said(b"8589934592", header), &[usize::MAX]);
        assert_eq!(end.unwrap_err().wrong, Wrong::Truncated);
    }
    assert_eq!(wrong(&said(b"8589934592", file(1))), Wrong::Sizes);
    // Base 256 with a sign.
    let negative = changed(b"file", |header| header.as_old_mut().size = [0xff; 12]);
    assert_eq!(wrong(&negative), Wrong::Number("size"));
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    let join = |parts: &[Vec<u8>]| [parts.concat(), END.to_vec()].concat();
    let long = text(b'L', b"long\0");
    let path = text(b'x', &record("path", b"path"));
    assert_eq!(whole(&join(&[long.clone(), file(0)]))[0].0.path, b"long");
    assert_eq!(whole(&join(&[path.clone(), file(0)]))[0].0.path, b"path");
    assert_eq!(
        wrong(&join(&[path.clone(), long.clone(), file(0)])),
        Wrong::Twice
    );
    assert_eq!(
        wrong(&join(&[long.clone(), long.clone(), file(0)])),
        Wrong::Twice
    );
    assert_eq!(
        wrong(&join(&[path.clone(), path.clone(), file(0)])),
        Wrong::Twice
    );
    let twice = [record("path", b"one"), record("path", b"two")].concat();
    assert_eq!(wrong(&join(&[text(b'x', &twice), file(0)])), Wrong::Twice);
    assert_eq!(wrong(&join(&[path])), Wrong::Dangling);
    for (text, expected) in [
        (
            text(b'x', &record("GNU.sparse.realsize", b"9223372036854775807")),
            Wrong::Sparse,
        ),
        (text(b'x', b"12 path=x"), Wrong::Records),
        (text(b'x', &record("path", b"")), Wrong::Records),
        (text(b'x', &record("path", b"a\0b")), Wrong::Records),
        (
            text(b'x', &record("path", &[b'n'; 65_536])),
            Wrong::NameTooLong,
        ),
        (text(b'x', &record("mtime", b"soon")), Wrong::Number("time")),
        (text(b'g', &record("path", b"all")), Wrong::Global),
        (text(b'g', b"garbage"), Wrong::Records),
        (text(b'L', &[b'n'; 65_536]), Wrong::NameTooLong),
        (text(b'L', b"a\0b\0"), Wrong::Records),
        (
            text(b'x', &vec![b' '; (256 << 10) + 1]),
            Wrong::TooManyRecords,
        ),
    ] {
        assert_eq!(wrong(&join(&[text, file(0)])), expected);
    }
    let comment = text(b'g', &record("comment", b"0123456789abcdef"));
    assert_eq!(whole(&join(&[comment, file(0)])).len(), 1);
    let newline = text(b'x', &record("path", b"two\nlines"));
    assert_eq!(whole(&join(&[newline, file(0)]))[0].0.path, b"two\nlines");
}

#[test]
fn only_files_have_content_and_only_known_kinds_are_read() {
    let of_kind = |flag: u8, size: u64| {
        let mut archive = changed(b"thing", |header| {
            header.set_entry_type(::tar::EntryType::new(flag));
            header.set_size(size);
        });
        archive.resize(
            archive.len() + padding(size) + usize::try_from(size).unwrap(),
            0,
        );
        [archive, END.to_vec()].concat()
    };
    for flag in [0, b'0', b'7'] {
        assert_eq!(whole(&of_kind(flag, 5))[0].0.sort, Sort::File);
    }
    assert_eq!(whole(&of_kind(b'5', 0))[0].0.sort, Sort::Directory);
    for flag in *b"12346" {
        assert_eq!(whole(&of_kind(flag, 0))[0].0.sort, Sort::Other);
    }
    for flag in *b"123456" {
        assert_eq!(wrong(&of_kind(flag, 5)), Wrong::Content);
    }
    assert_eq!(wrong(&of_kind(b'S', 0)), Wrong::Sparse);
    for flag in *b"VMDNAX8Z" {
        assert_eq!(wrong(&of_kind(flag, 0)), Wrong::Unknown(flag));
    }
    let slash = changed(b"old/", |header| {
        header.set_entry_type(::tar::EntryType::Regular)
    });
    let archive = [slash, END.to_vec()].concat();
    assert_eq!(whole(&archive)[0].0.sort, Sort::Directory);
}

#[test]
fn damaged_headers_and_ends_are_refused() {
    let good = archive(&[entry(b"file", Kind::File, 3)]);
    let with = |place: usize, octet: u8| {
        let mut archive = good.clone();
        archive[place] = octet;
        archive
    };
    assert_eq!(wrong(&with(0, b'F')), Wrong::Checksum);
    assert_eq!(wrong(&with(148, b'x')), Wrong::Checksum);
    assert_eq!(wrong(&with(1024 + 512, 1)), Wrong::LoneZeros);
    assert_eq!(
        wrong(&[good.as_slice(), b"\0\0\0x"].concat()),
        Wrong::Trailing
    );
    assert_eq!(whole(&[good.as_slice(), &[0; 10240]].concat()).len(), 1);
    let magic = changed(b"file", |header| {
        header.as_ustar_mut().unwrap().magic = *b"ustax\0";
    });
    assert_eq!(wrong(&magic), Wrong::Format);
    let nameless = changed(b"", |_| ());
    assert_eq!(wrong(&nameless), Wrong::NoName);
    let mode = changed(b"file", |header| header.as_old_mut().mode = *b"rw-r--r-");
    assert_eq!(wrong(&mode), Wrong::Number("mode"));
    let special = changed(b"file", |header| header.set_mode(0o107_777));
    assert_eq!(whole(&[special, END.to_vec()].concat())[0].0.mode, 0o777);
}

#[test]
fn large_files_and_far_times_have_records() {
    let mut large = entry(b"large", Kind::File, 1 << 33);
    large.modified = -5;
    let owner = Owner {
        uid: 3_000_000_000,
        gid: 7,
        user: b"alice".to_vec(),
        group: vec![b'g'; 32],
    };
    let mut out = Vec::new();
    header(&large, &owner, &mut out);
    let mut archive = ::tar::Archive::new(out.as_slice());
    let mut entries = archive.entries().unwrap();
    let mut found = entries.next().unwrap().unwrap();
    assert_eq!(found.size(), 1 << 33);
    let records: Vec<_> = found
        .pax_extensions()
        .unwrap()
        .unwrap()
        .map(|record| {
            let record = record.unwrap();
            (
                record.key().unwrap().to_owned(),
                record.value().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        ("uid", "3000000000"),
        ("size", "8589934592"),
        ("mtime", "-5"),
    ];
    assert_eq!(records, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!(found.header().username(), Ok(Some("alice")));
    assert_eq!(found.header().groupname(), Ok(Some("")));
}
