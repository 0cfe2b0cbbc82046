//! Every flag and key of MetaFTPd, in the spellings of its README and of its code: each makes the setting that it says, and
//! `--dump-config` tells which one and from where.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::{Scratch, binaries};

/// A key as a line of a file, and what is told: the TOML name and the value, as TOML has it.
type Key = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const README_KEYS: &[Key] = &[
    ("Chroot=/srv/ftp",                   "run.chroot",            "\"/srv/ftp\""),
    ("ChHome",                            "files.confine-home",    "true"),
    ("AllowUsers=joe,ann",                "login.allow-users",     "\"joe,ann\""),
    ("DenyUsers=root,fred",               "login.deny-users",      "\"root,fred\""),
    ("Port=2121",                         "listen.port",           "2121"),
    ("DataConnectUpScript=/sbin/up",      "hooks.data-up",         "\"/sbin/up\""),
    ("DataConnectDownScript=/sbin/down",  "hooks.data-down",       "\"/sbin/down\""),
    ("Banner=A = B, and more",            "login.banner",          "\"A = B, and more\""),
    ("DataConnectionLowPort=50000",       "data.port-low",         "50000"),
    ("DataConnectionHighPort=50999",      "data.port-high",        "50999"),
    ("AuthFile=/etc/ftp.auth",            "login.auth-file",       "\"/etc/ftp.auth\""),
    ("AuthMethods=pam,passwd,shadow,native,session-pam", "login.methods", "\"pam,passwd,shadow,native,session-pam\""),
    ("LogFile=/var/log/$(User)-$(ClientIP)", "log.file",           "\"/var/log/$(User)-$(ClientIP)\""),
    ("Idle=90",                           "session.idle",          "90"),
    ("MaxIdle=600",                       "session.max-idle",      "600"),
    ("Locks=Advisory",                    "files.locks",           "\"Advisory\""),
    ("BindAddress=127.0.0.1",             "listen.address",        "\"127.0.0.1\""),
    ("PermittedCommands=RETR,LIST,USER,PASS,PASV", "session.commands", "\"RETR,LIST,USER,PASS,PASV\""),
    ("DefaultGroup=nogroup",              "login.default-group",   "\"nogroup\""),
    ("ConfirmTransfers=md5",              "data.confirm",          "\"md5\""),
    ("ConfirmTransfers=sha1",             "data.confirm",          "\"sha1\""),
    ("ConfirmTransfers=sha256",           "data.confirm",          "\"sha256\""),
    ("ConfirmTransfers=sha512",           "data.confirm",          "\"sha512\""),
    ("ConfirmTransfers=whirl",            "data.confirm",          "\"whirl\""),
    ("UploadHook=/sbin/hook",             "hooks.upload",          "\"/sbin/hook\""),
    ("DownloadHook=/sbin/hook",           "hooks.download",        "\"/sbin/hook\""),
    ("DeleteHook=/sbin/hook",             "hooks.delete",          "\"/sbin/hook\""),
    ("RenameHook=/sbin/hook",             "hooks.rename",          "\"/sbin/hook\""),
    ("LogonHook=/sbin/hook",              "hooks.login",           "\"/sbin/hook\""),
    ("LogoffHook=/sbin/hook",             "hooks.logout",          "\"/sbin/hook\""),
    ("ConnectUpHook=/sbin/hook",          "hooks.data-up",         "\"/sbin/hook\""),
    ("ConnectDownHook=/sbin/hook",        "hooks.data-down",       "\"/sbin/hook\""),
];

