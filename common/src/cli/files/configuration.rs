//! The manual pages of the two configuration files, from the tables of settings. Writes nothing itself.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::{example, grammar, rules, see_also, terms};
use crate::settings::table::{FTPD, Kind, Scope, Setting, Settings};
use crate::settings::{DEFAULT_FILE, DEFAULT_GATEWAY_FILE, FTPPROXY};

/// The same server in both forms; a test reads them.
const KEY_VALUE: &str = "# Users of /etc/metaftpd.auth, each confined to the home directory
Port=2121
ChHome
PermittedCommands=ALL,-SITE
Idle=5m
";
const TOML: &str = "# Users of /etc/metaftpd.auth, each confined to the home directory
[listen]
port = 2121
[files]
confine-home = true
[session]
commands = [\"ALL\", \"-SITE\"]
idle = \"5m\"

[user.fred]
session.idle = 60
";
const GATEWAY: &str = "Port=2121
Targets=ftp.example.org, *.example.net:2100, files.lan=10.1.0.0/16
DataConnectionPortRange=50000-50999
";

/// The page of `ftpd`'s.
pub(super) fn ftpd(page: &mut Roff) {
    forms(page, "ftpd", DEFAULT_FILE);
    page.control("PP", []);
    page.text([
        roman("Keys marked \"user\" may also be in a user's entry of "),
        bold("metaftpd.auth"),
        roman(
            "(5), where they go over everything else. In TOML they may stand in a table of the user, which comes below that \
             entry and above the rest. An error in such a table refuses the logins of that user and harms no other.",
        ),
    ]);
    page.control("PP", []);
    page.text([roman(
        "The first name of a key is its own. Others are there for files of other servers: those with an underscore are vsftpd's, the \
         rest MetaFTPd's. Values of MetaFTPd that this server does not have are errors, not ignored.",
    )]);
    keys(page, FTPD);
    grammar::section(page, FTPD);
    environment(page, FTPD);
    rules::sections(page);
    page.control("SH", ["EXAMPLES"]);
    example(page, "As Key=Value:", KEY_VALUE);
    example(page, "The same as TOML, with a limit for one user:", TOML);
    page.control("PP", []);
    page.text([
        roman("Others come with the program, in "),
        italic("share/doc/ftpd/examples"),
        roman("."),
    ]);
    page.control("SH", ["FILES"]);
    terms(
        page,
        [(DEFAULT_FILE, "Read where no -f names another file.")],
    );
    see_also(
        page,
        &[
            ("ftpd", "8"),
            ("ftpd-hooks", "5"),
            ("metaftpd.auth", "5"),
            ("ftpuser", "1"),
        ],
    );
}

/// How the environment makes settings.
fn environment(page: &mut Roff, settings: &Settings) {
    let prefix = settings.environment;
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman(format!(
        "Each key may be a variable too: {prefix} and its TOML name in capitals, with _ for dots and dashes, as in {prefix}LISTEN_PORT=2121 \
         for listen.port. With _FILE behind the name the value is a file's content: {prefix}LISTEN_PORT_FILE=/run/secrets/port. Variables \
         go over the file, and flags over them. One that is empty says nothing, and one of another name that begins so is an error."
    ))]);
}

/// The page of `ftpproxy`'s.
pub(super) fn gateway(page: &mut Roff) {
    forms(page, "ftpproxy", DEFAULT_GATEWAY_FILE);
    keys(page, FTPPROXY);
    grammar::section(page, FTPPROXY);
    environment(page, FTPPROXY);
    page.control("SH", ["EXAMPLES"]);
    example(page, "A gateway to three places:", GATEWAY);
    page.control("SH", ["FILES"]);
    terms(
        page,
        [(DEFAULT_GATEWAY_FILE, "Read where no -f names another file.")],
    );
    see_also(page, &[("ftpproxy", "8"), ("metaftpd.conf", "5")]);
}

/// How a file is written, whosever it is.
fn forms(page: &mut Roff, tool: &str, default: &str) {
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        bold(tool),
        roman(" reads the file that "),
        bold("-f"),
        roman(" names, or else "),
        italic(default),
        roman(
            " if it exists. It has one Key=Value on a line. Keys may be in any case, blanks around key and value do not count, \
             and the value is all that follows the first =. Lines that begin with # and empty lines are comments.",
        ),
    ]);
    page.control("PP", []);
    page.text([roman(
        "A file whose name ends with .toml is TOML instead: [listen] port = 2121, by the names that are given with each key. \
         Lists may be arrays, switches are true or false, modes are strings or 0o022.",
    )]);
    page.control("PP", []);
    page.text([roman(
        "Either is UTF-8 and has 1 MiB at most. A key that is unknown or comes twice, a value that is not what the key wants, \
         and settings that contradict each other are errors: nothing is served until they are mended. Flags go over the file. \
         What root runs reads a file only if nobody but root can write it.",
    )]);
}

/// All keys that a file may have, by what they are about.
fn keys(page: &mut Roff, settings: &Settings) {
    page.control("SH", ["KEYS"]);
    let mut topics: Vec<_> = Vec::new();
    let rows = || {
        settings
            .rows
            .iter()
            .filter(|s| s.scope() != Scope::CommandLine)
    };
    for topic in rows().map(Setting::topic) {
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    for topic in topics {
        page.control("SS", [format!("[{topic}]").as_str()]);
        for setting in rows().filter(|setting| setting.topic() == topic) {
            key(page, setting);
        }
    }
}

fn key(page: &mut Roff, setting: &Setting) {
    let mut head: Vec<Inline> = Vec::new();
    for name in setting.keys() {
        if !head.is_empty() {
            head.push(roman(", "));
        }
        head.push(bold(name));
    }
    head.push(roman("="));
    match setting.kind {
        Kind::Choice(words) => head.push(roman(words.join("|"))),
        Kind::Switch
        | Kind::File
        | Kind::Files
        | Kind::Content
        | Kind::Directory
        | Kind::Text(_) => {
            head.push(italic(setting.value_name()));
        }
    }
    page.control("TP", []);
    page.text(head);
    let mut facts = vec![match setting.default {
        "" => "nothing by default".to_owned(),
        default => format!("default {default}"),
    }];
    facts.push(format!("TOML {}", setting.toml));
    let flags: Vec<_> = setting.flags.iter().map(|f| format!("-{f}")).collect();
    facts.push(flags.join(" "));
    if setting.scope() == Scope::Session {
        facts.push("user".to_owned());
    }
    page.text([roman(format!("{} ({}).", setting.doc, facts.join("; ")))]);
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;

    #[test]
    fn the_pages_have_every_key() {
        for (tool, file, settings) in [
            ("ftpd", "metaftpd.conf.5", FTPD),
            ("ftpproxy", "ftpproxy.conf.5", FTPPROXY),
        ] {
            let page = page(tool, file).unwrap();
            let page = page.replace("\\-", "-").replace("\\*(Aq", "'");
            let rows = settings.rows.iter();
            for setting in rows.filter(|s| s.scope() != Scope::CommandLine) {
                assert!(page.contains(setting.doc), "{}", setting.key);
                assert!(page.contains(&format!("TOML {};", setting.toml)));
                for flag in setting.flags {
                    assert!(page.contains(&format!("-{flag}")), "{flag}");
                }
                for key in setting.keys() {
                    assert!(page.contains(&format!("\\fB{key}\\fR")), "{key}");
                }
            }
        }
    }
}
