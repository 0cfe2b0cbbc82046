//! The files of other programs, line by line. Pure: no I/O.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use common::auth::Secret;
use common::auth::native::{Setting, Stored};
use common::cli::ftpuser::Form;

use super::pairs::Pair;

/// A user as another program's line has them.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a [u8],
    /// `None` where no password is right.
    pub(super) password: Option<Password<'a>>,
    pub(super) owner: Owner<'a>,
    pub(super) home: Option<PathBuf>,
    pub(super) settings: Vec<Setting>,
    /// What has no counterpart here.
    pub(super) lost: Vec<String>,
}

/// A password as a file has it.
#[derive(Debug)]
pub(super) enum Password<'a> {
    Hash(&'a [u8]),
    Plain(Secret),
}

/// Whose the files are.
#[derive(Debug)]
pub(super) enum Owner<'a> {
    Name(&'a str),
    Uid(u32),
    Unknown,
}

/// The lines of shadow(5) by name.
pub(super) fn shadow(octets: &[u8]) -> BTreeMap<&[u8], &[u8]> {
    let lines = octets.split(|&octet| octet == b'\n');
    lines
        .filter_map(|line| {
            let end = line.iter().position(|&octet| octet == b':')?;
            Some((&line[..end], &line[end + 1..]))
        })
        .collect()
}

/// Reads a line of this form.
pub(super) fn candidate<'a>(
    form: Form,
    line: &'a [u8],
    shadow: &BTreeMap<&'a [u8], &'a [u8]>,
) -> Result<Candidate<'a>, String> {
    let fields: Vec<_> = line.split(|&octet| octet == b':').collect();
    match form {
        Form::Passwd => passwd(&fields, shadow),
        Form::Proftpd => proftpd(&fields),
        Form::PureFtpd => pure_ftpd(&fields),
        // Our own form and pairs are read elsewhere; nothing asks for them here.
        Form::Htpasswd | Form::Vsftpd | Form::PamUserdb | Form::Metaftpd => match fields[..] {
            [name, hash, ..] => Ok(of_name(name, usable(hash))),
            _ => Err("a name, a colon and a hash are expected".to_owned()),
        },
    }
}

/// A user of whom a file has a name and a password.
fn of_name<'a>(name: &'a [u8], password: Option<Password<'a>>) -> Candidate<'a> {
    Candidate {
        name,
        password,
        owner: Owner::Unknown,
        home: None,
        settings: Vec::new(),
        lost: Vec::new(),
    }
}

/// The user of a Berkeley DB, which says nowhere whether its passwords are hashes.
pub(super) fn of_pair(pair: &Pair) -> Result<Candidate<'_>, String> {
    let password = pair.password.as_ref();
    let password = password.ok_or("there is no line with the password")?;
    let password = match password.starts_with(b"$") && Stored::of_hash(password).is_ok() {
        true => usable(password),
        false => Some(Password::Plain(Secret::new(password))),
    };
    Ok(of_name(&pair.name, password))
}

/// What is known about hashes that are none of ours.
pub(super) fn unusable(hash: &[u8]) -> &'static str {
    let known: [(&[u8], &str); 2] = [
        (b"$7$", " (it is scrypt)"),
        (b"$argon2i$", " (it is argon2i)"),
    ];
    let known = known.iter().find(|(start, _)| hash.starts_with(start));
    known.map_or("", |(_, hint)| hint)
}

/// passwd(5), and what shadow(5) adds.
fn passwd<'a>(
    fields: &[&'a [u8]],
    shadow: &BTreeMap<&'a [u8], &'a [u8]>,
) -> Result<Candidate<'a>, String> {
    let mut candidate = account(fields)?;
    let name = str::from_utf8(candidate.name).map_err(|_| "the name is not UTF-8".to_owned())?;
    candidate.owner = Owner::Name(name);
    if fields[1] != b"x" {
        return Ok(candidate);
    }
    let line = shadow.get(candidate.name);
    let line = line.ok_or("the hash is in /etc/shadow; --shadow FILE says where")?;
    let fields: Vec<_> = line.split(|&octet| octet == b':').collect();
    let hash = fields[0];
    candidate.password = usable(hash.strip_prefix(b"!").unwrap_or(hash));
    if hash.starts_with(b"!") {
        candidate
            .settings
            .push(("Enabled".to_owned(), "no".to_owned()));
    }
    if let Some(day) = fields.get(6).filter(|day| !day.is_empty()) {
        candidate
            .settings
            .push(("Expires".to_owned(), last_day(day)?));
    }
    Ok(candidate)
}

