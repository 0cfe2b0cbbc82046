//! THE command table. Parsing, login and permission checks, FEAT, HELP, the command groups, the manual's command
//! section and the completions follow from [`TABLE`] and its sub-table [`SITE`], and from nowhere else. Pure: no I/O.

mod command;
mod passwords;
mod paths;
mod set;
pub mod site;

use std::fmt;

pub use self::command::{Command, EpsvArg};
pub use self::set::VerbSet;
pub use self::site::SITE;

use super::args::{self, ArgError};
use super::hostport;
use crate::auth::Secret;
use crate::digest::Algorithm;

/// What a verb does to the session or the files; permission lists and hooks speak of these groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Gets in and out.
    Login,
    /// Tells about server, session or protocol.
    Info,
    /// Chooses how and where data travels.
    Data,
    /// Moves between and lists directories.
    Dirs,
    /// Reads file content.
    Read,
    /// Changes files or directories.
    Write,
}

impl Group {
    pub const ALL: [Group; 6] = [
        Group::Login,
        Group::Info,
        Group::Data,
        Group::Dirs,
        Group::Read,
        Group::Write,
    ];

    /// The group's name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Group::Login => "LOGIN",
            Group::Info => "INFO",
            Group::Data => "DATA",
            Group::Dirs => "DIRS",
            Group::Read => "READ",
            Group::Write => "WRITE",
        }
    }
}

/// When a verb is accepted at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    LoggedIn,
}

/// What happens to a verb that arrives while data moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidTransfer {
    /// Answered at once.
    Now,
    /// Kept until the transfer has ended (QUIT among them, RFC 959 §4.1.1).
    Later,
}

/// One row: everything that is known about a verb.
pub struct Spec {
    /// The verb in upper case; of a SITE command, both words.
    pub verb: &'static str,
    /// Other spellings (RFC 1123 §4.1.3.1 and MetaFTPd's).
    pub aliases: &'static [&'static str],
    pub group: Group,
    pub when: When,
    pub mid_transfer: MidTransfer,
    /// The argument's syntax as HELP and the manual show it.
    pub arguments: &'static str,
    /// The line in FEAT's reply (RFC 2389), if the verb has one.
    pub feat: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
    /// Whether the argument is a secret and must never be logged.
    pub secret: bool,
    /// Whether accounts without a password get it unless their own settings say so.
    pub anonymous: bool,
    /// Whether REST and ALLO still hold for the command behind this one: what sets a transfer up comes in between.
    pub between: bool,
    /// Whether it is offered only where there is TLS, and then whatever is permitted.
    pub tls: bool,
    parse: fn(&[u8]) -> Result<Command, ArgError>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)
    }
}

const fn spec(
    verb: &'static str,
    group: Group,
    when: When,
    arguments: &'static str,
    feat: Option<&'static str>,
    help: &'static str,
    parse: fn(&[u8]) -> Result<Command, ArgError>,
) -> Spec {
    Spec {
        verb,
        aliases: &[],
        group,
        when,
        mid_transfer: MidTransfer::Later,
        arguments,
        feat,
        help,
        secret: false,
        anonymous: !matches!(group, Group::Write),
        between: matches!(group, Group::Data),
        tls: false,
        parse,
    }
}

impl Spec {
    const fn also(mut self, aliases: &'static [&'static str]) -> Spec {
        self.aliases = aliases;
        self
    }
    const fn mid_transfer(mut self) -> Spec {
        self.mid_transfer = MidTransfer::Now;
        self
    }
    const fn between(mut self) -> Spec {
        self.between = true;
        self
    }
    const fn secret(mut self) -> Spec {
        self.secret = true;
        self
    }
    const fn tls(mut self) -> Spec {
        self.tls = true;
        self.between()
    }
    const fn not_anonymous(mut self) -> Spec {
        self.anonymous = false;
        self
    }
}

use Group::{Data, Dirs, Info, Login, Read, Write};
use When::{Always, LoggedIn};

