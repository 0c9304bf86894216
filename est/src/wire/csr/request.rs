//! The structure of a certification request (RFC 2986 section 4), with every part kept as it was sent.

use std::ops::Range;

use der::Decode as _;
use x509_cert::name::Name;

use super::attribute::{self, Attribute, ChallengePassword, RequestedExtension};
use super::name_text::{name_text, plain_name_text};
use super::{CsrLimits, PublicKey, PublicKeyKind};
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};

/// A certification request.
///
/// ```text
/// CertificationRequest ::= SEQUENCE {
///     certificationRequestInfo CertificationRequestInfo,
///     signatureAlgorithm       AlgorithmIdentifier,
///     signature                BIT STRING }
///
/// CertificationRequestInfo ::= SEQUENCE {
///     version       INTEGER { v1(0) },
///     subject       Name,
///     subjectPKInfo SubjectPublicKeyInfo,
///     attributes    [0] Attributes }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificationRequest {
    der: Vec<u8>,
    info: Range<usize>,
    subject: Range<usize>,
    subject_text: String,
    public_key: PublicKey,
    attributes: Vec<Attribute>,
    extensions: Vec<RequestedExtension>,
    challenge_password: Option<ChallengePassword>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    /// Takes the place of the subject in the request; see [`super::VerifiedCsr::with_names`].
    changed_subject: Option<Vec<u8>>,
}

