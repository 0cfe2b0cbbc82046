//! What the log is told of transfers.

use common::log::Fact;
use common::proto::representation::{Mode, Structure, Type};
use common::pump::End;
use common::rate::Direction;

use super::transfer::Ended;
use super::{Link, User};

/// Tells of a transfer that has ended. `name` is the path as the client gave it, in octets of the disk.
pub(crate) fn transfer(link: &Link, user: &User, direction: Direction, name: &[u8], ended: &Ended) {
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
    let end = format!("{:?}", ended.outcome.end);
    let client = link.ends.client().to_string();
    let text = || {
        format!(
            "{what}{archive} of {}: {} octets, {end}",
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
        End::Complete => b"c",
        End::Interrupted(_)
        | End::DataLost(_)
        | End::Insecure(_)
        | End::StoreFailed(_)
        | End::SourceLost(_)
        | End::Spoiled(_)
        | End::Stalled => b"i",
    };
    let milliseconds = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    link.log.transferred(
        text,
        &[
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
        ],
    );
}
