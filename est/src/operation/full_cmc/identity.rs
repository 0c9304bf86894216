//! Who asks: the holder of the signer's certificate, of a shared secret, or the client of the HTTP exchange.

use super::controls::{Plan, Proof};
use super::secrets::SharedSecret;
use super::signature::SignedBy;
use super::{Exchange, enrollment};
use crate::ca::{Authentication, Requester};
use crate::wire::cmc::identity_proof::{self, IdentityProofError};
use crate::wire::cmc::{BodyPartId, CmcFailInfo, CmcStatusInfo, PkiData};

/// Who asks, with what the authority puts on record.
pub(super) struct Identification<'a> {
    pub(super) requester: Requester,
    /// The secret that proved it, if one did.
    pub(super) secret: Option<&'a SharedSecret>,
}

/// The text of every failure, so that a stranger does not learn which identifications exist.
const NOT_PROVEN: &str = "identification and identity proof do not belong together, or the secret is wrong";

/// Establishes who asks.
pub(super) fn establish<'a>(
    exchange: &Exchange<'a>,
    plan: &Plan,
    data: &PkiData,
    signed_by: &SignedBy,
) -> Result<Identification<'a>, CmcStatusInfo> {
    let secret = match &plan.proof {
        Some(proof) => Some(check(exchange, plan, data, proof)?),
        None => None,
    };
    let mut requester = enrollment::requester(exchange.request);
    match signed_by {
        SignedBy::Certificate(certificate) => {
            add_name(&mut requester, certificate.subject());
            requester.authentication = requester.authentication.and(Authentication::CERTIFICATE);
            requester.certificate = Some(certificate.clone());
        }
        SignedBy::RequestKey | SignedBy::Nobody => {
            if secret.is_none() && exchange.settings.identity_proof_required {
                let text =
                    "neither a certified key has signed the request nor does it hold an identity proof";
                return Err(CmcStatusInfo::failed(
                    &[BodyPartId::WHOLE],
                    CmcFailInfo::BAD_IDENTITY,
                    text,
                ));
            }
            // A token is not under the identity proof, which is over the requests alone: only a signature binds it.
            if matches!(signed_by, SignedBy::Nobody)
                && let Some((id, _)) = plan.queries.first()
            {
                let text = "a query for a pending request must be signed";
                return Err(CmcStatusInfo::failed(&[*id], CmcFailInfo::BAD_IDENTITY, text));
            }
        }
    }
    if secret.is_some()
        && let Some(identification) = &plan.identification
    {
        add_name(&mut requester, identification);
    }
    Ok(Identification { requester, secret })
}

/// Both names when HTTP and CMC know the client by different ones.
fn add_name(requester: &mut Requester, name: &str) {
    if requester.authentication.is_none() {
        requester.name = name.to_owned();
    } else if requester.name != name {
        requester.name = format!("{}; CMC: {name}", requester.name);
    }
}

fn check<'a>(
    exchange: &Exchange<'a>,
    plan: &Plan,
    data: &PkiData,
    proof: &Proof,
) -> Result<&'a SharedSecret, CmcStatusInfo> {
    let id = match proof {
        Proof::Sha1(id, _) | Proof::V2(id, _) => *id,
    };
    let failed = |reason, text: String| CmcStatusInfo::failed(&[id], reason, text);
    let Some(identification) = plan.identification.as_deref() else {
        let text = "an identity proof needs the identification control, by which the secret is found";
        return Err(failed(CmcFailInfo::BAD_IDENTITY, text.to_owned()));
    };
    let secrets = &exchange.settings.secrets;
    let found = secrets.of(identification);
    // For an unknown name the same work is done, with a secret that fits nothing.
    let secret: &[u8] = found.map_or(&[], |entry| &entry.secret);
    let message = data.requests_der();
    let verdict = match proof {
        Proof::Sha1(_, witness) => {
            identity_proof::verify_sha1(witness, message, secret, Some(identification))
        }
        Proof::V2(_, proof) => identity_proof::verify(proof, message, secret, Some(identification)),
    };
    match (verdict, found) {
        (Ok(()), Some(entry)) => Ok(entry),
        (Err(error @ IdentityProofError::Algorithm(_)), _) => {
            Err(failed(CmcFailInfo::BAD_ALG, error.to_string()))
        }
        _ => Err(failed(CmcFailInfo::BAD_IDENTITY, NOT_PROVEN.to_owned())),
    }
}
