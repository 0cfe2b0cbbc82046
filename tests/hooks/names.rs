//! Names that clients choose, as programs get them: whole, as one argument or one string, and read by nobody else.

use std::os::unix::ffi::OsStrExt;

use serde_json::Value;
use tests::{Client, Data, Server, Setup};

use crate::scripts::{Script, arguments_to};

const NAMES: [&[u8]; 10] = [
    b"-rf",
    b"--x=sh",
    b"';id;'",
    b"a'b \"c\"",
    b"%U %{user} %f %%",
    b"$(id) `id` ${PATH}",
    b"\xff\xfe not UTF-8",
    "na\u{ef}ve \u{2028} \u{202e}".as_bytes(),
    b"\x1b[2Jtab\there",
    &[b'n'; 200],
];

/// Octets as they go over a Telnet connection.
fn typed(verb: &str, name: &[u8]) -> Vec<u8> {
    let mut line = format!("{verb} ").into_bytes();
    for &octet in name {
        line.extend(std::iter::repeat_n(octet, if octet == 255 { 2 } else { 1 }));
    }
    line.extend_from_slice(b"\r\n");
    line
}

fn make(client: &mut Client, name: &[u8]) {
    client.send_octets(&typed("MKD", name));
}

fn start(body: &str, lines: &str) -> (Script, Server) {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", body);
    let hook = format!("exec = ['{}'{lines}", script.path.display());
    let server = setup.hook(&hook).start();
    (script, server)
}

/// F8, rows 75 and 77: through a template, in argv and in the environment.
#[test]
fn f8_attack_75_77_a_name_in_a_template_is_one_argument() {
    for name in NAMES {
        let body = format!("set -- \"$@\" \"$NAME\"; {}", arguments_to("arguments"));
        let (script, server) = start(
            &body,
            ", 'name:%{basename}', '%F', '%J']\ncommands = 'MKD'\nenv = { NAME = '%{basename}' }\n",
        );
        make(&mut server.logged_in(), name);
        let expected = [
            b"name:", name, b"\0/", name, b"\0", name, b"\0", name, b"\0",
        ]
        .concat();
        let shown = |octets: &[u8]| octets.escape_ascii().to_string();
        assert_eq!(shown(&script.wait_for("arguments")), shown(&expected));
    }
}

/// F8: as JSON on standard input, whole, read by a reader that is not ours.
#[test]
fn f8_attack_77_a_name_in_json_is_one_string() {
    for name in NAMES {
        let (script, server) = start(
            "cat > $out/event.new; mv $out/event.new $out/event",
            "]\non = 'mkdir'\n",
        );
        make(&mut server.logged_in(), name);
        let event = script.wait_for("event");
        assert_eq!(event.iter().filter(|&&octet| octet == b'\n').count(), 1);
        assert!(
            !event[..event.len() - 1].iter().any(u8::is_ascii_control),
            "{}",
            event.escape_ascii()
        );
        let event: Value = serde_json::from_slice(&event).unwrap();
        let path = [b"/", name].concat();
        match std::str::from_utf8(&path) {
            Ok(path) => assert_eq!(event["path"], path, "{event}"),
            Err(_) => {
                assert_eq!(event.get("path"), None, "{event}");
                assert_eq!(event["path_b64"], base64(&path), "{event}");
            }
        }
        let real = server.home.join(std::ffi::OsStr::from_bytes(name));
        match real.to_str() {
            Some(real) => assert_eq!(event["real_path"], real),
            None => assert_eq!(event["real_path_b64"], base64(real.as_os_str().as_bytes())),
        }
    }
}

/// F8: the longest path there is, in one piece.
#[test]
fn f8_the_longest_path_is_not_cut() {
    let (script, server) = start(
        &arguments_to("arguments"),
        ", '%F']\ncommands = 'RMD'\nphase = 'error'\n",
    );
    let mut client = server.logged_in();
    // Of directories that are not there: hooks hear of the failure with the whole path.
    let mut path = format!("/{}", "d".repeat(200)).repeat(20);
    path.push_str(&"/e".repeat((4095 - path.len()) / 2));
    path.push_str(&"f".repeat(4095 - path.len()));
    client.expect(&format!("RMD {path}"), 550);
    let expected = format!("{path}\0").into_bytes();
    assert_eq!(script.wait_for("arguments").len(), expected.len());
    assert_eq!(script.wait_for("arguments"), expected);
}

/// A program that reads nothing and is given much ends as any other.
#[test]
fn a_program_that_never_reads_harms_nobody() {
    let (script, server) = start("touch $out/done", "]\non = 'mkdir'\nmode = 'wait'\n");
    let mut client = server.logged_in();
    client.expect(&format!("MKD {}", "m".repeat(255)), 257);
    assert!(script.file("done").exists());
}

/// Row 75: what a client chose is not expanded a second time, nor is it in what the log or a reply says of a hook.
#[test]
fn attack_75_nothing_is_expanded_twice() {
    let (_, server) = start(
        "echo \"got $1\"",
        ", '%{basename}']\ncommands = 'MKD'\nmode = 'wait'\nreply = true\n",
    );
    let mut client = server.logged_in();
    let reply = client.expect("MKD %{user}", 257);
    assert!(reply.text().contains("got %{user}"), "{reply:?}");
}

#[test]
fn a_veto_before_uploads_is_asked_about_each_entry_of_an_archive() {
    let (_, server) = start(
        "case \"$1\" in */bad*) echo \"not $1\"; exit 1;; esac",
        ", '%F']\non = 'upload'\nphase = 'before'\nmode = 'veto'\n",
    );
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    let mut archive = crate::accept::entry("good", b"text");
    archive.extend(crate::accept::entry("bad", b"text"));
    archive.extend([0; 1024]);
    let data = client.data(Data::Epsv);
    client.begin("STOR .");
    data.open().write_all_and_close(&archive);
    assert_eq!(client.reply().code, 550);
    assert_eq!(server.names(), ["good"]);
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in octets.chunks(3) {
        let bits = piece
            .iter()
            .fold(0u32, |bits, &octet| bits << 8 | u32::from(octet))
            << (8 * (3 - piece.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= piece.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}
