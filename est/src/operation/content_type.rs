//! Whether the body of a request is of the kind that its operation takes.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::{Operation, Refusal};
use crate::wire::media_type::{MediaType, PKCS7_MIME};

/// One media type of the operation in any case and with any parameters; no `Content-Encoding`.
pub(super) fn check_content_type(operation: Operation, headers: &HeaderMap) -> Result<(), Refusal> {
    let shown = |value: &HeaderValue| -> String {
        String::from_utf8_lossy(value.as_bytes())
            .chars()
            .take(100)
            .collect()
    };
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if let Some(found) = encodings.find(|found| !found.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::ContentEncoding { found: shown(found) });
    }
    // Several make none (RFC 9110, section 5.3): somebody in between may have gone by another one.
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (found, another) = (types.next(), types.next());
    let fits = found
        .filter(|_| another.is_none())
        .and_then(|value| value.to_str().ok())
        .and_then(|value| MediaType::parse(value).ok())
        .is_some_and(|media_type| fits(operation, &media_type));
    if fits {
        Ok(())
    } else {
        Err(Refusal::WrongContentType {
            operation,
            found: found.map(|found| {
                another.into_iter().fold(shown(found), |all: String, another| {
                    format!("{all}, {}", shown(another))
                })
            }),
        })
    }
}

/// RFC 7030, sections 4.2.1, 4.3.1 and 4.4.1. A CMC request that leaves out its `smime-type` is still one: the path
/// says what the body is to be. A Simple PKI Request has the media type of PKCS #10 (RFC 5273 section 3).
fn fits(operation: Operation, media_type: &MediaType) -> bool {
    match operation {
        Operation::FullCmc => {
            let is_cms = media_type.essence() == PKCS7_MIME
                && media_type
                    .parameter("smime-type")
                    .is_none_or(|found| found.eq_ignore_ascii_case("CMC-request"));
            is_cms || media_type.is_pkcs10()
        }
        _ => media_type.is_pkcs10(),
    }
}
