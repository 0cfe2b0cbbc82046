//! The targets: each holds the product to what it promises of any octets.

mod tls;

use std::net::SocketAddr;
use std::sync::OnceLock;

use common::auth::Secret;
use common::auth::native::Record;
use common::channel::{FileAnswer, FileRequest, LoginAnswer, LoginRequest, UploadAt, UserName};
use common::hooks::directive::{Directive, Directives};
use common::hooks::{self, Act, Id, Kind, Path, Template, Time};
use common::jail::Failure;
use common::path::{LONGEST_PATH, VirtualPath, quote};
use common::pattern::{LONGEST_PATTERN, Pattern};
use common::proto::args::PathArg;
use common::proto::facts::{FactSet, name_in_line};
use common::proto::hostport;
use common::proto::line::{Input, LineReader};
use common::proto::proxied::{self, Header, Progress};
use common::proto::reply::{Code, Line, Reply};
use common::proto::representation::Level;
use common::proto::verbs::{self, Command};
use common::settings::Origin;
use common::stage::deflate::{Deflate, Inflate};
use common::stage::tar::{self, Event, Sort};
use common::stage::{Fault, Stage, ascii};
use common::tls::clients::{ClientNames, Proof};
use common::tls::make::self_signed;
use common::wire::{self, Octets, Wire};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A function that any fuzzer can call.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "line",
        run: line,
    },
    Target {
        name: "command",
        run: command,
    },
    Target {
        name: "glob",
        run: glob,
    },
    Target {
        name: "hostport",
        run: host_port,
    },
    Target {
        name: "proxied",
        run: proxied_header,
    },
    Target {
        name: "facts",
        run: facts,
    },
    Target {
        name: "path",
        run: path,
    },
    Target {
        name: "certificate",
        run: certificate,
    },
    Target {
        name: "reply",
        run: reply,
    },
    Target {
        name: "wire",
        run: messages,
    },
    Target {
        name: "ascii",
        run: text,
    },
    Target {
        name: "archive",
        run: archive,
    },
    Target {
        name: "digest",
        run: parts,
    },
    Target {
        name: "inflate",
        run: stream,
    },
    Target {
        name: "hooks",
        run: hook_texts,
    },
    Target {
        name: "record",
        run: record,
    },
    Target {
        name: "signature",
        run: tls::signature,
    },
    Target {
        name: "signer",
        run: tls::word,
    },
];

/// All lines that come out when the octets arrive in pieces of this size.
fn lines(octets: &[u8], piece: usize) -> Vec<Input> {
    let mut reader = LineReader::default();
    let mut lines = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let count = reader.room().min(rest.len()).min(piece);
        if count == 0 {
            let taken = reader.take();
            assert!(taken.is_some(), "a reader without room has a line");
            lines.extend(taken);
            continue;
        }
        reader.push(&rest[..count]);
        rest = &rest[count..];
    }
    lines.extend(std::iter::from_fn(|| reader.take()));
    lines
}

/// Lines do not depend on how the network cuts them, and hold no line end.
fn line(octets: &[u8]) {
    let whole = lines(octets, octets.len().max(1));
    assert_eq!(whole, lines(octets, 1));
    assert_eq!(whole, lines(octets, 7));
    for input in whole {
        if let Input::Line(line) = input {
            assert!(!line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
        }
    }
}

/// A header is never asked for octets behind it, and comes out the same however it was cut.
fn proxied_header(octets: &[u8]) {
    let mut whole = 0;
    for end in 0..=octets.len() {
        match proxied::read(&octets[..end]) {
            Ok(Progress::Needs(count)) => {
                assert!(count > 0 && end + count <= proxied::LONGEST);
                assert!(end + count >= whole, "what was needed is not any more");
                whole = end + count;
            }
            Ok(Progress::Whole(Header::Passed { client, .. })) => {
                assert_eq!(end, whole);
                assert!(!client.ip().to_canonical().is_unspecified());
                return;
            }
            Ok(Progress::Whole(Header::Local)) => return assert_eq!(end, whole),
            Err(_) => return,
        }
    }
}

/// Whatever the line: a command, or an error that says which verb it is about.
fn command(octets: &[u8]) {
    for line in octets.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Ok(verb) = verbs::verb(line) {
            assert!(!verb.spec().verb.is_empty());
            // Its value is of no interest, but it must be one.
            drop(verbs::parse(verb, line));
        }
    }
}

