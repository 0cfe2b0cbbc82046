//! Row 81: archives from a generator that contradicts itself as much as it likes. What the server accepts is the same tree to GNU tar
//! and to bsdtar; what it refuses may be anything. There are no links in them, which it leaves out.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};

use tests::{Scratch, Setup};

use crate::hostile::regular;
use crate::programs;
use crate::unpack::send;
use tests::tape::{Header, archive, directory, extended, file, filled, header, record};

/// How many archives are tried.
const TRIALS: usize = 400;

/// Numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn one_of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.next(choices.len())]
    }
}

fn name(random: &mut Random) -> Vec<u8> {
    let choices: &[&[u8]] = &[
        b"a", b"b", b"d/a", b"d/e/b", b"./c", b"n n", b"d//f", b"d/g/",
    ];
    random.one_of(choices).to_vec()
}

fn number(random: &mut Random) -> Vec<u8> {
    let choices: &[&[u8]] = &[
        b"0",
        b"3",
        b"512",
        b"600",
        b"1024",
        b"-1",
        b"0512",
        b"8589934592",
    ];
    random.one_of(choices).to_vec()
}

/// The text of an extended header.
fn records(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=random.next(2) {
        let (key, value) = match random.next(8) {
            0..3 => ("path", name(random)),
            3 => ("size", number(random)),
            4 => ("mtime", b"1700000000.5".to_vec()),
            5 => ("linkpath", name(random)),
            6 => ("uname", b"somebody".to_vec()),
            _ => ("comment", b"11 path=odd".to_vec()),
        };
        text.extend(record(key, &value));
    }
    // Now and then it is damaged.
    if random.next(6) == 0 {
        let place = random.next(text.len());
        text[place] = *random.one_of(&[&b'\n', &b'0', &b'=', &b' ', &b'\t', &0]);
    }
    text
}

fn twisted(random: &mut Random, header: Header) -> Header {
    match random.next(12) {
        0 => header.with(124, b"           \0").sealed(),
        1 => header.with(124, b"   1000     ").sealed(),
        2 => header.with(124, b"\x80\0\0\0\0\0\0\0\0\0\x02\0").sealed(),
        3 => header.with(345, b"prefix").sealed(),
        4 => header.with(257, b"ustar  \0").sealed(),
        5 => header.with(257, &[0; 8]).sealed(),
        6 => header.with(148, b"12345").clone(),
        _ => header,
    }
}

fn part(random: &mut Random) -> Vec<u8> {
    let called = name(random);
    // What looks like a header is content only to those who agree on the size before it.
    let content = match random.next(3) {
        0 => b"content".to_vec(),
        1 => file(b"smuggled", b"content"),
        _ => Vec::new(),
    };
    match random.next(10) {
        0 => directory(&called),
        1..=3 => extended(b'x', &records(random)),
        4 => extended(b'L', &[called.as_slice(), b"\0"].concat()),
        5 => extended(b'g', &records(random)),
        6 => {
            let kind = *random.one_of(&[&b'5', &b'7', &0]);
            filled(&header(kind, &called, content.len()), &content)
        }
        7 => {
            let header = header(b'0', &called, content.len());
            filled(&twisted(random, header), &content)
        }
        _ => file(&called, &content),
    }
}

#[test]
fn what_is_accepted_is_one_tree_to_all() {
    let seed = RandomState::new().build_hasher().finish() | 1;
    let mut random = Random(seed);
    let server = Setup::new().setting("Durability=rename").start();
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    let mut accepted = 0;
    for trial in 0..TRIALS {
        let parts: Vec<_> = (0..=random.next(4)).map(|_| part(&mut random)).collect();
        let archive = archive(&parts);
        let directory = format!("trial{trial}");
        server.put_directory(&directory);
        client.expect(&format!("CWD /{directory}"), 250);
        let reply = send(&mut client, &archive);
        client.expect("CWD /", 250);
        if reply.code != 226 {
            continue;
        }
        accepted += 1;
        let got = regular(&server.home.join(&directory));
        for program in programs::all() {
            let scratch = Scratch::new();
            programs::unpack_anyhow(program, scratch.path(), &archive);
            let expected = regular(scratch.path());
            if got != expected {
                let kept = std::env::temp_dir().join(format!("archive-{seed}-{trial}.tar"));
                fs::write(&kept, &archive).unwrap();
                panic!(
                    "seed {seed}, trial {trial}, kept as {}: {program} has {:?} and we {:?}",
                    kept.display(),
                    expected.keys(),
                    got.keys()
                );
            }
        }
    }
    // Neither everything nor nothing.
    assert!(
        (TRIALS / 8..TRIALS).contains(&accepted),
        "{accepted} with seed {seed}"
    );
}
