//! The manual page and the shell completions of a tool, from its command line and the tables. Writes nothing itself.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::{gateway, transfers};
use crate::charset::Charset;
use crate::proto::verbs::{Group, Verb, When};
use crate::settings::DEFAULT_FILE;
use crate::settings::table::{FTPD, Scope, Setting};

/// What a tool's manual page has beside name, synopsis and options.
struct Tool {
    name: &'static str,
    /// The section of the manual.
    section: &'static str,
    pages: fn(&mut Roff),
}

/// The tools whose pages have more than their options; another one is in section 1 without it.
const TOOLS: &[Tool] = &[
    Tool {
        name: "ftpd",
        section: "8",
        pages: ftpd,
    },
    Tool {
        name: "ftpproxy",
        section: "8",
        pages: gateway::section,
    },
];

/// Generates `man`, `bash`, `zsh` or `fish`; `None` for any other word.
pub(super) fn text(command: &Command, what: &str) -> Option<String> {
    let shell = match what {
        "man" => return Some(manual(command)),
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return None,
    };
    let mut octets = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command.clone(), name, &mut octets);
    String::from_utf8(octets).ok()
}

fn manual(command: &Command) -> String {
    let tool = TOOLS.iter().find(|tool| tool.name == command.get_name());
    let man = Man::new(command.clone()).section(tool.map_or("1", |tool| tool.section));
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = man.render_title(&mut page);
    let _ = man.render_name_section(&mut page);
    let _ = man.render_synopsis_section(&mut page);
    let _ = man.render_description_section(&mut page);
    let mut text = String::from_utf8_lossy(&page).into_owned();
    text.push_str(&options(&man, ".SH OPTIONS"));
    text.push_str(&hint(command));
    text.push_str(&subcommands(command));
    if let Some(tool) = tool {
        let mut sections = Roff::new();
        (tool.pages)(&mut sections);
        text.push_str(&sections.to_roff());
    }
    text
}

/// One part for each subcommand, all on the tool's own page.
fn subcommands(command: &Command) -> String {
    let mut built = command.clone().disable_help_subcommand(true);
    built.build();
    let mut text = String::new();
    for (count, subcommand) in built
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set())
        .enumerate()
    {
        let mut head = Roff::new();
        if count == 0 {
            head.control("SH", ["COMMANDS"]);
        }
        let usage = subcommand.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        head.control("SS", [usage]);
        if let Some(about) = subcommand.get_about() {
            head.text([roman(about.to_string())]);
        }
        text.push_str(&head.to_roff());
        text.push_str(&options(&Man::new(subcommand.clone()), ".PP"));
        text.push_str(&hint(subcommand));
    }
    text
}

/// What the help says below the options, each line a paragraph.
fn hint(command: &Command) -> String {
    let mut page = Roff::new();
    let hint = command.get_after_help().map(ToString::to_string);
    for line in hint.iter().flat_map(|hint| hint.lines()) {
        page.control("PP", []);
        page.text([roman(line)]);
    }
    page.to_roff()
}

