//! Makes a certificate that is signed by its own key, for a first try.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use zeroize::Zeroizing;

/// For how many days it is valid.
pub const VALID_DAYS: i64 = 365;

/// A certificate and the key to it, both as PEM.
pub struct Pair {
    pub certificate: String,
    pub key: Zeroizing<String>,
}

/// Makes a pair for a host, which is a name or an address.
///
/// # Errors
/// The name cannot stand in a certificate; as a sentence.
pub fn self_signed(host: &str) -> Result<Pair, String> {
    make(host).map_err(|error| format!("a certificate for \"{host}\" cannot be made: {error}"))
}

fn make(host: &str) -> Result<Pair, rcgen::Error> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, host);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = Timestamp::now();
    // A day back, for clients whose clocks are behind.
    let day = |days: i64| {
        let time = Timestamp::from_second(now.as_second() + days * 24 * 3600).unwrap_or(now);
        let date = time.to_zoned(TimeZone::UTC).date();
        let number = |part: i8| u8::try_from(part).unwrap_or(1);
        date_time_ymd(date.year().into(), number(date.month()), number(date.day()))
    };
    params.not_before = day(-1);
    params.not_after = day(VALID_DAYS);
    let key = KeyPair::generate()?;
    Ok(Pair {
        certificate: params.self_signed(&key)?.pem(),
        key: Zeroizing::new(key.serialize_pem()),
    })
}

/// Whether a word can name a host, and files beside each other.
pub fn is_host(word: &str) -> bool {
    let is_name = !word.is_empty()
        && word.len() <= 253
        && !word.starts_with(['.', '-'])
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    is_name || word.parse::<IpAddr>().is_ok()
}
