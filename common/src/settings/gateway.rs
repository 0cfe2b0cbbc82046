//! The settings of `ftpproxy`: its table and the typed configuration. Pure: no I/O.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::assign::{Target, foreign};
use super::hooks::{self, Hooks};
use super::networks::Networks;
use super::pool::{self, Pool};
use super::table::{Kind, Set, Setting, Settings, setting};
use super::targets::Targets;
use super::user_targets::UserTargets;
use super::value::{SYSLOG, Value, Wrong, Zero, words};
use super::{
    Bind, CipherSuites, DataBinding, Limits, LogLevel, Outputs, Run, ServerTls, Tls, TlsRequired,
    TlsVersion, UpstreamTls, permitted,
};
use crate::hooks::{Hook, Kind as Event, Scripts};
use crate::proto::destination::{Destination, Host};
use crate::proto::verbs::VerbSet;

/// Everything that a running `ftpproxy` was told. Without [`targets`](Self::targets) it goes nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayConfig {
    /// The port for clients.
    pub port: u16,
    pub bind: Bind,
    pub run: Run,
    /// Where the number of the daemon's process is written.
    pub pid_file: Option<PathBuf>,
    /// How long SIGTERM lets transfers finish.
    pub drain_timeout: Duration,
    /// Where whoever runs the gateway asks it.
    pub control_socket: Option<PathBuf>,
    /// Where log lines go; `None` is the standard error when in the foreground, else nowhere.
    pub log_file: Option<PathBuf>,
    pub log_level: LogLevel,
    pub outputs: Outputs,
    /// Programs by single settings, and the hooks of tables and directives.
    pub scripts: Scripts,
    pub hooks: Hooks,
    /// The uid and gid of the process that reads the network; those behind it are of other processes.
    pub user: u32,
    pub banner: Option<String>,
    /// What clients are offered of TLS; without a certificate nothing.
    pub tls: Tls,
    /// What of theirs must not travel in the clear.
    pub required: TlsRequired,
    pub binding: DataBinding,
    /// TLS towards servers.
    pub upstream: UpstreamTls,
    /// Where clients may go.
    pub targets: Targets,
    /// Who of them may go where; without rules all may.
    pub user_targets: UserTargets,
    /// Where all of them go.
    pub server: Option<Destination>,
    /// The servers that this stands in front of: each user is led to one of them.
    pub pool: Pool,
    pub transparent: Transparent,
    pub server_data: ServerData,
    pub header: ServerHeader,
    pub limits: Limits,
    /// How many sessions of one login name and destination there may be; zero is no limit.
    pub max_per_user: u32,
    pub permitted: VerbSet,
    /// Time for a login, from the connection to the server's 230.
    pub login_timeout: Duration,
    /// How long the way to a server may take, names and all.
    pub connect_timeout: Duration,
    /// How long a server may take to answer.
    pub answer_timeout: Duration,
    /// The longest silence between commands; zero is no limit.
    pub idle: Duration,
    /// How long a client may leave a reply unread.
    pub reply_timeout: Duration,
    /// How long a data connection may take to come about.
    pub data_timeout: Duration,
    /// How long a transfer may make no progress; zero is no limit.
    pub stall_timeout: Duration,
    /// Whether the end of a download is told once the client's system has acknowledged all of it.
    pub await_acknowledgement: bool,
    /// Ports for data connections, on either side, both ends included.
    pub data_ports: (u16, u16),
}

/// Whether each client goes where it wanted to go before a firewall brought it here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transparent {
    #[default]
    Off,
    /// By a REDIRECT rule: servers see the gateway's address.
    Redirect,
    /// By a TPROXY rule: sockets have the addresses of clients and servers, so that neither sees the gateway's. Needs root.
    Tproxy,
}

impl Transparent {
    pub fn is_on(self) -> bool {
        self != Transparent::Off
    }

    /// Obeys the switch of one of the ways.
    pub(super) fn turn(&mut self, value: Value, to: Transparent) -> Result<(), Wrong> {
        match value.switch()? {
            true => *self = to,
            false if *self == to => *self = Transparent::Off,
            false => {}
        }
        Ok(())
    }
}

/// Who opens the data connections between gateway and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerData {
    /// The gateway (PASV, EPSV).
    Passive,
    /// The server (PORT, EPRT).
    Active,
}

/// What connections to servers begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerHeader {
    None,
    /// A header of the PROXY protocol, version 2, which names the client.
    V2,
}

