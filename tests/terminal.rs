//! What people see: on terminals of 80 and 200 columns, and through a pipe.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::process::Command;

use tests::terminal::{shown, widest};
use tests::{Data, Scratch, Setup, binaries, wait};

fn program(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(binaries::path(name));
    command.args(words).env("TERM", "xterm-256color");
    command
}

#[test]
fn help_fits_the_terminal() {
    let helps: [(&str, &[&[&str]]); 4] = [
        ("ftpd", &[&[]]),
        ("ftpproxy", &[&[]]),
        (
            "ftphash",
            &[&[], &["sum"], &["verify"], &["confirm"], &["compare"]],
        ),
        (
            "ftpuser",
            &[
                &[],
                &["add"],
                &["del"],
                &["list"],
                &["show"],
                &["set"],
                &["passwd"],
                &["disable"],
                &["enable"],
                &["check"],
                &["import"],
                &["export"],
            ],
        ),
    ];
    for (name, commands) in helps {
        for words in commands {
            for flag in ["-h", "--help"] {
                let mut words = words.to_vec();
                words.push(flag);
                for columns in [80, 200] {
                    let text = shown(&mut program(name, &words), columns);
                    assert!(text.contains("Usage"), "{text}");
                    let widest = widest(&text);
                    assert!(
                        widest <= usize::from(columns),
                        "{name} {words:?}: {widest}\n{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn users_fit_the_terminal_and_all_of_them_is_there() {
    let scratch = Scratch::new();
    let file = scratch.join("users");
    let home = "/srv/ftp/departments/accounting/archive/2026";
    let settings = "MaxPerUser=3 Idle=10m PermittedCommands=ALL,-DELE DownloadRate=10MiB/s";
    fs::write(&file, format!("fred:plain::x:nobody:{home}:{settings}\n")).unwrap();
    tests::scratch::mode(&file, 0o600);
    let list = || program("ftpuser", &["list", "-a", file.to_str().unwrap()]);
    let narrow = shown(&mut list(), 80);
    assert!(widest(&narrow) <= 80, "{narrow}");
    assert!(
        narrow.lines().count() > 2 && narrow.contains("fred"),
        "{narrow}"
    );
    let wide = shown(&mut list(), 200);
    assert!(wide.contains(home) && wide.contains(settings), "{wide}");
    assert_eq!(wide.lines().count(), 2, "{wide}");
    let show = || program("ftpuser", &["show", "fred", "-a", file.to_str().unwrap()]);
    let narrow = shown(&mut show(), 80);
    assert!(narrow.contains("\n           Idle=10m"), "{narrow}");
    let piped = show().output().unwrap().stdout;
    assert!(
        String::from_utf8(piped)
            .unwrap()
            .ends_with(&format!("  {settings}\n"))
    );
    let piped = list().output().unwrap().stdout;
    let line = format!("fred\tplain\tnobody\t{home}\t{settings}\n");
    assert_eq!(String::from_utf8(piped).unwrap(), line);
}

#[test]
fn what_a_login_would_get_fits_the_terminal() {
    let scratch = Scratch::new();
    let (conf, users) = (scratch.join("conf"), scratch.join("users"));
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    let user = user.unwrap().unwrap().name;
    fs::write(&users, format!("fred:plain::x:{user}:/:\n")).unwrap();
    tests::scratch::mode(&users, 0o600);
    fs::write(
        &conf,
        format!("AuthFile={}\nRootUsers=fred\n", users.display()),
    )
    .unwrap();
    let words = ["--check", "-f", conf.to_str().unwrap(), "--user", "fred"];
    // Names of files, which are never parted, would be wider than the terminal.
    let commands = |columns| {
        let text = shown(&mut program("ftpd", &words), columns);
        text.split_once("PermittedCommands").unwrap().1.to_owned()
    };
    let (narrow, wide) = (commands(100), commands(200));
    assert!(
        widest(&narrow) <= 100 && narrow.contains("SITE_ZONE"),
        "{narrow}"
    );
    assert!(wide.lines().count() < narrow.lines().count(), "{wide}");
}

#[test]
fn sessions_fit_the_terminal_and_all_of_them_is_there() {
    let setup = Setup::new();
    let line = format!("ControlSocket={}", setup.scratch().join("socket").display());
    let server = setup.setting(&line).start();
    let mut client = server.logged_in();
    let name = "a-name-of-some-length-as-photographs-have-it-20261129-0001.tiff";
    let data = client.data(Data::Epsv);
    client.send(&format!("STOR {name}"));
    client.expect_reply(150);
    let data = data.open();
    data.write(&[7; 5000]);
    let conf = server.scratch.join("ftpd.conf");
    let who = || program("ftpd", &["-f", conf.to_str().unwrap(), "--who"]);
    wait::until("the transfer is listed", || {
        String::from_utf8(who().output().unwrap().stdout)
            .unwrap()
            .contains("\t5000\t")
    });
    let narrow = shown(&mut who(), 80);
    assert!(widest(&narrow) <= 80, "{narrow}");
    assert!(
        narrow.contains("127.0.0.1") && narrow.contains("4.8 KiB"),
        "{narrow}"
    );
    let wide = shown(&mut who(), 200);
    assert!(
        widest(&wide) <= 200 && wide.contains(&format!("STOR {name}")),
        "{wide}"
    );
    assert_eq!(wide.lines().count(), 2, "{wide}");
    data.write_all_and_close(b"");
    client.expect_reply(226);
}
