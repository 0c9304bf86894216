//! How an encrypted private key is protected: the scheme, how the key comes out of the passphrase, and how dear a guess
//! is. Salts and the encrypted octets are not shown: nobody needs them to judge it.

use const_oid::ObjectIdentifier;

use super::Report;
use crate::error::WireError;
use crate::wire::asn1::{Element, Reader, Rules, tag};
use crate::wire::csr::name_with_oid;

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
const HMAC_SHA1: &str = "HMAC with SHA-1 (the default)";

/// `pbeWithMD5AndDES-CBC` and its like (RFC 8018 appendix A.3), and those of PKCS #12 (RFC 7292 appendix C): 40 to 168
/// bits under MD5 or SHA-1.
const OLD_SCHEMES: [(&str, &str); 12] = [
    ("1.2.840.113549.1.5.1", "PBES1 with MD2 and DES"),
    ("1.2.840.113549.1.5.3", "PBES1 with MD5 and DES"),
    ("1.2.840.113549.1.5.4", "PBES1 with MD2 and RC2"),
    ("1.2.840.113549.1.5.6", "PBES1 with MD5 and RC2"),
    ("1.2.840.113549.1.5.10", "PBES1 with SHA-1 and DES"),
    ("1.2.840.113549.1.5.11", "PBES1 with SHA-1 and RC2"),
    ("1.2.840.113549.1.12.1.1", "PKCS #12 with SHA-1 and 128 bit RC4"),
    ("1.2.840.113549.1.12.1.2", "PKCS #12 with SHA-1 and 40 bit RC4"),
    ("1.2.840.113549.1.12.1.3", "PKCS #12 with SHA-1 and 3DES"),
    ("1.2.840.113549.1.12.1.4", "PKCS #12 with SHA-1 and 2-key 3DES"),
    ("1.2.840.113549.1.12.1.5", "PKCS #12 with SHA-1 and 128 bit RC2"),
    ("1.2.840.113549.1.12.1.6", "PKCS #12 with SHA-1 and 40 bit RC2"),
];

/// The facts of an EncryptedPrivateKeyInfo.
pub(super) fn describe(report: Report, bytes: &[u8]) -> Report {
    match read(&report, bytes) {
        Ok(report) => report,
        Err(error) => report.with_problem(format!("its encryption cannot be read: {error}")),
    }
}

fn read(report: &Report, bytes: &[u8]) -> Result<Report, WireError> {
    let mut reader = Reader::new(bytes, Rules::Ber)
        .sequence("EncryptedPrivateKeyInfo")?
        .reader(Rules::Ber);
    let (oid, parameters) = algorithm(&reader.sequence("encryptionAlgorithm")?)?;
    let data = reader.expect(tag::OCTET_STRING, "an OCTET STRING", "encryptedData")?;
    let report = report
        .clone()
        .with("encrypted bytes", data.content.len().to_string());
    if oid == PBES2 {
        return pbes2(report.with("scheme", "PBES2 (RFC 8018)"), parameters);
    }
    let old = OLD_SCHEMES.iter().find(|(number, _)| *number == oid.to_string());
    let Some((_, name)) = old else {
        return Ok(report
            .with("scheme", name_with_oid(&oid))
            .with_problem("the scheme is not known here"));
    };
    let mut report = report.with("scheme", *name);
    if let Some(parameters) = parameters {
        let mut fields = parameters.reader(Rules::Ber);
        let salt = fields.expect(tag::OCTET_STRING, "an OCTET STRING", "salt")?;
        let iterations = number(&mut fields, "iterationCount")?;
        report = report.with(
            "key derivation",
            format!("{iterations} iterations, salt of {} bytes", salt.content.len()),
        );
    }
    Ok(report.with_problem("the scheme is an old one and guessed at quickly; encrypt the key anew (openssl pkcs8 -topk8 -v2 aes256)"))
}

fn pbes2(report: Report, parameters: Option<Element<'_>>) -> Result<Report, WireError> {
    let Some(parameters) = parameters else {
        return Ok(report.with_problem("PBES2 without parameters"));
    };
    let mut fields = parameters.reader(Rules::Ber);
    let (derivation, details) = algorithm(&fields.sequence("keyDerivationFunc")?)?;
    let (cipher, _) = algorithm(&fields.sequence("encryptionScheme")?)?;
    let report = report.with("cipher", name_with_oid(&cipher));
    let Some(details) = details else {
        return Ok(report.with_problem("the key derivation has no parameters"));
    };
    let mut fields = details.reader(Rules::Ber);
    let salt = match derivation {
        PBKDF2 | SCRYPT => fields
            .expect(tag::OCTET_STRING, "an OCTET STRING", "salt")?
            .content
            .len(),
        _ => {
            return Ok(report
                .with("key derivation", name_with_oid(&derivation))
                .with_problem("the key derivation is not known here"));
        }
    };
    let report = report.with("salt", format!("{salt} bytes"));
    if derivation == SCRYPT {
        let [cost, block, parallel] = [
            number(&mut fields, "costParameter")?,
            number(&mut fields, "blockSize")?,
            number(&mut fields, "parallelizationParameter")?,
        ];
        let memory = cost.saturating_mul(block).saturating_mul(128) / 1024;
        return Ok(report.with("key derivation", "scrypt (RFC 7914)").with(
            "scrypt parameters",
            format!("N={cost}, r={block}, p={parallel}: {memory} KiB of memory"),
        ));
    }
    let iterations = number(&mut fields, "iterationCount")?;
    fields.optional(tag::INTEGER, "keyLength")?;
    let prf = match fields.optional(tag::SEQUENCE, "prf")? {
        Some(prf) => name_with_oid(&algorithm(&prf)?.0),
        None => HMAC_SHA1.to_owned(),
    };
    Ok(report
        .with("key derivation", "PBKDF2 (RFC 8018)")
        .with("iterations", iterations.to_string())
        .with("pseudo-random function", prf))
}

fn algorithm<'a>(element: &Element<'a>) -> Result<(ObjectIdentifier, Option<Element<'a>>), WireError> {
    let mut reader = element.reader(Rules::Ber);
    let oid = reader
        .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "algorithm")?
        .object_identifier("algorithm")?;
    let parameters = match reader.is_empty() {
        true => None,
        false => Some(reader.any("parameters")?),
    };
    Ok((oid, parameters.filter(|parameters| parameters.tag != tag::NULL)))
}

/// An INTEGER that fits; a larger one is told as the largest.
fn number(reader: &mut Reader<'_>, field: &'static str) -> Result<u64, WireError> {
    let element = reader.expect(tag::INTEGER, "an INTEGER", field)?;
    let octets = element.content.iter().copied().skip_while(|octet| *octet == 0);
    Ok(octets.fold(0_u64, |value, octet| {
        value.saturating_mul(256).saturating_add(octet.into())
    }))
}
