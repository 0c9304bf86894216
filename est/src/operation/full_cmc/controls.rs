//! Which controls are carried out, and what the others are answered (RFC 5272 section 3.2.1.1).

use crate::wire::cmc::{
    BodyPartId, BodyPartReference, CmcFailInfo, CmcStatusInfo, Control, MacProof, PkiData,
    RevokeRequestControl, TaggedAttribute, oid,
};

/// The controls of a request, sorted by what is to be done about them.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) identification: Option<String>,
    pub(super) proof: Option<Proof>,
    pub(super) pop_link_random: Option<Vec<u8>>,
    pub(super) queries: Vec<(BodyPartId, Vec<u8>)>,
    pub(super) revocations: Vec<(BodyPartId, RevokeRequestControl)>,
    /// Certificates that the client accepts. This server does not wait for that, so nothing is left to do.
    pub(super) confirmations: Vec<BodyPartId>,
    /// What is answered to known controls that are not supported.
    pub(super) refusals: Vec<CmcStatusInfo>,
}

/// Proof of knowing a shared secret, and the number of the control that it came in.
#[derive(Debug)]
pub(super) enum Proof {
    Sha1(BodyPartId, Vec<u8>),
    V2(BodyPartId, MacProof),
}

/// Sorts the controls.
///
/// One that is not known, and that no registration authority has processed, fails the whole request, as does one
/// whose value cannot be read (RFC 5272 section 3.2.1.1).
pub(super) fn examine(data: &PkiData) -> Result<Plan, CmcStatusInfo> {
    let processed = processed(data)?;
    let to_do = |control: &&TaggedAttribute| !processed.contains(&control.id);
    let unknown: Vec<&TaggedAttribute> = data
        .controls()
        .iter()
        .filter(to_do)
        .filter(|control| !oid::is_known_control(&control.oid))
        .collect();
    if !unknown.is_empty() {
        let parts: Vec<BodyPartId> = unknown.iter().map(|control| control.id).collect();
        let names: Vec<String> = unknown.iter().map(|control| oid::display(&control.oid)).collect();
        let text = format!("unknown control: {}; nothing was done", names.join(", "));
        return Err(CmcStatusInfo::failed(&parts, CmcFailInfo::BAD_REQUEST, text));
    }
    let mut plan = Plan::default();
    for control in data.controls().iter().filter(to_do) {
        plan.add(control)?;
    }
    Ok(plan)
}

/// The controls that a registration authority has processed already. Those within other messages are not looked at.
fn processed(data: &PkiData) -> Result<Vec<BodyPartId>, CmcStatusInfo> {
    let mut found = Vec::new();
    for control in data
        .controls()
        .iter()
        .filter(|control| control.oid == oid::CONTROL_PROCESSED)
    {
        if let Control::ControlProcessed(parts) = read(control)? {
            found.extend(parts.iter().filter_map(|part| match part {
                BodyPartReference::Id(id) => Some(*id),
                BodyPartReference::Path(_) => None,
            }));
        }
    }
    Ok(found)
}

fn read(control: &TaggedAttribute) -> Result<Control, CmcStatusInfo> {
    control.control().map_err(|error| {
        let text = format!("the control {}: {error}", oid::display(&control.oid));
        CmcStatusInfo::failed(&[control.id], CmcFailInfo::BAD_REQUEST, text)
    })
}

impl Plan {
    fn add(&mut self, control: &TaggedAttribute) -> Result<(), CmcStatusInfo> {
        let id = control.id;
        let twice = || {
            let text = format!("the control {} stands there twice", oid::display(&control.oid));
            CmcStatusInfo::failed(&[id], CmcFailInfo::BAD_REQUEST, text)
        };
        match read(control)? {
            Control::Identification(name) => {
                if self.identification.replace(name).is_some() {
                    return Err(twice());
                }
            }
            // The newer one wins; a client may send both for servers that know the older one alone.
            Control::IdentityProof(witness) => {
                self.proof.get_or_insert(Proof::Sha1(id, witness));
            }
            Control::IdentityProofV2(proof) => {
                if let Some(Proof::V2(..)) = self.proof.replace(Proof::V2(id, proof)) {
                    return Err(twice());
                }
            }
            Control::PopLinkRandom(random) => {
                if self.pop_link_random.replace(random).is_some() {
                    return Err(twice());
                }
            }
            Control::QueryPending(token) => self.queries.push((id, token)),
            Control::RevokeRequest(request) => self.revocations.push((id, request)),
            Control::ConfirmCertAcceptance(_) => self.confirmations.push(id),
            // Reflected already, or meant for somebody else, or about an earlier exchange.
            Control::TransactionId(_)
            | Control::SenderNonce(_)
            | Control::RecipientNonce(_)
            | Control::DataReturn(_)
            | Control::RegInfo(_)
            | Control::ControlProcessed(_)
            | Control::StatusInfo(_)
            | Control::StatusInfoV2(_) => {}
            Control::LraPopWitness(_) => {
                // RFC 5272 section 6.8.
                let text = "proof of possession by a registration authority's word is not accepted here";
                return Err(CmcStatusInfo::failed(&[id], CmcFailInfo::POP_FAILED, text));
            }
            _ => {
                let text = format!("the control {} is not supported here", oid::display(&control.oid));
                self.refusals.push(CmcStatusInfo::no_support(&[id], text));
            }
        }
        Ok(())
    }
}
