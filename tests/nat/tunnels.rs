//! Scenarios 4.6 to 4.8, 4.10 and 4.11: control connections, or all, through a tunnel such as ssh makes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use tests::real::finish;
use tests::{Client, Data, DataConnection, Scratch, Server, Setup, require, wait};

use super::attempt::{Attempt, attempt, log_in_to, pasv};
use super::relay::Relay;
use tests::lab::{CONTENT, Lab, OUTSIDE, Place, SERVER, SERVER_V6};

/// Where the tunnel begins, on the client's machine.
const ENTRANCE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2001);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CONTROL: u16 = 21;
/// As large as the issue wants it, to be sure that nothing of the tunnel holds it all.
const LARGE: usize = 20_000_001;

fn serve(lab: &Lab, settings: &[&str]) -> Server {
    let setup = Setup::new().on(Ipv6Addr::UNSPECIFIED.into()).port(CONTROL);
    let set = |setup: Setup, line: &&str| setup.setting(line);
    let server = lab.at(Place::Server, || settings.iter().fold(setup, set).start());
    server.put("file", CONTENT);
    server
}

/// The control connection alone, to this address as the server's machine sees it.
fn control_only(lab: &Lab, target: impl Into<IpAddr>) -> Relay {
    Relay::to(
        lab,
        ENTRANCE,
        Place::Server,
        SocketAddr::new(target.into(), CONTROL),
    )
}

#[test]
fn scenario_4_6_a_tunnel_to_localhost_needs_an_address_and_no_epsv() {
    let Some(lab) = Lab::new() else { return };
    let _tunnel = control_only(&lab, LOOPBACK);
    let server = serve(&lab, &[]);
    let mut client = log_in_to(&server.login, ENTRANCE);
    // Both lead the client to its own machine.
    let own = Attempt::Unreachable(LOOPBACK);
    assert_eq!(attempt(&mut client, Data::Pasv), own);
    assert_eq!(attempt(&mut client, Data::Epsv), own);
    drop((client, server));
    let told = format!("PassiveAddress=self={SERVER}");
    let server = serve(&lab, &[&told, "TunnelNetworks=self", "DataTimeout=300ms"]);
    let mut client = log_in_to(&server.login, ENTRANCE);
    assert_eq!(pasv(&mut client).ip(), IpAddr::from(SERVER));
    // What is not offered is not told of.
    let features = client.expect("FEAT", 211).to_string();
    assert!(!features.contains("EPSV"), "{features}");
    let refused = client.expect("EPSV", 502).to_string();
    assert!(refused.contains("PASV"), "{refused}");
    // Active mode would lead to the server's own machine.
    for line in ["PORT 127,0,0,1,100,100", "EPRT |1|127.0.0.1|25700|"] {
        let reply = client.expect(line, 501).to_string();
        assert!(reply.contains("tunnel"), "{reply}");
    }
    // Others are not in the tunnel.
    let mut direct = log_in_to(&server.login, (SERVER, CONTROL).into());
    for how in Data::ALL {
        assert_eq!(attempt(&mut direct, how), Attempt::Fine, "{how:?}");
    }
}

