//! What becomes of each verb of the command table in a gateway. Pure: no I/O.

use crate::proto::verbs::Verb;
use crate::rate::Direction;

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It goes to the server, and the server's reply to the client.
    Pass,
    /// The same, with a data connection on either side.
    Transfer(Direction),
    /// It agrees upon data connections, on each side for itself.
    Data,
    /// The gateway's own.
    Here,
    /// It is about TLS between client and gateway.
    Security,
    /// It is not offered, and this is why.
    Refuse(&'static str),
}

/// The way of a verb; `None` for one that nobody has thought about here.
pub(super) fn course(verb: Verb) -> Option<Course> {
    if verb.is_site() {
        return Some(Course::Pass);
    }
    Some(match verb.spec().verb {
        "RETR" | "LIST" | "NLST" | "MLSD" => Course::Transfer(Direction::Download),
        "STOR" | "STOU" | "APPE" => Course::Transfer(Direction::Upload),
        "PASV" | "EPSV" | "LPSV" | "PORT" | "EPRT" | "LPRT" => Course::Data,
        "USER" | "PASS" | "ACCT" | "QUIT" | "FEAT" | "ABOR" | "NOOP" => Course::Here,
        "ALLO" | "AVBL" | "CDUP" | "CLNT" | "CSID" | "CWD" | "DELE" | "DSIZ" | "HASH" | "HELP"
        | "LANG" | "MD5" | "MDTM" | "MFCT" | "MFF" | "MFMT" | "MKD" | "MLST" | "MMD5" | "MODE"
        | "OPTS" | "PRET" | "PWD" | "RANG" | "REST" | "RMD" | "RMDA" | "RNFR" | "RNTO" | "SIZE"
        | "STAT" | "STRU" | "SYST" | "TYPE" | "XCRC" | "XMD5" | "XSHA1" | "XSHA256" | "XSHA512" => {
            Course::Pass
        }
        "AUTH" | "PBSZ" | "PROT" | "CCC" => Course::Security,
        "HOST" => Course::Refuse("Say where to go as USER name@host."),
        "REIN" => Course::Refuse("Please begin anew on another connection."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_table_has_its_way() {
        for verb in Verb::all() {
            assert!(course(verb).is_some(), "{}", verb.spec().verb);
        }
    }
}
