//! Renewal as a sequence: the state machine, and the daemon over real files, each under a clock that the script moves.

mod daemon;
mod machine;
/// The disks of the tests of `est`.
#[path = "../../est/tests/renewal/stepwise.rs"]
mod stepwise;

/// A script for a renewal: the first byte says whether for the state machine (even) or for the daemon (odd).
///
/// Whatever the script is: a certificate that was in use is there as long as nobody takes it away, with its key; a new
/// key is made only when the one before it has its certificate or was refused; waits are bounded, and end; and when the
/// server is there and the disk is sound, there is a certificate that is valid.
pub fn est_renewal(data: &[u8]) {
    let _reached = script(data);
}

/// What a script has made happen; tests of the corpus ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Certificates that came into use.
    pub renewed: usize,
    /// Requests that had to wait for approval.
    pub pending: usize,
    /// Attempts that failed.
    pub failed: usize,
    /// Writes that the disk refused.
    pub disk_failures: usize,
    /// Starts of the daemon.
    pub starts: usize,
}

/// Runs a script; see [`est_renewal`].
#[must_use]
pub fn script(data: &[u8]) -> Reached {
    match data.split_first() {
        None => Reached::default(),
        Some((first, steps)) if first % 2 == 0 => machine::script(steps),
        Some((_, steps)) => daemon::script(steps),
    }
}
