//! `kill -9` of hookd, of the daemon, and of everything while files are uploaded: no upload that was acknowledged is without
//! its event, whichever way they die.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use std::time::Instant;

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::{Client, Scratch, Server, Setup, require, wait};

use crate::deaths::hookd;
use crate::events::events;

#[derive(Clone, Copy, Debug)]
enum Victim {
    Hookd,
    /// The listener alone: sessions and hookd go on without it.
    Daemon,
    /// As in a crash of the system, but for what the disk has not got yet.
    All,
}

/// When the victim dies, as seen from one of the uploads.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as the file has its name.
    Named,
    /// At any time.
    Any,
}

/// What outlives a server.
struct Place {
    scratch: Scratch,
}

impl Place {
    fn new() -> Place {
        let scratch = Scratch::new();
        let spool = scratch.directory("spool");
        tests::scratch::mode(&spool, 0o700);
        Place { scratch }
    }

    fn server(&self) -> Server {
        let scratch = self.scratch.path().display();
        Setup::new()
            .toml(&format!(
                "hooks.spool = \"{scratch}/spool\"\nfiles.durability = \"rename\"\n\
                 [[hook]]\non = [\"upload\"]\nfile = \"{scratch}/events\"\n"
            ))
            .start()
    }

    /// So many events are in the spool.
    fn kept(&self) -> usize {
        let names = std::fs::read_dir(self.scratch.join("spool")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.len() == 32).count()
    }
}

/// Uploads until the server is gone; gives the names that were acknowledged.
fn upload(mut client: Client, round: u32, name: &std::sync::Mutex<String>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0..10_000 {
        let file = format!("r{round}-{number}");
        file.clone_into(&mut name.lock().unwrap());
        let mut ask = |line: &str| {
            client
                .try_send_octets(format!("{line}\r\n").as_bytes())
                .ok()?;
            client.try_reply()
        };
        let Some(reply) = ask("EPSV").filter(|reply| reply.code == 229) else {
            break;
        };
        let text = reply.to_string();
        let port = text.split("|||").nth(1).unwrap().split('|').next().unwrap();
        let address = ("127.0.0.1", port.parse().unwrap());
        let Ok(data) = std::net::TcpStream::connect(address) else {
            break;
        };
        if ask(&format!("STOR {file}")).is_none_or(|reply| reply.code != 150) {
            break;
        }
        if std::io::Write::write_all(&mut &data, b"content").is_err() {
            break;
        }
        drop(data);
        match client.try_reply() {
            Some(reply) if reply.code == 226 => acknowledged.push(file),
            _ => break,
        }
    }
    acknowledged
}

/// All processes of a server.
fn all(server: &Server) -> Vec<Process> {
    let mut all = vec![server.process()];
    let mut next = 0;
    while let Some(process) = all.get(next) {
        let children = process.children();
        all.extend(children);
        next += 1;
    }
    all
}

fn kill(victims: &[Process]) {
    for process in victims {
        process.signal_if_there(Signal::SIGKILL);
    }
}

