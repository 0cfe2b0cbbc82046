//! THE settings table. Flags, `Key=Value` files, help, manual and completions follow from [`TABLE`] and from nowhere
//! else. Pure: no I/O.

use super::hooks::SpoolFull;
use super::networks::{CharsetNetworks, Networks};
use super::peers::Peers;
use super::rules::{ClientList, PortMap, Rules};
use super::sources::SourcePorts;
use super::targets::Targets;
use super::user_targets::UserTargets;
use super::value::{Value, Wrong, Zero};
use super::{
    CertificateLogin, CertificateNames, CipherSuites, ClearCommands, ClientCertificate,
    CloseNotify, Cost, DataBinding, Fingerprint, GatewayConfig, JailMode, Led, Locks, Run,
    ServerConfig, ServerData, ServerTls, SessionConfig, TlsRequired, TlsVersion, Transparent,
    UnknownHost, permitted,
};
use crate::hooks::Kind as Event;
use crate::policy::{Hours, Names};

/// One row: everything that is known about a setting.
pub struct Setting {
    /// The name in a `Key=Value` file, in any case.
    pub key: &'static str,
    /// Other spellings of the key.
    pub also: &'static [&'static str],
    /// The flags without their dashes, the main one first; one letter is a short flag.
    pub flags: &'static [&'static str],
    /// The name in a TOML file; its first part is also the topic that help is ordered by.
    pub toml: &'static str,
    pub kind: Kind,
    /// The value without any assignment; empty where that is nothing.
    pub default: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    pub(super) set: Set,
}

/// How a value is written; the meaning is checked by the row's function alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no; a flag or key without value is a yes.
    Switch,
    File,
    /// Files, which commas separate.
    Files,
    /// A file whose content is the value; the reader replaces the path by it.
    Content,
    Directory,
    Choice(&'static [&'static str]),
    /// Anything else, under the name that help gives it.
    Text(&'static str),
}

/// Where a setting may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On the command line only.
    CommandLine,
    /// There and in the server's file.
    Server,
    /// There, and by a user's own settings.
    Session,
}

/// What a setting changes. The type of the function is what keeps a user's settings away from the server's.
pub(super) enum Set {
    CommandLine(fn(&mut ServerConfig, Value) -> Result<(), Wrong>),
    Server(fn(&mut ServerConfig, Value) -> Result<(), Wrong>),
    Session(fn(&mut SessionConfig, Value) -> Result<(), Wrong>),
    /// Of `ftpproxy`, which has a table of its own.
    Gateway(fn(&mut GatewayConfig, Value) -> Result<(), Wrong>),
}

/// The settings of one program.
pub struct Settings {
    pub rows: &'static [Setting],
    /// Settings that one source cannot both make, because each would undo the other.
    pub(super) exclusive: &'static [(&'static str, &'static str)],
    /// Whether a TOML file has tables of single users.
    pub(super) users: bool,
    /// Whether a file may say what is done when something happens.
    pub(super) hooks: bool,
    /// What the names of variables in the environment begin with.
    pub environment: &'static str,
    /// The manual page that has them all.
    pub page: &'static str,
}

/// What `ftpd` can be told.
pub const FTPD: &Settings = &Settings {
    rows: TABLE,
    exclusive: EXCLUSIVE,
    users: true,
    hooks: true,
    environment: "FTPD_",
    page: "metaftpd.conf(5)",
};

impl Settings {
    /// Finds a setting by its key or another spelling of it, in any case.
    pub fn find(&self, key: &str) -> Option<&'static Setting> {
        self.rows
            .iter()
            .find(|setting| setting.keys().any(|name| name.eq_ignore_ascii_case(key)))
    }
}

use Kind::{Choice, Content, Directory, File, Files, Switch, Text};
use Set::{CommandLine, Server, Session};

