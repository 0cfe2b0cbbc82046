//! What happens to files, as hooks hear of it.

use std::os::unix::ffi::OsStrExt;

use tests::{Data, Setup, wait};

use crate::scripts::{Script, arguments_to};

/// F1: a program outside of the jail, with an interpreter that the jail does not have.
#[test]
fn f1_a_chrooted_user_has_a_hook_in_bash() {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", &arguments_to("arguments"));
    let server = setup.setting(&script.setting("UploadHook")).start();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"content");
    let path = server.put("other", b"").with_file_name("file");
    let mut expected = path.as_os_str().as_bytes().to_vec();
    expected.push(0);
    assert_eq!(script.wait_for("arguments"), expected);
}

/// F8, and rows 75 and 77 of the attacks: whatever a name is, it is exactly one argument, and says nothing to anybody.
#[test]
fn f8_attack_75_77_a_name_is_one_argument_whatever_is_in_it() {
    let names: [&[u8]; 9] = [
        b"-rf",
        b"--use-compress-program=sh",
        b"';id;'",
        b"a'b c",
        b"%U %{env:X} ${x} {{7*7}} $(id)",
        b"\xff\xfe\x80",
        b"\"quoted\" `id` | & ; > x",
        b"NewPassword: root x",
        &[b'n'; 255],
    ];
    for name in names {
        let setup = Setup::new();
        let script = Script::new(&setup, "hook", &arguments_to("arguments"));
        let server = setup.setting(&script.setting("DeleteHook")).start();
        let mut expected = server
            .put("x", b"")
            .parent()
            .unwrap()
            .as_os_str()
            .as_bytes()
            .to_vec();
        std::fs::write(
            server
                .put("y", b"")
                .with_file_name(std::ffi::OsStr::from_bytes(name)),
            b"",
        )
        .unwrap();
        let mut client = server.logged_in();
        // 255 is doubled on a Telnet connection.
        let typed: Vec<u8> = (name.iter())
            .flat_map(|&octet| std::iter::repeat_n(octet, if octet == 255 { 2 } else { 1 }))
            .collect();
        client.send_octets(&[b"DELE ", typed.as_slice(), b"\r\n"].concat());
        client.expect_reply(250);
        expected.push(b'/');
        expected.extend_from_slice(name);
        expected.push(0);
        assert_eq!(script.wait_for("arguments"), expected);
    }
}

/// F3: the reply comes while the program still runs, and other commands are answered.
#[test]
fn f3_nobody_waits_for_an_asynchronous_hook() {
    let setup = Setup::new();
    let body = "touch $out/begun; while [ ! -e $out/go ]; do sleep 0.05; done; touch $out/done";
    let script = Script::new(&setup, "hook", body);
    let server = setup.setting(&script.setting("UploadHook")).start();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"content");
    for _ in 0..50 {
        client.expect("NOOP", 200);
    }
    script.wait_for("begun");
    client.expect("NOOP", 200);
    assert!(!script.file("done").exists());
    std::fs::write(script.file("go"), b"").unwrap();
    script.wait_for("done");
}

/// F13: an upload is told of once, when it is whole and has its name; one that broke off is not.
#[test]
fn f13_an_upload_that_breaks_off_is_no_upload() {
    let setup = Setup::new().setting("KeepPartial=0");
    let body = "[ -e \"$1\" ] && echo \"${1##*/}\" >> $out/uploads";
    let script = Script::new(&setup, "hook", body);
    let server = setup.setting(&script.setting("UploadHook")).start();
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR broken");
    let data = data.open();
    data.write(&[7; 100_000]);
    data.reset();
    assert_eq!(client.reply().code / 100, 4);
    client.upload(Data::Epsv, "whole", b"content");
    let uploads = script.file("uploads");
    // The shell makes the file before it writes.
    let told = || std::fs::read(&uploads).unwrap_or_default();
    wait::until("the upload", || !told().is_empty());
    drop(client);
    assert_eq!(told(), b"whole\n");
}

#[test]
fn renames_logins_and_ends_of_sessions_are_told_too() {
    let setup = Setup::new();
    let rename = Script::new(&setup, "rename", &arguments_to("rename"));
    let login = Script::new(&setup, "login", &arguments_to("login"));
    let logout = Script::new(&setup, "logout", &arguments_to("logout"));
    let download = Script::new(&setup, "download", &arguments_to("download"));
    let server = setup
        .setting(&rename.setting("RenameHook"))
        .setting(&login.setting("LoginHook"))
        .setting(&logout.setting("LogoutHook"))
        .setting(&download.setting("DownloadHook"))
        .start();
    let from = server.put("from", b"text");
    let mut client = server.logged_in();
    let user = [server.login.name.as_bytes(), b"\0"].concat();
    assert_eq!(login.wait_for("login"), user);
    client.expect("RNFR from", 350);
    client.expect("RNTO to", 250);
    let to = from.with_file_name("to");
    let both = [
        from.as_os_str().as_bytes(),
        b"\0",
        to.as_os_str().as_bytes(),
        b"\0",
    ]
    .concat();
    assert_eq!(rename.wait_for("rename"), both);
    assert_eq!(client.download(Data::Epsv, "to"), b"text");
    download.wait_for("download");
    // Not by QUIT: the end comes in whichever way.
    client.reset();
    assert_eq!(logout.wait_for("logout"), user);
}
