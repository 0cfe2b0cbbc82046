//! TYPE, MODE, OPTS MLST and its like, REST, ALLO, and where the next data connection goes: PASV, EPSV, LPSV, PORT, EPRT,
//! LPRT, PRET.

use std::net::SocketAddr;

use common::digest::Algorithm;
use common::proto::args::{Confirm, Utf8};
use common::proto::facts::FactSet;
use common::proto::hostport::{Family, UnknownProtocol, long_text, port_text};
use common::proto::reply::{Code, Reply};
use common::proto::representation::{Level, Mode, Structure, Type};
use common::proto::verbs::{EpsvArg, Verb, VerbSet};
use common::settings::peers::FIRST_CLIENT_PORT;

use crate::session::data::{self, DataChannel, Tells};
use crate::session::files::Denied;
use crate::session::{End, Link, Session, Stage, Stop, User, outcome};

pub(in crate::session) fn representation_type(user: &mut User, kind: Type) -> Reply {
    user.representation.kind = kind;
    Reply::new(
        Code::OK,
        match kind {
            Type::Ascii => "Type is ASCII.",
            Type::Image => "Type is image.",
        },
    )
}

pub(in crate::session) fn structure(user: &mut User, structure: Structure) -> Reply {
    user.representation.structure = structure;
    Reply::new(
        Code::OK,
        match structure {
            Structure::File => "Structure is file.",
            Structure::Archive => "Structure is tar archive.",
        },
    )
}

pub(in crate::session) fn mode(user: &mut User, mode: Mode) -> Reply {
    user.representation.mode = mode;
    Reply::new(
        Code::OK,
        match mode {
            Mode::Stream => "Mode is stream.",
            Mode::Deflate => "Mode is Z: data is compressed.",
        },
    )
}

/// OPTS MODE Z: how hard what is sent is compressed. What arrives may be of any level.
pub(in crate::session) fn level(user: &mut User, level: Option<Level>) -> Reply {
    let level = level.unwrap_or(user.representation.level);
    user.representation.level = level;
    Reply::new(Code::OK, format!("MODE Z LEVEL is {}.", level.number()))
}

/// OPTS TCONF: which digest the end of a transfer tells. Being asked changes nothing.
pub(in crate::session) fn confirmation(user: &mut User, confirmation: Confirm) -> Reply {
    if let Confirm::Set(algorithm) = confirmation {
        user.account.confirm = algorithm;
    }
    let name = user.account.confirm.map(Algorithm::label);
    Reply::new(Code::OK, name.unwrap_or_else(|| "NONE".to_owned()))
}

/// OPTS UTF8, which clients send before the login too.
pub(in crate::session) fn utf8(session: &mut Session, utf8: Utf8) -> Result<Reply, Stop> {
    let charset = match &mut session.stage {
        Stage::Visitor(visitor) => {
            visitor.utf8 = utf8;
            None
        }
        Stage::User(user) => {
            user.names.set_utf8(utf8);
            Some(user.names.charset())
        }
        Stage::Changing => return Err(End::bug("a session between two stages").into()),
    };
    // Some clients take anything but 200 for the end of the world.
    Ok(match charset {
        Some(charset) => Reply::new(Code::OK, format!("Names are {}.", charset.name())),
        None => Reply::new(Code::OK, "Noted for after the login."),
    })
}

/// OPTS MLST (RFC 3659 §7.9): which facts are shown from now on.
pub(in crate::session) fn facts(user: &mut User, facts: FactSet) -> Reply {
    user.facts = facts;
    Reply::new(
        Code::OK,
        format!("MLST OPTS {}", facts.list()).trim_end().to_owned(),
    )
}

pub(in crate::session) fn rest(user: &mut User, offset: u64) -> Reply {
    user.pending.restart = offset;
    user.pending.end = None;
    Reply::new(
        Code::PENDING,
        format!("The next transfer starts at {offset}."),
    )
}

pub(in crate::session) fn allo(user: &mut User, size: Option<u64>) -> Reply {
    user.pending.declared = size;
    Reply::new(Code::OK, "Noted.")
}

/// PASV knows IPv4 only: on IPv6 the client is told what to use (RFC 2428 §1).
pub(in crate::session) fn pasv(link: &Link, user: &mut User) -> Result<Reply, Stop> {
    only_epsv(user)?;
    if link.ends.server().is_ipv6() {
        let text = match link.tunnelled {
            true => format!("PASV is for IPv4; {}.", link.way_past_tunnel()),
            false => "PASV is for IPv4; use EPSV.".to_owned(),
        };
        return Ok(Reply::new(Code::NO_DATA_CONNECTION, text));
    }
    match data::offer(link, user, Family::V4, Tells::Address)? {
        SocketAddr::V4(address) => Ok(Reply::new(
            Code::PASSIVE,
            format!("Entering Passive Mode ({}).", port_text(address)),
        )),
        SocketAddr::V6(_) => Ok(Reply::new(
            Code::NO_DATA_CONNECTION,
            "PASV is for IPv4; use EPSV.",
        )),
    }
}