/// One life of a server, from its start to a death; gives what was acknowledged, and the server's directory.
fn live(place: &Place, round: u32, random: &mut fastrand::Rng) -> (BTreeSet<String>, Server) {
    let victims = [Victim::Hookd, Victim::Daemon, Victim::All];
    let (victim, moment) = (
        victims[round as usize % 3],
        [Moment::Named, Moment::Any][round as usize / 3 % 2],
    );
    let server = place.server();
    let client = server.logged_in();
    let hookd = hookd(&server);
    let mut processes = all(&server);
    let name = std::sync::Mutex::new(String::new());
    let acknowledged = std::thread::scope(|scope| {
        let uploads = scope.spawn(|| upload(client, round, &name));
        let after = random.u32(1..20);
        let target = server.home.join(format!("r{round}-{after}"));
        wait::until("uploads", || target.exists() || uploads.is_finished());
        match moment {
            Moment::Named => {
                let next = server.home.join(format!("r{round}-{}", after + 1));
                // Not by `wait`, which looks too seldom to be in time.
                let deadline = Instant::now() + wait::PATIENCE;
                while !next.exists() && Instant::now() < deadline {
                    std::hint::spin_loop();
                }
            }
            Moment::Any => {
                let octets = random.usize(..200_000);
                std::hint::black_box(vec![0u8; octets].iter().map(|o| u64::from(*o)).sum::<u64>());
            }
        }
        let at = name.lock().unwrap().clone();
        let goes_on = || *name.lock().unwrap() != at;
        match victim {
            Victim::Hookd => {
                kill(std::slice::from_ref(&hookd));
                wait::until("uploads with the next hookd", goes_on);
                // It starts no other one meanwhile.
                server.process().signal(Signal::SIGSTOP);
                processes.extend(all(&server));
                kill(&processes);
            }
            Victim::Daemon => {
                kill(&[server.process()]);
                wait::until("uploads without the daemon", goes_on);
                // It ends by itself when nobody is left.
                processes.retain(|process| *process != hookd);
                kill(&processes);
            }
            Victim::All => kill(&processes),
        }
        uploads.join().unwrap()
    });
    // What is left of it must not be in the way of the next one.
    processes.push(hookd);
    for process in &processes {
        process.wait_for_end();
    }
    (acknowledged.into_iter().collect(), server)
}

/// The ids of the events of each file.
fn told(events_file: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in events(events_file) {
        let path = event["path"].as_str().unwrap().trim_start_matches('/');
        let id = event["id"].as_str().unwrap().to_owned();
        told.entry(path.to_owned()).or_default().insert(id);
    }
    told
}

#[expect(clippy::print_stdout, reason = "what failed once can be tried again")]
fn no_acknowledged_upload_is_without_its_event(rounds: u32) {
    if !require::root() {
        return;
    }
    let place = Place::new();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut all, mut left) = (0, 0);
    for round in 0..rounds {
        let (acknowledged, dead) = live(&place, round, &mut random);
        let before = place.kept();
        // The next server delivers what is left; the directory of the dead one must be there to be looked at.
        let next = place.server();
        wait::until("the spool is empty but for what never got its name", || {
            let told = told(&place.scratch.join("events"));
            acknowledged.iter().all(|name| told.contains_key(name))
        });
        let told = told(&place.scratch.join("events"));
        for name in &acknowledged {
            assert_eq!(told[name].len(), 1, "round {round}: {name} has one id");
        }
        // What has its name was told too, acknowledged or not.
        let visible = dead
            .names()
            .into_iter()
            .filter(|name| !name.starts_with('.'));
        for name in visible {
            assert!(told.contains_key(&name), "round {round}: {name}");
        }
        all += acknowledged.len();
        left += before;
        drop((next, dead));
    }
    println!(
        "{rounds} deaths, {all} acknowledged uploads, {left} events left in the spool by the dead, none lost"
    );
    assert!(all > rounds as usize);
}

#[test]
fn f12_no_kill_loses_the_event_of_an_acknowledged_upload() {
    no_acknowledged_upload_is_without_its_event(20);
}

#[test]
#[ignore = "takes minutes: make soak"]
fn f12_no_kill_of_200_loses_the_event_of_an_acknowledged_upload() {
    no_acknowledged_upload_is_without_its_event(200);
}

/// The spool is one server's.
#[test]
fn a_second_server_does_not_take_the_spool_of_the_first() {
    let place = Place::new();
    let _server = place.server();
    let scratch = place.scratch.path().display();
    let line = Setup::new()
        .toml(&format!(
            "hooks.spool = \"{scratch}/spool\"\n[[hook]]\non = [\"upload\"]\nfile = \"{scratch}/other\"\n"
        ))
        .refused("EventSpool");
    assert!(line.contains("another server uses it"), "{line}");
}
