//! `interop doctor`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use est::adcs::{CertsrvUrl, WindowsAccount};
use est::auth::BasicCredentials;
use est::client::{Proxy, ServerUrl};
use est::request::Subject;
use est::wire::label::PathLabel;
use interop::doctor::{self, Marks, Report};
use nmsp::wire::{Service, Services};
use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::Identity;
use pki_common::tls::PeerVerifier;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Failure, Rung};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

/// The environment variable that may have the password.
const PASSWORD_VARIABLE: &str = "DOCTOR_PASSWORD";

/// The longest password file and authlist that are read, in bytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;

/// Climbs the failure ladder towards a service and says on which rung it ends, whose fault that is and what to do: name
/// resolution, TCP, proxy, TLS, authentication, each operation.
///
/// It changes nothing on the other side unless asked (--enroll, --submit, --subscribe). Exit status: 0 healthy (warnings
/// do not count), 2 wrong command line, else by the rung that failed: 3 this machine, 10 name resolution, 20 TCP, 30
/// proxy, 40 TLS protocol, 41 certificate chain, 42 name, 43 time, 44 authlist, 45 alert without a cause, 50 status, 60
/// body, 70 upstream.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    patient: Patient,
}

#[derive(Debug, clap::Subcommand)]
enum Patient {
    /// A controller, looked at as a location server.
    Nmsp(NmspArguments),
    /// An EST server.
    Est(EstArguments),
    /// Web enrolment of Microsoft AD CS.
    Adcs(AdcsArguments),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Seconds allowed for each step of a rung.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Marks without ✓ and ✗; the default where the locale has no UTF-8.
    #[arg(long)]
    ascii: bool,
    /// Our certificate chain, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Our private key, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// A folder with certificate.pem and key.pem, as `nmsp identity new` makes it.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["certificate", "key"])]
    identity: Option<PathBuf>,
    /// Authorities that the server's certificate may come from, files or folders; those of the operating system if not
    /// given.
    #[arg(long, value_name = "PATH")]
    trust_anchors: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct NmspArguments {
    /// HOST or HOST:PORT; the port is 16113 if not given.
    controller: String,
    #[command(flatten)]
    common: Common,
    /// An authlist that the controller must be in, any format.
    #[arg(long, value_name = "FILE")]
    controller_authlist: Option<PathBuf>,
    /// Subscribes this service for the length of the look, and compares the clocks by what arrives; may be repeated.
    #[arg(long, value_name = "SERVICE")]
    subscribe: Vec<Service>,
}

#[derive(Debug, clap::Args)]
struct Login {
    /// User name. The password comes from --password-file or DOCTOR_PASSWORD, never from the arguments.
    #[arg(long, short = 'u')]
    user: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Way {
    /// An HTTP proxy in between, like http://proxy.example:3128.
    #[arg(long, short = 'x')]
    proxy: Option<Proxy>,
    /// User name for the proxy, which gets it in the clear.
    #[arg(long, requires_all = ["proxy", "proxy_password_file"])]
    proxy_user: Option<String>,
    /// A file whose first line is the password for the proxy.
    #[arg(long, value_name = "FILE", requires = "proxy_user")]
    proxy_password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct EstArguments {
    /// The server, like https://est.example:8085.
    url: ServerUrl,
    /// The label, where the server has several.
    #[arg(long)]
    label: Option<PathLabel>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    way: Way,
    /// Asks for a certificate with this subject, with a key that is thrown away.
    #[arg(long, value_name = "SUBJECT")]
    enroll: Option<Subject>,
}

#[derive(Debug, clap::Args)]
struct AdcsArguments {
    /// The server, like https://lab-dc.example.com; the path is /certsrv if not given.
    url: CertsrvUrl,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    login: Login,
    /// How to log in; NTLM where it is offered, else Basic, if not given.
    #[arg(long, value_name = "SCHEME", requires = "user")]
    scheme: Option<Scheme>,
    /// The name of a certificate template that must be offered.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Submits this certificate request, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "template")]
    submit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Scheme {
    /// NTLMv2.
    Ntlm,
    /// HTTP Basic, within TLS.
    Basic,
}

/// Looks, prints and gives the number of the rung that failed.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let (common, report) = match &arguments.patient {
        Patient::Nmsp(arguments) => (&arguments.common, nmsp(arguments).await),
        Patient::Est(arguments) => (&arguments.common, est(arguments).await),
        Patient::Adcs(arguments) => (&arguments.common, adcs(arguments).await),
    };
    match report {
        Ok(report) => print(&report, common),
        Err(failure) => {
            super::report(&failure);
            ExitCode::from(doctor::exit_number(failure.rung))
        }
    }
}

fn print(report: &Report, common: &Common) -> ExitCode {
    let marks = if common.ascii {
        Marks::Ascii
    } else {
        Marks::of_locale(|name| std::env::var(name).ok())
    };
    let text = if common.json {
        format!("{}\n", doctor::to_json(report))
    } else {
        doctor::to_text(report, marks)
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(report.exit_number()),
        Err(error) => {
            super::report(&format_args!("the standard output cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn nmsp(arguments: &NmspArguments) -> Result<Report, Failure> {
    let common = &arguments.common;
    let list = arguments
        .controller_authlist
        .as_deref()
        .map(authlist)
        .transpose()?;
    let anchors = match (&list, common.trust_anchors.is_empty()) {
        (Some(_), true) => None,
        _ => Some(Arc::new(common.anchors("NMSP controllers")?)),
    };
    let verifier = match (list, &anchors) {
        (Some(list), Some(anchors)) => PeerVerifier::authlist(list).with_trust_store(Arc::clone(anchors)),
        (Some(list), None) => PeerVerifier::authlist(list),
        (None, anchors) => PeerVerifier::trust_store(
            anchors
                .clone()
                .unwrap_or_else(|| Arc::new(TrustStore::empty("NMSP controllers"))),
        ),
    };
    let mut settings = doctor::nmsp::Settings::new(&arguments.controller, verifier);
    settings.anchors = anchors;
    settings.identity = common.identity()?;
    settings.timeout = common.timeout();
    settings.subscribe = arguments
        .subscribe
        .iter()
        .map(|service| Services::from(*service))
        .reduce(|all, service| all | service);
    Ok(doctor::nmsp::diagnose(&settings).await)
}

async fn est(arguments: &EstArguments) -> Result<Report, Failure> {
    let EstArguments {
        url,
        label,
        common,
        login,
        way,
        enroll,
    } = arguments;
    let anchors = Arc::new(common.anchors("EST trust anchors")?);
    let mut settings = doctor::est::Settings::new(url.clone(), anchors);
    settings.label.clone_from(label);
    settings.identity = common.identity()?;
    settings.credentials = login.credentials()?;
    settings.proxy = way.proxy()?;
    settings.timeout = common.timeout();
    settings.enroll.clone_from(enroll);
    Ok(doctor::est::diagnose(&settings).await)
}

async fn adcs(arguments: &AdcsArguments) -> Result<Report, Failure> {
    let AdcsArguments {
        url, common, login, ..
    } = arguments;
    let anchors = Arc::new(common.anchors("AD CS trust anchors")?);
    let mut settings = doctor::adcs::Settings::new(url.clone(), anchors);
    if let Some((user, password)) = login.user_and_password()? {
        let account = WindowsAccount::new(user, password.as_str());
        settings.account = Some(account.map_err(|error| error.diagnose())?);
    }
    settings.scheme = match arguments.scheme {
        None => doctor::adcs::Scheme::Offered,
        Some(Scheme::Ntlm) => doctor::adcs::Scheme::Ntlm,
        Some(Scheme::Basic) => doctor::adcs::Scheme::Basic,
    };
    settings.identity = common.identity()?;
    settings.template.clone_from(&arguments.template);
    settings.timeout = common.timeout();
    settings.submit = arguments.submit.as_deref().map(request).transpose()?;
    Ok(doctor::adcs::diagnose(&settings).await)
}

impl Common {
    const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    fn anchors(&self, role: &str) -> Result<TrustStore, Failure> {
        let anchors = if self.trust_anchors.is_empty() {
            TrustStore::system(role)
        } else {
            TrustStore::from_paths(role, &self.trust_anchors)
        };
        anchors.map_err(|error| error.diagnose())
    }

    fn identity(&self) -> Result<Option<Arc<Identity>>, Failure> {
        super::own_identity(
            self.identity.as_deref(),
            self.certificate.as_deref(),
            self.key.as_deref(),
        )
    }
}

impl Login {
    fn credentials(&self) -> Result<Option<BasicCredentials>, Failure> {
        let Some((user, password)) = self.user_and_password()? else {
            return Ok(None);
        };
        let credentials = BasicCredentials::new(user, password.as_str());
        credentials.map(Some).map_err(|error| error.diagnose())
    }

    fn user_and_password(&self) -> Result<Option<(&str, Zeroizing<String>)>, Failure> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password_file {
            Some(path) => first_line(path)?,
            None => Zeroizing::new(std::env::var(PASSWORD_VARIABLE).map_err(|_| {
                local(
                    &format!("there is no password for {user}"),
                    &format!("Give --password-file, or the password in {PASSWORD_VARIABLE}."),
                )
            })?),
        };
        Ok(Some((user, password)))
    }
}

impl Way {
    fn proxy(&self) -> Result<Option<Proxy>, Failure> {
        let Some(mut proxy) = self.proxy.clone() else {
            return Ok(None);
        };
        if let (Some(user), Some(path)) = (&self.proxy_user, &self.proxy_password_file) {
            let credentials = BasicCredentials::new(user, first_line(path)?.as_str());
            proxy.credentials = Some(credentials.map_err(|error| error.diagnose())?);
        }
        Ok(Some(proxy))
    }
}

/// An authlist in any format.
pub(super) fn authlist(path: &Path) -> Result<SharedAuthList, Failure> {
    let text = read(path)?;
    let format = AuthListFormat::detect(&text).ok_or_else(|| {
        local(
            &format!("{} has no line of a known authlist format", path.display()),
            "Give a list in one of the formats aireos, iosxe, server-auth-info, csv or toml.",
        )
    })?;
    let list = AuthList::import(format, &text).map_err(|error| error.diagnose())?;
    Ok(SharedAuthList::new(list))
}

pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = read(path)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// A certificate request in DER.
fn request(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read_bytes(path)?;
    if bytes.first() == Some(&0x30) {
        return Ok(bytes);
    }
    let request = CertificateSigningRequestDer::from_pem_slice(&bytes);
    request.map(|der| der.to_vec()).map_err(|error| {
        local(
            &format!("{} is no certificate request: {error}", path.display()),
            "Give a PKCS #10 request in PEM or DER, as `openssl req -new` makes it.",
        )
    })
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = String::from_utf8(read_bytes(path)?);
    text.map(Zeroizing::new).map_err(|_| {
        local(
            &format!("{} is not text in UTF-8", path.display()),
            "Give the right file.",
        )
    })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;

    let unreadable = |error: std::io::Error| {
        local(
            &format!("{} cannot be read: {error}", path.display()),
            "Check the path and its permissions.",
        )
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn local(cause: &str, remedy: &str) -> Failure {
    Failure::new(Rung::Local, format!("{cause}."), remedy)
}
