//! The command line of `ftpuser`: what can be asked for. Does nothing.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use super::named::named;
use crate::auth::native::{DEFAULT_FILE, Scheme};
use crate::settings::Cost;

/// The home of users whose files belong to a user shared by all, such as nobody: where Debian keeps what FTP serves.
pub const SHARED_HOME: &str = "/srv/ftp";

/// The users of the system that own the files of a user made by root, best first, as in MetaFTPd.
pub const SHARED_USERS: [&str; 3] = ["nobody", "daemon", "guest"];

pub fn command() -> Command {
    Command::new("ftpuser")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Add, change, delete, list, check, import and export the users of ftpd's own user file")
        .after_help("Exit status: 0 done, 1 failed, 2 wrong usage.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(add())
        .subcommand(
            Command::new("del")
                .about("Delete a user")
                .arg(name())
                .arg(file()),
        )
        .subcommand(
            Command::new("list")
                .about("List the users: a table on a terminal, tab-separated lines in a pipe")
                .after_help(
                    "Columns: name, type, real user, home, settings. A line that is no valid record is told on the \
                     standard error and makes the exit status 1.",
                )
                .arg(file())
                .arg(json("Print one JSON array")),
        )
        .subcommand(
            Command::new("passwd")
                .about("Give a user another password")
                .arg(name())
                .arg(file())
                .arg(scheme())
                .arg(cost())
                .args(password())
                .group(ArgGroup::new("password").args(["password-stdin", "password-file"])),
        )
        .subcommand(set())
        .subcommand(
            Command::new("enable")
                .about("Let a disabled user log in again")
                .arg(name())
                .arg(file()),
        )
        .subcommand(
            Command::new("disable")
                .about("Let a user not log in, and keep the entry")
                .arg(name())
                .arg(file()),
        )
        .subcommand(
            Command::new("show")
                .about("Show one user, but for the password")
                .arg(name())
                .arg(file())
                .arg(json("Print one JSON object")),
        )
        .subcommand(
            Command::new("check")
                .about("Look for what keeps users from logging in, and for weak passwords' types")
                .after_help(
                    "Exit status: 0 nothing found, 1 something found, or the file cannot be read. \
                     `ftpd --check -f FILE` looks at the users together with a configuration.",
                )
                .arg(file())
                .arg(json("Print one JSON array")),
        )
        .subcommand(import())
        .subcommand(export())
}

fn json(help: &'static str) -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help(help)
}

fn import() -> Command {
    Command::new("import")
        .about("Add the users of another program's file, with the passwords that they have")
        .after_help(
            "Forms: passwd (lines of /etc/passwd, with --shadow for /etc/shadow), proftpd (AuthUserFile), pure-ftpd \
             (pureftpd.passwd), htpasswd (Apache's), vsftpd (pam_pwdfile's), pam-userdb (the text that db_load(1) reads \
             or `db_dump -p` prints: a name, and in the next line a password or its hash), metaftpd (this file's own form).\n\
             Nothing is written if any line cannot be taken over; --skip-bad leaves such lines out. What has no \
             counterpart here, such as a quota, is told on the standard error.",
        )
        .arg(
            Arg::new("source")
                .value_name("SOURCE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The file with the users"),
        )
        .arg(form(&Form::ALL))
        .arg(
            Arg::new("shadow")
                .long("shadow")
                .value_name("SOURCE")
                .value_parser(value_parser!(PathBuf))
                .help("With --from passwd: the file with the hashes"),
        )
        .arg(file())
        .arg(real_user())
        .arg(
            Arg::new("home")
                .long("home")
                .value_name("DIR")
                .help("The home of users whose file has none; {name} in it is the user's name"),
        )
        .arg(replace())
        .arg(
            Arg::new("skip-bad")
                .long("skip-bad")
                .action(ArgAction::SetTrue)
                .help("Leave out what cannot be taken over, and import the rest"),
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Tell what would be done, and write nothing"),
        )
}

fn export() -> Command {
    Command::new("export")
        .about("Print the users in the form of another program's file")
        .after_help(
            "Exit status: 0 all users were printed, 1 some cannot be told in this form; those are named on the standard \
             error. Only hashes of type crypt can be used by other programs; MetaFTPd reads all types but crypt and argon2id.",
        )
        .arg(form(&[Form::Passwd, Form::Htpasswd, Form::Metaftpd]))
        .arg(file())
}

fn form(forms: &[Form]) -> Arg {
    Arg::new("form")
        .long(if forms == Form::ALL { "from" } else { "to" })
        .value_name("FORM")
        .required(true)
        .value_parser(PossibleValuesParser::new(
            forms.iter().map(|form| form.name()),
        ))
        .help("The form of the file")
}

/// The form that the arguments name.
pub fn form_of(arguments: &ArgMatches) -> Form {
    let named = arguments.get_one::<String>("form");
    let form = Form::ALL
        .into_iter()
        .find(|form| named.is_some_and(|name| name == form.name()));
    form.unwrap_or(Form::Metaftpd)
}

/// How another program keeps its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of passwd(5), with the hashes there or in shadow(5).
    Passwd,
    /// ProFTPD's AuthUserFile: passwd(5) with the hashes in it.
    Proftpd,
    /// pure-pw's text file.
    PureFtpd,
    /// Apache's: a name and a hash.
    Htpasswd,
    /// pam_pwdfile's, which vsftpd is often used with: a name and a hash, and what follows is not looked at.
    Vsftpd,
    /// pam_userdb's, which vsftpd is often used with, as text: a line with a name, one with a password.
    PamUserdb,
    /// The form of our own file.
    Metaftpd,
}

