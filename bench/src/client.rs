//! The client under which servers are measured: blocking, one thread a session, as few system calls as the protocol
//! allows. It asks for exactly one reply where one is due and takes nothing else for an answer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, bind, connect, recv, socket,
};

use rustls::ClientConfig;

use crate::failure::Failure;
use crate::reply::{self, Reply};
use crate::secure::{Connection, Records};

/// No single wait for a server is longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// No single transfer is longer, however steadily it trickles.
const TRANSFER_LIMIT: Duration = Duration::from_secs(90);
const LONGEST_REPLY: usize = 64 * 1024;
const CHUNK: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

#[derive(Debug)]
pub(crate) struct Session {
    control: Connection,
    unread: Vec<u8>,
    /// How its data connections speak TLS, if they do.
    data_tls: Option<Arc<ClientConfig>>,
    /// Of these data connections, how many there were and how many of them resumed a session.
    handshakes: u32,
    resumed: u32,
}

impl Session {
    /// Connects to a server on loopback and takes its greeting.
    pub(crate) fn connect(port: u16) -> Result<Self, Failure> {
        Self::over(dial(port))
    }

    /// The same from an address of the caller's choice: all of 127.0.0.0/8 is this machine.
    pub(crate) fn connect_from(source: Ipv4Addr, port: u16) -> Result<Self, Failure> {
        Self::over(dial_from(source, port))
    }

    fn over(dialled: io::Result<TcpStream>) -> Result<Self, Failure> {
        let control = dialled.map_err(Failure::during("connect"))?;
        let mut session = Self {
            control: Connection::Clear(control),
            unread: Vec::new(),
            data_tls: None,
            handshakes: 0,
            resumed: 0,
        };
        session.expect("greeting", &[220])?;
        Ok(session)
    }

