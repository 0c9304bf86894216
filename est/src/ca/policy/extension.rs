//! Which extensions a certificate gets.

use const_oid::ObjectIdentifier;
use der::flagset::FlagSet;
use der::{self, Decode as _};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier};

use super::IssuancePolicy;
use crate::ca::x509::{
    AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Extension, KEY_USAGE, SUBJECT_ALT_NAME,
    SUBJECT_KEY_IDENTIFIER,
};
use crate::ca::{PolicyRefusal, PolicyRule};
use crate::wire::asn1::{self, tag};
use crate::wire::csr::{CertificationRequest, PublicKeyKind, RequestedExtension, name_with_oid};

/// `id-kp-serverAuth` (RFC 5280 section 4.2.1.12).
pub const ID_KP_SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
/// `id-kp-clientAuth` (RFC 5280 section 4.2.1.12).
pub const ID_KP_CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// Longest value of a requested extension, in bytes. A hundred long alternative names fit.
pub const DEFAULT_MAX_EXTENSION_LENGTH: usize = 8 * 1024;

/// Which extensions a certificate gets, besides alternative names.
///
/// # Defaults
/// `clientAuth` and `serverAuth`; nothing copied; an extension that is not listed refuses the request; values up to
/// [`DEFAULT_MAX_EXTENSION_LENGTH`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionPolicy {
    /// The extended key usages that are certified. A request that asks for some of them gets those, one that asks
    /// for none gets all. Empty: no `extKeyUsage` extension, and none may be asked for.
    pub extended_key_usages: Vec<ObjectIdentifier>,
    /// Extensions copied byte for byte from the request, criticality included. Those the authority sets itself are
    /// never copied, listed or not.
    pub copied: Vec<ObjectIdentifier>,
    /// Extensions that a request must have. Each must be let in by another rule as well.
    pub required: Vec<ObjectIdentifier>,
    /// Extensions that a request must not have, whatever the other rules say.
    pub forbidden: Vec<ObjectIdentifier>,
    /// What happens when any other extension is requested.
    pub unlisted: UnlistedExtensions,
    /// Longest value of a requested extension, in bytes.
    pub max_length: usize,
}

impl Default for ExtensionPolicy {
    fn default() -> Self {
        Self {
            extended_key_usages: vec![ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH],
            copied: Vec::new(),
            required: Vec::new(),
            forbidden: Vec::new(),
            unlisted: UnlistedExtensions::Refuse,
            max_length: DEFAULT_MAX_EXTENSION_LENGTH,
        }
    }
}

/// What happens to a requested extension that the policy does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnlistedExtensions {
    /// The request is refused, with the extension's name and number.
    #[default]
    Refuse,
    /// The certificate is issued without it. The requester is not told; the log is.
    Drop,
}

/// The extensions of the certificate, without the authority key identifier.
pub(super) fn select(
    policy: &IssuancePolicy,
    request: &CertificationRequest,
) -> Result<Vec<Extension>, PolicyRefusal> {
    let mut wanted = Wanted::default();
    for extension in request.requested_extensions() {
        wanted.add(policy, request, extension)?;
    }
    check_required(policy, request)?;
    let usages = wanted
        .key_usage
        .unwrap_or_else(|| usual_key_usages(request.public_key().kind()));
    let extended = wanted
        .extended_key_usages
        .unwrap_or_else(|| policy.extensions.extended_key_usages.clone());
    let encode = || -> der::Result<Vec<Extension>> {
        // Without a field, because cA is DEFAULT FALSE.
        let constraints = asn1::encode(tag::SEQUENCE, &[]);
        let mut extensions = vec![
            Extension::from_value(BASIC_CONSTRAINTS, true, constraints)?,
            Extension::from_value(KEY_USAGE, true, key_usage_der(usages))?,
        ];
        if !extended.is_empty() {
            let value = extended_key_usage_der(&extended);
            extensions.push(Extension::from_value(EXTENDED_KEY_USAGE, false, value)?);
        }
        let identifier = asn1::encode(tag::OCTET_STRING, &[request.public_key().key_identifier()]);
        extensions.push(Extension::from_value(SUBJECT_KEY_IDENTIFIER, false, identifier)?);
        for copied in wanted.copied {
            let critical = match copied.oid {
                // RFC 5280 section 4.2.1.6: critical exactly when the subject is empty.
                SUBJECT_ALT_NAME => request.subject_is_empty(),
                _ => copied.critical,
            };
            extensions.push(Extension::from_value(copied.oid, critical, copied.value.clone())?);
        }
        extensions.extend(policy.added.encode()?);
        Ok(extensions)
    };
    encode()
        .map_err(|error| PolicyRefusal::new(PolicyRule::Extension, format!("it cannot be encoded: {error}")))
}

