//! A strict FTP client of the tests' own: whatever a server does wrong ends the test with a sentence.
//! Never uses the product's protocol code.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

use crate::reply::{Reply, Text};
use crate::wait::{PATIENCE, readable};

/// A control connection.
pub struct Client {
    control: TcpStream,
    /// Octets that arrived and belong to no reply yet.
    pending: Vec<u8>,
    last_command: String,
    /// How replies are read.
    pub text: Text,
}

/// How a data connection comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Pasv,
    Epsv,
    Port,
    Eprt,
}

impl Data {
    pub const ALL: [Data; 4] = [Data::Pasv, Data::Epsv, Data::Port, Data::Eprt];
}

/// A data connection that is agreed upon: already there if passive, still to come if active.
pub enum DataConnection {
    Open(TcpStream),
    Awaited(TcpListener),
}

impl Client {
    /// Connects and reads the greeting.
    #[track_caller]
    pub fn connect(server: SocketAddr) -> Client {
        let mut client = Client::connect_quietly(server);
        let greeting = client.reply();
        assert_eq!(greeting.code, 220, "greeting: {greeting}");
        client
    }

    /// Connects and leaves the greeting to the caller.
    #[track_caller]
    pub fn connect_quietly(server: SocketAddr) -> Client {
        Client::over(TcpStream::connect_timeout(&server, PATIENCE).unwrap())
    }

    /// Speaks over a connection that is there already.
    pub fn over(control: TcpStream) -> Client {
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        control.set_nodelay(true).unwrap();
        Client {
            control,
            pending: Vec::new(),
            last_command: "(connect)".into(),
            text: Text::default(),
        }
    }

    /// Sends octets as they are, to a server that may be gone.
    pub fn try_send_octets(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.control.write_all(octets)
    }

    /// Sends octets as they are.
    pub fn send_octets(&mut self, octets: &[u8]) {
        self.last_command = octets.escape_ascii().to_string();
        self.last_command.truncate(80);
        self.control.write_all(octets).unwrap();
    }

    /// Sends a line and does not wait.
    pub fn send(&mut self, line: &str) {
        self.send_octets(format!("{line}\r\n").as_bytes());
    }

    /// Sends octets as TCP urgent data: what RFC 959 calls the Synch signal goes before ABOR.
    pub fn send_urgent(&mut self, octets: &[u8]) {
        use nix::sys::socket::{MsgFlags, send};
        use std::os::fd::AsRawFd;
        let sent = send(self.control.as_raw_fd(), octets, MsgFlags::MSG_OOB).unwrap();
        assert_eq!(sent, octets.len());
    }

    /// Whether anything has come that was not read, or the server has closed.
    pub fn has_something(&self) -> bool {
        !self.pending.is_empty() || readable(&self.control, std::time::Duration::ZERO)
    }

