//! What the manual page of the configuration says about rules that have a grammar or a meaning of their own: accounts,
//! PAM, lists of commands, charsets. Prose only.

use clap_mangen::roff::{Roff, bold, roman};

use crate::charset::Charset;
use crate::proto::verbs::{Group, Verb};

/// Adds the sections.
pub(super) fn sections(page: &mut Roff) {
    accounts(page);
    modules(page);
    permitted(page);
    charsets(page);
}

fn accounts(page: &mut Roff) {
    page.control("SH", ["WHO MAY LOG IN"]);
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
    page.control("SH", ["PAM"]);
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
    page.control("SH", ["LISTS OF COMMANDS"]);
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

fn charsets(page: &mut Roff) {
    let names: Vec<_> = Charset::all().map(Charset::name).collect();
    page.control("SH", ["CHARSETS OF NAMES"]);
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
