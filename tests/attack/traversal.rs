//! Attacks by paths that want out of a home, by their row in our table of attacks: whatever a path looks like, and whichever command takes
//! it, nothing outside is opened, changed or told of.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tests::reply::Text;
use tests::scratch::{give, mode};
use tests::user::ordinary;
use tests::{Client, Data, Reply, Server, Setup};

const SECRET: &[u8] = b"what nobody inside may read";
/// What stands for a path in a line.
const PATH: &[u8] = b"{}";

/// Every verb that takes a path, in a line.
#[rustfmt::skip]
const LINES: &[&str] = &[
    "CWD {}", "DELE {}", "SIZE {}", "MDTM {}", "MDTM 20010909014640 {}", "MFMT 20010909014640 {}", "MFCT 20010909014640 {}",
    "MFF UNIX.mode=0600; {}", "MLST {}", "STAT {}", "AVBL {}", "DSIZ {}", "HASH {}", "MD5 {}", "MMD5 {}, file",
    "XCRC \"{}\"", "XMD5 \"{}\"", "XSHA1 \"{}\"", "XSHA256 \"{}\"", "XSHA512 \"{}\"",
    "MKD {}", "RMD {}", "RMDA {}", "RNFR {}", "SITE CHMOD 777 {}", "SITE CPFR {}", "SITE MKDIR {}", "SITE RMDIR {}",
    "SITE UTIME 20010909014640 {}", "SITE SYMLINK {} made", "SITE SYMLINK file {}", "RNTO {}", "SITE CPTO {}",
];
/// What comes before such a line.
const BEFORE: &[(&str, &str)] = &[("RNTO", "RNFR file"), ("SITE CPTO", "SITE CPFR file")];
/// The same over a data connection.
const TRANSFERS: &[&str] = &[
    "RETR {}", "LIST {}", "NLST {}", "MLSD {}", "STOR {}", "APPE {}",
];

fn filled(line: &str, path: &[u8]) -> Vec<u8> {
    let at = line.find("{}").unwrap();
    [
        &line.as_bytes()[..at],
        path,
        &line.as_bytes()[at + PATH.len()..],
    ]
    .concat()
}

fn has(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

/// What lies beside a home, and hears of everything that is done to it.
struct Outside {
    place: PathBuf,
    before: Vec<(PathBuf, i64, i64, u32)>,
    watch: Inotify,
}

impl Outside {
    /// Open to everybody: only the server's own walls keep its user away.
    fn beside(home: &Path) -> Outside {
        let place = home.parent().unwrap().join("outside");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("secret"), SECRET).unwrap();
        for path in [place.join("secret"), place.clone()] {
            give(&path, ordinary().uid, ordinary().gid);
            mode(&path, 0o777);
        }
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        let before = state(&place);
        watch
            .add_watch(&place, AddWatchFlags::IN_ALL_EVENTS)
            .unwrap();
        Outside {
            place,
            before,
            watch,
        }
    }

    /// Nobody has opened or changed anything; `what` was tried.
    fn assert_untouched(&self, what: &str) {
        match self.watch.read_events() {
            Err(Errno::EAGAIN) => {}
            heard => panic!("after {what}: {heard:?}"),
        }
    }

    fn assert_unchanged(self) {
        self.assert_untouched("all");
        // This look is seen: so would another's be.
        assert_eq!(state(&self.place), self.before);
        assert!(self.watch.read_events().is_ok());
        assert_eq!(fs::read(self.place.join("secret")).unwrap(), SECRET);
    }
}

/// Names, times of the last change of anything, sizes and modes.
fn state(place: &Path) -> Vec<(PathBuf, i64, i64, u32)> {
    let inside = fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = inside.chain([place.to_owned()]).collect();
    all.sort();
    let tell = |path: PathBuf| {
        let facts = fs::symlink_metadata(&path).unwrap();
        (
            path,
            facts.ctime() * 1_000_000_000 + facts.ctime_nsec(),
            facts.size().cast_signed(),
            facts.mode(),
        )
    };
    all.into_iter().map(tell).collect()
}