/// A KeyUsage (RFC 5280 section 4.2.1.3): a named bit list, so it ends with its last one bit (X.690 section 11.2.2).
fn key_usage_der(usages: FlagSet<KeyUsages>) -> Vec<u8> {
    // The first bit of the list is the lowest one of the set and the highest one of the first octet.
    let [first, second] = usages.bits().to_le_bytes().map(u8::reverse_bits);
    let unused = |octet: u8| [u8::try_from(octet.trailing_zeros()).unwrap_or_default()];
    match (first, second) {
        (0, 0) => asn1::encode(tag::BIT_STRING, &[&[0]]),
        (_, 0) => asn1::encode(tag::BIT_STRING, &[&unused(first), &[first]]),
        _ => asn1::encode(tag::BIT_STRING, &[&unused(second), &[first, second]]),
    }
}

/// An ExtKeyUsageSyntax (RFC 5280 section 4.2.1.12).
fn extended_key_usage_der(usages: &[ObjectIdentifier]) -> Vec<u8> {
    let usages: Vec<Vec<u8>> = usages
        .iter()
        .map(|usage| asn1::encode(tag::OBJECT_IDENTIFIER, &[usage.as_bytes()]))
        .collect();
    let usages: Vec<&[u8]> = usages.iter().map(Vec::as_slice).collect();
    asn1::encode(tag::SEQUENCE, &usages)
}

/// What the request asks for and the policy allows.
#[derive(Default)]
struct Wanted<'a> {
    key_usage: Option<FlagSet<KeyUsages>>,
    extended_key_usages: Option<Vec<ObjectIdentifier>>,
    copied: Vec<&'a RequestedExtension>,
}

impl<'a> Wanted<'a> {
    fn add(
        &mut self,
        policy: &IssuancePolicy,
        request: &CertificationRequest,
        extension: &'a RequestedExtension,
    ) -> Result<(), PolicyRefusal> {
        let rules = &policy.extensions;
        if extension.value.len() > rules.max_length {
            let (name, length, most) = (extension.display_name(), extension.value.len(), rules.max_length);
            let text =
                format!("the requested extension {name} has {length} bytes; at most {most} are accepted");
            return Err(PolicyRefusal::new(PolicyRule::Extension, text));
        }
        if rules.forbidden.contains(&extension.oid) {
            let name = extension.display_name();
            let text = format!("the requested extension {name} is forbidden here; ask without it");
            return Err(PolicyRefusal::new(PolicyRule::Extension, text));
        }
        match extension.oid {
            oid if policy.added.sets(oid) => {
                if !policy.added.has(extension) {
                    unlisted(extension, rules.unlisted)?;
                }
            }
            // It says which key of the authority signs, and is the authority's to say. Clients that renew with the
            // extensions of their certificate, as libest's does, ask for that of the key that signed the last time.
            AUTHORITY_KEY_IDENTIFIER => {}
            BASIC_CONSTRAINTS => check_basic_constraints(&extension.value)?,
            KEY_USAGE => {
                self.key_usage = Some(check_key_usage(&extension.value, request.public_key().kind())?);
            }
            EXTENDED_KEY_USAGE => {
                self.extended_key_usages = Some(check_extended_key_usage(&extension.value, rules)?);
            }
            SUBJECT_KEY_IDENTIFIER => check_key_identifier(&extension.value, request)?,
            SUBJECT_ALT_NAME => {
                policy.alternative_names.check(&extension.value)?;
                self.copied.push(extension);
            }
            oid if rules.copied.contains(&oid) => self.copied.push(extension),
            _ => unlisted(extension, rules.unlisted)?,
        }
        Ok(())
    }
}

fn check_required(policy: &IssuancePolicy, request: &CertificationRequest) -> Result<(), PolicyRefusal> {
    let has = |oid| {
        request
            .requested_extensions()
            .iter()
            .any(|extension| extension.oid == oid)
    };
    if policy.alternative_names.required && !has(SUBJECT_ALT_NAME) {
        let text = "the request has no subjectAltName, and one is required; ask with a name in it".to_owned();
        return Err(PolicyRefusal::new(PolicyRule::SubjectAlternativeName, text));
    }
    match policy.extensions.required.iter().find(|oid| !has(**oid)) {
        None => Ok(()),
        Some(missing) => {
            let name = name_with_oid(missing);
            let text = format!("the request lacks the extension {name}, which is required; ask with it");
            Err(PolicyRefusal::new(PolicyRule::Extension, text))
        }
    }
}

fn unlisted(extension: &RequestedExtension, rule: UnlistedExtensions) -> Result<(), PolicyRefusal> {
    let name = extension.display_name();
    match rule {
        UnlistedExtensions::Refuse => {
            let text = format!(
                "the requested extension {name} is not certified here; ask without it, or have it added to the policy"
            );
            Err(PolicyRefusal::new(PolicyRule::Extension, text))
        }
        UnlistedExtensions::Drop => {
            tracing::info!(
                extension = name,
                "dropped a requested extension that the policy does not list"
            );
            Ok(())
        }
    }
}

fn check_basic_constraints(value: &[u8]) -> Result<(), PolicyRefusal> {
    let refuse = |text: String| Err(PolicyRefusal::new(PolicyRule::BasicConstraints, text));
    match BasicConstraints::from_der(value) {
        Ok(BasicConstraints {
            ca: false,
            path_len_constraint: None,
        }) => Ok(()),
        Ok(BasicConstraints { ca: true, .. }) => refuse(
            "a CA certificate was requested (basicConstraints CA:TRUE); this authority issues none"
                .to_owned(),
        ),
        Ok(_) => refuse("the requested basicConstraints has a path length without being a CA".to_owned()),
        Err(error) => refuse(format!("the requested basicConstraints cannot be read: {error}")),
    }
}

