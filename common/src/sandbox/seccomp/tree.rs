//! Compiles a list of permitted calls to a filter that finds a number by bisection.
//!
//! The kernel walks a new filter once for every system call there is, to remember those that are always allowed; with a
//! chain of comparisons, as seccompiler makes it, that is a fifth of what a login costs. A test holds both against each
//! other, call by call.

use nix::libc::{self, c_long};
use seccompiler::{BpfProgram, TargetArch, sock_filter};

use super::{Call, Must, PIPE, SPECIAL_MODE, SandboxError, THREAD};

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ABOVE: u16 = 0x25;
const RETURN: u16 = 0x06;

const _: () = {
    assert!(LOAD as u32 == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
    assert!(AND as u32 == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K);
    assert!(IF_EQUAL as u32 == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    assert!(IF_AT_LEAST as u32 == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K);
    assert!(IF_ABOVE as u32 == libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K);
    assert!(RETURN as u32 == libc::BPF_RET | libc::BPF_K);
};

/// The answer to what is not there.
const ABSENT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// The low half of an argument; the kernel reads all of those that are looked at as 32 bits.
const fn argument(index: u32) -> u32 {
    let low_half = if cfg!(target_endian = "little") { 0 } else { 4 };
    16 + 8 * index + low_half
}

/// Where an instruction goes on; the three ends stand once, behind all others.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// So many instructions further on.
    Skip(u8),
    Allow,
    Kill,
    /// As if there were no such call.
    Deny,
}

use Target::{Allow, Deny, Kill, Skip};

/// An instruction whose targets are not numbers yet.
#[derive(Clone, Copy, Debug)]
struct Step {
    code: u16,
    k: u32,
    then: Target,
    otherwise: Target,
}

const fn step(code: u16, k: u32) -> Step {
    test(code, k, Skip(0), Skip(0))
}

const fn test(code: u16, k: u32, then: Target, otherwise: Target) -> Step {
    Step {
        code,
        k,
        then,
        otherwise,
    }
}

/// Numbers that follow each other and need no look at arguments, or one number that does.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    first: u32,
    last: u32,
    must: Must,
}

/// Compiles the list; what is not on it kills the process, and so does another architecture's way into the kernel.
pub(super) fn compile<'a>(
    calls: impl Iterator<Item = &'a Call>,
) -> Result<BpfProgram, SandboxError> {
    let arch = test(IF_EQUAL, arch_word()?, Skip(0), Kill);
    let mut steps = vec![step(LOAD, ARCH), arch, step(LOAD, NUMBER)];
    steps.extend(subtree(&leaves(calls)?)?);
    assemble(&steps)
}

/// Turns targets into distances and adds the three ends.
fn assemble(steps: &[Step]) -> Result<BpfProgram, SandboxError> {
    let distance = |from: usize, target: Target| match target {
        Skip(count) => Ok(count),
        Allow => u8::try_from(steps.len() - from - 1).map_err(|_| too_long()),
        Kill => u8::try_from(steps.len() - from).map_err(|_| too_long()),
        Deny => u8::try_from(steps.len() - from + 1).map_err(|_| too_long()),
    };
    let mut program = BpfProgram::new();
    for (at, step) in steps.iter().enumerate() {
        let (jt, jf) = (distance(at, step.then)?, distance(at, step.otherwise)?);
        program.push(sock_filter {
            code: step.code,
            jt,
            jf,
            k: step.k,
        });
    }
    for k in [
        libc::SECCOMP_RET_ALLOW,
        libc::SECCOMP_RET_KILL_PROCESS,
        ABSENT,
    ] {
        program.push(sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k,
        });
    }
    Ok(program)
}

fn too_long() -> SandboxError {
    SandboxError {
        step: "seccomp",
        cause: "the filter does not fit".to_owned(),
    }
}

/// The word that the kernel knows the architecture by (linux/audit.h).
fn arch_word() -> Result<u32, SandboxError> {
    match TargetArch::try_from(std::env::consts::ARCH) {
        Ok(TargetArch::x86_64) => Ok(0xc000_003e),
        Ok(TargetArch::aarch64) => Ok(0xc000_00b7),
        Ok(TargetArch::riscv64) => Ok(0xc000_00f3),
        Err(error) => Err(SandboxError {
            step: "seccomp",
            cause: error.to_string(),
        }),
    }
}

