//! The directions of ARCHITECTURE.md as a table: which part must not name which, and what is excepted, with the reason.

/// What a part of the sources must not name.
pub(crate) struct Rule {
    pub(crate) says: &'static str,
    /// Modules that the rule is for, with everything below them.
    pub(crate) of: &'static [&'static str],
    /// Modules below those that it is not for.
    pub(crate) but: &'static [&'static str],
    pub(crate) never: &'static [&'static str],
}

/// A meeting point: a name that one module may use though a rule forbids it.
pub(crate) struct Exception {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    #[expect(dead_code, reason = "it is for whoever reads the table")]
    pub(crate) because: &'static str,
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        says: "pure modules use no mechanism",
        of: PURE,
        but: &["common::settings::read"],
        never: &[
            "common::auth",
            "common::channel",
            "common::cli",
            "common::control",
            "common::dialer",
            "common::gateway",
            "common::hookd",
            "common::jail",
            "common::listener",
            "common::log",
            "common::net",
            "common::pump",
            "common::sandbox",
            "common::settings::read",
            "common::sys",
            "common::lookup",
            "common::tls",
        ],
    },
    Rule {
        says: "pure modules have no I/O, no clock, no environment",
        of: PURE,
        but: &["common::settings::read"],
        never: &[
            "std::fs",
            "std::env",
            "std::os",
            "std::process",
            "std::thread",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::ToSocketAddrs",
            "std::net::UdpSocket",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::io::stdin",
            "std::io::stdout",
            "std::io::stderr",
            "caps",
            "getrandom",
            "landlock",
            "libc",
            "nix",
            "seccompiler",
            "socket2",
        ],
    },
    Rule {
        says: "sys is below everything",
        of: &["common::sys"],
        but: &[],
        never: COMMON_BUT_SYS,
    },
    Rule {
        says: "the network half cannot name the jail, the user files or the configuration's files",
        of: &["ftpd::session"],
        but: &[],
        never: &[
            "common::auth",
            "common::jail",
            "common::settings::DEFAULT_FILE",
            "common::settings::Loaded",
            "common::settings::Source",
            "common::settings::read",
            "ftpd::daemon",
            "ftpd::keeper",
            "std::env",
            "std::fs",
            "std::process",
            "std::thread",
        ],
    },
    Rule {
        says: "the trusted half runs no parser of what a client sends",
        of: &["ftpd::keeper"],
        but: &[],
        never: &[
            "common::control::Control",
            "common::proto::args",
            "common::proto::line",
            "common::proto::proxied::read",
            "common::proto::reply",
            "common::proxied",
            "common::pump",
            "common::stage",
            "common::tls",
            "ftpd::daemon",
            "ftpd::session",
        ],
    },
    Rule {
        says: "a gateway's conversation opens nothing: it asks the dialer",
        of: &["common::proxy"],
        but: &[],
        never: &[
            "common::auth",
            "common::jail",
            "common::lookup",
            "common::settings::load_gateway",
            "common::settings::read",
            "common::dialer",
            "std::env",
            "std::fs",
            "std::process",
            "std::thread",
        ],
    },
    Rule {
        says: "the dialer runs no parser of what client or server send",
        of: &["common::dialer"],
        but: &[],
        never: &[
            "common::control::Control",
            "common::proto::answer",
            "common::proto::args",
            "common::proto::line",
            "common::proto::reply",
            "common::proto::request",
            "common::proto::verbs",
            "common::proxy",
            "common::pump",
            "common::tls",
        ],
    },
    Rule {
        says: "common does not know the programs",
        of: &["common"],
        but: &[],
        never: &["ftpd", "ftpuser", "ftphash", "ftpproxy", "tests", "bench"],
    },
    Rule {
        says: "ftpd imports no other program",
        of: &["ftpd"],
        but: &[],
        never: &["ftpuser", "ftphash", "ftpproxy", "tests", "bench"],
    },
    Rule {
        says: "ftpuser imports no other program",
        of: &["ftpuser"],
        but: &[],
        never: &["ftpd", "ftphash", "ftpproxy", "tests", "bench"],
    },
    Rule {
        says: "ftphash imports no other program",
        of: &["ftphash"],
        but: &[],
        never: &["ftpd", "ftpuser", "ftpproxy", "tests", "bench"],
    },
    Rule {
        says: "ftpproxy imports no other program",
        of: &["ftpproxy"],
        but: &[],
        never: &["ftpd", "ftpuser", "ftphash", "tests", "bench"],
    },
    Rule {
        says: "tests and benchmark look from outside",
        of: &["tests", "bench"],
        but: &[],
        never: &["common", "ftpd", "ftpuser", "ftphash", "ftpproxy"],
    },
];