/// AuthUserFile: passwd(5) with the hash in it, of users who need not be the system's.
fn proftpd<'a>(fields: &[&'a [u8]]) -> Result<Candidate<'a>, String> {
    account(fields)
}

fn account<'a>(fields: &[&'a [u8]]) -> Result<Candidate<'a>, String> {
    let &[name, hash, uid, _, _, home, _] = fields else {
        return Err(format!("7 fields are expected, not {}", fields.len()));
    };
    Ok(Candidate {
        name,
        password: usable(hash),
        owner: Owner::Uid(number(uid)?),
        home: directory(home),
        settings: Vec::new(),
        lost: Vec::new(),
    })
}

/// What pure-pw keeps: rates in octets a second, times as 0900-1800, and a home whose jail ends at `/./`.
fn pure_ftpd<'a>(fields: &[&'a [u8]]) -> Result<Candidate<'a>, String> {
    let &[
        name,
        hash,
        uid,
        _,
        _,
        home,
        up,
        down,
        up_ratio,
        down_ratio,
        sessions,
        files,
        size,
        local_yes,
        local_no,
        client_yes,
        client_no,
        times,
    ] = fields
    else {
        return Err(format!("18 fields are expected, not {}", fields.len()));
    };
    let mut candidate = Candidate {
        name,
        password: usable(hash),
        owner: Owner::Uid(number(uid)?),
        home: None,
        settings: Vec::new(),
        lost: Vec::new(),
    };
    let jail = home.windows(3).position(|part| part == b"/./");
    candidate.home = directory(&home[..jail.unwrap_or(home.len())]);
    if let Some(end) = jail {
        candidate
            .settings
            .push(("ChHome".to_owned(), "yes".to_owned()));
        if home.len() > end + 3 {
            candidate
                .lost
                .push("the start directory below the home is not kept".to_owned());
        }
    }
    let mut set = |key: &str, value: String| candidate.settings.push((key.to_owned(), value));
    for (key, octets) in [("UploadRate", up), ("DownloadRate", down)] {
        if let Some(rate) = unless_nothing(octets) {
            set(key, format!("{}B/s", number(rate)?));
        }
    }
    if let Some(sessions) = unless_nothing(sessions) {
        set("MaxPerUser", number(sessions)?.to_string());
    }
    if !client_yes.is_empty() {
        set("AllowedNetworks", text(client_yes)?);
    }
    if !times.is_empty() {
        set("LoginHours", hours(times)?);
    }
    for (what, octets) in [
        ("the upload ratio", up_ratio),
        ("the download ratio", down_ratio),
        ("the quota of files", files),
        ("the quota of octets", size),
        ("the list of local addresses", local_yes),
        ("the list of refused local addresses", local_no),
        ("the list of refused clients", client_no),
    ] {
        if unless_nothing(octets).is_some() {
            candidate.lost.push(format!("{what} is not kept"));
        }
    }
    Ok(candidate)
}

/// A hash, or nothing where the field says that no password is right.
fn usable(hash: &[u8]) -> Option<Password<'_>> {
    let locked =
        hash.is_empty() || hash == b"x" || hash.starts_with(b"*") || hash.starts_with(b"!");
    (!locked).then_some(Password::Hash(hash))
}

fn unless_nothing(octets: &[u8]) -> Option<&[u8]> {
    (!octets.is_empty() && octets != b"0").then_some(octets)
}

fn directory(octets: &[u8]) -> Option<PathBuf> {
    (!octets.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(octets)))
}

fn text(octets: &[u8]) -> Result<String, String> {
    str::from_utf8(octets)
        .map(str::to_owned)
        .map_err(|_| "it is not UTF-8".to_owned())
}

fn number(octets: &[u8]) -> Result<u32, String> {
    let digits = str::from_utf8(octets).ok();
    let digits = digits.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    digits
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{:?} is not a number", String::from_utf8_lossy(octets)))
}