#[test]
fn scenario_4_6_real_clients_fall_back_on_pasv() {
    if !require::programs(&["curl", "lftp", "python3"]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let _tunnel = control_only(&lab, SERVER);
    let told = format!("PassiveAddress=self={SERVER}");
    let server = serve(
        &lab,
        &[
            &told,
            "TunnelNetworks=self",
            "PassivePeers=self=10.1.0.0/24",
        ],
    );
    let scratch = Scratch::new();
    let (name, password) = (&server.login.name, &server.login.password);
    let file = |client: &str| scratch.join(client);
    let fetched = |client: &str| assert_eq!(fs::read(file(client)).unwrap(), CONTENT, "{client}");
    let mut curl = Command::new("curl");
    curl.args(["--disable", "-sS", "--no-ftp-skip-pasv-ip", "-u"]);
    curl.arg(format!("{name}:{password}"))
        .arg("-o")
        .arg(file("curl"));
    finish(curl.arg(format!("ftp://{ENTRANCE}/file")), "");
    fetched("curl");
    for prefer in ["no", "yes"] {
        let script = format!(
            "set ftp:prefer-epsv {prefer}\nset ftp:fix-pasv-address no\nset net:max-retries 3\nset net:reconnect-interval-base 1\nset cmd:fail-exit yes\n\
             open -u {name},{} ftp://{ENTRANCE}\nget file -o {}{prefer}\n",
            password.replace(' ', "\\ "),
            file("lftp").display(),
        );
        finish(Command::new("lftp").arg("--norc"), &script);
        fetched(&format!("lftp{prefer}"));
    }
    let script = format!(
        "import ftplib\nf = ftplib.FTP()\nf.trust_server_pasv_ipv4_address = True\nf.connect('127.0.0.1', 2001)\n\
         f.login({name:?}, {password:?})\nf.retrbinary('RETR file', open({:?}, 'wb').write)\nf.quit()\n",
        file("ftplib").display().to_string()
    );
    finish(Command::new("python3").arg("-"), &script);
    fetched("ftplib");
}

#[test]
fn scenario_4_7_data_past_the_tunnel_is_refused_with_both_addresses() {
    let Some(lab) = Lab::new() else { return };
    let _tunnel = control_only(&lab, SERVER);
    let server = serve(
        &lab,
        &["DataTimeout=1", "DataConnectionPortRange=50000-50010"],
    );
    let mut client = log_in_to(&server.login, ENTRANCE);
    let address = pasv(&mut client);
    assert_eq!(address.ip(), IpAddr::from(SERVER));
    let _data = TcpStream::connect(address).unwrap();
    let refused = client.expect("RETR file", 425).to_string();
    for address in ["10.1.0.2", "10.2.0.2"] {
        assert!(refused.contains(address), "{refused}");
    }
    client.expect("NOOP", 200);
    drop((client, server));
    // The list that lets them in.
    let server = serve(&lab, &["PassivePeers=self=10.1.0.0/24"]);
    let mut client = log_in_to(&server.login, ENTRANCE);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
}

#[test]
fn scenario_4_8_a_tunnel_past_address_translation() {
    let Some(lab) = Lab::new() else { return };
    lab.forget_routes();
    lab.masquerade(Place::ClientsGateway);
    lab.masquerade(Place::ServersGateway);
    lab.forward("50000:50010", "");
    let _tunnel = control_only(&lab, SERVER);
    let server = serve(
        &lab,
        &[
            &format!("PassiveAddress=self={OUTSIDE}"),
            "PassivePeers=self=203.0.113.0/24",
            "TunnelNetworks=self",
            "DataConnectionPortRange=50000-50010",
        ],
    );
    let mut client = log_in_to(&server.login, ENTRANCE);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Refused(502));
}

const ENTRANCE_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 2001);
const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The same as [`control_only`] over IPv6.
fn control_only_v6(lab: &Lab, target: impl Into<IpAddr>) -> Relay {
    Relay::to(
        lab,
        ENTRANCE_V6,
        Place::Server,
        SocketAddr::new(target.into(), CONTROL),
    )
}

/// Fetches the file from where EPSV's port is at an address that the client has been told by its user.
#[track_caller]
fn fetch_past_the_tunnel(client: &mut Client, address: Ipv6Addr) -> u16 {
    let port = client.passive_address(Data::Epsv).port();
    let data = TcpStream::connect((address, port)).unwrap();
    let mark = client.command("RETR file");
    if mark.code == 150 {
        assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
        client.expect_reply(226);
    }
    mark.code
}

#[test]
fn scenario_4_6_over_ipv6_nothing_but_the_tunnel_can_lead_to_the_server() {
    let Some(lab) = Lab::new() else { return };
    let _tunnel = control_only_v6(&lab, LOOPBACK_V6);
    let server = serve(&lab, &[]);
    let mut client = log_in_to(&server.login, ENTRANCE_V6);
    let own = Attempt::Unreachable(LOOPBACK_V6);
    assert_eq!(attempt(&mut client, Data::Epsv), own);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Refused(425));
    drop((client, server));
    // There is no address that a command could tell: each says so, and none names another one that does not help.
    let server = serve(&lab, &["TunnelNetworks=self"]);
    let mut client = log_in_to(&server.login, ENTRANCE_V6);
    for (line, code) in [("EPSV", 502), ("PASV", 425), ("EPRT |2|::1|25700|", 501)] {
        let reply = client.expect(line, code).to_string();
        assert!(reply.contains("data ports forwarded"), "{reply}");
        assert!(!reply.contains("use EPSV"), "{reply}");
    }
    let mut direct = log_in_to(&server.login, (SERVER_V6, CONTROL).into());
    for how in [Data::Epsv, Data::Eprt] {
        assert_eq!(attempt(&mut direct, how), Attempt::Fine, "{how:?}");
    }
}

