//! The PROXY protocol: whose connection a front end passes on, and that nobody else is believed who says so. Front ends and
//! clients have loopback addresses of their own.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod control;
mod data;
mod haproxy;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use tests::client::connect_from;
use tests::{Client, Server};

const FRONT_END: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 1);
const TRUSTED: &str = "ProxyNetworks=127.0.4.0/24";
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 5, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 5, 2);

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 1.
fn line(client: Ipv4Addr, server: SocketAddr) -> Vec<u8> {
    let (ip, port) = (server.ip(), server.port());
    format!("PROXY TCP4 {client} {ip} 40000 {port}\r\n").into_bytes()
}

/// A header of version 2.
fn binary(client: Ipv4Addr, server: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(ip) = server.ip() else {
        panic!("IPv4 only")
    };
    let ports = [40000_u16.to_be_bytes(), server.port().to_be_bytes()].concat();
    let body = [&client.octets()[..], &ip.octets(), &ports].concat();
    binary_of(0x21, 0x11, &body)
}

fn binary_of(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, body].concat()
}

/// A connection of the front end that begins with these octets.
fn passed(address: SocketAddr, octets: &[u8]) -> TcpStream {
    let mut stream = connect_from(FRONT_END, address);
    stream.write_all(octets).unwrap();
    stream
}

/// What a client gets that comes through the front end.
fn quiet(server: &Server, client: Ipv4Addr) -> Client {
    let address = server.address();
    Client::over(passed(address, &binary(client, address)))
}

#[track_caller]
fn greeted(server: &Server, client: Ipv4Addr) -> Client {
    let mut client = quiet(server, client);
    client.expect_reply(220);
    client
}

#[track_caller]
fn logged_in(server: &Server, client: Ipv4Addr) -> Client {
    let mut client = greeted(server, client);
    client.login(&server.login.name, &server.login.password);
    client
}
