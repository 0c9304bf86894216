//! From a request body to DER: base64 of RFC 8951, or PEM armour.

use crate::error::WireError;
use crate::wire::base64;

/// The two labels in use: RFC 7468 section 7, and the older one that RFC 7468 tells parsers to accept.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

const DASHES: &[u8] = b"-----";

/// The DER in `body`, at most `limit` bytes.
pub(super) fn decode(body: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    match find(body, b"-----BEGIN") {
        Some(begin) => {
            let (start, content) = armoured(body, begin)?;
            base64::decode(content, limit).map_err(|error| match error {
                WireError::Base64 { position, problem } => WireError::Base64 {
                    position: start + position,
                    problem,
                },
                other => other,
            })
        }
        None => base64::decode(body, limit),
    }
}

/// The base64 text between the armour lines, and where it starts in `body`.
fn armoured(body: &[u8], begin: usize) -> Result<(usize, &[u8]), WireError> {
    let problem = |position, problem: &str| WireError::Pem {
        position,
        problem: problem.to_owned(),
    };
    let not_closed = || problem(begin, "the line \"-----BEGIN\" is not closed by five dashes");
    let label_start = begin + b"-----BEGIN ".len();
    let label_and_rest = body.get(label_start..).ok_or_else(not_closed)?;
    let label_length = find(label_and_rest, DASHES).ok_or_else(not_closed)?;
    let (label, rest) = label_and_rest.split_at(label_length);
    let Some(label) = LABELS.into_iter().find(|known| known.as_bytes() == label) else {
        let found = String::from_utf8_lossy(label.get(..label.len().min(40)).unwrap_or(label));
        let text = format!("expected \"CERTIFICATE REQUEST\", found {found:?}");
        return Err(problem(label_start, &text));
    };
    let content = rest.get(DASHES.len()..).unwrap_or_default();
    let end_line = format!("-----END {label}-----");
    let end = find(content, end_line.as_bytes()).ok_or_else(|| {
        problem(
            body.len(),
            &format!("there is no line {end_line:?}; is the body cut off?"),
        )
    })?;
    let (content, behind) = content.split_at(end);
    let behind = behind.get(end_line.len()..).unwrap_or_default();
    match behind.iter().position(|byte| !byte.is_ascii_whitespace()) {
        None => Ok((label_start + label_length + DASHES.len(), content)),
        Some(offset) => {
            let position = body.len() - behind.len() + offset;
            Err(problem(position, "there is data behind the end of the request"))
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Base64Problem;

    #[test]
    fn reads_both_labels_and_ignores_text_before_them() {
        for label in LABELS {
            let body = format!(
                "Certificate Request:\n x\n-----BEGIN {label}-----\r\naGVs\r\nbG8=\r\n-----END {label}-----\n\n"
            );
            assert_eq!(decode(body.as_bytes(), 100), Ok(b"hello".to_vec()));
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_armour_and_where() {
        let table = [
            (
                "-----BEGIN CERTIFICATE-----\naGVs\n-----END CERTIFICATE-----\n",
                11,
                "found \"CERTIFICATE\"",
            ),
            ("-----BEGIN CERTIFICATE REQUEST", 0, "not closed"),
            ("-----BEGIN", 0, "not closed"),
            ("-----BEGIN CERTIFICATE REQUEST-----\naGVs\n", 41, "cut off"),
            (
                "-----BEGIN CERTIFICATE REQUEST-----\naGVs\n-----END CERTIFICATE REQUEST-----\n x",
                76,
                "behind",
            ),
        ];
        for (body, expected_position, expected_text) in table {
            match decode(body.as_bytes(), 100) {
                Err(WireError::Pem { position, problem }) => {
                    assert_eq!(position, expected_position, "{body:?}");
                    assert!(problem.contains(expected_text), "{problem}");
                }
                other => panic!("{body:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn counts_base64_positions_from_the_start_of_the_body() {
        let body = b"-----BEGIN CERTIFICATE REQUEST-----\naG*s\n-----END CERTIFICATE REQUEST-----\n";
        let expected = WireError::Base64 {
            position: 38,
            problem: Base64Problem::NotInAlphabet(b'*'),
        };
        assert_eq!(decode(body, 100), Err(expected));
    }
}
