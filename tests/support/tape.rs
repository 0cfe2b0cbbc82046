//! Makes archives octet by octet, as no honest program would.

/// One header, of which every field can be wrong.
#[derive(Clone)]
pub struct Header(pub [u8; 512]);

pub fn header(kind: u8, name: &[u8], size: usize) -> Header {
    let mut block = [0; 512];
    let shown = name.len().min(100);
    block[..shown].copy_from_slice(&name[..shown]);
    let header = Header(block)
        .with(100, b"0000644\0")
        .with(108, b"0000000\0")
        .with(116, b"0000000\0")
        .with(124, format!("{size:011o}\0").as_bytes())
        .with(136, b"14524770400\0")
        .with(156, &[kind])
        .with(257, b"ustar\x0000");
    header.sealed()
}

impl Header {
    /// With other octets at a place, and the sum of those before.
    pub fn with(mut self, place: usize, octets: &[u8]) -> Header {
        self.0[place..place + octets.len()].copy_from_slice(octets);
        self
    }

    pub fn link(self, target: &[u8]) -> Header {
        self.with(157, target).sealed()
    }

    pub fn mode(self, mode: &[u8; 8]) -> Header {
        self.with(100, mode).sealed()
    }

    /// With the right sum.
    pub fn sealed(mut self) -> Header {
        self.0[148..156].fill(b' ');
        let sum: u32 = self.0.iter().map(|&octet| u32::from(octet)).sum();
        self.with(148, format!("{sum:06o}\0 ").as_bytes())
    }
}

/// A header with content.
pub fn filled(header: &Header, content: &[u8]) -> Vec<u8> {
    let mut out = header.0.to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

pub fn file(name: &[u8], content: &[u8]) -> Vec<u8> {
    filled(&header(b'0', name, content.len()), content)
}

pub fn directory(name: &[u8]) -> Vec<u8> {
    header(b'5', name, 0).mode(b"0000755\0").0.to_vec()
}

pub fn link(name: &[u8], target: &[u8]) -> Vec<u8> {
    header(b'2', name, 0).link(target).0.to_vec()
}

/// An extended header of one kind with any text.
pub fn extended(kind: u8, text: &[u8]) -> Vec<u8> {
    filled(&header(kind, b"extended", text.len()), text)
}

/// A record of an extended header.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (1..).map(|digits| rest + digits).find(|length| {
        let digits = length.to_string().len();
        rest + digits == *length
    });
    let mut out = format!("{} {key}=", length.unwrap_or(rest)).into_bytes();
    out.extend_from_slice(value);
    out.push(b'\n');
    out
}

pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let text: Vec<u8> = records
        .iter()
        .flat_map(|(key, value)| record(key, value))
        .collect();
    extended(b'x', &text)
}

/// The parts one behind the other, with an end.
pub fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = parts.concat();
    out.resize(out.len() + 1024, 0);
    out
}
