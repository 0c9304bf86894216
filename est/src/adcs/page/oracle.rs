//! What must hold for any page whatsoever; the fuzz target and the corpus test call it.

use super::{
    MAX_CERTIFICATES, MAX_TEMPLATES, Retrieved, Verdict, certificates, renewals, retrieved, templates,
    verdict,
};
use crate::adcs::form::{Encoding, certificate_query};

/// Reads `page` as each of the pages.
///
/// # Panics
/// When a property is violated: a reader panics, a bound is exceeded, a template has a name that no request can give, or a
/// number that was read from a page cannot be found in the link made of it.
pub fn oracle(page: &[u8]) {
    if let Ok(list) = templates(page) {
        assert!(list.len() <= MAX_TEMPLATES, "too many templates");
        for template in &list {
            assert!(
                !template.name.is_empty() && !template.name.contains(';'),
                "{template:?}"
            );
        }
    }
    if let Ok(Verdict::Issued { request }) = verdict(page) {
        let link = format!("certnew.cer?{}", certificate_query(request, Encoding::B64));
        assert_eq!(
            verdict(link.as_bytes()),
            Ok(Verdict::Issued { request }),
            "the number is not the one of the link"
        );
    }
    if let Ok(found) = certificates(page) {
        assert!(
            (1..=MAX_CERTIFICATES).contains(&found.len()),
            "{} certificates",
            found.len()
        );
        assert!(
            matches!(retrieved(page), Ok(Retrieved::Certificates(_))),
            "no longer a certificate"
        );
    }
    if let Ok(Retrieved::NotIssued(found)) = retrieved(page) {
        assert!(
            found.message.chars().count() <= super::MAX_TEXT,
            "an endless message"
        );
    }
    if let Ok(number) = renewals(page) {
        let again = renewals(format!("var nRenewals={number};").as_bytes());
        assert_eq!(again, Ok(number));
    }
}
