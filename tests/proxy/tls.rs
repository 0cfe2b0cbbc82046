//! Clients under TLS up to the gateway, to a server that has none.

use std::path::PathBuf;
use std::process::Command;

use tests::real::finish;
use tests::{Client, Gateway, GatewaySetup, Scratch, Server, binaries, require};

/// A gateway with a certificate to one server, and the file that clients trust.
fn gateway(scratch: &Scratch, server: &Server) -> (Gateway, PathBuf) {
    let made = Command::new(binaries::path("ftpd"))
        .args(["--make-cert", "localhost"])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let certificate = scratch.join("localhost.pem");
    let gateway = GatewaySetup::to_here()
        .setting(&format!("Server={}", server.address()))
        .setting(&format!("Certificate={}", certificate.display()))
        .setting(&format!(
            "CertificateKey={}",
            scratch.join("localhost.key").display()
        ))
        .setting("TLSPort=0")
        .start();
    (gateway, certificate)
}

#[test]
fn curl_moves_files_under_tls_to_a_server_without() {
    if !require::programs(&["curl"]) {
        return;
    }
    let (scratch, server) = (Scratch::new(), Server::start());
    let (gateway, certificate) = gateway(&scratch, &server);
    let octets: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
    let original = scratch.join("original");
    std::fs::write(&original, &octets).unwrap();
    let ways = [
        ("ftp", gateway.address.port()),
        ("ftps", gateway.log.implicit().port()),
    ];
    for (scheme, port) in ways {
        let curl = |name: &str| {
            let mut command = Command::new("curl");
            command
                .args(["--disable", "-sS", "--ssl-reqd", "--cacert"])
                .arg(&certificate);
            let (name_of, password) = (&server.login.name, &server.login.password);
            command.arg("-u").arg(format!("{name_of}:{password}"));
            command.arg(format!("{scheme}://localhost:{port}/{name}"));
            command
        };
        let name = format!("up-{scheme}");
        finish(curl(&name).arg("-T").arg(&original), "");
        assert!(server.content(&name) == octets, "{scheme}");
        let down = scratch.join(&format!("down-{scheme}"));
        finish(curl(&name).arg("-o").arg(&down), "");
        assert!(std::fs::read(down).unwrap() == octets, "{scheme}");
    }
}

#[test]
fn lftp_mirrors_under_tls_in_both_modes() {
    if !require::programs(&["lftp"]) {
        return;
    }
    let (scratch, server) = (Scratch::new(), Server::start());
    let (gateway, certificate) = gateway(&scratch, &server);
    let tree = scratch.directory("tree");
    for number in 0..20usize {
        std::fs::write(
            tree.join(format!("file {number}")),
            [7, 10].repeat(number * 5000),
        )
        .unwrap();
    }
    for passive in ["on", "off"] {
        let down = scratch.join(&format!("down-{passive}"));
        let script = format!(
            "set cmd:fail-exit yes\nset net:timeout 30\nset net:max-retries 1\nset ftp:ssl-force yes\n\
             set ftp:ssl-protect-data yes\nset ssl:ca-file {}\nset ftp:passive-mode {passive}\n\
             open -u \"{},{}\" ftp://localhost:{}\nmirror -R \"{}\" /up-{passive}\nmirror /up-{passive} \"{}\"\n",
            certificate.display(),
            server.login.name,
            server.login.password,
            gateway.address.port(),
            tree.display(),
            down.display(),
        );
        finish(&mut Command::new("lftp"), &script);
        tests::tree::assert_same(&tree, &down);
        tests::tree::assert_same(&tree, &server.home.join(format!("up-{passive}")));
    }
}

#[test]
fn tls_is_offered_by_who_has_a_certificate_and_only_whole() {
    let (scratch, server) = (Scratch::new(), Server::start());
    let plain = GatewaySetup::to_here().start();
    let mut client = plain.connect();
    assert!(
        client
            .expect("AUTH TLS", 502)
            .text()
            .contains("cannot pass")
    );
    assert!(!client.expect("FEAT", 211).text().contains("AUTH"));
    let (gateway, _) = gateway(&scratch, &server);
    let mut client = gateway.connect();
    assert!(client.expect("FEAT", 211).text().contains("AUTH TLS"));
    client.expect("PBSZ 0", 503);
    client.expect("PROT P", 503);
    // What came in the clear behind AUTH may be somebody else's.
    client.send_octets(b"AUTH TLS\r\nUSER mallory\r\n");
    client.expect_reply(421);
    client.expect_end();
    // After a name that came in the clear it is too late.
    let mut client = Client::connect(gateway.address);
    client.expect("USER x", 331);
    client.expect("AUTH TLS", 503);
}
