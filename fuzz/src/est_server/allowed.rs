//! Who may have what, told a second time and otherwise than the server tells it: a table of labels.

use est::ca::serial::SerialNumber;
use est::ca::{Authentication, EnrollOperation, Requester};
use est::operation::Operation;
use est::wire::label::PathLabel;

/// The labels of the server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// No label: a certificate or a password.
    Open,
    /// The request must be bound to its connection.
    Bound,
    /// A certificate of the authority itself, and a password.
    Strict,
    /// An operator decides.
    Approved,
    /// A password by Digest, or a token.
    Secret,
    /// Nobody.
    Closed,
    /// Not configured.
    Unknown,
}

impl Label {
    pub(super) const ALL: [Self; 7] = [
        Self::Open,
        Self::Bound,
        Self::Strict,
        Self::Approved,
        Self::Secret,
        Self::Closed,
        Self::Unknown,
    ];

    /// As it stands in the path.
    pub(super) const fn text(self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::Bound => Some("bound"),
            Self::Strict => Some("strict"),
            Self::Approved => Some("approved"),
            Self::Secret => Some("secret"),
            Self::Closed => Some("closed"),
            Self::Unknown => Some("unknown"),
        }
    }

    pub(super) fn of(label: Option<&PathLabel>) -> Self {
        let text = label.map(PathLabel::as_str);
        *Self::ALL
            .iter()
            .find(|known| known.text() == text)
            .expect("no other label is configured")
    }
}

/// What a request truly shows: what the script has put into it, not what the server makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// A certificate that leads to the authority's root.
    pub(super) own_certificate: bool,
    /// One that leads elsewhere, and that the handshake let through for another label's sake.
    pub(super) other_certificate: bool,
    pub(super) basic: bool,
    pub(super) digest: bool,
    pub(super) bearer: bool,
    /// The message itself is signed by the holder of a certificate of the authority.
    pub(super) signed: bool,
    /// The message itself shows that a shared secret is known.
    pub(super) proven: bool,
    /// The message is a certification request alone, as `simpleenroll` has it.
    pub(super) simple: bool,
}

/// What a request may lead to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    /// Under which label it is made, and what for; `None` when that is not known.
    pub(super) label: Option<Label>,
    pub(super) operation: Option<Operation>,
    pub(super) shown: Shown,
    /// Nobody may have anything under the label `Open`, since a reload.
    pub(super) shut: bool,
    /// The certificate that its holder asks to be revoked.
    pub(super) revokes: Option<SerialNumber>,
}

impl Allowed {
    /// Whether what is shown is enough.
    pub(super) const fn may_enrol(&self, label: Label) -> bool {
        let Shown {
            own_certificate,
            other_certificate,
            basic,
            digest,
            bearer,
            ..
        } = self.shown;
        match label {
            Label::Open => !self.shut && (own_certificate || other_certificate || basic),
            Label::Bound | Label::Approved => own_certificate || other_certificate || basic,
            Label::Strict => own_certificate && basic,
            Label::Secret => digest || bearer,
            Label::Closed | Label::Unknown => false,
        }
    }

    /// The authority is asked to revoke: its holder alone may want that, and only where it is allowed at all.
    pub(super) fn check_revocation(&self, label: Label, serial: SerialNumber) {
        assert_eq!(label, Label::Strict, "nobody may revoke there");
        assert!(self.may_enrol(label) && self.shown.signed);
        assert_eq!(
            self.revokes,
            Some(serial),
            "a certificate of somebody else is to be revoked"
        );
    }

    /// The authority is asked for a certificate: was this allowed, and does it learn the truth about who asks?
    pub(super) fn check(&self, label: Label, operation: EnrollOperation, requester: &Requester) {
        let asked = match operation {
            EnrollOperation::SimpleEnroll => Operation::SimpleEnroll,
            EnrollOperation::SimpleReenroll => Operation::SimpleReenroll,
            EnrollOperation::ServerKeyGen => Operation::ServerKeyGen,
            EnrollOperation::FullCmc => Operation::FullCmc,
        };
        if let Some(expected) = self.label {
            assert_eq!(label, expected, "the request was made under another label");
            assert_eq!(Some(asked), self.operation, "another operation was asked for");
        }
        assert!(
            self.may_enrol(label),
            "{self:?} reached the authority under {label:?}"
        );
        let Authentication {
            certificate,
            basic,
            digest,
            bearer,
            operator,
        } = requester.authentication;
        assert!(!operator && !requester.authentication.is_none());
        let Shown {
            signed,
            proven,
            simple,
            ..
        } = self.shown;
        assert!(!certificate || self.shown.own_certificate || self.shown.other_certificate || signed);
        assert!(
            operation != EnrollOperation::FullCmc || label != Label::Strict || simple || signed || proven,
            "whoever asks in CMC has shown nothing in CMC"
        );
        assert!(!basic || self.shown.basic);
        assert!(!digest || self.shown.digest);
        assert!(!bearer || self.shown.bearer);
        assert!(
            operation != EnrollOperation::SimpleReenroll || requester.certificate.is_some(),
            "nothing was shown that could be renewed"
        );
    }
}
