//! The keys of `[certsrv]`.

use std::path::{Path, PathBuf};
#[cfg(feature = "adcs")]
use std::time::Duration;

use serde::Deserialize;

use super::super::CliError;
use super::super::config_place::Place;
#[cfg(feature = "adcs")]
use super::super::label_config::seconds;
#[cfg(feature = "adcs")]
use crate::adcs::authenticator::WrongLoginLimits;
#[cfg(feature = "adcs")]
use crate::adcs::authority::{AuthoritySettings, DEFAULT_ANSWER_TIME};
#[cfg(feature = "adcs")]
use crate::adcs::circuit_breaker::CircuitBreakerSettings;
#[cfg(feature = "adcs")]
use crate::adcs::login::{DEFAULT_LOGIN_TIME, LoginSettings};
#[cfg(feature = "adcs")]
use crate::adcs::{CertsrvTimeouts, ChainRenewal};

/// An authority behind AD CS web enrolment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CertsrvConfig {
    pub(super) url: String,
    pub(super) template: String,
    #[serde(default)]
    pub(super) attributes: Vec<String>,
    #[serde(default)]
    pub(super) authentication: Scheme,
    pub(super) account: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) password_variable: Option<String>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) trust_anchors: Vec<PathBuf>,
    #[serde(default)]
    pub(super) renewal: Renewal,
    pub(super) user_agent: Option<String>,
    connect_time: Option<f64>,
    handshake_time: Option<f64>,
    page_time: Option<f64>,
    submission_time: Option<f64>,
    answer_time: Option<f64>,
    late_retry: Option<u32>,
    pending_retry: Option<u32>,
    pub(super) connections: Option<usize>,
    pub(super) idle_connections: Option<usize>,
    idle_time: Option<f64>,
    failures: Option<u32>,
    rest: Option<f64>,
    pub(super) open_requests: Option<PathBuf>,
    #[serde(default)]
    checks_passwords: bool,
    login_time: Option<f64>,
    login_memory: Option<f64>,
    logins: Option<usize>,
    wrong_logins: Option<u32>,
    wrong_logins_time: Option<f64>,
}

/// How the registration authority logs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scheme {
    #[default]
    Ntlm,
    Basic,
    Certificate,
}

/// `"newest"`, or the number of a renewal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Renewal {
    Number(u32),
    Word(String),
}

impl Default for Renewal {
    fn default() -> Self {
        Self::Word("newest".to_owned())
    }
}

impl CertsrvConfig {
    /// Whether passwords of EST clients are checked by logging in to AD CS with them.
    pub(crate) const fn checks_passwords(&self) -> bool {
        self.checks_passwords
    }

    /// The file of open requests.
    pub(crate) fn open_requests(&self) -> Option<&Path> {
        self.open_requests.as_deref()
    }

    /// Makes the paths start at the folder of the file.
    pub(crate) fn place_in(&mut self, folder: &Path) {
        for path in [
            &mut self.password_file,
            &mut self.certificate,
            &mut self.key,
            &mut self.open_requests,
        ]
        .into_iter()
        .flatten()
        .chain(&mut self.trust_anchors)
        {
            *path = folder.join(&path);
        }
    }