/// All settings, in the order of the manual. Of one source, they are applied in this order too.
#[rustfmt::skip]
pub const TABLE: &[Setting] = &[
    //      key                     flags                         TOML name                kind              default               documentation                                                             what it sets
    setting("Port",                  &["port", "p"],              "listen.port",           Text("PORT"),     "21",                 "Port of the control connection; 0 is any free one",                      Server(|c, v| { c.port = v.port(0)?; Ok(()) })),
    setting("BindAddress",           &["bindaddress", "i"],       "listen.address",        Text("PLACES"),   "",                   "Addresses and interfaces to listen on, with :PORT or not; by default all", Server(|c, v| c.bind.name(v.text))),
    setting("IPv4Only",              &["4"],                      "listen.ipv4-only",      Switch,           "no",                 "Listen on IPv4 addresses only",                                          CommandLine(|c, v| c.bind.narrow(v))),
    setting("ProxyNetworks",         &["proxynetworks"],          "listen.proxy-networks", Text("LIST"),     "",                   "Front ends whose connections begin with a header of the PROXY protocol", Server(|c, v| { c.limits.front_ends = Some(Networks::parse(v.text)?); Ok(()) })),
    setting("Certificate",           &["cert"],                   "tls.certificate",       Files,            "",                   "Certificate chains in PEM; more than one: by the host that clients name",  Server(|c, v| { c.tls.certificates = v.paths()?; Ok(()) })),
    setting("CertificateKey",        &["key"],                    "tls.key",               Files,            "",                   "The key to each certificate; by default it is in the certificate's file",  Server(|c, v| { c.tls.keys = v.paths()?; Ok(()) })),
    setting("TLSPort",               &["tls-port"],               "tls.port",              Text("PORT"),     "",                   "Port where TLS begins at once, such as 990; by default there is none",     Server(|c, v| { c.tls.port = Some(v.port(0)?); Ok(()) })),
    setting("TLSMinVersion",         &["tls-min-version"],        "tls.min-version",       Choice(&["1.2", "1.3"]), "1.2",         "The oldest version of TLS",                                              Server(|c, v| { c.tls.least = TlsVersion::parse(v.text)?; Ok(()) })),
    setting("TLSCipherSuites",       &["tls-cipher-suites"],      "tls.cipher-suites",     Text("LIST"),     "all",                "Cipher suites by their IANA names, or all",                              Server(|c, v| { c.tls.suites = CipherSuites::parse(v.text)?; Ok(()) })),
    setting("TLSUnknownHost",        &["tls-unknown-host"],       "tls.unknown-host",      Choice(&["serve", "refuse"]), "serve",  "Clients that name a host (SNI) which no certificate is for",             Server(|c, v| { c.tls.unknown_host = UnknownHost::parse(v.text)?; Ok(()) })),
    setting("ClientCertificate",     &["client-certificate"],     "tls.client-certificate", Choice(&["off", "optional", "required"]), "off", "Whether clients are asked for a certificate, or have no TLS without one", Server(|c, v| { c.tls.clients.asked = ClientCertificate::parse(v.text)?; Ok(()) })),
    setting("ClientCA",              &["client-ca"],              "tls.client-ca",         Files,            "",                   "Authorities in PEM, whose certificates clients may show",                Server(|c, v| { c.tls.clients.authorities = v.paths()?; Ok(()) })),
    setting("ClientCRL",             &["client-crl"],             "tls.client-crl",        Files,            "",                   "Revocation lists; with one, every authority on the way needs a valid one",  Server(|c, v| { c.tls.clients.revocations = v.paths()?; Ok(()) })),
    setting("NoDaemon",              &["nodemon"],                "run.foreground",        Switch,           "no",                 "Stay in the foreground",                                                 CommandLine(|c, v| run(c, v, Run::Foreground))),
    setting("Inetd",                 &["inetd", "I"],             "run.inetd",             Switch,           "no",                 "Serve one session on descriptor 0, started by inetd",                    CommandLine(|c, v| run(c, v, Run::Inetd))),
    setting("SessionUser",           &["sessionuser"],            "run.session-user",      Text("UID"),      "60621",              "User and group number of the network half of a session; owns nothing",   Server(|c, v| { c.session_user = v.unprivileged_id()?; Ok(()) })),
    setting("PidFile",               &["pidfile"],                "run.pid-file",          File,             "",                   "File for the number of the daemon's process, by which a second one is refused", Server(|c, v| { c.pid_file = Some(v.path()?); Ok(()) })),
    setting("ControlSocket",         &["controlsocket"],          "run.control-socket",    File,             "",                   "Socket for ftpd --who and --kick; only root and the daemon's user can use it", Server(|c, v| { c.control_socket = Some(v.path()?); Ok(()) })),
    setting("DrainTimeout",          &["drain-timeout"],          "run.drain-timeout",     Text("TIME"),     "30",                 "How long SIGTERM lets transfers finish; a second one does not wait",     Server(|c, v| { c.drain_timeout = v.interval(Zero::Allow)?; Ok(()) })),
    setting("Chroot",                &["chroot"],                 "run.chroot",            Directory,        "",                   "Confine every session to this directory",                                Server(|c, v| { c.chroot = Some(v.path()?); Ok(()) })),
    setting("ServLogFile",           &["servlogfile"],        "log.server-file",       File,             "",                   "File for the server's own log, or SYSLOG; by default LogFile without variables", Server(|c, v| { c.log_file = Some(v.server_log_path()?); Ok(()) })),
    setting("LogFile",               &["logfile", "l"],           "log.file",              File,             "",                   "Log of sessions: SYSLOG, or a file; $(User) $(RealUser) $(ClientIP) stand in it", Session(|c, v| { c.log_file = Some(v.log_name()?); Ok(()) })),
    setting("LogFormat",             &["logformat"],              "log.format",            Choice(&["text", "json"]), "text",      "Form of the log's lines: for people, or a JSON object each",             Server(|c, v| { c.outputs.format = v.log_format()?; Ok(()) })),
    setting("Syslog",                &["syslog"],                 "log.syslog",            Switch,           "no",                 "Tell syslog what is logged, in the form of RFC 5424",                    Server(|c, v| { c.outputs.syslog = v.switch()?; Ok(()) })),
    setting("SyslogSocket",          &["syslogsocket"],           "log.syslog-socket",     File,             "/dev/log",           "Where syslog listens",                                                   Server(|c, v| { c.outputs.syslog_socket = v.path()?; Ok(()) })),
    setting("Journal",               &["journal"],                "log.journal",           Switch,           "no",                 "Tell systemd's journal what is logged, with fields such as FTP_USER",    Server(|c, v| { c.outputs.journal = v.switch()?; Ok(()) })),
    setting("JournalSocket",         &["journalsocket"],          "log.journal-socket",    File,             "/run/systemd/journal/socket", "Where the journal listens",                                     Server(|c, v| { c.outputs.journal_socket = v.path()?; Ok(()) })),
    setting("TransferLog",           &["transferlog"],            "log.transfers",         File,             "",                   "File for a line about each transfer, in the form of wu-ftpd's xferlog",  Server(|c, v| { c.outputs.transfers = Some(v.log_path()?); Ok(()) })).also(&["xferlog_file"]),
    setting("LogLevel",              &["loglevel"],               "log.level",             Choice(&["logins", "transfers", "commands"]), "transfers", "How much is logged; each level adds to the one before",     Server(|c, v| { c.log_level = v.log_level()?; Ok(()) })),
    setting("Banner",                &["banner"],                 "login.banner",          Text("TEXT"),     "",                   "Line of the greeting",                                                   Server(|c, v| { c.banner = vec![v.line()?]; Ok(()) })),
    setting("BannerFile",            &["bannerfile"],             "login.banner-file",     Content,          "",                   "File with the lines of the greeting, read at start, up to 8 KiB",        Server(|c, v| { c.banner = v.lines()?; Ok(()) })),
    setting("UserPrompt",            &["userprompt"],             "login.prompt",          Text("LINES"),    "",                   "Text of the reply to a login, of one line or several",                     Session(|c, v| { c.prompt = v.prompt()?; Ok(()) })),
    setting("LogPasswords",          &["logpasswords"],           "log.passwords",         Switch,           "no",                 "Without effect, kept for MetaFTPd's files: no password is ever logged",   Session(|c, v| { c.log_passwords = v.switch()?; Ok(()) })),
    setting("HostNames",             &["hostnames"],              "login.host-names",      Text("LIST"),     "",                   "Names that HOST may give; without them it may give any",                 Server(|c, v| { c.host_names = v.host_names()?; Ok(()) })),
    setting("AuthMethods",           &["authmethods", "A"],       "login.methods",         Text("LIST"),     "native",             "Ways to check a password, in this order; session-pam adds PAM's other rules", Server(|c, v| v.auth_methods().map(|m| c.auth_methods = m))),
    setting("AuthFile",              &["authfile", "a"],          "login.auth-file",       File,             "/etc/metaftpd.auth", "File of the native users",                                               Server(|c, v| { c.auth_file = v.path()?; Ok(()) })),
    setting("PasswordCost",          &["passwordcost"],           "login.password-cost",   Text("COST"),     "m=32768,t=3,p=1",    "Cost of new argon2id hashes: KiB, passes, lanes; about 50 ms of one core", Server(|c, v| { c.password_cost = Cost::parse(v.text)?; Ok(()) })),
    setting("UpdatePass",            &["update-pass"],            "login.update-pass",     Text("TYPE"),     "",                   "Type that passwords of the user file get when their users log in",       Server(|c, v| { c.update_pass = Some(v.scheme()?); Ok(()) })),
    setting("AllowUsers",            &["allowusers"],             "login.allow-users",     Text("LIST"),     "",                   "Only these may log in: names, patterns, @groups; in any case",           Server(|c, v| { c.allow_users = Some(Names::parse(v.text)?); Ok(()) })),
    setting("DenyUsers",             &["denyusers"],              "login.deny-users",      Text("LIST"),     "",                   "These may not log in, even if AllowUsers names them",                    Server(|c, v| { c.deny_users = Names::parse(v.text)?; Ok(()) })),
    setting("DefaultGroup",          &["defaultgroup"],           "login.default-group",   Text("GROUP"),    "",                   "Primary group of users of the user file, by default the real user's own", Server(|c, v| { c.default_group = Some(v.group()?); Ok(()) })),
    setting("RootUsers",             &["rootusers"],              "login.root-users",      Text("LIST"),     "",                   "Users of the user file who may be root or in root's group, by full name", Server(|c, v| { c.root_users = v.full_names()?; Ok(()) })),
    setting("LoginTimeout",          &["logintimeout"],           "login.timeout",         Text("TIME"),     "60",                 "Time from the connection to a complete login",                           Server(|c, v| { c.login_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("MaxLoginFails",         &["maxloginfails"],          "login.max-fails",       Text("NUMBER"),   "3",                  "Wrong passwords before the connection is closed",                        Server(|c, v| { c.max_login_fails = v.count()?; Ok(()) })),
    setting("LoginFailDelay",        &["loginfaildelay"],         "login.fail-delay",      Text("TIME"),     "1",                  "How long the answer to a wrong password is held back",                   Server(|c, v| { c.login_fail_delay = v.interval(Zero::Allow)?; Ok(()) })),
    setting("MinPassword",           &["minpassword"],            "login.min-password",    Text("NUMBER"),   "8",                  "Fewest octets of a password that SITE PSWD sets",                        Server(|c, v| { c.min_password = v.count()?; Ok(()) })),
    setting("MaxClients",            &["maxclients"],             "limits.clients",        Text("NUMBER"),   "2000",               "Connections in all; 0 is no limit, here and below",                      Server(|c, v| { c.limits.clients = v.limit()?; Ok(()) })).also(&["max_clients"]),
    setting("MaxPerAddress",         &["maxperaddress"],          "limits.per-address",    Text("NUMBER"),   "50",                 "Connections from one IPv4 address or one /64 of IPv6",                   Server(|c, v| { c.limits.per_address = v.limit()?; Ok(()) })).also(&["max_per_ip"]),
    setting("MaxPerUser",            &["maxperuser"],             "limits.per-user",       Text("NUMBER"),   "100",                "Sessions of one user",                                                   Session(|c, v| { c.max_per_user = v.limit()?; Ok(()) })),
    setting("MaxUnauthenticated",    &["maxunauthenticated"],     "limits.unauthenticated",Text("NUMBER"),   "100",                "Connections before login; who has most of them makes room for others",   Server(|c, v| { c.limits.unauthenticated = v.limit()?; Ok(()) })),
    setting("MaxPasswordChecks",     &["maxpasswordchecks"],      "limits.password-checks",Text("NUMBER"),   "0",                  "Passwords checked at a time; 0 is one for each processor core",          Server(|c, v| { c.limits.password_checks = v.limit()?; Ok(()) })),
    setting("ExemptNetworks",        &["exemptnetworks"],         "limits.exempt-networks",Text("LIST"),     "",                   "Networks with reserved places, beyond limits and penalties",             Server(|c, v| { c.limits.exempt = Some(Networks::parse(v.text)?); Ok(()) })),
    setting("Penalty",               &["penalty"],                "limits.penalty",        Text("TIME"),     "10",                 "Penalty of an address for a wrong password, which time pays; 0 is none", Server(|c, v| { c.limits.penalty = v.interval(Zero::Allow)?; Ok(()) })),
    setting("Ban",                   &["ban"],                    "limits.ban",            Text("TIME"),     "60",                 "Penalties in sum from which an address is refused until they are paid",  Server(|c, v| { c.limits.ban = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("LongestBan",            &["longestban"],             "limits.longest-ban",    Text("TIME"),     "600",                "Bans of an address double, up to this",                                  Server(|c, v| { c.limits.longest_ban = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("ReplyTimeout",          &["replytimeout"],           "session.reply-timeout", Text("TIME"),     "60",                 "How long a client may leave a reply unread",                             Server(|c, v| { c.reply_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("KeepAlive",             &["keepalive"],              "session.keepalive",     Text("SECONDS"),  "120",                "Silence after which the kernel asks whether a client is still there",    Server(|c, v| { c.keepalive = v.keepalive()?; Ok(()) })),
    setting("Enabled",               &["enabled"],                "account.enabled",       Switch,           "yes",                "Whether an account may be used at all",                                  Session(|c, v| { c.policy.enabled = v.switch()?; Ok(()) })),
    setting("Expires",               &["expires"],                "account.expires",       Text("DAY"),      "",                   "Last day on which an account may log in",                                Session(|c, v| { c.policy.expires = Some(v.day()?); Ok(()) })),
    setting("AllowedNetworks",       &["allowednetworks"],        "account.networks",      Text("LIST"),     "",                   "Networks that an account may log in from, by default all",               Session(|c, v| { c.policy.networks = Some(Networks::parse(v.text)?); Ok(()) })),
    setting("LoginHours",            &["loginhours"],             "account.hours",         Text("LIST"),     "",                   "Days and times at which an account may log in, by default any",          Session(|c, v| { c.policy.hours = Some(Hours::parse(v.text)?); Ok(()) })),
    setting("ChHome",                &["chhome"],                 "files.confine-home",    Switch,           "no",                 "Confine users to their home directories",                                Session(chhome)),
    setting("ChShare",               &["chshare"],                "files.confine-share",   Directory,        "",                   "Confine users to this directory; they start in their homes below it",    Session(|c, v| { c.jail = JailMode::Share(v.path()?); Ok(()) })),
    setting("Umask",                 &["umask"],                  "files.umask",           Text("MODE"),     "022",                "Mode bits that new files and directories do not get, in octal",          Session(|c, v| { c.umask = v.mode_bits()?; Ok(()) })),
    setting("Durability",            &["durability"],             "files.durability",      Choice(&["strict", "rename", "off"]), "strict", "What a confirmed upload survives: a power cut, the end of ftpd, nothing", Session(|c, v| { c.durability = v.durability()?; Ok(()) })),
    setting("KeepPartial",           &["keeppartial"],            "files.keep-partial",    Text("TIME"),     "1d",                 "How long a broken upload can be continued; 0: it is dropped at once",    Session(|c, v| { c.keep_partial = v.interval(Zero::Allow)?; Ok(()) })),
    setting("MaxFileSize",           &["maxfilesize"],            "files.max-size",        Text("SIZE"),     "0",                  "Largest size of an uploaded file, such as 2GiB; 0 is no limit",          Session(|c, v| { c.max_file_size = v.size_limit()?; Ok(()) })),
    setting("Locks",                 &["locks"],                  "files.locks",           Choice(&["none", "Advisory", "Mandatory", "MandatoryWrite"]), "none", "Files that are in use: refuse, warn, or refuse writing only", Session(|c, v| { c.locks = v.locks()?; Ok(()) })),
    setting("AdvisoryLocks",         &["alocks"],                 "files.advisory-locks",  Switch,           "no",                 "Short for Locks=Advisory",                                               Session(|c, v| locks(c, v, Locks::Advisory))),
    setting("MandatoryLocks",        &["mlocks"],                 "files.mandatory-locks", Switch,           "no",                 "Short for Locks=Mandatory",                                              Session(|c, v| locks(c, v, Locks::Mandatory))),
    setting("MandatoryWriteLocks",   &["malocks"],                "files.write-locks",     Switch,           "no",                 "Short for Locks=MandatoryWrite",                                         Session(|c, v| locks(c, v, Locks::MandatoryWrite))),
    setting("ListOwners",            &["listowners"],             "list.owners",           Choice(&["names", "numbers", "hidden"]), "names", "How listings show owners and groups",                          Session(|c, v| { c.list_owners = v.owners()?; Ok(()) })),
    setting("ListOrder",             &["listorder"],              "list.order",            Choice(&["directory", "name"]), "directory", "Order of listings that ask for none; \"name\" takes memory and time", Session(|c, v| { c.list_order = v.list_order()?; Ok(()) })),
    setting("ListDepth",             &["listdepth"],              "list.depth",            Text("NUMBER"),   "16",                 "Directories that LIST -R and */* go down, 64 at most; 0: no -R",       Session(|c, v| { c.list_depth = v.depth()?; Ok(()) })),
    setting("ListEntries",           &["listentries"],            "list.entries",          Text("NUMBER"),   "1000000",            "Entries after which LIST -R and */* end, with 451; 0 is no limit",       Session(|c, v| { c.list_entries = v.count_or_zero()?; Ok(()) })),
    setting("ArchiveLinks",          &["archivelinks"],           "archive.links",         Choice(&["keep", "skip"]), "keep",       "Whether archives of RETR with STRU T hold symbolic links",               Session(|c, v| { c.archive_links = v.archive_links()?; Ok(()) })),
    setting("ArchiveEntries",        &["archiveentries"],         "archive.entries",       Text("NUMBER"),   "1000000",            "The most entries of an archive, either way; 0 is no limit",              Session(|c, v| { c.archive_entries = v.count_or_zero()?; Ok(()) })),
    setting("ArchiveSize",           &["archivesize"],            "archive.size",          Text("SIZE"),     "0",                  "The most that STOR with STRU T unpacks, such as 2GiB; 0 is no limit",    Session(|c, v| { c.archive_size = v.size_limit()?; Ok(()) })),
    setting("Charset",               &["charset"],                "files.charset",         Text("CHARSET"),  "UTF-8",              "Charset of names on the wire; UTF-8 passes all octets as they are",      Session(|c, v| { c.charset = v.charset()?; Ok(()) })),
    setting("CharsetNetworks",       &["charsetnetworks"],        "files.charset-networks",Text("LIST"),     "",                   "Charset by client: NETWORK=CHARSET, the first match over Charset",       Server(|c, v| { c.charset_networks = CharsetNetworks::parse(v.text)?; Ok(()) })),
    setting("PermittedCommands",     &["permittedcommands"],      "session.commands",      Text("LIST"),     "ALL",                "Commands that clients may use",                                          Session(|c, v| { c.permitted = permitted::parse(v.text)?; Ok(()) })),
    setting("Idle",                  &["idle"],                   "session.idle",          Text("TIME"),     "600",                "Longest silence between commands; 0 is no limit",                        Session(|c, v| { c.idle = v.interval(Zero::Allow)?; Ok(()) })),
    setting("MaxIdle",               &["maxidle"],                "session.max-idle",      Text("TIME"),     "0",                  "Limit that clients cannot raise Idle above; 0 is none",                  Session(|c, v| { c.max_idle = v.interval(Zero::Allow)?; Ok(()) })),
    setting("DataConnectionLowPort", &["dclow"],                  "data.port-low",         Text("PORT"),     "49152",              "Lowest port of passive data connections",                                Session(|c, v| { c.data_ports.0 = v.port(1024)?; Ok(()) })).also(&["pasv_min_port"]),
    setting("DataConnectionHighPort",&["dchigh"],                 "data.port-high",        Text("PORT"),     "65535",              "Highest port of passive data connections",                               Session(|c, v| { c.data_ports.1 = v.port(1024)?; Ok(()) })).also(&["pasv_max_port"]),
    setting("DataConnectionPortRange",&["dcrange"],               "data.ports",            Text("LOW-HIGH"), "49152-65535",        "Both of these in one",                                                   Session(|c, v| { c.data_ports = v.port_range(1024)?; Ok(()) })),
    setting("PassiveAddress",        &["passiveaddress"],         "data.address",          Text("RULES"),    "local",              "Address that PASV tells: [CLIENTS=]local, ADDRESS, HOST or interface:NAME",  Server(|c, v| { c.passive_addresses = v.advertised()?; Ok(()) })).also(&["pasv_address"]),
    setting("PassiveResolve",        &["passiveresolve"],         "data.resolve",          Text("TIME"),     "60",                 "How often names in PassiveAddress are looked up; 0: at start only",      Server(|c, v| { c.passive_resolve = v.resolve()?; Ok(()) })).also(&["pasv_addr_resolve"]),
    setting("PassivePorts",          &["passiveports"],           "data.port-rules",       Text("RULES"),    "",                   "Passive ports: [CLIENTS=]LOW-HIGH, or OUTSIDE:INSIDE; over the range",   Server(|c, v| { c.passive_ports = Rules::parse(v.text, PortMap::parse)?; Ok(()) })),
    setting("PassivePeers",          &["passivepeers"],           "data.passive-peers",    Text("RULES"),    "client",             "Who may come to passive ports: [CLIENTS=]client, NETWORK+NETWORK, tls, any", Server(|c, v| { c.passive_peers = Peers::coming(v.text)?; Ok(()) })).also(&["pasv_promiscuous"]),
    setting("ActiveTargets",         &["activetargets"],          "data.active-targets",   Text("RULES"),    "client",             "Where PORT may lead: [CLIENTS=]client, NETWORK+NETWORK or any",          Server(|c, v| { c.active_targets = Peers::going(v.text)?; Ok(()) })).also(&["port_promiscuous"]),
    setting("TunnelNetworks",        &["tunnelnetworks"],         "data.tunnels",          Text("CLIENTS"),  "",                   "Clients whose control connection alone is forwarded: no EPSV for them",  Server(|c, v| { c.tunnels = ClientList::parse(v.text)?; Ok(()) })),
    setting("ProxyData",             &["proxydata"],              "data.proxy-header",     Switch,           "no",                 "Passive data connections of ProxyNetworks begin with that header too",   Server(|c, v| { c.proxy_data = v.switch()?; Ok(()) })),
    setting("PassiveMode",           &["passivemode"],            "data.passive",          Switch,           "yes",                "Whether clients may connect for data: PASV, EPSV and LPSV",              Session(|c, v| { c.passive_mode = v.switch()?; Ok(()) })).also(&["pasv_enable"]),
    setting("NoPASV",                &["nopasv"],                 "data.no-passive",       Switch,           "no",                 "Short for PassiveMode=no",                                               Session(no_passive)),
    setting("ActiveMode",            &["activemode"],             "data.active",           Switch,           "yes",                "Whether the server may connect to clients: PORT, EPRT and LPRT",         Session(|c, v| { c.active_mode = v.switch()?; Ok(()) })).also(&["port_enable"]),
    setting("DefaultDataPort",       &["defaultdataport"],        "data.default-port",     Switch,           "no",                 "Without PORT or PASV, connect to the client's port of the control connection", Session(|c, v| { c.default_data_port = v.switch()?; Ok(()) })),
    setting("ActivePorts",           &["activeports"],            "data.active-ports",     Text("LIST"),     "any",                "Ports that active data connections come from, in order, such as 20; or any", Server(|c, v| { c.active_sources.set(SourcePorts::parse(v.text)?); Ok(()) })).also(&["ftp_data_port"]),
    setting("ActivePort20",          &["activeport20"],           "data.active-port-20",   Switch,           "no",                 "Short for ActivePorts=20, or for those that are named",                  Server(|c, v| { c.active_sources.default_to_20(v.switch()?); Ok(()) })).also(&["connect_from_port_20"]),
    setting("ActivePortsOnly",       &["activeportsonly"],        "data.active-ports-only", Switch,          "no",                 "Answer 425 where all ActivePorts are in use, instead of taking another", Server(|c, v| { c.active_sources.strict = v.switch()?; Ok(()) })),
    setting("DataTimeout",           &["datatimeout"],            "data.timeout",          Text("TIME"),     "30",                 "How long a data connection may take to come about",                      Session(|c, v| { c.data_timeout = v.interval(Zero::Refuse)?; Ok(()) })).also(&["connect_timeout"]),
    setting("PassiveTimeout",        &["passivetimeout"],         "data.passive-timeout",  Text("TIME"),     "30",                 "How long a passive port stays open without a transfer that uses it",     Session(|c, v| { c.passive_timeout = v.interval(Zero::Refuse)?; Ok(()) })).also(&["accept_timeout"]),
    setting("StallTimeout",          &["stalltimeout"],           "data.stall-timeout",    Text("TIME"),     "300",                "How long a transfer may make no progress",                               Session(|c, v| { c.stall_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("AwaitAcknowledgement",  &["awaitacknowledgement"],   "data.await-acknowledgement", Switch,      "yes",                "226 of a download waits until the client's system has acknowledged all", Server(|c, v| { c.await_acknowledgement = v.switch()?; Ok(()) })),
    setting("DownloadRate",          &["downloadrate"],           "data.download-rate",    Text("RATE"),     "0",                  "Fastest that a session sends, such as 10MiB/s or 100Mbit/s; 0: any",     Session(|c, v| { c.rates.download = v.rate()?; Ok(()) })),
    setting("UploadRate",            &["uploadrate"],             "data.upload-rate",      Text("RATE"),     "0",                  "Fastest that a session receives; 0: any",                                Session(|c, v| { c.rates.upload = v.rate()?; Ok(()) })),
    setting("UserDownloadRate",      &["userdownloadrate"],       "data.user-download-rate", Text("RATE"),   "0",                  "Fastest that all sessions of a user send together; 0: any",              Session(|c, v| { c.user_rates.download = v.rate()?; Ok(()) })),
    setting("UserUploadRate",        &["useruploadrate"],         "data.user-upload-rate", Text("RATE"),     "0",                  "Fastest that all sessions of a user receive together; 0: any",           Session(|c, v| { c.user_rates.upload = v.rate()?; Ok(()) })),
    setting("TotalDownloadRate",     &["totaldownloadrate"],      "data.total-download-rate", Text("RATE"),  "0",                  "Fastest that all sessions send together; 0: any",                        Server(|c, v| { c.total_rates.download = v.rate()?; Ok(()) })),
    setting("TotalUploadRate",       &["totaluploadrate"],        "data.total-upload-rate", Text("RATE"),    "0",                  "Fastest that all sessions receive together; 0: any",                     Server(|c, v| { c.total_rates.upload = v.rate()?; Ok(()) })),
    setting("InflateRatio",          &["inflateratio"],           "data.inflate-ratio",    Text("NUMBER"),   "200",                "How many times larger MODE Z uploads may get, from 64 MiB up; 0 is any",      Session(|c, v| { c.inflate_ratio = v.count_or_zero()?; Ok(()) })),
    setting("ConfirmTransfers",      &["confirm-transfer", "confirm-transfers"], "data.confirm", Text("HASH"),     "",                   "Digest that the 226 of a transfer tells, such as SHA-256; none tells none",   Session(|c, v| { c.confirm = v.digest()?; Ok(()) })).also(&["ConfirmTransfer"]),
    setting("TLSRequired",           &["tls-required"],           "tls.required",          Choice(&["off", "login", "data", "all"]), "off", "What may not travel in the clear: logins, data, both",                  Session(|c, v| { c.protection.required = TlsRequired::parse(v.text)?; Ok(()) })),
    setting("TLSRequiredAnonymous",  &["tls-required-anonymous"], "tls.required-anonymous", Choice(&["off", "login", "data", "all"]), "off", "The same for accounts that take any password",                         Session(|c, v| { c.tls_required_anonymous = TlsRequired::parse(v.text)?; Ok(()) })),
    setting("TLSDataBinding",        &["tls-data-binding"],       "tls.data-binding",      Choice(&["require", "prefer", "off"]), "prefer", "Data must resume the control connection's TLS; \"prefer\" logs others", Session(|c, v| { c.protection.binding = DataBinding::parse(v.text)?; Ok(()) })),
    setting("TLSCloseNotify",        &["tls-close-notify"],       "tls.close-notify",      Choice(&["strict", "lax"]), "strict",   "Whether an upload whose TLS ends without close_notify is a broken one",  Session(|c, v| { c.protection.close_notify = CloseNotify::parse(v.text)?; Ok(()) })),
    setting("PermitCCC",             &["permit-ccc"],             "tls.permit-ccc",        Switch,           "no",                 "Let clients leave TLS on the control connection, for address translators",  Session(|c, v| { c.protection.clear_commands = clear_commands(v)?; Ok(()) })),
    setting("CertificateLogin",      &["certificate-login"],      "tls.certificate-login", Choice(&["off", "enough", "only", "both"]), "off", "What a client's certificate is worth: the password, more, or its half",  Session(|c, v| { c.certificate.login = CertificateLogin::parse(v.text)?; Ok(()) })),
    setting("CertificateNames",      &["certificate-names"],      "tls.certificate-names", Text("LIST"),     "cn",                 "Which name in it must be the account's: cn, email, dns",                 Session(|c, v| { c.certificate.names = CertificateNames::parse(v.text)?; Ok(()) })),
    setting("CertificateFingerprint", &["certificate-fingerprint"], "tls.certificate-fingerprint", Text("LIST"), "",             "SHA-256 of the account's certificates; names no longer count then",      Session(|c, v| { c.certificate.fingerprints = Fingerprint::parse_list(v.text)?; Ok(()) })),
    setting("UploadHook", &["uploadhook"], "hooks.upload", Text("PATH[,USER[,DIR]]"), "", "Program after each whole upload; it gets the path", Server(|c, v| script(c, v, Event::Upload))),
    setting("DownloadHook", &["downloadhook"], "hooks.download", Text("PATH[,USER[,DIR]]"), "", "Program after each whole download; it gets the path", Server(|c, v| script(c, v, Event::Download))),
    setting("DeleteHook", &["deletehook"], "hooks.delete", Text("PATH[,USER[,DIR]]"), "", "Program after a file was deleted; it gets the path", Server(|c, v| script(c, v, Event::Delete))),
    setting("RenameHook", &["renamehook"], "hooks.rename", Text("PATH[,USER[,DIR]]"), "", "Program after a renaming; it gets the old path and the new one", Server(|c, v| script(c, v, Event::Rename))),
    setting("LogonHook", &["logonhook"], "hooks.login", Text("PATH[,USER[,DIR]]"), "", "Program after a login; it gets the user", Server(|c, v| script(c, v, Event::Login))).also(&["LoginHook"]),
    setting("LogoffHook", &["logoffhook"], "hooks.logout", Text("PATH[,USER[,DIR]]"), "", "Program after the end of a session, in whichever way; it gets the user", Server(|c, v| script(c, v, Event::Logout))).also(&["LogoutHook"]),
    setting("ConnectUpHook", &["connectuphook", "dcus"], "hooks.data-up", Text("PATH[,USER[,DIR]]"), "", "Program before each data connection, waited for; a failure refuses it", Server(|c, v| script(c, v, Event::DataUp))).also(&["DataConnectUpScript"]),
    setting("ConnectDownHook", &["connectdownhook", "dcds"], "hooks.data-down", Text("PATH[,USER[,DIR]]"), "", "Program after each data connection, waited for", Server(|c, v| script(c, v, Event::DataDown))).also(&["DataConnectDownScript"]),
    setting("EventSpool",            &["event-spool"],            "hooks.spool",           Directory,        "",                   "Directory that keeps events of uploads until their hooks are done", Server(|c, v| { c.spool = Some(v.path()?); Ok(()) })),
    setting("EventSpoolFull",        &["event-spool-full"],       "hooks.spool-full",      Choice(&["refuse", "accept"]), "refuse", "What becomes of an upload whose event cannot be kept there",          Server(|c, v| { c.spool_full = SpoolFull::parse(v.text)?; Ok(()) })),
    setting("Targets",               &["targets"],                "proxy.targets",         Text("LIST"),     "",                   "Servers that clients may be led to: HOST, NETWORK or HOST=NETWORK, with :PORTS", Server(|c, v| { c.leading.targets = Targets::parse(v.text)?; Ok(()) })),
    setting("UserTargets",           &["user-targets"],           "proxy.user-targets",    Text("LIST"),     "",                   "Who may go where of Targets: USERS@TARGET each; others go nowhere then", Server(|c, v| { c.leading.user_targets = UserTargets::parse(v.text)?; Ok(()) })),
    setting("ProxyClients",          &["proxyclients"],           "proxy.clients",         Choice(&["anybody", "users"]), "anybody", "Who is led to Targets: anybody by USER name@host, or users by SITE PROXY", Server(|c, v| { c.leading.who = Led::parse(v.text)?; Ok(()) })),
    setting("Transparent",           &["proxy"],                  "proxy.transparent",     Switch,           "no",                 "Serve only connections that a firewall redirects here, and go where they went", Server(|c, v| c.leading.transparent.turn(v, Transparent::Redirect))),
    setting("TProxy",                &["tproxy"],                 "proxy.tproxy",          Switch,           "no",                 "The same behind a TPROXY rule; servers see each client's own address",   Server(|c, v| c.leading.transparent.turn(v, Transparent::Tproxy))),
    setting("ProxyActive",           &["proxyactive"],            "proxy.active",          Switch,           "no",                 "Have the servers of Targets open the data connections",                  Server(|c, v| { c.leading.server_data = ServerData::parse(v)?; Ok(()) })),
    setting("ServerTLS",             &["server-tls"],             "proxy.tls",             Choice(&["off", "prefer", "require", "implicit"]), "off", "TLS towards servers of Targets, whose certificates are always verified", Server(|c, v| { c.leading.upstream.mode = ServerTls::parse(v.text)?; Ok(()) })),
    setting("ServerCA",              &["server-ca"],              "proxy.ca",              Files,            "",                   "Authorities that certify servers of Targets, in PEM; by default the system's", Server(|c, v| { c.leading.upstream.authorities = v.paths()?; Ok(()) })),
    setting("ServerTLSMaxVersion",   &["server-tls-max-version"], "proxy.tls-max-version", Choice(&["1.2", "1.3"]), "1.2",         "The newest TLS towards servers of Targets; 1.3 where they give tickets enough", Server(|c, v| { c.leading.upstream.newest = TlsVersion::parse(v.text)?; Ok(()) })),
    setting("ConnectTimeout",        &["connecttimeout"],         "proxy.connect-timeout", Text("TIME"),     "30",                 "How long the way to a server of Targets may take, its name's look-up too", Server(|c, v| { c.leading.connect_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("AnswerTimeout",         &["answertimeout"],          "proxy.answer-timeout",  Text("TIME"),     "300",                "How long a server of Targets may take to answer a command",              Server(|c, v| { c.leading.answer_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
];

const EXCLUSIVE: &[(&str, &str)] = &[
    ("Transparent", "TProxy"),
    ("ChHome", "ChShare"),
    ("Banner", "BannerFile"),
    ("DataConnectionPortRange", "DataConnectionLowPort"),
    ("DataConnectionPortRange", "DataConnectionHighPort"),
    ("PassiveMode", "NoPASV"),
    ("Locks", "AdvisoryLocks"),
    ("Locks", "MandatoryLocks"),
    ("Locks", "MandatoryWriteLocks"),
    ("AdvisoryLocks", "MandatoryLocks"),
    ("AdvisoryLocks", "MandatoryWriteLocks"),
    ("MandatoryLocks", "MandatoryWriteLocks"),
];

pub(super) const fn setting(
    key: &'static str,
    flags: &'static [&'static str],
    toml: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
    set: Set,
) -> Setting {
    Setting {
        key,
        also: &[],
        flags,
        toml,
        kind,
        default,
        doc,
        set,
    }
}

impl Setting {
    pub(super) const fn also(mut self, also: &'static [&'static str]) -> Setting {
        self.also = also;
        self
    }

    /// Finds a setting of `ftpd` by its key or another spelling of it, in any case.
    pub fn find(key: &str) -> Option<&'static Setting> {
        FTPD.find(key)
    }

    /// The key and its other spellings.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.key].into_iter().chain(self.also.iter().copied())
    }

    pub fn scope(&self) -> Scope {
        match self.set {
            CommandLine(_) => Scope::CommandLine,
            Server(_) | Set::Gateway(_) => Scope::Server,
            Session(_) => Scope::Session,
        }
    }

    /// The part of the configuration that the setting is about.
    pub fn topic(&self) -> &'static str {
        self.toml
            .split_once('.')
            .map_or(self.toml, |(topic, _)| topic)
    }

    /// The variable in the environment that makes the setting, behind the program's prefix.
    pub fn variable(&self) -> String {
        self.toml.to_ascii_uppercase().replace(['.', '-'], "_")
    }

    /// What help calls the value.
    pub fn value_name(&self) -> &'static str {
        match self.kind {
            Switch => "yes|no",
            File | Content => "FILE",
            Files => "FILE[,FILE]",
            Directory => "DIR",
            Choice(_) => "WORD",
            Text(name) => name,
        }
    }
}

fn script(config: &mut ServerConfig, value: Value, event: Event) -> Result<(), Wrong> {
    config
        .scripts
        .set(event, value.text)
        .map_err(Wrong::Because)
}

fn run(config: &mut ServerConfig, value: Value, run: Run) -> Result<(), Wrong> {
    if value.switch()? {
        config.run = run;
    }
    Ok(())
}

fn no_passive(config: &mut SessionConfig, value: Value) -> Result<(), Wrong> {
    if value.switch()? {
        config.passive_mode = false;
    }
    Ok(())
}

fn locks(config: &mut SessionConfig, value: Value, locks: Locks) -> Result<(), Wrong> {
    if value.switch()? {
        config.locks = locks;
    } else if config.locks == locks {
        config.locks = Locks::None;
    }
    Ok(())
}

fn clear_commands(value: Value) -> Result<ClearCommands, Wrong> {
    Ok(match value.switch()? {
        true => ClearCommands::Permit,
        false => ClearCommands::Refuse,
    })
}

fn chhome(config: &mut SessionConfig, value: Value) -> Result<(), Wrong> {
    if value.switch()? {
        config.jail = JailMode::Home;
    } else if config.jail == JailMode::Home {
        config.jail = JailMode::None;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Config;

    fn set(config: &mut Config, setting: &Setting, text: &str) -> Result<(), Wrong> {
        let value = Value { text, base: None };
        match setting.set {
            CommandLine(set) | Server(set) => set(&mut config.server, value),
            Session(set) => set(&mut config.session, value),
            Set::Gateway(_) => panic!("{} is not a setting of ftpd", setting.key),
        }
    }

    fn unique<'a>(names: impl Iterator<Item = &'a str>, fold: fn(&str) -> String) {
        let mut names: Vec<_> = names.map(fold).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn keys_flags_and_toml_names_are_unique() {
        let keys = TABLE.iter().flat_map(Setting::keys);
        unique(keys, str::to_ascii_lowercase);
        unique(
            TABLE.iter().flat_map(|s| s.flags.iter().copied()),
            str::to_owned,
        );
        unique(TABLE.iter().map(|s| s.toml), str::to_owned);
        let variables: Vec<_> = TABLE.iter().map(Setting::variable).collect();
        unique(variables.iter().map(String::as_str), str::to_owned);
        for (one, other) in EXCLUSIVE {
            assert!(Setting::find(one).is_some() && Setting::find(other).is_some());
        }
    }

    #[test]
    fn every_default_parses_to_the_default_configuration() {
        for setting in TABLE.iter().filter(|s| !s.default.is_empty()) {
            let mut config = Config::default();
            assert_eq!(set(&mut config, setting, setting.default), Ok(()));
            assert_eq!(config, Config::default(), "{}", setting.key);
        }
    }

    #[test]
    fn every_setting_sets_something() {
        let sample = |setting: &Setting| match (setting.key, setting.kind) {
            ("ArchiveLinks", _) => "skip",
            ("BindAddress", _) => "127.0.0.1",
            ("Charset", _) => "GBK",
            ("ExemptNetworks" | "ProxyNetworks" | "TunnelNetworks", _) => "10.0.0.0/8",
            ("CharsetNetworks", _) => "10.0.0.0/8=GBK",
            ("Targets", _) => "192.0.2.0/24",
            ("UserTargets", _) => "alice@192.0.2.0/24",
            ("ProxyClients", _) => "users",
            ("AllowedNetworks", _) => "10.0.0.0/8",
            ("Durability", _) => "rename",
            ("EventSpoolFull", _) => "accept",
            ("Locks", _) => "Mandatory",
            ("Enabled", _) => "no",
            ("Expires", _) => "2027-01-31",
            ("LoginHours", _) => "Mon",
            ("ListDepth", _) => "3",
            ("ListOrder", _) => "name",
            ("ListOwners", _) => "hidden",
            ("LogFormat", _) => "json",
            ("LogLevel", _) => "commands",
            ("PasswordCost", _) => "m=8,t=1,p=1",
            ("PermittedCommands", _) => "READ",
            ("DataConnectionPortRange" | "PassivePorts", _) => "2000-3000",
            ("PassiveAddress", _) => "192.0.2.1",
            ("PassivePeers" | "ActiveTargets", _) => "any",
            ("Umask", _) => "077",
            ("ConfirmTransfers", _) => "sha256",
            ("TLSRequired" | "TLSRequiredAnonymous", _) => "all",
            ("TLSDataBinding", _) => "require",
            ("TLSCloseNotify", _) => "lax",
            ("ClientCertificate", _) => "optional",
            ("TLSUnknownHost", _) => "refuse",
            ("CertificateLogin", _) => "both",
            ("CertificateNames", _) => "email",
            ("CertificateFingerprint", _) => {
                "2024202420242024202420242024202420242024202420242024202420242024"
            }
            ("UpdatePass", _) => "sha512",
            (_, Text("PATH[,USER[,DIR]]")) => "/some/where",
            ("AuthMethods", _) => "shadow",
            ("TLSMinVersion" | "ServerTLSMaxVersion", _) => "1.3",
            ("ServerTLS", _) => "require",
            ("TLSCipherSuites", _) => "TLS_AES_128_GCM_SHA256",
            ("PassiveMode" | "ActiveMode" | "AwaitAcknowledgement", _) => "no",
            (_, Text("RATE")) => "2024B/s",
            (_, Switch) => "yes",
            (_, File | Files | Directory | Content) => "/some/where",
            (_, Choice(_) | Text(_)) => "2024",
        };
        for setting in TABLE {
            let mut config = Config::default();
            assert_eq!(set(&mut config, setting, sample(setting)), Ok(()));
            assert_ne!(config, Config::default(), "{}", setting.key);
        }
    }

    #[test]
    fn ipv4_only_narrows_what_is_listened_on() {
        let only = Setting::find("ipv4only").unwrap();
        let mut config = Config::default();
        set(&mut config, only, "").unwrap();
        assert!(config.server.bind.ipv4_only);
        let address = Setting::find("bindaddress").unwrap();
        set(&mut config, address, "127.0.0.1, eth0").unwrap();
        assert_eq!(set(&mut config, only, ""), Ok(()));
        set(&mut config, address, "127.0.0.1, ::1").unwrap();
        assert!(set(&mut config, only, "").is_err());
        assert_eq!(set(&mut config, only, "no"), Ok(()));
    }

    #[test]
    fn chhome_no_means_no() {
        let chhome = Setting::find("CHHOME").unwrap();
        let mut config = Config::default();
        set(&mut config, chhome, "").unwrap();
        assert_eq!(config.session.jail, JailMode::Home);
        set(&mut config, chhome, "no").unwrap();
        assert_eq!(config.session.jail, JailMode::None);
        config.session.jail = JailMode::Share("/srv".into());
        set(&mut config, chhome, "no").unwrap();
        assert_eq!(config.session.jail, JailMode::Share("/srv".into()));
    }

    #[test]
    fn documentation_is_one_short_line() {
        for setting in TABLE {
            assert!(setting.doc.len() < 80 && !setting.doc.ends_with('.'));
            assert!(setting.toml.split_once('.').is_some());
            assert!(!setting.flags.is_empty());
        }
    }
}
