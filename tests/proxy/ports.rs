//! Ports of the gateway that servers come to.

use std::net::TcpListener;

use tests::{Data, GatewaySetup, Setup};

#[test]
fn a_server_that_always_comes_from_one_port_is_never_called_to_one_where_it_still_is() {
    let source = free_ports(1);
    let server = Setup::new()
        .setting(&format!("ActivePorts={source}"))
        .setting("ActivePortsOnly")
        .start();
    server.put("large", &vec![b'x'; 64 << 20]);
    server.put("small", b"content");
    let first = free_ports(4);
    let gateway = GatewaySetup::to_here()
        .setting("NoPassive")
        .setting(&format!("DataConnectionPortRange={first}-{}", first + 3))
        .start();
    let login = gateway.login(&server.login);
    let [mut held, mut client] = [(); 2].map(|()| {
        let mut client = gateway.connect();
        client.login(&login.name, &login.password);
        client
    });
    // More than all buffers on the way hold.
    let data = held.data(Data::Port);
    held.begin("RETR large");
    let data = data.open();
    for _ in 0..24 {
        assert_eq!(client.download(Data::Port, "small"), b"content");
    }
    drop(data);
    held.expect_reply(426);
}

/// The first of so many ports in a row that are free at this moment, and that the kernel gives to no connection by itself.
fn free_ports(count: u16) -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..32_000))
        .take(1_000)
        .find(|first| (*first..first + count).all(free))
        .expect("free ports below 32,000")
}
