//! Reads the configuration: the `Key=Value` file and the command line, each with where it came from. The only part of
//! the settings that touches the file system; it applies nothing itself.

pub mod gateway;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::assign::{Assignment, Origin, Origins, SettingError, Target, apply, settle};
use super::hooks::Hooks;
use super::own::UserTables;
use super::table::{FTPD, Kind, Scope, Setting, Settings};
use super::toml::Parsed;
use super::value::shown;
use super::{Config, key_value, shared, toml};
use crate::proto::verbs::Verb;

/// The file that is read where no `-f` names one.
pub const DEFAULT_FILE: &str = "/etc/metaftpd.conf";
/// The name of the flag `-f` in the parsed command line.
pub const FILE_FLAG: &str = "config";

const LONGEST_FILE: u64 = 1024 * 1024;
const LONGEST_BANNER: usize = 8192;

/// Where the settings of a program are: its command line, and the directory that relative paths start from. Kept, so that
/// they can be read anew when that directory is no longer the working one.
#[derive(Clone, Debug)]
pub struct Source {
    matches: ArgMatches,
    base: Option<PathBuf>,
}

impl Source {
    /// Takes the command line, as the program's `cli` defines it.
    pub fn new(matches: ArgMatches) -> Source {
        Source {
            matches,
            base: std::env::current_dir().ok(),
        }
    }

    pub fn matches(&self) -> &ArgMatches {
        &self.matches
    }

    /// Reads the settings of `ftpd`: first the file, then, over it, the flags.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(&self) -> Result<Loaded, Vec<SettingError>> {
        load(self)
    }
}

/// A configuration that is fine.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// What is allowed but probably not meant.
    pub warnings: Vec<String>,
    origins: Origins,
}

impl Loaded {
    /// Tells where the value of a setting comes from.
    pub fn origin(&self, setting: &Setting) -> Origin {
        self.origins
            .get(setting.key)
            .map_or(Origin::Default, |(origin, _)| origin.clone())
    }

    /// Tells the text that a setting was made with.
    pub fn text(&self, setting: &Setting) -> &str {
        let made = self.origins.get(setting.key);
        made.map_or(setting.default, |(_, text)| text)
    }
}

fn load(source: &Source) -> Result<Loaded, Vec<SettingError>> {
    let mut config = Config::default();
    let Said {
        users,
        hooks,
        text,
        origins,
        mut errors,
        mut warnings,
    } = gather(FTPD, DEFAULT_FILE, source, &mut config);
    config.server.users = users;
    config.server.hooks = hooks;
    if let Err((keys, message)) = settle(&mut config.session) {
        // The last source that made one of them is the one to correct.
        let origin = keys
            .iter()
            .filter_map(|key| origins.get(key).map(|(origin, _)| origin.clone()))
            .max_by_key(|origin| matches!(origin, Origin::Flag(_)))
            .unwrap_or(Origin::Default);
        errors.push(SettingError { origin, message });
    }
    let misfits = misfits(&config).into_iter();
    errors.extend(misfits.map(|(key, message)| SettingError::of(key, message, &origins)));
    errors.extend(shared::unshared(&config, &origins));
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.origin.order());
        errors.iter_mut().for_each(|error| error.show(&text));
        return Err(errors);
    }
    for (name, own) in config.server.users.all() {
        if let Err(mut error) = config.session.with_user_settings(&config.server, own, &[]) {
            error
                .message
                .push_str(&format!("; logins of {name} are refused"));
            error.show(&text);
            warnings.push(error.to_string());
        }
    }
    let permits = |verb| Verb::find(verb).is_some_and(|v| config.session.permitted.contains(v));
    if !permits("USER") || !permits("PASS") {
        warnings.push(
            "PermittedCommands leaves out USER or PASS: nobody will be able to log in".to_owned(),
        );
    }
    Ok(Loaded {
        config,
        warnings,
        origins,
    })
}

