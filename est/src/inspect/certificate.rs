//! Certificates, alone and among each other.

use der::Decode as _;
use der::asn1::Uint;
use pki_common::clock::{distance, human_duration, rfc3339};
use pki_common::signature::SignaturePolicy;
use pki_common::{Certificate, HashAlgorithm};
use rustls_pki_types::UnixTime;
use sha2::{Digest as _, Sha256};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
    ExtendedKeyUsage, IssuingDistributionPoint, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
    name::{DistributionPointName, GeneralName},
};

use super::{Report, hex};
use crate::wire::csr::name_with_oid;

/// RFC 5280, section 4.1.2.5: this end means "no well-defined end".
const NO_WELL_DEFINED_END: u64 = 253_402_300_799;

pub(super) fn inspect(bytes: &[u8], now: UnixTime) -> Report {
    let report = Report::new("certificate", "DER");
    let certificate = match Certificate::from_der(bytes) {
        Ok(certificate) => certificate,
        Err(error) => return report.with_problem(format!("it cannot be read: {error}")),
    };
    let names: Vec<_> = certificate
        .subject_alternative_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    let digest = Sha256::digest(certificate.der());
    let mut report = report
        .with("version", certificate.version().to_string())
        .with("serial number", hex(certificate.serial_number()))
        .with("subject", certificate.subject())
        .with("issuer", certificate.issuer())
        .with("not before", rfc3339(certificate.not_before()))
        .with("not after", rfc3339(certificate.not_after()))
        .with_list("subject alternative names", names)
        .with("key", certificate.key_type().to_string())
        .with(
            "key hash SHA-1",
            certificate.key_hash(HashAlgorithm::Sha1).to_string(),
        )
        .with(
            "key hash SHA-256",
            certificate.key_hash(HashAlgorithm::Sha256).to_string(),
        )
        .with("fingerprint SHA-256", hex(&digest))
        .with(
            "signature algorithm",
            certificate.signature_algorithm().to_string(),
        );
    // The strict reader of the other crate sees the extensions; one that it refuses has been explained above.
    if let Ok(parsed) = x509_cert::Certificate::from_der(bytes) {
        let extensions = parsed.tbs_certificate.extensions.unwrap_or_default();
        report = report.with_list("extensions", extensions.iter().map(describe).collect());
    }
    let self_signature = if !certificate.is_self_issued() {
        "made by the issuer, which is not here"
    } else if certificate.is_self_signed() {
        "made by its own key, and right"
    } else {
        "not made by its own key, though issuer and subject are the same"
    };
    report = report.with("signature", self_signature);
    report.problems = problems(&certificate, now);
    report
}

fn problems(certificate: &Certificate, now: UnixTime) -> Vec<String> {
    let mut problems = Vec::new();
    let (start, end) = (certificate.not_before(), certificate.not_after());
    if end < start {
        problems.push("its validity ends before it begins".to_owned());
    } else if now < start {
        let wait = human_duration(distance(now, start));
        problems.push(format!("it is not valid yet: it begins in {wait}"));
    } else if now > end && end.as_secs() != NO_WELL_DEFINED_END {
        let since = human_duration(distance(end, now));
        problems.push(format!("it ended {since} ago"));
    }
    problems.extend(weak_key(&certificate.key_type().to_string()));
    if certificate.signature_algorithm().is_weak() {
        problems.push(format!(
            "its signature algorithm {} is no longer trusted",
            certificate.signature_algorithm()
        ));
    }
    if certificate.version() < 3 {
        problems.push(format!(
            "it is of version {}: it has no extensions, and most software refuses it",
            certificate.version()
        ));
    }
    problems
}

/// What is said of a key that is too small, from its description: `RSA 1024`, `EC P-256`.
pub(super) fn weak_key(description: &str) -> Option<String> {
    let bits: u32 = description
        .contains("RSA")
        .then(|| description.split(|character: char| !character.is_ascii_digit()))?
        .find_map(|part| part.parse().ok().filter(|bits| *bits >= 256))?;
    (bits < 2048).then(|| format!("its RSA key has {bits} bits; 2048 are the least that is safe"))
}

/// What certificates that came together are to each other.
pub(super) fn among(certificates: &[Certificate]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let subject = certificate.subject();
        if certificates
            .iter()
            .take(index)
            .any(|other| other.der() == certificate.der())
        {
            problems.push(format!("the certificate of {subject} is there twice"));
            continue;
        }
        if certificate.is_self_issued() {
            continue;
        }
        let mut issuers = certificates
            .iter()
            .filter(|other| other.subject_der() == certificate.issuer_der())
            .peekable();
        if issuers.peek().is_none() {
            continue;
        }
        let issuer = issuers.find(|issuer| {
            certificate
                .verify_signed_by(issuer.spki_der(), SignaturePolicy::strict())
                .is_ok()
        });
        match issuer {
            None => problems.push(format!(
                "the signature of {subject} was not made by the certificate here that has its issuer's name"
            )),
            Some(issuer) if certificate.not_after() > issuer.not_after() => problems.push(format!(
                "{subject} outlives its issuer by {}",
                human_duration(distance(issuer.not_after(), certificate.not_after()))
            )),
            Some(_) => {}
        }
    }
    problems
}

