//! The exit status: by the rung that failed.

use pki_common::{Rung, TlsFault};

use super::Report;

/// Nothing failed; there may be warnings.
pub const HEALTHY: u8 = 0;

impl Report {
    /// The exit status of this report.
    #[must_use]
    pub fn exit_number(&self) -> u8 {
        self.failure()
            .map_or(HEALTHY, |failure| exit_number(failure.rung))
    }
}

/// One number for each rung. 2 is kept for a wrong command line.
#[must_use]
pub const fn exit_number(rung: Rung) -> u8 {
    match rung {
        Rung::Local => 3,
        Rung::NameResolution => 10,
        Rung::Tcp => 20,
        Rung::Proxy => 30,
        Rung::Tls(TlsFault::Protocol) => 40,
        Rung::Tls(TlsFault::Chain) => 41,
        Rung::Tls(TlsFault::Name) => 42,
        Rung::Tls(TlsFault::Time) => 43,
        Rung::Tls(TlsFault::AuthList) => 44,
        Rung::Tls(TlsFault::Alert) => 45,
        Rung::Status => 50,
        Rung::Body => 60,
        Rung::Upstream => 70,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_has_a_number_of_its_own_and_none_is_taken_for_something_else() {
        let mut numbers: Vec<u8> = [
            Rung::Local,
            Rung::NameResolution,
            Rung::Tcp,
            Rung::Proxy,
            Rung::Tls(TlsFault::Chain),
            Rung::Tls(TlsFault::Name),
            Rung::Tls(TlsFault::Time),
            Rung::Tls(TlsFault::AuthList),
            Rung::Tls(TlsFault::Alert),
            Rung::Tls(TlsFault::Protocol),
            Rung::Status,
            Rung::Body,
            Rung::Upstream,
        ]
        .map(exit_number)
        .into();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 13);
        // 0 is healthy, 1 is what a panic or a lost output leaves, 2 a wrong command line.
        assert!(numbers.iter().all(|number| *number > 2));
    }
}
