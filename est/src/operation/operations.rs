//! The table of labels, and the way from a request to the operation of its label.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, Method};

use super::ca_certificates::CachedCertificates;
use super::content_type::check_content_type;
use super::path::{EstPath, Operation};
use super::{
    LabelService, LabelSettings, OperationRequest, OperationResponse, ProofOfPossession, Refusal, Route,
    ca_certificates, csr_attributes, full_cmc, revocation_list, server_key_generation, simple_enroll,
    simple_reenroll,
};
use crate::auth::AuthenticationRequirement;
use crate::ca::CertificateAuthority;
use crate::wire::label::PathLabel;

/// The EST operations of a server: for each path label a [`LabelService`] of its own, which shares nothing with the
/// others unless both are given the same authority.
#[derive(Debug, Clone)]
pub struct Operations {
    default: Option<Arc<Entry>>,
    labels: HashMap<PathLabel, Arc<Entry>>,
    revocation_lists: HashMap<String, Arc<dyn CertificateAuthority>>,
}

/// A service with what is remembered for it.
#[derive(Debug)]
struct Entry {
    service: LabelService,
    certificates: CachedCertificates,
}

impl Entry {
    fn new(service: LabelService) -> Arc<Self> {
        Arc::new(Self {
            service,
            certificates: CachedCertificates::default(),
        })
    }
}

impl Operations {
    /// Operations without a path label, over this authority. More labels come by [`Operations::with_label`].
    #[must_use]
    pub fn new(authority: Arc<dyn CertificateAuthority>, settings: LabelSettings) -> Self {
        Self::none().with_default(LabelService::new(authority, settings))
    }

    /// No label at all, not even the default: every path is unknown.
    #[must_use]
    pub fn none() -> Self {
        Self {
            default: None,
            labels: HashMap::new(),
            revocation_lists: HashMap::new(),
        }
    }

    /// The same with this service for requests without a label.
    #[must_use]
    pub fn with_default(mut self, service: LabelService) -> Self {
        self.default = Some(Entry::new(service));
        self
    }

    /// The same with this service under a label.
    #[must_use]
    pub fn with_label(mut self, label: PathLabel, service: LabelService) -> Self {
        self.labels.insert(label, Entry::new(service));
        self
    }

    /// The same, and the revocation list of an authority under this path, compared byte for byte. Give it the path of
    /// the distribution point that stands in the certificates of the authority.
    #[must_use]
    pub fn with_revocation_list(
        mut self,
        path: impl Into<String>,
        authority: Arc<dyn CertificateAuthority>,
    ) -> Self {
        self.revocation_lists.insert(path.into(), authority);
        self
    }

    /// The answer to a request for a revocation list; `None` when the path is not that of one.
    pub async fn revocation_list(
        &self,
        method: &Method,
        path: &str,
    ) -> Option<Result<OperationResponse, Refusal>> {
        let authority = self.revocation_lists.get(path)?;
        if *method != Method::GET && *method != Method::HEAD {
            return Some(Err(Refusal::NotFound));
        }
        Some(revocation_list::answer(&**authority).await)
    }

    /// Whether any revocation list is served.
    #[must_use]
    pub fn has_revocation_lists(&self) -> bool {
        !self.revocation_lists.is_empty()
    }

    /// Whether any label looks at the channel binding of a request.
    #[must_use]
    pub fn uses_channel_bindings(&self) -> bool {
        self.services()
            .any(|(_, service)| service.settings.proof_of_possession != ProofOfPossession::Off)
    }

    /// The service behind a label, or behind none.
    #[must_use]
    pub fn service(&self, label: Option<&PathLabel>) -> Option<&LabelService> {
        self.entry(label).map(|entry| &entry.service)
    }

    fn entry(&self, label: Option<&PathLabel>) -> Option<&Arc<Entry>> {
        match label {
            None => self.default.as_ref(),
            Some(label) => self.labels.get(label),
        }
    }

    /// Every label with its service, the default first; the others in no order.
    pub fn services(&self) -> impl Iterator<Item = (Option<&PathLabel>, &LabelService)> {
        let default = self.default.iter().map(|entry| (None, &entry.service));
        default.chain(
            self.labels
                .iter()
                .map(|(label, entry)| (Some(label), &entry.service)),
        )
    }

    /// Decides from method, path (without query) and headers whether to go on with a request.
    ///
    /// # Errors
    /// [`Refusal`] for everything that can be told without client and body.
    pub fn route(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Route, Refusal> {
        let EstPath { label, operation } = EstPath::parse(path).ok_or(Refusal::NotFound)?;
        let service = self.service(label.as_ref()).ok_or(Refusal::NotFound)?;
        let head = *method == Method::HEAD && operation.method() == Method::GET;
        if *method != operation.method() && !head {
            // A method is any token of any length; one is enough to be recognised.
            let found = method.as_str().chars().take(32).collect();
            return Err(Refusal::WrongMethod { operation, found });
        }
        if !service.settings.offers(operation) {
            return Err(Refusal::NotConfigured(operation));
        }
        if operation.method() == Method::POST {
            check_content_type(operation, headers)?;
        }
        Ok(Route { operation, label })
    }

    /// What the request demands of its client, `None` for nothing.
    #[must_use]
    pub fn authentication(&self, route: &Route) -> Option<&AuthenticationRequirement> {
        match route.operation {
            Operation::CaCerts | Operation::CsrAttrs => None,
            _ => self
                .service(route.label.as_ref())
                .map(|service| &service.settings.authentication),
        }
    }

    /// The largest body of the request, in bytes; 0 when the body means nothing.
    #[must_use]
    pub fn body_limit(&self, route: &Route) -> usize {
        self.service(route.label.as_ref())
            .map_or(0, |service| service.settings.body_limit(route.operation))
    }

    /// The realm of a label, `EST` for one that is not configured.
    #[must_use]
    pub fn realm(&self, label: Option<&PathLabel>) -> &str {
        self.service(label)
            .map_or(LabelSettings::REALM, |service| service.settings.realm.as_str())
    }

    /// Carries the operation out.
    ///
    /// The future waits for nothing but the certificate authority.
    ///
    /// # Errors
    /// [`Refusal`], which [`Refusal::to_response`] turns into the answer.
    pub async fn answer(&self, request: OperationRequest) -> Result<OperationResponse, Refusal> {
        let entry = self
            .entry(request.route.label.as_ref())
            .ok_or(Refusal::NotFound)?;
        let service = &entry.service;
        // Boxed, so that cacerts need not make room for the others.
        match request.route.operation {
            Operation::CaCerts => ca_certificates::answer(service, &entry.certificates, &request).await,
            Operation::SimpleEnroll => Box::pin(simple_enroll::answer(service, &request)).await,
            Operation::SimpleReenroll => Box::pin(simple_reenroll::answer(service, &request)).await,
            Operation::FullCmc => Box::pin(full_cmc::answer(service, &request)).await,
            Operation::ServerKeyGen => Box::pin(server_key_generation::answer(service, &request)).await,
            Operation::CsrAttrs => csr_attributes::answer(service, &request),
        }
    }
}
