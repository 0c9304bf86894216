//! What the simulated server is like.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use super::disposition::Hresult;
use super::fault::Fault;

/// The most names, templates, users and rules: a lab has a handful, and the pages list them.
pub const MAX_ENTRIES: usize = 1_000;

/// Longest name of a domain, host, user or template, in bytes; a DNS name has at most 253 characters.
pub const MAX_NAME_LENGTH: usize = 253;

/// What the simulated server is like.
///
/// # Defaults
/// Loopback with a free port; the names `localhost`, `127.0.0.1` and `::1`; the domain `MICHAMEN`, `michamen.com`, and
/// the user `ciscora` of Cisco document 214396 with the password `cisco`; Negotiate, NTLM and Basic offered; the
/// templates `CiscoRA` and `WebServer`; every request issued; requests counted from 1; no faults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host names and IP addresses of the server's certificate, its common name first.
    pub host_names: Vec<String>,
    /// The NetBIOS name of the domain.
    pub domain: String,
    /// The DNS name of the domain.
    pub dns_domain: String,
    /// Who may log in.
    pub users: Vec<User>,
    /// How one may log in.
    pub logins: Logins,
    /// The templates of `certrqxt.asp`.
    pub templates: Vec<Template>,
    /// What becomes of requests; the first rule that fits decides, and what none fits is issued.
    pub rules: Vec<Rule>,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
    /// The number of the first request.
    pub first_request_id: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host_names: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            domain: "MICHAMEN".to_owned(),
            dns_domain: "michamen.com".to_owned(),
            users: vec![User::new("ciscora", "cisco")],
            logins: Logins::default(),
            templates: vec![
                Template::new("CiscoRA", "CiscoRA"),
                Template::new("WebServer", "Web Server"),
            ],
            rules: Vec::new(),
            faults: Vec::new(),
            first_request_id: 1,
        }
    }
}

/// An account of the domain.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name, without the domain. Upper and lower case do not differ.
    pub name: String,
    /// The password.
    pub password: String,
}

impl User {
    /// An account.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Ways to log in.
///
/// # Defaults
/// As IIS has it once Basic was added: Negotiate, NTLM and Basic, no client certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logins {
    /// `Negotiate`, with NTLM messages in it; Kerberos is not known here.
    pub negotiate: bool,
    /// `NTLM`.
    pub ntlm: bool,
    /// `Basic`.
    pub basic: bool,
    /// A certificate that the simulated authority has issued: whoever has one is the user of its common name. It is
    /// asked for in the TLS handshake.
    pub client_certificate: bool,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            negotiate: true,
            ntlm: true,
            basic: true,
            client_certificate: false,
        }
    }
}

/// A certificate template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The name that requests use.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
}

impl Template {
    /// A template.
    pub fn new(name: impl Into<String>, display_name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            display_name: display_name.into(),
        }
    }
}

/// What becomes of requests with a certain subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A pattern for the subject as RFC 4514 writes it: `*` stands for any text. Upper and lower case do not differ.
    pub subject: String,
    /// What becomes of them.
    pub verdict: Verdict,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A certificate.
    Issue,
    /// It waits for [`Simulator::approve`](super::Simulator::approve).
    Pending,
    /// The policy module denies it with this code.
    Deny(Hresult),
    /// It fails with this code.
    Fail(Hresult),
}

impl Rule {
    pub(super) fn fits(&self, subject: &str) -> bool {
        wildcard(&self.subject.to_lowercase(), &subject.to_lowercase())
    }
}

/// Whether `text` is `pattern` with any texts in place of its asterisks. Takes the first place for each part, so the
/// time is linear in the text for each part.
fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((start, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    while let Some((part, rest)) = pattern.split_once('*') {
        let Some((_, behind)) = text.split_once(part) else {
            return false;
        };
        (pattern, text) = (rest, behind);
    }
    text.ends_with(pattern)
}

impl Settings {
    /// What is wrong with them.
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            ("host names", self.host_names.len()),
            ("users", self.users.len()),
            ("templates", self.templates.len()),
            ("rules", self.rules.len()),
            ("faults", self.faults.len()),
        ];
        if let Some((what, count)) = counts.into_iter().find(|(_, count)| *count > MAX_ENTRIES) {
            return Err(format!("{count} {what} are more than {MAX_ENTRIES}"));
        }
        if self.host_names.is_empty() {
            return Err("there is no host name for the server's certificate".to_owned());
        }
        let names = [&self.domain, &self.dns_domain].into_iter();
        let names = names.chain(&self.host_names);
        let names = names.chain(self.users.iter().map(|user| &user.name));
        let mut names = names.chain(self.templates.iter().map(|template| &template.name));
        let bad = |name: &&String| {
            name.is_empty() || name.len() > MAX_NAME_LENGTH || name.contains(|c: char| c.is_control())
        };
        match names.find(bad) {
            Some(name) => Err(format!(
                "{} cannot be a name: it must have 1 to {MAX_NAME_LENGTH} bytes and no control characters",
                pki_common::Escaped::new(name).at_most(40)
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_by_its_wildcards() {
        let fits = |subject: &str, text: &str| {
            let verdict = Verdict::Pending;
            let subject = subject.to_owned();
            Rule { subject, verdict }.fits(text)
        };
        assert!(fits("*", ""));
        assert!(fits("CN=SEP*", "CN=SEP74A02FC0A675,O=Cisco"));
        assert!(fits("*cn=sep*,o=*", "OU=x,CN=SEP74A02FC0A675,O=Cisco"));
        assert!(fits("CN=a", "cn=A"));
        assert!(!fits("CN=SEP", "CN=SEP74A02FC0A675"));
        assert!(!fits("CN=SEP*O=Other", "CN=SEP74A02FC0A675,O=Cisco"));
        assert!(!fits("a*a", "a"));
    }

    #[test]
    fn a_password_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Settings::default()).contains("\"cisco\""));
    }

    #[test]
    fn settings_that_cannot_work_are_told() {
        assert_eq!(Settings::default().check(), Ok(()));
        let mut settings = Settings::default();
        settings.host_names.clear();
        assert!(settings.check().unwrap_err().contains("host name"));
        let mut settings = Settings::default();
        settings.users.push(User::new("a\nb", ""));
        let told = settings.check().unwrap_err();
        assert!(
            told.contains("cannot be a name") && !told.contains('\n'),
            "{told}"
        );
    }
}