impl Form {
    pub const ALL: [Form; 7] = [
        Form::Passwd,
        Form::Proftpd,
        Form::PureFtpd,
        Form::Htpasswd,
        Form::Vsftpd,
        Form::PamUserdb,
        Form::Metaftpd,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Form::Passwd => "passwd",
            Form::Proftpd => "proftpd",
            Form::PureFtpd => "pure-ftpd",
            Form::Htpasswd => "htpasswd",
            Form::Vsftpd => "vsftpd",
            Form::PamUserdb => "pam-userdb",
            Form::Metaftpd => "metaftpd",
        }
    }
}

fn replace() -> Arg {
    Arg::new("replace")
        .long("replace")
        .action(ArgAction::SetTrue)
        .help("Replace users of the same names")
}

fn set() -> Command {
    Command::new("set")
        .about("Change what a user may, and leave the password as it is")
        .arg(name())
        .arg(
            Arg::new("words")
                .value_name("Key=Value")
                .num_args(0..)
                .help("Settings that are this user's own, in the place of those of the same keys"),
        )
        .arg(
            Arg::new("unset")
                .long("unset")
                .value_name("KEY")
                .action(ArgAction::Append)
                .help("Take this setting away, so that the server's counts"),
        )
        .arg(file())
        .arg(home())
        .arg(real_user())
        .arg(
            Arg::new("enable")
                .long("enable")
                .action(ArgAction::SetTrue)
                .conflicts_with("disable")
                .help("Let a disabled user log in again"),
        )
        .args(rules())
}

fn add() -> Command {
    Command::new("add")
        .about("Add a user")
        .after_help(format!(
            "The password is asked for twice unless an option says where it is; type null has none.\n\
             Without --real-user, root's users are {}, the first that exists; other callers' users are the callers \
             themselves. Without --home, the home is that of the real user, and {SHARED_HOME} for root's users without \
             --real-user.\n\
             MetaFTPd's form `ftpuser add NAME PASSWORD [HOME]` works, but everybody on the system can see the password \
             in the list of processes.",
            SHARED_USERS.join(", ")
        ))
        .arg(name())
        .arg(
            Arg::new("words")
                .value_name("Key=Value")
                .num_args(0..)
                .help("Settings that are this user's own"),
        )
        .arg(scheme())
        .arg(cost())
        .arg(file())
        .arg(home())
        .arg(real_user())
        .args(rules())
        .arg(replace())
        .args(password())
        .group(ArgGroup::new("password").args(["password-stdin", "password-file"]))
}

