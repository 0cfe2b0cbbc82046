//! Random sequences of commands against a model of the session: every reply has the code that the model foretells, no
//! state is left over from one command to the next (REST, ALLO, RNFR, EPSV ALL), and the files are the model's.
//!
//! `make test` plays some hundred sequences, `make soak` 100,000. `STATE_MACHINE_SEED` repeats a run.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "whatever fails shall end the test, and the seed is shown with it"
)]

mod model;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;

use model::{Expected, FIXED, Model, Moves, Node, PATHS, Step};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tests::{Client, Data, Server, Setup};

/// The longest sequence.
const LONGEST: usize = 60;

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        4 => Just(Step::User),
        5 => prop::bool::weighted(0.9).prop_map(|right| Step::Pass { right }),
        1 => Just(Step::Rein),
        6 => prop::sample::select(&FIXED[..]).prop_map(Step::Fixed),
        3 => any::<bool>().prop_map(|ascii| Step::Type { ascii }),
        3 => path().prop_map(Step::Mkd),
        1 => path().prop_map(Step::Rmd),
        1 => path().prop_map(Step::Dele),
        4 => path().prop_map(Step::Rnfr),
        4 => path().prop_map(Step::Rnto),
        4 => (0..30u8).prop_map(Step::Rest),
        3 => (0..30u8).prop_map(Step::Allo),
        2 => path().prop_map(Step::Size),
        1 => path().prop_map(Step::Mdtm),
        1 => path().prop_map(Step::Cwd),
        3 => Just(Step::Pasv),
        8 => Just(Step::Epsv),
        1 => Just(Step::EpsvAll),
        1 => Just(Step::Port),
        1 => Just(Step::Abor),
        5 => path().prop_map(Step::Retr),
        7 => (path(), 0..40u8).prop_map(|(path, count)| Step::Stor(path, count)),
        4 => (path(), 0..40u8).prop_map(|(path, count)| Step::Appe(path, count)),
        1 => Just(Step::Nlst),
    ]
}

/// Most sequences begin with a login: before that there is little to tell apart.
fn sequence() -> impl Strategy<Value = Vec<Step>> {
    let logged_in = vec![Step::User, Step::Pass { right: true }];
    let begin = prop_oneof![4 => Just(logged_in), 1 => Just(Vec::new())];
    (begin, prop::collection::vec(step(), 1..LONGEST))
        .prop_map(|(begin, steps)| [begin, steps].concat())
}

/// A client of the server, with the data connection that was agreed upon last.
struct Session<'a> {
    server: &'a Server,
    client: Client,
    data: Option<TcpStream>,
}

