//! `/.well-known/est[/label]/operation`, taken literally.

use core::fmt;

use http::Method;

use crate::wire::label::PathLabel;

/// The prefix of every EST path (RFC 7030, section 3.2.2).
pub const WELL_KNOWN_EST: &str = "/.well-known/est";

/// An operation of RFC 7030, section 3.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `cacerts`: the certificates of the certificate authority (section 4.1).
    CaCerts,
    /// `simpleenroll`: a certificate for a PKCS #10 request (section 4.2.1).
    SimpleEnroll,
    /// `simplereenroll`: the same for a subject that has one (section 4.2.2).
    SimpleReenroll,
    /// `fullcmc`: a full CMC exchange (section 4.3).
    FullCmc,
    /// `serverkeygen`: key and certificate made by the server (section 4.4).
    ServerKeyGen,
    /// `csrattrs`: what the server wants to see in a request (section 4.5).
    CsrAttrs,
}

impl Operation {
    /// Every operation, in the order of the RFC.
    pub const ALL: [Self; 6] = [
        Self::CaCerts,
        Self::SimpleEnroll,
        Self::SimpleReenroll,
        Self::FullCmc,
        Self::ServerKeyGen,
        Self::CsrAttrs,
    ];

    /// The last segment of the path.
    #[must_use]
    pub const fn segment(self) -> &'static str {
        match self {
            Self::CaCerts => "cacerts",
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
            Self::FullCmc => "fullcmc",
            Self::ServerKeyGen => "serverkeygen",
            Self::CsrAttrs => "csrattrs",
        }
    }

    /// The one method of the operation.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::CaCerts | Self::CsrAttrs => Method::GET,
            Self::SimpleEnroll | Self::SimpleReenroll | Self::FullCmc | Self::ServerKeyGen => Method::POST,
        }
    }

    /// The operation with this path segment.
    #[must_use]
    pub fn from_segment(segment: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.segment() == segment)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment())
    }
}

/// The path of an EST request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EstPath {
    /// The additional path segment that selects one of several authorities, if there is one.
    pub label: Option<PathLabel>,
    /// What is asked for.
    pub operation: Operation,
}

impl EstPath {
    /// Reads the path of a request target, without its query.
    ///
    /// Nothing is percent-decoded and nothing normalised: EST paths need neither, and two readers that normalise
    /// differently are how `cacerts%00.txt` comes to be answered as `cacerts`. `None` for every other path.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix(WELL_KNOWN_EST)?.strip_prefix('/')?;
        let (label, segment) = match rest.split_once('/') {
            None => (None, rest),
            Some((label, segment)) => (Some(label.parse().ok()?), segment),
        };
        Some(Self {
            label,
            operation: Operation::from_segment(segment)?,
        })
    }
}

impl fmt::Display for EstPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WELL_KNOWN_EST)?;
        if let Some(label) = &self.label {
            write!(f, "/{label}")?;
        }
        write!(f, "/{}", self.operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_operation_with_and_without_a_label() {
        for operation in Operation::ALL {
            let path = format!("/.well-known/est/{operation}");
            assert_eq!(
                EstPath::parse(&path),
                Some(EstPath {
                    label: None,
                    operation
                })
            );
            let path = format!("/.well-known/est/phones-2.0/{operation}");
            let found = EstPath::parse(&path).unwrap();
            assert_eq!(
                found,
                EstPath {
                    label: Some("phones-2.0".parse().unwrap()),
                    operation
                }
            );
            assert_eq!(found.to_string(), path);
        }
    }

    #[test]
    fn takes_paths_literally() {
        for path in [
            "",
            "/",
            "*",
            "/.well-known/est",
            "/.well-known/est/",
            "/.well-known/est//cacerts",
            "/.well-known//est/cacerts",
            "/.well-known/est/cacerts/",
            "/.well-known/est/CACERTS",
            "/.well-known/est/cacerts%00.txt",
            "/.well-known/est/cacerts%00",
            "/.well-known/est/%63acerts",
            "/.well-known/est/cacerts.txt",
            "/.well-known/est/a/b/cacerts",
            "/.well-known/est/../cacerts",
            "/.well-known/est/./cacerts",
            "/.well-known/est/a%2Fb/cacerts",
            "/.well-known/est/simpleenroll/cacerts",
            "/.well-known/estcacerts",
            "/x/.well-known/est/cacerts",
        ] {
            assert_eq!(EstPath::parse(path), None, "{path}");
        }
    }
}