/// Has what paths lead through, whatever was removed or replaced before.
fn furnish(server: &Server, outside: &Path) {
    let home = &server.home;
    if !home.join("file").is_file() {
        server.put("file", b"content");
    }
    if !home.join("dir").is_dir() {
        let _ = fs::remove_file(home.join("dir"));
        server.put_directory("dir");
    }
    for (link, target) in [
        ("link", Path::new("../outside")),
        ("file_link", Path::new("../outside/secret")),
        ("absolute", outside),
        ("absolute_file", &outside.join("secret")),
        ("dir/up", Path::new("..")),
        ("dir/far", Path::new("../../outside")),
        ("parent", Path::new("..")),
        ("proc", Path::new("/proc/self/root")),
        ("loop", Path::new("loop")),
    ] {
        let path = home.join(link);
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_symlink() => continue,
            Ok(facts) if facts.is_dir() => fs::remove_dir_all(&path).unwrap(),
            Ok(_) => fs::remove_file(&path).unwrap(),
            Err(_) => {}
        }
        symlink(target, path).unwrap();
    }
}

/// Paths that some program has taken for one that leads out.
fn paths(outside: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let parents: [&[u8]; 11] = [
        b"..",
        b"...",
        b"....",
        b".. ",
        b"..;",
        b"..\\",
        b".%2e",
        b"%2e%2e",
        b"%252e%252e",
        b"\xc0\xae\xc0\xae",
        b"\xe0\x80\xae\xe0\x80\xae",
    ];
    let separators: [&[u8]; 7] = [b"/", b"//", b"/./", b"\\", b"%2f", b"\xc0\xaf", b"/dir/../"];
    for parent in parents {
        for separator in separators {
            for depth in [1, 4] {
                let climb = [parent, separator].concat().repeat(depth);
                all.push([&climb[..], b"outside", separator, b"secret"].concat());
            }
        }
    }
    for head in [
        "",
        "/",
        "//",
        "./",
        "dir/",
        "link/",
        "link/../",
        "parent/",
        "dir/up/",
        "absolute/../",
    ] {
        for depth in [1, 2, 64, 300] {
            for tail in [
                "outside",
                "outside/secret",
                "outside/new",
                "outside/.",
                "outside//",
                "",
            ] {
                all.push(format!("{head}{}{tail}", "../".repeat(depth)).into_bytes());
            }
        }
    }
    let place = outside.to_str().unwrap();
    for path in [
        "link",
        "link/",
        "link/.",
        "link/secret",
        "link/new",
        "link//secret",
        "file_link",
        "absolute",
        "absolute/secret",
        "absolute_file",
        "dir/far",
        "dir/far/secret",
        "dir/up/up/outside/secret",
        "parent/outside",
        "parent/outside/secret",
        "proc",
        "proc/etc/passwd",
        "loop",
        "loop/x",
        "dir/../link/secret",
        "link/../link/secret",
        "/link/secret",
        "link/*",
        "*/secret",
        "*/*",
        "l?nk/secret",
        "~",
        "~/..",
        "~root",
        "~{",
        "$HOME",
        "$(User)/../..",
        "-a link",
        "-R ..",
        "file/../../outside/secret",
        "/proc/self/root/etc/passwd",
        "/proc/self/fd/3",
        "/dev/fd/3",
        "C:\\outside",
    ] {
        all.push(path.as_bytes().to_vec());
    }
    for path in [
        place.to_owned(),
        format!("{place}/secret"),
        format!("//{place}/secret"),
        format!("file://{place}/secret"),
        place.replace('/', "\\"),
    ] {
        all.push(path.into_bytes());
    }
    all.push(
        [
            &b"a/".repeat(1500)[..],
            &b"../".repeat(1502)[..],
            b"outside/secret",
        ]
        .concat(),
    );
    all
}