    /// Keys that make no sense together, found without opening a file.
    pub(crate) fn contradictions(&self, place: &Place) -> Result<(), CliError> {
        let wrong = |key: &str, problem: &str| Err(place.wrong(&format!("certsrv.{key}"), problem));
        if self.trust_anchors.is_empty() {
            let problem =
                "whom the certificate of AD CS leads to must be said; name the root of its authority (PEM)";
            return wrong("trust-anchors", problem);
        }
        let by_certificate = self.authentication == Scheme::Certificate;
        for (key, given) in [
            ("account", self.account.is_some()),
            ("password-file", self.password_file.is_some()),
            ("password-variable", self.password_variable.is_some()),
        ] {
            if by_certificate && given {
                return wrong(key, "it means nothing beside authentication = \"certificate\"");
            }
        }
        for (key, given) in [("certificate", &self.certificate), ("key", &self.key)] {
            match given {
                Some(_) if !by_certificate => {
                    return wrong(key, "it means nothing without authentication = \"certificate\"");
                }
                None if by_certificate => {
                    return wrong(key, "logging in by a certificate takes both certificate and key");
                }
                _ => {}
            }
        }
        if !by_certificate && self.account.is_none() {
            return wrong("account", "it is missing; give DOMAIN\\\\user or user@domain");
        }
        if self.password_file.is_some() && self.password_variable.is_some() {
            return wrong(
                "password-variable",
                "password-file is given as well; keep one of the two",
            );
        }
        if let Renewal::Word(word) = &self.renewal
            && word != "newest"
        {
            return wrong(
                "renewal",
                "give \"newest\" or the number of a renewal, 0 for the first certificate",
            );
        }
        self.of_password_checks(place)
    }

    fn of_password_checks(&self, place: &Place) -> Result<(), CliError> {
        if self.checks_passwords && self.authentication == Scheme::Certificate {
            let problem = "passwords can be checked by NTLM or Basic; with authentication = \"certificate\" no password \
                           ever goes to AD CS";
            return Err(place.wrong("certsrv.checks-passwords", problem));
        }
        for (key, given) in [
            ("login-time", self.login_time.is_some()),
            ("login-memory", self.login_memory.is_some()),
            ("logins", self.logins.is_some()),
            ("wrong-logins", self.wrong_logins.is_some()),
            ("wrong-logins-time", self.wrong_logins_time.is_some()),
        ] {
            if given && !self.checks_passwords {
                let problem = "it means nothing without checks-passwords = true";
                return Err(place.wrong(&format!("certsrv.{key}"), problem));
            }
        }
        Ok(())
    }
}

/// What a test can look at without the files.
#[cfg(all(test, not(feature = "adcs")))]
impl CertsrvConfig {
    pub(crate) fn check(&self, place: &Place, answer_time: std::time::Duration) -> Result<(), CliError> {
        super::Upstreams::default().open(self, place, answer_time)
    }
}

#[cfg(all(test, feature = "adcs"))]
impl CertsrvConfig {
    pub(crate) fn check(&self, place: &Place, answer_time: Duration) -> Result<(), CliError> {
        self.timeouts(place)?;
        self.circuit_breaker(place)?;
        self.idle_time(place, Duration::ZERO)?;
        self.wrong_logins(place)?;
        Self::count(place, "connections", self.connections, 1)?;
        self.waits(place, answer_time).map(drop)
    }
}

#[cfg(feature = "adcs")]
impl CertsrvConfig {
    /// Which chain is the authority's.
    pub(super) const fn chain_renewal(&self) -> ChainRenewal {
        match &self.renewal {
            Renewal::Number(number) => ChainRenewal::Fixed(*number),
            Renewal::Word(_) => ChainRenewal::Newest,
        }
    }

    pub(super) fn timeouts(&self, place: &Place) -> Result<CertsrvTimeouts, CliError> {
        let mut timeouts = CertsrvTimeouts::default();
        for (key, given, time) in [
            ("connect-time", self.connect_time, &mut timeouts.connect),
            ("handshake-time", self.handshake_time, &mut timeouts.handshake),
            ("page-time", self.page_time, &mut timeouts.answer),
            ("submission-time", self.submission_time, &mut timeouts.submission),
        ] {
            set_time(place, key, given, time)?;
        }
        Ok(timeouts)
    }

    pub(super) fn circuit_breaker(&self, place: &Place) -> Result<CircuitBreakerSettings, CliError> {
        let mut settings = CircuitBreakerSettings::default();
        settings.failures = self.failures.unwrap_or(settings.failures);
        set_time(place, "rest", self.rest, &mut settings.rest)?;
        Ok(settings)
    }

