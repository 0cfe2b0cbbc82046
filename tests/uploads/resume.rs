//! Broken uploads, continued by hand and by real clients.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tests::real::{self, Mode, finish};
use tests::{Client, Data, Scratch, Server, Setup, require};

fn octets(count: usize) -> Vec<u8> {
    (0..=250u8).cycle().step_by(7).take(count).collect()
}

/// How an upload may break.
#[derive(Clone, Copy, Debug)]
enum Break {
    Abort,
    Reset,
    Killed,
}

/// Sends the beginning of a file, then breaks off.
fn break_off(server: &Server, name: &str, begin: &[u8], how: Break) {
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin(&format!("STOR {name}"));
    let data = data.open();
    data.write(begin);
    arrives(server, begin.len());
    match how {
        Break::Abort => {
            client.send("ABOR");
            client.expect_reply(426);
            client.expect_reply(226);
        }
        Break::Reset => {
            data.reset();
            client.expect_reply(426);
        }
        Break::Killed => {
            client.reset();
            data.reset();
        }
    }
    tests::wait::until("the upload has ended", || {
        !matches!(how, Break::Killed) || server.keepers().is_empty()
    });
}

/// Waits until the hidden file has so many octets.
fn arrives(server: &Server, count: usize) {
    tests::wait::until("the octets are in the hidden file", || {
        let mut names = server.names().into_iter();
        let hidden = names.find(|name| name.starts_with(".ftpd-"));
        hidden.is_some_and(|hidden| {
            let file = std::fs::metadata(server.home.join(hidden));
            file.is_ok_and(|file| file.len() >= count as u64)
        })
    });
}

#[test]
fn a_broken_upload_goes_on_by_rest_or_by_appe() {
    let whole = octets(300_000);
    for how in [Break::Abort, Break::Reset, Break::Killed] {
        for appe in [false, true] {
            let server = Server::start();
            break_off(&server, "file", &whole[..100_000], how);
            let mut client = server.logged_in();
            assert_eq!(client.names("."), [""; 0], "{how:?}");
            client.expect("RETR file", 550);
            let [hidden] = server.names().try_into().unwrap();
            let mode = std::fs::metadata(server.home.join(hidden)).unwrap();
            assert_eq!(mode.permissions().mode() & 0o7777, 0o600);
            let size = client.expect("SIZE file", 213).text().to_owned();
            // One octet less than there is, so that nobody takes it for a whole file.
            assert_eq!(size, "99999", "{how:?}");
            let line = if appe {
                "APPE file"
            } else {
                client.expect("REST 99999", 350);
                "STOR file"
            };
            client.transmit(Data::Epsv, line, &whole[99_999..]);
            assert_eq!(server.content("file"), whole, "{how:?}");
            assert_eq!(server.names(), ["file"]);
            let mode = std::fs::metadata(server.home.join("file")).unwrap();
            assert_eq!(mode.permissions().mode() & 0o7777, 0o644);
        }
    }
}

/// Row 28 of the attacks: whatever breaks, and after how much, the old file is what it was.
#[test]
fn a_broken_upload_leaves_the_old_file() {
    let server = Server::start();
    server.put("file", b"the old text");
    let whole = octets(64 << 10);
    for (round, count) in (0..whole.len()).step_by(4096).enumerate() {
        let how = [Break::Abort, Break::Reset, Break::Killed][round % 3];
        break_off(&server, "file", &whole[..count], how);
        let old = server.content("file") == b"the old text";
        assert!(old, "{how:?} after {count}");
    }
    let mut client = server.logged_in();
    // SIZE is about the file that everybody sees.
    assert_eq!(client.expect("SIZE file", 213).text(), "12");
    let _data = client.data(Data::Epsv);
    client.expect("APPE file", 450);
    client.expect("REST 100000", 350);
    client.expect("STOR file", 554);
    client.upload(Data::Epsv, "file", b"new");
    assert_eq!(server.content("file"), b"new");
    assert_eq!(server.names(), ["file"]);
}

