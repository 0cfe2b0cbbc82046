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
        // What points at the place has tests of its own.
        let told = (errors.iter()).map(|error| {
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        });
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
    assert_eq!(origin("Umask"), "conf:3:7");
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
        ["conf:1:10: AuthFile: \"users\" is not an absolute path"]
    );
}

#[test]
fn every_error_is_told_with_its_place() {
    let file = "Prot=21\nPort=99999\n\nUserPrompt=a\tb\x07\nIdle\nnodaemon=yes\nUmask=9\numask=022";
    assert_eq!(
        errors(file, &["-port", "ftp", "-A", "session-pam"]),
        [
            "conf:1:1: unknown key \"Prot\", did you mean \"Port\"?",
            "conf:2:6: Port: \"99999\" is not a port number from 0 to 65535",
            "conf:4:12: UserPrompt: \"a\\tb\\u{7}\" is not lines of text without control characters",
            "conf:5:1: Idle needs a value: Idle=TIME",
            "conf:6:1: \"NoDaemon\" is not a key, only a flag: -nodemon",
            "conf:7:7: Umask: \"9\" is not an octal mode from 000 to 777",
            "conf:8:7: Umask is already set on line 7: leave one of them out",
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
            "conf:1:17: TotalUploadRate needs the daemon: under inetd sessions do not know of each other; DownloadRate and UploadRate work there",
            "conf:4:12: MaxClients needs the daemon: under inetd sessions do not know of each other; whatever starts ftpd there has limits of its own",
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
            "conf:1:25: DataConnectionPortRange: \"0-0\" is not a range of ports such as 50000-50999 between 1024 and 65535"
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
        ["conf:2:9: ChHome and ChShare exclude each other"]
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
            "conf:1:12: BannerFile: /no/such/file cannot be read: No such file or directory (os error 2); BannerFile names the file"
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
        "/no/such.conf: cannot be read: No such file or directory (os error 2); -f names the file"
    );
    assert_eq!(
        message("/tmp"),
        "/tmp: cannot be read: it is not a regular file: name one"
    );
    assert_eq!(
        message("/dev/zero"),
        "/dev/zero: cannot be read: it is longer than 1 MiB, as no such file should be: name another"
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
    assert_eq!(
        errors[0].to_string(),
        "conf:2:8: this is not UTF-8: save the file in that encoding"
    );
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
