//! What the listener tells the logger, on the same queue that entries come by. Pure: no I/O.

use crate::messages;
use crate::wire::{self, Wire};

/// Stands before an order. Whose it is says the kernel, not this.
const MARK: u8 = 0;

messages! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Order {
        /// Carries what is written to from now on, in the place of what was.
        1 => Main,
        2 => Transfers,
        3 => Syslog,
        4 => Journal,
        /// Carries a file of sessions, which has this number from now on.
        5 => File { number: u32 },
        6 => Close { number: u32 },
        /// Entries of these processes of a session go to that file from now on; without one, to no file.
        7 => Begin { session: u32, keeper: u32, network: u32, number: Option<u32> },
        8 => End { session: u32 },
    }
}

impl Order {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut message = vec![MARK];
        self.put(&mut message);
        message
    }

    pub(super) fn decode(message: &[u8]) -> Option<Order> {
        let (&MARK, order) = message.split_first()? else {
            return None;
        };
        wire::decode(order).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_no_sentences() {
        let order = Order::Begin {
            session: 7,
            keeper: 7,
            network: 8,
            number: Some(9),
        };
        assert_eq!(Order::decode(&order.encode()), Some(order));
        for other in [&b""[..], b"\0", b"a line", b"\0\x09", b"\0\x01more"] {
            assert_eq!(Order::decode(other), None);
        }
    }
}