impl Session<'_> {
    fn line(&self, step: &Step) -> String {
        let login = &self.server.login;
        match *step {
            Step::User => format!("USER {}", login.name),
            Step::Pass { right: true } => format!("PASS {}", login.password),
            Step::Pass { right: false } => "PASS wrong".to_owned(),
            Step::Rein => "REIN".to_owned(),
            Step::Fixed(fixed) => fixed.line.to_owned(),
            Step::Type { ascii } => format!("TYPE {}", if ascii { 'A' } else { 'I' }),
            Step::Mkd(path) => format!("MKD {}", PATHS[path]),
            Step::Rmd(path) => format!("RMD {}", PATHS[path]),
            Step::Dele(path) => format!("DELE {}", PATHS[path]),
            Step::Rnfr(path) => format!("RNFR {}", PATHS[path]),
            Step::Rnto(path) => format!("RNTO {}", PATHS[path]),
            Step::Rest(offset) => format!("REST {offset}"),
            Step::Allo(size) => format!("ALLO {size}"),
            Step::Size(path) => format!("SIZE {}", PATHS[path]),
            Step::Mdtm(path) => format!("MDTM {}", PATHS[path]),
            // It never leaves the root, so that the names of the model stay what they are.
            Step::Cwd(path) => format!("CWD {}", PATHS[path]),
            Step::Pasv => "PASV".to_owned(),
            Step::Epsv => "EPSV".to_owned(),
            Step::EpsvAll => "EPSV ALL".to_owned(),
            Step::Port => "PORT 192,0,2,1,200,200".to_owned(),
            Step::Abor => "ABOR".to_owned(),
            Step::Retr(path) => format!("RETR {}", PATHS[path]),
            Step::Stor(path, _) => format!("STOR {}", PATHS[path]),
            Step::Appe(path, _) => format!("APPE {}", PATHS[path]),
            Step::Nlst => "NLST /".to_owned(),
        }
    }

    fn play(&mut self, step: &Step, expected: &Expected) -> Result<(), TestCaseError> {
        match (step, expected.code) {
            (Step::Pasv, 227) => return self.agree(Data::Pasv),
            (Step::Epsv, 229) => return self.agree(Data::Epsv),
            (Step::Abor | Step::Rein, _) => self.data = None,
            _ => {}
        }
        let line = self.line(step);
        let mut reply = self.client.command(&line);
        if let Some(moves) = &expected.moves {
            prop_assert_eq!(reply.code, 150, "to {}: {}", line, reply);
            self.transfer(moves)?;
            reply = self.client.reply();
        }
        prop_assert_eq!(reply.code, expected.code, "to {}: {}", line, reply);
        Ok(())
    }

    /// The client connects at once, as clients do.
    fn agree(&mut self, how: Data) -> Result<(), TestCaseError> {
        let address = self.client.passive_address(how);
        self.data = Some(TcpStream::connect(address)?);
        Ok(())
    }

    fn transfer(&mut self, moves: &Moves) -> Result<(), TestCaseError> {
        let Some(mut data) = self.data.take() else {
            return Err(TestCaseError::fail(
                "the model moves data without a connection",
            ));
        };
        data.set_read_timeout(Some(tests::wait::PATIENCE))?;
        match moves {
            Moves::Up(octets) => {
                data.write_all(octets)?;
                data.shutdown(Shutdown::Write)?;
            }
            Moves::Down(expected) => {
                let mut got = Vec::new();
                data.read_to_end(&mut got)?;
                prop_assert_eq!(sorted_lines(&got), sorted_lines(expected));
            }
        }
        Ok(())
    }
}

/// A listing comes in any order.
fn sorted_lines(octets: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = octets.split_inclusive(|&b| b == b'\n').collect();
    lines.sort_unstable();
    lines
}

fn empty(home: &Path) {
    for entry in std::fs::read_dir(home).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => std::fs::remove_dir_all(entry.path()).unwrap(),
            false => std::fs::remove_file(entry.path()).unwrap(),
        }
    }
}

/// The files below the home that the model knows by name.
fn compare(home: &Path, model: &Model) -> Result<(), TestCaseError> {
    for path in PATHS {
        let real = home.join(&path[1..]);
        match model.tree.get(path) {
            Some(Node::File(content)) => {
                prop_assert_eq!(&std::fs::read(real)?, content, "{}", path)
            }
            Some(Node::Directory) => prop_assert!(real.is_dir(), "{} is no directory", path),
            None => prop_assert!(!real.exists(), "{} is there", path),
        }
    }
    Ok(())
}

fn play(server: &Server, steps: &[Step]) -> Result<(), TestCaseError> {
    empty(&server.home);
    let mut model = Model::new();
    let mut session = Session {
        server,
        client: server.connect(),
        data: None,
    };
    for step in steps {
        let expected = model.take(step);
        session.play(step, &expected)?;
    }
    compare(&server.home, &model)
}

fn sequences(count: u32) {
    let seed = match std::env::var("STATE_MACHINE_SEED") {
        Ok(seed) => seed.parse().expect("STATE_MACHINE_SEED is a number"),
        Err(_) => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
    };
    println!("STATE_MACHINE_SEED={seed} repeats this run");
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: count,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &octets);
    let server = Setup::new()
        .setting("Durability=rename")
        .setting("KeepPartial=0")
        .setting("LoginFailDelay=0")
        .setting("MaxLoginFails=1000")
        .start();
    let mut runner = TestRunner::new_with_rng(config, random);
    let played = runner.run(&sequence(), |steps| play(&server, &steps));
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn a_session_is_what_the_model_says() {
    sequences(600);
}

#[test]
#[ignore = "takes ten minutes: `make soak` runs it"]
fn a_session_is_what_the_model_says_100_000_times() {
    sequences(100_000);
}
