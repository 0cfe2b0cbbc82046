//! THE settings: the table of all keys and flags, and the typed configuration that they produce. Pure except `read`.

pub mod assign;
pub mod bind;
mod clients;
mod cost;
mod gateway;
pub mod hooks;
mod key_value;
mod leading;
mod limits;
mod log_name;
mod method;
pub mod nearest;
pub mod networks;
mod outputs;
mod own;
pub mod peers;
pub mod permitted;
pub mod pool;
mod protection;
mod rates;
pub mod read;
pub mod rules;
mod scheme;
mod shared;
pub mod sources;
mod standing;
pub mod table;
pub mod targets;
mod tls;
pub mod toml;
mod upstream;
pub mod user_servers;
pub mod user_targets;
pub mod value;

pub use assign::{Origin, Place, SettingError, check_user_setting, marked};
pub use bind::Bind;
pub use clients::{
    CertificateLogin, CertificateNames, CertificateRule, ClientCertificate, Fingerprint,
};
pub use cost::Cost;
pub use gateway::{FTPPROXY, GatewayConfig, ServerData, ServerHeader, Transparent};
pub use leading::{Leading, Led};
pub use limits::Limits;
pub use log_name::{LogName, Whose};
pub use method::{Method, Methods};
pub use outputs::Outputs;
pub use own::{OwnSetting, UserTables};
pub use pool::{Pool, PoolServer};
pub use protection::{
    ClearCommands, CloseNotify, DataBinding, Protection, RequiredByName, TlsRequired,
};
pub use read::gateway::{DEFAULT_FILE as DEFAULT_GATEWAY_FILE, load as load_gateway};
pub use read::{DEFAULT_FILE, Loaded, Source};
pub use scheme::{NoScheme, Scheme};
pub use tls::{CipherSuite, CipherSuites, ClientTrust, Tls, TlsVersion, UnknownHost};
pub use upstream::{ServerTls, UpstreamTls};

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::hooks::Hooks;
pub use self::hooks::SpoolFull;
use self::networks::{CharsetNetworks, Networks};
use self::peers::Peers;
use self::rules::{Advertised, ClientList, PortMap, Rules};
use self::sources::SourcePorts;
use crate::charset::Charset;
use crate::digest::Algorithm;
use crate::hooks::{Hook, Scripts};
use crate::policy::{Names, Policy};
use crate::proto::listing::Order;
use crate::proto::verbs::{Verb, VerbSet};
use crate::rate::Rates;

/// Everything that a running `ftpd` was told. [`Config::default`] is what it does when told nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub server: ServerConfig,
    /// What a user's own settings may override.
    pub session: SessionConfig,
}