/// What does not fit together once all sources have been applied: the key to correct, and why.
fn misfits(config: &Config) -> Vec<(&'static str, String)> {
    let server = &config.server;
    let without_tls = config.unmet_tls().map(|key| {
        let text =
            format!("{key} needs a Certificate: without TLS nobody could log in or move files");
        (key, text)
    });
    let headers = server.proxy_data && server.limits.front_ends.is_none();
    let headers = headers.then(|| {
        let text = "ProxyData needs ProxyNetworks, which say who may send the header";
        ("ProxyData", text.to_owned())
    });
    let all = [
        server.tls.settle().err(),
        server.leading.settle().err(),
        without_tls,
        config.unmet_certificates(),
        headers,
    ];
    all.into_iter().flatten().collect()
}

/// What file and command line say together.
pub(super) struct Said {
    users: UserTables,
    hooks: Hooks,
    /// The file's text to point at.
    pub(super) text: String,
    pub(super) origins: Origins,
    pub(super) errors: Vec<SettingError>,
    pub(super) warnings: Vec<String>,
}

/// Applies what the file says that the command line names, then, over it, the flags.
pub(super) fn gather(
    settings: &Settings,
    default_file: &str,
    source: &Source,
    config: &mut dyn Target,
) -> Said {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let file = file(settings, default_file, source, &mut errors);
    let mut sources = [file.parsed.assignments, flags(settings, source)];
    for assignment in sources.iter_mut().flatten() {
        if let Err(error) = replace_by_content(assignment, &mut warnings) {
            errors.push(error);
        }
    }
    let mut origins = Origins::new();
    for source in sources {
        apply(settings, config, &mut origins, &mut errors, source);
    }
    Said {
        users: file.parsed.users,
        hooks: file.parsed.hooks,
        text: file.text,
        origins,
        errors,
        warnings,
    }
}

/// The assignments of the command line, as the program's `cli` defines it.
fn flags(settings: &Settings, source: &Source) -> Vec<Assignment> {
    let Source { matches, base } = source;
    settings
        .rows
        .iter()
        .filter_map(|setting| {
            let text = match setting.scope() {
                Scope::CommandLine => matches.get_flag(setting.key).then(|| "yes".to_owned())?,
                Scope::Server | Scope::Session => {
                    matches.get_one::<String>(setting.key)?.to_owned()
                }
            };
            Some(Assignment {
                setting,
                text,
                base: base.clone(),
                content_of: None,
                origin: Origin::Flag(setting.flags[0]),
            })
        })
        .collect()
}

/// What a configuration file says, and its text to point at.
#[derive(Default)]
struct Configuration {
    parsed: Parsed,
    text: String,
}

/// Reads the file that the command line names, or the default one if there is such a file. A name that ends with `.toml` says
/// what is in it.
fn file(
    settings: &Settings,
    default_file: &str,
    source: &Source,
    errors: &mut Vec<SettingError>,
) -> Configuration {
    let named = source.matches.get_one::<PathBuf>(FILE_FLAG);
    let path = named.map_or(Path::new(default_file), PathBuf::as_path);
    let from_base = source.base.as_ref().map(|base| base.join(path));
    match read_bounded(
        from_base.as_deref().unwrap_or(path),
        nix::unistd::geteuid().is_root(),
    ) {
        Ok(octets)
            if path
                .extension()
                .is_some_and(|extension| extension == "toml") =>
        {
            Configuration {
                parsed: toml::parse(settings, path, &octets, errors),
                text: String::from_utf8_lossy(&octets).into_owned(),
            }
        }
        Ok(octets) => Configuration {
            parsed: {
                let key_value::Parsed { assignments, hooks } =
                    key_value::parse(settings, path, &octets, errors);
                Parsed {
                    assignments,
                    hooks,
                    ..Parsed::default()
                }
            },
            text: String::new(),
        },
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Configuration::default()
        }
        Err(error) => {
            errors.push(SettingError {
                origin: Origin::File {
                    path: path.to_owned(),
                    line: 0,
                },
                message: format!("cannot be read: {error}"),
            });
            Configuration::default()
        }
    }
}

