//! The pages of web enrolment, read without I/O.
//!
//! A server answers in its own language, so texts are the last thing that is looked at: links, the `ID` of elements and
//! numbers are the same everywhere (B-03 to B-06). The type of a body is a hint only; one live server sends a
//! certificate as `text/html` with PEM in it (B-07).

mod disposition;
mod file;
mod html;
mod renewals;
mod template;
mod verdict;

pub mod oracle;

pub use disposition::{Disposition, DispositionPage};
pub use file::{MAX_CERTIFICATES, Retrieved, certificates, retrieved};
pub use renewals::renewals;
pub use template::{MAX_TEMPLATES, Template, TemplateSubject, templates};
pub use verdict::{HResult, Verdict, verdict};

/// The longest page that is read, in bytes. The vendor's log shows a `certrqxt.asp` of 11,771 bytes (F002-40); one with a
/// thousand templates has about 200,000.
pub const MAX_PAGE: usize = 512 * 1024;

/// The longest text of a page that is repeated in an error or a log, in characters.
const MAX_TEXT: usize = 400;

/// A page that says nothing this client understands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// More bytes than the bound.
    #[error("the page is longer than {MAX_PAGE} bytes")]
    TooLong,
    /// The page has no list of templates.
    #[error("the page has no list of certificate templates (lbCertTemplate): {text:?}")]
    NoTemplateList {
        /// How it begins, without its tags.
        text: String,
    },
    /// More templates than the bound.
    #[error("the page lists more than {MAX_TEMPLATES} certificate templates")]
    TooManyTemplates,
    /// The page says nothing of what became of the request.
    #[error("the page does not say what became of the request: {text:?}")]
    NoVerdict {
        /// How it begins, without its tags.
        text: String,
    },
    /// The page links to several requests.
    #[error("the page links to request {first} and to request {second}")]
    SeveralRequests {
        /// One of them.
        first: u32,
        /// Another.
        second: u32,
    },
    /// Neither a certificate nor a page that says why there is none.
    #[error("the answer is neither a certificate nor a page that says why there is none: {text:?}")]
    NoCertificate {
        /// How it begins, without its tags.
        text: String,
    },
    /// A certificate or a chain that cannot be read.
    #[error("the certificate in the answer cannot be read: {problem}")]
    BadCertificate {
        /// What is wrong with it.
        problem: String,
    },
    /// The page does not say how often the CA was renewed.
    #[error("the page does not say how often the certificate authority was renewed (nRenewals)")]
    NoRenewals,
}

impl pki_common::Diagnose for PageError {
    fn diagnose(&self) -> pki_common::Failure {
        pki_common::KnownCause::AnswerNotUnderstood
            .failure(format!("{self}."))
            .refused_by(pki_common::Side::Local)
    }
}
