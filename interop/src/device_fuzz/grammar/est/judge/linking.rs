//! Whether a request holds the channel binding of its connection (RFC 7030 section 3.5).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::super::Settings;

/// The channel bindings of the connections of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings<'a> {
    /// Those of the connection of the request.
    pub(super) own: Vec<&'a [u8]>,
    /// Those of the others.
    pub(super) others: Vec<&'a [u8]>,
}

/// Why no certificate may be issued for the body of an enrolment; `None` when one may.
///
/// How a server reads what is written in another way is left to it: the right binding in any form lets a request pass.
pub(super) fn why_no_certificate(
    settings: &Settings,
    body: &[u8],
    bindings: &Bindings<'_>,
) -> Option<&'static str> {
    if !settings.demands_proof_of_possession && !settings.verifies_proof_of_possession {
        return None;
    }
    let request = est::wire::base64::decode(body, usize::MAX).unwrap_or_default();
    let holds = |binding: &&[u8]| mentions(&request, binding);
    if bindings.own.iter().any(holds) {
        return None;
    }
    if settings.demands_proof_of_possession {
        return Some("a request that is not linked to its connection, RFC 7030 section 3.5");
    }
    let foreign = bindings.others.iter().any(holds);
    foreign.then_some("a request that is linked to another connection, RFC 7030 section 3.5")
}

fn mentions(request: &[u8], binding: &[u8]) -> bool {
    let text: Vec<u8> = request
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    let forms = [
        STANDARD_NO_PAD.encode(binding),
        URL_SAFE_NO_PAD.encode(binding),
        hex::encode(binding),
    ];
    let contains = |form: &String| memchr::memmem::find(&text, form.as_bytes()).is_some();
    forms.iter().any(contains) || memchr::memmem::find(request, binding).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(settings: &Settings, text: &str) -> Option<&'static str> {
        let bindings = Bindings {
            own: vec![&[1; 12], &[0xfb; 32]],
            others: vec![&[2; 12]],
        };
        let body = super::super::super::bench::base64(text.as_bytes());
        why_no_certificate(settings, body.as_bytes(), &bindings)
    }

    #[test]
    fn lets_the_own_binding_pass_in_any_form_and_no_other() {
        let (own, other) = (STANDARD_NO_PAD.encode([1; 12]), STANDARD_NO_PAD.encode([2; 12]));
        let folded = format!("{}\r\n{}", &own[..5], &own[5..]);
        let exporter = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        let digits = hex::encode([1; 12]);
        let mut settings = Settings::new("localhost");
        for text in [own.as_str(), &other, "none"] {
            assert_eq!(why(&settings, text), None, "{text}");
        }
        settings.verifies_proof_of_possession = true;
        for text in [
            own.as_str(),
            &folded,
            &exporter,
            &digits,
            "none",
            &format!("{other}{own}"),
        ] {
            assert_eq!(why(&settings, text), None, "{text}");
        }
        assert!(why(&settings, &other).unwrap().contains("another connection"));
        settings.demands_proof_of_possession = true;
        assert_eq!(why(&settings, &own), None);
        for text in [other.as_str(), "none", &own[1..]] {
            assert!(why(&settings, text).unwrap().contains("not linked"), "{text}");
        }
        let body = "* no base64 *".as_bytes();
        assert!(why_no_certificate(&settings, body, &Bindings::default()).is_some());
    }
}
