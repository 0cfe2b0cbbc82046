//! Plays a conversation from a text file against a server. The files say what FTP looks like; this only compares.
//!
//! ```text
//! # comment
//! C: USER {user}          a line from the client: CR LF is added
//! R: NOOP\r\nNO           octets from the client as they are, nothing added
//! S: 331 *password*       a reply: code, and optionally a pattern for its text (lines joined with LF); ? is any digit
//! S: (end)                the server closes
//! D: connect              connects to the address of the last 227 or 229 reply
//! D: listen               waits for the server to connect; {port} and {eprt} are the arguments for it
//! D: send some\r\n        sends over the data connection
//! D: close                sends the end
//! D: expect some\r\n      reads to the end and compares; `D: expect~ *x*` compares with a pattern
//! D: reset                breaks the data connection
//! T: octets               from here on replies and patterns need not be UTF-8: each octet is one character
//! ```

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::client::{Client, DataConnection, eprt_line, port_line};
use crate::input::{Names, matches, octets};
use crate::reply::Reply;
use crate::reply::Text;
use crate::server::Login;

/// Where the transcripts are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts")
}

/// Plays one transcript over a new connection.
#[track_caller]
pub fn play(name: &str, login: &Login) {
    let text = std::fs::read_to_string(directory().join(name)).unwrap();
    let mut player = Player::new(login);
    for (number, line) in text.lines().enumerate() {
        let step = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| player.step(line)));
        let problem = match step {
            Ok(Ok(())) => continue,
            Ok(Err(problem)) => problem,
            Err(_) => "see the message above".to_owned(),
        };
        panic!("{name}:{}: {line}\n  {problem}", number + 1);
    }
}

/// The servers of others that take part in a transcript.
pub fn twins(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# twins: "))
        .flat_map(str::split_whitespace)
        .collect()
}

/// Plays a transcript with a server of somebody else's. Gives every difference that the transcript does not explain, and
/// every explanation of one that is not there.
pub fn play_with_twin(text: &str, twin: &str, login: &Login) -> Vec<String> {
    let mut player = Player::new(login);
    let mut differences = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let own = lines[index + 1..]
            .iter()
            .map_while(|line| line.strip_prefix("V: "))
            .find_map(|own| own.strip_prefix(twin)?.trim_start().split(' ').next());
        let step = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            player.step_with_twin(line, own)
        }));
        match step {
            Ok(Ok(())) => {}
            Ok(Err(difference)) => {
                differences.push(format!("line {}: {line}: {difference}", index + 1))
            }
            Err(_) => {
                differences.push(format!(
                    "line {}: {line}: the conversation broke",
                    index + 1
                ));
                break;
            }
        }
    }
    differences
}

struct Player {
    client: Client,
    server: SocketAddr,
    names: Names,
    /// What the last PASV or EPSV reply said.
    passive: Option<u16>,
    data: Option<DataConnection>,
}

impl Player {
    #[track_caller]
    fn new(login: &Login) -> Player {
        Player {
            client: Client::connect_quietly(login.address),
            server: login.address,
            names: Names::from([
                ("user", login.name.clone()),
                ("password", login.password.clone()),
            ]),
            passive: None,
            data: None,
        }
    }

    /// A step with a server of somebody else's, whose own answer may be told.
    fn step_with_twin(&mut self, line: &str, own: Option<&str>) -> Result<(), String> {
        match line.split_once(": ") {
            Some(("S", "(end)")) => self.step(line),
            Some(("S", expected)) => {
                let code = expected.split(' ').next().unwrap_or(expected);
                let reply = self.next_reply();
                match own {
                    Some(own) if matches(code, &reply.code.to_string()) && own != code => Err(
                        format!("the transcript explains {own}, but it answers as we do: {reply}"),
                    ),
                    _ if matches(own.unwrap_or(code), &reply.code.to_string()) => Ok(()),
                    _ => Err(format!("it answers {reply}")),
                }
            }
            Some(("D", what)) if what.starts_with("expect") => match (self.data(what), own) {
                (Err(_), Some("data")) => Ok(()),
                (Ok(()), Some(_)) => {
                    Err("the transcript explains other data, but they are ours".into())
                }
                (result, _) => result,
            },
            _ => self.step(line),
        }
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        let (who, what) = line.split_once(": ").unwrap_or((line, ""));
        match who {
            "" | "V" => {}
            comment if comment.starts_with('#') => {}
            "C" => {
                let mut line = octets(what, &self.names)?;
                line.extend(b"\r\n");
                self.client.send_octets(&line);
            }
            "R" => self.client.send_octets(&octets(what, &self.names)?),
            "S" if what == "(end)" => self.client.expect_end(),
            "S" => self.reply(what)?,
            "D" => self.data(what)?,
            "T" if what == "octets" => self.client.text = Text::Octets,
            _ => return Err("neither C:, R:, S:, D: nor T:".into()),
        }
        Ok(())
    }

