//! `interop quickstart --adcs`: the second source document from end to end. A phone service enrols four phones by EST at
//! a registration authority, which asks web enrolment of a simulated AD CS: two are issued, one is denied, one waits for
//! an administrator and is picked up later. Then the log of the web server shows what Cisco document 214396 shows.

use std::io::Write;
use std::time::Duration;

use est::client::{Client, CsrOutcome};
use est::request::{KeyAndRequest, RequestKey, RequestTemplate, Subject};
use pki_common::identity::{NewKey, write_public};
use pki_common::{Diagnose as _, Failure, KnownCause};

use super::failure::{diagnosed, unexpected};
use super::folder::LabFolder;
use super::{Options, StepFailed, heading, say};
use crate::adcs_sim::{Hresult, LogLine, Rule, Settings as SimulatorSettings, Simulator, Verdict};
use crate::registration_authority::{
    ACCOUNT, PASSWORD, RegistrationAuthority, Settings, TEMPLATE, USER_AGENT,
};

/// The phones, and what AD CS says to each.
pub const PHONES: [(&str, Verdict); 4] = [
    ("SEP74A02FC0A675", Verdict::Issue),
    ("SEP74A02FC0A676", Verdict::Issue),
    ("SEP74A02FC0A677", Verdict::Deny(Hresult::UNSUPPORTED_TEMPLATE)),
    ("SEP74A02FC0A678", Verdict::Pending),
];

/// The number of the first request, as in the document (F002-29).
const FIRST_REQUEST: u32 = 10;
/// The path label of the registration authority.
const LABEL: &str = "phones";

/// What the web server wrote.
#[derive(Debug)]
pub struct Shown {
    /// At the start of the registration authority.
    pub start_up: Vec<LogLine>,
    /// For each phone, in order.
    pub phones: Vec<Vec<LogLine>>,
    /// When the approved certificate was picked up.
    pub picked_up: Vec<LogLine>,
}

