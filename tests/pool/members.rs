//! The servers of a pool: three of ours with the same users, and peers that follow no protocol but their script.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::{Client, Gateway, GatewaySetup, Server, Setup, wait};

/// The names that servers of a pool have here.
pub(crate) const NAMES: [&str; 3] = ["one", "two", "three"];
/// How many users all of them know, by the password of the tester.
pub(crate) const USERS: usize = 12;

/// A server with the users of the pool, and with its own name in its greeting and in a file.
pub(crate) fn setup(name: &str) -> Setup {
    let mut setup = Setup::new().setting(&format!("Banner=This is {name}."));
    for number in 0..USERS {
        setup = setup.account(&user(number), "plain", "");
    }
    setup
}

pub(crate) fn start(name: &str) -> Server {
    furnish(setup(name).start(), name)
}

pub(crate) fn furnish(server: Server, name: &str) -> Server {
    server.put("name", name.as_bytes());
    server
}

pub(crate) fn user(number: usize) -> String {
    format!("user{number}")
}

/// Three servers, and the setting that names them.
pub(crate) fn three() -> ([Server; 3], String) {
    let servers = NAMES.map(start);
    let list = listed(
        NAMES
            .iter()
            .zip(&servers)
            .map(|(name, s)| (*name, s.address())),
    );
    (servers, list)
}

/// The setting that names servers.
pub(crate) fn listed(servers: impl IntoIterator<Item = (&'static str, SocketAddr)>) -> String {
    let words = servers.into_iter().map(|(name, at)| format!("{name}={at}"));
    words.collect::<Vec<_>>().join(",")
}

/// A client that is logged in as this user.
#[track_caller]
pub(crate) fn log_in(gateway: &Gateway, user: &str, server: &Server) -> Client {
    let mut client = gateway.connect();
    client.login(user, &server.login.password);
    client
}

/// Which server a client is served by.
#[track_caller]
pub(crate) fn served_by(client: &mut Client) -> String {
    String::from_utf8(client.download(tests::Data::Epsv, "name")).unwrap()
}

/// Where each user is led.
#[track_caller]
pub(crate) fn routes(gateway: &Gateway, server: &Server) -> BTreeMap<String, String> {
    let route = |number| {
        let name = user(number);
        let mut client = log_in(gateway, &name, server);
        let at = served_by(&mut client);
        client.expect("QUIT", 221);
        (name, at)
    };
    (0..USERS).map(route).collect()
}

/// Looks that come quickly, and count at once; with patience, since the machine may have much to do.
pub(crate) fn watchful(list: &str) -> GatewaySetup {
    hasty(list, 30)
}

/// The same with so many seconds for a server.
pub(crate) fn hasty(list: &str, patience: u32) -> GatewaySetup {
    GatewaySetup::before(list)
        .setting("HealthInterval=1")
        .setting("HealthDown=1")
        .setting("HealthUp=1")
        .setting(&format!("ServerPatience={patience}"))
}

/// Waits until the watcher tells this of a server.
#[track_caller]
pub(crate) fn told(gateway: &Gateway, server: &str, what: &str) -> String {
    gateway
        .log
        .line_with(&[&format!("pool: {server} is {what}")])
}

/// A server that greets everybody by the same octets and then only listens.
pub(crate) struct Greeter {
    pub(crate) address: SocketAddr,
    /// How many have come.
    pub(crate) count: Arc<AtomicUsize>,
}

impl Greeter {
    pub(crate) fn start(greeting: &'static [u8]) -> Greeter {
        Greeter::run(move |stream| {
            // Who has had enough may be gone.
            let _ = stream.write_all(greeting);
            while !tests::client::ended(stream) {}
        })
    }

    /// Does this with every connection.
    pub(crate) fn run(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Greeter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let (came, serve) = (Arc::clone(&count), Arc::new(serve));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, serve) = (stream.unwrap(), Arc::clone(&serve));
                came.fetch_add(1, Ordering::SeqCst);
                stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
                stream.set_write_timeout(Some(wait::PATIENCE)).unwrap();
                std::thread::spawn(move || serve(&mut stream));
            }
        });
        Greeter { address, count }
    }

    pub(crate) fn came(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}