#[test]
fn scenario_4_7_over_ipv6_data_past_the_tunnel_is_refused_with_both_addresses() {
    let Some(lab) = Lab::new() else { return };
    let _tunnel = control_only_v6(&lab, SERVER_V6);
    let server = serve(&lab, &["DataTimeout=1"]);
    let mut client = log_in_to(&server.login, ENTRANCE_V6);
    let port = client.passive_address(Data::Epsv).port();
    let _data = TcpStream::connect((SERVER_V6, port)).unwrap();
    let refused = client.expect("RETR file", 425).to_string();
    for address in ["fd00:1::2", "fd00:2::2"] {
        assert!(refused.contains(address), "{refused}");
    }
    drop((client, server));
    let server = serve(&lab, &["PassivePeers=self=fd00:1::/64"]);
    let mut client = log_in_to(&server.login, ENTRANCE_V6);
    assert_eq!(fetch_past_the_tunnel(&mut client, SERVER_V6), 150);
}

#[test]
fn scenario_4_8_over_ipv6_a_tunnel_past_address_translation() {
    let Some(lab) = Lab::new() else { return };
    lab.run(Place::ClientsGateway, "ip -6 route del fd00:2::/64");
    lab.run(Place::ServersGateway, "ip -6 route del fd00:1::/64");
    let leaves = "ip6tables -t nat -A POSTROUTING -o v2 -j MASQUERADE";
    lab.run(Place::ClientsGateway, leaves);
    let comes = format!(
        "ip6tables -t nat -A PREROUTING -d fd00:3::2 -p tcp --dport 50000:50010 -j DNAT --to-destination {SERVER_V6}"
    );
    lab.run(Place::ServersGateway, &comes);
    let _tunnel = control_only_v6(&lab, SERVER_V6);
    let range = "DataConnectionPortRange=50000-50010";
    let server = serve(&lab, &["PassivePeers=self=fd00:3::/64", range]);
    let mut client = log_in_to(&server.login, ENTRANCE_V6);
    let outside = Ipv6Addr::new(0xfd00, 3, 0, 0, 0, 0, 0, 2);
    assert_eq!(fetch_past_the_tunnel(&mut client, outside), 150);
}

/// The ports of recipe D.
const PORTS: std::ops::RangeInclusive<u16> = 50000..=50003;
const FOUR: &str = "DataConnectionPortRange=50000-50003";

/// Files both ways and a fight for the ports, over a tunnel that has one forward for each port; no check is off.
fn whole_session(server: &Server, entrance: SocketAddr, ways: &[Data]) {
    let large: Vec<u8> = (0..251).cycle().take(LARGE).collect();
    server.put("large", &large);
    let mut client = log_in_to(&server.login, entrance);
    for &how in ways {
        assert_eq!(attempt(&mut client, how), Attempt::Fine, "{how:?}");
        client.upload(how, "new", &large);
        assert!(server.content("new") == large, "the upload");
        assert!(client.download(how, "large") == large, "the download");
    }
    let mut all: Vec<Client> = (0..5).map(|_| log_in_to(&server.login, entrance)).collect();
    let mut data: Vec<DataConnection> = Vec::new();
    for client in &mut all[..4] {
        data.push(client.data(ways[0]));
    }
    all[4].expect("EPSV", 425);
    for (client, data) in all.iter_mut().zip(data) {
        client.begin("RETR file");
        assert_eq!(data.read_all(), CONTENT);
        client.expect_reply(226);
    }
    assert_eq!(attempt(&mut all[4], Data::Epsv), Attempt::Fine);
}