/// Options that stand for settings of a user: the option, the key, and the help.
pub const RULES: &[(&str, &str, &str)] = &[
    (
        "expires",
        "Expires",
        "The last day on which the user may log in, as 2027-01-31",
    ),
    (
        "allow-from",
        "AllowedNetworks",
        "The networks that the user may log in from, as 192.0.2.0/24,2001:db8::/32",
    ),
    (
        "login-hours",
        "LoginHours",
        "The days and times at which the user may log in, as Mon-Fri/08:00-18:00,Sat",
    ),
];

fn rules() -> Vec<Arg> {
    let value = |option: &str| match option {
        "expires" => "DAY",
        _ => "LIST",
    };
    let mut rules: Vec<_> = RULES
        .iter()
        .map(|&(option, _, help)| {
            let arg = Arg::new(option).long(option);
            arg.value_name(value(option)).help(help)
        })
        .collect();
    rules.push(
        Arg::new("disable")
            .long("disable")
            .action(ArgAction::SetTrue)
            .help("Let the user not log in until `ftpuser enable`"),
    );
    rules
}

fn home() -> Arg {
    Arg::new("home")
        .long("home")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("The directory that the user starts in")
}

fn real_user() -> Arg {
    Arg::new("real-user")
        .long("real-user")
        .short('u')
        .value_name("USER")
        .help("The user of the system that the files belong to; never root")
}

fn name() -> Arg {
    Arg::new("name")
        .value_name("NAME")
        .required(true)
        .value_parser(value_parser!(std::ffi::OsString))
        .help("The name that the user logs in with, in any case")
}

fn file() -> Arg {
    Arg::new("file")
        .long("auth-file")
        .short('a')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .default_value(DEFAULT_FILE)
        .help("The user file")
}

fn scheme() -> Arg {
    let parser = |word: &str| Scheme::to_make(word).map_err(|error| error.to_string());
    Arg::new("type")
        .long("type")
        .short('t')
        .short_alias('e')
        .value_name("TYPE")
        .default_value(Scheme::Argon2id.name())
        .value_parser(named(Scheme::MADE.map(Scheme::name), parser))
        .help("How the password is kept; crypt takes what crypt(3) made in the password's place")
}

fn cost() -> Arg {
    Arg::new("cost")
        .long("cost")
        .value_name("COST")
        .default_value(Cost::default().to_string())
        .value_parser(|text: &str| Cost::parse(text).map_err(|wrong| wrong.sentence(text)))
        .help("What an argon2id hash costs: KiB of memory, passes, lanes")
}

fn password() -> [Arg; 2] {
    [
        Arg::new("password-stdin")
            .long("password-stdin")
            .action(ArgAction::SetTrue)
            .help("Read the password from the first line of the standard input"),
        Arg::new("password-file")
            .long("password-file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Read the password from the first line of a file"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn options_may_stand_anywhere_as_in_metaftpd() {
        let line = "ftpuser add -t md5 fred -a /x secret /srv Idle=5 -u nobody";
        let matches = command().try_get_matches_from(line.split(' ')).unwrap();
        let (_, add) = matches.subcommand().unwrap();
        let words: Vec<_> = add.get_many::<String>("words").unwrap().collect();
        assert_eq!(words, ["secret", "/srv", "Idle=5"]);
        assert_eq!(add.get_one::<Scheme>("type"), Some(&Scheme::Md5));
    }

    #[test]
    fn a_type_that_is_not_offered_is_refused_by_name() {
        let error = command()
            .try_get_matches_from(["ftpuser", "add", "fred", "-t", "jh-512"])
            .unwrap_err();
        assert!(
            error.to_string().contains("jh-512 log in, but no new ones"),
            "{error}"
        );
    }
}
