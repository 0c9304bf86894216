//! The log of the vendor's phone certificate service, CAPF (Cisco document 214396, F002-21 to F002-26 and F002-32), and of
//! `est enroll --batch`, which uses its words.

use super::{Line, Says, Source, kept, leading_number};
use crate::explain::time::Stamp;

/// A line of CAPF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CapfLine {
    /// The phone, as `SEP74A02FC0A675`.
    pub(crate) device: Option<String>,
    /// The thread that wrote it: lines without a device belong to the one before them of the same thread.
    pub(crate) thread: Option<u32>,
    pub(crate) step: Step,
}

/// What the line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    EnrolmentBegins,
    Calls {
        csr: String,
    },
    RequestRead,
    /// libest's number, and the length of what came.
    Enrolled {
        number: u32,
        length: u32,
    },
    ObtainFailed,
    Returned {
        number: u32,
    },
    Signed {
        successful: bool,
    },
    Detail {
        text: &'static str,
    },
    OperationStatus {
        text: String,
    },
    SessionEnds,
    StartUp,
}

/// `HH:MM:SS.mmm | debug 9:SEP…:text`
pub(super) fn read(line: &str) -> Option<Line> {
    let (time, rest) = line.split_once('|')?;
    let stamp = Stamp {
        wall: Stamp::time(time.trim())?,
        zone: None,
        dated: false,
    };
    let rest = rest.trim();
    let rest = [
        "debug",
        "info",
        "error",
        "warning",
        "detail",
        "significant",
        "arbitrary",
        "state transition",
    ]
    .iter()
    .find_map(|level| rest.strip_prefix(level))
    .unwrap_or(rest)
    .trim_start();
    let (thread, device, text) = owner(rest);
    let says = step(text).map_or(Says::Unknown, |step| {
        let device = device.map(str::to_ascii_uppercase);
        Says::Capf(CapfLine { device, thread, step })
    });
    Some(Line::new(Source::Capf, Some(stamp), says))
}

/// Thread, device and text of `9:SEP…:text`, `9:UNKNOWN:text` or a bare text.
fn owner(rest: &str) -> (Option<u32>, Option<&str>, &str) {
    let Some((thread, after)) = rest.split_once(':') else {
        return (None, None, rest);
    };
    let Ok(thread) = thread.trim().parse() else {
        return (None, None, rest);
    };
    match after.split_once(':') {
        Some((device, text)) if is_device(device) => (Some(thread), Some(device), text.trim()),
        Some(("" | "UNKNOWN", text)) => (Some(thread), None, text.trim()),
        _ => (Some(thread), None, after.trim()),
    }
}

/// A device name of the vendor's call control: three letters and a MAC address, or any short word.
fn is_device(name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    plain
        && (4..=64).contains(&name.len())
        && name != "UNKNOWN"
        && name.bytes().any(|byte| byte.is_ascii_digit())
}

/// Lines of a session that say no more than themselves.
const DETAILS: &[(&str, &str)] = &[
    ("Signed Cert written to", "certificate written"),
    ("write_binary_file()", "certificate written"),
    ("Converting PKCS7 file", "converted from PKCS #7 to DER"),
    ("findAndPost Device found", "device found in the cache"),
    ("CA CERT RES certificate ready", "certificate ready"),
    ("CAPF CORE: Rcvd Event: ", "an event of the state machine"),
    ("CAPF got device certificate", "CAPF has the certificate"),
    ("loadFile(", "certificate loaded"),
    ("Read certificate for device", "certificate read"),
    ("LSC is verified", "the certificate is verified"),
    ("Sending STORE_CERT_REQ msg", "certificate sent to the phone"),
    (
        "MapCapf_OpStatusToDBLTypeCertificateStatus(",
        "status written to the database",
    ),
    ("UPDATE Device SET", "status written to the database"),
    ("capf_ui_set_ph_public_key()", "public key of the phone stored"),
    ("pubKey length: ", "public key of the phone stored"),
    ("CA Type is Online CA", "EST connection set up"),
    ("Inside setUpESTClient", "EST connection set up"),
    ("cacert read success", "EST connection set up"),
    ("EST context ectx initialized", "EST connection set up"),
    ("CA Credentials retrieved", "EST connection set up"),
    ("est_client_set_auth() Successful", "EST connection set up"),
    ("EST set server details success", "EST connection set up"),
    ("Authentication Mode=", "settings of the phone"),
    ("KeySize=", "settings of the phone"),
    ("ECKeySize=", "settings of the phone"),
    ("KeyOrder=", "settings of the phone"),
    ("Operation=", "settings of the phone"),
    ("Operation Should Finish By=", "settings of the phone"),
];