/// A pattern is matched in time; without wildcards it is the name, and a star matches all that shows itself.
fn glob(octets: &[u8]) {
    let mut parts = octets.split(|&b| b == b'\n');
    let pattern = parts.next().unwrap_or_default();
    let Ok(compiled) = Pattern::new(pattern) else {
        assert!(pattern.len() > LONGEST_PATTERN);
        return;
    };
    let plain = !pattern.iter().any(|b| b"*?[]\\".contains(b));
    for name in parts
        .chain([pattern])
        .filter(|name| !name.is_empty() && name.len() < 256)
    {
        let matches = compiled.matches_file(name);
        if plain {
            assert_eq!(matches, name == pattern);
        }
        if let Ok(star) = Pattern::new(b"*") {
            assert_eq!(star.matches_file(name), !name.starts_with(b"."));
        }
    }
}

/// What is read as an address is written so that it is read as the same one.
fn host_port(octets: &[u8]) {
    for word in octets.split(|&b| b == b' ') {
        if let Ok(address) = hostport::parse_port(word) {
            let text = hostport::port_text(address);
            assert_eq!(hostport::parse_port(text.as_bytes()), Ok(address));
        }
        if let Ok(Ok(address)) = hostport::parse_lprt(word) {
            let text = hostport::long_text(address);
            assert_eq!(hostport::parse_lprt(text.as_bytes()), Ok(Ok(address)));
        }
        if let Ok(Ok(address)) = hostport::parse_eprt(word) {
            let family = if address.is_ipv4() { 1 } else { 2 };
            let text = format!("|{family}|{}|{}|", address.ip(), address.port());
            let plain = SocketAddr::new(address.ip(), address.port());
            assert_eq!(hostport::parse_eprt(text.as_bytes()), Ok(Ok(plain)));
        }
    }
}

/// A choice of facts is named so that it is the same choice; a name in a line ends no line.
fn facts(octets: &[u8]) {
    let chosen = FactSet::parse(octets);
    assert_eq!(FactSet::parse(chosen.list().as_bytes()), chosen);
    let mut line = Vec::new();
    name_in_line(&mut line, octets);
    assert_eq!(line.len(), octets.len());
    assert!(!line.iter().any(|b| matches!(b, b'\r' | b'\n')));
}

/// A path is absolute and normalised, or refused; a quoted one can be read back.
fn path(octets: &[u8]) {
    let mut directory = VirtualPath::root();
    for argument in octets.split(|&b| b == b'\n') {
        let Ok(joined) = directory.join(argument) else {
            continue;
        };
        let bytes = joined.as_bytes();
        assert!(bytes.starts_with(b"/") && bytes.len() <= LONGEST_PATH);
        assert!(!bytes.contains(&0));
        if !joined.is_root() {
            for name in bytes[1..].split(|&b| b == b'/') {
                assert!(!matches!(name, b"" | b"." | b".."), "{joined}");
            }
            assert!(joined.parent().as_bytes().len() < bytes.len());
        }
        assert_eq!(VirtualPath::new(bytes).as_ref(), Ok(&joined));
        let quoted = quote(bytes);
        let inside = quoted[1..quoted.len() - 1].to_vec();
        let mut unquoted = Vec::new();
        let mut octets = inside.into_iter();
        while let Some(octet) = octets.next() {
            if octet == b'"' {
                assert_eq!(octets.next(), Some(b'"'));
            }
            unquoted.push(octet);
        }
        assert_eq!(unquoted, bytes);
        directory = joined;
    }
}

/// Whatever text a reply holds, a strict reader of another making sees exactly one.
fn reply(octets: &[u8]) {
    // The reader is stricter than names are: other control characters and lines without end are not its own.
    let strict = |c: char| c.is_ascii_control() && !matches!(c, '\r' | '\n' | '\0');
    let text = String::from_utf8_lossy(octets).replace(strict, "_");
    let text: String = text.chars().take(2000).collect();
    let block = Reply::block(
        Code::FILE_STATUS,
        "Listing:",
        text.split('\n').map(Line::from).collect(),
        text.as_str(),
    );
    for (reply, code) in [(Reply::new(Code::OK, text.as_str()), 200), (block, 213)] {
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        match tests::Reply::take(&wire) {
            Ok(Some((read, length))) => assert_eq!((read.code, length), (code, wire.len())),
            other => panic!("{other:?}: {}", wire.escape_ascii()),
        }
    }
}

