//! The order of a chain, which the set in a PKCS #7 does not have.

use pki_common::Certificate;

/// The CA's certificates.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The CA's certificate first, then those above it, then what else there was.
    pub certificates: Vec<Certificate>,
    /// Of which renewal they are.
    pub renewal: u32,
    /// The newest renewal, when the server told it.
    pub newest: Option<u32>,
}

impl Chain {
    /// Whether the CA has been renewed since: certificates that it issues now do not lead to this chain.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.newest.is_some_and(|newest| newest > self.renewal)
    }
}

/// The certificate that has issued none of the others first, each issuer behind what it issued.
pub(super) fn ordered(mut certificates: Vec<Certificate>) -> Vec<Certificate> {
    let lowest = certificates.iter().position(|candidate| {
        !certificates
            .iter()
            .any(|other| other.der() != candidate.der() && other.issuer_der() == candidate.subject_der())
    });
    let mut ordered: Vec<Certificate> = Vec::with_capacity(certificates.len());
    let mut next = lowest.or((!certificates.is_empty()).then_some(0));
    while let Some(position) = next {
        let certificate = certificates.remove(position);
        next = certificates
            .iter()
            .position(|other| other.subject_der() == certificate.issuer_der());
        ordered.push(certificate);
    }
    ordered.append(&mut certificates);
    ordered
}