/// Lines of a start-up.
const START_UP: &[&str] = &[
    "CServiceParameters::Init()",
    "TAM password already exists",
    "-->CServiceParameters::",
    "<--CServiceParameters::",
    "Online CA hostname is ",
    "Online CA Port : ",
    "Online CA Template is ",
    "nginx.conf Updated and Credential.txt file is created",
    "Reading CAPF Service Parameters done",
    "OnlineCA Initialized",
    "Cisco RA Service Start Initiated",
];

fn step(text: &str) -> Option<Step> {
    let bare = text.trim_start_matches("-->").trim_start_matches("<--");
    if text.starts_with("CA Mode is OnlineCA") {
        return Some(Step::EnrolmentBegins);
    }
    if let Some(rest) = text.strip_prefix("Calling enrollCertUsingEST()") {
        let csr = rest.trim().strip_prefix("csr_file=").unwrap_or_default();
        return Some(Step::Calls { csr: kept(csr) });
    }
    if text.contains("read_csr()") {
        return Some(Step::RequestRead);
    }
    if bare.starts_with("Completed action in") {
        return Some(Step::RequestRead);
    }
    if let Some(rest) = text.strip_prefix("Enrollment rv = ") {
        let (_, length) = rest.split_once("pkcs7 length = ")?;
        return Some(Step::Enrolled {
            number: leading_number(rest)?,
            length: leading_number(length)?,
        });
    }
    if text.starts_with("est_client_enroll_csr() Failed") {
        return Some(Step::ObtainFailed);
    }
    if let Some(rest) = text.strip_prefix("Return value from enrollCertUsingEST() : ") {
        return Some(Step::Returned {
            number: leading_number(rest)?,
        });
    }
    if let Some(rest) = text.strip_prefix("Online Cert Signing ") {
        return match rest.trim_end_matches(['.', '!']).to_ascii_lowercase().as_str() {
            "successful" => Some(Step::Signed { successful: true }),
            "failed" => Some(Step::Signed { successful: false }),
            _ => None,
        };
    }
    if let Some((_, status)) = text.split_once("SetOperationStatus(") {
        let status = status.split(')').next().unwrap_or(status);
        return Some(Step::OperationStatus { text: kept(status) });
    }
    if text.contains("CAPF_MSG_END_SESSION") {
        return Some(Step::SessionEnds);
    }
    if START_UP.iter().any(|words| text.contains(words)) {
        return Some(Step::StartUp);
    }
    let detail = DETAILS.iter().find(|(words, _)| bare.contains(words));
    detail.map(|(_, text)| Step::Detail { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> CapfLine {
        match read(text).unwrap().says {
            Says::Capf(line) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_device_thread_and_outcome() {
        let read = line(
            "12:38:04.779 |   debug 5:SEP74A02FC0A675:Enrollment rv = 35 (EST_ERR_SSL_READ) with pkcs7 length = 0",
        );
        assert_eq!(read.device.as_deref(), Some("SEP74A02FC0A675"));
        assert_eq!(read.thread, Some(5));
        assert_eq!(
            read.step,
            Step::Enrolled {
                number: 35,
                length: 0
            }
        );
    }

    #[test]
    fn a_line_needs_no_device() {
        let read = line("14:05:02.120 |-->CServiceParameters::OnlineCAInit()");
        assert_eq!((read.device, read.step), (None, Step::StartUp));
        let read = line("14:05:02.120 | debug 2:UNKNOWN:OnlineCA Initialized");
        assert_eq!((read.device, read.thread), (None, Some(2)));
    }

    #[test]
    fn an_outcome_that_is_cut_off_is_not_taken_for_another_one() {
        let cut = read("12:38:04.779 | debug 5:SEP74A02FC0A675:Enrollment rv = 3").unwrap();
        assert_eq!(cut.says, Says::Unknown);
        assert_eq!(read("12:38:04 all is well"), None);
    }
}