#[test]
fn nothing_is_kept_where_the_setting_says_so() {
    let server = Setup::new().setting("KeepPartial=0").start();
    break_off(&server, "file", b"some text", Break::Reset);
    assert_eq!(server.names(), [""; 0]);
    let mut client = server.logged_in();
    client.expect("SIZE file", 550);
}

#[test]
fn a_directory_with_leftovers_can_be_removed() {
    let server = Server::start();
    server.put_directory("dir");
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR dir/file");
    let data = data.open();
    data.write(b"some text");
    let mut other = server.logged_in();
    tests::wait::until("the upload is on its way", || {
        std::fs::read_dir(server.home.join("dir")).unwrap().count() == 1
    });
    assert_eq!(other.names("dir"), [""; 0]);
    // One that goes on is not in the way of its own directory's life.
    other.expect("RMD dir", 550);
    data.reset();
    client.expect_reply(426);
    other.expect("RMD dir", 250);
}

/// The client asks for the size and goes on from there by itself.
fn resumed_by(name: &str, run: impl Fn(&Server, &std::path::Path)) {
    if !require::programs(&[name]) {
        return;
    }
    let server = Server::start();
    let whole = octets(300_000);
    let scratch = Scratch::new();
    let local = scratch.join("file");
    std::fs::write(&local, &whole).unwrap();
    break_off(&server, "file", &whole[..100_000], Break::Reset);
    run(&server, &local);
    assert!(server.content("file") == whole, "{name}");
    assert_eq!(server.names(), ["file"]);
    // All of it had arrived, but was never confirmed: it is not taken for done.
    break_off(&server, "again", &whole, Break::Reset);
    let again = scratch.join("again");
    std::fs::rename(&local, &again).unwrap();
    run(&server, &again);
    assert!(server.content("again") == whole, "{name}");
}

#[test]
fn curl_goes_on_with_a_broken_upload() {
    resumed_by("curl", |server, local| {
        let name = local.file_name().unwrap().to_str().unwrap();
        let arguments = ["-C", "-", "-T", local.to_str().unwrap()];
        real::curl(
            &server.login,
            Mode::Passive,
            &format!("/{name}"),
            &arguments,
        );
    });
}

#[test]
fn lftp_goes_on_with_a_broken_upload() {
    resumed_by("lftp", |server, local| {
        let login = &server.login;
        let script = format!(
            "set net:max-retries 1\nset cmd:fail-exit yes\nopen -u \"{},{}\" \"ftp://{}\"\nput -c {}\n",
            login.name,
            login.password,
            login.address,
            local.display()
        );
        finish(&mut Command::new("lftp"), &script);
    });
}

#[test]
fn writers_of_one_name_never_mix() {
    let server = Server::start();
    let mut clients: Vec<Client> = (0..4).map(|_| server.logged_in()).collect();
    let texts: Vec<Vec<u8>> = (b'a'..b'e').map(|letter| vec![letter; 50_000]).collect();
    let mut running = Vec::new();
    for client in &mut clients {
        let data = client.data(Data::Epsv);
        client.begin("STOR file");
        running.push(data.open());
    }
    for piece in 0..5 {
        for (data, text) in running.iter().zip(&texts) {
            data.write(&text[piece * 10_000..][..10_000]);
        }
    }
    for ((data, client), text) in running.into_iter().zip(&mut clients).zip(&texts) {
        data.write_all_and_close(b"");
        client.expect_reply(226);
        assert!(server.content("file") == *text);
    }
    assert_eq!(server.names(), ["file"]);
    // In place only one of them can.
    let data = clients[0].data(Data::Epsv);
    clients[0].begin("APPE file");
    let data = data.open();
    let _unused = clients[1].data(Data::Epsv);
    clients[1].expect("APPE file", 450);
    data.write_all_and_close(b"!");
    clients[0].expect_reply(226);
    assert_eq!(server.content("file").len(), 50_001);
}
