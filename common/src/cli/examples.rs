//! Command lines that manual pages show. A test types them, in the order of each page.

use clap_mangen::roff::{Roff, bold, roman};

/// A command line, and what it does.
type Example = (&'static str, &'static str);

const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "ftpd",
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
            ("ftpd --explain Idle", "Tells what a setting is."),
        ],
    ),
    (
        "ftphash",
        &[
            (
                "ftphash sum -r releases >SUMS",
                "Writes down the digests of all files in a tree.",
            ),
            (
                "ftphash verify --quiet SUMS",
                "Tells which of them are no longer the same.",
            ),
            (
                "ftphash sum -a sha-256 -a blake3 --json releases/a.tar",
                "Prints two digests of a file that is read once.",
            ),
            (
                "ftphash compare releases mirror",
                "Tells what two trees do not have in common.",
            ),
            (
                "ftphash confirm --transcript session.log",
                "Tells whether the files here are those that a server moved.",
            ),
        ],
    ),
    (
        "ftpproxy",
        &[
            (
                "ftpproxy -nodemon -port 2121 -targets 'ftp.example.org,*.example.net:2100-2199'",
                "Leads clients that log in as name@host to these hosts and to no others.",
            ),
            (
                "ftpproxy -port 2121 -server ftp.example.org -targets ftp.example.org",
                "Leads all clients to one server.",
            ),
        ],
    ),
    (
        "ftpuser",
        &[
            (
                "ftpuser add alice --home /srv/ftp -u nobody -a ./users --password-stdin <password",
                "Makes a user, with the password of a file.",
            ),
            (
                "ftpuser set alice Idle=5m MaxPerUser=3 -a ./users",
                "Gives it settings of its own.",
            ),
            (
                "ftpuser import --from htpasswd ./htpasswd --home /srv/ftp -u nobody -a ./users",
                "Takes over the users of another program, with their passwords.",
            ),
            ("ftpuser list -a ./users", "Lists them all."),
            (
                "ftpuser disable alice -a ./users",
                "Has a user not log in for a while.",
            ),
            ("ftpuser del alice -a ./users", "Deletes it."),
        ],
    ),
];

/// The section with the examples of a tool.
pub(super) fn section(page: &mut Roff, tool: &str) {
    let found = EXAMPLES.iter().find(|(name, _)| *name == tool);
    let Some((_, examples)) = found else { return };
    page.control("SH", ["EXAMPLES"]);
    for (line, text) in *examples {
        page.control("TP", []);
        page.text([bold(*line)]);
        page.text([roman(*text)]);
    }
}
