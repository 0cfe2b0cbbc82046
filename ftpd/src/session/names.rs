//! Names between the control connection and the disk: the only place where the network half converts them. Keeper knows
//! octets, and has never heard of a charset.

use std::borrow::Cow;

use common::charset::Charset;
use common::proto::args::Utf8;
use common::proto::reply::{Code, Reply};

use super::Stop;

/// What names are on the wire in this session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    configured: Charset,
    utf8: Utf8,
}

impl Names {
    pub(crate) fn new(configured: Charset, utf8: Utf8) -> Names {
        Names { configured, utf8 }
    }

    /// Does as the client says (`OPTS UTF8`).
    pub(crate) fn set_utf8(&mut self, utf8: Utf8) {
        self.utf8 = utf8;
    }

    /// The charset that names have now.
    pub(crate) fn charset(self) -> Charset {
        match self.utf8 {
            Utf8::On => Charset::UTF_8,
            Utf8::Off => self.configured,
        }
    }

    /// What the client typed, as it is on disk.
    pub(crate) fn on_disk(self, typed: &[u8]) -> Result<Cow<'_, [u8]>, Stop> {
        let charset = self.charset();
        charset.to_disk(typed).map_err(|_| {
            let text = format!("This is no name in {}.", charset.name());
            Reply::new(Code::NAME_NOT_ALLOWED, text).into()
        })
    }

    /// What is on disk, as the client sees it.
    pub(crate) fn on_wire(self, octets: &[u8]) -> Cow<'_, [u8]> {
        self.charset().to_wire(octets)
    }
}
