//! HAProxy in front of the server, with real clients behind it.

use std::fs;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};

use tests::client::connect_from;
use tests::namespaces::network;
use tests::real::finish;
use tests::{Client, Data, GatewaySetup, Scratch, Server, Setup, require, wait};

/// Where clients go, and where the server is.
const OUTSIDE: &str = "10.0.0.1";
const SERVER: &str = "10.0.0.2";
const CLIENT: &str = "10.0.0.9";
/// Where `ftpproxy` is, if it is in front of HAProxy.
const GATEWAY: &str = "10.0.0.3";

struct HaProxy(Child);

impl HaProxy {
    /// Hands on port 21, bound with these `options`, and what `more` says.
    fn start(scratch: &Scratch, options: &str, more: &str) -> HaProxy {
        let configuration = format!(
            "global\n    maxconn 200\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
             listen ftp\n    bind {OUTSIDE}:21 {options}\n    server one {SERVER}:2121 send-proxy-v2 check inter 200\n{more}"
        );
        let path = scratch.join("haproxy.cfg");
        fs::write(&path, configuration).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "haproxy", "-db", "-q", "-f"])
            .arg(path)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let running = HaProxy(child);
        wait::until("HAProxy listens", || {
            std::net::TcpStream::connect((OUTSIDE, 21)).is_ok()
        });
        running
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const RANGE: &str =
    "listen data\n    bind 10.0.0.1:50000-50010\n    server one 10.0.0.2 send-proxy-v2\n";

/// A server behind HAProxy; `None` if the test must be skipped.
fn behind(more: &str, settings: &[&str]) -> Option<(HaProxy, Server, Scratch)> {
    behind_bound("", more, settings)
}

fn behind_bound(
    options: &str,
    more: &str,
    settings: &[&str],
) -> Option<(HaProxy, Server, Scratch)> {
    if !require::programs(&["haproxy", "curl", "lftp", "python3"]) {
        return None;
    }
    let addresses = [OUTSIDE, SERVER, CLIENT, GATEWAY].map(|address| format!("{address}/24"));
    if !network(&addresses) {
        return None;
    }
    let setup = Setup::new()
        .on(SERVER.parse().unwrap())
        .port(2121)
        .setting("ProxyNetworks=10.0.0.1")
        .setting("DataConnectionPortRange=50000-50010");
    let set = |setup: Setup, line: &&str| setup.setting(line);
    let server = settings.iter().fold(setup, set).start();
    let scratch = Scratch::new();
    let haproxy = HaProxy::start(&scratch, options, more);
    Some((haproxy, server, scratch))
}

fn client_address() -> IpAddr {
    CLIENT.parse().unwrap()
}

fn content() -> Vec<u8> {
    (0..3_000_001_u32).map(|n| (n * 7 % 251) as u8).collect()
}

#[track_caller]
fn curl(server: &Server, scratch: &Scratch, arguments: &[&str]) {
    let login = &server.login;
    let user = format!("{}:{}", login.name, login.password);
    for (up, url) in [(true, "up"), (false, "down")] {
        let mut command = Command::new("curl");
        command.args([
            "--disable",
            "-sS",
            "--max-time",
            "60",
            "--interface",
            CLIENT,
        ]);
        command.args(["-u", &user]).args(arguments);
        let file = scratch.join(url);
        match up {
            true => command.arg("-T").arg(file),
            false => command.arg("-o").arg(file),
        };
        command.arg(format!("ftp://{OUTSIDE}/{url}"));
        finish(&mut command, "");
    }
}

#[track_caller]
fn lftp(server: &Server, scratch: &Scratch, settings: &str) {
    let login = &server.login;
    let script = format!(
        "set net:socket-bind-ipv4 {CLIENT}\nset net:max-retries 1\nset cmd:fail-exit yes\n{settings}\
         open -u {},{} ftp://{OUTSIDE}\nput {} -o up\nget down -o {}\n",
        login.name,
        login.password.replace(' ', "\\ "),
        scratch.join("up").display(),
        scratch.join("down").display(),
    );
    finish(Command::new("lftp").arg("--norc"), &script);
}

fn prepare(server: &Server, scratch: &Scratch) {
    fs::write(scratch.join("up"), content()).unwrap();
    let _ = fs::remove_file(scratch.join("down"));
    server.put("down", &content());
}

#[track_caller]
fn compare(server: &Server, scratch: &Scratch) {
    assert!(server.content("up") == content(), "what was uploaded");
    let down = fs::read(scratch.join("down")).unwrap();
    assert!(down == content(), "what was downloaded");
}

#[test]
fn curl_and_lftp_move_files_with_the_passive_range_behind_it() {
    let Some((_haproxy, server, scratch)) = behind(RANGE, &["ProxyData=yes"]) else {
        return;
    };
    for arguments in [&[][..], &["--disable-epsv"]] {
        prepare(&server, &scratch);
        curl(&server, &scratch, arguments);
        compare(&server, &scratch);
    }
    prepare(&server, &scratch);
    lftp(&server, &scratch, "");
    compare(&server, &scratch);
    server.log.line_with(&["login of", "from 10.0.0.9"]);
    // HAProxy looks whether the server is there, again and again, and nobody minds.
    let text = server.log.text();
    assert!(
        !text.contains("from 10.0.0.1 ") && !text.contains("front end"),
        "{text}"
    );
}

#[test]
fn clients_reach_the_range_past_it_where_they_are_told_so() {
    let settings = ["TunnelNetworks=10.0.0.0/24"];
    let Some((_haproxy, server, scratch)) = behind("", &settings) else {
        return;
    };
    prepare(&server, &scratch);
    curl(&server, &scratch, &["--no-ftp-skip-pasv-ip"]);
    compare(&server, &scratch);
    // Active mode needs no port of the server at all.
    prepare(&server, &scratch);
    lftp(&server, &scratch, "set ftp:passive-mode no\n");
    compare(&server, &scratch);
}

#[test]
fn the_header_of_ftpproxy_is_one_for_haproxy_and_goes_on_to_the_server() {
    // On one machine a gateway comes from the very address that it goes to.
    let settings = ["ProxyData=yes", "PassivePeers=10.0.0.1"];
    let Some((_haproxy, server, _scratch)) = behind_bound("accept-proxy", RANGE, &settings) else {
        return;
    };
    let gateway = GatewaySetup::to("10.0.0.1")
        .on(GATEWAY.parse().unwrap())
        .setting("Server=10.0.0.1:21")
        .setting("ServerProxyProtocol=v2")
        .start();
    let mut client = Client::over(connect_from(client_address(), gateway.address));
    client.expect_reply(220);
    client.login(&server.login.name, &server.login.password);
    server.log.line_with(&["login of", "from 10.0.0.9"]);
    for how in [Data::Port, Data::Eprt] {
        client.upload(how, "file", &content());
        assert!(client.download(how, "file") == content(), "{how:?}");
    }
}
