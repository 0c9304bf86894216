//! The numbers in IIS logs: Win32 codes and HRESULTs, those of AD CS among them.

use core::fmt;

use pki_common::KnownCause;

/// A Win32 code or HRESULT, as IIS writes it in decimal into `sc-win32-status`. Any number can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowsCode(pub u32);

impl WindowsCode {
    /// Everything went well.
    pub const SUCCESS: Self = Self(0);
    /// Access denied; in a 401.2 the first, anonymous request.
    pub const ACCESS_DENIED: Self = Self(5);
    /// The client has closed the connection.
    pub const NETNAME_DELETED: Self = Self(64);
    /// The client has ended the connection.
    pub const CONNECTION_ABORTED: Self = Self(1236);
    /// The password is wrong, or the account may not log on.
    pub const LOGON_DENIED: Self = Self(0x8009_030C);
    /// The first leg of NTLM: the server has sent its challenge (F002-18).
    pub const NO_CREDENTIALS: Self = Self(0x8009_030E);

    /// The Win32 code inside an HRESULT that was made of one (`HRESULT_FROM_WIN32`), else the number itself.
    const fn win32(self) -> u32 {
        if self.0 & 0xffff_0000 == 0x8007_0000 {
            self.0 & 0xffff
        } else {
            self.0
        }
    }

    /// The constant of the Windows headers; `None` for a number not listed.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.win32() {
            0 => "ERROR_SUCCESS",
            2 => "ERROR_FILE_NOT_FOUND",
            3 => "ERROR_PATH_NOT_FOUND",
            5 => "ERROR_ACCESS_DENIED",
            64 => "ERROR_NETNAME_DELETED",
            121 => "ERROR_SEM_TIMEOUT",
            995 => "ERROR_OPERATION_ABORTED",
            1236 => "ERROR_CONNECTION_ABORTED",
            1326 => "ERROR_LOGON_FAILURE",
            1327 => "ERROR_ACCOUNT_RESTRICTION",
            1330 => "ERROR_PASSWORD_EXPIRED",
            1331 => "ERROR_ACCOUNT_DISABLED",
            1385 => "ERROR_LOGON_TYPE_NOT_GRANTED",
            1907 => "ERROR_PASSWORD_MUST_CHANGE",
            1909 => "ERROR_ACCOUNT_LOCKED_OUT",
            0x8009_0302 => "SEC_E_UNSUPPORTED_FUNCTION",
            0x8009_0305 => "SEC_E_SECPKG_NOT_FOUND",
            0x8009_0308 => "SEC_E_INVALID_TOKEN",
            0x8009_030C => "SEC_E_LOGON_DENIED",
            0x8009_030E => "SEC_E_NO_CREDENTIALS",
            0x8009_0311 => "SEC_E_NO_AUTHENTICATING_AUTHORITY",
            0x8009_0322 => "SEC_E_WRONG_PRINCIPAL",
            0x8009_0346 => "SEC_E_BAD_BINDINGS",
            0x8009_4012 => "CERTSRV_E_TEMPLATE_DENIED",
            0x8009_4014 => "CERTSRV_E_ADMIN_DENIED_REQUEST",
            0x8009_4800 => "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
            0x8009_4801 => "CERTSRV_E_NO_CERT_TYPE",
            0x8009_4802 => "CERTSRV_E_TEMPLATE_CONFLICT",
            _ => return None,
        })
    }

    /// What it means in a log of web enrolment.
    #[must_use]
    pub const fn meaning(self) -> Option<&'static str> {
        Some(match self.win32() {
            2 | 3 => "no such page on the server",
            5 => "access denied; the first request without a login has this",
            64 | 1236 => "the client has closed the connection before the answer was complete",
            121 | 995 => "the connection was given up",
            1326 => "user name or password is wrong",
            1327 | 1385 => "the account may not log on here",
            1330 | 1907 => "the password has expired or must be changed",
            1331 => "the account is disabled",
            1909 => "the account is locked out",
            0x8009_0308 => "the login message was not understood",
            0x8009_030C => "user name or password is wrong, or the account may not log on",
            0x8009_030E => "first leg of NTLM, the server has sent its challenge",
            0x8009_0311 => "no domain controller could be reached to check the login",
            0x8009_0322 => "the login was made for another server name",
            0x8009_0346 => "the channel binding of the login does not fit the TLS connection",
            0x8009_4012 => "the account may not enrol by this template",
            0x8009_4014 => "an administrator has denied the request",
            0x8009_4800 => "the authority does not offer this template",
            0x8009_4801 => "the request names no template",
            0x8009_4802 => "two templates are named, and they conflict",
            _ => return None,
        })
    }

    /// The cause, when the code alone says it: a login that the server refused for good.
    #[must_use]
    pub const fn cause(self) -> Option<KnownCause> {
        Some(match self.win32() {
            1326 | 1327 | 1330 | 1331 | 1385 | 1907 | 1909 | 0x8009_030C | 0x8009_0322 | 0x8009_0346 => {
                KnownCause::CredentialsRefused
            }
            0x8009_4012 | 0x8009_4800..=0x8009_4802 => KnownCause::TemplateNotOffered,
            0x8009_4014 => KnownCause::RequestDenied,
            _ => return None,
        })
    }
}

impl fmt::Display for WindowsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if self.0 > 0xffff {
            write!(f, " = {:#010X}", self.0)?;
        }
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_codes_of_the_source_document() {
        let printed = [2_148_074_254, 2_148_074_252, 5, 0, 77].map(|code| WindowsCode(code).to_string());
        assert_eq!(
            printed,
            [
                "2148074254 = 0x8009030E (SEC_E_NO_CREDENTIALS)",
                "2148074252 = 0x8009030C (SEC_E_LOGON_DENIED)",
                "5 (ERROR_ACCESS_DENIED)",
                "0 (ERROR_SUCCESS)",
                "77"
            ]
        );
    }

    #[test]
    fn the_first_leg_of_a_login_is_no_failure_but_a_wrong_password_is() {
        assert_eq!(WindowsCode::NO_CREDENTIALS.cause(), None);
        assert_eq!(WindowsCode::ACCESS_DENIED.cause(), None);
        assert_eq!(
            WindowsCode::LOGON_DENIED.cause(),
            Some(KnownCause::CredentialsRefused)
        );
    }

    #[test]
    fn a_win32_code_is_known_inside_an_hresult_too() {
        let wrong_password = WindowsCode(2_147_943_726);
        assert_eq!(wrong_password.cause(), Some(KnownCause::CredentialsRefused));
        assert_eq!(
            wrong_password.to_string(),
            "2147943726 = 0x8007052E (ERROR_LOGON_FAILURE)"
        );
    }
}
