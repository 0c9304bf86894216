//! Web enrolment of Active Directory Certificate Services (AD CS): the client of a registration authority (Cisco
//! document 214396), and a [`CertificateAuthority`](crate::ca::CertificateAuthority) on top of it. Feature `adcs`.
//!
//! Web enrolment is a set of pages for people. This client asks for them as the vendor's registration authority does and
//! reads what they say, in whatever language the server speaks.
//!
//! | module | what it does | I/O |
//! |---|---|---|
//! | [`page`] | pages and files -> types: templates, verdicts, dispositions, certificates, renewals | none |
//! | [`form`] | types -> queries and the body of a submission | none |
//! | [`ntlm`] | NTLMv2 as a client (MS-NLMP), on one connection | none |
//! | [`circuit_breaker`] | when a server that fails is left alone, and for how long | none |
//! | `client` | connections, logins, time-outs, what may be tried again (feature `tokio`) | sockets |
//! | `authority` | requests, pending ones and late answers over a restart (feature `tokio`) | sockets, one file |
//! | `authenticator` | Basic of EST clients by that, and how many wrong passwords are passed on (feature `tokio`) | sockets |
//! | `login` | whether AD CS accepts a name and a password, remembered for a while (feature `tokio`) | sockets |
//!
//! Facts F002-nn and B-nn in these modules are numbered in `docs/architecture.md`.

#[cfg(feature = "tokio")]
pub mod authenticator;
#[cfg(feature = "tokio")]
pub mod authority;
pub mod circuit_breaker;
#[cfg(feature = "tokio")]
pub mod client;
pub mod form;
#[cfg(feature = "tokio")]
pub mod login;
pub mod ntlm;
pub mod page;

mod account;
mod error;
mod settings;
mod url;

pub use account::{AccountError, WindowsAccount};
pub use error::{CertsrvError, Page, Step};
pub use settings::{
    CertsrvAuthentication, CertsrvSettings, CertsrvTimeouts, ChainRenewal, DEFAULT_MAX_ANSWER,
    DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_IDLE_CONNECTIONS, DEFAULT_MAX_IDLE_TIME, DEFAULT_USER_AGENT,
};
pub use url::CertsrvUrl;
