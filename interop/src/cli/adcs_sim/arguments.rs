//! The options of `interop adcs-sim`, and the settings they make.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use interop::adcs_sim::{
    COMMANDS, FAULT_NAMES, Fault, Hresult, Place, Rule, Settings, Template, User, Verdict,
};

/// The largest file of users that is read, in bytes.
const MAX_USERS_FILE: u64 = 1024 * 1024;

/// A simulated Microsoft AD CS web enrolment (certsrv): pages, NTLM and Basic, an authority, the log of IIS, and a
/// switch for each failure.
///
/// Runs until Ctrl-C. Commands are read from standard input and, from another terminal, sent by `interop adcs-sim control
/// SOCKET COMMAND`; the start prints the socket. Without --users there is the one account MICHAMEN\ciscora with the
/// password "cisco". It has been compared with clients of AD CS, never with a server of Microsoft; do not put it on a
/// network that you do not trust.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = after_help())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) options: Options,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sends a command to a running simulator, like `approve 12`, `deny 12`, `requests` or `faults expired`.
    #[command(after_help = commands_help())]
    Control {
        /// The socket that the simulator printed.
        socket: PathBuf,
        /// The command with its values.
        #[arg(required = true)]
        command: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// A host name or IP address of the server's certificate, the first one for its common name and the URL; can be
    /// given several times [default: localhost, 127.0.0.1 and ::1]
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// The NetBIOS name of the domain.
    #[arg(long, value_name = "NAME", default_value = "MICHAMEN")]
    domain: String,

    /// The DNS name of the domain.
    #[arg(long, value_name = "NAME", default_value = "michamen.com")]
    dns_domain: String,

    /// A file with one USER:PASSWORD a line; lines that begin with # are left out.
    #[arg(long, value_name = "FILE")]
    pub(super) users: Option<PathBuf>,

    /// Let users also log in with certificates of the simulated authority; they are written to the folder.
    #[arg(long)]
    client_certificates: bool,

    /// A certificate template; can be given several times [default: CiscoRA and "WebServer=Web Server"]
    #[arg(long, value_name = "NAME[=DISPLAY NAME]")]
    template: Vec<String>,

    /// Requests whose subject fits wait for an approval; * stands for any text. Can be given several times.
    #[arg(long, value_name = "SUBJECT")]
    pending: Vec<String>,

    /// Requests whose subject fits are denied, before --pending is asked. Can be given several times.
    #[arg(long, value_name = "[CODE:]SUBJECT")]
    deny: Vec<String>,

    /// Something that goes wrong, see below; can be given several times.
    #[arg(long, value_name = "NAME[=VALUE]")]
    fault: Vec<Fault>,

    /// The number of the first request.
    #[arg(long, value_name = "ID", default_value_t = 1)]
    first_request: u32,

    /// Write the CA certificate (ca.pem) and the control socket to this folder [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,

    /// Append the log of the web server, in the W3C format of IIS, to this file; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
}

fn after_help() -> String {
    let places: Vec<&str> = Place::NAMES.iter().map(|(_, name)| *name).collect();
    format!(
        "Faults: {FAULT_NAMES}\n\nPlaces of faults: {}; all but `tls` when none is given\n\nCommands:\n{COMMANDS}",
        places.join(", ")
    )
}

fn commands_help() -> String {
    format!("Commands:\n{COMMANDS}")
}

impl Options {
    /// The settings that these options make.
    pub(super) fn settings(&self) -> Result<Settings, String> {
        let mut settings = Settings {
            listen: self.listen,
            domain: self.domain.clone(),
            dns_domain: self.dns_domain.clone(),
            faults: self.fault.clone(),
            first_request_id: self.first_request,
            ..Settings::default()
        };
        if !self.name.is_empty() {
            settings.host_names.clone_from(&self.name);
        }
        if let Some(path) = &self.users {
            settings.users = read_users(path)?;
        }
        if !self.template.is_empty() {
            let templates = self.template.iter().map(|text| match text.split_once('=') {
                Some((name, display)) => Template::new(name, display),
                None => Template::new(text, text),
            });
            settings.templates = templates.collect();
        }
        settings.logins.client_certificate = self.client_certificates;
        let denied = self.deny.iter().map(|text| denial(text));
        let pending = self.pending.iter().map(|subject| Rule {
            subject: subject.clone(),
            verdict: Verdict::Pending,
        });
        settings.rules = denied.chain(pending).collect();
        Ok(settings)
    }
}

/// `CODE:SUBJECT` or `SUBJECT`, which may have colons and equals signs of its own.
fn denial(text: &str) -> Rule {
    let coded = text
        .split_once(':')
        .filter(|(code, _)| code.starts_with("0x"))
        .and_then(|(code, subject)| Some((code.parse().ok()?, subject)));
    let (code, subject) = coded.unwrap_or((Hresult::TEMPLATE_PERMISSIONS, text));
    Rule {
        subject: subject.to_owned(),
        verdict: Verdict::Deny(code),
    }
}

fn read_users(path: &Path) -> Result<Vec<User>, String> {
    let wrong = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let length = fs::metadata(path).map_err(|error| wrong(&error))?.len();
    if length > MAX_USERS_FILE {
        return Err(wrong(&format_args!(
            "{length} bytes are more than {MAX_USERS_FILE}"
        )));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let mut users = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':') {
            Some((name, password)) if !name.is_empty() => users.push(User::new(name, password)),
            _ => return Err(wrong(&format_args!("line {number} is not USER:PASSWORD"))),
        }
    }
    if users.is_empty() {
        return Err(wrong(&"there is no user in it; write one USER:PASSWORD a line"));
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_has_its_own_code_or_the_usual_one() {
        let rule = denial("0x80094800:CN=a:b");
        assert_eq!(rule.subject, "CN=a:b");
        assert_eq!(rule.verdict, Verdict::Deny(Hresult::UNSUPPORTED_TEMPLATE));
        let rule = denial("CN=a:b");
        assert_eq!(rule.subject, "CN=a:b");
        assert_eq!(rule.verdict, Verdict::Deny(Hresult::TEMPLATE_PERMISSIONS));
    }

    #[test]
    fn users_are_read_and_a_bad_line_is_named_without_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, "# lab\n\nciscora:a:b\nother:\n").unwrap();
        assert_eq!(
            read_users(&path),
            Ok(vec![User::new("ciscora", "a:b"), User::new("other", "")])
        );
        fs::write(&path, "ciscora:x\nhunter2\n").unwrap();
        let error = read_users(&path).unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
        fs::write(&path, "# nobody\n").unwrap();
        assert!(read_users(&path).unwrap_err().contains("no user"));
    }
}
