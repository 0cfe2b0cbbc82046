//! What clients of each network are told by PASV and EPSV, and whether that leads back to here. It opens a passive port, goes
//! where a client would be sent, and closes the port again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::control::until;
use common::entrances;
use common::lookup::address_of;
use common::net::{Addresses, Origin, is_private, listen_passive, machine_addresses};
use common::settings::rules::{ANYBODY, ANYBODY_V6, Advertised, Between, PortMap};
use common::settings::{Config, ServerConfig};
use nix::poll::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use socket2::Socket;

/// How long a connection to ourselves may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What clients of one kind get.
struct Case {
    clients: String,
    /// What PASV tells, if it tells anything.
    told: Option<Ipv4Addr>,
    /// The ports as clients see them.
    ports: (u16, u16),
    epsv: bool,
    /// Where a connection came through, or why none did.
    back: Result<SocketAddr, String>,
    /// What may be wrong all the same.
    note: Option<String>,
}

/// All cases.
pub(super) struct Answer(Vec<Case>);

impl Answer {
    pub(super) fn ask(config: &Config) -> Answer {
        let server = &config.server;
        let own_addresses = own_addresses(server);
        let own = first_of_each(&own_addresses);
        let mut kinds: Vec<(String, Between)> = Vec::new();
        let named = server.passive_addresses.kinds(own);
        let named = named.chain(server.passive_ports.kinds(own));
        for kind in named.chain(server.tunnels.kinds(own)) {
            if kinds.iter().all(|(clients, _)| *clients != kind.0) {
                kinds.push(kind);
            }
        }
        let rest = others(&kinds, &own_addresses);
        kinds.extend(rest);
        let cases = kinds.into_iter();
        Answer(
            cases
                .map(|(clients, between)| case(config, clients, between))
                .collect(),
        )
    }

    /// Whether a client of every kind would get in, as far as that can be seen from here.
    pub(super) fn is_fine(&self) -> bool {
        self.0.iter().all(|case| case.back.is_ok())
    }

    /// Aligned columns, and a sentence for each trouble below them.
    pub(super) fn table(&self) -> String {
        let mut rows =
            vec![["clients", "PASV tells", "ports", "EPSV", "from here"].map(str::to_owned)];
        for case in &self.0 {
            rows.push([
                case.clients.clone(),
                case.told
                    .map_or("nothing".to_owned(), |told| told.to_string()),
                format!("{}-{}", case.ports.0, case.ports.1),
                if case.epsv { "yes" } else { "no" }.to_owned(),
                if case.back.is_ok() {
                    "reached"
                } else {
                    "not reached"
                }
                .to_owned(),
            ]);
        }
        let widths: [usize; 5] = std::array::from_fn(|column| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        });
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(widths);
            let line: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            let _ = writeln!(text, "{}", line.join("  ").trim_end());
        }
        for case in &self.0 {
            for sentence in case.back.as_ref().err().into_iter().chain(&case.note) {
                let _ = writeln!(text, "{}: {sentence}", case.clients);
            }
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let cases = self.0.iter().map(|case| {
            json!({
                "clients": case.clients,
                "address": case.told.map(|told| told.to_string()),
                "ports": [case.ports.0, case.ports.1],
                "epsv": case.epsv,
                "reached": case.back.as_ref().ok().map(SocketAddr::to_string),
                "why": case.back.as_ref().err(),
                "note": case.note,
            })
        });
        let answer = json!({ "fine": self.is_fine(), "cases": Value::Array(cases.collect()) });
        format!("{answer:#}\n")
    }
}

/// Clients that no rule has been shown for, at each of our addresses.
fn others(shown: &[(String, Between)], own: &[IpAddr]) -> Vec<(String, Between)> {
    let all = shown.iter().find(|(clients, _)| clients == "all");
    let word = if all.is_some() { "all" } else { "all others" };
    let rest = own
        .iter()
        .filter(|server| all.is_none_or(|(_, all)| all.server != **server));
    let rest = rest.map(|&server| {
        let clients = match own.len() {
            1 => word.to_owned(),
            _ => format!("{word}@{server}"),
        };
        let client = if server.is_ipv4() {
            ANYBODY
        } else {
            ANYBODY_V6
        };
        (clients, Between { client, server })
    });
    rest.collect()
}

