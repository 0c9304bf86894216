//! How a server tells an EST client what its own upstream failed by: the known cause by its stable name, in the text of
//! the answer.

use pki_common::KnownCause;

/// What precedes the name.
const MARK: &str = "upstream cause: ";

/// ` (upstream cause: name-mismatch)`; nothing when there is no known cause.
pub(crate) fn in_words(cause: Option<KnownCause>) -> String {
    cause.map(|cause| format!(" ({MARK}{cause})")).unwrap_or_default()
}

/// The known cause that a server names in the text of its answer.
pub(crate) fn named_in(text: &str) -> Option<KnownCause> {
    let (_, rest) = text.split_once(MARK)?;
    let name = rest.split(|c: char| c != '-' && !c.is_ascii_lowercase()).next()?;
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_cause_is_found_in_the_text_that_names_it() {
        for cause in KnownCause::ALL {
            let text = format!("cannot be used at present{}; try later", in_words(Some(*cause)));
            assert_eq!(named_in(&text), Some(*cause));
        }
        assert_eq!(named_in(&in_words(None)), None);
        assert_eq!(named_in("(upstream cause: magic)"), None);
        assert_eq!(named_in("upstream cause: "), None);
    }
}
