//! Four machines in a row, each a network namespace of its own:
//!
//! ```text
//! client 10.1.0.2 ── 10.1.0.1 gateway 203.0.113.1 ── 203.0.113.2 gateway 10.2.0.1 ── 10.2.0.2 server
//! ```
//!
//! The thread of a test goes from one to the other; sockets and processes stay where they were made.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Server, Setup, require};
use nix::sched::{CloneFlags, setns};

pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
/// The server's gateway, as the server sees it.
pub const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 2);
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 2);
/// The server's gateway, as the world sees it.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Client,
    ClientsGateway,
    ServersGateway,
    Server,
}

use Place::{Client, ClientsGateway, ServersGateway};

impl Place {
    const ALL: [Place; 4] = [Client, ClientsGateway, ServersGateway, Place::Server];

    fn word(self) -> &'static str {
        match self {
            Client => "cl",
            ClientsGateway => "cg",
            ServersGateway => "sg",
            Place::Server => "sv",
        }
    }
}

pub struct Lab {
    prefix: String,
    /// Where the thread came from.
    home: File,
}

impl Lab {
    /// Four machines that reach each other without any filter; `None` if the test must be skipped.
    #[must_use]
    pub fn new() -> Option<Lab> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !require::root() || !require::programs(&["ip", "iptables", "ip6tables"]) {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let lab = Lab {
            prefix: format!("ftpd-{}-{number}-", std::process::id()),
            home: File::open("/proc/thread-self/ns/net").unwrap(),
        };
        let mut batch = String::new();
        for place in Place::ALL {
            batch.push_str(&format!("netns add {}\n", lab.name(place)));
        }
        if !lab.ip(&[], &batch) {
            require::missing("the right to make network namespaces");
            return None;
        }
        lab.connect();
        Some(lab)
    }

    fn name(&self, place: Place) -> String {
        format!("{}{}", self.prefix, place.word())
    }

    /// The network namespace of a machine.
    pub fn namespace(&self, place: Place) -> String {
        format!("/run/netns/{}", self.name(place))
    }

    fn connect(&self) {
        let [cl, cg, sg, sv] = Place::ALL.map(|place| self.name(place));
        let links = format!(
            "link add v1 netns {cl} type veth peer name v1 netns {cg}\n\
             link add v2 netns {cg} type veth peer name v2 netns {sg}\n\
             link add v3 netns {sg} type veth peer name v3 netns {sv}\n"
        );
        assert!(self.ip(&[], &links));
        let addresses = [
            (Client, "v1", "10.1.0.2/24", "fd00:1::2/64"),
            (ClientsGateway, "v1", "10.1.0.1/24", "fd00:1::1/64"),
            (ClientsGateway, "v2", "203.0.113.1/24", "fd00:3::1/64"),
            (ServersGateway, "v2", "203.0.113.2/24", "fd00:3::2/64"),
            (ServersGateway, "v3", "10.2.0.1/24", "fd00:2::1/64"),
            (Place::Server, "v3", "10.2.0.2/24", "fd00:2::2/64"),
        ];
        for place in Place::ALL {
            let mut batch = "link set lo up\n".to_owned();
            for (_, link, v4, v6) in addresses.iter().filter(|(at, ..)| *at == place) {
                batch.push_str(&format!(
                    "addr add {v4} dev {link}\naddr add {v6} dev {link} nodad\nlink set {link} up\n"
                ));
            }
            batch.push_str(match place {
                Client => "route add default via 10.1.0.1\nroute add default via fd00:1::1\n",
                ClientsGateway => {
                    "route add 10.2.0.0/24 via 203.0.113.2\nroute add fd00:2::/64 via fd00:3::2\n"
                }
                ServersGateway => {
                    "route add 10.1.0.0/24 via 203.0.113.1\nroute add fd00:1::/64 via fd00:3::1\n"
                }
                Place::Server => {
                    "route add default via 10.2.0.1\nroute add default via fd00:2::1\n"
                }
            });
            assert!(self.ip(&["-n", &self.name(place)], &batch));
        }
        for place in [ClientsGateway, ServersGateway] {
            self.set(place, "ipv4/ip_forward", "1");
            self.set(place, "ipv6/conf/all/forwarding", "1");
        }
        self.enter(Client);
    }

    /// Runs a batch of ip(8).
    fn ip(&self, arguments: &[&str], batch: &str) -> bool {
        let mut command = Command::new("ip");
        feed(command.args(arguments).args(["-batch", "-"]), batch)
    }