/// Spellings that only its code knew, and keys that no page of it told.
#[rustfmt::skip]
const CODE_KEYS: &[Key] = &[
    ("chhome",                            "files.confine-home",    "true"),
    ("Chshare=/home",                     "files.confine-share",   "\"/home\""),
    ("ALLOWUSERS=joe ann",                "login.allow-users",     "\"joe ann\""),
    ("DenyUsers=root fred",               "login.deny-users",      "\"root fred\""),
    ("BannerFile={banner}",               "login.banner-file",     "\"{banner}\""),
    ("DataConnectionPortRange=50000-50999", "data.ports",          "\"50000-50999\""),
    ("ServLogFile=/var/log/server",       "log.server-file",       "\"/var/log/server\""),
    ("ServLogFile=SYSLOG",                "log.server-file",       "\"SYSLOG\""),
    ("ServLogFile=STDERR",                "log.server-file",       "\"STDERR\""),
    ("LogFile=SYSLOG",                    "log.file",              "\"SYSLOG\""),
    ("LogFile=STDOUT",                    "log.file",              "\"STDOUT\""),
    ("LogFile=/l/$(REALUSER)",            "log.file",              "\"/l/$(REALUSER)\""),
    ("Locks=Mandatory",                   "files.locks",           "\"Mandatory\""),
    ("Locks=MandatoryWrite",              "files.locks",           "\"MandatoryWrite\""),
    ("BindAddress=lo",                    "listen.address",        "\"lo\""),
    ("LogPasswords=1",                    "log.passwords",         "true"),
    ("LogPasswords",                      "log.passwords",         "true"),
    ("UserPrompt=Good day\\nto you",      "login.prompt",          "\"Good day\\\\nto you\""),
    ("MaxFileSize=1000000",               "files.max-size",        "1000000"),
    ("LoginHook=/sbin/hook",              "hooks.login",           "\"/sbin/hook\""),
    ("LogoutHook=/sbin/hook,nobody,/tmp", "hooks.logout",          "\"/sbin/hook,nobody,/tmp\""),
    ("ConfirmTransfer=SHA-256",           "data.confirm",          "\"SHA-256\""),
    ("PermittedCommands=Basic,+SIZE,-PASV", "session.commands",    "\"Basic,+SIZE,-PASV\""),
];