/// Settings of the daemon as a whole; a user's settings cannot reach them.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// The control port.
    pub port: u16,
    pub bind: Bind,
    pub tls: Tls,
    pub run: Run,
    pub auth_file: PathBuf,
    /// How passwords are checked.
    pub auth_methods: Methods,
    /// What new password hashes cost, and the check of a user who does not exist.
    pub password_cost: Cost,
    /// The type that a password gets when its user logs in.
    pub update_pass: Option<Scheme>,
    /// Every session is confined to this directory (`-chroot`).
    pub chroot: Option<PathBuf>,
    /// Where the daemon tells which process it is.
    pub pid_file: Option<PathBuf>,
    /// Where whoever runs the server asks who is there.
    pub control_socket: Option<PathBuf>,
    /// Where the server's own log lines go; without it where those of all sessions go (`Config::server_log`).
    pub log_file: Option<PathBuf>,
    pub log_level: LogLevel,
    pub outputs: Outputs,
    /// Lines of the greeting before `220`'s last.
    pub banner: Vec<String>,
    /// What HOST may name (RFC 7151), in lower case; empty for anything.
    pub host_names: Vec<String>,
    /// The uid and gid of the network half of a session.
    pub session_user: u32,
    /// Who may log in; `None` is everybody.
    pub allow_users: Option<Names>,
    pub deny_users: Names,
    /// The primary group of users of the user file, whose entries name none.
    pub default_group: Option<String>,
    /// The users of the user file who may be root, or in root's group.
    pub root_users: Vec<String>,
    /// Settings of single users, below those of their own entries.
    pub users: UserTables,
    /// Time for a login, from the connection to 230.
    pub login_timeout: Duration,
    /// The least octets of a password that SITE PSWD sets.
    pub min_password: u32,
    /// Wrong passwords before the session is closed.
    pub max_login_fails: u32,
    /// How long the answer to a wrong password is held back.
    pub login_fail_delay: Duration,
    /// How long sessions may finish what they do, when the daemon is told to stop.
    pub drain_timeout: Duration,
    /// How long a client may leave a reply unread.
    pub reply_timeout: Duration,
    /// After what silence the kernel asks whether a client is still there, in whole seconds.
    pub keepalive: Duration,
    /// Whether the end of a download is told once the client's system has acknowledged all of it.
    pub await_acknowledgement: bool,
    pub limits: Limits,
    /// What all sessions may move together.
    pub total_rates: Rates,
    /// Charsets of names for clients of some networks, over the session's.
    pub charset_networks: CharsetNetworks,
    /// The addresses that PASV tells.
    pub passive_addresses: Rules<Advertised>,
    /// How often names among them are looked up; zero is at start only.
    pub passive_resolve: Duration,
    /// Passive ports by client, over the session's.
    pub passive_ports: Rules<PortMap>,
    /// Programs for single kinds of events.
    pub scripts: Scripts,
    /// Who may come to a client's passive port.
    pub passive_peers: Rules<Peers>,
    /// Where a client may have active data connections go.
    pub active_targets: Rules<Peers>,
    /// Clients that come through something which passes their control connection on, and nothing else.
    pub tunnels: ClientList,
    /// Front ends pass passive data connections on, too, and say whose these are.
    pub proxy_data: bool,
    /// Where those connections come from.
    pub active_sources: SourcePorts,
    /// What is done when something happens.
    pub hooks: Hooks,
    /// Sessions that are led to other servers.
    pub leading: Leading,
    /// Keeps events of uploads until their hooks are done.
    pub spool: Option<PathBuf>,
    pub spool_full: SpoolFull,
}

impl Config {
    /// Where log lines go that are of no session with a log of its own; `None` is the standard error when in the foreground, else
    /// nowhere.
    pub fn server_log(&self) -> Option<&Path> {
        let shared = self.session.log_file.as_ref().and_then(LogName::plain);
        self.server.log_file.as_deref().or(shared)
    }

    /// Whether syslog is told what is logged, by its own setting or as a log's name.
    pub fn logs_to_syslog(&self) -> bool {
        let named = |path: &Path| path == Path::new(value::SYSLOG);
        let sessions = self.session.log_file.as_ref().and_then(LogName::plain);
        self.server.outputs.syslog
            || [self.server.log_file.as_deref(), sessions]
                .into_iter()
                .flatten()
                .any(named)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            port: 21,
            bind: Bind::default(),
            tls: Tls::default(),
            run: Run::Background,
            auth_file: PathBuf::from("/etc/metaftpd.auth"),
            auth_methods: Methods::default(),
            password_cost: Cost::default(),
            update_pass: None,
            chroot: None,
            pid_file: None,
            control_socket: None,
            log_file: None,
            log_level: LogLevel::Transfers,
            outputs: Outputs::default(),
            banner: Vec::new(),
            host_names: Vec::new(),
            session_user: 60621,
            allow_users: None,
            deny_users: Names::default(),
            default_group: None,
            root_users: Vec::new(),
            users: UserTables::default(),
            login_timeout: Duration::from_secs(60),
            min_password: 8,
            max_login_fails: 3,
            login_fail_delay: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(120),
            await_acknowledgement: true,
            limits: Limits::default(),
            total_rates: Rates::default(),
            charset_networks: CharsetNetworks::default(),
            passive_addresses: Rules::default(),
            passive_resolve: Duration::from_secs(60),
            passive_ports: Rules::default(),
            scripts: Scripts::default(),
            passive_peers: Rules::default(),
            active_targets: Rules::default(),
            tunnels: ClientList::default(),
            proxy_data: false,
            active_sources: SourcePorts::default(),
            hooks: Hooks::default(),
            leading: Leading::default(),
            spool: None,
            spool_full: SpoolFull::Refuse,
        }
    }
}