impl ServerHeader {
    fn parse(text: &str) -> Result<ServerHeader, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(ServerHeader::None),
            "v2" => Ok(ServerHeader::V2),
            _ => Err(Wrong::Not("off or v2".to_owned())),
        }
    }
}

impl ServerData {
    /// A switch that has the servers do it.
    pub(super) fn parse(value: Value) -> Result<ServerData, Wrong> {
        Ok(match value.switch()? {
            true => ServerData::Active,
            false => ServerData::Passive,
        })
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        GatewayConfig {
            port: 21,
            bind: Bind::default(),
            run: Run::Background,
            pid_file: None,
            drain_timeout: Duration::from_secs(30),
            control_socket: None,
            log_file: None,
            log_level: LogLevel::Transfers,
            outputs: Outputs::default(),
            scripts: Scripts::default(),
            hooks: Hooks::default(),
            user: 60631,
            banner: None,
            tls: Tls::default(),
            required: TlsRequired::Off,
            binding: DataBinding::Prefer,
            upstream: UpstreamTls::default(),
            targets: Targets::default(),
            user_targets: UserTargets::default(),
            server: None,
            pool: Pool::default(),
            transparent: Transparent::Off,
            server_data: ServerData::Passive,
            header: ServerHeader::None,
            limits: Limits {
                // It is the server that checks them; this is how many may wait for that.
                password_checks: 1000,
                ..Limits::default()
            },
            max_per_user: 100,
            permitted: VerbSet::ALL,
            login_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(300),
            idle: Duration::from_secs(600),
            reply_timeout: Duration::from_secs(60),
            data_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(300),
            await_acknowledgement: true,
            data_ports: (49152, 65535),
        }
    }
}

impl GatewayConfig {
    /// All that is to be done when something happens.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        hooks::all(&self.scripts, &self.hooks)
    }

    /// The same with their places in the configuration.
    pub fn placed_hooks(&self) -> Vec<(String, &Hook)> {
        hooks::placed(TABLE, &self.scripts, &self.hooks)
    }

    /// The uids of processes of our own: what reads the network, the logger, the dialers, the signer, the watcher of a pool, and
    /// programs of hooks.
    pub fn own_uids(&self) -> [u32; 6] {
        [0, 1, 2, 3, 4, 5].map(|offset| self.user.saturating_add(offset))
    }

    /// Whether syslog is told what is logged, by its own setting or as the log's name.
    pub fn logs_to_syslog(&self) -> bool {
        self.outputs.syslog || self.log_file.as_deref() == Some(Path::new(SYSLOG))
    }

    /// Whether clients need not say where they go.
    pub fn leads(&self) -> bool {
        self.server.is_some() || self.transparent.is_on()
    }

    /// Whether the name of a user alone says where it goes.
    pub fn pools(&self) -> bool {
        !self.pool.is_empty()
    }

    /// Finishes it once all sources have been applied: `Err` names the key to correct, and says why.
    pub(super) fn settle(&mut self) -> Result<(), (&'static str, String)> {
        let (low, high) = self.data_ports;
        if low > high {
            let text = format!("the lowest data port, {low}, is above the highest, {high}");
            return Err(("DataConnectionHighPort", text));
        }
        self.tls.settle()?;
        if self.tls.certificates.is_empty() && self.required != TlsRequired::Off {
            return Err(("TLSRequired", "TLSRequired needs a Certificate".to_owned()));
        }
        let upstream = self
            .upstream
            .settle(&self.tls, self.server.is_some() || self.pools());
        upstream.map_err(|(key, text)| (key, text.to_owned()))?;
        let usual = self.upstream.mode.usual_port();
        self.targets.set_usual_port(usual);
        self.user_targets.set_usual_port(usual);
        self.server = self.server.take().map(|it| it.with_usual_port(usual));
        for server in &mut self.pool.servers {
            server.destination = server.destination.clone().with_usual_port(usual);
        }
        self.pool.settle()?;
        // Who names a server by its address has permitted it.
        self.targets.permit(self.pool.addresses());
        if self.targets.is_empty() && !self.pools() {
            let text = "Targets says nothing, so nobody could go anywhere: name networks and hosts with their ports, such as \
                        -targets ftp.example.org,192.0.2.0/24:21; or a pool of servers: -servers one=192.0.2.1,two=192.0.2.2";
            return Err(("Targets", text.to_owned()));
        }
        if let Some(server) = &self.server
            && !self.transparent.is_on()
            && let Some(why) = self.targets.forbid(server)
        {
            return Err(("Server", format!("Server is {server}, which {why}")));
        }
        match &self.server {
            Some(_) if self.transparent.is_on() => {
                let text = "Server and Transparent exclude each other: one server for all, or where each client wanted to go";
                Err(("Server", text.to_owned()))
            }
            Some(server) if !self.user_targets.name_somebody_for(server) => {
                let text = format!(
                    "Server is {server}, to which no rule of UserTargets lets anybody: such as -user-targets 'alice@{server}'"
                );
                Err(("UserTargets", text))
            }
            None if self.header != ServerHeader::None && !self.pools() => {
                let text = "ServerProxyProtocol is for servers that expect a header: it needs Server or Servers";
                Err(("ServerProxyProtocol", text.to_owned()))
            }
            _ => self.settle_pool(),
        }
    }

    fn settle_pool(&self) -> Result<(), (&'static str, String)> {
        if self.pools() && (self.leads()) {
            let other = match self.transparent {
                Transparent::Off => "Server",
                Transparent::Redirect => "Transparent",
                Transparent::Tproxy => "TProxy",
            };
            let text = format!(
                "Servers and {other} exclude each other: a pool has its own way for each user"
            );
            return Err(("Servers", text));
        }
        if self.pools() && !self.user_targets.is_empty() {
            let text = "Servers and UserTargets exclude each other: UserServers says who goes to which servers of a pool";
            return Err(("UserTargets", text.to_owned()));
        }
        let forbidden = self.pool.servers.iter().find(|server| {
            let Destination { host, port, .. } = &server.destination;
            !self.targets.may_permit(host, *port)
        });
        match forbidden {
            Some(server) => {
                let at = &server.destination;
                let text = format!(
                    "Servers has {server}, a name whose addresses no rule of Targets permits: such as -targets {}=192.0.2.0/24:{}",
                    at.host, at.port
                );
                Err(("Servers", text))
            }
            None => Ok(()),
        }
    }
}

