//! The codec of the inner channels: values to octets and back. Decoding is total: what is too long, too short, unknown or
//! left over is [`Malformed`]. Pure: no I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use crate::auth::Secret;
use crate::jail::Failure;
use crate::path::VirtualPath;
use crate::proto::verbs::{Verb, VerbSet};

/// The octets are not a message: whoever sent them is broken or hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A value that can cross a channel.
pub trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(input: &mut &[u8]) -> Result<Self, Malformed>;
}

/// Decodes a whole message; left-over octets are an error.
pub fn decode<T: Wire>(mut input: &[u8]) -> Result<T, Malformed> {
    let value = T::take(&mut input)?;
    if input.is_empty() {
        Ok(value)
    } else {
        Err(Malformed)
    }
}

fn split<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], Malformed> {
    let (head, tail) = input.split_at_checked(count).ok_or(Malformed)?;
    *input = tail;
    Ok(head)
}

fn array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], Malformed> {
    split(input, N)?.try_into().map_err(|_| Malformed)
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
                array(input).map(<$type>::from_le_bytes)
            }
        }
    )* };
}
integers!(u8, u16, u32, u64, u128, i64);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        if bool::take(input)? {
            T::take(input).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        T::take(input).map(Box::new)
    }
}

/// Octets of a bounded number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Octets<const MOST: usize>(Vec<u8>);

impl<const MOST: usize> Octets<MOST> {
    /// So many octets at most.
    pub const LONGEST: usize = MOST;

    /// Takes the octets if they are few enough.
    pub fn new(octets: &[u8]) -> Option<Self> {
        (octets.len() <= MOST).then(|| Octets(octets.to_vec()))
    }
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

fn put_octets(octets: &[u8], out: &mut Vec<u8>) {
    // Every caller's bound is far below 64 KiB.
    u16::try_from(octets.len()).unwrap_or(u16::MAX).put(out);
    out.extend_from_slice(octets);
}

fn take_octets<'a>(input: &mut &'a [u8], most: usize) -> Result<&'a [u8], Malformed> {
    let count = usize::from(u16::take(input)?);
    if count > most {
        Err(Malformed)
    } else {
        split(input, count)
    }
}

impl<const MOST: usize> Wire for Octets<MOST> {
    fn put(&self, out: &mut Vec<u8>) {
        put_octets(&self.0, out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        take_octets(input, MOST).map(|octets| Octets(octets.to_vec()))
    }
}

/// The longest password that is passed on, in octets.
pub const LONGEST_SECRET: usize = 1024;

impl Wire for Secret {
    fn put(&self, out: &mut Vec<u8>) {
        put_octets(self.expose(), out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        take_octets(input, LONGEST_SECRET).map(Secret::new)
    }
}

impl Wire for VirtualPath {
    fn put(&self, out: &mut Vec<u8>) {
        put_octets(self.as_bytes(), out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let octets = take_octets(input, crate::path::LONGEST_PATH)?;
        let path = VirtualPath::new(octets).map_err(|_| Malformed)?;
        // SECURITY: only the normal form is accepted, so that no second reading of a path exists.
        if path.as_bytes() == octets {
            Ok(path)
        } else {
            Err(Malformed)
        }
    }
}

impl Wire for Verb {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Verb::at(u8::take(input)?).ok_or(Malformed)
    }
}

impl Wire for VerbSet {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        u128::take(input).map(VerbSet::from_bits)
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX).put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        u64::take(input).map(Duration::from_millis)
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            SocketAddr::V4(v4) => {
                4u8.put(out);
                out.extend_from_slice(&v4.ip().octets());
            }
            SocketAddr::V6(v6) => {
                6u8.put(out);
                out.extend_from_slice(&v6.ip().octets());
                v6.scope_id().put(out);
            }
        }
        self.port().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(input)? {
            4 => {
                let ip: Ipv4Addr = array::<4>(input)?.into();
                Ok(SocketAddrV4::new(ip, u16::take(input)?).into())
            }
            6 => {
                let ip: Ipv6Addr = array::<16>(input)?.into();
                let scope = u32::take(input)?;
                Ok(SocketAddrV6::new(ip, u16::take(input)?, 0, scope).into())
            }
            _ => Err(Malformed),
        }
    }
}