    /// Logs in; with `tls` behind AUTH TLS.
    pub(crate) fn login(
        port: u16,
        credentials: &Credentials,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Failure> {
        let mut session = Self::connect(port)?;
        if let Some(config) = tls {
            session.command("AUTH TLS", &[234])?;
            session.secure(config)?;
        }
        session.command(&format!("USER {}", credentials.user), &[331])?;
        // Not `command`: a failure must not carry the password.
        session.send(&format!("PASS {}", credentials.password))?;
        session.expect("PASS", &[230])?;
        Ok(session)
    }

    /// Puts the control connection under TLS.
    fn secure(&mut self, config: Arc<ClientConfig>) -> Result<(), Failure> {
        if let Connection::Clear(socket) = &self.control {
            self.control = socket
                .try_clone()
                .and_then(|socket| Connection::secured(socket, config))
                .map_err(Failure::during("TLS"))?;
        }
        Ok(())
    }

    /// Logs in and switches to TYPE I; with `tls` to data under TLS too.
    pub(crate) fn ready(
        port: u16,
        credentials: &Credentials,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Failure> {
        let mut session = Self::login(port, credentials, tls.clone())?;
        session.command("TYPE I", &[200])?;
        if tls.is_some() {
            session.command("PBSZ 0", &[200])?;
            session.command("PROT P", &[200])?;
            session.data_tls = tls;
        }
        Ok(session)
    }

    /// The part of the data connections under TLS that resumed a session; nothing where none were.
    pub(crate) fn resumed_part(&self) -> Option<f64> {
        (self.handshakes > 0).then(|| f64::from(self.resumed) / f64::from(self.handshakes))
    }

    pub(crate) fn command(&mut self, line: &str, codes: &[u16]) -> Result<Reply, Failure> {
        self.send(line)?;
        self.expect(line, codes)
    }

    /// One transfer from PASV to 226; `work` moves the bytes.
    pub(crate) fn transfer<T>(
        &mut self,
        line: &str,
        work: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> Result<T, Failure> {
        self.told(line, work).map(|(outcome, _)| outcome)
    }

    /// The same, with the text of the last reply.
    pub(crate) fn told<T>(
        &mut self,
        line: &str,
        work: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> Result<(T, String), Failure> {
        let outcome = self.begun(line, work)?;
        let reply = self.expect(line, &[226, 250])?;
        Ok((outcome, reply.text))
    }

    /// A download that `work` may leave before its end: whether it ends with 226 or 426 is no matter.
    pub(crate) fn download<T>(
        &mut self,
        line: &str,
        work: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> Result<T, Failure> {
        let outcome = self.begun(line, work)?;
        self.reply(line)?;
        Ok(outcome)
    }

    /// A transfer but for its last reply.
    fn begun<T>(
        &mut self,
        line: &str,
        work: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> Result<T, Failure> {
        let passive = self.command("PASV", &[227])?;
        let port = reply::passive_port(&passive.text)
            .ok_or_else(|| Failure::wrong(format!("PASV: {}", passive.text)))?;
        let data = dial(port).map_err(Failure::during("data connection"))?;
        self.command(line, &[150, 125])?;
        let mut data = self.protected(data)?;
        let outcome = work(&mut data).map_err(Failure::during(line))?;
        // The end of an upload is the end of its connection.
        data.finish().map_err(Failure::during(line))?;
        Ok(outcome)
    }

    fn protected(&mut self, data: TcpStream) -> Result<Connection, Failure> {
        let Some(config) = &self.data_tls else {
            return Ok(Connection::Clear(data));
        };
        let data = Connection::secured(data, Arc::clone(config));
        let data = data.map_err(Failure::during("TLS of the data connection"))?;
        self.handshakes += 1;
        self.resumed += u32::from(data.resumed());
        Ok(data)
    }

    /// Says goodbye and waits for the answer.
    pub(crate) fn quit(mut self) -> Result<(), Failure> {
        self.command("QUIT", &[221]).map(drop)
    }

    fn send(&mut self, line: &str) -> Result<(), Failure> {
        let bytes = format!("{line}\r\n");
        self.control
            .write_all(bytes.as_bytes())
            .map_err(Failure::during("control connection"))
    }

    fn expect(&mut self, step: &str, codes: &[u16]) -> Result<Reply, Failure> {
        let reply = self.reply(step)?;
        if codes.contains(&reply.code) {
            return Ok(reply);
        }
        let what = format!("{step}: {}", reply.text);
        match reply.code {
            500 | 502 | 504 => Err(Failure::Unsupported(what)),
            _ => Err(Failure::Wrong(what)),
        }
    }

    fn reply(&mut self, step: &str) -> Result<Reply, Failure> {
        loop {
            if let Some((reply, used)) = reply::parse(&self.unread)? {
                self.unread.drain(..used);
                return Ok(reply);
            }
            if self.unread.len() > LONGEST_REPLY {
                return Err(Failure::wrong(format!("{step}: endless reply")));
            }
            let mut buffer = [0; 4096];
            let length = self
                .control
                .read(&mut buffer)
                .map_err(Failure::during(step))?;
            if length == 0 {
                return Err(Failure::wrong(format!("{step}: connection closed")));
            }
            self.unread.extend_from_slice(&buffer[..length]);
        }
    }
}

/// Counts what arrives until the end, without looking at it: in the clear the kernel drops it, under TLS nothing is opened.
pub(crate) fn sink(data: &mut Connection) -> io::Result<u64> {
    if let Connection::Tls(tls) = data {
        return sink_records(&mut tls.sock);
    }
    let (started, mut all) = (Instant::now(), 0);
    let mut in_time = true;
    sink_while(data, |total| {
        all = total;
        in_time = started.elapsed() < TRANSFER_LIMIT;
        in_time
    })?;
    if in_time {
        return Ok(all);
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn sink_records(socket: &mut TcpStream) -> io::Result<u64> {
    let started = Instant::now();
    let mut buffer = vec![0; CHUNK / 4];
    let mut records = Records::default();
    while !records.at_end() {
        match socket.read(&mut buffer)? {
            0 => break,
            count => records.push(&buffer[..count])?,
        }
        within_limit(started)?;
    }
    Ok(records.octets)
}

/// The same as long as `go_on` says so of what has arrived so far.
pub(crate) fn sink_while(
    data: &mut Connection,
    mut go_on: impl FnMut(u64) -> bool,
) -> io::Result<()> {
    let Connection::Clear(data) = data else {
        return Err(io::Error::other("nothing is dropped unseen under TLS"));
    };
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    loop {
        match recv(data.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
            Ok(0) => return Ok(()),
            Ok(length) => total += length as u64,
            Err(nix::Error::EINTR) => {}
            Err(cause) => return Err(cause.into()),
        }
        if !go_on(total) {
            return Ok(());
        }
    }
}

/// Collects what arrives until the end, at most `limit` bytes.
pub(crate) fn collect(data: &mut Connection, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    data.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Sends the first `length` bytes of `file`: in the clear from the page cache to the socket.
pub(crate) fn source(data: &mut Connection, file: &File, length: u64) -> io::Result<()> {
    let started = Instant::now();
    let data = match data {
        Connection::Clear(data) => data,
        Connection::Tls(_) => return source_read(data, file, length),
    };
    let mut offset: i64 = 0;
    while let Some(left) = length
        .checked_sub(offset.unsigned_abs())
        .filter(|left| *left > 0)
    {
        let chunk = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        match sendfile64(&*data, file, Some(&mut offset), chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(cause) => return Err(cause.into()),
        }
        within_limit(started)?;
    }
    Ok(())
}

fn source_read(data: &mut Connection, file: &File, length: u64) -> io::Result<()> {
    let started = Instant::now();
    let mut buffer = vec![0; CHUNK / 4];
    let mut offset = 0;
    while offset < length {
        let count = file.read_at(&mut buffer, offset)?;
        let most = usize::try_from(length - offset).unwrap_or(usize::MAX);
        match count.min(most) {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => data.write_all(&buffer[..count])?,
        }
        offset += count as u64;
        within_limit(started)?;
    }
    data.flush()
}

pub(crate) fn source_bytes(data: &mut Connection, bytes: &[u8]) -> io::Result<()> {
    data.write_all(bytes)
}

fn within_limit(started: Instant) -> io::Result<()> {
    if started.elapsed() > TRANSFER_LIMIT {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(())
}

fn dial(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    prepared(TcpStream::connect_timeout(&address, PATIENCE)?)
}

fn dial_from(source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let family = AddressFamily::Inet;
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let address = |ip, port| SockaddrIn::from(SocketAddrV4::new(ip, port));
    bind(socket.as_raw_fd(), &address(source, 0))?;
    connect(socket.as_raw_fd(), &address(Ipv4Addr::LOCALHOST, port))?;
    prepared(TcpStream::from(socket))
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    /// A server of one session and one download: greets, answers PASV, then `command` with 150, sends `content`, and
    /// ends with `last`.
    fn scripted(content: &'static [u8], last: &'static str) -> (Session, JoinHandle<()>) {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = control.local_addr().unwrap().port();
        let [high, low] = data.local_addr().unwrap().port().to_be_bytes();
        let server = thread::spawn(move || {
            let (mut stream, _) = control.accept().unwrap();
            let mut line = [0; 100];
            stream.write_all(b"220-Hello\r\n220 there\r\n").unwrap();
            assert!(stream.read(&mut line).unwrap() > 0);
            let passive = format!("227 Passive (127,0,0,1,{high},{low})\r\n");
            stream.write_all(passive.as_bytes()).unwrap();
            assert!(stream.read(&mut line).unwrap() > 0);
            let (mut connection, _) = data.accept().unwrap();
            stream.write_all(b"150 Here\r\n").unwrap();
            connection.write_all(content).unwrap();
            drop(connection);
            stream.write_all(last.as_bytes()).unwrap();
        });
        (Session::connect(port).unwrap(), server)
    }

    #[test]
    fn a_discarded_download_is_still_counted_to_the_byte() {
        let (mut session, server) = scripted(&[7; 300_001], "226 Done\r\n");
        assert_eq!(session.transfer("RETR big", sink), Ok(300_001));
        server.join().unwrap();
    }

    #[test]
    fn a_transfer_that_ends_with_another_reply_than_226_has_no_figure() {
        let (mut session, server) = scripted(b"half", "426 Broken\r\n");
        let failure = session.transfer("RETR big", sink).unwrap_err();
        assert_eq!(failure, Failure::wrong("RETR big: 426 Broken"));
        server.join().unwrap();
    }

    #[test]
    fn a_download_that_is_too_long_is_an_error() {
        let (mut session, server) = scripted(b"12345", "226 Done\r\n");
        let failure = session
            .transfer("RETR small", |data| collect(data, 4))
            .unwrap_err();
        assert_eq!(failure, Failure::wrong("RETR small: more than 4 bytes"));
        server.join().unwrap();
    }
}