    pub(super) fn idle_time(&self, place: &Place, default: Duration) -> Result<Duration, CliError> {
        let mut time = default;
        set_time(place, "idle-time", self.idle_time, &mut time)?;
        Ok(time)
    }

    /// The settings of the authority and of the check of passwords, which together have to answer before the server does.
    pub(super) fn waits(
        &self,
        place: &Place,
        answer_time: Duration,
    ) -> Result<(AuthoritySettings, LoginSettings), CliError> {
        let mut authority = AuthoritySettings::default();
        let mut login = LoginSettings::default();
        // Ours are made for 9 s; where there is less, each gets its share.
        let both = DEFAULT_ANSWER_TIME + DEFAULT_LOGIN_TIME;
        if answer_time < both {
            let share = answer_time.as_secs_f64() / both.as_secs_f64();
            authority.answer_time = authority.answer_time.mul_f64(share);
            login.answer_time = login.answer_time.mul_f64(share);
        }
        set_time(place, "answer-time", self.answer_time, &mut authority.answer_time)?;
        set_time(place, "login-time", self.login_time, &mut login.answer_time)?;
        let logs_in = if self.checks_passwords {
            login.answer_time
        } else {
            Duration::ZERO
        };
        if authority.answer_time + logs_in > answer_time {
            let problem = format!(
                "{} s for AD CS{} do not fit into limits.answer-time, {} s, after which the client is told to come back",
                authority.answer_time.as_secs_f64(),
                if logs_in.is_zero() {
                    String::new()
                } else {
                    format!(
                        " and {} s for the login before it (login-time)",
                        logs_in.as_secs_f64()
                    )
                },
                answer_time.as_secs_f64()
            );
            return Err(place.wrong("certsrv.answer-time", problem));
        }
        set_time(place, "login-memory", self.login_memory, &mut login.lifetime)?;
        if let Some(logins) = self.logins {
            at_least_one(place, "logins", logins)?;
            login.concurrent = logins;
        }
        for (key, given, time) in [
            ("late-retry", self.late_retry, &mut authority.late_retry),
            ("pending-retry", self.pending_retry, &mut authority.pending_retry),
        ] {
            let Some(given) = given else { continue };
            at_least_one(place, key, usize::try_from(given).unwrap_or(usize::MAX))?;
            *time = Duration::from_secs(given.into());
        }
        authority.open_requests.clone_from(&self.open_requests);
        Ok((authority, login))
    }

    pub(super) fn wrong_logins(&self, place: &Place) -> Result<WrongLoginLimits, CliError> {
        let mut limits = WrongLoginLimits::default();
        if let Some(most) = self.wrong_logins {
            at_least_one(place, "wrong-logins", usize::try_from(most).unwrap_or(usize::MAX))?;
            limits.most = most;
        }
        set_time(
            place,
            "wrong-logins-time",
            self.wrong_logins_time,
            &mut limits.within,
        )?;
        Ok(limits)
    }

    pub(super) fn count(
        place: &Place,
        key: &str,
        given: Option<usize>,
        default: usize,
    ) -> Result<usize, CliError> {
        match given {
            Some(given) => at_least_one(place, key, given).map(|()| given),
            None => Ok(default),
        }
    }
}

#[cfg(feature = "adcs")]
fn set_time(place: &Place, key: &str, given: Option<f64>, time: &mut Duration) -> Result<(), CliError> {
    if let Some(given) = given {
        *time = seconds(place, &format!("certsrv.{key}"), given)?;
    }
    Ok(())
}

#[cfg(feature = "adcs")]
fn at_least_one(place: &Place, key: &str, given: usize) -> Result<(), CliError> {
    if given == 0 {
        return Err(place.wrong(&format!("certsrv.{key}"), "0 is not possible; give at least 1"));
    }
    Ok(())
}