/// One line: name and number, `critical`, and what it says when it is one of the usual ones.
pub(super) fn describe(extension: &Extension) -> String {
    let critical = if extension.critical { ", critical" } else { "" };
    let value = extension.extn_value.as_bytes();
    format!(
        "{}{critical}: {}",
        name_with_oid(&extension.extn_id),
        meaning(&extension.extn_id.to_string(), value)
    )
}

/// What the value of an extension says; hexadecimal digits when it is not known.
pub(super) fn meaning(oid: &str, value: &[u8]) -> String {
    let known = match oid {
        "2.5.29.19" => BasicConstraints::from_der(value).ok().map(|constraints| {
            let depth = constraints.path_len_constraint.map_or_else(String::new, |depth| {
                format!(", at most {depth} authorities below")
            });
            if constraints.ca {
                format!("CA{depth}")
            } else {
                "no CA".to_owned()
            }
        }),
        "2.5.29.15" => KeyUsage::from_der(value).ok().map(|usage| {
            let names: Vec<_> = usage.0.into_iter().map(|one| format!("{one:?}")).collect();
            names.join(", ")
        }),
        "2.5.29.37" => ExtendedKeyUsage::from_der(value).ok().map(|usages| {
            let names: Vec<_> = usages.0.iter().map(name_with_oid).collect();
            names.join(", ")
        }),
        "2.5.29.14" => SubjectKeyIdentifier::from_der(value)
            .ok()
            .map(|identifier| hex(identifier.0.as_bytes())),
        "2.5.29.35" => AuthorityKeyIdentifier::from_der(value)
            .ok()
            .and_then(|identifier| identifier.key_identifier)
            .map(|identifier| hex(identifier.as_bytes())),
        "2.5.29.17" => SubjectAltName::from_der(value)
            .ok()
            .map(|names| names.0.iter().map(general_name).collect::<Vec<_>>().join(", ")),
        "2.5.29.31" | "2.5.29.46" => CrlDistributionPoints::from_der(value).ok().map(|points| {
            let names: Vec<_> = points
                .0
                .iter()
                .map(|point| point_name(point.distribution_point.as_ref()))
                .collect();
            names.join(", ")
        }),
        "2.5.29.28" => IssuingDistributionPoint::from_der(value)
            .ok()
            .map(|point| issuing_point(&point)),
        "2.5.29.20" | "2.5.29.27" => Uint::from_der(value)
            .ok()
            .map(|number| integer(number.as_bytes())),
        "1.3.6.1.5.5.7.1.1" => AuthorityInfoAccessSyntax::from_der(value).ok().map(|access| {
            let names = access.0.iter().map(|one| {
                format!(
                    "{} {}",
                    name_with_oid(&one.access_method),
                    general_name(&one.access_location)
                )
            });
            names.collect::<Vec<_>>().join(", ")
        }),
        _ => None,
    };
    known.unwrap_or_else(|| hex(value))
}

/// Decimal when it is no longer than that of a person's counting, else hexadecimal.
fn integer(octets: &[u8]) -> String {
    match octets.len() {
        0..=8 => octets
            .iter()
            .fold(0_u64, |number, octet| (number << 8) | u64::from(*octet))
            .to_string(),
        _ => format!("0x{}", hex(octets)),
    }
}

fn point_name(name: Option<&DistributionPointName>) -> String {
    match name {
        None => "no name".to_owned(),
        Some(DistributionPointName::FullName(names)) => {
            names.iter().map(general_name).collect::<Vec<_>>().join(", ")
        }
        Some(DistributionPointName::NameRelativeToCRLIssuer(name)) => {
            format!("relative to the issuer: {name}")
        }
    }
}

fn issuing_point(point: &IssuingDistributionPoint) -> String {
    let mut parts = vec![point_name(point.distribution_point.as_ref())];
    for (set, text) in [
        (
            point.only_contains_user_certs,
            "only certificates of end entities",
        ),
        (point.only_contains_ca_certs, "only certificates of authorities"),
        (point.only_contains_attribute_certs, "only attribute certificates"),
        (point.indirect_crl, "also certificates of other issuers"),
        (point.only_some_reasons.is_some(), "only some reasons"),
    ] {
        if set {
            parts.push(text.to_owned());
        }
    }
    parts.join("; ")
}

fn general_name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => format!("DNS:{}", name.as_str()),
        GeneralName::Rfc822Name(name) => format!("email:{}", name.as_str()),
        GeneralName::UniformResourceIdentifier(uri) => format!("URI:{}", uri.as_str()),
        GeneralName::IpAddress(octets) => match octets.as_bytes() {
            bytes if bytes.len() == 4 => <[u8; 4]>::try_from(bytes).map_or_else(
                |_| hex(bytes),
                |v4| format!("IP:{}", std::net::Ipv4Addr::from(v4)),
            ),
            bytes => <[u8; 16]>::try_from(bytes).map_or_else(
                |_| format!("IP:{}", hex(bytes)),
                |v6| format!("IP:{}", std::net::Ipv6Addr::from(v6)),
            ),
        },
        GeneralName::DirectoryName(name) => format!("DirName:{name}"),
        GeneralName::RegisteredId(oid) => format!("RID:{oid}"),
        GeneralName::OtherName(other) => format!("otherName:{}", name_with_oid(&other.type_id)),
        GeneralName::EdiPartyName(_) => "ediPartyName".to_owned(),
    }
}
