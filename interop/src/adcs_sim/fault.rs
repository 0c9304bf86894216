//! What can be made to go wrong, each by a name for the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::disposition::Hresult;
use super::page::Language;

/// The name in the certificate of [`Fault::WrongName`] when none is given: that of Cisco document 214396, whose URL says
/// `lab-dc.michamen.com`.
pub const DEFAULT_WRONG_NAME: &str = "lab-dc";

/// The longest delay and the largest clock offset, in seconds: a day.
const MAX_SECONDS: u32 = 86_400;

/// The most renewals: each makes a key.
pub const MAX_RENEWALS: u32 = 100;

/// Something that goes wrong on purpose.
///
/// `Display` and [`FromStr`] use the form of the command line, `NAME` or `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `delay=[PLACE:]SECONDS`: the answer comes late. What was asked for is done at once: a certificate is issued
    /// before the delay.
    Delay {
        /// Where.
        place: Place,
        /// For how long.
        time: Duration,
    },
    /// `hang[=PLACE]`: no answer, until this fault is taken away. What was asked for is done.
    Hang(Place),
    /// `drop[=PLACE]`: the connection is closed instead of an answer. What was asked for is done.
    Drop(Place),
    /// `drop-in-answer[=PLACE]`: the connection is closed after half of the answer.
    DropInAnswer(Place),
    /// `server-error[=PLACE]`: status 500; nothing is done.
    ServerError(Place),
    /// `wrong-name[=NAME]`: the server's certificate is for this name only.
    WrongName(String),
    /// `self-signed`: the server's certificate is.
    SelfSigned,
    /// `not-yet-valid`: the server's certificate is valid from tomorrow on.
    NotYetValid,
    /// `expired`: the server's certificate was valid until yesterday.
    Expired,
    /// `unknown-ca`: the server's certificate is of an authority that nobody knows.
    UnknownAuthority,
    /// `missing-intermediate`: the server does not send the certificate between its own and the root.
    MissingIntermediate,
    /// `language=de|fr`: the texts of the pages are localized.
    Localized(Language),
    /// `pending`: every request waits for an administrator.
    Pending,
    /// `denied[=CODE]`: the policy module denies every request; by default with 0x80094800.
    Denied(Hresult),
    /// `error[=CODE]`: every request fails; by default with 0x8009310b.
    Error(Hresult),
    /// `renewed[=N]`: the authority was renewed with new keys this many times, at most [`MAX_RENEWALS`]; `Renewal=0` gets the first certificate.
    /// A renewal is not undone when the fault is taken away.
    Renewed(u32),
    /// `no-ntlm`: neither NTLM nor Negotiate is offered.
    NoNtlm,
    /// `no-basic`: Basic is not offered.
    NoBasic,
    /// `html-certificate`: issued certificates come as `text/html`.
    HtmlCertificate,
    /// `clock=SECONDS`: the server's clock is wrong by so much; negative: it is late. Seen in `Date` and in the log.
    Clock(i64),
}

/// Where a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// `all`: every page.
    AllPages,
    /// `tls`: before the TLS handshake.
    Tls,
    /// `certsrv`: the first page, which clients log in at.
    Login,
    /// `certrqxt`: the request form with the templates.
    RequestForm,
    /// `certfnsh`: where requests are sent to.
    Submit,
    /// `certnew.cer`: certificates.
    Certificate,
    /// `certnew.p7b`: chains.
    Chain,
    /// `certcarc`: the number of renewals.
    CaCertificates,
    /// `certckpn`: pending requests.
    PendingRequests,
    /// `certcrl`: revocation lists.
    RevocationList,
}

impl Place {
    /// All of them with their names.
    pub const NAMES: [(Self, &'static str); 10] = [
        (Self::AllPages, "all"),
        (Self::Tls, "tls"),
        (Self::Login, "certsrv"),
        (Self::RequestForm, "certrqxt"),
        (Self::Submit, "certfnsh"),
        (Self::Certificate, "certnew.cer"),
        (Self::Chain, "certnew.p7b"),
        (Self::CaCertificates, "certcarc"),
        (Self::PendingRequests, "certckpn"),
        (Self::RevocationList, "certcrl"),
    ];

    /// Whether a fault at this place happens at that one.
    fn covers(self, place: Self) -> bool {
        self == place || (self == Self::AllPages && place != Self::Tls)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(place, _)| place == self);
        f.write_str(name.map_or("all", |(_, name)| name))
    }
}