/// All verbs, in alphabetical order.
#[rustfmt::skip]
pub const TABLE: &[Spec] = &[
    //   verb    group  when      arguments                 FEAT               help                                     parser
    spec("ABOR", Data,  LoggedIn, "",                       None,              "Abort the transfer",                    |a| args::none(a, Command::Abor)).mid_transfer(),
    spec("ACCT", Login, Always,   "<name>",                 None,              "Give an account: none is needed",       |_| Ok(Command::Acct)).secret(),
    spec("ALLO", Write, LoggedIn, "<octets>",               None,              "Announce the size of an upload",        |a| Ok(Command::Allo(args::allo(a)?))).between(),
    spec("APPE", Write, LoggedIn, "<path>",                 None,              "Append to a file",                      |a| Ok(Command::Appe(args::path(a)?))),
    spec("AUTH", Login, Always,   "TLS",                    Some("AUTH TLS"),  "Protect the control connection by TLS", |a| Ok(Command::Auth(args::security::mechanism(a)?))).tls(),
    spec("AVBL", Info,  LoggedIn, "[<path>]",               Some("AVBL"),      "Space for uploads, in octets",          |a| Ok(Command::Avbl(args::optional_path(a)))),
    spec("CCC",  Login, Always,   "",                       None,              "Leave TLS on the control connection", |a| args::none(a, Command::Ccc)).tls(),
    spec("CDUP", Dirs,  LoggedIn, "",                       None,              "Change to the parent directory",        |a| args::none(a, Command::Cdup)).also(&["XCUP"]),
    spec("CLNT", Info,  Always,   "<name>",                 Some("CLNT"),      "Tell the client's name",                |a| Ok(Command::Clnt(args::text(a)?))),
    spec("CSID", Info,  Always,   "<fact>=<value>;…",       Some("CSID"),      "Tell the client's name, hear the server's", |a| Ok(Command::Csid(args::text(a)?))),
    spec("CWD",  Dirs,  LoggedIn, "<path>",                 None,              "Change the working directory",          |a| Ok(Command::Cwd(args::path(a)?))).also(&["XCWD"]),
    spec("DELE", Write, LoggedIn, "<path>",                 None,              "Delete a file",                         |a| Ok(Command::Dele(args::path(a)?))).also(&["XDEL"]),
    spec("DSIZ", Info,  LoggedIn, "[<path>]",               Some("DSIZ"),      "Octets of all files in a directory",    |a| Ok(Command::Dsiz(args::optional_path(a)))),
    spec("EPRT", Data,  LoggedIn, "|<1|2>|<addr>|<port>|",  Some("EPRT"),      "Connect data to this address",          |a| Ok(Command::Eprt(hostport::parse_eprt(a)?))),
    spec("EPSV", Data,  LoggedIn, "[1|2|ALL]",              Some("EPSV"),      "Wait for a data connection",            |a| Ok(Command::Epsv(args::epsv(a)?))),
    spec("FEAT", Info,  Always,   "",                       None,              "List the extensions",                   |a| args::none(a, Command::Feat)),
    spec("HASH", Read,  LoggedIn, "<path>",                 Some(super::digests::FEAT), "Digest of a file, as OPTS HASH says",   |a| Ok(Command::Hash(args::path(a)?))),
    spec("HELP", Info,  Always,   "[<verb>]",               None,              "List the verbs or explain one",         |a| Ok(Command::Help(args::optional_word(a)?))),
    spec("HOST", Login, Always,   "<name>",                 Some("HOST"),      "Say which server is meant",             |a| Ok(Command::Host(args::host(a)?))),
    spec("LANG", Info,  Always,   "[<tag>]",                Some("LANG EN*"),  "Choose the language of replies",        |a| Ok(Command::Lang(args::language(a)?))),
    spec("LIST", Dirs,  LoggedIn, "[-aldRtSr] [<path>]",    None,              "List a directory for people",           |a| Ok(Command::List(args::list(a)?))),
    spec("LPRT", Data,  LoggedIn, "<family,length,host…,2,p1,p2>", Some("LPRT"), "Connect data to this address",        |a| Ok(Command::Lprt(hostport::parse_lprt(a)?))),
    spec("LPSV", Data,  LoggedIn, "",                       Some("LPSV"),      "Wait for a data connection",            |a| args::none(a, Command::Lpsv)),
    spec("MD5", Read,  LoggedIn, "<path>",                 Some("MD5"),       "MD5 of a file",                         |a| Ok(Command::Md5(args::path(a)?))),
    spec("MDTM", Info,  LoggedIn, "[<time>] <path>",        Some("MDTM"),      "Time of last change, in UTC; or set it", args::metadata::mdtm).between(),
    spec("MFCT", Write, LoggedIn, "<time> <path>",          None,              "Set the time of creation: no file system here can", args::metadata::mfct),
    spec("MFF",  Write, LoggedIn, "modify=<time>;UNIX.mode=<octal>; <path>", Some("MFF modify;UNIX.mode;"), "Set facts", args::metadata::mff),
    spec("MFMT", Write, LoggedIn, "<time> <path>",          Some("MFMT"),      "Set the time of last change, in UTC",   |a| args::metadata::time_and_path(a).map(|(time, path)| Command::Mfmt(time, path))),
    spec("MKD",  Write, LoggedIn, "<path>",                 None,              "Make a directory",                      |a| Ok(Command::Mkd(args::path(a)?))).also(&["XMKD"]),
    spec("MLSD", Dirs,  LoggedIn, "[<path>]",               None,              "List a directory for programs",         |a| Ok(Command::Mlsd(args::optional_path(a)))),
    spec("MLST", Info,  LoggedIn, "[<path>]",               Some(super::facts::FEAT), "Facts of one file",              |a| Ok(Command::Mlst(args::optional_path(a)))),
    spec("MMD5", Read,  LoggedIn, "<path>, <path>…",        Some("MMD5"),      "MD5 of several files",                  |a| Ok(Command::Mmd5(args::digest::names(a)?))),
    spec("MODE", Data,  LoggedIn, "<S|Z>",                  Some("MODE Z"),    "Transfer mode: stream, or compressed",  args::mode),
    spec("NLST", Dirs,  LoggedIn, "[-aldRtSr] [<path>]",    None,              "List names only",                       |a| Ok(Command::Nlst(args::list(a)?))),
    spec("NOOP", Info,  Always,   "",                       None,              "Do nothing",                            |_| Ok(Command::Noop)).mid_transfer().between(),
    spec("OPTS", Info,  Always,   "UTF8 [ON|OFF]|MLST [<fact>;…]|MODE Z [LEVEL <0-9>]|TCONF [<hash>|NONE]", Some("UTF8"),      "Set an option",                         args::opts),
    spec("PASS", Login, Always,   "<password>",             None,              "Give the password",                     |a| Ok(Command::Pass(Secret::new(a)))).secret(),
    spec("PASV", Data,  LoggedIn, "",                       Some("PASV"),      "Wait for a data connection (IPv4)",     |a| args::none(a, Command::Pasv)).also(&["P@SW"]),
    spec("PBSZ", Login, Always,   "0",                      Some("PBSZ"),      "Size of protected pieces: TLS knows",   |a| Ok(Command::Pbsz(args::security::buffer_size(a)?))).tls(),
    spec("PORT", Data,  LoggedIn, "<h1,h2,h3,h4,p1,p2>",    None,              "Connect data to this address (IPv4)",   |a| Ok(Command::Port(hostport::parse_port(a)?))),
    spec("PRET", Data,  LoggedIn, "<command>",              Some("PRET"),      "Tell what the next transfer will be",   args::announced),
    spec("PROT", Login, Always,   "<C|P>",                  Some("PROT"),      "Data in the clear, or under TLS",       |a| Ok(Command::Prot(args::security::level(a)?))).tls(),
    spec("PWD",  Dirs,  LoggedIn, "",                       None,              "Tell the working directory",            |a| args::none(a, Command::Pwd)).also(&["XPWD"]),
    spec("QUIT", Login, Always,   "",                       None,              "Say goodbye",                           |_| Ok(Command::Quit)),
    spec("RANG", Data,  LoggedIn, "<first> <last>",         Some("RANG STREAM"), "Octets of the next RETR or HASH",       |a| Ok(Command::Rang(args::digest::range(a)?))),
    spec("REIN", Login, Always,   "",                       None,              "Log out and begin anew",                |a| args::none(a, Command::Rein)),
    spec("REST", Data,  LoggedIn, "<offset>",               Some("REST STREAM"), "Start the next transfer here",        |a| Ok(Command::Rest(args::number(a)?))),
    spec("RETR", Read,  LoggedIn, "<path>",                 None,              "Download a file",                       |a| Ok(Command::Retr(args::path(a)?))),
    spec("RMD",  Write, LoggedIn, "<path>",                 None,              "Remove an empty directory",             |a| Ok(Command::Rmd(args::path(a)?))).also(&["XRMD"]),
    spec("RMDA", Write, LoggedIn, "<path>",                 Some("RMDA"),      "Remove a directory and all in it",      |a| Ok(Command::Rmda(args::path(a)?))),
    spec("RNFR", Write, LoggedIn, "<path>",                 None,              "Rename: the old name",                  |a| Ok(Command::Rnfr(args::path(a)?))),
    spec("RNTO", Write, LoggedIn, "<path>",                 None,              "Rename: the new name",                  |a| Ok(Command::Rnto(args::path(a)?))),
    spec("SIZE", Info,  LoggedIn, "<path>",                 Some("SIZE"),      "Size of a file in octets",              |a| Ok(Command::Size(args::path(a)?))).between(),
    spec("STAT", Info,  LoggedIn, "[-adRtSr] [<path>]",     None,              "Status, or a listing in the reply",     |a| Ok(Command::Stat(args::optional_list(a)?))).mid_transfer(),
    spec("STOR", Write, LoggedIn, "<path>",                 None,              "Upload a file",                         |a| Ok(Command::Stor(args::path(a)?))),
    spec("STOU", Write, LoggedIn, "",                       None,              "Upload a file under a new name",        |_| Ok(Command::Stou)),
    spec("STRU", Data,  LoggedIn, "F|T",                    Some("STRU F;T"),  "Structure: F a file, T a tar archive",  args::stru),
    spec("SYST", Info,  Always,   "",                       None,              "Tell the kind of system",               |_| Ok(Command::Syst)),
    spec("TYPE", Data,  LoggedIn, "<A [N]|I|L 8>",          Some("TVFS"),      "Representation type",                   |a| Ok(Command::Type(args::representation_type(a)?))),
    spec("USER", Login, Always,   "<name>",                 None,              "Say who logs in",                       |a| Ok(Command::User(args::user(a)?))),
    spec("XCRC", Read,  LoggedIn, "\"<path>\" [<start> <end>]", Some("XCRC filename;start;end"), "CRC-32 of a file or of a part of it",   |a| Ok(Command::XDigest(Algorithm::Crc32, args::digest::part(a)?))),
    spec("XMD5", Read,  LoggedIn, "\"<path>\" [<start> <end>]", Some("XMD5 filename;start;end"), "MD5 of a file or of a part of it",      |a| Ok(Command::XDigest(Algorithm::Md5, args::digest::part(a)?))),
    spec("XSHA1", Read,  LoggedIn, "\"<path>\" [<start> <end>]", Some("XSHA1 filename;start;end"), "SHA-1 of a file or of a part of it",    |a| Ok(Command::XDigest(Algorithm::Sha1, args::digest::part(a)?))).also(&["XSHA"]),
    spec("XSHA256", Read,  LoggedIn, "\"<path>\" [<start> <end>]", Some("XSHA256 filename;start;end"), "SHA-256 of a file or of a part of it",  |a| Ok(Command::XDigest(Algorithm::Sha256, args::digest::part(a)?))),
    spec("XSHA512", Read,  LoggedIn, "\"<path>\" [<start> <end>]", Some("XSHA512 filename;start;end"), "SHA-512 of a file or of a part of it",  |a| Ok(Command::XDigest(Algorithm::Sha512, args::digest::part(a)?))),
];