#[test]
fn scenario_4_10_a_forward_for_each_port_carries_all() {
    let Some(lab) = Lab::new() else { return };
    let server = serve(&lab, &[FOUR]);
    let mut tunnels = Vec::new();
    for (loopback, ways) in [
        (LOOPBACK, &[Data::Pasv, Data::Epsv][..]),
        (Ipv6Addr::LOCALHOST.into(), &[Data::Epsv]),
    ] {
        let entrance = SocketAddr::new(loopback, ENTRANCE.port());
        let control = SocketAddr::new(loopback, CONTROL);
        tunnels.push(Relay::to(&lab, entrance, Place::Server, control));
        for port in PORTS {
            let address = SocketAddr::new(loopback, port);
            tunnels.push(Relay::to(&lab, address, Place::Server, address));
        }
        whole_session(&server, entrance, ways);
    }
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of ssh on the server's machine, and a client with these words; `None` if the test must be skipped.
fn ssh(lab: &Lab, scratch: &Scratch, words: &[String]) -> Option<[Running; 2]> {
    if !require::programs(&["sshd", "ssh", "ssh-keygen", "unshare", "mount"]) {
        return None;
    }
    for key in ["host", "key"] {
        let path = scratch.join(key).display().to_string();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f", &path])
            .status();
        assert!(made.unwrap().success());
    }
    let path = |name: &str| scratch.join(name).display().to_string();
    let configuration = format!(
        "ListenAddress {SERVER}:22\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
         PidFile none\nAllowTcpForwarding yes\nPasswordAuthentication no\n",
        path("host"),
        path("key.pub")
    );
    fs::write(scratch.join("sshd_config"), configuration).unwrap();
    // The directory that it insists on, and a root who is not locked, for itself alone.
    let unlocked = "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n";
    fs::write(scratch.join("shadow"), unlocked).unwrap();
    let program = require::find("sshd").unwrap().display().to_string();
    let script = format!(
        "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && mount --bind {} /etc/shadow && exec {program} -D -e -f {}",
        path("shadow"),
        path("sshd_config")
    );
    let spawn = |command: &mut Command| Running(command.stdin(Stdio::null()).spawn().unwrap());
    let kept = ["--pdeathsig", "KILL"];
    let server = lab.at(Place::Server, || {
        spawn(
            Command::new("setpriv")
                .args(kept)
                .args(["unshare", "--mount", "sh", "-c", &script]),
        )
    });
    wait::until("sshd listens", || TcpStream::connect((SERVER, 22)).is_ok());
    let known = format!("UserKnownHostsFile={}", path("known"));
    let client = spawn(
        Command::new("setpriv")
            .args(kept)
            .args(["ssh", "-N", "-q", "-F", "none", "-i", &path("key")])
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                &known,
                "-o",
                "BatchMode=yes",
            ])
            .args(["-o", "ExitOnForwardFailure=yes"])
            .args(words)
            .arg(format!("root@{SERVER}")),
    );
    Some([server, client])
}

#[test]
fn scenario_4_10_and_4_11_ssh_itself() {
    let Some(lab) = Lab::new() else { return };
    let server = serve(&lab, &[FOUR]);
    let scratch = Scratch::new();
    let forward = |port: u16, to: u16| format!("-L{port}:127.0.0.1:{to}");
    let mut words = vec![forward(ENTRANCE.port(), CONTROL), "-D1080".to_owned()];
    words.extend(PORTS.map(|port| forward(port, port)));
    let Some(_running) = ssh(&lab, &scratch, &words) else {
        return;
    };
    wait::until("the tunnel stands", || TcpStream::connect(ENTRANCE).is_ok());
    whole_session(&server, ENTRANCE, &[Data::Pasv, Data::Epsv]);
    let out = scratch.join("fetched");
    fetch_by_socks(
        &server,
        &["--socks5", "127.0.0.1:1080"],
        &SERVER.to_string(),
        &out,
    );
}

/// Fetches a file with curl, both connections through SOCKS.
#[track_caller]
fn fetch_by_socks(server: &Server, words: &[&str], host: &str, out: &std::path::Path) {
    let _ = fs::remove_file(out);
    let mut curl = Command::new("curl");
    let login = format!("{}:{}", server.login.name, server.login.password);
    curl.args(["--disable", "-sS", "-u", &login]).args(words);
    finish(
        curl.arg("-o").arg(out).arg(format!("ftp://{host}/file")),
        "",
    );
    assert_eq!(fs::read(out).unwrap(), CONTENT);
}

#[test]
fn scenario_4_11_curl_through_socks() {
    if !require::programs(&["curl"]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let server = serve(&lab, &[]);
    let _socks = Relay::socks(&lab, SocketAddr::new(LOOPBACK, 1080), Place::Server);
    let scratch = Scratch::new();
    let out = scratch.join("fetched");
    for mode in [&[][..], &["--disable-epsv"]] {
        for (how, host) in [
            ("--socks5", "10.2.0.2"),
            ("--socks5-hostname", "server.test"),
        ] {
            let words = [&[how, "127.0.0.1:1080"], mode].concat();
            fetch_by_socks(&server, &words, host, &out);
        }
    }
}
