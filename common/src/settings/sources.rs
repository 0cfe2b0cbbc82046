//! The server's own ports of active data connections. Pure: no I/O.

use super::value::{Value, Wrong, words};

/// So many ports can be tried for one connection.
const MOST_PORTS: usize = 256;

/// The ports that active data connections come from, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePorts {
    /// Empty for any port.
    ports: Vec<u16>,
    /// No other port will do.
    pub strict: bool,
}

impl SourcePorts {
    /// Reads `any`, or a list of ports and ranges of them.
    pub(super) fn parse(list: &str) -> Result<Vec<u16>, Wrong> {
        if ["any", "no"]
            .iter()
            .any(|any| any.eq_ignore_ascii_case(list))
        {
            return Ok(Vec::new());
        }
        let mut ports = Vec::new();
        for text in words(list) {
            let value = Value { text, base: None };
            let one = |wrong: Wrong| Wrong::Because(wrong.sentence(text));
            let (low, high) = match text.contains('-') {
                true => value.port_range(1).map_err(one)?,
                false => value.port(1).map(|port| (port, port)).map_err(one)?,
            };
            ports.extend(low..=high);
            if ports.len() > MOST_PORTS {
                return Err(Wrong::Because(format!(
                    "more than {MOST_PORTS} ports are never tried"
                )));
            }
        }
        match ports.is_empty() {
            true => Err(Wrong::Not("any, or a list such as 20,2020-2029".to_owned())),
            false => Ok(ports),
        }
    }

    pub(super) fn set(&mut self, ports: Vec<u16>) {
        self.ports = ports;
    }

    /// Has connections come from port 20, unless others are named (RFC 959 §5.2: the port below the control port).
    pub(super) fn default_to_20(&mut self, wanted: bool) {
        match (wanted, self.ports.is_empty()) {
            (true, true) => self.ports = vec![20],
            (true, false) => {}
            (false, _) => self.ports.clear(),
        }
    }

    /// Whether any port is as good as another.
    pub fn are_any(&self) -> bool {
        self.ports.is_empty()
    }

    /// The ports to be tried; zero is any.
    pub fn tries(&self) -> impl Iterator<Item = u16> {
        let any = self.are_any() || !self.strict;
        self.ports.iter().copied().chain(any.then_some(0))
    }

    /// The lowest port, where one is named.
    pub fn lowest(&self) -> Option<u16> {
        self.ports.iter().copied().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(list: &str, strict: bool) -> Vec<u16> {
        let ports = SourcePorts::parse(list).unwrap();
        SourcePorts { ports, strict }.tries().collect()
    }

    #[test]
    fn ports_are_tried_in_their_order_and_then_any() {
        assert_eq!(tries("20", false), [20, 0]);
        assert_eq!(tries("20, 2020-2022", true), [20, 2020, 2021, 2022]);
        assert_eq!(tries("any", true), [0]);
        let told = |list| SourcePorts::parse(list).unwrap_err().sentence(list);
        assert!(told("").contains("a list such as 20,2020-2029"));
        assert!(told("0").contains("\"0\" is not a port number"));
        assert!(told("30-20").contains("\"30-20\" is not a range"));
        assert!(told("1024-65535").contains("more than 256"));
    }

    #[test]
    fn port_20_is_short_for_what_nothing_else_says() {
        let mut sources = SourcePorts::default();
        sources.default_to_20(true);
        assert_eq!(sources.lowest(), Some(20));
        sources.set(vec![2020]);
        sources.default_to_20(true);
        assert_eq!(sources.lowest(), Some(2020));
        sources.default_to_20(false);
        assert!(sources.are_any());
    }
}