/// A text that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is no fault: {problem}", pki_common::Escaped::new(text).at_most(80))]
pub struct UnknownFault {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl pki_common::Diagnose for UnknownFault {
    fn diagnose(&self) -> pki_common::Failure {
        let remedy = "Take one of the faults that --help lists.";
        pki_common::Failure::new(pki_common::Rung::Local, format!("{self}."), remedy)
    }
}

/// Names and values for the help.
pub const FAULT_NAMES: &str = "delay=[PLACE:]SECONDS, hang[=PLACE], drop[=PLACE], drop-in-answer[=PLACE], \
    server-error[=PLACE], wrong-name[=NAME], self-signed, not-yet-valid, expired, unknown-ca, missing-intermediate, \
    language=de|fr, pending, denied[=CODE], error[=CODE], renewed[=N], no-ntlm, no-basic, html-certificate, \
    clock=SECONDS";

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        parse(name, value).map_err(|problem| UnknownFault {
            text: text.to_owned(),
            problem,
        })
    }
}

fn parse(name: &str, value: Option<&str>) -> Result<Fault, String> {
    let place = || value.map_or(Ok(Place::AllPages), place);
    let code = |usual| {
        value.map_or(Ok(usual), |text| {
            text.parse::<Hresult>().map_err(|error| error.to_string())
        })
    };
    let fault = match name {
        "delay" => delay(value.ok_or("how long? Write delay=SECONDS or delay=PLACE:SECONDS")?)?,
        "hang" => Fault::Hang(place()?),
        "drop" => Fault::Drop(place()?),
        "drop-in-answer" => Fault::DropInAnswer(page(place()?)?),
        "server-error" => Fault::ServerError(page(place()?)?),
        "wrong-name" => Fault::WrongName(value.unwrap_or(DEFAULT_WRONG_NAME).to_owned()),
        "language" => Fault::Localized(value.unwrap_or_default().parse()?),
        "denied" => Fault::Denied(code(Hresult::UNSUPPORTED_TEMPLATE)?),
        "error" => Fault::Error(code(Hresult::BAD_REQUEST)?),
        "renewed" => Fault::Renewed(renewals(value.unwrap_or("1"))?),
        "clock" => Fault::Clock(seconds(value.unwrap_or_default())?),
        _ => return without_value(name, value),
    };
    Ok(fault)
}

fn without_value(name: &str, value: Option<&str>) -> Result<Fault, String> {
    let fault = match name {
        "self-signed" => Fault::SelfSigned,
        "not-yet-valid" => Fault::NotYetValid,
        "expired" => Fault::Expired,
        "unknown-ca" => Fault::UnknownAuthority,
        "missing-intermediate" => Fault::MissingIntermediate,
        "pending" => Fault::Pending,
        "no-ntlm" => Fault::NoNtlm,
        "no-basic" => Fault::NoBasic,
        "html-certificate" => Fault::HtmlCertificate,
        _ => return Err(format!("there are {FAULT_NAMES}")),
    };
    match value {
        None => Ok(fault),
        Some(_) => Err(format!("{name} takes no value")),
    }
}

fn delay(value: &str) -> Result<Fault, String> {
    let (at, time) = match value.split_once(':') {
        Some((at, time)) => (place(at)?, time),
        None => (Place::AllPages, value),
    };
    let seconds: f64 = time
        .parse()
        .map_err(|_| format!("{time:?} is no number of seconds"))?;
    if !(0.0..=f64::from(MAX_SECONDS)).contains(&seconds) {
        return Err(format!("the seconds must be from 0 to {MAX_SECONDS}"));
    }
    let time = Duration::from_secs_f64(seconds);
    Ok(Fault::Delay { place: at, time })
}

fn place(text: &str) -> Result<Place, String> {
    let named = Place::NAMES.iter().find(|(_, name)| *name == text);
    named.map(|(place, _)| *place).ok_or_else(|| {
        let names = Place::NAMES.map(|(_, name)| name);
        format!("{text:?} is no place; there are {}", names.join(", "))
    })
}

/// What happens inside an answer cannot happen before the handshake.
fn page(place: Place) -> Result<Place, String> {
    match place {
        Place::Tls => Err("it needs an answer, and there is none before the TLS handshake".to_owned()),
        page => Ok(page),
    }
}

fn renewals(value: &str) -> Result<u32, String> {
    let number = value
        .parse()
        .ok()
        .filter(|number| (1..=MAX_RENEWALS).contains(number));
    number.ok_or_else(|| format!("{value:?} is no number from 1 to {MAX_RENEWALS}"))
}