impl ServerConfig {
    /// The front ends that pass passive data connections on.
    pub fn data_front_ends(&self) -> Option<&Networks> {
        let front_ends = self.limits.front_ends.as_ref();
        front_ends.filter(|_| self.proxy_data)
    }

    /// All that is to be done when something happens.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        hooks::all(&self.scripts, &self.hooks)
    }

    /// The same with their places in the configuration.
    pub fn placed_hooks(&self) -> Vec<(String, &Hook)> {
        hooks::placed(table::TABLE, &self.scripts, &self.hooks)
    }

    /// The uids of processes of our own: network halves, the logger, the signer, the lookup of names,
    /// verifiers of certificates, programs of hooks, and dialers.
    pub fn own_uids(&self) -> [u32; 7] {
        [0, 1, 2, 3, 4, 5, 6].map(|offset| self.session_user.saturating_add(offset))
    }
}

/// How the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// A daemon that leaves its terminal.
    Background,
    /// A daemon that stays (`-nodemon`).
    Foreground,
    /// One session on descriptor 0 (`-inetd`).
    Inetd,
}

/// Settings of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionConfig {
    /// The log of sessions from their logins on.
    pub log_file: Option<LogName>,
    /// The text of the reply to a login; without a line, our own.
    pub prompt: Vec<String>,
    /// Somebody has asked for passwords in the log, which is never done: only told to be without effect.
    pub log_passwords: bool,
    /// How many sessions of its user there may be; zero is no limit.
    pub max_per_user: u32,
    /// When and from where the account may log in.
    pub policy: Policy,
    pub jail: JailMode,
    /// Random passive ports are chosen from here, both ends included.
    pub data_ports: (u16, u16),
    /// The longest silence between commands, never longer than `max_idle`; zero is no limit.
    pub idle: Duration,
    /// The limit that the client itself cannot raise; zero is no limit.
    pub max_idle: Duration,
    /// How long a data connection may take to come about.
    pub data_timeout: Duration,
    /// How long a passive port is open without a transfer that uses it.
    pub passive_timeout: Duration,
    /// How long a transfer may make no progress.
    pub stall_timeout: Duration,
    /// How many times more than it was an upload in MODE Z may become; zero is no limit.
    pub inflate_ratio: u64,
    /// What the session may move.
    pub rates: Rates,
    /// What all sessions of its user may move together.
    pub user_rates: Rates,
    /// The digest that the end of a transfer tells.
    pub confirm: Option<Algorithm>,
    pub permitted: VerbSet,
    /// Whether data connections may come from the client, and whether they may go to it.
    pub passive_mode: bool,
    pub active_mode: bool,
    /// Whether data goes to the port of the control connection where no command names one (RFC 959 §5.2).
    pub default_data_port: bool,
    /// Mode bits that new files and directories do not get.
    pub umask: u32,
    pub durability: Durability,
    /// The largest size of an uploaded file.
    pub max_file_size: Option<u64>,
    /// How long a broken upload is kept to be continued; zero is not at all.
    pub keep_partial: Duration,
    pub locks: Locks,
    /// How owners and groups are shown in listings.
    pub list_owners: Owners,
    /// The order of listings that ask for none.
    pub list_order: Order,
    /// How many directories deep a listing goes; zero is not at all.
    pub list_depth: u32,
    /// After how many entries a listing of several directories ends; zero is never.
    pub list_entries: u64,
    pub archive_links: ArchiveLinks,
    /// The most entries of an archive; zero is no limit.
    pub archive_entries: u64,
    /// The most octets that an archive unpacks.
    pub archive_size: Option<u64>,
    /// What names are on the wire.
    pub charset: Charset,
    pub protection: Protection,
    /// What may not travel in the clear where any password does.
    pub tls_required_anonymous: TlsRequired,
    /// What certificates of clients are worth.
    pub certificate: CertificateRule,
}

impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig {
            log_file: None,
            prompt: Vec::new(),
            log_passwords: false,
            max_per_user: 100,
            policy: Policy::default(),
            jail: JailMode::None,
            data_ports: (49152, 65535),
            idle: Duration::from_secs(600),
            max_idle: Duration::ZERO,
            data_timeout: Duration::from_secs(30),
            passive_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(300),
            inflate_ratio: 200,
            rates: Rates::default(),
            user_rates: Rates::default(),
            confirm: None,
            permitted: VerbSet::ALL,
            passive_mode: true,
            active_mode: true,
            default_data_port: false,
            umask: 0o022,
            durability: Durability::Strict,
            max_file_size: None,
            keep_partial: Duration::from_secs(24 * 3600),
            locks: Locks::None,
            list_owners: Owners::Names,
            list_order: Order::Unsorted,
            list_depth: 16,
            list_entries: 1_000_000,
            archive_links: ArchiveLinks::Keep,
            archive_entries: 1_000_000,
            archive_size: None,
            charset: Charset::UTF_8,
            protection: Protection::default(),
            tls_required_anonymous: TlsRequired::Off,
            certificate: CertificateRule::default(),
        }
    }
}

impl SessionConfig {
    /// The permitted commands, without those for kinds of data connections that are not offered.
    pub fn commands(&self) -> VerbSet {
        let mut permitted = self.permitted;
        let passive = ["PASV", "EPSV", "LPSV"].map(|name| (name, self.passive_mode));
        let active = ["PORT", "EPRT", "LPRT"].map(|name| (name, self.active_mode));
        for (name, offered) in passive.into_iter().chain(active) {
            if let Some(verb) = Verb::find(name).filter(|_| !offered) {
                permitted.remove(verb);
            }
        }
        permitted
    }

    /// These settings for an account that takes any password, before its own are applied.
    pub fn for_anonymous(&self) -> SessionConfig {
        SessionConfig {
            permitted: self.permitted.for_anonymous(),
            umask: self.umask | 0o077,
            // Strangers have one account: what one of them has begun is not for the others to find and go on with.
            keep_partial: Duration::ZERO,
            protection: Protection {
                required: self.tls_required_anonymous,
                ..self.protection
            },
            // Strangers have no certificate.
            certificate: CertificateRule::default(),
            ..self.clone()
        }
    }
}

/// How listings show who owns a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// By name, or by number where there is none.
    Names,
    Numbers,
    /// As `ftp`, whoever it is; MLSx leaves the facts out.
    Hidden,
}

/// What becomes of symbolic links where an archive is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveLinks {
    /// They are in it as links.
    Keep,
    Skip,
}

/// What the session's `/` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JailMode {
    /// The whole file system, by its permissions; starts in the home directory.
    None,
    /// The home directory (`-chhome`).
    Home,
    /// A shared directory; starts in the home directory below it (`-chshare`).
    Share(PathBuf),
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A sentence behind time and process.
    #[default]
    Text,
    /// An object for each line, with what is told as facts beside the sentence.
    Json,
}

/// How much is logged; each level has what the ones before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Logins, refusals and trouble.
    Logins,
    /// A line for each transfer.
    Transfers,
    /// Every command, for finding out what a client does.
    Commands,
}

/// What an acknowledged upload survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: data and directory are synced before 226.
    Strict,
    /// The death of any process: renamed into place, not synced.
    Rename,
    /// Nothing: written under its own name from the start.
    Off,
}

/// What becomes of a transfer whose file somebody else reads or writes: readers share, a writer is alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// Nobody looks.
    None,
    /// The client is warned.
    Advisory,
    /// It is refused.
    Mandatory,
    /// Writing is refused; the client is warned when it reads.
    MandatoryWrite,
}