impl Wire for IpAddr {
    fn put(&self, out: &mut Vec<u8>) {
        SocketAddr::new(*self, 0).put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        SocketAddr::take(input).map(|address| address.ip())
    }
}

/// Declares an enum of messages with their tags, and its codec.
#[macro_export]
macro_rules! messages {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $tag:literal => $variant:ident $({ $($field:ident: $type:ty),* $(,)? })?,)*
    }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$doc])* $variant $({ $($field: $type),* })?,)* }

        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $({ $($field),* })? => {
                        out.push($tag);
                        $($($crate::wire::Wire::put($field, out);)*)?
                    })*
                }
            }
            fn take(input: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                match <u8 as $crate::wire::Wire>::take(input)? {
                    $($tag => Ok($name::$variant $({ $($field: $crate::wire::Wire::take(input)?),* })?),)*
                    _ => Err($crate::wire::Malformed),
                }
            }
        }
    };
}

/// Declares the order of a struct's fields on the wire. All of them, or it does not compile.
macro_rules! fields {
    ($type:ident: $($field:ident),* $(,)?) => {
        impl $crate::wire::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let $type { $($field),* } = self;
                $($crate::wire::Wire::put($field, out);)*
            }
            fn take(input: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                $(let $field = $crate::wire::Wire::take(input)?;)*
                Ok($type { $($field),* })
            }
        }
    };
}
pub(crate) use fields;

/// Declares the tags of an enum of values.
macro_rules! tags {
    ($type:ident: $($tag:literal => $variant:ident,)*) => {
        impl $crate::wire::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $($type::$variant => $tag,)* });
            }
            fn take(input: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                match <u8 as $crate::wire::Wire>::take(input)? {
                    $($tag => Ok($type::$variant),)*
                    _ => Err($crate::wire::Malformed),
                }
            }
        }
    };
}
pub(crate) use tags;

macro_rules! failures {
    ($($tag:literal => $name:ident,)*) => {
        impl Wire for Failure {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Failure::$name => $tag,)* });
            }
            fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
                match u8::take(input)? { $($tag => Ok(Failure::$name),)* _ => Err(Malformed) }
            }
        }
    };
}
failures! {
    1 => NotFound, 2 => Denied, 3 => Exists, 4 => NotADirectory, 5 => IsADirectory, 6 => NotEmpty, 7 => Special,
    8 => NameTooLong, 9 => Loop, 10 => NoSpace, 11 => Quota, 12 => TooLarge, 13 => ReadOnly, 14 => CrossDevice,
    15 => Busy, 16 => Exhausted, 17 => Io, 18 => BadOffset, 19 => Limit, 20 => Unfinished, 21 => Crowded, 22 => Alone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    messages! {
        #[derive(Debug, PartialEq)]
        enum Sample {
            1 => Nothing,
            2 => Path { path: VirtualPath, offset: Option<u64> },
        }
    }

    fn encoded<T: Wire>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        value.put(&mut out);
        out
    }

    #[test]
    fn messages_round_trip() {
        let message = Sample::Path {
            path: VirtualPath::new(b"/a/b").unwrap(),
            offset: Some(7),
        };
        assert_eq!(decode(&encoded(&message)), Ok(message));
        let address: SocketAddr = "[fe80::1%3]:21".parse().unwrap();
        assert_eq!(decode(&encoded(&address)), Ok(address));
    }

    #[test]
    fn what_is_left_over_unknown_or_not_normal_is_malformed() {
        assert_eq!(decode::<Sample>(&[1, 0]), Err(Malformed));
        assert_eq!(decode::<Sample>(&[9]), Err(Malformed));
        assert_eq!(decode::<bool>(&[2]), Err(Malformed));
        let mut dots = Vec::new();
        put_octets(b"/a/../b", &mut dots);
        assert_eq!(decode::<VirtualPath>(&dots), Err(Malformed));
        assert_eq!(decode::<Octets<3>>(&[4, 0, 1, 2, 3, 4]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_octets_decode_or_are_malformed(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(message) = decode::<Sample>(&octets) {
                prop_assert_eq!(encoded(&message), octets);
            }
        }
    }
}
