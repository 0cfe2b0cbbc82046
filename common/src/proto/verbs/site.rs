//! The sub-table of SITE (RFC 959 §4.1.3): rows of the same kind as the command table's, named by both words. Pure: no I/O.

use super::Group::{Info, Write};
use super::When::{Always, LoggedIn};
use super::passwords::two_secrets;
use super::{Command, CommandError, Spec, Verb, spec, split};
use crate::proto::args::{self, metadata};
use crate::proto::destination::Destination;

/// What every name in [`SITE`] begins with.
pub const PREFIX: &str = "SITE ";

/// All SITE commands, in alphabetical order.
#[rustfmt::skip]
pub const SITE: &[Spec] = &[
    //   verb            group  when      arguments            FEAT                   help                                     parser
    spec("SITE CHMOD",   Write, LoggedIn, "<octal> <path>",    Some("SITE CHMOD"),    "Set the permissions, never setuid",     metadata::chmod),
    spec("SITE CPFR",    Info,  LoggedIn, "<path>",            None,                  "Copy on the server: the file",          |a| Ok(Command::SiteCpfr(args::path(a)?))),
    spec("SITE CPTO",    Write, LoggedIn, "<path>",            Some("SITE CPTO"),     "Copy on the server: the copy",          |a| Ok(Command::SiteCpto(args::path(a)?))),
    spec("SITE HELP",    Info,  Always,   "[<word>]",          None,                  "List the SITE commands or explain one", help),
    spec("SITE IDLE",    Info,  LoggedIn, "[<seconds>]",       Some("SITE IDLE"),     "Tell or set the longest silence",       |a| Ok(Command::SiteIdle(args::optional_number(a)?))),
    spec("SITE MKDIR",   Write, LoggedIn, "<path>",            Some("SITE MKDIR"),    "Make a directory and those above it",   |a| Ok(Command::SiteMkdir(args::path(a)?))),
    spec("SITE PROXY",   Info,  Always,   "<host> [<port>]",   Some("SITE PROXY"),    "Go to another server",                  |a| Destination::parse_words(a).map(Command::SiteProxy).map_err(|_| args::ArgError::Syntax)).not_anonymous(),
    spec("SITE PSWD",    Info,  LoggedIn, "<old> <new>",       Some("SITE PSWD"),     "Change one's own password",             |a| two_secrets(a).map(|(old, new)| Command::SitePswd { old, new })).also(&["SITE CPWD"]).secret().not_anonymous(),
    spec("SITE RMDIR",   Write, LoggedIn, "<path>",            Some("SITE RMDIR"),    "Remove a directory and all in it",      |a| Ok(Command::Rmda(args::path(a)?))),
    spec("SITE SYMLINK", Write, LoggedIn, "<target> <link>",   Some("SITE SYMLINK"),  "Make a symbolic link",                  |a| Ok(Command::SiteSymlink(metadata::symlink(a)?))),
    spec("SITE TIME",    Info,  LoggedIn, "[<format>]",        Some("SITE TIME"),     "Tell the time, as strftime has it",     |a| Ok(Command::SiteTime(args::optional_text(a)?))),
    spec("SITE UMASK",   Write, LoggedIn, "[<octal>]",         Some("SITE UMASK"),    "Tell or set the umask",                 metadata::umask),
    spec("SITE UTIME",   Write, LoggedIn, "<stamp> <path>|<path> <accessed> <modified> <created> UTC", Some("SITE UTIME"), "Set the times of a file", |a| Ok(Command::SiteUtime(metadata::utime(a)?))),
    spec("SITE WHO",     Info,  LoggedIn, "",                  None,                  "List the sessions of this server",      |a| args::none(a, Command::SiteWho)).not_anonymous(),
    spec("SITE ZONE",    Info,  LoggedIn, "",                  Some("SITE ZONE"),     "Tell the time zone of times",           |a| args::none(a, Command::SiteZone)),
];

/// Finds the row of what follows SITE.
pub(super) fn verb(rest: &[u8]) -> Result<Verb, CommandError> {
    match words(rest).0 {
        b"" => Err(CommandError::SiteAlone),
        word => std::str::from_utf8(word)
            .ok()
            .and_then(|word| Verb::find(&format!("{PREFIX}{word}")))
            .ok_or(CommandError::UnknownSite),
    }
}

/// The word behind SITE and the octets of its argument. Blanks before the word do not count.
pub(crate) fn words(rest: &[u8]) -> (&[u8], &[u8]) {
    split(rest.trim_ascii_start())
}

/// `SITE HELP x` is `HELP SITE x`.
fn help(argument: &[u8]) -> Result<Command, args::ArgError> {
    let about = match args::optional_word(argument)? {
        Some(word) => format!("{PREFIX}{word}"),
        None => PREFIX.trim_end().to_owned(),
    };
    Ok(Command::Help(Some(about)))
}