/// Whose syntax, as HELP tells it, has a path.
fn verbs_with_paths(client: &mut Client) -> BTreeSet<String> {
    let inside = |reply: Reply| reply.lines[1..reply.lines.len() - 1].join("\n");
    let help = inside(client.expect("HELP", 214));
    let verbs: Vec<String> = help.split_whitespace().map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    for verb in verbs {
        let told = client.expect(&format!("HELP {verb}"), 214).text();
        if told.contains("path>") && verb != "SITE" {
            found.insert(verb);
        }
    }
    for line in inside(client.expect("SITE HELP", 214))
        .lines()
        .filter(|line| line.contains("path>") || line.contains("<link>"))
    {
        found.insert(
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    found
}

fn verb(line: &str) -> String {
    let words = if line.starts_with("SITE") { 2 } else { 1 };
    line.split(' ').take(words).collect::<Vec<_>>().join(" ")
}

/// Carries a transfer out as far as the server does; its code, and what came.
fn transfer(client: &mut Client, line: &[u8], uploads: bool) -> (u16, Vec<u8>) {
    let data = client.data(Data::Epsv);
    client.send_octets(&[line, b"\r\n"].concat());
    let mark = client.reply();
    if mark.code >= 200 {
        return (mark.code, Vec::new());
    }
    let data = data.open();
    let mut came = Vec::new();
    match uploads {
        true => data.write_all_and_close(b"overwritten"),
        false => came = data.read_all(),
    }
    (client.reply().code, came)
}

/// Links that the server has made lead to what is inside, for everybody.
fn assert_leads_inside(server: &Server, link: &str) {
    let path = server.home.join(link);
    if let Ok(target) = fs::read_link(&path) {
        assert!(target.is_relative(), "{target:?}");
        if let Ok(end) = fs::canonicalize(&path) {
            assert!(
                end.starts_with(fs::canonicalize(&server.home).unwrap()),
                "{target:?}"
            );
        }
        fs::remove_file(path).unwrap();
    }
}

fn nothing_leads_out(setup: Setup) {
    let server = setup.setting("Durability=rename").start();
    let outside = Outside::beside(&server.home);
    let mut client = server.logged_in();
    client.text = Text::Names;
    let (mut done, mut refused) = (0, 0);
    for path in paths(&outside.place) {
        let mut told = |line: &str, code: u16, text: &[u8]| {
            let what = format!(
                "{line} with {:?}",
                String::from_utf8_lossy(&path[..path.len().min(60)])
            );
            assert!(!has(text, SECRET) && !has(text, b"root:x:0"), "{what}");
            outside.assert_untouched(&what);
            match code {
                200..400 => done += 1,
                _ => refused += 1,
            }
        };
        for line in LINES {
            furnish(&server, &outside.place);
            if let Some((_, before)) = BEFORE.iter().find(|(verb, _)| line.starts_with(verb)) {
                client.command(before);
            }
            client.send_octets(&[&filled(line, &path)[..], b"\r\n"].concat());
            let reply = client.reply();
            told(line, reply.code, reply.text().as_bytes());
            if line.ends_with("made") {
                assert_leads_inside(&server, "made");
            }
        }
        for line in TRANSFERS {
            furnish(&server, &outside.place);
            let uploads = ["STOR", "APPE"].contains(&verb(line).as_str());
            let (code, came) = transfer(&mut client, &filled(line, &path), uploads);
            told(line, code, &came);
        }
        client.expect("CWD /", 250);
    }
    assert!(
        done > 100 && refused > 1000,
        "{done} done, {refused} refused"
    );
    outside.assert_unchanged();
}

#[test]
fn row_15_no_path_leads_out_of_a_home() {
    nothing_leads_out(Setup::new());
}

#[test]
fn row_15_no_path_leads_out_of_a_home_without_root() {
    nothing_leads_out(Setup::rootless());
}

#[test]
fn row_19_every_verb_that_takes_a_path_is_tried() {
    let server = Server::start();
    let tried: BTreeSet<_> = LINES
        .iter()
        .chain(TRANSFERS)
        .map(|line| verb(line))
        .collect();
    let offered = verbs_with_paths(&mut server.logged_in());
    assert!(offered.len() > 30, "{offered:?}");
    let missing: Vec<_> = offered.difference(&tried).collect();
    assert!(missing.is_empty(), "no line with a path for {missing:?}");
}