/// `0900-1800` as `09:00-18:00`.
fn hours(octets: &[u8]) -> Result<String, String> {
    let wrong = || format!("{:?} is not a time of day", String::from_utf8_lossy(octets));
    let text = str::from_utf8(octets).map_err(|_| wrong())?;
    let time = |time: &str| {
        let digits = time.len() == 4 && time.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| format!("{}:{}", &time[..2], &time[2..]))
    };
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let (from, until) = (
        time(from).ok_or_else(wrong)?,
        time(until).ok_or_else(wrong)?,
    );
    Ok(format!("{from}-{until}"))
}

/// shadow(5) names the first day without the account, counted from 1970.
fn last_day(octets: &[u8]) -> Result<String, String> {
    let day = i64::from(number(octets)?) - 1;
    let day = jiff::civil::date(1970, 1, 1)
        .checked_add(jiff::Span::new().try_days(day).map_err(|e| e.to_string())?);
    day.map(|day| day.to_string())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, line: &str, shadow_lines: &str) -> Result<String, String> {
        let shadow = shadow(shadow_lines.as_bytes());
        let candidate = candidate(form, line.as_bytes(), &shadow)?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let settings: Vec<_> = candidate
            .settings
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let home = candidate
            .home
            .map_or("-".to_owned(), |home| home.display().to_string());
        let hash = match candidate.password {
            Some(Password::Hash(hash)) => text(hash),
            Some(Password::Plain(_)) => "plain".to_owned(),
            None => "-".to_owned(),
        };
        Ok(format!(
            "{} {hash} {home} [{}] [{}]",
            text(candidate.name),
            settings.join(" "),
            candidate.lost.join("; ")
        ))
    }

    #[test]
    fn each_form_is_read() {
        let of = |form, line| {
            read(
                form,
                line,
                "fred:$6$s$h:19000:0:99999:7::20000:\nann:!$6$a$b:1::::::\n",
            )
            .unwrap()
        };
        assert_eq!(of(Form::Htpasswd, "fred:$2y$05$x"), "fred $2y$05$x - [] []");
        assert_eq!(of(Form::Vsftpd, "fred:$1$a$b:more"), "fred $1$a$b - [] []");
        assert_eq!(
            of(Form::Proftpd, "fred:$5$a$b:1000:1000::/srv:/bin/false"),
            "fred $5$a$b /srv [] []"
        );
        assert_eq!(
            of(Form::Passwd, "fred:x:1000:1000:F:/home/fred:/bin/sh"),
            "fred $6$s$h /home/fred [Expires=2024-10-03] []"
        );
        assert_eq!(
            of(Form::Passwd, "ann:x:1001:1000::/home/ann:/bin/sh"),
            "ann $6$a$b /home/ann [Enabled=no] []"
        );
        assert_eq!(
            of(Form::Passwd, "daemon:*:1:1::/:/bin/sh"),
            "daemon - / [] []"
        );
        assert_eq!(
            of(
                Form::PureFtpd,
                "joe:$6$a$b:1000:100::/srv/joe/./:1024:2048:1:2:5:10:100:::192.168.0.0/16:10.0.0.1:0900-1800"
            ),
            "joe $6$a$b /srv/joe [ChHome=yes UploadRate=1024B/s DownloadRate=2048B/s MaxPerUser=5 \
             AllowedNetworks=192.168.0.0/16 LoginHours=09:00-18:00] [the upload ratio is not kept; the download ratio is not \
             kept; the quota of files is not kept; the quota of octets is not kept; the list of refused clients is not kept]"
        );
    }

    #[test]
    fn what_is_no_line_of_the_form_is_an_error() {
        for (form, line) in [
            (Form::Htpasswd, "fred"),
            (Form::Proftpd, "fred:$5$a$b:1000:1000::/srv"),
            (Form::Proftpd, "fred:$5$a$b:-1:1000::/srv:/bin/sh"),
            (Form::Proftpd, "fred:$5$a$b:4294967296:1::/srv:/bin/sh"),
            (Form::Passwd, "nobodys:x:1:1::/:/bin/sh"),
            (Form::PureFtpd, "joe:$6$a$b:1000:100::/srv/joe/./"),
            (
                Form::PureFtpd,
                "joe:$6$a$b:1000:100::/srv/joe::::::::::::9-18",
            ),
        ] {
            assert!(read(form, line, "").is_err(), "{line}");
        }
    }
}
