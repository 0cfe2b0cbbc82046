//! What may be signed: the inputs of the two signatures that a TLS server makes in a handshake, by their exact shape, and
//! nothing else. Pure: no I/O.

use rustls::SignatureScheme;

/// The longest of them, in octets.
pub(super) const LONGEST: usize = 256;

/// Which signature of a handshake a message is the input of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// CertificateVerify of TLS 1.3 (RFC 8446 §4.4.3).
    CertificateVerify,
    /// ServerKeyExchange of TLS 1.2 with ECDHE (RFC 8422 §5.4).
    ServerKeyExchange,
}

/// 64 blanks, the context and a zero octet stand before the hash of the handshake.
const BLANKS: usize = 64;
const CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify\0";
/// The randoms of client and server.
const RANDOMS: usize = 64;
/// ECCurveType named_curve.
const NAMED_CURVE: u8 = 3;

impl Shape {
    /// Recognises a message.
    pub fn of(message: &[u8]) -> Option<Shape> {
        if message.len() > LONGEST {
            return None;
        }
        if is_certificate_verify(message) {
            Some(Shape::CertificateVerify)
        } else if is_server_key_exchange(message) {
            Some(Shape::ServerKeyExchange)
        } else {
            None
        }
    }

    /// Whether it may be signed by a scheme: PKCS #1 v1.5 signs no handshake of TLS 1.3 (RFC 8446 §4.2.3).
    pub fn permits(self, scheme: SignatureScheme) -> bool {
        let old = matches!(
            scheme,
            SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
        );
        self == Shape::ServerKeyExchange || !old
    }
}

fn is_certificate_verify(message: &[u8]) -> bool {
    let Some((blanks, rest)) = message.split_at_checked(BLANKS) else {
        return false;
    };
    let hash = rest.strip_prefix(CONTEXT).map(<[u8]>::len);
    // SHA-256 or SHA-384: the hashes of TLS 1.3's cipher suites.
    blanks.iter().all(|&octet| octet == b' ') && matches!(hash, Some(32 | 48))
}

fn is_server_key_exchange(message: &[u8]) -> bool {
    let Some((_, [NAMED_CURVE, high, low, length, point @ ..])) = message.split_at_checked(RANDOMS)
    else {
        return false;
    };
    let (expected, uncompressed) = match u16::from_be_bytes([*high, *low]) {
        23 => (65, true),  // secp256r1
        24 => (97, true),  // secp384r1
        25 => (133, true), // secp521r1
        29 => (32, false), // x25519
        _ => return false,
    };
    usize::from(*length) == expected
        && point.len() == expected
        && (!uncompressed || point.first() == Some(&4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate_verify(hash: usize) -> Vec<u8> {
        [&[b' '; 64], CONTEXT, &vec![9; hash]].concat()
    }

    fn key_exchange(group: u16, point: &[u8]) -> Vec<u8> {
        let [high, low] = group.to_be_bytes();
        let length = u8::try_from(point.len()).unwrap();
        [&[7; 64], &[3, high, low, length][..], point].concat()
    }

    #[test]
    fn handshakes_are_recognised() {
        for hash in [32, 48] {
            let message = certificate_verify(hash);
            assert_eq!(Shape::of(&message), Some(Shape::CertificateVerify));
        }
        for (group, point) in [(23, vec![4; 65]), (24, vec![4; 97]), (29, vec![1; 32])] {
            let message = key_exchange(group, &point);
            assert_eq!(Shape::of(&message), Some(Shape::ServerKeyExchange));
        }
    }

    #[test]
    fn nothing_else_is() {
        let verify = certificate_verify(32);
        let mut client = verify.clone();
        let at = client.windows(6).position(|six| six == b"server").unwrap();
        client.splice(at..at + 6, *b"client");
        let exchange = key_exchange(29, &[1; 32]);
        let wrong: Vec<Vec<u8>> = vec![
            Vec::new(),
            b"some text that somebody wants to have signed".to_vec(),
            client,
            certificate_verify(0),
            certificate_verify(31),
            certificate_verify(33),
            certificate_verify(64),
            verify[1..].to_vec(),
            [b"x", &verify[1..]].concat(),
            exchange[..exchange.len() - 1].to_vec(),
            [&exchange[..], b"x"].concat(),
            key_exchange(30, &[1; 56]),
            key_exchange(23, &[2; 65]),
            key_exchange(23, &[4; 33]),
            key_exchange(29, &[1; 31]),
            vec![3; LONGEST + 1],
        ];
        for message in wrong {
            assert_eq!(Shape::of(&message), None, "{message:?}");
        }
    }

    #[test]
    fn the_old_padding_is_for_the_old_version() {
        let old = SignatureScheme::RSA_PKCS1_SHA256;
        assert!(Shape::ServerKeyExchange.permits(old));
        assert!(!Shape::CertificateVerify.permits(old));
        assert!(Shape::CertificateVerify.permits(SignatureScheme::RSA_PSS_SHA256));
    }
}
