//! Each failure of Cisco document 214396 (F002-34 to F002-43) by a switch of the simulator: the doctor's verdict, the
//! log of the registration authority and the error of the EST client name the same cause. The table of them in the
//! documentation is written here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use est::adcs::{CertsrvAuthentication, WindowsAccount};
use est::client::{ClientError, CsrOutcome};
use interop::adcs_sim::{Fault, Settings as SimulatorSettings, Simulator, Template};
use interop::doctor;
use interop::registration_authority::{ACCOUNT, PASSWORD, RegistrationAuthority, Settings, TEMPLATE};
use pki_common::{Diagnose as _, Failure, KnownCause};

use super::{log, request_of};

/// Regenerates the table instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";
/// How long the registration authority and the doctor wait for AD CS where it will not answer: nobody wants to wait ten
/// seconds in a test.
const SHORT: Duration = Duration::from_secs(2);
/// And where it will: a machine may be busy, and the EST client is still to be answered in time.
const LONG: Duration = Duration::from_secs(8);

/// How a failure is produced.
#[derive(Clone, Copy)]
enum Switch {
    /// By the simulator, `--fault`.
    Fault(&'static str),
    /// The name in the URL of the registration authority.
    Host(&'static str),
    /// The template in the settings of the registration authority.
    Template(&'static str),
    /// The password of its account.
    Password(&'static str),
    /// The simulator does not run.
    Stopped,
}

impl Switch {
    fn text(self) -> String {
        match self {
            Self::Fault(fault) => format!("`--fault {fault}`"),
            Self::Host(host) => format!("url with the host `{host}`"),
            Self::Template(template) => format!("template `{template}`"),
            Self::Password(_) => "wrong password of the account".to_owned(),
            Self::Stopped => "simulator not running".to_owned(),
        }
    }
}

/// One line of the table.
struct Case {
    fact: &'static str,
    switch: Switch,
    cause: KnownCause,
    /// Whether the EST client's password is checked by AD CS, so that the failure is met there.
    checks_passwords: bool,
    /// Whether the doctor finds it without a request for a certificate.
    doctor: bool,
}

const fn case(fact: &'static str, switch: Switch, cause: KnownCause) -> Case {
    Case {
        fact,
        switch,
        cause,
        checks_passwords: false,
        doctor: true,
    }
}

const fn submitted(fact: &'static str, switch: Switch, cause: KnownCause) -> Case {
    Case {
        doctor: false,
        ..case(fact, switch, cause)
    }
}

const fn at_login(fact: &'static str, switch: Switch, cause: KnownCause) -> Case {
    Case {
        checks_passwords: true,
        ..case(fact, switch, cause)
    }
}

const CASES: &[Case] = &[
    case(
        "F002-34",
        Switch::Fault("unknown-ca"),
        KnownCause::IssuerNotTrusted,
    ),
    case(
        "F002-34",
        Switch::Fault("missing-intermediate"),
        KnownCause::IssuerNotTrusted,
    ),
    case("F002-35", Switch::Fault("self-signed"), KnownCause::SelfSigned),
    case(
        "F002-36, F002-37",
        Switch::Fault("wrong-name"),
        KnownCause::NameMismatch,
    ),
    case(
        "F002-38",
        Switch::Host("lab-dcc.invalid"),
        KnownCause::NameNotResolved,
    ),
    case("F002-39", Switch::Fault("not-yet-valid"), KnownCause::NotYetValid),
    case("F002-39", Switch::Fault("expired"), KnownCause::Expired),
    case(
        "F002-40, F002-41",
        Switch::Template("CiscoRa2"),
        KnownCause::TemplateNotOffered,
    ),
    at_login(
        "F002-40, F002-41",
        Switch::Template("CiscoRa2"),
        KnownCause::TemplateNotOffered,
    ),
    case(
        "F002-42",
        Switch::Fault("hang=certsrv"),
        KnownCause::AnswerTimedOut,
    ),
    at_login(
        "F002-42",
        Switch::Fault("hang=certsrv"),
        KnownCause::AnswerTimedOut,
    ),
    case(
        "F002-43",
        Switch::Fault("hang=certnew.p7b"),
        KnownCause::AnswerTimedOut,
    ),
    submitted(
        "F002-32, F002-33",
        Switch::Fault("hang=certfnsh"),
        KnownCause::AnswerTimedOut,
    ),
    case("B-10", Switch::Password("wrong"), KnownCause::CredentialsRefused),
    case("B-10", Switch::Fault("no-ntlm"), KnownCause::LoginNotOffered),
    case("", Switch::Fault("drop=certsrv"), KnownCause::ConnectionLost),
    case(
        "",
        Switch::Fault("server-error=certrqxt"),
        KnownCause::ServerFailed,
    ),
    case("", Switch::Stopped, KnownCause::ConnectionRefused),
    submitted("B-05, B-06", Switch::Fault("denied"), KnownCause::RequestDenied),
    submitted("B-04, B-06", Switch::Fault("pending"), KnownCause::RequestPending),
];

/// What the three said.
struct Found {
    doctor: Option<KnownCause>,
    /// The line of the access log.
    log: String,
    /// What else the log says of the request.
    also: String,
    client: Told,
}

enum Told {
    Error(Box<ClientError>),
    Pending,
}

impl Told {
    fn known_cause(&self) -> Option<KnownCause> {
        match self {
            Self::Error(error) => error.diagnose().known_cause,
            Self::Pending => Some(KnownCause::RequestPending),
        }
    }
}

/// How long the registration authority and the doctor wait.
fn wait(case: &Case) -> Duration {
    if case.cause == KnownCause::AnswerTimedOut {
        SHORT
    } else {
        LONG
    }
}

fn wants_chain(case: &Case) -> bool {
    matches!(case.switch, Switch::Fault("hang=certnew.p7b"))
}

async fn simulator(case: &Case) -> Simulator {
    let mut settings = SimulatorSettings::default();
    if matches!(case.switch, Switch::Template(_)) {
        settings.templates = vec![Template::new(TEMPLATE, TEMPLATE)];
    }
    if let Switch::Fault(fault) = case.switch {
        settings.faults = vec![fault.parse::<Fault>().unwrap()];
    }
    Simulator::start(settings).await.unwrap()
}

fn settings(case: &Case, label: &str, simulator: &Simulator) -> Settings {
    let mut settings = Settings::in_front_of(simulator, label).unwrap();
    let timeouts = &mut settings.certsrv.timeouts;
    (timeouts.connect, timeouts.handshake) = (LONG, LONG);
    timeouts.answer = wait(case);
    settings.authority.answer_time = LONG;
    if matches!(case.switch, Switch::Fault("hang=certfnsh")) {
        // A submission goes on without the client.
        settings.authority.answer_time = SHORT;
    }
    match case.switch {
        Switch::Host(host) => {
            let url = format!("https://{host}:{}/certsrv", simulator.address().port());
            settings.certsrv.url = url.parse().unwrap();
        }
        Switch::Template(template) => template.clone_into(&mut settings.certsrv.template),
        Switch::Password(password) => {
            let account = WindowsAccount::new(ACCOUNT, password).unwrap();
            settings.certsrv.authentication = CertsrvAuthentication::Ntlm(account);
        }
        Switch::Fault(_) | Switch::Stopped => {}
    }
    if !case.checks_passwords {
        settings.logins = None;
        settings.users.set_password("ciscora", PASSWORD).unwrap();
    }
    settings
}

async fn ask_doctor(case: &Case, settings: &Settings) -> Option<KnownCause> {
    if !case.doctor {
        return None;
    }
    let certsrv = &settings.certsrv;
    let mut asked = doctor::adcs::Settings::new(certsrv.url.clone(), Arc::clone(&certsrv.anchors));
    asked.account = match &certsrv.authentication {
        CertsrvAuthentication::Ntlm(account) => Some(account.clone()),
        _ => None,
    };
    asked.scheme = doctor::adcs::Scheme::Ntlm;
    asked.template = Some(certsrv.template.clone());
    asked.timeout = wait(case);
    let report = doctor::adcs::diagnose(&asked).await;
    let failure: Option<&Failure> = report.failure();
    failure.and_then(|failure| failure.known_cause)
}

async fn produce(number: usize, case: &Case) -> Found {
    let label = format!("failure-{number}");
    let simulator = simulator(case).await;
    let settings = settings(case, &label, &simulator);
    // It listens no more, and nobody else has taken its port when it is asked for.
    let _running = match case.switch {
        Switch::Stopped => {
            drop(simulator);
            None
        }
        _ => Some(simulator),
    };
    let doctor = ask_doctor(case, &settings).await;
    let folder = tempfile::tempdir().unwrap();
    let user = if case.checks_passwords { ACCOUNT } else { "ciscora" };
    let authority = RegistrationAuthority::start(folder.path(), settings)
        .await
        .unwrap();
    let client = authority.client(user, PASSWORD).unwrap();
    let subject = format!("SEP{number:012X}");
    let told = if wants_chain(case) {
        Told::Error(Box::new(client.cacerts().await.unwrap_err()))
    } else {
        match client.enroll_csr(&request_of(&subject)).await {
            Ok(CsrOutcome::Pending { .. }) => Told::Pending,
            Ok(CsrOutcome::Issued(issued)) => panic!("{label}: issued {issued:?}"),
            Err(error) => Told::Error(Box::new(error)),
        }
    };
    let log = log::lines_of(&format!("{label}/")).pop().unwrap_or_default();
    authority.stop().await.unwrap();
    Found {
        doctor,
        log,
        also: log::lines_with(&subject).join("\n"),
        client: told,
    }
}

/// What stands before the table.
const HEAD: &str = "# What fails between a registration authority and AD CS, and how it is told\n\n\
    `cargo test -p interop --test registration_authority` produces each failure by a switch of the simulator (`interop \
    adcs-sim`) or of\nthe registration authority, compares what three programs say of it with this table, and fails when \
    they differ.\n`UPDATE_DOCS=1` writes the table anew.\n\n\
    The facts are those of Cisco document 214396 and of public clients of AD CS ([architecture.md](architecture.md)). \
    The number of the EST\nclient is that of libest. \"passwords\" says that the failure is met when the password of the \
    EST client is checked by AD CS.\n`doctor` submits nothing, so it does not see what only a request meets (`--submit` \
    has it submit one).\n\n\
    | fact | switch | `interop doctor adcs` | log of the registration authority | EST client |\n\
    |---|---|---|---|---|\n";

fn line(case: &Case, found: &Found) -> String {
    let doctor = found.doctor.map_or("-", KnownCause::name);
    let status = [" 202 ", " 422 ", " 503 "]
        .into_iter()
        .find(|status| found.log.contains(status));
    let logged = format!("{}, {}", status.unwrap_or("-").trim(), logged_cause(case, found));
    let client = match &found.client {
        Told::Error(error) => format!(
            "{}, {}",
            error.est_error(),
            error.diagnose().known_cause.map_or("-", KnownCause::name)
        ),
        Told::Pending => "26 (EST_ERR_CA_ENROLL_RETRY), asks again".to_owned(),
    };
    let passwords = if case.checks_passwords { ", passwords" } else { "" };
    format!(
        "| {} | {}{passwords} | {doctor} | {logged} | {client} |\n",
        if case.fact.is_empty() { "-" } else { case.fact },
        case.switch.text()
    )
}

/// The known cause behind the number in the access log, or that of the line before it.
fn logged_cause<'a>(case: &Case, found: &'a Found) -> &'a str {
    if matches!(found.client, Told::Pending) && found.also.contains(case.cause.name()) {
        return case.cause.name();
    }
    let (_, rest) = found.log.split_once("EST_ERR_").unwrap_or_default();
    let (_, rest) = rest.split_once(") ").unwrap_or_default();
    rest.split(':').next().unwrap_or_default()
}

/// The three agree, but for what waits: the EST client of a slow AD CS is told to come back, and learns no cause.
fn check(case: &Case, found: &Found) {
    let told = found.client.known_cause();
    let (name, switch) = (case.cause.name(), case.switch.text());
    if case.doctor {
        assert_eq!(found.doctor, Some(case.cause), "{switch}: the doctor");
    }
    if matches!(found.client, Told::Pending) {
        assert!(
            found.log.contains(" 202 ") && found.log.contains("26 (EST_ERR_CA_ENROLL_RETRY)"),
            "{}",
            found.log
        );
        return;
    }
    assert_eq!(told, Some(case.cause), "{switch}: the EST client");
    assert!(
        found.log.contains(name),
        "{switch}: the log has no {name}: {}",
        found.log
    );
    assert!(found.log.contains("EST_ERR_"), "{switch}: {}", found.log);
    let Told::Error(error) = &found.client else { return };
    if case.cause == KnownCause::RequestDenied {
        for part in ["0x80094800", "disposition"] {
            assert!(error.to_string().contains(part), "{switch}: {error}");
            assert!(found.log.contains(part), "{switch}: {}", found.log);
        }
    } else {
        assert!(error.retry_after().is_some(), "{switch}: {error}");
    }
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/registration-authority-failures.md")
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_log_and_client_name_the_same_cause_and_the_table_says_so() {
    log::keep();
    // Most of the time is waiting.
    let running: Vec<_> = CASES
        .iter()
        .enumerate()
        .map(|(number, case)| tokio::spawn(produce(number, case)))
        .collect();
    let mut table = HEAD.to_owned();
    for (case, running) in CASES.iter().zip(running) {
        let found = running.await.unwrap();
        check(case, &found);
        table.push_str(&line(case, &found));
    }
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(document(), table).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(document()).unwrap_or_default();
    assert_eq!(
        kept, table,
        "run this test with {UPDATE}=1, and look at what changes"
    );
}
