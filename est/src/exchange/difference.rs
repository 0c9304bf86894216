//! What an issued certificate has otherwise than it was asked for.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// One difference between what was asked for and what was issued. Each displays as a sentence part that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Another subject.
    Subject {
        /// What was asked for.
        asked: String,
        /// What was issued.
        issued: String,
    },
    /// Other subject alternative names.
    AlternativeNames {
        /// Asked for and not issued.
        missing: Vec<String>,
        /// Issued and not asked for.
        added: Vec<String>,
    },
    /// Other purposes than those of the extended key usage that was asked for.
    ExtendedKeyUsage {
        /// Asked for and not issued.
        missing: Vec<String>,
        /// Issued and not asked for.
        added: Vec<String>,
    },
    /// An extension that was asked for is missing or has another value.
    Extension {
        /// Its name and number.
        name: String,
        /// Whether it is there, with another value or criticality.
        present: bool,
    },
    /// Valid for a shorter time than was asked for.
    Validity {
        /// The time that was asked for.
        asked: Duration,
        /// The time left.
        left: Duration,
    },
    /// Valid longer than the certificate that issued it: some authorities issue so, and validators refuse it once the
    /// issuer has ended.
    OutlivesIssuer {
        /// The issuer's subject.
        issuer: String,
    },
}

/// The kinds of [`Difference`], by which they can be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// `subject`
    Subject,
    /// `alternative-names`
    AlternativeNames,
    /// `extended-key-usage`
    ExtendedKeyUsage,
    /// `extension`
    Extension,
    /// `validity`
    Validity,
    /// `outlives-issuer`
    OutlivesIssuer,
}

impl DifferenceKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Subject,
        Self::AlternativeNames,
        Self::ExtendedKeyUsage,
        Self::Extension,
        Self::Validity,
        Self::OutlivesIssuer,
    ];

    /// The name by which it is accepted in options and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::AlternativeNames => "alternative-names",
            Self::ExtendedKeyUsage => "extended-key-usage",
            Self::Extension => "extension",
            Self::Validity => "validity",
            Self::OutlivesIssuer => "outlives-issuer",
        }
    }
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DifferenceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no difference that can be accepted; there are {names}")
        })
    }
}

impl Difference {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> DifferenceKind {
        match self {
            Self::Subject { .. } => DifferenceKind::Subject,
            Self::AlternativeNames { .. } => DifferenceKind::AlternativeNames,
            Self::ExtendedKeyUsage { .. } => DifferenceKind::ExtendedKeyUsage,
            Self::Extension { .. } => DifferenceKind::Extension,
            Self::Validity { .. } => DifferenceKind::Validity,
            Self::OutlivesIssuer { .. } => DifferenceKind::OutlivesIssuer,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = |f: &mut fmt::Formatter<'_>, what: &str, missing: &[String], added: &[String]| {
            write!(f, "its {what} differ")?;
            if !missing.is_empty() {
                write!(f, ", {} missing", missing.join(", "))?;
            }
            if !added.is_empty() {
                write!(f, ", {} added", added.join(", "))?;
            }
            if missing.is_empty() && added.is_empty() {
                f.write_str(" in their encoding")?;
            }
            Ok(())
        };
        match self {
            Self::Subject { asked, issued } => {
                write!(f, "its subject is {issued:?}, but {asked:?} was asked for")
            }
            Self::AlternativeNames { missing, added } => sets(f, "alternative names", missing, added),
            Self::ExtendedKeyUsage { missing, added } => sets(f, "extended key usages", missing, added),
            Self::Extension { name, present: false } => write!(f, "the extension {name} is missing"),
            Self::Extension { name, present: true } => write!(f, "the extension {name} has another value"),
            Self::Validity { asked, left } => {
                let (asked, left) = (asked.as_secs(), left.as_secs());
                write!(f, "it is valid for {left} s, but {asked} s were asked for")
            }
            Self::OutlivesIssuer { issuer } => write!(f, "it is valid longer than its issuer {issuer:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_accepted_by_its_name() {
        for kind in DifferenceKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "colour".parse::<DifferenceKind>().unwrap_err();
        assert!(error.contains("subject, alternative-names"), "{error}");
    }
}