/// What a client proves, and the names in its certificate: whatever it sends, they are read or they are not.
fn certificate(octets: &[u8]) {
    if let Ok(proof) = wire::decode::<Proof>(octets) {
        assert_eq!(proof.encode(), octets);
    }
    read_names(octets);
    // Changes of a real one get further.
    static REAL: OnceLock<Vec<u8>> = OnceLock::new();
    let mut real = REAL.get_or_init(real_certificate).clone();
    for change in octets.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % real.len();
        real[at] = change[2];
    }
    read_names(&real);
}

fn read_names(certificate: &[u8]) {
    if let Some(names) = ClientNames::of(certificate) {
        let mut out = Vec::new();
        names.put(&mut out);
        assert_eq!(wire::decode(&out), Ok(names));
    }
}

fn real_certificate() -> Vec<u8> {
    let pair = self_signed("ftp.example.org").expect("a certificate can be made");
    let pem = pair.certificate.as_bytes();
    CertificateDer::from_pem_slice(pem).map_or_else(|_| vec![0x30], |der| der.to_vec())
}

/// What decodes encodes to the same octets, in each phase.
fn messages(octets: &[u8]) {
    decode_in_each_phase(octets);
    // Most octets are no message at all: so are changed ones of real messages, but less so.
    let samples = samples();
    let [choice, changes @ ..] = octets else {
        return;
    };
    let mut message = samples[usize::from(*choice) % samples.len()].clone();
    for change in changes.chunks_exact(2).take(4) {
        let at = usize::from(change[0]) % message.len();
        message[at] = change[1];
    }
    decode_in_each_phase(&message);
}

fn samples() -> Vec<Vec<u8>> {
    fn encoded(message: &impl Wire) -> Vec<u8> {
        let mut out = Vec::new();
        message.put(&mut out);
        out
    }
    let path = || VirtualPath::new(b"/some/path").unwrap_or_else(|_| VirtualPath::root());
    let target = SocketAddr::from(([127, 0, 0, 1], 50_000));
    vec![
        encoded(&LoginRequest::Authenticate {
            user: UserName::new(b"name").unwrap_or_default(),
            secret: Secret::new(b"password"),
        }),
        encoded(&LoginRequest::Present {
            part: Octets::new(b"proof").unwrap_or_default(),
            more: true,
        }),
        encoded(&FileRequest::Open { path: path() }),
        encoded(&FileRequest::Create {
            path: path(),
            at: UploadAt::Offset { offset: 5 },
            continuable: true,
            declared: Some(7),
        }),
        encoded(&FileRequest::Rename {
            from: path(),
            to: path(),
        }),
        encoded(&FileRequest::Facts {
            path: path(),
            wanted: FactSet::ALL,
        }),
        encoded(&FileRequest::ActiveConnect { target }),
        encoded(&LoginAnswer::Refused { last: true }),
        encoded(&FileAnswer::Listening { address: target }),
        encoded(&FileAnswer::Failed {
            why: Failure::NoSpace,
        }),
    ]
}

/// Whether octets are a message, which then encodes to the same octets.
fn there_and_back<T: Wire>(octets: &[u8]) -> bool {
    let Ok(message) = wire::decode::<T>(octets) else {
        return false;
    };
    let mut out = Vec::new();
    message.put(&mut out);
    assert_eq!(out, octets);
    true
}

/// Row 10 of the attacks: what comes on an inner channel, the only way to talk to a privileged process, is decoded totally.
fn decode_in_each_phase(octets: &[u8]) {
    let login = there_and_back::<LoginRequest>(octets);
    let file = there_and_back::<FileRequest>(octets);
    assert!(!(login && file), "a request of both phases");
    there_and_back::<LoginAnswer>(octets);
    there_and_back::<FileAnswer>(octets);
}

