//! Lines that a client can cause as many of as it likes.

use super::Log;

/// So many of them are written.
const MOST: u32 = 10;

/// A session's lines of such a kind: the first ones are written, and that there are more.
#[derive(Debug, Default)]
pub struct Few {
    told: u32,
}

impl Few {
    /// Writes one more, or not.
    pub fn line(&mut self, log: &Log, text: &str) {
        self.told = self.told.saturating_add(1);
        match self.told {
            ..MOST => log.line(text),
            MOST => log.line(&format!("{text}; more of these are not logged")),
            _ => {}
        }
    }
}