    /// Goes to a machine: what this thread does from now on, it does there.
    pub fn enter(&self, place: Place) {
        setns(
            File::open(self.namespace(place)).unwrap(),
            CloneFlags::CLONE_NEWNET,
        )
        .unwrap();
    }

    /// Does something on another machine and comes back.
    pub fn at<T>(&self, place: Place, action: impl FnOnce() -> T) -> T {
        let here = File::open("/proc/thread-self/ns/net").unwrap();
        self.enter(place);
        let done = action();
        setns(here, CloneFlags::CLONE_NEWNET).unwrap();
        done
    }

    /// Sets a number of sysctl(8) below `net`.
    pub fn set(&self, place: Place, key: &str, value: &str) {
        self.at(place, || {
            std::fs::write(format!("/proc/sys/net/{key}"), value).unwrap()
        });
    }

    /// Runs a program on a machine and gives what it wrote.
    #[track_caller]
    pub fn run(&self, place: Place, line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().collect();
        let output = self.at(place, || {
            Command::new(words[0]).args(&words[1..]).output().unwrap()
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Gives a program on a machine something to read, and tells whether it liked that.
    pub fn feed(&self, place: Place, line: &str, input: &str) -> bool {
        let words: Vec<_> = line.split_whitespace().collect();
        self.at(place, || {
            feed(Command::new(words[0]).args(&words[1..]), input)
        })
    }

    /// Nobody knows the way to private addresses beyond the gateways.
    pub fn forget_routes(&self) {
        self.run(ClientsGateway, "ip route del 10.2.0.0/24");
        self.run(ServersGateway, "ip route del 10.1.0.0/24");
    }

    /// The server's gateway hands a port, or some, of its address outside to the server.
    pub fn forward(&self, outside: &str, inside: &str) {
        let line = format!(
            "iptables -t nat -A PREROUTING -d {OUTSIDE} -p tcp --dport {outside} -j DNAT --to-destination {SERVER}{inside}"
        );
        self.run(ServersGateway, &line);
    }

    /// All that leaves one side has its gateway's address.
    pub fn masquerade(&self, place: Place) {
        self.run(place, "iptables -t nat -A POSTROUTING -o v2 -j MASQUERADE");
    }

    /// The gateway reads what is said on control connections.
    pub fn help(&self, place: Place) {
        let line = "iptables -t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp";
        self.run(place, line);
    }

    /// Whether its kernel can read control connections.
    pub fn can_help(&self, place: Place) -> bool {
        let line = "iptables -t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp";
        let words: Vec<_> = line.split(' ').collect();
        let status = self.at(place, || {
            Command::new(words[0])
                .args(&words[1..])
                .stderr(Stdio::null())
                .status()
        });
        status.unwrap().success()
    }

    /// The client's gateway lets in what was begun inside, or is said to belong to that.
    pub fn closes_in_front_of_the_client(&self) {
        for rule in [
            "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
            "-i v2 -d 10.1.0.0/24 -j DROP",
        ] {
            self.run(ClientsGateway, &format!("iptables -A FORWARD {rule}"));
        }
    }

    /// Starts a server on port 21 of its machine, with a file to be fetched.
    #[track_caller]
    pub fn serve(&self, setup: Setup) -> Server {
        self.serve_at(Place::Server, setup.on(SERVER.into()))
    }

    /// Starts a server on port 21 of any machine.
    #[track_caller]
    pub fn serve_at(&self, place: Place, setup: Setup) -> Server {
        let server = self.at(place, || setup.port(21).start());
        server.put("file", CONTENT);
        server
    }

    /// Counts from now on the connections that a machine begins, also to itself.
    pub fn count_connects(&self, place: Place) {
        for table in ["iptables", "ip6tables"] {
            let rule = format!("{table} -A OUTPUT -p tcp --tcp-flags SYN,ACK SYN");
            self.run(place, &rule);
        }
    }

    /// How many there were.
    #[track_caller]
    pub fn connects(&self, place: Place) -> u64 {
        let count = |table: &str| -> u64 {
            let listed = self.run(place, &format!("{table} -nvxL OUTPUT"));
            let rule = listed.lines().last().unwrap();
            rule.split_whitespace().next().unwrap().parse().unwrap()
        };
        count("iptables") + count("ip6tables")
    }
}

fn feed(command: &mut Command, text: &str) -> bool {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    child.wait().unwrap().success()
}

pub const CONTENT: &[u8] = b"what is in the file";

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = setns(&self.home, CloneFlags::CLONE_NEWNET);
        let mut batch = String::new();
        for place in Place::ALL {
            batch.push_str(&format!("netns del {}\n", self.name(place)));
        }
        self.ip(&["-force"], &batch);
    }
}
