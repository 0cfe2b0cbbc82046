//! What a line of the client asks for, once its verb and its argument are understood. Pure: no I/O.

use super::Verb;
use crate::auth::Secret;
use crate::digest::Algorithm;
use crate::proto::args::{
    Confirm, DataLevel, ListArg, NewFacts, NewLink, NewTimes, PartArg, PathArg, Span, Utf8,
};
use crate::proto::destination::Destination;
use crate::proto::facts::{FactSet, Permissions};
use crate::proto::hostport::{self, Family};
use crate::proto::representation::{Level, Mode, Structure, Type};

/// A command with its arguments parsed.
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub enum Command {
    Abor,
    Acct,
    Allo(Option<u64>),
    Appe(PathArg),
    /// With the level of data that the mechanism implies.
    Auth(DataLevel),
    Avbl(PathArg),
    Ccc,
    Cdup,
    /// The client's own name for itself.
    Clnt(String),
    Csid(String),
    Cwd(PathArg),
    Dele(PathArg),
    Dsiz(PathArg),
    Eprt(Result<std::net::SocketAddr, hostport::UnknownProtocol>),
    Epsv(EpsvArg),
    Feat,
    /// The digest that OPTS HASH chose.
    Hash(PathArg),
    Help(Option<String>),
    Host(String),
    /// The language that is asked for; none asks for the default.
    Lang(Option<String>),
    List(ListArg),
    Lprt(Result<std::net::SocketAddr, hostport::UnknownProtocol>),
    Lpsv,
    Md5(PathArg),
    Mdtm(PathArg),
    /// The form that sets the time, unless there is a file that the argument as a whole names.
    MdtmSet {
        time: i64,
        path: PathArg,
        whole: PathArg,
    },
    Mff(NewFacts, PathArg),
    Mfmt(i64, PathArg),
    Mkd(PathArg),
    Mlsd(PathArg),
    Mlst(PathArg),
    Mmd5(Vec<PathArg>),
    Mode(Mode),
    Nlst(ListArg),
    Noop,
    OptsMlst(FactSet),
    /// The digest of HASH; none asks which it is.
    OptsHash(Option<Algorithm>),
    OptsTconf(Confirm),
    /// MODE Z's level; none asks for it.
    OptsMode(Option<Level>),
    OptsUtf8(Utf8),
    Pass(Secret),
    Pasv,
    Pbsz(u32),
    Port(std::net::SocketAddrV4),
    /// The command that will be next.
    Pret(Verb),
    /// None for a level that TLS does not have.
    Prot(Option<DataLevel>),
    Pwd,
    Quit,
    /// Which octets the next transfer is about; none for all.
    Rang(Option<Span>),
    Rein,
    Rest(u64),
    Retr(PathArg),
    Rmd(PathArg),
    Rmda(PathArg),
    Rnfr(PathArg),
    Rnto(PathArg),
    SiteChmod(Permissions, PathArg),
    SiteIdle(Option<u64>),
    SiteSymlink(NewLink),
    SiteTime(Option<String>),
    SiteUmask(Option<Permissions>),
    SiteUtime(NewTimes),
    SiteCpfr(PathArg),
    SiteCpto(PathArg),
    SiteMkdir(PathArg),
    SiteWho,
    SiteProxy(Destination),
    SitePswd {
        old: Secret,
        new: Secret,
    },
    SiteZone,
    Size(PathArg),
    Stat(Option<ListArg>),
    Stor(PathArg),
    Stou,
    Stru(Structure),
    Syst,
    Type(Type),
    User(Vec<u8>),
    /// XCRC, XMD5 and their like.
    XDigest(Algorithm, PartArg),
}

/// The argument of EPSV (RFC 2428 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsvArg {
    /// None: the family of the control connection.
    Default,
    Family(Family),
    /// `ALL`: from now on only EPSV sets up data connections.
    All,
}
