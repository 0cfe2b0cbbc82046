//! What the manual page of `ftpproxy` has beside its options. Writes nothing itself.

use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::settings::DEFAULT_GATEWAY_FILE;

/// Adds the sections.
pub(super) fn section(page: &mut Roff) {
    page.control("SH", ["WHERE CLIENTS GO"]);
    page.text([
        roman("A client logs in as "),
        italic("name@host"),
        roman(" or "),
        italic("name@host:port"),
        roman("; the last @ splits. Or it says "),
        italic("SITE PROXY host [port]"),
        roman(" before a plain name. With "),
        bold("Server"),
        roman(
            " all clients are led to one server, and their names are passed as they are; with ",
        ),
        bold("Transparent"),
        roman(
            " each is led to where it went before a firewall redirected it (REDIRECT). The firewall has to redirect the passive ports as \
             well, since after EPSV clients go to the address that they believe to speak with. A client that comes from an address of \
             the gateway itself is sent away: that is a redirect which catches the gateway's own connections. A connection leads to one \
             server for its whole life.",
        ),
    ]);
    page.control("PP", []);
    page.text([
        bold("Targets"),
        roman(
            " is a list of rules, separated by commas or blanks; nothing is reached that no rule names, and without a rule the program \
             does not start. A rule is the name of a host, in which * stands for any text; a network such as 192.0.2.0/24 or one \
             address; or NAME=NETWORK, for hosts of that name that are in that network. Behind it may stand a port or a range of \
             ports, as in ftp.example.org:21-2199; without, it is port 21. IPv6 with ports is in brackets: [2001:db8::/32]:21.",
        ),
    ]);
    page.control("PP", []);
    page.text([roman(
        "A name permits public addresses. Loopback, private, link-local, multicast and other special addresses are permitted only by a \
         network of nothing else, such as 10.0.0.0/8, and the addresses of this machine only by a rule for the single address. \
         Numbers in other forms than a plain address (0x7f.1, 2130706433) are no hosts. A name is looked up once, all its addresses \
         are judged, one that is forbidden forbids the name, and the connection goes to an address that was judged. Whoever asks \
         for what is forbidden or not there pays as for a wrong password.",
    )]);
    page.control("SH", ["DATA CONNECTIONS"]);
    page.text([
        roman(
            "Both sides have their own, of the kind that each wants: PASV, EPSV, PORT and EPRT of the client on one, PASV or EPSV to the \
             server on the other, or with ",
        ),
        bold("NoPassive"),
        roman(
            " PORT or EPRT. They lead to the client's address and to the server's and to no other, whatever a command or a reply says. \
             A transfer that breaks off is reset on both sides.",
        ),
    ]);
    page.control("SH", ["TLS"]);
    page.text([
        roman("With a "),
        bold("Certificate"),
        roman(
            " clients may use TLS, explicit or implicit, and protect data by PROT P. It ends at the gateway, which speaks with servers in the \
             clear; a server's own TLS cannot pass, since a gateway that cannot read commands cannot hold to its rules. The private \
             keys are in a process of their own, the signer. New files are read at once.",
        ),
    ]);
    page.control("SH", ["CONFIGURATION"]);
    page.text([
        roman("The file named by "),
        bold("-f"),
        roman(", or else "),
        italic(DEFAULT_GATEWAY_FILE),
        roman(" if it exists; see "),
        bold("ftpproxy.conf"),
        roman("(5). Flags go over it."),
    ]);
    page.control("SH", ["EXIT STATUS"]);
    for (status, text) in [
        (
            "0",
            "The gateway was told to end, or --check found nothing wrong.",
        ),
        (
            "1",
            "The configuration is wrong, or the gateway cannot start.",
        ),
        ("2", "The command line is wrong."),
    ] {
        page.control("TP", []);
        page.text([bold(status)]);
        page.text([roman(text)]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("ftpproxy.conf"),
        roman("(5), "),
        bold("ftpd"),
        roman("(8)"),
    ]);
}
