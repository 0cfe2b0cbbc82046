//! AUTH, PBSZ, PROT, CCC (RFC 2228, RFC 4217).

use common::proto::args::{DataLevel, Utf8};
use common::proto::reply::{Code, Reply};
use common::settings::ClearCommands;

use crate::session::security::Turn;
use crate::session::{End, Session, Stage, Stop};

/// AUTH, for which the whole session begins anew: what was said in the clear may have been said by anybody.
pub(in crate::session) fn auth(session: &mut Session, data: DataLevel) -> Result<Reply, Stop> {
    let Stage::Visitor(visitor) = &mut session.stage else {
        return Ok(Reply::new(
            Code::BAD_SEQUENCE,
            "AUTH comes before the login.",
        ));
    };
    if session.link.control.is_secure() {
        return Ok(Reply::new(Code::BAD_SEQUENCE, "TLS is in use already."));
    }
    if session.link.control.has_unread() {
        // SECURITY: somebody on the way may have put it there, to be taken for the client's under TLS (CVE-2011-1575).
        session
            .link
            .log
            .line("commands in the clear behind AUTH: not carried out");
        return Err(End::Injected.into());
    }
    visitor.user = None;
    visitor.utf8 = Utf8::default();
    let Some(handshakes) = session.terms.handshakes(visitor)? else {
        return Ok(Reply::new(
            Code::NO_SECURITY_RESOURCE,
            "There is no TLS now; try later.",
        ));
    };
    session.turn = Some(Turn::Secure(handshakes, data));
    Ok(Reply::new(Code::SECURITY_ACCEPTED, "Begin TLS."))
}

/// PBSZ: TLS cuts data into pieces itself, so that the answer is always 0 (RFC 4217 §9).
pub(in crate::session) fn pbsz(session: &mut Session) -> Reply {
    match &mut session.link.security {
        Some(security) => {
            security.size_agreed = true;
            Reply::new(Code::OK, "PBSZ=0")
        }
        None => Reply::new(Code::BAD_SEQUENCE, "Say AUTH TLS first."),
    }
}

/// PROT: how data connections are protected from now on.
pub(in crate::session) fn prot(session: &mut Session, level: Option<DataLevel>) -> Reply {
    let required = match &session.stage {
        Stage::User(user) => user.account.protection.required.for_data(),
        Stage::Visitor(_) | Stage::Changing => false,
    };
    match (&mut session.link.security, level) {
        (None, _) => Reply::new(Code::BAD_SEQUENCE, "Say AUTH TLS first."),
        // SECURITY: after CCC whoever is on the way could have said it.
        (Some(_), _) if !session.link.control.is_secure() => {
            Reply::new(Code::POLICY_REFUSED, "In the clear nothing is agreed upon.")
        }
        (Some(security), _) if !security.size_agreed => {
            Reply::new(Code::BAD_SEQUENCE, "Say PBSZ 0 first.")
        }
        (Some(_), None) => Reply::new(
            Code::LEVEL_NOT_SUPPORTED,
            "TLS has the levels C and P only.",
        ),
        (Some(_), Some(DataLevel::Clear)) if required => {
            Reply::new(Code::POLICY_REFUSED, "Data must be under TLS here.")
        }
        (Some(security), Some(level)) => {
            security.data = level;
            Reply::new(
                Code::OK,
                match level {
                    DataLevel::Clear => "Data is in the clear.",
                    DataLevel::Private => "Data is under TLS.",
                },
            )
        }
    }
}

/// CCC: from here on whoever is on the way can read the commands and change them, so that no password and no level of data may
/// be among them.
pub(in crate::session) fn ccc(session: &mut Session) -> Reply {
    let refuse = |text| Reply::new(Code::CLEAR_COMMANDS_REFUSED, text);
    if !session.link.control.is_secure() {
        return Reply::new(Code::BAD_SEQUENCE, "There is no TLS to leave.");
    }
    let permits = match &session.stage {
        Stage::User(user) => user.account.protection.clear_commands == ClearCommands::Permit,
        Stage::Visitor(_) | Stage::Changing => false,
    };
    if !permits {
        return refuse("The control connection stays under TLS.");
    }
    if session.is_implicit() {
        return refuse("Nothing is in the clear on this port.");
    }
    if session.link.control.has_unread() {
        // What is behind it was said under TLS, and would be lost.
        return refuse("Nothing may follow CCC before its reply.");
    }
    session.turn = Some(Turn::ClearCommands);
    Reply::new(Code::OK, "Commands are in the clear now.")
}