/// The parts of a request in another syntax than PKCS #10, for instance CRMF. All but the key and the attributes lie
/// within `der`.
#[derive(Debug)]
pub(crate) struct RequestParts<'a> {
    /// The whole request.
    pub(crate) der: &'a [u8],
    /// The bytes that are signed.
    pub(crate) info: &'a [u8],
    /// The subject, a Name.
    pub(crate) subject: Element<'a>,
    pub(crate) public_key: PublicKey,
    /// What the syntax has in place of attributes, no type twice.
    pub(crate) attributes: Vec<Attribute>,
    /// The requested extensions, under whatever tag.
    pub(crate) extensions: Option<Element<'a>>,
    pub(crate) signature_algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl CertificationRequest {
    pub(super) fn from_parts(parts: &RequestParts<'_>, limits: &CsrLimits) -> Result<Self, WireError> {
        let mut extensions = Vec::new();
        if let Some(mut element) = parts.extensions {
            element.tag = tag::SEQUENCE;
            attribute::parse_extensions(element, limits, &mut extensions)?;
        }
        let challenge_password = parts
            .attributes
            .iter()
            .find(|attribute| attribute.oid == attribute::CHALLENGE_PASSWORD)
            .and_then(|attribute| attribute.values.first())
            .map(|value| {
                let value = Reader::new(value, Rules::Der).any("challengePassword")?;
                ChallengePassword::parse(&value)
            })
            .transpose()?;
        Ok(Self {
            info: range_of(parts.info, parts.der),
            subject_text: subject_text(&parts.subject)?,
            subject: range_of(parts.subject.raw, parts.der),
            public_key: parts.public_key.clone(),
            attributes: parts.attributes.clone(),
            extensions,
            challenge_password,
            signature_algorithm: range_of(parts.signature_algorithm, parts.der),
            signature: range_of(parts.signature, parts.der),
            der: parts.der.to_vec(),
            changed_subject: None,
        })
    }

    pub(super) fn parse(der: &[u8], limits: &CsrLimits) -> Result<Self, WireError> {
        let mut outer = Reader::new(der, Rules::Der);
        let request = outer.sequence("CertificationRequest")?;
        outer.finish("CertificationRequest")?;
        let mut reader = request.reader(Rules::Der);
        let info = reader.sequence("certificationRequestInfo")?;
        let signature_algorithm = reader.sequence("signatureAlgorithm")?;
        let signature = reader.expect(tag::BIT_STRING, "a BIT STRING", "signature")?;
        reader.finish("CertificationRequest")?;
        let signature = signature.octet_aligned_bits("signature")?;

        let mut reader = info.reader(Rules::Der);
        let version = reader.expect(tag::INTEGER, "an INTEGER", "version")?;
        // RFC 2986 section 4.1: "v1(0)" is the only version there is.
        if version.content != [0] {
            return Err(version.problem(
                "version",
                DerProblem::Value("the version is not v1(0)".to_owned()),
            ));
        }
        let subject = reader.sequence("subject")?;
        let public_key = PublicKey::parse(&reader.sequence("subjectPKInfo")?)?;
        // Some old clients leave out the attributes altogether instead of sending an empty set.
        let attributes = reader.optional(tag::CONTEXT_0, "attributes")?;
        reader.finish("certificationRequestInfo")?;
        let contents = match &attributes {
            Some(attributes) => Attributes::parse(attributes, limits)?,
            None => Attributes::default(),
        };
        Ok(Self {
            info: range_of(info.raw, der),
            subject_text: subject_text(&subject)?,
            subject: range_of(subject.raw, der),
            public_key,
            attributes: contents.attributes,
            extensions: contents.extensions,
            challenge_password: contents.challenge_password,
            signature_algorithm: range_of(signature_algorithm.raw, der),
            signature: range_of(signature, der),
            der: der.to_vec(),
            changed_subject: None,
        })
    }

    /// The whole request, as it was sent.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The CertificationRequestInfo: the bytes that are signed.
    pub fn info_der(&self) -> &[u8] {
        self.part(&self.info)
    }

    /// The subject (a Name), as it was sent.
    pub fn subject_der(&self) -> &[u8] {
        self.changed_subject
            .as_deref()
            .unwrap_or_else(|| self.part(&self.subject))
    }

    /// Whether the subject has no attribute at all.
    pub fn subject_is_empty(&self) -> bool {
        // A SEQUENCE without content.
        self.subject_der().len() == 2
    }

    /// The subject as RFC 4514 writes it, the most specific attribute first: `CN=ap7,OU=lab,DC=example,DC=com`.
    pub fn subject_text(&self) -> &str {
        &self.subject_text
    }

    /// The key that the certificate is for.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// All attributes, in the order they were sent, those that have an accessor of their own included.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The extensions that the requester wants in the certificate, in the order they were sent. No two have the
    /// same identifier.
    pub fn requested_extensions(&self) -> &[RequestedExtension] {
        &self.extensions
    }

    /// The `challengePassword` (RFC 2985 section 5.4.1), which EST uses for the channel binding.
    pub fn challenge_password(&self) -> Option<&ChallengePassword> {
        self.challenge_password.as_ref()
    }

    /// The AlgorithmIdentifier of the signature.
    pub fn signature_algorithm_der(&self) -> &[u8] {
        self.part(&self.signature_algorithm)
    }

    /// The signature: the octets of its BIT STRING.
    pub fn signature(&self) -> &[u8] {
        self.part(&self.signature)
    }

    /// Builds the request again out of its parts. The same bytes as [`Self::der`], unless the attributes were left
    /// out; the fuzz oracle compares the two.
    pub(super) fn reassemble(&self) -> Vec<u8> {
        let version = asn1::encode(tag::INTEGER, &[&[0]]);
        let attributes: Vec<Vec<u8>> = self.attributes.iter().map(Attribute::to_der).collect();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        let attributes = asn1::encode(tag::CONTEXT_0, &attributes);
        let spki = self.public_key.spki_der();
        let info = asn1::encode(tag::SEQUENCE, &[&version, self.subject_der(), spki, &attributes]);
        let signature = asn1::encode(tag::BIT_STRING, &[&[0], self.signature()]);
        asn1::encode(
            tag::SEQUENCE,
            &[&info, self.signature_algorithm_der(), &signature],
        )
    }

    /// The same request for a key of this kind that is yet to be made. [`Self::der`] stays what was sent.
    pub(crate) fn for_key_to_be_made(&self, kind: PublicKeyKind) -> Self {
        Self {
            public_key: PublicKey::yet_to_be_made(kind),
            ..self.clone()
        }
    }

    /// Takes these names instead of those in the request.
    pub(super) fn change_names(
        &mut self,
        subject: Option<Vec<u8>>,
        alternative_names: Option<Vec<u8>>,
    ) -> Result<(), WireError> {
        if let Some(subject) = subject {
            self.subject_text = subject_text(&Reader::new(&subject, Rules::Der).sequence("subject")?)?;
            self.changed_subject = Some(subject);
        }
        if let Some(value) = alternative_names {
            let same = |extension: &RequestedExtension| extension.oid == attribute::SUBJECT_ALT_NAME;
            match self.extensions.iter_mut().find(|extension| same(extension)) {
                Some(extension) => extension.value = value,
                None => self.extensions.push(RequestedExtension {
                    oid: attribute::SUBJECT_ALT_NAME,
                    critical: false,
                    value,
                }),
            }
        }
        Ok(())
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

/// Where `part`, a sub-slice of `whole`, stands in it.
fn range_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// A Name as RFC 4514 writes it, for messages; what is none is called so.
pub(crate) fn subject_text_of(name: &[u8]) -> String {
    Reader::new(name, Rules::Der)
        .sequence("subject")
        .and_then(|subject| subject_text(&subject))
        .unwrap_or_else(|_| "unreadable".to_owned())
}

/// Checks that the subject is a Name and writes it as text.
fn subject_text(subject: &Element<'_>) -> Result<String, WireError> {
    if let Some(text) = plain_name_text(subject) {
        return Ok(text);
    }
    let wrong = |text: String| subject.problem("subject", DerProblem::Value(text));
    let name =
        Name::from_der(subject.raw).map_err(|error| wrong(format!("not a distinguished name: {error}")))?;
    // RFC 5280 section 4.1.2.4: SIZE (1..MAX). Such a subject would be no name and yet not count as empty.
    if name.0.iter().any(|part| part.0.is_empty()) {
        return Err(wrong(
            "a part of the distinguished name has no attribute".to_owned(),
        ));
    }
    Ok(name_text(&name))
}

#[derive(Default)]
struct Attributes {
    attributes: Vec<Attribute>,
    extensions: Vec<RequestedExtension>,
    challenge_password: Option<ChallengePassword>,
}

impl Attributes {
    fn parse(set: &Element<'_>, limits: &CsrLimits) -> Result<Self, WireError> {
        let mut found = Self::default();
        let mut reader = set.reader(Rules::Der);
        while !reader.is_empty() {
            if found.attributes.len() >= limits.attributes {
                return Err(WireError::TooMany {
                    what: "attributes",
                    limit: limits.attributes,
                });
            }
            let element = reader.sequence("attribute")?;
            found.add(&element, limits)?;
        }
        Ok(found)
    }

    fn add(&mut self, element: &Element<'_>, limits: &CsrLimits) -> Result<(), WireError> {
        let attribute = Attribute::parse(element, limits)?;
        if self.attributes.iter().any(|other| other.oid == attribute.oid) {
            let problem = DerProblem::Duplicate(attribute::name_with_oid(&attribute.oid));
            return Err(element.problem("attribute", problem));
        }
        let is_extension_request =
            [attribute::EXTENSION_REQUEST, attribute::MICROSOFT_CERT_EXTENSIONS].contains(&attribute.oid);
        if is_extension_request {
            attribute::parse_extensions(single_value(element)?, limits, &mut self.extensions)?;
        } else if attribute.oid == attribute::CHALLENGE_PASSWORD {
            self.challenge_password = Some(ChallengePassword::parse(&single_value(element)?)?);
        }
        self.attributes.push(attribute);
        Ok(())
    }
}

/// The value of an attribute that has exactly one (RFC 2985: `SINGLE VALUE TRUE`), with its place in the request.
fn single_value<'a>(attribute: &Element<'a>) -> Result<Element<'a>, WireError> {
    let mut reader = attribute.reader(Rules::Der);
    reader.any("attribute type")?;
    let set = reader.any("attribute values")?;
    let mut values = set.reader(Rules::Der);
    let value = values.any("attribute value")?;
    if !values.is_empty() {
        return Err(set.problem(
            "attribute values",
            DerProblem::Value("more than one value".to_owned()),
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_without_an_attribute_is_no_name() {
        let text = |der: &[u8]| subject_text(&Reader::new(der, Rules::Der).sequence("subject").unwrap());
        assert_eq!(text(&[0x30, 0]), Ok(String::new()));
        let error = text(&[0x30, 2, 0x31, 0]).unwrap_err();
        assert!(error.to_string().contains("has no attribute"), "{error}");
    }
}
