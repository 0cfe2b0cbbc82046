//! The header that tells a server whose connection the gateway passes on.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use tests::client::connect_from;
use tests::{Client, Data, GatewaySetup};

use crate::members::{Greeter, furnish, listed, setup, told, watchful};

const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 6, 7);

#[test]
fn a_server_that_trusts_the_gateway_logs_the_client_itself() {
    let name = "one";
    let server = setup(name)
        .setting("ProxyNetworks=127.0.0.1")
        .setting("PassivePeers=127.0.0.1")
        .setting("ActiveTargets=127.0.0.1");
    let server = furnish(server.start(), name);
    let list = listed([(name, server.address())]);
    for how in ["NoPassive=no", "NoPassive=yes"] {
        let gateway = watchful(&list)
            .setting("ServerProxyProtocol=v2")
            .setting(how);
        let gateway = gateway.start();
        // The watcher speaks for itself, and is let in.
        told(&gateway, name, "up");
        let mut client = Client::over(connect_from(CLIENT, gateway.address));
        client.expect_reply(220);
        client.login("user0", &server.login.password);
        server
            .log
            .line_with(&["login of 'user0'", &CLIENT.to_string()]);
        // Passive connections of this client would come from another address.
        for data in [Data::Port, Data::Eprt] {
            client.upload(data, "file", b"through");
            assert_eq!(client.download(data, "file"), b"through");
        }
    }
    // Without one the server sends the gateway away.
    let gateway = watchful(&list).start();
    told(&gateway, name, "down");
}

#[test]
fn the_header_comes_first_and_once() {
    static HEARD: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let peer = Greeter::run(|stream| {
        let mut octets = [0; 28];
        stream.read_exact(&mut octets).unwrap();
        HEARD.lock().unwrap().extend(octets);
        let _ = stream.write_all(b"220 Hello.\r\n");
        let mut line = [0; 10];
        stream.read_exact(&mut line).unwrap();
        HEARD.lock().unwrap().extend(line);
        let _ = stream.write_all(b"331 Password?\r\n");
        while !tests::client::ended(stream) {}
    });
    let gateway = GatewaySetup::to_here()
        .setting(&format!("Server={}", peer.address))
        .setting("ServerProxyProtocol=v2")
        .start();
    let mut client = Client::over(connect_from(CLIENT, gateway.address));
    client.expect_reply(220);
    client.expect("USER ab0", 331);
    let IpAddr::V4(here) = gateway.address.ip() else {
        panic!("IPv4 only");
    };
    let ports = [client.local().port(), gateway.address.port()].map(u16::to_be_bytes);
    let expected = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &CLIENT.octets(),
        &here.octets(),
        ports.as_flattened(),
        b"USER ab0\r\n",
    ]
    .concat();
    assert_eq!(*HEARD.lock().unwrap(), expected);
}
