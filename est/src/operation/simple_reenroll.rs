//! `simplereenroll`: a certificate for a subject that has one (RFC 7030, section 4.2.2).

use pki_common::Certificate;

use super::certificate_names::{
    SUBJECT_ALT_NAME, describe_alternative_names, extension, requested_names, same_alternative_names,
    same_subject,
};
use super::registrar::is_registrar;
use super::{LabelService, OperationRequest, OperationResponse, Refusal, change_subject_name, enrollment};
use crate::ca::EnrollOperation;
use crate::wire::csr::{CertificationRequest, VerifiedCsr, subject_text_of};

/// What a re-enrolment demands.
///
/// # Defaults
/// The client shows the certificate that it renews, and asks for the same subject and alternative names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReenrollmentPolicy {
    /// A client without a certificate in the TLS handshake is refused. RFC 7030, section 2.3, lets a server do
    /// without; a re-enrolment is then no more than an enrolment, because nobody knows what is renewed.
    pub certificate_required: bool,
    /// A client whose certificate has the extended key usage `id-kp-cmcRA` may renew for others. The server then does
    /// not see the certificate that is renewed and compares no names: the registrar has to. The request's signature,
    /// the issuance policy and everything else of the label are checked as always.
    pub registrars: bool,
    /// A request may ask for other names by `ChangeSubjectName` (RFC 6402, section 2.8). Its own subject and
    /// alternative names must be those of the certificate even then. Which new names are possible is for the issuance
    /// policy to say.
    pub change_subject_name: bool,
}

impl Default for ReenrollmentPolicy {
    fn default() -> Self {
        Self {
            certificate_required: true,
            registrars: false,
            change_subject_name: false,
        }
    }
}

pub(super) async fn answer(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    let csr = enrollment::read_request(service, request)?;
    let policy = &service.settings.reenrollment;
    let csr = policy.check(csr, request.connection.certificate.as_ref())?;
    let enrolled = enrollment::enroll(service, request, csr, EnrollOperation::SimpleReenroll).await?;
    enrolled.respond(service, request)
}

impl ReenrollmentPolicy {
    /// The request as it is to be carried out, with changed names if it asks for them.
    fn check(&self, csr: VerifiedCsr, presented: Option<&Certificate>) -> Result<VerifiedCsr, Refusal> {
        match presented {
            Some(certificate) if self.registrars && is_registrar(certificate) => {}
            Some(certificate) => self.check_names(&csr, certificate)?,
            None if self.certificate_required => return Err(Refusal::NoClientCertificate),
            None => {}
        }
        if !change_subject_name::is_present(&csr) {
            return Ok(csr);
        }
        if !self.change_subject_name {
            return Err(Refusal::Policy {
                cause: "rule change-subject-name: a re-enrolment may not change names under this label. Leave the \
                        attribute out, or enrol anew with simpleenroll."
                    .to_owned(),
            });
        }
        change_subject_name::apply(csr)
    }

    fn check_names(&self, csr: &CertificationRequest, certificate: &Certificate) -> Result<(), Refusal> {
        let remedy = if self.change_subject_name {
            "Ask for the same, and for a change in the ChangeSubjectName attribute."
        } else {
            "Ask for the same, or enrol anew with simpleenroll."
        };
        let differs = |what: &str, asked: &str, present: &str| {
            let cause = format!(
                "rule re-enrollment: the {what} of the request is {asked}, that of the presented certificate \
                 {present}; RFC 7030, section 4.2.2, demands the same. {remedy}"
            );
            Err(Refusal::Policy { cause })
        };
        if !same_subject(csr.subject_der(), certificate.subject_der()) {
            let present = subject_text_of(certificate.subject_der());
            let shown = |text: &str| {
                if text.is_empty() {
                    "empty".to_owned()
                } else {
                    format!("{text:?}")
                }
            };
            return differs("subject", &shown(csr.subject_text()), &shown(&present));
        }
        let (asked, present) = (
            requested_names(csr),
            extension(certificate.der(), &SUBJECT_ALT_NAME),
        );
        if !same_alternative_names(asked, present.as_deref()) {
            let present = describe_alternative_names(present.as_deref());
            return differs("subjectAltName", &describe_alternative_names(asked), &present);
        }
        Ok(())
    }
}
