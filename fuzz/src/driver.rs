//! Makes inputs from a seed: lines that clients really send, cut, crossed, repeated and with octets changed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

use crate::Target;

/// The longest input, in octets: some lines that are too long.
const LONGEST: usize = 16 << 10;

/// Octets that parsers stumble over.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"  ",
    b"\xff",
    b"\xff\xff",
    b"\xff\xf4\xff\xf2",
    b"\xff\xfa",
    b"\xff\xf0",
    b"/",
    b"//",
    b"..",
    b"/../",
    b".",
    b"*",
    b"?",
    b"[",
    b"]",
    b"[!a-z]",
    b"{",
    b"}",
    b"\\",
    b"\"",
    b"-",
    b"-la ",
    b"|",
    b"|1|127.0.0.1|65535|",
    b"|2|::1|1|",
    b",",
    b"0",
    b"1",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"4294967296",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-1",
    b"+1",
    b"%s",
    b"%00",
    b"\xc3\xa9",
    b"\xe2\x82",
    b"\xf0\x9f\x98\x80",
    b"\x80",
    b":",
    b"=",
    b";",
    b"ABOR",
    b"STAT",
    b"SITE ",
    b"OPTS MLST ",
    b"\" 0 9",
    b"\"\"",
    b", ",
    b"type;size;",
    b"226 ",
    b"150-",
    b"\x16\x03\x01",
    b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 21\r\n",
    b"PROXY TCP6 2001:db8::9 2001:db8::1 5000 21\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c",
    b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
];

/// How much is run, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// Inputs for each target.
    pub runs: u64,
    pub seed: u64,
}

impl Campaign {
    /// Without a seed, one that nobody knows before.
    pub fn new(runs: u64, seed: Option<u64>) -> Campaign {
        Campaign {
            runs,
            seed: seed.unwrap_or_else(|| Rng::new().u64(..)),
        }
    }
}

/// Runs a target; the input that breaks a promise is shown, and the panic goes on.
///
/// # Panics
/// The target did.
pub fn run(target: &Target, campaign: &Campaign) {
    let mut random = Rng::with_seed(campaign.seed);
    let corpus = corpus();
    let mut input = Vec::new();
    for number in 0..campaign.runs {
        make(&mut random, &corpus, &mut input);
        let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        if let Err(panic) = ran {
            println!(
                "{}: run {number} of seed {}: b\"{}\"",
                target.name,
                campaign.seed,
                input.escape_ascii()
            );
            std::panic::resume_unwind(panic);
        }
    }
}

/// Lines of clients: what the transcripts of the tests send.
fn corpus() -> Vec<&'static [u8]> {
    const TRANSCRIPTS: &[&str] = &[
        include_str!("../../tests/transcripts/active.txt"),
        include_str!("../../tests/transcripts/bad_lines.txt"),
        include_str!("../../tests/transcripts/directories.txt"),
        include_str!("../../tests/transcripts/extended.txt"),
        include_str!("../../tests/transcripts/facts.txt"),
        include_str!("../../tests/transcripts/listings.txt"),
        include_str!("../../tests/transcripts/long.txt"),
        include_str!("../../tests/transcripts/patterns.txt"),
        include_str!("../../tests/transcripts/representation.txt"),
        include_str!("../../tests/transcripts/site.txt"),
        include_str!("../../tests/transcripts/small_verbs.txt"),
    ];
    // What an administrator writes.
    const HOOKS: &[&str] = &[
        "ExecEngine=on",
        "ExecOnCommand=STOR,READ /bin/x \"a b\" %f %{real_path} %{time:%Y} %{HOME}e %%",
        "ExecOnEvent=MaxInstances* /bin/x %a",
        "ExecEnviron=PATH -",
        "ExecEnable=off /private/**",
    ];
    TRANSCRIPTS
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("C: "))
        .chain(HOOKS.iter().copied())
        .map(str::as_bytes)
        .collect()
}

fn make(random: &mut Rng, corpus: &[&[u8]], input: &mut Vec<u8>) {
    input.clear();
    for _ in 0..random.usize(1..4) {
        match random.u8(0..4) {
            0 => input.extend(std::iter::repeat_with(|| random.u8(..)).take(24)),
            _ => input.extend_from_slice(pick(random, corpus)),
        }
        if random.bool() {
            input.extend_from_slice(b"\r\n");
        }
    }
    for _ in 0..random.usize(0..6) {
        change(random, corpus, input);
    }
    input.truncate(LONGEST);
}

fn pick<'a>(random: &mut Rng, from: &[&'a [u8]]) -> &'a [u8] {
    random.choice(from.iter().copied()).unwrap_or_default()
}

fn change(random: &mut Rng, corpus: &[&[u8]], input: &mut Vec<u8>) {
    let at = random.usize(..=input.len());
    match random.u8(0..8) {
        0 if at < input.len() => input[at] = random.u8(..),
        1 if at < input.len() => input[at] ^= 1 << random.u8(0..8),
        2 if at < input.len() => {
            input.remove(at);
        }
        3 => input.truncate(at),
        4 => {
            let piece = pick(random, corpus).to_vec();
            input.splice(at..at, piece);
        }
        5 if at < input.len() => {
            // A piece many times over: what is too long is made of this.
            let end = random.usize(at..input.len()) + 1;
            let piece = input[at..end].repeat(random.usize(1..200));
            input.splice(at..at, piece.into_iter().take(LONGEST));
        }
        _ => {
            let token = pick(random, TOKENS).to_vec();
            input.splice(at..at, token);
        }
    }
}