impl Target for GatewayConfig {
    fn set(&mut self, set: &Set, value: Value) -> Result<(), Wrong> {
        match set {
            Set::Gateway(set) => set(self, value),
            Set::CommandLine(_) | Set::Server(_) | Set::Session(_) => Err(foreign()),
        }
    }
}

use Kind::{Choice, File, Files, Switch, Text};
use Set::Gateway;

/// What `ftpproxy` can be told.
pub const FTPPROXY: &Settings = &Settings {
    rows: TABLE,
    exclusive: &[
        ("Server", "Transparent"),
        ("Server", "Servers"),
        ("Servers", "Transparent"),
        ("Server", "TProxy"),
        ("Transparent", "TProxy"),
        ("Servers", "TProxy"),
        ("DataConnectionPortRange", "DataConnectionLowPort"),
        ("DataConnectionPortRange", "DataConnectionHighPort"),
    ],
    users: false,
    hooks: true,
    environment: "FTPPROXY_",
    page: "ftpproxy.conf(5)",
};

/// All settings, in the order of the manual. Of one source, they are applied in this order too.
#[rustfmt::skip]
const TABLE: &[Setting] = &[
    //      key                      flags                 TOML name                kind              default   documentation                                                             what it sets
    setting("Port",                  &["port", "p"],       "listen.port",           Text("PORT"),     "21",     "Port for clients; 0 is any free one",                                    Gateway(|c, v| { c.port = v.port(0)?; Ok(()) })),
    setting("BindAddress",           &["bindaddress", "i"],"listen.address",        Text("PLACES"),   "",       "Addresses and interfaces to listen on, with :PORT or not; by default all", Gateway(|c, v| c.bind.name(v.text))),
    setting("IPv4Only",              &["4"],               "listen.ipv4-only",      Switch,           "no",     "Listen on IPv4 addresses only",                                          Gateway(|c, v| c.bind.narrow(v))),
    setting("Certificate",           &["cert"],            "tls.certificate",       Files,            "",       "Certificate chains in PEM; more than one: by the host that clients name",Gateway(|c, v| { c.tls.certificates = v.paths()?; Ok(()) })),
    setting("CertificateKey",        &["key"],             "tls.key",               Files,            "",       "The key to each certificate; by default it is in the certificate's file",Gateway(|c, v| { c.tls.keys = v.paths()?; Ok(()) })),
    setting("TLSPort",               &["tls-port"],        "tls.port",              Text("PORT"),     "",       "Port where TLS begins at once, such as 990; by default there is none",   Gateway(|c, v| { c.tls.port = Some(v.port(0)?); Ok(()) })),
    setting("TLSMinVersion",         &["tls-min-version"], "tls.min-version",       Choice(&["1.2", "1.3"]), "1.2", "The oldest version of TLS",                                          Gateway(|c, v| { c.tls.least = TlsVersion::parse(v.text)?; Ok(()) })),
    setting("TLSCipherSuites",       &["tls-cipher-suites"],"tls.cipher-suites",    Text("LIST"),     "all",    "Cipher suites by their IANA names, or all",                              Gateway(|c, v| { c.tls.suites = CipherSuites::parse(v.text)?; Ok(()) })),
    setting("TLSRequired",           &["tls-required"],    "tls.required",          Choice(&["off", "login", "data", "all"]), "off", "What of clients must be under TLS: names and passwords, data, or all",   Gateway(|c, v| { c.required = TlsRequired::parse(v.text)?; Ok(()) })),
    setting("TLSDataBinding",        &["tls-data-binding"],"tls.data-binding",      Choice(&["require", "prefer", "off"]), "prefer", "Whether clients' data must resume the control connection's TLS session",  Gateway(|c, v| { c.binding = DataBinding::parse(v.text)?; Ok(()) })),
    setting("ServerTLS",             &["server-tls"],      "servers.tls",           Choice(&["off", "prefer", "require", "implicit"]), "off", "TLS towards servers, whose certificates are always verified",    Gateway(|c, v| { c.upstream.mode = ServerTls::parse(v.text)?; Ok(()) })),
    setting("ServerCA",              &["server-ca"],       "servers.ca",            Files,            "",       "Authorities that certify servers, in PEM; by default the system's",      Gateway(|c, v| { c.upstream.authorities = v.paths()?; Ok(()) })),
    setting("ServerTLSName",         &["server-tls-name"], "servers.tls-name",      Text("NAME"),     "",       "The name in the certificate of Server, if it is another",                Gateway(|c, v| { c.upstream.name = Some(tls_name(v)?); Ok(()) })),
    setting("ServerTLSMaxVersion",   &["server-tls-max-version"], "servers.tls-max-version", Choice(&["1.2", "1.3"]), "1.2", "The newest TLS towards servers; 1.3 where they give tickets enough",      Gateway(|c, v| { c.upstream.newest = TlsVersion::parse(v.text)?; Ok(()) })),
    setting("Targets",               &["targets"],         "servers.targets",       Text("LIST"),     "",       "Where clients may go: HOST, NETWORK or HOST=NETWORK, with :PORTS",       Gateway(|c, v| { c.targets = Targets::parse(v.text)?; Ok(()) })),
    setting("UserTargets",           &["user-targets"],    "servers.user-targets",  Text("LIST"),     "",       "Who may go where of Targets: USERS@TARGET each; others go nowhere then", Gateway(|c, v| { c.user_targets = UserTargets::parse(v.text)?; Ok(()) })),
    setting("Server",                &["server"],          "servers.server",        Text("HOST:PORT"),"",       "Where all clients go, by default where each of them says",               Gateway(|c, v| { c.server = Some(destination(v)?); Ok(()) })),
    setting("Servers",               &["servers"],         "servers.pool",          Text("LIST"),     "",       "The pool: [NAME=]HOST:PORT[*WEIGHT]; the name of a user says to which",  Gateway(|c, v| { c.pool.servers = pool::servers(v.text)?; Ok(()) })),
    setting("UserServers",           &["user-servers"],    "servers.users",         File,             "",       "Lines of a user and its servers of the pool; others go by a hash",       Gateway(|c, v| { c.pool.user_file = Some(v.path()?); Ok(()) })),
    setting("ServerPatience",        &["server-patience"], "servers.patience",      Text("TIME"),     "5",      "How long a server of the pool may take to greet, or for a whole check",  Gateway(|c, v| { c.pool.patience = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("HealthInterval",        &["health-interval"], "servers.health-interval", Text("TIME"),   "10",     "How often each server of the pool is looked at; 0 is never",             Gateway(|c, v| { c.pool.interval = v.interval(Zero::Allow)?; Ok(()) })),
    setting("HealthDown",            &["health-down"],     "servers.health-down",   Text("NUMBER"),   "3",      "So many checks in a row that fail, and a server is down",                Gateway(|c, v| { c.pool.down_after = v.count()?; Ok(()) })),
    setting("HealthUp",              &["health-up"],       "servers.health-up",     Text("NUMBER"),   "2",      "So many in a row that do not, and it is up again",                       Gateway(|c, v| { c.pool.up_after = v.count()?; Ok(()) })),
    setting("HealthLogin",           &["health-login"],    "servers.health-login",  File,             "",       "File with a name and, in its second line, a password that checks try",   Gateway(|c, v| { c.pool.login = Some(v.path()?); Ok(()) })),
    setting("Transparent",           &["proxy"],           "servers.transparent",   Switch,           "no",     "Serve connections that a firewall redirects here, and go where they went",Gateway(|c, v| c.transparent.turn(v, Transparent::Redirect))),
    setting("TProxy",                &["tproxy"],          "servers.tproxy",        Switch,           "no",     "The same behind a TPROXY rule; servers see each client's own address",   Gateway(|c, v| c.transparent.turn(v, Transparent::Tproxy))),
    setting("Draining",              &["draining"],        "servers.draining",      Text("LIST"),     "",       "Servers of the pool that get no new sessions, while those that run end", Gateway(|c, v| { c.pool.draining = words(v.text).map(str::to_owned).collect(); Ok(()) })),
    setting("ServerProxyProtocol",   &["server-proxy-protocol"], "servers.proxy-protocol", Choice(&["off", "v2"]), "off", "Header that tells Server or Servers whose each control connection is",  Gateway(|c, v| { c.header = ServerHeader::parse(v.text)?; Ok(()) })),
    setting("NoPassive",             &["nopasv"],          "servers.active",        Switch,           "no",     "Have servers open the data connections to the gateway",                  Gateway(|c, v| { c.server_data = ServerData::parse(v)?; Ok(()) })),
    setting("NoDaemon",              &["nodemon"],         "run.foreground",        Switch,           "no",     "Stay in the foreground",                                                 Gateway(|c, v| run(c, v, Run::Foreground))),
    setting("Inetd",                 &["inetd", "I"],      "run.inetd",             Switch,           "no",     "Serve one session on descriptor 0, started by inetd",                    Gateway(|c, v| run(c, v, Run::Inetd))),
    setting("ProxyUser",             &["proxyuser"],       "run.user",              Text("UID"),      "60631",  "Uid and gid of what reads the network; five behind it are taken too",     Gateway(|c, v| { c.user = v.unprivileged_id()?; Ok(()) })),
    setting("PidFile",               &["pidfile"],         "run.pid-file",          File,             "",       "File for the number of the daemon's process, by which a second one is refused", Gateway(|c, v| { c.pid_file = Some(v.path()?); Ok(()) })),
    setting("DrainTimeout",          &["drain-timeout"],   "run.drain-timeout",     Text("TIME"),     "30",     "How long SIGTERM lets transfers finish; a second one does not wait",     Gateway(|c, v| { c.drain_timeout = v.interval(Zero::Allow)?; Ok(()) })),
    setting("ControlSocket",         &["controlsocket"],   "run.control-socket",    File,             "",       "Socket for --status, --drain, --who and --kick; for root and the daemon's user", Gateway(|c, v| { c.control_socket = Some(v.path()?); Ok(()) })),
    setting("ServLogFile",           &["servlogfile"],     "log.file",              File,             "",       "Append log lines to this file, or SYSLOG",                               Gateway(|c, v| { c.log_file = Some(v.server_log_path()?); Ok(()) })),
    setting("LogFormat",             &["logformat"],              "log.format",            Choice(&["text", "json"]), "text",      "Form of the log's lines: for people, or a JSON object each",             Gateway(|c, v| { c.outputs.format = v.log_format()?; Ok(()) })),
    setting("Syslog",                &["syslog"],                 "log.syslog",            Switch,           "no",                 "Tell syslog what is logged, in the form of RFC 5424",                    Gateway(|c, v| { c.outputs.syslog = v.switch()?; Ok(()) })),
    setting("SyslogSocket",          &["syslogsocket"],           "log.syslog-socket",     File,             "/dev/log",           "Where syslog listens",                                                   Gateway(|c, v| { c.outputs.syslog_socket = v.path()?; Ok(()) })),
    setting("Journal",               &["journal"],                "log.journal",           Switch,           "no",                 "Tell systemd's journal what is logged, with fields such as FTP_USER",    Gateway(|c, v| { c.outputs.journal = v.switch()?; Ok(()) })),
    setting("JournalSocket",         &["journalsocket"],          "log.journal-socket",    File,             "/run/systemd/journal/socket", "Where the journal listens",                                     Gateway(|c, v| { c.outputs.journal_socket = v.path()?; Ok(()) })),
    setting("TransferLog",           &["transferlog"],            "log.transfers",         File,             "",                   "File for a line about each transfer, in the form of wu-ftpd's xferlog",  Gateway(|c, v| { c.outputs.transfers = Some(v.log_path()?); Ok(()) })),
    setting("LogLevel",              &["loglevel"],        "log.level",             Choice(&["logins", "transfers", "commands"]), "transfers", "How much is logged; each has what those before it have", Gateway(|c, v| { c.log_level = v.log_level()?; Ok(()) })),
    setting("Banner",                &["banner"],          "session.banner",        Text("TEXT"),     "",       "Greeting for clients that say later where they go",                      Gateway(|c, v| { c.banner = Some(v.line()?); Ok(()) })),
    setting("PermittedCommands",     &["permittedcommands"],"session.commands",     Text("LIST"),     "ALL",    "Commands that clients may use",                                          Gateway(|c, v| { c.permitted = permitted::parse(v.text)?; Ok(()) })),
    setting("LoginTimeout",          &["logintimeout"],    "session.login-timeout", Text("TIME"),     "60",     "Time for a login, from the connection on",                               Gateway(|c, v| { c.login_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("Idle",                  &["idle"],            "session.idle",          Text("TIME"),     "600",    "Longest silence between commands; 0 is no limit",                        Gateway(|c, v| { c.idle = v.interval(Zero::Allow)?; Ok(()) })),
    setting("ReplyTimeout",          &["replytimeout"],    "session.reply-timeout", Text("TIME"),     "60",     "How long a client may leave a reply unread",                             Gateway(|c, v| { c.reply_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("ConnectTimeout",        &["connecttimeout"],  "servers.connect-timeout", Text("TIME"),   "30",     "How long the way to a server may take, its name's look-up too",          Gateway(|c, v| { c.connect_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("AnswerTimeout",         &["answertimeout"],   "servers.answer-timeout",Text("TIME"),     "300",    "How long a server may take to answer a command",                         Gateway(|c, v| { c.answer_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("DataTimeout",           &["datatimeout"],     "data.timeout",          Text("TIME"),     "30",     "How long a data connection may take to come about",                      Gateway(|c, v| { c.data_timeout = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("StallTimeout",          &["stalltimeout"],    "data.stall-timeout",    Text("TIME"),     "300",    "How long a transfer may make no progress; 0 is no limit",                Gateway(|c, v| { c.stall_timeout = v.interval(Zero::Allow)?; Ok(()) })),
    setting("AwaitAcknowledgement",  &["awaitacknowledgement"], "data.await-acknowledgement", Switch,    "yes",    "226 of a download waits until the client's system has acknowledged all", Gateway(|c, v| { c.await_acknowledgement = v.switch()?; Ok(()) })),
    setting("LogonHook", &["logonhook"], "hooks.login", Text("PATH[,USER[,DIR]]"), "", "Program after a login; it gets the name that the client said", Gateway(|c, v| script(c, v, Event::Login))).also(&["LoginHook"]),
    setting("LogoffHook", &["logoffhook"], "hooks.logout", Text("PATH[,USER[,DIR]]"), "", "Program after the end of a session, in whichever way; it gets that name", Gateway(|c, v| script(c, v, Event::Logout))).also(&["LogoutHook"]),
    setting("ConnectUpHook", &["connectuphook", "dcus"], "hooks.data-up", Text("PATH[,USER[,DIR]]"), "", "Program before each data connection, waited for; a failure refuses it", Gateway(|c, v| script(c, v, Event::DataUp))).also(&["DataConnectUpScript"]),
    setting("ConnectDownHook", &["connectdownhook", "dcds"], "hooks.data-down", Text("PATH[,USER[,DIR]]"), "", "Program after each data connection, waited for", Gateway(|c, v| script(c, v, Event::DataDown))).also(&["DataConnectDownScript"]),
    setting("DataConnectionLowPort", &["dclow"],           "data.port-low",         Text("PORT"),     "49152",  "Lowest port that data connections come to",                              Gateway(|c, v| { c.data_ports.0 = v.port(1024)?; Ok(()) })),
    setting("DataConnectionHighPort",&["dchigh"],          "data.port-high",        Text("PORT"),     "65535",  "Highest port that data connections come to",                             Gateway(|c, v| { c.data_ports.1 = v.port(1024)?; Ok(()) })),
    setting("DataConnectionPortRange",&["dcrange"],        "data.ports",            Text("LOW-HIGH"), "49152-65535", "Both of these in one",                                              Gateway(|c, v| { c.data_ports = v.port_range(1024)?; Ok(()) })),
    setting("MaxClients",            &["maxclients"],      "limits.clients",        Text("NUMBER"),   "2000",   "Connections in all; 0 is no limit, here and below",                      Gateway(|c, v| { c.limits.clients = v.limit()?; Ok(()) })),
    setting("MaxPerAddress",         &["maxperaddress"],   "limits.per-address",    Text("NUMBER"),   "50",     "Connections from one IPv4 address or one /64 of IPv6",                   Gateway(|c, v| { c.limits.per_address = v.limit()?; Ok(()) })),
    setting("MaxPerUser",            &["maxperuser"],      "limits.per-user",       Text("NUMBER"),   "100",    "Sessions of one user at one server",                                     Gateway(|c, v| { c.max_per_user = v.limit()?; Ok(()) })),
    setting("MaxUnauthenticated",    &["maxunauthenticated"],"limits.unauthenticated",Text("NUMBER"), "100",    "Connections before login; who has most of them makes room for others",   Gateway(|c, v| { c.limits.unauthenticated = v.limit()?; Ok(()) })),
    setting("ExemptNetworks",        &["exemptnetworks"],  "limits.exempt-networks",Text("LIST"),     "",       "Networks with reserved places, beyond limits and penalties",             Gateway(|c, v| { c.limits.exempt = Some(Networks::parse(v.text)?); Ok(()) })),
    setting("Penalty",               &["penalty"],         "limits.penalty",        Text("TIME"),     "10",     "Penalty of an address for a failed login or a refused server; 0 is none",Gateway(|c, v| { c.limits.penalty = v.interval(Zero::Allow)?; Ok(()) })),
    setting("Ban",                   &["ban"],             "limits.ban",            Text("TIME"),     "60",     "Penalties in sum from which an address is refused until they are paid",  Gateway(|c, v| { c.limits.ban = v.interval(Zero::Refuse)?; Ok(()) })),
    setting("LongestBan",            &["longestban"],      "limits.longest-ban",    Text("TIME"),     "600",    "Bans of an address double, up to this",                                  Gateway(|c, v| { c.limits.longest_ban = v.interval(Zero::Refuse)?; Ok(()) })),
];

fn destination(value: Value) -> Result<Destination, Wrong> {
    Destination::parse(value.text.as_bytes()).map_err(|_| {
        Wrong::Not("a host with or without a port, such as ftp.example.org:21".to_owned())
    })
}

fn tls_name(value: Value) -> Result<String, Wrong> {
    match Host::parse(value.text) {
        Ok(Host::Name(name)) => Ok(name),
        _ => Err(Wrong::Not("the name of a host".to_owned())),
    }
}

fn script(config: &mut GatewayConfig, value: Value, event: Event) -> Result<(), Wrong> {
    config
        .scripts
        .set_at_gateway(event, value.text)
        .map_err(Wrong::Because)
}

fn run(config: &mut GatewayConfig, value: Value, run: Run) -> Result<(), Wrong> {
    match value.switch()? {
        true => config.run = run,
        false if config.run == run => config.run = Run::Background,
        false => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(config: &mut GatewayConfig, setting: &Setting, text: &str) -> Result<(), Wrong> {
        config.set(&setting.set, Value { text, base: None })
    }

    #[test]
    fn every_default_parses_to_the_default_configuration() {
        for setting in TABLE.iter().filter(|s| !s.default.is_empty()) {
            let mut config = GatewayConfig::default();
            assert_eq!(set(&mut config, setting, setting.default), Ok(()));
            assert_eq!(config, GatewayConfig::default(), "{}", setting.key);
        }
    }

    #[test]
    fn every_setting_sets_something() {
        let sample = |setting: &Setting| match (setting.key, setting.kind) {
            ("BindAddress", _) => "127.0.0.1",
            ("DataConnectionPortRange", _) => "2000-3000",
            ("ExemptNetworks" | "Targets", _) => "192.0.2.0/24",
            (key, _) if key.ends_with("Hook") => "/some/where",
            ("LogFormat", _) => "json",
            ("LogLevel", _) => "commands",
            ("PermittedCommands", _) => "READ",
            ("UserTargets", _) => "alice@192.0.2.0/24",
            ("Server", _) => "ftp.example.org",
            ("Servers", _) => "one=192.0.2.1",
            ("ServerTLS", _) => "implicit",
            ("ServerProxyProtocol", _) => "v2",
            ("TLSDataBinding", _) => "off",
            ("ServerTLSName", _) => "ftp.example.org",
            ("TLSRequired", _) => "all",
            ("TLSMinVersion" | "ServerTLSMaxVersion", _) => "1.3",
            ("TLSCipherSuites", _) => "TLS_AES_128_GCM_SHA256",
            ("AwaitAcknowledgement", _) => "no",
            (_, Kind::Switch) => "yes",
            (_, Kind::File | Kind::Files) => "/some/where",
            _ => "2024",
        };
        for setting in TABLE {
            let mut config = GatewayConfig::default();
            assert_eq!(
                set(&mut config, setting, sample(setting)),
                Ok(()),
                "{}",
                setting.key
            );
            assert_ne!(config, GatewayConfig::default(), "{}", setting.key);
        }
    }

    #[test]
    fn names_are_unique_and_documentation_is_one_short_line() {
        let mut names: Vec<String> = Vec::new();
        for row in TABLE {
            names.extend(row.keys().map(str::to_ascii_lowercase));
            names.extend(row.flags.iter().map(|flag| format!("-{flag}")));
            names.push(row.toml.to_owned());
            assert!(row.doc.len() < 80 && !row.doc.ends_with('.') && !row.flags.is_empty());
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_does_not_fit_together_is_an_error_of_one_key() {
        let settled = |lines: &[(&str, &str)]| {
            let mut config = GatewayConfig::default();
            for (key, text) in lines {
                set(&mut config, FTPPROXY.find(key).unwrap(), text).unwrap();
            }
            config.settle().map_err(|(key, _)| key)
        };
        assert_eq!(settled(&[]), Err("Targets"));
        assert_eq!(settled(&[("Targets", "192.0.2.0/24")]), Ok(()));
        let target = ("Targets", "*.example.org");
        let require = ("ServerTLS", "require");
        for (lines, key) in [
            (&[("ServerCA", "/x")][..], "ServerCA"),
            (&[("ServerTLSName", "a.example")], "ServerTLSName"),
            (&[require, ("ServerTLSName", "a.example")], "ServerTLSName"),
            (&[require, ("TLSMinVersion", "1.3")], "TLSMinVersion"),
            (
                &[require, ("TLSCipherSuites", "TLS_AES_128_GCM_SHA256")],
                "TLSCipherSuites",
            ),
            (&[("TLSRequired", "all")], "TLSRequired"),
        ] {
            let lines: Vec<_> = [target].iter().chain(lines).copied().collect();
            assert_eq!(settled(&lines), Err(key));
        }
        let newest = [
            target,
            require,
            ("TLSMinVersion", "1.3"),
            ("ServerTLSMaxVersion", "1.3"),
        ];
        assert_eq!(settled(&newest), Ok(()));
        let server = ("Server", "ftp.example.org");
        assert_eq!(settled(&[("Targets", "a.example"), server]), Err("Server"));
        assert_eq!(settled(&[("Targets", "*.example.org"), server]), Ok(()));
        let rules = ("UserTargets", "alice@b.example.org");
        let one = [("Targets", "*.example.org"), server, rules];
        assert_eq!(settled(&one), Err("UserTargets"));
        let rules = ("UserTargets", "alice@*.example.org");
        let one = [("Targets", "*.example.org"), server, rules];
        assert_eq!(settled(&one), Ok(()));
        let pool = [("Servers", "one=192.0.2.1"), rules];
        assert_eq!(settled(&pool), Err("UserTargets"));
        let both = [("Targets", "*.example.org"), server, ("Transparent", "yes")];
        assert_eq!(settled(&both), Err("Server"));
        let ports = [
            ("Targets", "*"),
            ("DataConnectionLowPort", "60000"),
            ("DataConnectionHighPort", "50000"),
        ];
        assert_eq!(settled(&ports), Err("DataConnectionHighPort"));
    }
}