/// TYPE A does not depend on the pieces that the data comes in.
fn text(octets: &[u8]) {
    fn run(mut stage: impl Stage, octets: &[u8], piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        octets
            .chunks(piece)
            .for_each(|part| stage.push(part, &mut out).expect("any octets are text"));
        stage.finish(&mut out).expect("text may end anywhere");
        out
    }
    let wire = run(ascii::ToWire::default(), octets, octets.len().max(1));
    assert_eq!(wire, run(ascii::ToWire::default(), octets, 1));
    let file = run(ascii::FromWire::default(), octets, octets.len().max(1));
    assert_eq!(file, run(ascii::FromWire::default(), octets, 1));
    if !octets.contains(&b'\r') {
        assert_eq!(run(ascii::FromWire::default(), &wire, 5), octets);
    }
}

/// Entries with their content, and whether they became whole.
type Entries = Vec<(tar::Found, Vec<u8>, bool)>;

/// What is told of an archive when it arrives in pieces of this size, its contents put together again.
fn entries(octets: &[u8], piece: usize) -> (Entries, Option<tar::Malformed>) {
    let mut reader = tar::Reader::default();
    let mut found = Entries::new();
    for mut input in octets.chunks(piece) {
        loop {
            match reader.next(&mut input) {
                Ok(Some(Event::Entry(entry))) => found.push((entry, Vec::new(), false)),
                Ok(Some(Event::Data(data))) => {
                    let last = found.last_mut();
                    last.unwrap_or_else(|| unreachable!("content without an entry"))
                        .1
                        .extend_from_slice(data);
                }
                Ok(Some(Event::Whole)) => {
                    let last = found.last_mut();
                    last.unwrap_or_else(|| unreachable!("an end without an entry"))
                        .2 = true;
                }
                Ok(None) => break,
                Err(malformed) => return (found, Some(malformed)),
            }
        }
        assert!(input.is_empty());
    }
    (found, reader.finish().err())
}

/// An archive does not depend on how the network cuts it, and an entry that is whole has the size that it said.
fn archive(octets: &[u8]) {
    for archive in [octets.to_vec(), plausible(octets)] {
        let whole = entries(&archive, archive.len().max(1));
        assert_eq!(whole, entries(&archive, 511));
        for (found, content, is_whole) in &whole.0 {
            assert!(!found.path.is_empty() && found.mode <= 0o777);
            assert!(found.size == 0 || found.sort == Sort::File);
            assert_eq!(*is_whole, content.len() as u64 == found.size);
        }
        let unfinished = whole.0.iter().filter(|(_, _, is_whole)| !is_whole);
        assert!(unfinished.count() <= usize::from(whole.1.is_some()));
    }
}

/// Blocks with right checksums made of these octets, which chance alone would never find.
fn plausible(octets: &[u8]) -> Vec<u8> {
    const KINDS: &[u8] = b"0005xxLKg12\0";
    let mut out = Vec::new();
    for piece in octets.chunks(400) {
        let mut block = [0u8; tar::BLOCK];
        let [kind, form, rest @ ..] = piece else {
            break;
        };
        let (name, content) = rest.split_at(rest.len().min(100 * usize::from(form & 1)));
        block[..name.len()].copy_from_slice(name);
        // A record whose length is right for most, where the form says so.
        let content = match form & 2 {
            0 => content.to_vec(),
            _ => {
                // Three digits, a blank, the key with its sign, and the end.
                let mut record = format!("{} path=", content.len() + 10).into_bytes();
                record.extend_from_slice(content);
                record.push(b'\n');
                record
            }
        };
        block[156] = KINDS[usize::from(*kind) % KINDS.len()];
        block[124..136].copy_from_slice(format!("{:011o} ", content.len()).as_bytes());
        if form & 4 == 0 {
            block[257..265].copy_from_slice(b"ustar\x0000");
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&octet| u32::from(octet)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&block);
        out.extend_from_slice(&content);
        out.resize(out.len() + tar::padding(content.len() as u64), 0);
    }
    out.extend_from_slice(&tar::END);
    out
}

