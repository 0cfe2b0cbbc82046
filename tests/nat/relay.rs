//! Tunnels: what `ssh -L` and `ssh -D` do, without ssh. Whoever connects on one machine gets a connection of another.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use nix::sched::{CloneFlags, setns};
use tests::lab::{Lab, Place};

/// Takes connections until it is dropped.
pub(crate) struct Relay(TcpListener);

impl Relay {
    /// `ssh -L`: from `entrance` here, on to `target` as `exit` sees it.
    pub(crate) fn to(lab: &Lab, entrance: SocketAddr, exit: Place, target: SocketAddr) -> Relay {
        Relay::passing_on(lab, entrance, exit, move |_| Ok(target))
    }

    /// `ssh -D`: the client says where to, in SOCKS 5 (RFC 1928).
    pub(crate) fn socks(lab: &Lab, entrance: SocketAddr, exit: Place) -> Relay {
        Relay::passing_on(lab, entrance, exit, ask)
    }

    fn passing_on(
        lab: &Lab,
        entrance: SocketAddr,
        exit: Place,
        target: impl Fn(&mut TcpStream) -> io::Result<SocketAddr> + Clone + Send + 'static,
    ) -> Relay {
        let listener = TcpListener::bind(entrance).unwrap();
        let accepting = listener.try_clone().unwrap();
        let namespace = File::open(lab.namespace(exit)).unwrap();
        thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            while let Ok((mut near, _)) = accepting.accept() {
                let target = target.clone();
                thread::spawn(move || {
                    let far = target(&mut near).and_then(TcpStream::connect);
                    if let Ok(far) = far {
                        join(&near, &far);
                    }
                });
            }
        });
        Relay(listener)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A thread that waits in accept(2) wakes up and sees the end.
        let _ = nix::sys::socket::shutdown(self.0.as_raw_fd(), nix::sys::socket::Shutdown::Both);
    }
}

/// Copies both ways until both sides have ended.
fn join(near: &TcpStream, far: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| copy(near, far));
        copy(far, near);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// What a client of SOCKS wants to be connected with; names are those of /etc/hosts as the server would know them.
fn ask(client: &mut TcpStream) -> io::Result<SocketAddr> {
    let mut two = [0; 2];
    client.read_exact(&mut two)?;
    client.read_exact(&mut vec![0; usize::from(two[1])])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    assert_eq!(&request[..3], &[5, 1, 0], "only CONNECT is known");
    let ip = match request[3] {
        1 => {
            let mut octets = [0; 4];
            client.read_exact(&mut octets)?;
            IpAddr::from(octets)
        }
        3 => {
            let mut length = [0];
            client.read_exact(&mut length)?;
            let mut name = vec![0; usize::from(length[0])];
            client.read_exact(&mut name)?;
            let name = String::from_utf8_lossy(&name).into_owned();
            // A name that only the far side knows.
            let known = (name == "server.test").then_some(tests::lab::SERVER);
            known.or_else(|| name.parse().ok()).map(IpAddr::V4).unwrap()
        }
        kind => panic!("address type {kind}"),
    };
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    let nowhere = Ipv4Addr::UNSPECIFIED.octets();
    client.write_all(&[&[5, 0, 0, 1][..], &nowhere, &[0, 0]].concat())?;
    Ok(SocketAddr::new(ip, u16::from_be_bytes(port)))
}