/// Verbs of the RFCs that are understood but not offered: 502 rather than 500.
const NOT_OFFERED: &[&str] = &["ADAT", "CONF", "ENC", "MIC", "SMNT"];

/// A verb, as its place in [`TABLE`] and then [`SITE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb(u8);

impl Verb {
    /// Finds a verb by name or alias, in any case; a SITE command by both words.
    pub fn find(name: &str) -> Option<Verb> {
        Verb::all().find(|verb| {
            let Spec { verb, aliases, .. } = verb.spec();
            verb.eq_ignore_ascii_case(name) || aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
        })
    }

    pub fn spec(self) -> &'static Spec {
        let row = usize::from(self.0);
        match TABLE.get(row) {
            Some(spec) => spec,
            None => &SITE[row - TABLE.len()],
        }
    }

    /// All verbs in the table's order, those of SITE last.
    pub fn all() -> impl Iterator<Item = Verb> {
        (0u8..).take(TABLE.len() + SITE.len()).map(Verb)
    }

    /// Its place among all verbs.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The verb at a place.
    pub fn at(number: u8) -> Option<Verb> {
        Verb::all().nth(number.into())
    }

    /// Whether it is a SITE command.
    pub fn is_site(self) -> bool {
        usize::from(self.0) >= TABLE.len()
    }
}