/// What asks for a digest names a file, and octets that can be there.
fn parts(octets: &[u8]) {
    let named = |path: &PathArg| assert!(!path.0.is_empty());
    for verb in [
        "XCRC ",
        "XSHA256 \"",
        "RANG ",
        "MMD5 ",
        "MMD5 \"",
        "HASH ",
        "OPTS HASH ",
    ] {
        let line = [verb.as_bytes(), octets].concat();
        let Ok(found) = verbs::verb(&line) else {
            continue;
        };
        match verbs::parse(found, &line) {
            Ok(Command::XDigest(_, part)) => {
                named(&part.path);
                assert!(part.span.is_none_or(|span| span.start <= span.end));
                // What may be a part of the name is there to be found as one.
                let whole = part.whole.map_or(Vec::new(), |whole| whole.0);
                assert!(whole.is_empty() || whole.starts_with(&part.path.0) && part.span.is_some());
            }
            Ok(Command::Rang(range)) => assert!(range.is_none_or(|range| range.start < range.end)),
            Ok(Command::Mmd5(paths)) => {
                assert!(!paths.is_empty());
                paths.iter().for_each(named);
            }
            _ => {}
        }
    }
}

/// A stream of MODE Z, however it is cut and whatever changed in it, is what was sent or a fault; it never swells a buffer.
fn stream(octets: &[u8]) {
    fn run(stage: &mut dyn Stage, octets: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        for part in octets.chunks(piece.min(stage.appetite())) {
            let before = out.len();
            stage.push(part, &mut out)?;
            assert!(out.len() - before <= 1100 * part.len() + 64 * 1024);
        }
        stage.finish(&mut out).map(|()| out)
    }
    let inflated = |stream: &[u8], piece| run(&mut Inflate::new(0), stream, piece);
    let level = Level::new(octets.first().map_or(0, |octet| octet % 10)).unwrap_or_default();
    let whole = run(&mut Deflate::new(level), octets, 64 << 10).expect("anything can be deflated");
    assert_eq!(inflated(&whole, 5).as_deref(), Ok(octets));
    // Octets of the input say what becomes of the stream, and the input is one itself behind a header.
    let mut damaged = whole.clone();
    for pair in octets.chunks(2).take(3) {
        let place = usize::from(pair[0]) * 251 % damaged.len();
        damaged[place] ^= pair.last().copied().unwrap_or(1);
    }
    for stream in [damaged, [&[0x78, 0x9c], octets].concat(), octets.to_vec()] {
        let result = inflated(&stream, 4096);
        assert_eq!(result.is_ok(), inflated(&stream, 1).is_ok());
        if result.is_ok() {
            assert_eq!(result, inflated(&stream, 7));
        }
    }
}

/// A line of the user file is a record that is written as it was read, or an error.
fn record(octets: &[u8]) {
    for line in octets.split(|&b| b == b'\n') {
        if let Ok(record) = Record::parse(line) {
            let again = Record::parse(&record.encode());
            assert_eq!(
                again.map(|again| again.encode()).ok(),
                Some(record.encode())
            );
        }
    }
}

/// A text is a template or told wrong at a place in it; whatever a client chose comes out of it whole and once. A line is a
/// directive or told wrong.
fn hook_texts(octets: &[u8]) {
    let (text, name) = octets.split_at(octets.len() / 2);
    let text = String::from_utf8_lossy(text);
    let event = event(name);
    match Template::parse(&text) {
        Ok(template) => assert!(!template.expand(&event, &|_| None).contains(&0)),
        Err(error) => assert!(text.get(error.at..).is_some() && !error.message.is_empty()),
    }
    if let (Ok(template), Some(path)) = (Template::parse("<%F>"), &event.act.path) {
        let argument = template.expand(&event, &|_| None);
        assert_eq!(argument, [b"<", path.as_bytes(), b">"].concat());
    }
    assert!(!event.to_json().contains(char::is_control));
    let mut directives = Directives::default();
    for line in text.lines() {
        if let Some((key, value)) = line.split_once('=')
            && let Some(directive) = Directive::find(key)
        {
            let _ = directives.push(directive, value, &Origin::Default);
        }
    }
    let _ = directives.finish();
}

/// An upload to a path.
fn event(path: &[u8]) -> hooks::Event {
    hooks::Event {
        id: Id::from_bytes([7; 16]),
        time: Time::UNIX_EPOCH,
        kind: Kind::Upload,
        session: None,
        act: Act {
            path: Path::new(path).ok(),
            ..Act::default()
        },
    }
}
