//! A download by one of the ways in which a data connection can come about, and how far it got.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use tests::client::{eprt_line, port_line, six_numbers};
use tests::wait::PATIENCE;
use tests::{Client, Data, DataConnection, Login};

use tests::lab::CONTENT;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The whole file came.
    Fine,
    /// The server said no, with this code.
    Refused(u16),
    /// The client cannot get to where the server sent it.
    Unreachable(IpAddr),
}

/// Logs in at an address.
#[track_caller]
pub(crate) fn log_in(login: &Login, address: impl Into<IpAddr>) -> Client {
    log_in_to(login, SocketAddr::new(address.into(), 21))
}

#[track_caller]
pub(crate) fn log_in_to(login: &Login, address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.login(&login.name, &login.password);
    client
}

/// What PASV tells.
#[track_caller]
pub(crate) fn pasv(client: &mut Client) -> SocketAddr {
    let reply = client.expect("PASV", 227);
    six_numbers(&reply.text()).unwrap_or_else(|| panic!("no address: {reply}"))
}

/// Fetches the file.
#[track_caller]
pub(crate) fn attempt(client: &mut Client, how: Data) -> Attempt {
    let agreed = match how {
        Data::Pasv | Data::Epsv => passive(client, how),
        Data::Port | Data::Eprt => active(client, how),
    };
    let data = match agreed {
        Ok(data) => data,
        Err(attempt) => return attempt,
    };
    let mark = client.command("RETR file");
    if mark.code != 150 {
        return Attempt::Refused(mark.code);
    }
    assert_eq!(data.open().read_all(), CONTENT);
    client.expect_reply(226);
    Attempt::Fine
}

fn passive(client: &mut Client, how: Data) -> Result<DataConnection, Attempt> {
    let line = if how == Data::Pasv { "PASV" } else { "EPSV" };
    let reply = client.command(line);
    let address = match reply.code {
        227 => six_numbers(&reply.text()).unwrap(),
        229 => {
            let text = reply.text();
            let (_, port) = text.split_once("(|||").unwrap();
            let (port, _) = port.split_once("|)").unwrap();
            SocketAddr::new(client.peer().ip(), port.parse().unwrap())
        }
        code => return Err(Attempt::Refused(code)),
    };
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => Ok(DataConnection::Open(stream)),
        Err(_) => Err(Attempt::Unreachable(address.ip())),
    }
}

fn active(client: &mut Client, how: Data) -> Result<DataConnection, Attempt> {
    let listener = TcpListener::bind((client.local().ip(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let line = if how == Data::Port {
        port_line(address)
    } else {
        eprt_line(address)
    };
    match client.command(&line).code {
        200 => Ok(DataConnection::Awaited(listener)),
        code => Err(Attempt::Refused(code)),
    }
}
