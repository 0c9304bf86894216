//! What may not be granted to a request, with the reason.

use est::auth::BasicCredentials;
use est::operation::Operation;

use super::super::Settings;
use super::host;
use super::linking::Bindings;
use super::request::Request;
use super::{certificate_request, digest, linking};

/// What may not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// Any 2xx.
    Success,
    /// A certificate.
    Certificate,
}

/// See [`Forbidden`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prohibition {
    pub(super) what: Forbidden,
    pub(super) reason: &'static str,
}

/// All that is forbidden in answer to a request.
pub(super) fn of(settings: &Settings, request: &Request, bindings: &Bindings<'_>) -> Vec<Prohibition> {
    let success = [request.must_refuse, bad_host(request), nul_in_path(request)];
    let certificate = [
        request.no_body,
        safe_method(request),
        wrong_credentials(settings, request),
        content(settings, request, bindings),
    ];
    let prohibit = |what: Forbidden| move |reason: &'static str| Prohibition { what, reason };
    let success = success.into_iter().flatten().map(prohibit(Forbidden::Success));
    let certificate = certificate
        .into_iter()
        .flatten()
        .map(prohibit(Forbidden::Certificate));
    success.chain(certificate).collect()
}

fn bad_host(request: &Request) -> Option<&'static str> {
    let mut hosts = request.values("host");
    let bad = match (hosts.next(), hosts.next()) {
        (None, _) => request.is_http_11,
        (Some(_), Some(_)) => true,
        (Some(host), None) => host::is_invalid(host),
    };
    bad.then_some("Host, RFC 9112 section 3.2")
}

/// An escaped NUL is part of the name of another resource; only a string that ends at it makes it this one.
fn nul_in_path(request: &Request) -> Option<&'static str> {
    let contains = |what: &[u8]| memchr::memmem::find(request.path(), what).is_some();
    (contains(b"/.well-known/est/") && contains(b"%00")).then_some("%00 in the path, RFC 3986 section 6.2.2")
}

fn safe_method(request: &Request) -> Option<&'static str> {
    let safe: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];
    let asks_for_a_certificate = ["simpleenroll", "simplereenroll", "serverkeygen"]
        .iter()
        .any(|segment| request.path().ends_with(segment.as_bytes()));
    (asks_for_a_certificate && safe.contains(&request.method.as_slice()))
        .then_some("a safe method, RFC 9110 section 9.2.1")
}

fn wrong_credentials(settings: &Settings, request: &Request) -> Option<&'static str> {
    let asks_password = matches!(
        request.operation(settings)?,
        Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen
    );
    if !settings.demands_password || settings.certificate.is_some() || !asks_password {
        return None;
    }
    let is_right = |value: &[u8]| {
        let Some(right) = &settings.credentials else {
            return false;
        };
        let found = BasicCredentials::parse(value).ok().flatten();
        found.is_some_and(|found| found.user() == right.user() && found.password() == right.password())
            || digest::proves(value, right.user(), right.password(), &request.method)
    };
    let right = request.values("authorization").any(is_right);
    (!right).then_some("without the right name and password, RFC 7030 section 3.2.3")
}

fn content(settings: &Settings, request: &Request, bindings: &Bindings<'_>) -> Option<&'static str> {
    let operation = request.operation(settings)?;
    if !matches!(operation, Operation::SimpleEnroll | Operation::SimpleReenroll) || request.is_unclear {
        return None;
    }
    linking::why_no_certificate(settings, &request.body, bindings)
        .or_else(|| certificate_request::why_no_certificate(&request.body))
}