    /// Tells the server that nothing more will be sent.
    pub fn close_half(&self) {
        self.control.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads the next reply.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|| {
            panic!(
                "the server closed instead of answering {}",
                self.last_command
            )
        })
    }

    /// Reads the next reply, or `None` if the server closed the connection between replies.
    #[track_caller]
    pub fn try_reply(&mut self) -> Option<Reply> {
        loop {
            match Reply::take_as(&self.pending, self.text) {
                Ok(Some((reply, length))) => {
                    self.pending.drain(..length);
                    return Some(reply);
                }
                Ok(None) => {}
                Err(error) => panic!("after {}: {error}", self.last_command),
            }
            let mut buffer = [0; 4096];
            match self.control.read(&mut buffer) {
                Ok(0) if self.pending.is_empty() => return None,
                Ok(0) => panic!(
                    "the server closed within a reply: {}",
                    self.pending.escape_ascii()
                ),
                Ok(read) => self.pending.extend(&buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                // signal(7): a read with a time limit is not begun anew by the kernel.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("no reply to {}: {error}", self.last_command),
            }
        }
    }

    /// Sends a line and reads its one reply. An octet that came unasked before is an error.
    #[track_caller]
    pub fn command(&mut self, line: &str) -> Reply {
        if self.has_something() {
            let before = self.last_command.clone();
            panic!(
                "something came unasked after {before}: {:?}",
                self.try_reply()
            );
        }
        self.send(line);
        self.reply()
    }

    /// Sends a line and insists on the code of the reply.
    #[track_caller]
    pub fn expect(&mut self, line: &str, code: u16) -> Reply {
        let reply = self.command(line);
        assert_eq!(reply.code, code, "to {line}: {reply}");
        reply
    }

    /// Reads a reply and insists on its code.
    #[track_caller]
    pub fn expect_reply(&mut self, code: u16) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.code, code, "after {}: {reply}", self.last_command);
        reply
    }

    /// Insists that the server closes, without another reply.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let reply = self.try_reply();
        assert!(
            reply.is_none(),
            "expected the end after {}, got {reply:?}",
            self.last_command
        );
    }

    #[track_caller]
    pub fn login(&mut self, user: &str, password: &str) {
        self.expect(&format!("USER {user}"), 331);
        self.expect(&format!("PASS {password}"), 230);
        self.expect("TYPE I", 200);
    }

    /// Agrees on a data connection; a passive one is connected here.
    #[track_caller]
    pub fn data(&mut self, how: Data) -> DataConnection {
        match how {
            Data::Pasv | Data::Epsv => {
                let address = self.passive_address(how);
                DataConnection::Open(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
            }
            Data::Port | Data::Eprt => {
                let listener = TcpListener::bind((self.local().ip(), 0)).unwrap();
                let address = listener.local_addr().unwrap();
                let line = match how {
                    Data::Port => port_line(address),
                    _ => eprt_line(address),
                };
                self.expect(&line, 200);
                DataConnection::Awaited(listener)
            }
        }
    }

    /// Asks for a passive port and does not connect to it.
    #[track_caller]
    pub fn passive_address(&mut self, how: Data) -> SocketAddr {
        let peer = self.control.peer_addr().unwrap();
        match how {
            Data::Epsv => {
                let reply = self.expect("EPSV", 229);
                let port = reply.text();
                let port = port
                    .split_once("(|||")
                    .and_then(|(_, rest)| rest.split_once("|)"));
                let port = port.and_then(|(port, _)| port.parse().ok());
                SocketAddr::new(
                    peer.ip(),
                    port.unwrap_or_else(|| panic!("not as RFC 2428 §3: {reply}")),
                )
            }
            _ => {
                let reply = self.expect("PASV", 227);
                let address =
                    six_numbers(&reply.text()).unwrap_or_else(|| panic!("no address: {reply}"));
                assert_eq!(address.ip(), peer.ip(), "PASV names another host: {reply}");
                address
            }
        }
    }

    #[track_caller]
    pub fn download(&mut self, how: Data, path: &str) -> Vec<u8> {
        self.receive(how, &format!("RETR {path}"))
    }

    /// Runs a command whose answer comes over the data connection: RETR, LIST, NLST, MLSD.
    #[track_caller]
    pub fn receive(&mut self, how: Data, line: &str) -> Vec<u8> {
        let data = self.data(how);
        self.begin(line);
        let octets = data.open().read_all();
        self.expect_reply(226);
        octets
    }

    #[track_caller]
    pub fn upload(&mut self, how: Data, path: &str, octets: &[u8]) {
        self.transmit(how, &format!("STOR {path}"), octets);
    }

    /// Runs a command that takes what is sent over the data connection: STOR, APPE.
    #[track_caller]
    pub fn transmit(&mut self, how: Data, line: &str, octets: &[u8]) {
        let data = self.data(how);
        self.begin(line);
        data.open().write_all_and_close(octets);
        self.expect_reply(226);
    }

    /// Sends a transfer command and reads its mark, 150 or 125.
    #[track_caller]
    pub fn begin(&mut self, line: &str) {
        let mark = self.command(line);
        assert!(matches!(mark.code, 125 | 150), "to {line}: {mark}");
    }

    /// Lists names with NLST, in order.
    #[track_caller]
    pub fn names(&mut self, path: &str) -> Vec<String> {
        let octets = self.receive(Data::Epsv, format!("NLST {path}").trim_end());
        let text = String::from_utf8(octets).unwrap();
        let mut names: Vec<String> = text.split_terminator("\r\n").map(str::to_owned).collect();
        names.sort();
        names
    }

    pub fn local(&self) -> SocketAddr {
        self.control.local_addr().unwrap()
    }

    pub fn peer(&self) -> SocketAddr {
        self.control.peer_addr().unwrap()
    }

    /// The connection itself, for another protocol; nothing may have come that was not read.
    #[track_caller]
    pub fn into_stream(self) -> TcpStream {
        assert!(self.pending.is_empty(), "something came unasked");
        self.control
    }

    /// Breaks the connection with a reset, as a crashed client's system does.
    pub fn reset(self) {
        reset(&self.control);
    }
}

