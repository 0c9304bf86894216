//! `cacerts`: the certificates of the certificate authority (RFC 7030, section 4.1).

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use rustls_pki_types::CertificateDer;

use super::enrollment::{internal, refusal_of};
use super::{LabelService, OperationRequest, OperationResponse, Refusal};
use crate::wire::base64::{self, Base64Layout};
use crate::wire::certs_only;
use crate::wire::media_type::PKCS7_MIME_CERTS_ONLY;

/// The answers of one label, encoded once. A busy moment may encode them twice, no lock is held.
#[derive(Debug, Default)]
pub(super) struct CachedCertificates(ArcSwapOption<Encoded>);

#[derive(Debug)]
struct Encoded {
    /// What they were made of; the authority gives the same list while nothing has changed.
    certificates: Arc<[CertificateDer<'static>]>,
    message: Vec<u8>,
    /// One for each layout, made when the first client needs it.
    bodies: [OnceLock<Bytes>; Base64Layout::ALL.len()],
}

impl Encoded {
    fn body(&self, layout: Base64Layout) -> Bytes {
        let encode = || Bytes::from(base64::encode(&self.message, layout));
        let place = Base64Layout::ALL.iter().position(|known| *known == layout);
        match place.and_then(|place| self.bodies.get(place)) {
            Some(body) => body.get_or_init(encode).clone(),
            None => encode(),
        }
    }
}

impl CachedCertificates {
    fn encoded(&self, certificates: Arc<[CertificateDer<'static>]>) -> Result<Arc<Encoded>, Refusal> {
        if let Some(encoded) = &*self.0.load()
            && Arc::ptr_eq(&encoded.certificates, &certificates)
        {
            return Ok(Arc::clone(encoded));
        }
        let message = certs_only::encode(&certificates).map_err(internal)?;
        let encoded = Arc::new(Encoded {
            certificates,
            message,
            bodies: Default::default(),
        });
        self.0.store(Some(Arc::clone(&encoded)));
        Ok(encoded)
    }
}

pub(super) async fn answer(
    service: &LabelService,
    cache: &CachedCertificates,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    let certificates = service.authority.ca_certificates().await.map_err(refusal_of)?;
    let layout = service.settings.layout.for_client(request.user_agent.as_ref());
    let body = cache.encoded(certificates)?.body(layout);
    Ok(service.encoded_response(PKCS7_MIME_CERTS_ONLY, body))
}