/// Why a line is not a command.
#[derive(Debug, PartialEq)]
pub enum CommandError {
    /// Not a verb of any RFC that we know: 500.
    Unknown,
    /// A verb that this server does not offer: 502.
    NotOffered,
    /// SITE without anything: 501.
    SiteAlone,
    /// SITE with a word that is not in its table: 504, since the verb is there and its parameter is not (RFC 959 §4.2);
    /// with 500 a client would take it that there is no SITE at all.
    UnknownSite,
    /// The verb is known, its argument is not right.
    Argument(Verb, ArgError),
}

/// Splits a line into its verb and the argument's octets; both may be empty.
pub fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&b| b == b' ') {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, b""),
    }
}

/// Finds the verb of a line.
pub fn verb(line: &[u8]) -> Result<Verb, CommandError> {
    let (word, rest) = split(line);
    let word = std::str::from_utf8(word).map_err(|_| CommandError::Unknown)?;
    if word.eq_ignore_ascii_case("SITE") {
        return site::verb(rest);
    }
    match Verb::find(word) {
        Some(verb) => Ok(verb),
        None if NOT_OFFERED.iter().any(|v| v.eq_ignore_ascii_case(word)) => {
            Err(CommandError::NotOffered)
        }
        None => Err(CommandError::Unknown),
    }
}