fn leaves<'a>(calls: impl Iterator<Item = &'a Call>) -> Result<Vec<Leaf>, SandboxError> {
    let mut sorted: Vec<(u32, Must)> = Vec::new();
    for Call(_, number, must) in calls {
        let number: c_long = *number;
        sorted.push((u32::try_from(number).map_err(|_| too_long())?, *must));
    }
    sorted.sort_by_key(|(number, _)| *number);
    let mut leaves: Vec<Leaf> = Vec::new();
    for (number, must) in sorted {
        match leaves.last_mut() {
            Some(last)
                if last.must == Must::Any && must == Must::Any && last.last + 1 == number =>
            {
                last.last = number
            }
            _ => leaves.push(Leaf {
                first: number,
                last: number,
                must,
            }),
        }
    }
    Ok(leaves)
}

fn subtree(leaves: &[Leaf]) -> Result<Vec<Step>, SandboxError> {
    match leaves {
        [] => Err(too_long()),
        [leaf] => Ok(leaf.steps()),
        _ => {
            let (left, right) = leaves.split_at(leaves.len() / 2);
            let (below, above) = (subtree(left)?, subtree(right)?);
            let skip = u8::try_from(below.len()).map_err(|_| too_long())?;
            let mut steps = vec![test(IF_AT_LEAST, right[0].first, Skip(skip), Skip(0))];
            steps.extend(below);
            steps.extend(above);
            Ok(steps)
        }
    }
}

impl Leaf {
    fn steps(self) -> Vec<Step> {
        let this = test(IF_EQUAL, self.first, Skip(0), Kill);
        let straight = libc::AT_SYMLINK_NOFOLLOW.unsigned_abs();
        let [inet, inet6] = [libc::AF_INET, libc::AF_INET6].map(i32::unsigned_abs);
        match self.must {
            Must::Any if self.first == self.last => vec![test(IF_EQUAL, self.first, Allow, Kill)],
            Must::Any => vec![
                test(IF_AT_LEAST, self.first, Skip(0), Kill),
                test(IF_ABOVE, self.last, Kill, Allow),
            ],
            Must::NotExecute => vec![
                this,
                step(LOAD, argument(2)),
                step(AND, libc::PROT_EXEC.unsigned_abs()),
                test(IF_EQUAL, 0, Allow, Kill),
            ],
            Must::PlainFcntl => vec![
                this,
                step(LOAD, argument(1)),
                test(IF_EQUAL, libc::F_GETFD.unsigned_abs(), Allow, Skip(0)),
                test(IF_EQUAL, libc::F_GETFL.unsigned_abs(), Allow, Skip(0)),
                test(IF_EQUAL, libc::F_OFD_SETLK.unsigned_abs(), Allow, Skip(0)),
                test(IF_EQUAL, libc::F_SETPIPE_SZ.unsigned_abs(), Allow, Skip(0)),
                test(IF_EQUAL, libc::F_GETPIPE_SZ.unsigned_abs(), Allow, Skip(0)),
                test(IF_EQUAL, libc::F_DUPFD_CLOEXEC.unsigned_abs(), Allow, Kill),
            ],
            Must::PlainPipe => vec![
                this,
                step(LOAD, argument(1)),
                test(IF_EQUAL, PIPE.unsigned_abs(), Allow, Kill),
            ],
            Must::NoFastOpenTo => no_fast_open(this, 3),
            Must::NoFastOpenMessage => no_fast_open(this, 2),
            Must::PlainMode => vec![
                this,
                step(LOAD, argument(1)),
                step(AND, SPECIAL_MODE),
                test(IF_EQUAL, 0, Allow, Kill),
            ],
            Must::PlainModeAt => vec![
                this,
                step(LOAD, argument(2)),
                step(AND, SPECIAL_MODE),
                test(IF_EQUAL, 0, Skip(0), Kill),
                step(LOAD, argument(3)),
                test(IF_EQUAL, straight, Allow, Kill),
            ],
            Must::NoLinkTimes => vec![
                this,
                step(LOAD, argument(3)),
                test(IF_EQUAL, straight, Allow, Kill),
            ],
            Must::QuickAckOrLinger => vec![
                this,
                step(LOAD, argument(1)),
                test(IF_EQUAL, libc::SOL_SOCKET.unsigned_abs(), Skip(3), Skip(0)),
                test(IF_EQUAL, libc::IPPROTO_TCP.unsigned_abs(), Skip(0), Kill),
                step(LOAD, argument(2)),
                test(IF_EQUAL, libc::TCP_QUICKACK.unsigned_abs(), Allow, Kill),
                step(LOAD, argument(2)),
                test(IF_EQUAL, libc::SO_LINGER.unsigned_abs(), Allow, Kill),
            ],
            Must::Thread => vec![
                this,
                step(LOAD, argument(0)),
                test(IF_EQUAL, THREAD.unsigned_abs(), Allow, Kill),
            ],
            Must::Absent => vec![test(IF_EQUAL, self.first, Deny, Kill)],
            Must::LocalPair => vec![
                this,
                step(LOAD, argument(0)),
                test(IF_EQUAL, libc::AF_UNIX.unsigned_abs(), Allow, Kill),
            ],
            Must::InternetStream => vec![
                this,
                step(LOAD, argument(0)),
                test(IF_EQUAL, inet, Skip(1), Skip(0)),
                test(IF_EQUAL, inet6, Skip(0), Kill),
                step(LOAD, argument(1)),
                step(AND, 0xf),
                test(IF_EQUAL, libc::SOCK_STREAM.unsigned_abs(), Allow, Kill),
            ],
        }
    }
}

