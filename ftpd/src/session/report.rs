//! What the log is told of transfers.

use common::log::Fact;
use common::proto::reply::Code;
use common::proto::representation::{Mode, Structure, Type};
use common::pump::{End, Interrupt};
use common::rate::Direction;
use common::stage::Fault;

use super::transfer::Ended;
use super::{Link, User};

/// Tells of a transfer that has ended. `name` is the path as the client gave it, in octets of the disk.
/// `offset` is the octet of the file that it began with, if that is known: else its digest means nothing to who reads the log.
/// `answered` is what its client hears, if anything: an upload that came whole and was not kept is not complete.
pub(crate) fn transfer(
    link: &Link,
    user: &User,
    direction: Direction,
    (name, offset): (&[u8], Option<u64>),
    ended: &Ended,
    answered: Option<Code>,
) {
    if !link.log.tells_of_transfers() {
        return;
    }
    let representation = user.representation;
    let archive = match representation.structure {
        Structure::Archive => " of an archive",
        Structure::File => "",
    };
    let (what, letter) = match direction {
        Direction::Download => ("download", b"o"),
        Direction::Upload => ("upload", b"i"),
    };
    let done = answered.is_some_and(Code::is_completion);
    let end = match (ended.outcome.end, answered) {
        (End::Complete, Some(code)) if !done => format!("complete, answered {}", code.number()),
        (End::Complete, None) => "complete, not answered".to_owned(),
        (end, _) => said(end, direction),
    };
    let client = link.ends.client().to_string();
    let text = || {
        // Who comes first: names of files could tell of others.
        format!(
            "session {}, '{}' from {client}: {what}{archive} of {}: {} octets, {end}",
            link.log.session().unwrap_or_default(),
            user.name.escape_ascii(),
            name.escape_ascii(),
            ended.outcome.moved,
        )
    };
    let path = user.directory.join(name);
    let path = path.as_ref().map_or(name, |path| path.as_bytes());
    let kind: &[u8] = match representation.kind {
        Type::Ascii => b"a",
        Type::Image => b"b",
    };
    let special: &[u8] = match (representation.structure, representation.mode) {
        (Structure::Archive, _) => b"T",
        (Structure::File, Mode::Deflate) => b"C",
        (Structure::File, Mode::Stream) => b"_",
    };
    let completion: &[u8] = match ended.outcome.end {
        End::Complete if done => b"c",
        _ => b"i",
    };
    let milliseconds = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    let digest = ended.confirmation.as_ref().filter(|_| offset.is_some());
    let digest = digest.map(ToString::to_string);
    let digest = digest.as_ref().map(|digest| Fact::Text(digest.as_bytes()));
    let offset = offset.filter(|&offset| offset > 0).map(Fact::Number);
    let more = [("offset", offset), ("digest", digest)];
    let more = more
        .into_iter()
        .filter_map(|(name, fact)| Some((name, fact?)));
    let facts = [
        ("event", Fact::Text(b"transfer")),
        ("user", Fact::Text(&user.name)),
        ("client", Fact::Text(client.as_bytes())),
        ("direction", Fact::Text(letter)),
        ("path", Fact::Text(path)),
        ("octets", Fact::Number(ended.outcome.moved)),
        ("milliseconds", Fact::Number(milliseconds)),
        ("type", Fact::Text(kind)),
        ("special", Fact::Text(special)),
        ("completion", Fact::Text(completion)),
        ("end", Fact::Text(end.as_bytes())),
    ];
    let facts: Vec<_> = facts.into_iter().chain(more).collect();
    link.log.transferred(text, &facts);
}

/// How a transfer ended, for whoever reads the log.
fn said(end: End, direction: Direction) -> String {
    match end {
        End::Complete => "complete".to_owned(),
        End::Interrupted(Interrupt::Abort) => "aborted by the client".to_owned(),
        End::Interrupted(Interrupt::ControlLost) => "the control connection broke".to_owned(),
        End::Interrupted(Interrupt::KeeperGone) => "the session was ended".to_owned(),
        End::Interrupted(Interrupt::ServerGone) => "the server is gone".to_owned(),
        End::DataLost(errno) | End::SourceLost(errno) => {
            format!("the data connection broke: {}", errno.desc())
        }
        End::Insecure(fault) => format!("the TLS of the data connection broke: {fault}"),
        End::StoreFailed(errno) => {
            let done = match direction {
                Direction::Download => "read",
                Direction::Upload => "written",
            };
            format!("the file could not be {done}: {}", errno.desc())
        }
        End::Spoiled(Fault::Corrupt) => "the data is damaged".to_owned(),
        End::Spoiled(Fault::Truncated) => "the data ends too early".to_owned(),
        End::Spoiled(Fault::Trailing) => "there is more behind the end of the data".to_owned(),
        End::Spoiled(Fault::Swollen) => "the data becomes far more than was sent".to_owned(),
        End::Stalled => "stalled".to_owned(),
    }
}
