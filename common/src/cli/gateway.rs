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
    pool(page);
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
    page.control("SH", ["HOOKS"]);
    page.text([
        roman("They are as those of ftpd, see "),
        bold("ftpd-hooks"),
        roman(
            "(5), on what a gateway knows of: connect, login, login_failed, logout, data_up, data_down, limit_hit, ban, reload, start and \
             stop. A transfer has two data connections: FromClient or ToClient on the client's side, ToServer or FromServer on the \
             server's. ",
        ),
        bold("ConnectUpHook"),
        roman(" is asked about each of them before there is one, and "),
        bold("ConnectDownHook"),
        roman(
            " told of their ends before the client hears how the transfer went, or when the session is over in whichever way. Programs run \
             with uid ProxyUser+5 unless the setting says who runs them.",
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
            "The configuration is wrong, the gateway cannot start, or none answers that --status, --who and the like ask.",
        ),
        ("2", "The command line is wrong."),
    ] {
        page.control("TP", []);
        page.text([bold(status)]);
        page.text([roman(text)]);
    }
    super::processes::section(page, "ftpproxy");
    super::signals::section(page);
    super::examples::section(page, "ftpproxy");
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("ftpproxy.conf"),
        roman("(5), "),
        bold("ftpd"),
        roman("(8)"),
    ]);
}

/// About the servers that it stands in front of.
fn pool(page: &mut Roff) {
    page.control("SH", ["A POOL OF SERVERS"]);
    page.text([
        roman("With "),
        bold("Servers"),
        roman(
            " the gateway greets clients itself, and the name that USER gives leads to one of these servers: those that ",
        ),
        bold("UserServers"),
        roman(
            " has for it, in their order, or else all in the order of a hash of the name and of the server's name, weighted (rendezvous \
             hashing). The next one is tried where a server is not reached, does not greet within ",
        ),
        bold("ServerPatience"),
        roman(
            ", has not the TLS that it should have, or says 421 to its greeting or to USER; the client does not hear of that. What a \
             server says afterwards is passed on, and a session stays where it is. Sessions of a user are counted over the whole pool.",
        ),
    ]);
    page.control("PP", []);
    page.text([
        roman("The file "),
        bold("UserServers"),
        roman(" has a line for a user: the name, and names of servers behind it, with blanks between. # begins a comment. Only root \
               may be able to write it where the gateway is started by root. "),
        bold("HealthLogin"),
        roman(" is a file of two lines, a name and a password, which nobody but its owner can read."),
    ]);
    page.control("PP", []);
    page.text([
        roman("One process, the watcher, looks at each server every "),
        bold("HealthInterval"),
        roman(" and has "),
        bold("ServerPatience"),
        roman(" for it. Servers are up until "),
        bold("HealthDown"),
        roman(" checks in a row have failed, and down until "),
        bold("HealthUp"),
        roman(" have not. Those that are down are tried after all others. "),
        bold("--status"),
        roman(" lists them: name, address, state (unknown before the first check), for how long, sessions, and what the last check has \
               found. "),
        bold("--drain"),
        roman(" and "),
        bold("Draining"),
        roman(" take a server out of service: it is checked, it keeps its sessions, and it gets no new ones. What "),
        bold("--drain"),
        roman(" has marked stays so until "),
        bold("--undrain"),
        roman(" or the end of the gateway. SIGHUP reads the settings anew, for new sessions; what is known of servers stays known."),
    ]);
}
