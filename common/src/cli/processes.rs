//! The section of the manual about processes: what the system calls each of them. Prose only.

use clap_mangen::roff::{Roff, bold, roman};

use crate::part::Part;

/// What a part does, and for which of the daemons it is there.
fn does(part: Part) -> (&'static str, bool, bool) {
    match part {
        Part::Logger => ("writes the logs.", true, true),
        Part::Signer => ("has the keys of the certificates.", true, true),
        Part::Lookup => ("looks up the names in PassiveAddress.", true, false),
        Part::Hookd => ("runs the programs of hooks.", true, true),
        Part::Login => (
            "is the trusted half of a session whose client has not logged in.",
            true,
            false,
        ),
        Part::Keeper => (
            "is the same for a client that has: its uid is the user's.",
            true,
            false,
        ),
        Part::Network => (
            "is the other half of a session: it speaks with the client.",
            true,
            true,
        ),
        Part::Dialer => (
            "is the trusted half of a session with another server.",
            true,
            true,
        ),
        Part::Watcher => ("looks whether the servers of a pool are up.", false, true),
        Part::Verifier => ("verifies a client's certificate.", true, false),
        Part::Pam => ("asks PAM for a session, which it holds open.", true, false),
        Part::Password => ("changes a password for SITE PSWD.", true, false),
        Part::Webhook => ("tells a web server of events.", true, true),
        Part::Copier => ("puts a refused file into quarantine.", true, false),
    }
}

/// Adds the section for `ftpd` or `ftpproxy`.
pub(super) fn section(page: &mut Roff, program: &str) {
    page.control("SH", ["PROCESSES"]);
    page.text([
        roman("As ps -o comm and top call them. "),
        bold(program),
        roman(
            " itself is the listener, or under inetd what inetd has started until the login. Names of users, addresses and \
             commands are not there, as every user of the system can read it: ",
        ),
        bold(format!("{program} --who")),
        roman(" tells them to root alone."),
    ]);
    for (part, word) in Part::ALL {
        let (what, of_ftpd, of_gateway) = does(part);
        let there = if program == "ftpd" {
            of_ftpd
        } else {
            of_gateway
        };
        if there {
            page.control("TP", []);
            page.text([bold(format!("{program}-{word}"))]);
            page.text([roman(what)]);
        }
    }
}