/// Puts the content of a file in the place of its path, for settings whose value that is.
fn replace_by_content(
    assignment: &mut Assignment,
    warnings: &mut Vec<String>,
) -> Result<(), SettingError> {
    if assignment.setting.kind != Kind::Content {
        return Ok(());
    }
    let path = match (&assignment.base, Path::new(&assignment.text)) {
        (Some(base), path) => base.join(path),
        (None, path) => path.to_owned(),
    };
    let text = banner(&path, warnings).map_err(|error| SettingError {
        origin: assignment.origin.clone(),
        message: format!(
            "{}: {} cannot be read: {error}",
            assignment.setting.key,
            shown(&path.to_string_lossy())
        ),
    });
    assignment.text = text.as_deref().unwrap_or_default().to_owned();
    assignment.content_of = Some(path);
    text.map(|_| ())
}

fn banner(path: &Path, warnings: &mut Vec<String>) -> io::Result<String> {
    if !path.is_absolute() {
        return Err(io::Error::other("the path is not absolute"));
    }
    let mut octets = read_bounded(path, false)?;
    if octets.len() > LONGEST_BANNER {
        octets.truncate(LONGEST_BANNER);
        warnings.push(format!(
            "{}: only the first {LONGEST_BANNER} octets are used",
            path.display()
        ));
    }
    match std::str::from_utf8(&octets) {
        Ok(text) => Ok(text.to_owned()),
        // The cut went through a character.
        Err(error) if error.error_len().is_none() => {
            octets.truncate(error.valid_up_to());
            String::from_utf8(octets).map_err(io::Error::other)
        }
        Err(_) => Err(io::Error::other("it is not UTF-8")),
    }
}

/// Reads a whole small file. With `only_root`, refuses one that anybody but root could have written.
fn read_bounded(path: &Path, only_root: bool) -> io::Result<Vec<u8>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration is read before there is a jail"
    )]
    let file: File = OpenOptions::new()
        .read(true)
        // Opening a FIFO must not wait for somebody to write to it.
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    // /dev/null is a usual way to say "no file".
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if only_root && kind.is_file() {
        trusted(metadata.uid(), metadata.mode()).map_err(io::Error::other)?;
    }
    let mut octets = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(octets)
}

