//! One process: `/proc/PID/stat`.
//!
//! Source: proc_pid_stat(5).

/// Set in the flags of a thread of the kernel's own (`PF_KTHREAD`).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::host) enum State {
    Running,
    Sleeping,
    /// For I/O; cannot be interrupted.
    Waiting,
    Stopped,
    Zombie,
    /// A thread of the kernel with nothing to do.
    Idle,
    Other,
}

/// The fields that are used. Times are ticks, memory is pages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::host) struct Stat<'a> {
    pub pid: u32,
    /// At most 15 bytes; the kernel cuts it.
    pub name: &'a [u8],
    pub state: State,
    pub kernel_thread: bool,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub user: u64,
    pub system: u64,
    pub threads: u64,
    /// Ticks after boot.
    pub start: u64,
    /// Bytes.
    pub virtual_bytes: u64,
    pub resident_pages: u64,
}

/// `None` for what is not such a line.
pub(in crate::host) fn parse(line: &[u8]) -> Option<Stat<'_>> {
    // The name may hold anything, `)` too: it ends at the last one.
    let open = line.iter().position(|b| *b == b'(')?;
    let close = line.iter().rposition(|b| *b == b')')?;
    let pid = number(line.get(..open)?.trim_ascii())?;
    let name = line.get(open + 1..close)?;
    let mut words = line.get(close + 1..)?.trim_ascii().split(|b| *b == b' ');
    let state = state(words.next()?);
    // From here on, `skip(n)` passes what is not used: parent, group, session, terminal and its group.
    let mut next = |skip: usize| number(words.nth(skip)?);
    let flags = next(5)?;
    let minor_faults = next(0)?;
    let major_faults = next(1)?;
    let user = next(1)?;
    let system = next(0)?;
    let threads = next(4)?;
    let start = next(1)?;
    let virtual_bytes = next(0)?;
    let resident_pages = next(0)?;
    Some(Stat {
        pid: u32::try_from(pid).ok()?,
        name,
        state,
        kernel_thread: flags & KERNEL_THREAD != 0,
        minor_faults,
        major_faults,
        user,
        system,
        threads,
        start,
        virtual_bytes,
        resident_pages,
    })
}

fn state(word: &[u8]) -> State {
    match word {
        b"R" => State::Running,
        b"S" => State::Sleeping,
        b"D" => State::Waiting,
        b"T" | b"t" => State::Stopped,
        b"Z" | b"X" => State::Zombie,
        b"I" => State::Idle,
        _ => State::Other,
    }
}

/// A decimal number; a negative one counts as none.
fn number(word: &[u8]) -> Option<u64> {
    if word.first() == Some(&b'-') {
        return Some(0);
    }
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u64, |total, b| {
        let digit = b.checked_sub(b'0').filter(|digit| *digit < 10)?;
        total.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

impl State {
    /// For people.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Zombie => "zombie",
            Self::Idle => "idle",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let line = b"42 (a) R (b)) S 1 42 42 0 -1 4194304 117 9 3 8 50 7 1 2 20 0 6 0 317460 3133440 381 18446744073709551615 1 1\n";
        let stat = parse(line).unwrap();
        assert_eq!((stat.pid, stat.name, stat.state), (42, b"a) R (b)".as_slice(), State::Sleeping));
        assert_eq!((stat.minor_faults, stat.major_faults, stat.user, stat.system), (117, 3, 50, 7));
        assert_eq!(
            (stat.threads, stat.start, stat.virtual_bytes, stat.resident_pages),
            (6, 317_460, 3_133_440, 381)
        );
        assert!(!stat.kernel_thread);
        let kernel = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 5 0 0 18446744073709551615";
        assert!(parse(kernel).unwrap().kernel_thread);
        for bad in [b"".as_slice(), b"1 (x", b"1 (x) S 1 2", b"x (y) S", b")("] {
            assert_eq!(parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
        }

        #[test]
        fn numbers_come_back(name in "[ -~]{0,15}", numbers in prop::collection::vec(0_u64..1 << 40, 22)) {
            let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let line = format!("7 ({name}) R {}", words.join(" "));
            let stat = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(stat.name, name.as_bytes());
            let found = [stat.minor_faults, stat.major_faults, stat.user, stat.system, stat.threads, stat.start, stat.virtual_bytes, stat.resident_pages];
            prop_assert_eq!(found, [6, 8, 10, 11, 16, 18, 19, 20].map(|at| numbers[at]));
        }
    }
}