fn check_key_usage(value: &[u8], kind: &PublicKeyKind) -> Result<FlagSet<KeyUsages>, PolicyRefusal> {
    let refuse = |text: String| Err(PolicyRefusal::new(PolicyRule::KeyUsage, text));
    let requested = match KeyUsage::from_der(value) {
        Ok(usage) => usage.0,
        Err(error) => return refuse(format!("the requested keyUsage cannot be read: {error}")),
    };
    if requested.is_empty() {
        return refuse("the requested keyUsage names no usage".to_owned());
    }
    let allowed = possible_key_usages(kind);
    let excess = requested - allowed;
    if excess.is_empty() {
        return Ok(requested);
    }
    refuse(format!(
        "the requested keyUsage {} is not certified for a key of type {kind}; possible are {}",
        usage_names(excess),
        usage_names(allowed)
    ))
}

/// What a certificate gets when the request does not say: what TLS needs (RFC 8446 section 4.4.2.2; key
/// encipherment for RSA key transport in TLS 1.2).
fn usual_key_usages(kind: &PublicKeyKind) -> FlagSet<KeyUsages> {
    match kind {
        PublicKeyKind::Rsa { .. } => KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment,
        _ => KeyUsages::DigitalSignature.into(),
    }
}

/// What an end entity may ask for. Usages that a key cannot serve stay out (RFC 3279 section 2.3, RFC 8410
/// section 5, RFC 4055 section 1.2).
fn possible_key_usages(kind: &PublicKeyKind) -> FlagSet<KeyUsages> {
    let signing = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    match kind {
        PublicKeyKind::Rsa { .. } => signing | KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment,
        PublicKeyKind::EcP256
        | PublicKeyKind::EcP384
        | PublicKeyKind::EcP521
        | PublicKeyKind::EcOther { .. } => signing | KeyUsages::KeyAgreement,
        _ => signing,
    }
}

fn usage_names(usages: FlagSet<KeyUsages>) -> String {
    let name = |usage| match usage {
        KeyUsages::DigitalSignature => "digitalSignature",
        KeyUsages::NonRepudiation => "nonRepudiation",
        KeyUsages::KeyEncipherment => "keyEncipherment",
        KeyUsages::DataEncipherment => "dataEncipherment",
        KeyUsages::KeyAgreement => "keyAgreement",
        KeyUsages::KeyCertSign => "keyCertSign",
        KeyUsages::CRLSign => "cRLSign",
        KeyUsages::EncipherOnly => "encipherOnly",
        KeyUsages::DecipherOnly => "decipherOnly",
    };
    usages.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

fn check_extended_key_usage(
    value: &[u8],
    rules: &ExtensionPolicy,
) -> Result<Vec<ObjectIdentifier>, PolicyRefusal> {
    let refuse = |text: String| Err(PolicyRefusal::new(PolicyRule::ExtendedKeyUsage, text));
    let requested = match ExtendedKeyUsage::from_der(value) {
        Ok(usages) => usages.0,
        Err(error) => return refuse(format!("the requested extKeyUsage cannot be read: {error}")),
    };
    if requested.is_empty() {
        return refuse("the requested extKeyUsage names no usage".to_owned());
    }
    match requested
        .iter()
        .find(|usage| !rules.extended_key_usages.contains(usage))
    {
        None => Ok(requested),
        Some(usage) => {
            let known: Vec<String> = rules.extended_key_usages.iter().map(name_with_oid).collect();
            let usage = name_with_oid(usage);
            refuse(format!(
                "the requested extKeyUsage {usage} is not certified here; possible are: {}",
                known.join(", ")
            ))
        }
    }
}

fn check_key_identifier(value: &[u8], request: &CertificationRequest) -> Result<(), PolicyRefusal> {
    let ours = request.public_key().key_identifier();
    match SubjectKeyIdentifier::from_der(value) {
        Ok(requested) if requested.0.as_bytes() == ours => Ok(()),
        _ => {
            let text = "the requested subjectKeyIdentifier is not the SHA-1 of the public key (RFC 5280 section \
                        4.2.1.2 method 1), which this authority puts there; ask without it";
            Err(PolicyRefusal::new(PolicyRule::SubjectKeyIdentifier, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode as _;

    #[test]
    fn writes_usages_as_the_derived_encoder_does() {
        for bits in 0..=0x1ff {
            let usages = FlagSet::<KeyUsages>::new(bits).unwrap();
            assert_eq!(
                key_usage_der(usages),
                KeyUsage(usages).to_der().unwrap(),
                "{bits:b}"
            );
        }
        for usages in [vec![], vec![ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH]] {
            let derived = ExtendedKeyUsage(usages.clone()).to_der().unwrap();
            assert_eq!(extended_key_usage_der(&usages), derived);
        }
    }
}
