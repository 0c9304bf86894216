//! What goes to the pages of web enrolment: queries, and the form of a submission (B-02).

use core::fmt;

use der::pem::LineEnding;

/// What a submission says of itself in the list of a browser; the CA keeps no record of it.
const FRIENDLY_TYPE: &str = "Saved-Request Certificate";

/// The longest name of a template, and the longest attribute line, in characters. AD CS keeps attributes in a column of
/// 8192 characters and template names in one of 64.
pub const MAX_ATTRIBUTE: usize = 1024;

/// Most attribute lines beside the template's.
pub const MAX_ATTRIBUTES: usize = 32;

/// The number under which a CA keeps a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a certificate is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// DER.
    Bin,
    /// PEM.
    B64,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bin => "bin",
            Self::B64 => "b64",
        })
    }
}

/// The query of `certnew.cer` for an issued certificate, spelled as in F002-29: `ReqID=10&ENC=b64`.
#[must_use]
pub fn certificate_query(request: RequestId, encoding: Encoding) -> String {
    format!("ReqID={request}&ENC={encoding}")
}

/// The query of `certnew.p7b`, `certnew.cer` and `certcrl.crl` for the CA's own, spelled as in F002-16:
/// `ReqID=CACert&Renewal=0&Enc=bin`.
#[must_use]
pub fn ca_query(renewal: u32, encoding: Encoding) -> String {
    format!("ReqID=CACert&Renewal={renewal}&Enc={encoding}")
}

/// The query of `certcrl.crl`.
#[must_use]
pub fn revocation_list_query(renewal: u32) -> String {
    format!("Type=base&Renewal={renewal}&Enc=bin")
}

/// A value of a query by its name, whatever the case of the name is: the pages have `Enc` and `ENC` (F002-30).
#[must_use]
pub fn query_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .map(|pair| pair.strip_prefix("amp;").unwrap_or(pair))
        .filter_map(|pair| pair.split_once('='))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// A request for a certificate as `certfnsh.asp` takes it.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The certification request in DER.
    pub csr: &'a [u8],
    /// The name of the template, not its display name.
    pub template: &'a str,
    /// More attributes, `name:value` each.
    pub attributes: &'a [String],
}

impl Submission<'_> {
    /// The body, `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// [`FormError`] when template or attributes do not fit the form.
    pub fn body(&self) -> Result<String, FormError> {
        check_template(self.template)?;
        check_attributes(self.attributes)?;
        let mut attributes = format!("CertificateTemplate:{}\r\n", self.template);
        for attribute in self.attributes {
            attributes.push_str(attribute);
            attributes.push_str("\r\n");
        }
        let request = der::pem::encode_string("CERTIFICATE REQUEST", LineEnding::CRLF, self.csr)
            .map_err(|_| FormError::RequestTooLong)?;
        let fields = [
            ("Mode", "newreq"),
            ("CertRequest", request.as_str()),
            ("CertAttrib", attributes.as_str()),
            ("FriendlyType", FRIENDLY_TYPE),
            ("ThumbPrint", ""),
            ("TargetStoreFlags", "0"),
            ("SaveCert", "yes"),
        ];
        let body = String::with_capacity(request.len() * 3 / 2 + 512);
        Ok(form_urlencoded::Serializer::new(body)
            .extend_pairs(fields)
            .finish())
    }
}

/// Whether `template` can be the name of a template.
///
/// # Errors
/// [`FormError`]
pub fn check_template(template: &str) -> Result<(), FormError> {
    if template.is_empty() {
        return Err(FormError::NoTemplate);
    }
    check_line("the name of the template", template)
}

/// Whether `attributes` can be more lines of the form.
///
/// # Errors
/// [`FormError`]
pub fn check_attributes(attributes: &[String]) -> Result<(), FormError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(FormError::TooManyAttributes);
    }
    for attribute in attributes {
        check_line("an attribute", attribute)?;
        match attribute.split_once(':') {
            Some((name, _)) if !name.trim().is_empty() => {}
            _ => {
                return Err(FormError::NotAnAttribute {
                    found: attribute.clone(),
                });
            }
        }
        if attribute
            .split_once(':')
            .is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("CertificateTemplate"))
        {
            return Err(FormError::SecondTemplate);
        }
    }
    Ok(())
}

