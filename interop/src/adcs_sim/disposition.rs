//! What becomes of a request, in the numbers of AD CS.

use std::fmt;
use std::str::FromStr;

/// A result code of Windows. Holds any value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hresult(pub u32);

impl Hresult {
    /// `S_OK`.
    pub const OK: Self = Self(0);
    /// `CERTSRV_E_UNSUPPORTED_CERT_TYPE`: the authority does not have the template.
    pub const UNSUPPORTED_TEMPLATE: Self = Self(0x8009_4800);
    /// `CERTSRV_E_NO_CERT_TYPE`: the request names no template.
    pub const NO_TEMPLATE: Self = Self(0x8009_4801);
    /// `CERTSRV_E_KEY_LENGTH`: the key is not as the template wants it.
    pub const KEY_LENGTH: Self = Self(0x8009_4811);
    /// `CERTSRV_E_TEMPLATE_DENIED`: the account may not enrol by the template.
    pub const TEMPLATE_PERMISSIONS: Self = Self(0x8009_4012);
    /// `CERTSRV_E_ADMIN_DENIED_REQUEST`: an administrator has denied it.
    pub const DENIED_BY_ADMINISTRATOR: Self = Self(0x8009_4014);
    /// `CERTSRV_E_BAD_REQUESTSUBJECT`: the subject is not allowed.
    pub const BAD_SUBJECT: Self = Self(0x8009_4001);
    /// `CERTSRV_E_PROPERTY_EMPTY`: what there is to know of the request is nothing; so of a number that no request has.
    pub const NO_SUCH_REQUEST: Self = Self(0x8009_4004);
    /// `CRYPT_E_ASN1_BADTAG`: the request is not PKCS#10.
    pub const BAD_REQUEST: Self = Self(0x8009_310b);
    /// `NTE_BAD_SIGNATURE`: the request's own signature is wrong.
    pub const BAD_SIGNATURE: Self = Self(0x8009_0006);
    /// `E_INVALIDARG`.
    pub const INVALID_ARGUMENT: Self = Self(0x8007_0057);

    /// The meaning in English, as far as it is known here.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OK => "The operation completed successfully.",
            Self::UNSUPPORTED_TEMPLATE => "The requested certificate template is not supported by this CA.",
            Self::NO_TEMPLATE => "The request contains no certificate template information.",
            Self::KEY_LENGTH => {
                "The public key does not meet the minimum size required by the specified certificate template."
            }
            Self::TEMPLATE_PERMISSIONS => {
                "The permissions on the certificate template do not allow the current user to enroll for this type of certificate."
            }
            Self::DENIED_BY_ADMINISTRATOR => {
                "The request was denied by a certificate manager or CA administrator."
            }
            Self::BAD_SUBJECT => "The request subject name is invalid or too long.",
            Self::NO_SUCH_REQUEST => "The requested property value is empty.",
            Self::BAD_REQUEST => "ASN1 bad tag value met.",
            Self::BAD_SIGNATURE => "Invalid Signature.",
            Self::INVALID_ARGUMENT => "The parameter is incorrect.",
            _ => "Error.",
        }
    }
}

impl fmt::Display for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::OK {
            return f.write_str("0x0");
        }
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hresult({self})")
    }
}

/// A text that is no result code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is no result code; write it as 0x80094800", pki_common::Escaped::new(text).at_most(40))]
pub struct UnknownHresult {
    /// The text.
    pub text: String,
}

impl pki_common::Diagnose for UnknownHresult {
    fn diagnose(&self) -> pki_common::Failure {
        let remedy = "Write the code in hexadecimal, with 0x before it.";
        pki_common::Failure::new(pki_common::Rung::Local, format!("{self}."), remedy)
    }
}

impl FromStr for Hresult {
    type Err = UnknownHresult;

    fn from_str(text: &str) -> Result<Self, UnknownHresult> {
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
            None => text.parse(),
        };
        number.map(Self).map_err(|_| UnknownHresult {
            text: text.to_owned(),
        })
    }
}

/// What has become of a request; the numbers are those of `CR_DISP_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// 1: it failed.
    Failed(Hresult),
    /// 2: the policy module has denied it.
    DeniedByPolicy(Hresult),
    /// 2: an administrator has denied it.
    DeniedByAdministrator(Hresult),
    /// 3: there is a certificate.
    Issued,
    /// 5: it waits for an administrator.
    UnderSubmission,
}

impl Disposition {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::DeniedByPolicy(_) | Self::DeniedByAdministrator(_) => 2,
            Self::Issued => 3,
            Self::UnderSubmission => 5,
        }
    }

    /// The code of `LastStatus`.
    #[must_use]
    pub const fn last_status(self) -> Hresult {
        match self {
            Self::Failed(code) | Self::DeniedByPolicy(code) | Self::DeniedByAdministrator(code) => code,
            Self::Issued | Self::UnderSubmission => Hresult::OK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_code_is_read_as_it_is_shown() {
        assert_eq!("0x80094800".parse(), Ok(Hresult::UNSUPPORTED_TEMPLATE));
        assert_eq!("2148074254".parse(), Ok(Hresult(0x8009_030e)));
        assert_eq!(Hresult::BAD_REQUEST.to_string(), "0x8009310b");
        assert_eq!(Hresult::OK.to_string(), "0x0");
        assert!("0x1_0000".parse::<Hresult>().is_err());
    }
}
