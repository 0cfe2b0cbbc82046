//! Limits of resources (getrlimit(2)) that modules such as pam_limits have set in the process that asked them, on their way to
//! the process that serves the user.

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use crate::wire::{Malformed, Wire};

/// All but the size of core dumps: there are none.
const RESOURCES: [Resource; 15] = [
    Resource::RLIMIT_AS,
    Resource::RLIMIT_CPU,
    Resource::RLIMIT_DATA,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_LOCKS,
    Resource::RLIMIT_MEMLOCK,
    Resource::RLIMIT_MSGQUEUE,
    Resource::RLIMIT_NICE,
    Resource::RLIMIT_NOFILE,
    Resource::RLIMIT_NPROC,
    Resource::RLIMIT_RSS,
    Resource::RLIMIT_RTPRIO,
    Resource::RLIMIT_RTTIME,
    Resource::RLIMIT_SIGPENDING,
    Resource::RLIMIT_STACK,
];

/// Some of the limits of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits(Vec<Limit>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    /// The place in [`RESOURCES`].
    resource: u8,
    soft: u64,
    hard: u64,
}

impl ResourceLimits {
    /// All limits of this process.
    ///
    /// # Errors
    /// What getrlimit(2) says.
    pub(super) fn current() -> Result<ResourceLimits, Errno> {
        let limit = |(resource, which): (u8, &Resource)| {
            let (soft, hard) = getrlimit(*which)?;
            Ok(Limit {
                resource,
                soft,
                hard,
            })
        };
        (0..)
            .zip(&RESOURCES)
            .map(limit)
            .collect::<Result<_, _>>()
            .map(ResourceLimits)
    }

    /// Those that are not as they were.
    pub(super) fn changed_since(self, before: &ResourceLimits) -> ResourceLimits {
        let changed = self.0.into_iter().filter(|limit| !before.0.contains(limit));
        ResourceLimits(changed.collect())
    }

    /// Takes the limits on, but for the size of files: whoever meets that one is killed, so it is for [`Self::largest_file`] to
    /// be looked at before. Root can raise limits too.
    ///
    /// # Errors
    /// What setrlimit(2) says.
    pub fn apply(&self) -> Result<(), Errno> {
        let which = |limit: &Limit| RESOURCES.get(usize::from(limit.resource)).copied();
        self.0
            .iter()
            .filter_map(|limit| Some((which(limit)?, limit)))
            .filter(|(which, _)| *which != Resource::RLIMIT_FSIZE)
            .try_for_each(|(which, limit)| setrlimit(which, limit.soft, limit.hard))
    }

    /// The largest size of a file that may be written, in octets.
    pub fn largest_file(&self) -> Option<u64> {
        let is = |limit: &&Limit| {
            RESOURCES.get(usize::from(limit.resource)) == Some(&Resource::RLIMIT_FSIZE)
        };
        let limit = self.0.iter().find(is)?;
        (limit.soft != RLIM_INFINITY).then_some(limit.soft)
    }
}

impl Wire for ResourceLimits {
    fn put(&self, out: &mut Vec<u8>) {
        for limit in &self.0 {
            limit.resource.put(out);
            limit.soft.put(out);
            limit.hard.put(out);
        }
    }

    /// To the end of the input; each resource once, in their order.
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let mut limits: Vec<Limit> = Vec::new();
        while !input.is_empty() {
            let resource = u8::take(input)?;
            let last = limits.last().map(|limit| limit.resource);
            if usize::from(resource) >= RESOURCES.len() || last.is_some_and(|last| last >= resource)
            {
                return Err(Malformed);
            }
            limits.push(Limit {
                resource,
                soft: u64::take(input)?,
                hard: u64::take(input)?,
            });
        }
        Ok(ResourceLimits(limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;

    #[test]
    fn what_changed_crosses_and_nothing_else_is_understood() {
        let before = ResourceLimits::current().unwrap();
        assert_eq!(before.0.len(), RESOURCES.len());
        let mut after = before.clone();
        after.0[3].soft = 7;
        after.0[8].hard -= 1;
        let changed = after.changed_since(&before);
        assert_eq!(changed.0.len(), 2);
        assert_eq!(changed.largest_file(), Some(7));
        let mut octets = Vec::new();
        changed.put(&mut octets);
        assert_eq!(decode(&octets), Ok(changed));
        for wrong in [
            &octets[1..],
            &octets[..33],
            &octets.repeat(2),
            &[15; 17],
            &[0],
        ] {
            assert_eq!(decode::<ResourceLimits>(wrong), Err(Malformed));
        }
    }

    #[test]
    fn nothing_changed_is_no_limit() {
        let before = ResourceLimits::current().unwrap();
        let changed = before.clone().changed_since(&before);
        assert_eq!((changed.largest_file(), changed.apply()), (None, Ok(())));
        assert_eq!(ResourceLimits::current().unwrap(), before);
    }
}
