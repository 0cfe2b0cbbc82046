//! Trees both ways through a gateway in front of a pool of unlike servers: whose tree it is says where it goes.

use std::fs;

use tests::real::{Mode, Program};
use tests::server::Login;
use tests::{Gateway, GatewaySetup, Scratch, Server, Setup, scratch, tree};

use crate::servers::Twin;
use crate::trees::{ready, twin};
use crate::trust::Trust;

const TWINS: [&str; 3] = ["vsftpd", "proftpd", "pure-ftpd"];

/// Our server and those of others, as far as they are there.
struct Members {
    _ours: Server,
    _twins: Vec<Twin>,
    logins: Vec<(String, Login)>,
}

impl Members {
    fn start(ours: Setup, pem: Option<&std::path::Path>) -> Members {
        let ours = ours.start();
        let mut logins = vec![("ours".to_owned(), ours.login.clone())];
        let mut twins = Vec::new();
        for name in TWINS {
            if let Some(program) = twin(name) {
                let twin = Twin::start_with(name, &program, pem);
                logins.push((name.to_owned(), twin.login.clone()));
                twins.push(twin);
            }
        }
        Members {
            _ours: ours,
            _twins: twins,
            logins,
        }
    }

    /// A gateway in front of them, with a file that says whose each is.
    fn gateway(&self, at: &Scratch, set_up: impl FnOnce(GatewaySetup) -> GatewaySetup) -> Gateway {
        let list: Vec<String> = self
            .logins
            .iter()
            .map(|(name, login)| format!("{name}={}", login.address))
            .collect();
        let users = self
            .logins
            .iter()
            .map(|(name, login)| format!("{} {name}\n", login.name));
        let path = at.join("users");
        fs::write(&path, users.collect::<String>()).unwrap();
        scratch::mode(&path, 0o600);
        let gateway = GatewaySetup::before(&list.join(","));
        set_up(gateway.setting(&format!("UserServers={}", path.display()))).start()
    }

    /// Moves a tree up and down again at each of them.
    #[expect(clippy::print_stdout, reason = "a test tells what it has covered")]
    fn move_trees(&self, at: &Scratch, gateway: &Gateway, trust: Option<&Trust>, way: &str) {
        let sample = at.join("sample");
        for (name, login) in &self.logins {
            let login = Login {
                certificate: trust.map(Trust::certificate),
                ..gateway.login_there(login)
            };
            for client in [Program::Lftp, Program::Curl] {
                for mode in [Mode::Passive, Mode::Active] {
                    if !client.can(mode, &login) {
                        println!("{name} {client:?} {mode:?}: this client cannot");
                        continue;
                    }
                    println!("{name} {client:?} {mode:?} {way}");
                    let remote = format!("{way}{client:?}{mode:?}");
                    client.up(&login, mode, &sample, &remote);
                    let down = at.directory(&format!("{name}{remote}"));
                    client.down(&login, mode, &remote, &down, &sample);
                    tree::assert_same(&sample, &down);
                }
            }
        }
    }
}

#[test]
fn to_each_server_of_a_pool() {
    if !ready() {
        return;
    }
    let place = Scratch::new();
    tree::furnish(&place.directory("sample"), 1, 4);
    let members = Members::start(Setup::new(), None);
    for how in ["no", "yes"] {
        let setting = format!("NoPassive={how}");
        let gateway = members.gateway(&place, |gateway| gateway.setting(&setting));
        members.move_trees(&place, &gateway, None, how);
    }
}

#[test]
fn to_each_server_of_a_pool_under_tls() {
    if !ready() {
        return;
    }
    let place = Scratch::new();
    tree::furnish(&place.directory("sample"), 1, 2);
    let trust = Trust::new();
    let ours = trust
        .certify(Setup::new())
        .setting("TLSDataBinding=require");
    let members = Members::start(ours, Some(&trust.pem()));
    let gateway = members.gateway(&place, |gateway| {
        // curl uses a ticket once, and where it only sends it takes no new ones.
        let gateway = trust
            .certify_gateway(gateway)
            .setting("TLSDataBinding=prefer");
        trust.believe(gateway.setting("TLSRequired=all"), "require")
    });
    for (name, _) in &members.logins {
        gateway.log.line_with(&[&format!("pool: {name} is up")]);
    }
    members.move_trees(&place, &gateway, Some(&trust), "tls");
}