/// Runs it and narrates it to `out`.
///
/// # Errors
/// The step that failed and where on the failure ladder it did.
pub async fn run(options: &Options, out: &mut dyn Write) -> Result<Shown, StepFailed> {
    let rooms = ["ca", "phones", "registration-authority"];
    let folder = LabFolder::open_with(options.keep.as_deref(), &rooms)
        .map_err(|error| StepFailed::new("preparation", &error))?;
    let step = "1. AD CS, simulated";
    heading(out, step);
    let lab = Lab::start(&folder, out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;

    let step = "2. the registration authority logs in";
    heading(out, step);
    let start_up = lab
        .log_in(out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;

    let step = "3. four phones enrol";
    heading(out, step);
    let phones = lab
        .enrol(&folder, out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;

    let step = "4. an administrator approves, and the phone service asks again";
    heading(out, step);
    let picked_up = lab
        .pick_up(&folder, out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;
    let step = "5. what to try next";
    heading(out, step);
    next(&folder, out).map_err(|failure| StepFailed { step, failure })?;
    lab.authority
        .stop()
        .await
        .map_err(|failure| StepFailed { step, failure })?;
    Ok(Shown {
        start_up,
        phones,
        picked_up,
    })
}

struct Lab {
    simulator: Simulator,
    authority: RegistrationAuthority,
    service: Client,
}

impl Lab {
    async fn start(folder: &LabFolder, out: &mut dyn Write) -> Result<Self, Failure> {
        let rules = PHONES.map(|(name, verdict)| Rule {
            subject: format!("*CN={name}*"),
            verdict,
        });
        let simulator = Simulator::start(SimulatorSettings {
            rules: rules.to_vec(),
            first_request_id: FIRST_REQUEST,
            ..SimulatorSettings::default()
        })
        .await
        .map_err(diagnosed)?;
        say(
            out,
            format!("web enrolment           {}/certsrv", simulator.url()),
        );
        let mut settings = Settings::in_front_of(&simulator, LABEL)?;
        // A pending request is asked for again by the next step, and nobody shall wait for that.
        settings.authority.pending_retry = Duration::from_secs(60);
        let authority = RegistrationAuthority::start(&folder.join("ca"), settings).await?;
        say(out, format!("registration authority  {}", authority.url()));
        write_files(folder, &simulator, &authority)?;
        // As the phone service does: the credentials are those of the account on AD CS (F002-22).
        let service = authority.client(ACCOUNT, PASSWORD)?;
        Ok(Self {
            simulator,
            authority,
            service,
        })
    }

    async fn log_in(&self, out: &mut dyn Write) -> Result<Vec<LogLine>, Failure> {
        self.authority.authority().check().await.map_err(diagnosed)?;
        let url = &self.authority.authority().client().settings().url;
        say(
            out,
            format!("login_to_certsrv_ca: Secure connection to MS CertServ completed successfully: {url}"),
        );
        say(
            out,
            format!("the certificate template {TEMPLATE} is offered to {ACCOUNT}"),
        );
        say(out, "CA Cert chain retrieved from CA, will be passed to EST");
        let lines = self.simulator.log();
        print_log(&lines, out);
        Ok(lines)
    }

    async fn enrol(&self, folder: &LabFolder, out: &mut dyn Write) -> Result<Vec<Vec<LogLine>>, Failure> {
        let mut shown = Vec::new();
        for (name, expected) in PHONES {
            let csr = make_request(folder, name)?;
            let before = self.simulator.log().len();
            let became = self.enrol_one(folder, name, &csr, out).await?;
            let fits = match expected {
                Verdict::Issue => became == Became::Issued,
                Verdict::Pending => became == Became::Pending,
                _ => became == Became::Denied,
            };
            if !fits {
                return Err(unexpected(format!(
                    "{name} became {became:?}, but AD CS was told {expected:?}."
                )));
            }
            let lines = self.simulator.log().split_off(before);
            print_log(&lines, out);
            shown.push(lines);
        }
        Ok(shown)
    }

    /// What `est enroll --batch` does with each file.
    async fn enrol_one(
        &self,
        folder: &LabFolder,
        name: &str,
        csr: &[u8],
        out: &mut dyn Write,
    ) -> Result<Became, Failure> {
        say(
            out,
            format!("{name}: Initiating Automatic Certificate Enrollment"),
        );
        match self.service.enroll_csr(csr).await {
            Ok(CsrOutcome::Issued(issued)) => {
                let length = issued.answer_length.unwrap_or_default();
                say(
                    out,
                    format!("{name}: Enrollment rv = 0 (EST_ERR_NONE) with pkcs7 length = {length}"),
                );
                let path = folder.join(&format!("phones/{name}.der"));
                write_public(&path, issued.certificate.der()).map_err(diagnosed)?;
                say(out, format!("{name}: issued by {}", issued.certificate.issuer()));
                Ok(Became::Issued)
            }
            Ok(CsrOutcome::Pending { retry_after }) => {
                say(
                    out,
                    format!("{name}: pending, ask again in {} s", retry_after.as_secs()),
                );
                Ok(Became::Pending)
            }
            Err(error) => {
                let failure = error.diagnose();
                say(out, format!("{name}: Enrollment rv = {}", error.est_error()));
                say(out, format!("{name}: {}", failure.cause));
                if failure.known_cause == Some(KnownCause::RequestDenied) {
                    Ok(Became::Denied)
                } else {
                    Err(failure)
                }
            }
        }
    }

    async fn pick_up(&self, folder: &LabFolder, out: &mut dyn Write) -> Result<Vec<LogLine>, Failure> {
        let waiting = PHONES.iter().zip(FIRST_REQUEST..);
        for ((name, verdict), number) in waiting {
            if *verdict != Verdict::Pending {
                continue;
            }
            self.simulator.approve(number).map_err(diagnosed)?;
            say(out, format!("the administrator approves request {number}"));
            let before = self.simulator.log().len();
            let csr = read_request(folder, name)?;
            if self.enrol_one(folder, name, &csr, out).await? != Became::Issued {
                return Err(unexpected(format!("{name} is approved and was not picked up.")));
            }
            let lines = self.simulator.log().split_off(before);
            print_log(&lines, out);
            return Ok(lines);
        }
        Err(unexpected("No phone waits."))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Issued,
    Pending,
    Denied,
}

/// The phone's request, in DER, kept as the phone service keeps it.
fn make_request(folder: &LabFolder, name: &str) -> Result<Vec<u8>, Failure> {
    let subject: Subject = format!("O=Cisco,CN={name}").parse().map_err(diagnosed)?;
    let template = RequestTemplate::new(subject, &[]).map_err(diagnosed)?;
    let key = RequestKey::generate(NewKey::EcP256).map_err(diagnosed)?;
    let request = KeyAndRequest::new(template, key).map_err(diagnosed)?;
    let path = folder.join(&format!("phones/{name}.csr"));
    write_public(&path, request.csr_der()).map_err(diagnosed)?;
    Ok(request.csr_der().to_vec())
}

fn read_request(folder: &LabFolder, name: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(folder.join(&format!("phones/{name}.csr")))
        .map_err(|error| unexpected(format!("The request of {name} cannot be read: {error}.")))
}

/// What `est serve` and `est enroll --batch` need to do the same.
fn write_files(
    folder: &LabFolder,
    simulator: &Simulator,
    authority: &RegistrationAuthority,
) -> Result<(), Failure> {
    let room = |name: &str| format!("registration-authority/{name}");
    folder
        .write(&room("ad-root.pem"), &simulator.authority_pem())
        .map_err(diagnosed)?;
    authority
        .identity()
        .save(
            folder.join(&room("server.pem")),
            folder.join(&room("server.key.pem")),
        )
        .map_err(diagnosed)?;
    let names: Vec<&str> = PHONES.iter().map(|(name, _)| *name).collect();
    folder
        .write("phones/names", &format!("{}\n", names.join("\n")))
        .map_err(diagnosed)?;
    // The password of the simulator's account stands in its guide; a real one is written by hand.
    folder
        .write(&room("certsrv-password"), &format!("{PASSWORD}\n"))
        .map_err(diagnosed)?;
    folder
        .write(&room("est.toml"), &configuration(&simulator.url()))
        .map_err(diagnosed)
}

/// The same registration authority for `est serve`.
fn configuration(url: &str) -> String {
    format!(
        "# The registration authority of the lab. Paths are relative to this file.\n\
         listen = \"127.0.0.1:8085\"\n\
         certificate = \"server.pem\"\n\
         key = \"server.key.pem\"\n\n\
         [authentication]\n\
         require = [\"basic\"]\n\n\
         [certsrv]\n\
         url = \"{url}/certsrv\"\n\
         trust-anchors = [\"ad-root.pem\"]\n\
         template = \"{TEMPLATE}\"\n\
         account = '{ACCOUNT}'\n\
         password-file = \"certsrv-password\"\n\
         user-agent = \"{USER_AGENT}\"\n\
         idle-connections = 0\n\
         open-requests = \"open-requests\"\n\
         checks-passwords = true\n"
    )
}

fn print_log(lines: &[LogLine], out: &mut dyn Write) {
    for line in lines {
        say(out, format!("    {line}"));
    }
}

fn next(folder: &LabFolder, out: &mut dyn Write) -> Result<(), Failure> {
    if !folder.is_kept() {
        say(
            out,
            "with --keep DIR, requests, certificates and the configuration of `est serve` stay",
        );
        return Ok(());
    }
    let dir = folder.path().display();
    say(
        out,
        "a simulator of its own, then the registration authority and the phone service in front of it:",
    );
    for line in [
        format!("interop adcs-sim --keep {dir}/ad"),
        format!(
            "# in {dir}/registration-authority/est.toml: the url of the simulator, and its root, {dir}/ad/ca.pem"
        ),
        format!("est serve --config {dir}/registration-authority/est.toml"),
        format!(
            "est enroll --url https://127.0.0.1:8085 --trust-anchors {dir}/ca/ca.pem --trust-anchors {dir}/ad/ca.pem \
             --user '{ACCOUNT}' --password-file {dir}/registration-authority/certsrv-password --batch {dir}/phones \
             --names-file {dir}/phones/names --format der --step-log {dir}/phones/steps.log"
        ),
    ] {
        say(out, format!("    {line}"));
    }
    Ok(())
}