pub(in crate::session) fn epsv(
    link: &Link,
    user: &mut User,
    argument: EpsvArg,
) -> Result<Reply, Stop> {
    let own = own_family(link);
    match argument {
        EpsvArg::All => {
            user.epsv_only = true;
            return Ok(Reply::new(Code::OK, "Only EPSV from now on."));
        }
        EpsvArg::Family(family) if family != own => return Ok(protocol_not_offered(own)),
        EpsvArg::Default | EpsvArg::Family(_) => {}
    }
    let port = data::offer(link, user, own, Tells::Port)?.port();
    Ok(Reply::new(
        Code::EXTENDED_PASSIVE,
        format!("Entering Extended Passive Mode (|||{port}|)"),
    ))
}

/// The same for both families, in the form of RFC 1639 §3.3.
pub(in crate::session) fn lpsv(link: &Link, user: &mut User) -> Result<Reply, Stop> {
    only_epsv(user)?;
    let address = data::offer(link, user, own_family(link), Tells::Address)?;
    Ok(Reply::new(
        Code::LONG_PASSIVE,
        format!("Entering Long Passive Mode ({})", long_text(address)),
    ))
}

pub(in crate::session) fn lprt(
    link: &mut Link,
    user: &mut User,
    target: Result<SocketAddr, UnknownProtocol>,
) -> Result<Reply, Stop> {
    of_own_family(link, user, target, |own| {
        let number = if own == Family::V4 { 4 } else { 6 };
        let text = format!("Supported address families are ({number})");
        Reply::new(Code::FAMILY_NOT_OFFERED, text)
    })
}

/// PRET tells a server that must choose a node by the file what the next transfer will be; here it need not know, but a
/// command that will be refused is better refused now.
pub(in crate::session) fn pret(permitted: VerbSet, verb: Verb) -> Reply {
    if permitted.contains(verb) {
        Reply::new(Code::OK, "Noted.")
    } else {
        Reply::new(Code::UNAVAILABLE, "Permission denied.")
    }
}

fn own_family(link: &Link) -> Family {
    if link.ends.server().is_ipv4() {
        Family::V4
    } else {
        Family::V6
    }
}

pub(in crate::session) fn port(
    link: &mut Link,
    user: &mut User,
    target: SocketAddr,
) -> Result<Reply, Stop> {
    only_epsv(user)?;
    // Some clients that listen on all addresses say so; only one of them can be meant.
    let target = match target.ip().is_unspecified() {
        true => SocketAddr::new(link.ends.client(), target.port()),
        false => target,
    };
    // Whom a front end has named is reached past it, though its control connection comes through.
    if link.tunnelled && link.ends.passed.is_none() && target.ip() == link.ends.client() {
        let way = link.way_past_tunnel();
        return Ok(Reply::new(
            Code::BAD_ARGUMENT,
            format!("That is the end of the tunnel that you come through, not you; {way}."),
        ));
    }
    // Keeper refuses it again; here the client hears it before the transfer.
    let allowed = &user.account.active_targets;
    let Some(target) = allowed.target(link.ends.between(), target) else {
        let why = if target.port() < FIRST_CLIENT_PORT {
            "the port is privileged"
        } else {
            "it is not the client, and ActiveTargets does not name it"
        };
        link.tell_of_stranger(&format!("data connection to {target} refused: {why}"));
        return Ok(outcome::data_setup(Denied::TargetRefused));
    };
    user.data = DataChannel::Active(target);
    Ok(Reply::new(Code::OK, "Noted."))
}

pub(in crate::session) fn eprt(
    link: &mut Link,
    user: &mut User,
    target: Result<SocketAddr, UnknownProtocol>,
) -> Result<Reply, Stop> {
    of_own_family(link, user, target, protocol_not_offered)
}

/// Takes an address of the family of the control connection; `refusal` says which one that is.
fn of_own_family(
    link: &mut Link,
    user: &mut User,
    target: Result<SocketAddr, UnknownProtocol>,
    refusal: impl FnOnce(Family) -> Reply,
) -> Result<Reply, Stop> {
    let own = own_family(link);
    match target {
        Ok(target) if target.ip().is_ipv4() == (own == Family::V4) => port(link, user, target),
        Ok(_) | Err(UnknownProtocol) => Ok(refusal(own)),
    }
}

fn only_epsv(user: &User) -> Result<(), Stop> {
    if user.epsv_only {
        return Err(Reply::new(Code::BAD_SEQUENCE, "Not after EPSV ALL.").into());
    }
    Ok(())
}

fn protocol_not_offered(own: Family) -> Reply {
    let number = if own == Family::V4 { 1 } else { 2 };
    Reply::new(
        Code::PROTOCOL_NOT_OFFERED,
        format!("Network protocol not supported, use ({number})"),
    )
}