/// A line end would begin another attribute, which somebody else then chooses.
fn check_line(what: &'static str, text: &str) -> Result<(), FormError> {
    if text.chars().any(char::is_control) {
        return Err(FormError::ControlCharacter { what });
    }
    if text.chars().count() > MAX_ATTRIBUTE {
        return Err(FormError::TooLong { what });
    }
    Ok(())
}

/// What does not fit the form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// There is no name of a template.
    #[error("the name of the certificate template is empty")]
    NoTemplate,
    /// A line end or another control character.
    #[error("{what} holds a control character")]
    ControlCharacter {
        /// Where.
        what: &'static str,
    },
    /// More characters than fit.
    #[error("{what} is longer than {MAX_ATTRIBUTE} characters")]
    TooLong {
        /// What.
        what: &'static str,
    },
    /// More lines than are sent.
    #[error("there are more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes,
    /// A line that is no attribute.
    #[error("{found:?} is no attribute; write name:value")]
    NotAnAttribute {
        /// The line.
        found: String,
    },
    /// An attribute that names a template again.
    #[error("the attribute CertificateTemplate is made of the template; leave it out")]
    SecondTemplate,
    /// A request that PEM cannot carry.
    #[error("the certification request is too long for the form")]
    RequestTooLong,
}

impl pki_common::Diagnose for FormError {
    fn diagnose(&self) -> pki_common::Failure {
        let remedy = "Correct the template and the attributes of the request.";
        pki_common::Failure::new(pki_common::Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_fields_that_the_page_reads() {
        let submission = Submission {
            csr: &[0x30, 0],
            template: "Cisco RA",
            attributes: &["san:dns=phone.example".to_owned()],
        };
        assert_eq!(
            submission.body().unwrap(),
            "Mode=newreq&CertRequest=-----BEGIN+CERTIFICATE+REQUEST-----%0D%0AMAA%3D%0D%0A-----END+CERTIFICATE+REQUEST-----%0D%0A\
             &CertAttrib=CertificateTemplate%3ACisco+RA%0D%0Asan%3Adns%3Dphone.example%0D%0A\
             &FriendlyType=Saved-Request+Certificate&ThumbPrint=&TargetStoreFlags=0&SaveCert=yes"
        );
    }

    #[test]
    fn no_value_can_add_a_line_of_its_own() {
        let body = |template: &str, attribute: &str| {
            let attributes = [attribute.to_owned()];
            let submission = Submission {
                csr: &[0x30, 0],
                template,
                attributes: &attributes,
            };
            submission.body().map(|_| ())
        };
        assert_eq!(
            body("a\r\nCertificateTemplate:b", "x:y"),
            Err(FormError::ControlCharacter {
                what: "the name of the template"
            })
        );
        assert!(matches!(
            body("a", "x:y\nz"),
            Err(FormError::ControlCharacter { .. })
        ));
        assert_eq!(
            body("a", "certificatetemplate : b"),
            Err(FormError::SecondTemplate)
        );
        assert!(matches!(
            body("a", "no colon"),
            Err(FormError::NotAnAttribute { .. })
        ));
        assert_eq!(body("", "x:y"), Err(FormError::NoTemplate));
    }

    #[test]
    fn names_in_a_query_have_no_case() {
        assert_eq!(query_value("ReqID=10&ENC=b64", "enc"), Some("b64"));
        assert_eq!(query_value("reqid=10&amp;Enc=bin", "Enc"), Some("bin"));
        assert_eq!(query_value("x", "x"), None);
        assert_eq!(
            certificate_query(RequestId(10), Encoding::B64),
            "ReqID=10&ENC=b64"
        );
        assert_eq!(ca_query(0, Encoding::Bin), "ReqID=CACert&Renewal=0&Enc=bin");
    }
}