/// The flags must not have MSG_FASTOPEN.
fn no_fast_open(this: Step, flags: u32) -> Vec<Step> {
    vec![
        this,
        step(LOAD, argument(flags)),
        step(AND, libc::MSG_FASTOPEN.unsigned_abs()),
        test(IF_EQUAL, 0, Allow, Kill),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{Role, reference};
    use super::*;
    use proptest::prelude::*;

    /// Runs a filter on one call, as the kernel does.
    fn run(program: &[sock_filter], number: u32, arch: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0u64.to_ne_bytes());
        arguments
            .iter()
            .for_each(|argument| data.extend(argument.to_ne_bytes()));
        let (mut accumulator, mut at) = (0u32, 0usize);
        loop {
            let sock_filter { code, jt, jf, k } = program[at].clone();
            at += 1;
            let branch = |taken: bool| usize::from(if taken { jt } else { jf });
            match code {
                LOAD => {
                    let offset = k as usize;
                    accumulator = u32::from_ne_bytes(data[offset..offset + 4].try_into().unwrap());
                }
                AND => accumulator &= k,
                IF_EQUAL => at += branch(accumulator == k),
                IF_AT_LEAST => at += branch(accumulator >= k),
                IF_ABOVE => at += branch(accumulator > k),
                RETURN => return k,
                5 => at += k as usize,
                other => panic!("code {other:#x}"),
            }
        }
    }

    fn is_clone3(number: u32) -> bool {
        c_long::from(number) == libc::SYS_clone3
    }

    fn programs(role: Role) -> (BpfProgram, BpfProgram) {
        (compile(role.calls()).unwrap(), reference(role).unwrap())
    }

    #[test]
    fn it_decides_as_seccompilers_filter_for_every_number() {
        let arch = arch_word().unwrap();
        for role in Role::ALL {
            let (own, reference) = programs(role);
            for number in (0..1024).chain([0x4000_0000, 0x4000_0001, u32::MAX]) {
                for arguments in [
                    [0; 6],
                    [u64::from(THREAD.unsigned_abs()), 0, 0, 0, 0, 0],
                    [u64::from(libc::SIGCHLD.unsigned_abs()), 0, 0, 0, 0, 0],
                    [2, 1, 4, 0, 0, 0],
                    [10, 0x80801, 3, 0, 0, 0],
                    [1, 2, 7, 0, 0, 0],
                    [0, 1030, 0x2000_0000, 0, 0, 0],
                    [0, 3, 0, 0x2000_4000, 0, 0],
                    [5, 8, 0, 0, 0, 0],
                    [5, 0o4755, 0o755, 0x100, 0, 0],
                    [5, 0o755, 0o2755, 0x100, 0, 0],
                    [5, 6, 12, 0, 0, 0],
                    [5, 6, 13, 0, 0, 0],
                    [5, 1, 12, 0, 0, 0],
                ] {
                    let got = run(&own, number, arch, arguments);
                    let expected = match number {
                        _ if role == Role::Session && is_clone3(number) => ABSENT,
                        _ => run(&reference, number, arch, arguments),
                    };
                    assert_eq!(got, expected, "{role:?} {number} {arguments:?}");
                }
                assert_eq!(
                    run(&own, number, arch ^ 1, [0; 6]),
                    libc::SECCOMP_RET_KILL_PROCESS
                );
            }
        }
    }

    #[test]
    fn it_is_much_shorter_than_the_chain() {
        let (own, reference) = programs(Role::Keeper);
        assert!(
            own.len() * 3 < reference.len() * 2,
            "{} and {}",
            own.len(),
            reference.len()
        );
    }

    proptest! {
        #[test]
        fn it_decides_as_seccompilers_filter_for_any_arguments(number in 0u32..512, arguments: [u32; 6]) {
            let arch = arch_word().unwrap();
            let arguments = arguments.map(u64::from);
            for role in Role::ALL {
                let (own, reference) = programs(role);
                prop_assume!(!is_clone3(number));
                prop_assert_eq!(run(&own, number, arch, arguments), run(&reference, number, arch, arguments));
            }
        }
    }
}