const PURE: &[&str] = &[
    "common::charset",
    "common::digest",
    "common::hooks",
    "common::journal",
    "common::path",
    "common::pattern",
    "common::policy",
    "common::proto",
    "common::rate",
    "common::settings",
    "common::stage",
    "common::wire",
];

const COMMON_BUT_SYS: &[&str] = &[
    "common::auth",
    "common::channel",
    "common::charset",
    "common::cli",
    "common::control",
    "common::dialer",
    "common::gateway",
    "common::digest",
    "common::entrances",
    "common::hookd",
    "common::hooks",
    "common::jail",
    "common::listener",
    "common::log",
    "common::net",
    "common::path",
    "common::pattern",
    "common::proto",
    "common::proxy",
    "common::pump",
    "common::rate",
    "common::sandbox",
    "common::settings",
    "common::sinks",
    "common::spool",
    "common::stage",
    "common::startup",
    "common::tls",
    "common::wire",
];

/// Types that stand where they belong by meaning and are values only. Moving them would put the password type away from
/// the passwords, and errno's translation away from the calls that it translates.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        module: "common::wire",
        name: "common::auth::Secret",
        because: "octets that wipe themselves: the codec must not keep a second copy",
    },
    Exception {
        module: "common::proto::verbs",
        name: "common::auth::Secret",
        because: "PASS parses to it at once, so that no other type ever holds a password",
    },
    Exception {
        module: "common::wire",
        name: "common::jail::Failure",
        because: "an enum without fields; its tags stand beside the codec of everything else",
    },
    Exception {
        module: "common::settings",
        name: "common::settings::read::DEFAULT_FILE",
        because: "the one impure part is re-exported where callers look for it",
    },
    Exception {
        module: "common::settings",
        name: "common::settings::read::Loaded",
        because: "as above",
    },
    Exception {
        module: "common::settings",
        name: "common::settings::read::Source",
        because: "as above",
    },
    Exception {
        module: "ftpd::session",
        name: "common::jail::Failure",
        because: "why keeper could not do it: a value that arrives over the channel",
    },
    Exception {
        module: "common::settings",
        name: "common::settings::read::gateway::DEFAULT_FILE",
        because: "as above",
    },
    Exception {
        module: "common::settings",
        name: "common::settings::read::gateway::load",
        because: "as above",
    },
    Exception {
        module: "common::proxy",
        name: "common::jail::Failure",
        because: "why the dialer could not do it: a value that arrives over the channel",
    },
    Exception {
        module: "ftpd::session",
        name: "common::auth::Secret",
        because: "the password on its way from PASS to keeper",
    },
    Exception {
        module: "ftpd::keeper",
        name: "common::tls::Offer",
        because: "keeper makes the network half its channel to the signer; it takes no part in a handshake",
    },
    Exception {
        module: "ftpd::keeper",
        name: "common::tls::clients::Clients",
        because: "keeper hands it to the process that verifies; it verifies nothing itself",
    },
    Exception {
        module: "ftpd::keeper",
        name: "common::tls::clients::ClientNames",
        because: "what that process answers: a value",
    },
    Exception {
        module: "ftpd::keeper",
        name: "common::tls::clients::LONGEST_PROOF",
        because: "a number: keeper holds the octets together, and reads none of them",
    },
    Exception {
        module: "common::dialer",
        name: "common::tls::Offer",
        because: "it makes the network half its channel to the signer; it takes no part in a handshake",
    },
    Exception {
        module: "ftpd::keeper",
        name: "ftpd::session",
        because: "the fork: keeper's process is the one that starts the other half",
    },
    Exception {
        module: "ftpd::keeper",
        name: "ftpd::session::run",
        because: "as above",
    },
];

/// Where `unsafe` may stand: in one place of the product, and where a test tries from inside the sandbox what no library
/// would do.
pub(crate) const UNSAFE_IN: &[&str] = &["common/src/sys/", "common/tests/sandbox/raw.rs"];
