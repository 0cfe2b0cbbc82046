//! The manual page of hooks, from the tables of keys, events, fields, variables and directives. Writes nothing itself.

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::{example, see_also, terms};
use crate::hooks::directive::Directive;
use crate::hooks::toml::KEYS;
use crate::hooks::{FIELDS, Kind, VARIABLES};

/// Recipes; a test has the program read them.
const RECIPES: &[(&str, &str)] = &[
    (
        "Each file that arrives below /scans is filed by a program that has the user's rights:",
        "[[hook]]
on = \"upload\"
match = { path = \"/scans/**\", user = \"!anonymous\" }
exec = [\"/usr/local/bin/file-away\", \"%{real_path}\"]
run-as = \"user\"
",
    ),
    (
        "A web server hears of uploads and of failed logins, signed with the key in a file:",
        "[[hook]]
on = [\"upload\", \"login_failed\"]
webhook = \"https://hooks.example.org/ftp\"
secret-file = \"/etc/ftpd-webhook.key\"
",
    ),
    (
        "Every upload is scanned before it is to be seen; what has a virus goes into a directory of root's. A scanner that is \
         down refuses uploads; with on-failure = \"ignore\" it would let them through:",
        "[[hook]]
on = \"upload\"
phase = \"accept\"
exec = [\"/usr/bin/clamdscan\", \"--no-summary\", \"-\"]
input = \"file\"
timeout = \"2m\"
quarantine = \"/srv/quarantine\"
",
    ),
    (
        "A firewall opens one port for each data connection, and closes it behind:",
        "[[hook]]
on = \"data_up\"
phase = \"before\"
mode = \"veto\"
exec = [\"/usr/local/sbin/ftp-way\", \"add\",
        \"%{source_address}\", \"%{destination_port}\"]
run-as = \"root\"

[[hook]]
on = \"data_down\"
mode = \"wait\"
exec = [\"/usr/local/sbin/ftp-way\", \"delete\",
        \"%{source_address}\", \"%{destination_port}\"]
run-as = \"root\"
",
    ),
];

const FTP_WAY: &str = "#!/bin/sh
exec nft \"$1\" element inet filter ftp_data \"{ $2 . $3 }\"
";

/// What a program finds, and what is made of its end.
const ENDS: &[(&str, &str)] = &[
    ("0", "All is well, or yes."),
    (
        "1",
        "With mode = \"veto\" the program says no: the command is answered 550, a data connection 425, with the first line of its output.",
    ),
    (
        "others, a signal, the timeout, a program that cannot be started",
        "A failure. With mode = \"veto\" on-failure says what comes of it: deny refuses, ignore lets it through. The log tells which it was.",
    ),
];

const PHASES: &[(&str, &str)] = &[
    (
        "before",
        "Before anything is done, and with mode = \"veto\" able to refuse it. Of events: upload, download, delete, rename, mkdir, \
         rmdir, chmod, symlink, data_up, by whichever command; the removal of a tree is asked about as delete and rmdir of its \
         directory. Of commands: all, once the user is logged in. A rule about names must name rename beside upload.",
    ),
    ("after", "After success, before the reply."),
    (
        "error",
        "After a command that was answered by a code from 400 on. Commands that do not exist are nobody's.",
    ),
    (
        "accept",
        "Of uploads: the file is whole, under a hidden name of its own (temporary_path), and gets its name when the program says \
         yes. Each file of an archive is asked about. NOOP and STAT are answered meanwhile, ABOR comes too late. A file that is written on in \
         place (APPE, REST) has its name already: what was added is cut off when it is refused.",
    ),
];

const MODES: &[(&str, &str)] = &[
    (
        "async",
        "Nobody waits. What finds no place in the queue, or exceeds the rate, is dropped; the log tells how much.",
    ),
    (
        "wait",
        "The session waits, at most for timeout and kill-after, and so does what its client sends. STAT is answered all the same \
         where a command, an upload or a download waits, and ABOR before it is begun ends it.",
    ),
    ("veto", "It waits, and the program may refuse."),
];

/// The page of `ftpd`'s hooks.
pub(super) fn page(page: &mut Roff) {
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("Something happens, and "),
        bold("ftpd"),
        roman(
            " runs a program or writes a line of JSON. Each [[hook]] of a TOML configuration says for what, when, and what is done. \
             MetaFTPd's settings such as UploadHook, in ",
        ),
        bold("metaftpd.conf"),
        roman("(5), and the directives below make the same. "),
        bold("ftpd --check"),
        roman(" lists all hooks and tells of programs that are missing, that somebody else could change, or that cannot be run."),
    ]);
    page.control("PP", []);
    page.text([
        bold("ftpproxy"),
        roman("(8) has the same hooks in its own files, on what a gateway knows of: no files, no commands, and no run-as = \"user\". It has \
               data connections on two sides, each with its data_up and data_down."),
    ]);
    page.control("SH", ["KEYS OF A HOOK"]);
    for key in KEYS {
        page.control("TP", []);
        page.text([bold(key.name), roman(" = "), italic(key.form)]);
        let default = match key.default {
            "" => String::new(),
            default => format!(" (default {default})"),
        };
        page.text([roman(format!("{}{default}.", key.doc))]);
    }
    page.control("SH", ["EVENTS"]);
    let events = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Command);
    terms(page, events.map(|kind| (kind.name(), kind.doc())));
    page.control("PP", []);
    page.text([roman(
        "Commands are named by their verbs, by SITE and the word behind it, by the groups LOGIN, INFO, DATA, DIRS, READ and WRITE of \
         ftpd(8), or as ALL. They count once a user is logged in; before, there are the events connect and login_failed.",
    )]);
    page.control("SH", ["PHASES"]);
    terms(page, PHASES.iter().copied());
    page.control("SH", ["MODES"]);
    terms(page, MODES.iter().copied());
    programs(page);
    page.control("SH", ["FIELDS"]);
    page.text([roman(
        "An event as JSON is one object on a line, with these fields as far as they are known. Those of octets are strings; where \
         they are no UTF-8 there is instead a field whose name ends with _b64. Fields may be added; the version grows when one \
         changes its meaning. Each is also a variable: %{real_path}. Sessions that are led to another server (Targets) have connect, \
         login, login_failed, limit_hit and logout, with `name@server` as login and no user; what they move is not known.",
    )]);
    for field in FIELDS {
        page.control("TP", []);
        page.text([bold(field.name), roman(format!(" ({})", field.form))]);
        page.text([roman(format!("{}.", field.doc))]);
    }
    variables(page);
    directives(page);
    page.control("SH", ["EXAMPLES"]);
    for (what, lines) in RECIPES {
        example(page, what, lines);
    }
    example(
        page,
        "Where ftp-way is a script that belongs to root, and ftp_data a set of ipv4_addr . inet_service:",
        FTP_WAY,
    );
    see_also(page, &[("ftpd", "8"), ("metaftpd.conf", "5")]);
}

fn programs(page: &mut Roff) {
    page.control("SH", ["PROGRAMS"]);
    page.text([roman(
        "A program runs outside of every jail, without a shell: each text of exec is one argument, whatever a client has put in \
         it. It has a session and a process group of its own, the environment of env beside PATH, and no descriptor but three. \
         Standard input is what input says, outputs are read to their end and kept up to 64 KiB. It gains no privileges, unless \
         new-privileges says so, and is root only with run-as = \"root\". At the timeout it gets SIGTERM with all that it has \
         started, then SIGKILL; what it leaves behind when it ends is killed too: what must go on, systemd-run(1) starts.",
    )]);
    page.control("PP", []);
    page.text([roman("Its exit status means:")]);
    terms(page, ENDS.iter().copied());
    page.control("PP", []);
    page.text([roman(
        "What of its output gets into a reply has no controls and at most 20 lines of 256 octets; a reply that has several lines \
         already stays as it is.",
    )]);
}

fn variables(page: &mut Roff) {
    page.control("SH", ["VARIABLES"]);
    page.text([roman(
        "In exec and env, beside the fields. A variable without a value is empty, one that nobody knows is an error of the \
         configuration, %% is a percent sign. %{env:NAME} is of the server's own environment, %{time:FORMAT} the event's time as \
         by strftime(3).",
    )]);
    for row in VARIABLES {
        let letter = row.letter.map(|letter| format!("%{letter}"));
        let long = row.long.map(|long| format!("%{{{long}}}"));
        let names: Vec<String> = letter.into_iter().chain(long).collect();
        page.control("TP", []);
        page.text([bold(names.join(", "))]);
        page.text([roman(format!("{}.", row.doc))]);
    }
}

fn directives(page: &mut Roff) {
    page.control("SH", ["DIRECTIVES OF MOD_EXEC"]);
    page.text([roman(
        "In a Key=Value file these may come often, each on a line: ExecOnCommand=STOR,APPE /usr/local/bin/arrived %f. Blanks \
         separate words, quotes hold them together. Programs for commands have the identity of the user, others that of hooks. \
         Other than there, ExecOnCommand, ExecOnError and the rest wait for nobody, unless ExecOptions has sendStdout, which is \
         for commands alone; ExecBeforeCommand is waited for.",
    )]);
    for directive in Directive::ALL {
        page.control("TP", []);
        page.text([
            bold(directive.name()),
            roman("="),
            italic(directive.syntax()),
        ]);
        page.text([roman(format!("{}.", directive.doc()))]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;

    #[test]
    fn the_page_has_every_key_event_field_variable_and_directive() {
        let page = page("ftpd", "ftpd-hooks.5").unwrap();
        let page = page.replace("\\-", "-").replace("\\*(Aq", "'");
        let keys = KEYS.iter().map(|key| key.doc);
        let fields = FIELDS.iter().map(|field| field.doc);
        let variables = VARIABLES.iter().map(|row| row.doc);
        let directives = Directive::ALL.iter().map(|directive| directive.doc());
        let events = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Command);
        let docs = keys.chain(fields).chain(variables).chain(directives);
        for doc in docs.chain(events.map(Kind::doc)) {
            assert!(page.contains(doc), "{doc}");
        }
    }
}
