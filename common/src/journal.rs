//! The journal's native format: fields, one after the other in a datagram. Pure: no I/O.

/// Where systemd's journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// A datagram with these fields, by their names in capitals. A value may hold any octets.
pub fn datagram(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for (name, value) in fields {
        datagram.extend_from_slice(name.as_bytes());
        // What has lines is told with its length, so that no line of it becomes a field.
        if value.contains(&b'\n') {
            datagram.push(b'\n');
            let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
            datagram.extend_from_slice(&length.to_le_bytes());
        } else {
            datagram.push(b'=');
        }
        datagram.extend_from_slice(value);
        datagram.push(b'\n');
    }
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_becomes_a_field() {
        let fields: [(&str, &[u8]); 2] = [("MESSAGE", b"a=b"), ("FTP_USER", b"x\nPRIORITY=0")];
        assert_eq!(
            datagram(&fields),
            b"MESSAGE=a=b\nFTP_USER\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\n"
        );
    }
}