    fn reply(&mut self, expected: &str) -> Result<(), String> {
        let reply = self.next_reply();
        let (code, pattern) = expected.split_once(' ').unwrap_or((expected, "*"));
        let pattern = self.text(&octets(pattern, &self.names)?);
        if !matches(code, &reply.code.to_string())
            || !matches(
                &pattern.to_ascii_lowercase(),
                &reply.text().to_ascii_lowercase(),
            )
        {
            return Err(format!("got {reply}"));
        }
        Ok(())
    }

    /// Reads a reply and keeps the port that it may name.
    fn next_reply(&mut self) -> Reply {
        let reply = self.client.reply();
        let text = reply.text();
        let inner = text
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .map(|(inner, _)| inner);
        match (reply.code, inner) {
            (229, Some(inner)) => self.passive = inner.trim_matches('|').parse().ok(),
            (227, Some(inner)) => {
                let numbers: Vec<u16> = inner.split(',').filter_map(|n| n.parse().ok()).collect();
                self.passive = numbers
                    .get(4)
                    .zip(numbers.get(5))
                    .map(|(high, low)| high * 256 + low);
            }
            _ => {}
        }
        reply
    }

    fn data(&mut self, what: &str) -> Result<(), String> {
        let (action, argument) = what.split_once(' ').unwrap_or((what, ""));
        match action {
            "connect" => {
                let port = self.passive.take().ok_or("no passive reply before")?;
                let stream = std::net::TcpStream::connect((self.server.ip(), port));
                self.data = Some(DataConnection::Open(stream.map_err(|e| e.to_string())?));
            }
            "listen" => {
                let listener = TcpListener::bind((self.client.local().ip(), 0)).unwrap();
                let address = listener.local_addr().unwrap();
                if address.is_ipv4() {
                    self.names
                        .insert("port", port_line(address)["PORT ".len()..].to_owned());
                }
                self.names
                    .insert("eprt", eprt_line(address)["EPRT ".len()..].to_owned());
                self.data = Some(DataConnection::Awaited(listener));
            }
            "send" => {
                let octets = octets(argument, &self.names)?;
                let data = self.take_data()?;
                data.write(&octets);
                self.data = Some(data);
            }
            "close" => drop(self.take_data()?),
            "reset" => self.take_data()?.reset(),
            "expect" => {
                let expected = octets(argument, &self.names)?;
                let got = self.take_data()?.read_all();
                if got != expected {
                    return Err(format!("got \"{}\"", got.escape_ascii()));
                }
            }
            "expect~" => {
                let got = self.take_data()?.read_all();
                let pattern = match self.client.text {
                    Text::Utf8 => argument.to_owned(),
                    Text::Octets | Text::Names => self.text(&octets(argument, &self.names)?),
                };
                if !matches(
                    &pattern.to_ascii_lowercase(),
                    &self.text(&got).to_ascii_lowercase(),
                ) {
                    return Err(format!("got \"{}\"", got.escape_ascii()));
                }
            }
            _ => return Err(format!("no such data step: {action}")),
        }
        Ok(())
    }

    /// Octets as the text that replies and patterns are compared as.
    fn text(&self, octets: &[u8]) -> String {
        match self.client.text {
            Text::Utf8 => String::from_utf8_lossy(octets).into_owned(),
            Text::Octets | Text::Names => octets.iter().copied().map(char::from).collect(),
        }
    }

    fn take_data(&mut self) -> Result<DataConnection, String> {
        Ok(self.data.take().ok_or("no data connection")?.open())
    }
}
