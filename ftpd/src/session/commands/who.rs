//! SITE WHO: the sessions of this server, as its listener knows them.

use common::proto::reply::{Code, Line, Reply};

use crate::session::{Stop, User, gather, outcome};

pub(in crate::session) fn who(user: &mut User) -> Result<Reply, Stop> {
    let pipe = user.files.who()?.map_err(outcome::file)?;
    let mut sessions = gather::lines(&pipe, user.names);
    let head = format!(
        "{:>9}  {:<20}  {:<39}  {:>9}",
        "session", "user", "address", "connected"
    );
    sessions.lines.insert(0, Line::from(head));
    let last = if sessions.whole {
        "End"
    } else {
        "There are more."
    };
    Ok(Reply::block(Code::OK, "Sessions:", sessions.lines, last))
}