/// The addresses that control connections come to; those of this machine where none is named, and loopback where there are none.
fn own_addresses(server: &ServerConfig) -> Vec<IpAddr> {
    // What cannot be listened on is told without `--passive`.
    let gates = entrances::planned(&server.bind, server.port, &server.tls).unwrap_or_default();
    let mut own: Vec<IpAddr> = gates.iter().map(|gate| gate.address.ip()).collect();
    if own.iter().all(IpAddr::is_unspecified) {
        let machine = machine_addresses().into_iter();
        own = machine.filter(|address| !address.is_loopback()).collect();
        // One of each family stands for all.
        own.sort_by_key(IpAddr::is_ipv6);
        own.dedup_by_key(|address| address.is_ipv6());
    }
    if own.is_empty() {
        own.push(Ipv4Addr::LOCALHOST.into());
    }
    own.sort_by_key(IpAddr::is_ipv6);
    // One with several ports need not stand next to itself.
    let mut seen = BTreeSet::new();
    own.retain(|address| seen.insert(*address));
    own
}

/// The first of each family; loopback where there is none.
fn first_of_each(own: &[IpAddr]) -> [IpAddr; 2] {
    let first = |of: fn(&IpAddr) -> bool, or: IpAddr| own.iter().copied().find(of).unwrap_or(or);
    [
        first(IpAddr::is_ipv4, Ipv4Addr::LOCALHOST.into()),
        first(IpAddr::is_ipv6, Ipv6Addr::LOCALHOST.into()),
    ]
}

fn case(config: &Config, clients: String, between: Between) -> Case {
    let server = &config.server;
    let ports = server.passive_ports.first(between).copied();
    let ports = ports.unwrap_or_else(|| PortMap::plain(config.session.data_ports));
    let (told, trouble) = told(config, between);
    let epsv = !server.tunnels.include(between);
    // EPSV leads to the address of the control connection.
    let leads_to = told.map_or(between.server, IpAddr::V4);
    let back = trouble.map_or_else(|| go_back(leads_to, ports, between.server), Err);
    let foreign = is_private(leads_to) && !is_private(between.client);
    let note = (foreign && told.is_some()).then(|| {
        format!(
            "{leads_to} means something in a private network only: clients of other networks cannot come to it; where there are \
             any, set PassiveAddress"
        )
    });
    Case {
        clients,
        told,
        ports: (ports.told(ports.ports.0), ports.told(ports.ports.1)),
        epsv,
        back,
        note,
    }
}

/// What PASV would tell, and what is wrong with it at first sight.
fn told(config: &Config, between: Between) -> (Option<Ipv4Addr>, Option<String>) {
    let IpAddr::V4(own) = between.server else {
        return (None, None);
    };
    let own = Some(own);
    match config.server.passive_addresses.first(between) {
        None | Some(Advertised::Local) => (own, None),
        Some(source) => match address_of(source) {
            Ok(address) => (Some(address), None),
            Err(error) => (
                own,
                Some(format!(
                    "{source} is not found ({error}); until it is, clients are told the server's own address"
                )),
            ),
        },
    }
}

/// Opens a port as for a client, and connects to where that would be sent.
fn go_back(told: IpAddr, ports: PortMap, own: IpAddr) -> Result<SocketAddr, String> {
    let (low, high) = ports.ports;
    let (listener, port) = listen_passive(own, 0, ports.ports, Addresses::Own, Origin::Changing)
        .map_err(|errno| format!("no port of {low}-{high} can be opened on {own}: {errno}"))?;
    let target = SocketAddr::new(told, ports.told(port));
    match TcpStream::connect_timeout(&target, PATIENCE) {
        Ok(_there) if came(&listener) => Ok(target),
        Ok(_there) => Err(format!(
            "something else than this server answers at {target}: is it another machine's address, or do these ports lead to one?"
        )),
        Err(error) => Err(not_reached(target, &error, own)),
    }
}

/// Whether somebody has come to the port.
fn came(listener: &Socket) -> bool {
    let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let limit = until(Some(Instant::now() + PATIENCE));
    poll(&mut ready, limit) == Ok(1) && listener.accept().is_ok()
}

fn not_reached(target: SocketAddr, error: &io::Error, own: IpAddr) -> String {
    let what = match error.kind() {
        io::ErrorKind::TimedOut => {
            let seconds = PATIENCE.as_secs();
            format!("nobody answers at {target} within {seconds} s")
        }
        io::ErrorKind::ConnectionRefused => format!("{target} refuses connections"),
        _ => format!("there is no way to {target}: {error}"),
    };
    if machine_addresses().contains(&target.ip()) {
        return format!(
            "{what}, though the address is this machine's: a filter of its own may be in the way"
        );
    }
    format!(
        "{what}: have the ports handed on to {own}. Many routers do not let their own network in by their outer address (hairpin NAT): \
         then this fails from here and works for clients outside, so try it from there too"
    )
}