// SECURITY: who can write the configuration of a root-run server is root.
fn trusted(owner: u32, mode: u32) -> Result<(), String> {
    if owner != 0 {
        return Err(format!(
            "it belongs to user {owner}, but the server runs as root: chown it to root"
        ));
    }
    if mode & 0o022 != 0 {
        return Err(format!(
            "its mode {:03o} lets others than root write it: chmod go-w it",
            mode & 0o777
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::settings::{JailMode, Run};
    use std::io::Write;

    /// What `ftpd` with these words and this file makes of them.
    fn run(file: &str, words: &[&str]) -> (String, Result<Loaded, Vec<String>>) {
        let mut config = tempfile::NamedTempFile::new().unwrap();
        config.write_all(file.as_bytes()).unwrap();
        let path = config.path().display().to_string();
        let argv = ["ftpd", "-f", path.as_str()].into_iter();
        let argv = argv.chain(words.iter().copied()).map(Into::into);
        let argv = cli::dash::normalise(&cli::ftpd::command(), argv.collect()).unwrap();
        let matches = cli::ftpd::command().try_get_matches_from(argv).unwrap();
        let loaded = Source::new(matches).load().map_err(|errors| {
            let told = errors.iter().map(|error| error.to_string());
            told.map(|line| line.replace(&path, "conf")).collect()
        });
        (path, loaded)
    }

    fn config(file: &str, words: &[&str]) -> Config {
        run(file, words).1.unwrap().config
    }

    fn errors(file: &str, words: &[&str]) -> Vec<String> {
        run(file, words).1.unwrap_err()
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(config("", &[]), Config::default());
        assert_eq!(config("# comment\r\n\r\n  \n", &[]), Config::default());
    }

    #[test]
    fn the_file_is_read_as_metaftpd_does() {
        let config = config(
            "\u{feff}PORT = 2121\r\nchhome\r\n  Banner = a=b \"c\" \r\n#Port=1\nServLogFile=/l\nIdle=1m",
            &["-idle", "7"],
        );
        assert_eq!(config.server.port, 2121);
        assert_eq!(config.session.jail, JailMode::Home);
        assert_eq!(config.server.banner, ["a=b \"c\""]);
        assert_eq!(config.server.log_file, Some("/l".into()));
        assert_eq!(config.session.idle.as_secs(), 7);
    }

    #[test]
    fn flags_go_over_the_file() {
        let (path, loaded) = run(
            "Port=2121\nChHome=yes\nUmask=077",
            &["-p2122", "-chhome=no", "-nodemon", "-4"],
        );
        let loaded = loaded.unwrap();
        assert_eq!(loaded.config.server.port, 2122);
        assert_eq!(loaded.config.session.jail, JailMode::None);
        assert_eq!(loaded.config.server.run, Run::Foreground);
        assert!(loaded.config.server.bind.ipv4_only);
        let origin = |key| {
            let origin = loaded.origin(Setting::find(key).unwrap()).to_string();
            origin.replace(&path, "conf")
        };
        assert_eq!(origin("Port"), "-port");
        assert_eq!(origin("Umask"), "conf:3");
        assert_eq!(origin("Idle"), "default");
    }

    #[test]
    fn relative_paths_start_at_the_working_directory_of_the_command_line() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            config("", &["-a", "users"]).server.auth_file,
            here.join("users")
        );
        assert_eq!(
            errors("AuthFile=users", &[]),
            ["conf:1: AuthFile: \"users\" is not an absolute path"]
        );
    }

    #[test]
    fn every_error_is_told_with_its_place() {
        let file = "Prot=21\nPort=99999\n\nUserPrompt=x\nIdle\nnodaemon=yes\nUmask=9\numask=022";
        assert_eq!(
            errors(file, &["-port", "ftp", "-A", "session-pam"]),
            [
                "conf:1: unknown key \"Prot\", did you mean \"Port\"?",
                "conf:2: Port: \"99999\" is not a port number from 0 to 65535",
                "conf:4: this build does not offer the key \"UserPrompt\" yet",
                "conf:5: Idle needs a value: Idle=TIME",
                "conf:6: \"NoDaemon\" is not a key, only a flag: -nodemon",
                "conf:7: Umask: \"9\" is not an octal mode from 000 to 777",
                "conf:8: Umask is already set on line 7",
                "-port: \"ftp\" is not a port number from 0 to 65535",
                "-authmethods: session-pam checks no password: name a method that does beside it",
            ]
        );
    }

    #[test]
    fn limits_and_rates_are_shared_by_a_daemon_only() {
        let file = "TotalUploadRate=1MiB/s\nMaxPerUser=0\nPenalty=0\nMaxClients=9";
        assert!(config(file, &[]).server.total_rates.upload.is_some());
        assert_eq!(
            errors(file, &["-inetd", "-maxperaddress", "3"]),
            [
                "conf:1: TotalUploadRate needs the daemon: under inetd sessions do not know of each other; DownloadRate and UploadRate work there",
                "conf:4: MaxClients needs the daemon: under inetd sessions do not know of each other; whatever starts ftpd there has limits of its own",
                "-maxperaddress: MaxPerAddress needs the daemon: under inetd sessions do not know of each other; whatever starts ftpd there has limits of its own",
            ]
        );
        let fine = config("MaxPerUser=0\nPenalty=0", &["-inetd"]);
        assert_eq!(fine.session.max_per_user, 0);
    }

    #[test]
    fn data_ports_must_be_a_range_in_the_end() {
        let file = "DataConnectionLowPort=50000";
        assert_eq!(
            config(file, &["-dchigh", "50001"]).session.data_ports,
            (50000, 50001)
        );
        assert_eq!(
            errors(file, &["-dchigh", "40000"]),
            ["-dchigh: the lowest data port, 50000, is above the highest, 40000"]
        );
        assert_eq!(
            errors("DataConnectionPortRange=0-0", &[]),
            [
                "conf:1: DataConnectionPortRange: \"0-0\" is not a range of ports such as 50000-50999 between 1024 and 65535"
            ]
        );
        assert_eq!(
            errors("", &["-dcrange", "2000-3000", "-dclow", "2500"]),
            ["-dclow: DataConnectionPortRange and DataConnectionLowPort exclude each other"]
        );
    }

    #[test]
    fn contradictions_are_told() {
        assert_eq!(
            errors("", &["-4", "-i", "::1"]),
            ["-4: contradicts the address ::1 to listen on"]
        );
        assert_eq!(
            errors("ChHome\nChShare=/srv", &[]),
            ["conf:2: ChHome and ChShare exclude each other"]
        );
        assert_eq!(
            config("ChHome\n", &["-chshare", "/srv"]).session.jail,
            JailMode::Share("/srv".into())
        );
    }

    #[test]
    fn the_banner_file_is_the_greeting_up_to_a_limit() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("Welcome\r\nto ü\n".as_bytes()).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        assert_eq!(
            config("", &["-bannerfile", &path]).server.banner,
            ["Welcome", "to ü"]
        );
        file.write_all("é".repeat(10_000).as_bytes()).unwrap();
        let loaded = run(&format!("BannerFile={path}"), &[]).1.unwrap();
        assert_eq!(loaded.config.server.banner.concat().len(), 8192 - 3 - 1);
        assert_eq!(loaded.warnings.len(), 1);
        assert_eq!(
            errors("BannerFile=/no/such/file", &[]),
            [
                "conf:1: BannerFile: /no/such/file cannot be read: No such file or directory (os error 2)"
            ]
        );
    }

    #[test]
    fn a_named_file_must_be_there_and_small_and_a_file() {
        let load_from = |path: &str| {
            let argv = ["ftpd", "-f", path];
            let matches = cli::ftpd::command().try_get_matches_from(argv).unwrap();
            Source::new(matches).load().map(|loaded| loaded.config)
        };
        let message = |path| load_from(path).unwrap_err()[0].to_string();
        assert_eq!(
            message("/no/such.conf"),
            "/no/such.conf: cannot be read: No such file or directory (os error 2)"
        );
        assert_eq!(
            message("/tmp"),
            "/tmp: cannot be read: it is not a regular file"
        );
        assert_eq!(
            message("/dev/zero"),
            "/dev/zero: cannot be read: it is longer than 1 MiB"
        );
        assert_eq!(load_from("/dev/null"), Ok(Config::default()));
    }

    #[test]
    fn octets_that_are_no_text_are_an_error_of_their_line() {
        let mut errors = Vec::new();
        let parsed = key_value::parse(
            FTPD,
            Path::new("conf"),
            b"Port=1\nBanner=\xff\nIdle=1",
            &mut errors,
        );
        assert_eq!(parsed.assignments.len(), 2);
        assert_eq!(errors[0].to_string(), "conf:2: the line is not UTF-8");
    }

    #[test]
    fn only_root_may_write_what_root_obeys() {
        assert_eq!(trusted(0, 0o100_644), Ok(()));
        assert_eq!(
            trusted(0, 0o100_664),
            Err("its mode 664 lets others than root write it: chmod go-w it".to_owned())
        );
        assert!(trusted(0, 0o100_602).is_err());
        assert!(trusted(1000, 0o100_600).is_err());
    }

    #[test]
    fn a_list_without_login_is_warned_about() {
        let loaded = run("PermittedCommands=RETR,LIST", &[]).1.unwrap();
        assert_eq!(
            loaded.warnings,
            ["PermittedCommands leaves out USER or PASS: nobody will be able to log in"]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(octets: Vec<u8>) {
            key_value::parse(FTPD, Path::new("conf"), &octets, &mut Vec::new());
        }
    }
}