fn seconds(value: &str) -> Result<i64, String> {
    let range = -i64::from(MAX_SECONDS)..=i64::from(MAX_SECONDS);
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{value:?} is no number of seconds from -{MAX_SECONDS} to {MAX_SECONDS}"))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay { place, time } => write!(f, "delay={place}:{}", time.as_secs_f64()),
            Self::Hang(place) => write!(f, "hang={place}"),
            Self::Drop(place) => write!(f, "drop={place}"),
            Self::DropInAnswer(place) => write!(f, "drop-in-answer={place}"),
            Self::ServerError(place) => write!(f, "server-error={place}"),
            Self::WrongName(name) => write!(f, "wrong-name={name}"),
            Self::SelfSigned => f.write_str("self-signed"),
            Self::NotYetValid => f.write_str("not-yet-valid"),
            Self::Expired => f.write_str("expired"),
            Self::UnknownAuthority => f.write_str("unknown-ca"),
            Self::MissingIntermediate => f.write_str("missing-intermediate"),
            Self::Localized(language) => write!(f, "language={language}"),
            Self::Pending => f.write_str("pending"),
            Self::Denied(code) => write!(f, "denied={code}"),
            Self::Error(code) => write!(f, "error={code}"),
            Self::Renewed(number) => write!(f, "renewed={number}"),
            Self::NoNtlm => f.write_str("no-ntlm"),
            Self::NoBasic => f.write_str("no-basic"),
            Self::HtmlCertificate => f.write_str("html-certificate"),
            Self::Clock(seconds) => write!(f, "clock={seconds}"),
        }
    }
}

/// The faults of a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    fn any(&self, wanted: impl Fn(&Fault) -> bool) -> bool {
        self.0.iter().any(wanted)
    }

    /// The sum of the delays there.
    pub(super) fn delay(&self, at: Place) -> Duration {
        let delays = self.0.iter().filter_map(|fault| match fault {
            Fault::Delay { place, time } if place.covers(at) => Some(*time),
            _ => None,
        });
        delays.sum()
    }

    pub(super) fn hangs(&self, at: Place) -> bool {
        self.any(|fault| matches!(fault, Fault::Hang(place) if place.covers(at)))
    }

    pub(super) fn drops(&self, at: Place) -> bool {
        self.any(|fault| matches!(fault, Fault::Drop(place) if place.covers(at)))
    }

    pub(super) fn drops_in_answer(&self, at: Place) -> bool {
        self.any(|fault| matches!(fault, Fault::DropInAnswer(place) if place.covers(at)))
    }

    pub(super) fn server_error(&self, at: Place) -> bool {
        self.any(|fault| matches!(fault, Fault::ServerError(place) if place.covers(at)))
    }

    pub(super) fn language(&self) -> Language {
        let mut languages = self.0.iter().filter_map(|fault| match fault {
            Fault::Localized(language) => Some(*language),
            _ => None,
        });
        languages.next_back().unwrap_or_default()
    }

    pub(super) fn clock_offset(&self) -> i64 {
        let offsets = self.0.iter().filter_map(|fault| match fault {
            Fault::Clock(seconds) => Some(*seconds),
            _ => None,
        });
        offsets.sum()
    }

    /// At most [`MAX_RENEWALS`].
    pub(super) fn renewals(&self) -> u32 {
        let renewals = self.0.iter().filter_map(|fault| match fault {
            Fault::Renewed(number) => Some(*number),
            _ => None,
        });
        renewals.max().unwrap_or(0).min(MAX_RENEWALS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_shown() {
        for text in [
            "delay=all:1.5",
            "delay=certfnsh:15",
            "hang=tls",
            "drop=certsrv",
            "drop-in-answer=certrqxt",
            "server-error=certfnsh",
            "wrong-name=lab-dc",
            "self-signed",
            "not-yet-valid",
            "expired",
            "unknown-ca",
            "missing-intermediate",
            "language=de",
            "language=fr",
            "pending",
            "denied=0x80094800",
            "error=0x8009310b",
            "renewed=2",
            "no-ntlm",
            "no-basic",
            "html-certificate",
            "clock=-6",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
            let name = text.split('=').next().unwrap();
            assert!(FAULT_NAMES.contains(name), "{name} is not in the help");
        }
    }

    #[test]
    fn a_value_may_be_left_out_where_there_is_a_usual_one() {
        for (short, long) in [
            ("hang", "hang=all"),
            ("wrong-name", "wrong-name=lab-dc"),
            ("denied", "denied=0x80094800"),
            ("renewed", "renewed=1"),
            ("delay=2", "delay=all:2"),
        ] {
            assert_eq!(short.parse::<Fault>(), long.parse::<Fault>(), "{short}");
        }
    }

    #[test]
    fn what_is_no_fault_is_told_with_the_choices() {
        for (text, part) in [
            ("flood", "self-signed"),
            ("delay", "SECONDS"),
            ("delay=soon", "soon"),
            ("delay=-1", "86400"),
            ("delay=NaN", "86400"),
            ("hang=certxyz", "certrqxt"),
            ("server-error=tls", "handshake"),
            ("renewed=0", "1 to 100"),
            ("expired=yes", "no value"),
            ("denied=often", "often"),
            ("language=tlh", "tlh"),
            ("clock=", "seconds"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_fault_of_all_pages_leaves_the_handshake_alone() {
        let faults = Faults(vec![Fault::Hang(Place::AllPages), Fault::Drop(Place::Tls)]);
        assert!(faults.hangs(Place::Submit) && !faults.hangs(Place::Tls));
        assert!(faults.drops(Place::Tls) && !faults.drops(Place::Login));
    }
}