impl DataConnection {
    /// The connection itself; waits for the server if it is the one to connect.
    #[track_caller]
    pub fn open(self) -> DataConnection {
        match self {
            DataConnection::Open(_) => self,
            DataConnection::Awaited(listener) => {
                assert!(
                    readable(&listener, PATIENCE),
                    "the server did not connect to {listener:?}"
                );
                DataConnection::Open(listener.accept().unwrap().0)
            }
        }
    }

    #[track_caller]
    pub fn stream(&self) -> &TcpStream {
        match self {
            DataConnection::Open(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                stream
            }
            DataConnection::Awaited(_) => panic!("the data connection is not open yet"),
        }
    }

    /// Reads to the end; a reset is an error.
    #[track_caller]
    pub fn read_all(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.stream().read_to_end(&mut octets).unwrap();
        octets
    }

    /// Reads exactly so many octets.
    #[track_caller]
    pub fn read_some(&self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.stream().read_exact(&mut octets).unwrap();
        octets
    }

    #[track_caller]
    pub fn write(&self, octets: &[u8]) {
        self.stream().write_all(octets).unwrap();
    }

    /// Sends everything and the end.
    #[track_caller]
    pub fn write_all_and_close(self, octets: &[u8]) {
        self.write(octets);
        self.stream().shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            self.read_all(),
            b"",
            "the server wrote on an upload's connection"
        );
    }

    /// Breaks the connection with a reset.
    pub fn reset(self) {
        reset(self.stream());
    }
}

/// Whether the other side has closed or reset a connection without a word.
pub fn ended(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Makes the coming close send RST instead of FIN.
pub fn reset(stream: &TcpStream) {
    use nix::libc::linger;
    use nix::sys::socket::{setsockopt, sockopt};
    setsockopt(
        stream,
        sockopt::Linger,
        &linger {
            l_onoff: 1,
            l_linger: 0,
        },
    )
    .unwrap();
}

/// Connects to a server from an address of the caller's choice: the whole of 127.0.0.0/8 is this machine.
pub fn connect_from(source: impl Into<IpAddr>, server: SocketAddr) -> TcpStream {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket,
    };
    use std::os::fd::AsRawFd;
    let source = source.into();
    let family = match source {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(
        socket.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(source, 0)),
    )
    .unwrap();
    connect(socket.as_raw_fd(), &SockaddrStorage::from(server)).unwrap();
    TcpStream::from(socket)
}

/// The PORT line for an address.
pub fn port_line(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else {
        panic!("PORT knows IPv4 only")
    };
    let [a, b, c, d] = ip.octets();
    let [high, low] = address.port().to_be_bytes();
    format!("PORT {a},{b},{c},{d},{high},{low}")
}

/// The EPRT line for an address.
pub fn eprt_line(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { 1 } else { 2 };
    format!("EPRT |{family}|{}|{}|", address.ip(), address.port())
}

/// Finds `(h1,h2,h3,h4,p1,p2)`: all in plain decimal, no blanks, each at most 255.
pub fn six_numbers(text: &str) -> Option<SocketAddr> {
    let (_, inner) = text.split_once('(')?;
    let (inner, _) = inner.split_once(')')?;
    let numbers: Result<Vec<u8>, _> = inner.split(',').map(str::parse).collect();
    let [a, b, c, d, high, low] = numbers.ok()?[..] else {
        return None;
    };
    Some(SocketAddr::new(
        Ipv4Addr::new(a, b, c, d).into(),
        u16::from_be_bytes([high, low]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passive_replies_are_read_by_the_letter() {
        let found = six_numbers("Entering Passive Mode (127,0,0,1,195,80).");
        assert_eq!(found, Some("127.0.0.1:50000".parse().unwrap()));
        for bad in [
            "127,0,0,1,195,80",
            "(127,0,0,1,195)",
            "(127,0,0,1,195,256)",
            "(127, 0,0,1,195,80)",
        ] {
            assert_eq!(six_numbers(bad), None, "{bad}");
        }
    }

    #[test]
    fn active_addresses_are_written_by_the_letter() {
        assert_eq!(
            port_line("127.0.0.1:50000".parse().unwrap()),
            "PORT 127,0,0,1,195,80"
        );
        assert_eq!(
            eprt_line("[::1]:50000".parse().unwrap()),
            "EPRT |2|::1|50000|"
        );
    }
}
