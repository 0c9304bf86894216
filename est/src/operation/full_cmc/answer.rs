//! The response: statuses and certificates, signed, under the HTTP status that fits.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use pki_common::tls::crypto_provider;
use rustls_pki_types::CertificateDer;

use super::Exchange;
use super::requests::Outcome;
use crate::operation::{EstErrorNumber, OperationResponse, Refusal, enrollment};
use crate::wire::cmc::{
    BodyPartId, CmcFailInfo, CmcStatus, CmcStatusInfo, Control, ID_CCT_PKI_RESPONSE, PkiData, PkiResponse,
    TaggedAttribute, oid,
};
use crate::wire::cms::signed_data::{Signer, sign};
use crate::wire::media_type::PKCS7_MIME_CMC_RESPONSE;

/// Octets of a nonce: enough that none comes twice.
const NONCE_LENGTH: usize = 16;

/// Seconds to wait when the authority cannot answer and does not say how long.
const TRY_LATER: Duration = Duration::from_secs(10);

/// What is collected for the response.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Transaction, nonce and data of the request, as the response has them.
    reflected: Vec<Control>,
    /// Whether the request had a nonce, so that the response needs one too.
    nonce: bool,
    pub(super) statuses: Vec<CmcStatusInfo>,
    certificates: Vec<CertificateDer<'static>>,
    retry_after: Option<Duration>,
}

impl Answer {
    /// The request as a whole failed.
    pub(super) fn fail_whole(&mut self, reason: CmcFailInfo, text: String) {
        self.statuses
            .push(CmcStatusInfo::failed(&[BodyPartId::WHOLE], reason, text));
    }

    /// A request waits for a decision.
    pub(super) fn pending(&mut self, status: CmcStatusInfo, retry_after: Duration) {
        self.statuses.push(status);
        let soonest = self
            .retry_after
            .map_or(retry_after, |other| other.min(retry_after));
        self.retry_after = Some(soonest);
    }

    pub(super) fn add(&mut self, outcome: Outcome, id: BodyPartId) {
        match outcome {
            Outcome::Issued(certificate) => {
                self.certificates.push(certificate);
                self.statuses.push(CmcStatusInfo::success(&[id]));
            }
            Outcome::Status(status) => self.statuses.push(status),
            Outcome::Pending { status, retry_after } => self.pending(status, retry_after),
        }
    }

    /// Takes over what a response gives back: transaction identifier, nonce and data (RFC 5272 sections 6.4 and 6.6).
    pub(super) fn reflect(&mut self, data: &PkiData) -> Result<(), CmcStatusInfo> {
        for control in data.controls() {
            if ![oid::TRANSACTION_ID, oid::SENDER_NONCE, oid::DATA_RETURN].contains(&control.oid) {
                continue;
            }
            let read = control.control().map_err(|error| {
                let text = format!("the control {}: {error}", oid::display(&control.oid));
                CmcStatusInfo::failed(&[control.id], CmcFailInfo::BAD_REQUEST, text)
            })?;
            match read {
                Control::SenderNonce(nonce) => {
                    self.nonce = true;
                    self.reflected.push(Control::RecipientNonce(nonce));
                }
                other => self.reflected.push(other),
            }
        }
        Ok(())
    }

    /// The signed response.
    pub(super) async fn finish(self, exchange: &Exchange<'_>) -> Result<OperationResponse, Refusal> {
        let signer = &exchange.settings.signer;
        let mut certificates = self.certificates.clone();
        certificates.extend(signer.chain().iter().cloned());
        if !self.certificates.is_empty() {
            let above = exchange.service.authority.ca_certificates().await;
            certificates.extend(above.map_err(enrollment::refusal_of)?.iter().cloned());
        }
        let response = PkiResponse {
            controls: self.controls()?,
            ..PkiResponse::default()
        };
        let message = sign(
            ID_CCT_PKI_RESPONSE,
            &response.to_der(),
            &Signer::with_identity(signer),
            &certificates,
        )
        .map_err(enrollment::internal)?;
        let mut response =
            exchange
                .service
                .base64_response(exchange.request, PKCS7_MIME_CMC_RESPONSE, &message);
        response.status = self.http_status();
        if let Some(delay) = self.retry_after() {
            let seconds = delay.as_secs().max(1);
            response.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status != StatusCode::OK {
            let lines: Vec<String> = self.statuses.iter().map(CmcStatusInfo::to_string).collect();
            response.log_cause = Some(lines.join("; "));
            response.est_error = match response.status {
                StatusCode::ACCEPTED | StatusCode::SERVICE_UNAVAILABLE => EstErrorNumber::CA_ENROLL_RETRY,
                _ => EstErrorNumber::CA_ENROLL_FAIL,
            };
        }
        Ok(response)
    }

    /// The controls of the response, statuses first, numbered from 1.
    fn controls(&self) -> Result<Vec<TaggedAttribute>, Refusal> {
        let mut controls: Vec<Control> = self.statuses.iter().cloned().map(Control::StatusInfoV2).collect();
        if controls.is_empty() {
            // Nothing was asked for, and that is done.
            controls.push(Control::StatusInfoV2(CmcStatusInfo::success(&[
                BodyPartId::WHOLE,
            ])));
        }
        controls.extend(self.reflected.iter().cloned());
        if self.nonce {
            let mut nonce = [0; NONCE_LENGTH];
            crypto_provider()
                .map_err(enrollment::internal)?
                .secure_random
                .fill(&mut nonce)
                .map_err(|_| enrollment::internal("the system gives no random octets"))?;
            controls.push(Control::SenderNonce(nonce.to_vec()));
        }
        Ok(controls
            .iter()
            .zip(1..)
            .map(|(control, number)| TaggedAttribute::new(BodyPartId(number), control))
            .collect())
    }

    /// RFC 7030 section 4.3.2: 200 for what is granted, even in part; 4xx or 5xx when all of it failed; 202 when there
    /// is nothing yet (section 4.2.3).
    fn http_status(&self) -> StatusCode {
        let any = |status| self.statuses.iter().any(|found| found.status == status);
        let because = |reason| {
            self.statuses
                .iter()
                .any(|found| found.fail_info() == Some(reason))
        };
        if self.statuses.is_empty() || any(CmcStatus::SUCCESS) {
            StatusCode::OK
        } else if any(CmcStatus::PENDING) {
            StatusCode::ACCEPTED
        } else if because(CmcFailInfo::INTERNAL_CA_ERROR) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else if because(CmcFailInfo::TRY_LATER) {
            StatusCode::SERVICE_UNAVAILABLE
        } else if because(CmcFailInfo::BAD_IDENTITY) {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::BAD_REQUEST
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self.http_status() {
            StatusCode::SERVICE_UNAVAILABLE => Some(TRY_LATER),
            _ => self.retry_after,
        }
    }
}
