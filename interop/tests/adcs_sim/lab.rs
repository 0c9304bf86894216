//! A simulator, a request, and `curl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use interop::adcs_sim::{Fault, LogLine, Settings, Simulator};
use interop::peers::find_or_skip;
use rcgen::{CertificateParams, DnType, KeyPair};
use tempfile::TempDir;

/// Seconds after which a hang is a failure; only a defect reaches it.
const PATIENCE: &str = "60";

/// Windows as the vendor's registration authority calls itself.
pub(crate) const CISCO_RA: &str = "CiscoRA 1.0";

pub(crate) struct Lab {
    pub(crate) simulator: Simulator,
    folder: TempDir,
    curl: PathBuf,
}

/// What `curl` did.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) body: Vec<u8>,
    pub(crate) errors: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            body: output.stdout,
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Lab {
    /// `None` when `curl` is not installed.
    pub(crate) async fn start(settings: Settings) -> Option<Self> {
        let curl = find_or_skip("curl")?;
        let simulator = Simulator::start(settings).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), simulator.authority_pem()).unwrap();
        Some(Self {
            simulator,
            folder,
            curl,
        })
    }

    pub(crate) async fn with_faults(faults: &[&str]) -> Option<Self> {
        let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Self::start(Settings {
            faults,
            ..Settings::default()
        })
        .await
    }

    pub(crate) fn set_faults(&self, faults: &[&str]) {
        let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        self.simulator.set_faults(faults).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.file(name), content).unwrap();
        self.file(name)
    }

    pub(crate) fn url(&self, page: &str) -> String {
        format!("{}{page}", self.simulator.url())
    }

    /// `curl` that trusts the simulator, without credentials.
    pub(crate) fn curl(&self) -> Command {
        let mut command = Command::new(&self.curl);
        command
            .args(["--silent", "--show-error", "--max-time", PATIENCE, "--cacert"])
            .arg(self.file("ca.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Asks without credentials.
    pub(crate) fn anonymous(&self, arguments: &[&str], page: &str) -> Answer {
        Answer::of(self.curl().args(arguments).arg(self.url(page)).output().unwrap())
    }

    /// Asks as the user of the lab.
    pub(crate) fn ask(&self, arguments: &[&str], page: &str) -> Answer {
        let credentials = ["--user", "ciscora:cisco", "--basic"];
        Answer::of(
            self.curl()
                .args(credentials)
                .args(arguments)
                .arg(self.url(page))
                .output()
                .unwrap(),
        )
    }

    /// As [`Self::ask`], without waiting for the answer.
    pub(crate) fn begin(&self, arguments: &[String], page: &str) -> Child {
        let credentials = ["--user", "ciscora:cisco", "--basic"];
        self.curl()
            .args(credentials)
            .args(arguments)
            .arg(self.url(page))
            .spawn()
            .unwrap()
    }

    /// The arguments of `curl` that submit a new request.
    pub(crate) fn submission(&self, template: &str, common_name: &str) -> Vec<String> {
        let file = self.write("request.pem", request(common_name));
        form(&file, template)
    }

    /// Submits a request and returns the page.
    pub(crate) fn submit(&self, template: &str, common_name: &str) -> String {
        let form = self.submission(template, common_name);
        let form: Vec<&str> = form.iter().map(String::as_str).collect();
        let answer = self.ask(&form, "/certsrv/certfnsh.asp");
        assert_eq!(answer.code, 0, "{}", answer.errors);
        answer.text()
    }
}

/// The fields that clients of the original send (B-02), for `curl`.
pub(crate) fn form(request: &Path, template: &str) -> Vec<String> {
    [
        "Mode=newreq".to_owned(),
        format!("CertRequest@{}", request.display()),
        format!("CertAttrib=CertificateTemplate:{template}\r\n"),
        "FriendlyType=Saved-Request Certificate".to_owned(),
        "ThumbPrint=".to_owned(),
        "TargetStoreFlags=0".to_owned(),
        "SaveCert=yes".to_owned(),
    ]
    .into_iter()
    .flat_map(|field| ["--data-urlencode".to_owned(), field])
    .collect()
}

/// A certification request in PEM.
pub(crate) fn request(common_name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters.serialize_request(&key).unwrap().pem().unwrap()
}

/// The columns of a log that the vendor's document shows: method, path, query, user, status, sub-status, Win32.
pub(crate) fn columns(log: &[LogLine]) -> Vec<String> {
    let dash = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    log.iter()
        .map(|line| {
            format!(
                "{} {} {} {} {} {} {}",
                line.method,
                line.stem,
                dash(&line.query),
                dash(line.user.as_deref().unwrap_or_default()),
                line.status,
                line.substatus,
                line.win32
            )
        })
        .collect()
}

/// The number of the request in a link to its certificate; the one sign that no language changes.
pub(crate) fn issued_id(page: &str) -> Option<u32> {
    let (_, behind) = page.split_once("certnew.cer?ReqID=")?;
    behind.split_once('&')?.0.parse().ok()
}