/// The options below a heading of their own; the headings among them are one level lower, as `FILES` and the like mean
/// something else in a manual.
fn options(man: &Man, heading: &str) -> String {
    let mut rendered = Vec::new();
    let _ = man.render_options_section(&mut rendered);
    let mut text = String::new();
    for line in String::from_utf8_lossy(&rendered).lines() {
        match line.strip_prefix(".SH ") {
            Some("OPTIONS") => text.push_str(heading),
            Some(lower) => text.push_str(&format!(".SS {lower}")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn ftpd(page: &mut Roff) {
    page.control("SH", ["CONFIGURATION FILE"]);
    page.text([
        roman("The file named by "),
        bold("-f"),
        roman(", or else "),
        italic(DEFAULT_FILE),
        roman(
            " if it exists, has one Key=Value on a line. Keys may be in any case, blanks around key and value do not \
             count, and the value is all that follows the first =. Lines that begin with # and empty lines are \
             comments. A key that is unknown or comes twice is an error. Flags go over the file. A root-run server \
             reads a file only if nobody but root can write it.",
        ),
    ]);
    page.control("PP", []);
    page.text([roman(
        "A TIME is a number of seconds, or numbers with units from d, h, m, s and ms, such as 1h30m. Paths are absolute; \
         on the command line, they may start from the working directory. Keys marked \"user\" may also be in a \
         user's entry of the authentication file, where they go over everything else.",
    )]);
    page.control("PP", []);
    page.text([
        roman("A file whose name ends with .toml is TOML instead, with the names given below: "),
        italic("[listen] port = 2121"),
        roman(
            ". Lists may be arrays, switches are true or false, modes are strings or 0o022. What a user may have of their own may \
             stand in a table of theirs, such as ",
        ),
        italic("[user.fred] session.idle = 60"),
        roman(
            ", below what the entry in the authentication file says. An error in such a table refuses the logins of that user \
             and harms no other.",
        ),
    ]);
    for setting in FTPD.rows.iter().filter(|s| s.scope() != Scope::CommandLine) {
        key(page, setting);
    }
    accounts(page);
    modules(page);
    permitted(page);
    charsets(page);
    archives(page);
    transfers::section(page);
    commands(page);
    closing(page);
}

/// One key of a configuration file.
pub(super) fn key(page: &mut Roff, setting: &Setting) {
    let mut head: Vec<Inline> = Vec::new();
    for name in setting.keys() {
        if !head.is_empty() {
            head.push(roman(", "));
        }
        head.push(bold(name));
    }
    head.push(roman("="));
    head.push(italic(setting.value_name()));
    page.control("TP", []);
    page.text(head);
    let flags: Vec<_> = setting.flags.iter().map(|f| format!("-{f}")).collect();
    let mut facts = vec![flags.join(" ")];
    if !setting.default.is_empty() {
        facts.push(format!("default {}", setting.default));
    }
    facts.push(format!("TOML {}", setting.toml));
    if setting.scope() == Scope::Session {
        facts.push("user".to_owned());
    }
    page.text([roman(format!("{} ({}).", setting.doc, facts.join("; ")))]);
}

fn accounts(page: &mut Roff) {
    page.control("SS", ["Who may log in"]);
    page.text([
        bold("AllowUsers"),
        roman(" and "),
        bold("DenyUsers"),
        roman(
            " are lists of names, patterns with *, ? and [], and @group for the members of a group of the system, separated by \
             commas or blanks. They are compared in any case, with the name that the client sent and with the name of the \
             account: one of them is enough to deny, and both are needed to allow. The groups are those of the real user; a \
             group that does not exist has no members, and in DenyUsers keeps everybody out.",
        ),
    ]);
    page.control("PP", []);
    page.text([
        bold("LoginHours"),
        roman(
            " has parts such as Mon-Fri/08:00-18:00, Sat or 22:00-06:00, in the time zone of the server. A part over midnight \
             belongs to the day that it begins on. ",
        ),
        bold("AllowedNetworks"),
        roman(
            " has parts such as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7. They, ",
        ),
        bold("Enabled"),
        roman(" and "),
        bold("Expires"),
        roman(
            " are about logins, and end no session. A refusal by any of these rules is answered as a wrong password is; the log \
             says which rule it was. A rule that is written wrong refuses the logins that it is for.",
        ),
    ]);
    page.control("PP", []);
    page.text([
        roman("An entry of the user file names a real user and no group. "),
        bold("DefaultGroup"),
        roman(
            " is then the primary group, and further groups are those that list the user as a member, as initgroups(3) has it; \
             the user's own group is one of them only if it lists them. Users of the system keep their own. A real user who is \
             root or in root's group is refused, unless ",
        ),
        bold("RootUsers"),
        roman(
            " has the full name of the entry, as it is written there, and the type is not null. Such a session has no \
             capability: root is an owner of files like others, and cannot read those of others.",
        ),
    ]);
}

fn modules(page: &mut Roff) {
    page.control("SS", ["PAM"]);
    page.text([
        roman("The method "),
        bold("pam"),
        roman(
            " asks for password and account and opens a session, by the first service of metaftpd, ftp and other that is there. \
             The session is closed when the client's is over. ",
        ),
        bold("session-pam"),
        roman(
            " does so for the real user, without the password, when another method has checked it. Modules have half of ",
        ),
        bold("LoginTimeout"),
        roman(
            ", then they and all programs that they have started are ended. Resource limits that they set are those of the process \
             that has the user's files: nofile, cpu and the limits of memory end or refuse what goes beyond, fsize is a MaxFileSize, \
             nproc is without effect, as that process starts no other, and there are no core dumps. The environment that they make \
             is not used, as no program is started for the user. Without root only the password and the account of whoever runs \
             ftpd can be asked about, and no session is opened.",
        ),
    ]);
}

fn permitted(page: &mut Roff) {
    page.control("SS", ["Lists of commands"]);
    let groups = Group::ALL.map(Group::name).join(", ");
    page.text([
        roman("The value of "),
        bold("PermittedCommands"),
        roman(format!(
            " is a list of words, separated by commas or blanks: a command, a group of commands ({groups}), Basic for \
             what a simple client needs, or ALL. A word may begin with + to permit, which is also meant without it, or \
             with - to refuse. The list starts from nothing, and the last word that names a command decides: \
             ALL,-WRITE is a server to read from. An alias of a command stands for the command itself. A command of \
             SITE is one word, such as SITE_HELP, and SITE stands for all of them. What is \
             refused is not advertised by FEAT and HELP."
        )),
    ]);
    let withheld = Verb::all()
        .map(Verb::spec)
        .filter(|spec| !spec.anonymous && spec.group != Group::Write);
    let withheld: Vec<_> = withheld.map(|spec| spec.verb).collect();
    page.control("PP", []);
    page.text([
        roman("An account without a password, of the type "),
        bold("null"),
        roman(format!(
            ", may only read: no command of the group {}, nor {}, unless its own settings have a list of commands, which \
             then decides alone. What it makes is for its owner only, unless they have an Umask too. Who logs in as ftp \
             gets the account ",
            Group::Write.name(),
            withheld.join(", ")
        )),
        bold("anonymous"),
        roman(", if there is no ftp and that account is of this type."),
    ]);
}

fn archives(page: &mut Roff) {
    page.control("SS", ["Archives"]);
    page.text([roman(
        "After STRU T, and in TYPE I, RETR sends a POSIX tar archive that is made on its way. Its argument is a name, a \
         pattern, or several with blanks between and in quotes where they hold blanks. Directories come with all that is in \
         them, in the order of names; links as links, and devices, pipes and sockets not at all. A file that grows \
         meanwhile is cut where its header says; one that shrinks is filled up with zeros, and the reply is 451, as it is \
         where something could not be read: the archive is well-formed, and the reply names the first of what it lacks. \
         RETR needs the permission for LIST too.",
    )]);
    page.control("PP", []);
    page.text([roman(
        "STOR unpacks an archive into the current directory while it arrives; its argument is only a name. Files and \
         directories are made, with their times, and with their permissions less the umask as far as the user may set \
         either by MFMT, MFF, SITE UTIME or SITE CHMOD; directories need the permission for MKD, and those that are there \
         stay as they are. A file is there when it is whole, in the place of one of the same name. Links, devices and \
         pipes are left out and counted. An absolute path, one with .. in it, a sparse file, and whatever two programs \
         could understand differently end the archive; the reply says at which entry, and what was whole stays. \
         REST, APPE and STOU are refused.",
    )]);
}

fn charsets(page: &mut Roff) {
    let names: Vec<_> = Charset::all().map(Charset::name).collect();
    page.control("SS", ["Charsets of names"]);
    page.text([
        roman("Names on disk are octets, normally UTF-8, and pass as they are unless "),
        bold("Charset"),
        roman(" says what clients speak instead. It is one of "),
        roman(names.join(", ")),
        roman(
            ", or another name that the Encoding Standard (encoding.spec.whatwg.org) gives them, such as latin1, gb2312 or \
             sjis, or a code page such as cp932. ISO-8859-1 is windows-1252 there, and ISO-8859-9 is windows-1254. A \
             client that says OPTS UTF8 ON gets UTF-8, until it says OPTS UTF8 OFF.",
        ),
    ]);
    page.control("PP", []);
    page.text([roman(
        "No file is lost: what the charset lacks is shown as %u{20AC}, the number of the character, and an octet that is no \
         UTF-8 as %x{E9}. Clients can use these forms like any name. A % that would begin such a form in the name \
         itself is shown as %u{25}. What a client sends that is no text in its charset is refused with 553. \
         Only line ends in names are ? in listings, as they are without a charset.",
    )]);
    page.control("PP", []);
    page.text([
        bold("CharsetNetworks"),
        roman(
            " gives clients a charset by their address: a list of words, separated by commas or blanks, such as \
             10.1.0.0/16=GBK, 10.0.0.0/8=windows-1251. The first network that the client belongs to counts, and goes \
             over ",
        ),
        bold("Charset"),
        roman(" of the server, but not over the user's own."),
    ]);
}

fn commands(page: &mut Roff) {
    page.control("SH", ["FTP COMMANDS"]);
    page.text([roman(
        "Each with its group. Those marked * are accepted before the login.",
    )]);
    for verb in Verb::all().map(Verb::spec) {
        let mut head = vec![bold(verb.verb)];
        for alias in verb.aliases {
            head.extend([roman(", "), bold(*alias)]);
        }
        if !verb.arguments.is_empty() {
            head.extend([roman(" "), italic(verb.arguments)]);
        }
        page.control("TP", []);
        page.text(head);
        let early = match verb.when {
            When::Always => " *",
            When::LoggedIn => "",
        };
        page.text([roman(format!(
            "{} ({}){early}",
            verb.help,
            verb.group.name()
        ))]);
    }
}

fn closing(page: &mut Roff) {
    let entries = |page: &mut Roff, title: &str, entries: &[(&str, &str)]| {
        page.control("SH", [title]);
        for (head, text) in entries {
            page.control("TP", []);
            page.text([bold(*head)]);
            page.text([roman(*text)]);
        }
    };
    entries(
        page,
        "EXIT STATUS",
        &[
            (
                "0",
                "The server was told to end, or --check found nothing wrong.",
            ),
            (
                "1",
                "The configuration is wrong, or the server cannot start.",
            ),
            ("2", "The command line is wrong."),
            (
                "3",
                "--check --user: the configuration is right, and a login of this user would be refused.",
            ),
        ],
    );
    let auth_file = Setting::find("AuthFile").map_or("", |setting| setting.default);
    entries(
        page,
        "FILES",
        &[
            (DEFAULT_FILE, "The configuration."),
            (auth_file, "The native users; see ftpuser(1)."),
        ],
    );
    entries(
        page,
        "EXAMPLES",
        &[
            (
                "ftpd -nodemon -port 2121 -a ./users -chhome",
                "Serves the users of a file of one's own, each confined to the home directory; needs no root.",
            ),
            (
                "ftpd --check -f ./metaftpd.conf",
                "Tells everything that is wrong with a configuration.",
            ),
            (
                "ftpd -permittedcommands ALL,-WRITE",
                "Serves files that nobody can change.",
            ),
        ],
    );
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("ftpuser"),
        roman("(1), "),
        bold("ftphash"),
        roman("(1), "),
        bold("ftpproxy"),
        roman("(1)"),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn the_manual_has_every_setting_and_every_command() {
        let page = manual(&crate::cli::ftpd::command()).replace("\\-", "-");
        for setting in FTPD.rows {
            assert!(page.contains(setting.doc), "{}", setting.key);
            for flag in setting.flags {
                assert!(page.contains(&format!("-{flag}")), "{flag}");
            }
        }
        for verb in Verb::all().map(Verb::spec) {
            assert!(page.contains(verb.verb) && page.contains(verb.help));
        }
    }

    #[test]
    fn a_tool_with_subcommands_has_them_on_its_page() {
        let tool = Command::new("tool").subcommand(
            Command::new("add")
                .about("Add a user")
                .arg(Arg::new("type").long("type").help("Kind of password")),
        );
        let page = manual(&tool);
        for part in [
            ".TH tool 1",
            ".SS \"tool add",
            "Add a user",
            "Kind of password",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert_eq!(page.matches(".SH OPTIONS").count(), 1);
    }

    #[test]
    fn an_unknown_kind_of_text_is_refused() {
        assert!(text(&Command::new("tool"), "pdf").is_none());
        for what in ["bash", "zsh", "fish"] {
            let completions = text(&crate::cli::ftpd::command(), what).unwrap();
            assert!(completions.contains("maxidle"), "{what}");
        }
    }
}