/// Words of a command line, and what is told: TOML name, value, and the flag by its first name.
type Flag = (
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const FLAGS: &[Flag] = &[
    (&["-proxy", "-targets", "192.0.2.0/24"], "proxy.transparent", "true", "-proxy"),
    (&["-chhome"],                     "files.confine-home",    "true",                  "-chhome"),
    (&["-chroot", "/srv"],             "run.chroot",            "\"/srv\"",              "-chroot"),
    (&["-chshare", "/srv"],            "files.confine-share",   "\"/srv\"",              "-chshare"),
    (&["-port", "2121"],               "listen.port",           "2121",                  "-port"),
    (&["-p", "2121"],                  "listen.port",           "2121",                  "-port"),
    (&["-4"],                          "listen.ipv4-only",      "true",                  "-4"),
    (&["-nodemon"],                    "run.foreground",        "true",                  "-nodemon"),
    (&["-I"],                          "run.inetd",             "true",                  "-inetd"),
    (&["-inetd"],                      "run.inetd",             "true",                  "-inetd"),
    (&["-A", "native,pam"],            "login.methods",         "\"native,pam\"",        "-authmethods"),
    (&["-a", "/etc/ftp.auth"],         "login.auth-file",       "\"/etc/ftp.auth\"",     "-authfile"),
    (&["-allowusers", "joe,ann"],      "login.allow-users",     "\"joe,ann\"",           "-allowusers"),
    (&["-denyusers", "root"],          "login.deny-users",      "\"root\"",              "-denyusers"),
    (&["-nopasv"],                     "data.no-passive",       "true",                  "-nopasv"),
    (&["-dclow", "50000"],             "data.port-low",         "50000",                 "-dclow"),
    (&["-dchigh", "60000"],            "data.port-high",        "60000",                 "-dchigh"),
    (&["-logfile", "/var/log/ftp"],    "log.file",              "\"/var/log/ftp\"",      "-logfile"),
    (&["-l", "/var/log/ftp"],          "log.file",              "\"/var/log/ftp\"",      "-logfile"),
    (&["-syslog"],                     "log.syslog",            "true",                  "-syslog"),
    (&["-idle", "90"],                 "session.idle",          "90",                    "-idle"),
    (&["-maxidle", "600"],             "session.max-idle",      "600",                   "-maxidle"),
    (&["-mlocks"],                     "files.mandatory-locks", "true",                  "-mlocks"),
    (&["-alocks"],                     "files.advisory-locks",  "true",                  "-alocks"),
    (&["-malocks"],                    "files.write-locks",     "true",                  "-malocks"),
    (&["-i", "127.0.0.1"],             "listen.address",        "\"127.0.0.1\"",         "-bindaddress"),
    (&["-bindaddress", "lo"],          "listen.address",        "\"lo\"",                "-bindaddress"),
    (&["-dcus", "/sbin/up"],           "hooks.data-up",         "\"/sbin/up\"",          "-connectuphook"),
    (&["-dcds", "/sbin/down"],         "hooks.data-down",       "\"/sbin/down\"",        "-connectdownhook"),
    (&["-update-pass", "sha512"],      "login.update-pass",     "\"sha512\"",            "-update-pass"),
    (&["-confirm-transfer", "md5"],    "data.confirm",          "\"md5\"",               "-confirm-transfer"),
    (&["-confirm-transfers", "whirl"], "data.confirm",          "\"whirl\"",             "-confirm-transfer"),
];

/// Asks for the configuration; gives what is said and what is complained of.
fn dump(file: &Path, flags: &[&str]) -> (String, String) {
    let output = Command::new(binaries::path("ftpd"))
        .args(["--dump-config", "-f"])
        .arg(file)
        .args(flags)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// The value of a setting and its origin, as the dump tells them; `None` where it has its default.
fn told(dump: &str, toml: &str) -> Option<(String, String)> {
    let (topic, name) = toml.split_once('.').unwrap();
    let (_, table) = dump.split_once(&format!("[{topic}]\n"))?;
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    let mut lines = lines.map(|line| line.strip_prefix("# ").unwrap_or(line));
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
    let (value, origin) = line.rsplit_once("  # ")?;
    (origin != "default").then(|| (value.trim_end().to_owned(), origin.to_owned()))
}

#[test]
fn every_key_makes_its_setting_in_either_kind_of_file() {
    let scratch = Scratch::new();
    let banner = scratch.join("banner");
    fs::write(&banner, "Good day.\n").unwrap();
    let (plain, toml) = (scratch.join("ftpd.conf"), scratch.join("ftpd.toml"));
    for (line, name, value) in README_KEYS.iter().chain(CODE_KEYS) {
        let [line, value] =
            [line, value].map(|text| text.replace("{banner}", banner.to_str().unwrap()));
        fs::write(&plain, format!("# As found.\r\n  {line}  \r\n")).unwrap();
        let (said, errors) = dump(&plain, &[]);
        let expected = errors.is_empty() || line.starts_with("LogPasswords");
        assert!(expected, "{line}: {errors}");
        let (found, origin) =
            told(&said, name).unwrap_or_else(|| panic!("{line}: {name} in {said}"));
        assert_eq!(found, value, "{line}");
        let column = line.find('=').map_or(3, |at| at + 4);
        assert_eq!(origin, format!("{}:2:{column}", plain.display()), "{line}");
        // What it is called there, the dump has said.
        let (topic, short) = name.split_once('.').unwrap();
        fs::write(&toml, format!("[{topic}]\n{short} = {value}\n")).unwrap();
        let (said, _) = dump(&toml, &[]);
        let origin = format!("{}:2:{}", toml.display(), short.len() + 4);
        assert_eq!(told(&said, name), Some((found, origin)), "{line}");
    }
}

#[test]
fn every_flag_makes_its_setting_with_one_dash_or_two() {
    for (words, name, value, origin) in FLAGS {
        let mut double: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        if words[0].len() > 2 {
            double[0].insert(0, '-');
        }
        let double: Vec<_> = double.iter().map(String::as_str).collect();
        for words in [&words[..], &double] {
            let (said, errors) = dump(Path::new("/dev/null"), words);
            let (found, from) = told(&said, name).unwrap_or_else(|| panic!("{words:?}: {errors}"));
            let from = from.strip_suffix(", a flag only").unwrap_or(&from);
            assert_eq!((found.as_str(), from), (*value, *origin), "{words:?}");
        }
    }
}

#[test]
fn a_flag_goes_over_the_file_and_a_yes_is_a_yes() {
    let scratch = Scratch::new();
    let file = scratch.join("ftpd.conf");
    fs::write(&file, "Port=2121\nIdle=90\n").unwrap();
    let (said, _) = dump(&file, &["-p", "2122"]);
    assert_eq!(
        told(&said, "listen.port"),
        Some(("2122".to_owned(), "-port".to_owned()))
    );
    assert_eq!(told(&said, "session.idle").unwrap().0, "90");
}

#[test]
fn the_manual_says_what_is_kept_without_effect() {
    let page = fs::read_to_string(binaries::root().join("man/metaftpd.conf.5")).unwrap();
    let (_, entry) = page.split_once("\\fBLogPasswords\\fR").unwrap();
    let entry = entry.lines().nth(1).unwrap();
    assert!(entry.starts_with("Without effect"), "{entry}");
}
