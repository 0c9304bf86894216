//! Memory and file descriptors of a device that is a process of this machine, from `/proc` (Linux).

use std::fs;
use std::io;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Open file descriptors.
    pub descriptors: u64,
    /// Resident memory, in KiB.
    pub resident_kib: u64,
    /// Address space, in KiB: grows when memory is reserved, even if nothing was written to it.
    pub address_space_kib: u64,
}

/// How far a process may grow before that is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// File descriptors above those at the start, after they had time to be closed.
    pub descriptors: u64,
    /// Resident memory above that at the start, in KiB; within one case and over the run.
    pub resident_kib: u64,
    /// Address space that one case may add, in KiB. A device that believes the length of a message before it has it
    /// reserves up to 4 GiB.
    pub address_space_kib: u64,
}

impl Default for Growth {
    /// 32 descriptors, 64 MiB, 512 MiB: more than buffers of a few connections and arenas of new threads take.
    fn default() -> Self {
        Self {
            descriptors: 32,
            resident_kib: 64 * 1024,
            address_space_kib: 512 * 1024,
        }
    }
}

/// What a process uses now.
///
/// # Errors
/// There is no such process, or it belongs to somebody else.
pub fn of(pid: u32) -> io::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        // "VmRSS:     1234 kB"; a process that is ending has none.
        let number = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    Ok(Usage {
        descriptors: u64::try_from(descriptors).unwrap_or(u64::MAX),
        resident_kib: kib("VmRSS"),
        address_space_kib: kib("VmSize"),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sees_descriptors_of_a_process_open_and_close() {
        // Other tests of this process open files, too; so many at once none of them does.
        let many: Vec<_> = (0..200).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let with = of(std::process::id()).unwrap();
        drop(many);
        let without = of(std::process::id()).unwrap();
        assert!(
            with.descriptors >= without.descriptors + 100,
            "{with:?} {without:?}"
        );
        assert!(
            with.resident_kib > 100 && with.address_space_kib >= with.resident_kib,
            "{with:?}"
        );
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(of(u32::MAX).is_err());
    }
}