/// Parses the argument of a line whose verb is known.
pub fn parse(verb: Verb, line: &[u8]) -> Result<Command, CommandError> {
    let argument = argument(verb, line);
    (verb.spec().parse)(argument).map_err(|error| CommandError::Argument(verb, error))
}

/// The argument in a line whose verb is known.
pub fn argument(verb: Verb, line: &[u8]) -> &[u8] {
    let (_, rest) = split(line);
    match verb.is_site() {
        true => site::words(rest).1,
        false => rest,
    }
}

/// The same for those who shall not see secrets: empty where it may be one.
pub fn shown_argument(verb: Verb, line: &[u8]) -> &[u8] {
    match verb.spec().secret {
        true => b"",
        false => argument(verb, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::args::PathArg;

    fn command(line: &str) -> Result<Command, CommandError> {
        let line = line.as_bytes();
        parse(verb(line)?, line)
    }

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        assert!(TABLE.is_sorted_by_key(|s| s.verb) && SITE.is_sorted_by_key(|s| s.verb));
        let mut names: Vec<_> = Verb::all().map(|v| v.spec().verb).collect();
        names.extend(Verb::all().flat_map(|v| v.spec().aliases.iter().copied()));
        names.extend(NOT_OFFERED);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn verbs_are_found_in_any_case_and_by_alias() {
        assert_eq!(
            command("retr a b "),
            Ok(Command::Retr(PathArg(b"a b ".to_vec())))
        );
        assert_eq!(command("xPwd"), Ok(Command::Pwd));
        assert_eq!(command("GET / HTTP/1.1"), Err(CommandError::Unknown));
        assert_eq!(command("SMNT x"), Err(CommandError::NotOffered));
        assert_eq!(command("\u{fc}"), Err(CommandError::Unknown));
    }

    #[test]
    fn site_commands_are_found_in_any_case_and_among_blanks() {
        assert!(SITE.iter().all(|s| s.verb.starts_with(site::PREFIX)));
        let help = |about: &str| Ok(Command::Help(Some(about.to_owned())));
        assert_eq!(command("SITE HELP"), help("SITE"));
        assert_eq!(command("site   Help  chmod "), help("SITE CHMOD"));
        assert_eq!(command("SITE"), Err(CommandError::SiteAlone));
        assert_eq!(command("SITE  "), Err(CommandError::SiteAlone));
        assert_eq!(command("SITE EXEC id"), Err(CommandError::UnknownSite));
        assert_eq!(command("SITE \u{fc}"), Err(CommandError::UnknownSite));
        assert_eq!(command("SITES HELP"), Err(CommandError::Unknown));
    }

    #[test]
    fn arguments_are_checked_by_the_table() {
        let bad = |line| matches!(command(line), Err(CommandError::Argument(..)));
        assert!(bad("RETR"));
        assert!(bad("RETR "));
        assert!(bad("REST -1"));
        assert!(bad("REST 99999999999999999999"));
        assert!(bad("TYPE E"));
        assert!(bad("PORT 1,2,3"));
        assert!(!bad("MLSD "));
        assert!(!bad("MLSD"));
    }

    #[test]
    fn passwords_keep_their_spaces() {
        let Ok(Command::Pass(secret)) = command("PASS  a b ") else {
            panic!()
        };
        assert_eq!(secret.expose(), b" a b ");
    }
}
