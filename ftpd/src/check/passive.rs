//! What clients of each network are told by PASV and EPSV, and whether that leads back to here. It opens a passive port, goes
//! where a client would be sent, and closes the port again.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::control::until;
use common::lookup::address_of;
use common::net::{interface_address, is_private, listen_passive};
use common::settings::rules::{ANYBODY, Advertised, Between, PortMap};
use common::settings::{Bind, Config};
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
        let own = own_addresses(&config.server.bind);
        let server = &config.server;
        let mut kinds: Vec<(String, Between)> = Vec::new();
        let named = server.passive_addresses.kinds(own);
        let named = named.chain(server.passive_ports.kinds(own));
        for kind in named.chain(server.tunnels.kinds(own)) {
            if kinds.iter().all(|(clients, _)| *clients != kind.0) {
                kinds.push(kind);
            }
        }
        if kinds.iter().all(|(clients, _)| clients != "all") {
            let server = own[usize::from(own[0].is_ipv6())];
            kinds.push((
                "all others".to_owned(),
                Between {
                    client: ANYBODY,
                    server,
                },
            ));
        }
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

/// The addresses that control connections come to, one of each family; loopback where there is no other.
fn own_addresses(bind: &Bind) -> [IpAddr; 2] {
    let mut own: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let named = match bind {
        Bind::Address(address) => (!address.is_unspecified()).then_some(*address),
        Bind::Interface(name) => interface_address(name).ok(),
        Bind::Any | Bind::AnyV4 => None,
    };
    // The last one counts: an address that was named is put over those of the machine.
    let machine = machine_addresses().into_iter().rev();
    for address in machine
        .filter(|address| !address.is_loopback())
        .chain(named)
    {
        own[usize::from(address.is_ipv6())] = address;
    }
    own
}

/// The addresses of this machine, but for those that mean something on one link only.
fn machine_addresses() -> Vec<IpAddr> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = all.filter_map(|found| {
        let address = found.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = address.as_sockaddr_in6().map(|v6| v6.ip());
        let v6 = v6.filter(|v6| !v6.is_unicast_link_local());
        v4.or(v6.map(IpAddr::V6))
    });
    addresses.collect()
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
    let (listener, port) = listen_passive(own, 0, ports.ports)
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
