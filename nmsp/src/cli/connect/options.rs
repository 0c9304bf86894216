//! What `nmsp connect` is told, on the command line or in a file.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use pki_common::MacAddr;
use serde::Deserialize;

use crate::cli::failure::CliError;
use crate::cli::legacy::LegacyChoice;
use crate::cli::read_text;
use crate::client::fleet::RetryPolicy;
use crate::simulation::FloorPlan;
use crate::wire::elements::ServiceParameters;
use crate::wire::message::ServiceSubscribeRequest;
use crate::wire::numbers::UnknownName;
use crate::wire::{Service, Services};

/// What `--longest-wait` may be, in seconds: up to a day.
const LONGEST_WAIT: RangeInclusive<i64> = 1..=86_400;

#[derive(Debug, Default, clap::Args, Deserialize)]
#[command(group = clap::ArgGroup::new("controller-check").required(true).multiple(true).args(
    ["trust_anchors", "controller_authlist", "dangerous_pin_on_first_use", "config"]
))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(in crate::cli) struct Options {
    /// A controller, HOST or HOST:PORT; the port is 16113 if not given. May be given several times.
    #[arg(long, value_name = "HOST[:PORT]", required_unless_present = "config")]
    pub(super) controller: Vec<String>,
    /// Our certificate chain, PEM or DER.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    pub(super) certificate: Option<PathBuf>,
    /// Our private key, PEM or DER.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    pub(super) key: Option<PathBuf>,
    /// Authorities that the controller's certificate must come from; files or folders. Unless there is an authlist too,
    /// the certificate must also be for the host of --controller, or for what --expect-name or --expect-mac says.
    #[arg(long, value_name = "PATH")]
    pub(super) trust_anchors: Vec<PathBuf>,
    /// An authlist that the controller must be in, any format.
    #[arg(long, value_name = "FILE")]
    pub(super) controller_authlist: Option<PathBuf>,
    /// Believes whatever certificate a controller presents first, prints its fingerprint, keeps it in this file, and
    /// refuses another one from then on. Who stands between us and the controller at first contact stays there unseen.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trust_anchors", "controller_authlist", "expect_name", "expect_mac"])]
    pub(super) dangerous_pin_on_first_use: Option<PathBuf>,
    /// Speaks TLS 1.0 to 1.2 with static RSA by OpenSSL, for old controllers: who records the traffic and gets the
    /// controller's key later can read it. Needs a build with the feature openssl.
    #[arg(long, conflicts_with = "dangerous_dtls")]
    pub(super) dangerous_legacy_tls: bool,
    /// Speaks DTLS 1.2 over UDP by OpenSSL, for the connectionless form. Needs a build with the feature openssl.
    #[arg(long)]
    pub(super) dangerous_dtls: bool,
    /// Cipher suites for --dangerous-legacy-tls or --dangerous-dtls, as `openssl ciphers` writes them.
    #[arg(long, value_name = "LIST")]
    pub(super) dangerous_legacy_ciphers: Option<String>,
    /// Appends the TLS secrets of every connection to this file, for `nmsp decode --key-log` and Wireshark. Whoever has it
    /// can read the traffic.
    #[arg(long, value_name = "FILE")]
    pub(super) dangerous_key_log: Option<PathBuf>,
    /// The DNS name or IP address that the controller's certificate must carry in its subject alternative names.
    #[arg(long, value_name = "NAME", conflicts_with = "expect_mac")]
    pub(super) expect_name: Option<String>,
    /// The MAC address that must stand at the end of the common name of the controller's certificate, as vendors put it
    /// there; may be used in place of --expect-name, beside an authlist too.
    #[arg(long, value_name = "MAC")]
    pub(super) expect_mac: Option<MacAddr>,
    /// What to subscribe, or "all"; may be given several times. All measurements if not given; with --tui also facts about
    /// stations, access points and locations.
    #[arg(long, value_name = "SERVICE")]
    pub(super) service: Vec<ServiceChoice>,
    /// Only what access points of this group hear; may be given several times.
    #[arg(long, value_name = "GROUP")]
    pub(super) ap_group: Vec<String>,
    /// Asks for reports about the same station at most this often, 1 to 180 seconds; the controller decides if not given.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=180))]
    pub(super) interval: Option<u16>,
    /// Asks for a report only if the signal strength moved by this much.
    #[arg(long, value_name = "DB")]
    pub(super) rssi_threshold: Option<u8>,
    /// A floor plan (TOML) that says where access points and walls are, for the map of --tui.
    #[arg(long, value_name = "FILE")]
    pub(super) floor: Option<PathBuf>,
    /// Ends after this many measured stations.
    #[arg(long, value_name = "N")]
    pub(super) count: Option<u64>,
    /// Ends after this time.
    #[arg(long, value_name = "N")]
    pub(super) seconds: Option<u64>,
    /// Ends when the controllers have ended their connections, instead of connecting again.
    #[arg(long)]
    pub(super) no_reconnect: bool,
    /// The longest pause before the next attempt to connect, 1 to 86400 seconds; at most twice that where the controller asks
    /// for a pause. Unless given, pauses grow to a minute, and to five where a person has to mend something. Each attempt
    /// costs the controller a handshake.
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_reconnect", value_parser = clap::value_parser!(u32).range(LONGEST_WAIT))]
    pub(super) longest_wait: Option<u32>,
    /// Prints one JSON object a line: measurements as `nmsp serve --measurements` reads them, other messages with
    /// controller, sequence, message and body; at the end the summary on standard error.
    #[arg(long, conflicts_with_all = ["tui", "plain"])]
    pub(super) json: bool,
    /// Prints one line for each measured station, on a terminal too, where a live table is the default.
    #[arg(long, conflicts_with = "tui")]
    pub(super) plain: bool,
    /// Shows a full-screen view: a map of the floor, the health of the connections, rates and losses.
    #[arg(long)]
    pub(super) tui: bool,
    /// Writes the summary of the end to this file, as one JSON object.
    #[arg(long, value_name = "FILE")]
    pub(super) summary: Option<PathBuf>,
    /// Reads options from this file (TOML); the keys are the long options. What the command line says goes first.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(super) config: Option<PathBuf>,
}

/// A service, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::cli) enum ServiceChoice {
    All,
    One(Service),
}

impl core::str::FromStr for ServiceChoice {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse().map(Self::One)
    }
}

impl TryFrom<String> for ServiceChoice {
    type Error = UnknownName;

    fn try_from(text: String) -> Result<Self, UnknownName> {
        text.parse()
    }
}

/// How to show what is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Json,
    Plain,
    Table,
    Tui,
}

impl Options {
    /// The command line over the file that it names.
    pub(super) fn with_file(self) -> Result<Self, CliError> {
        let Some(path) = &self.config else {
            return Ok(self);
        };
        let file = Self::load(path)?;
        let options = self.over(file);
        options.check()?;
        Ok(options)
    }

    /// Reads the file alone; paths in it are relative to its folder.
    pub(in crate::cli) fn load(path: &Path) -> Result<Self, CliError> {
        let mut file: Self = toml::from_str(&read_text(path)?).map_err(|error| {
            let cause = format!("{}: {}", path.display(), error.to_string().trim_end());
            CliError::usage(
                cause,
                "correct the line; the keys are the long options of `nmsp connect --help`",
            )
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let single = [
            &mut file.certificate,
            &mut file.key,
            &mut file.controller_authlist,
            &mut file.dangerous_pin_on_first_use,
            &mut file.dangerous_key_log,
            &mut file.floor,
            &mut file.summary,
        ];
        for path in single.into_iter().flatten().chain(&mut file.trust_anchors) {
            *path = folder.join(&*path);
        }
        Ok(file)
    }

    fn over(self, file: Self) -> Self {
        fn first<T>(one: Vec<T>, other: Vec<T>) -> Vec<T> {
            if one.is_empty() { other } else { one }
        }
        // A name on the command line stands against a MAC address in the file and the other way round.
        let (expect_name, expect_mac) = match (&self.expect_name, &self.expect_mac) {
            (None, None) => (file.expect_name, file.expect_mac),
            _ => (self.expect_name, self.expect_mac),
        };
        // So does one shape against another.
        let shaped = self.json || self.plain || self.tui;
        Self {
            controller: first(self.controller, file.controller),
            certificate: self.certificate.or(file.certificate),
            key: self.key.or(file.key),
            trust_anchors: first(self.trust_anchors, file.trust_anchors),
            controller_authlist: self.controller_authlist.or(file.controller_authlist),
            dangerous_pin_on_first_use: self
                .dangerous_pin_on_first_use
                .or(file.dangerous_pin_on_first_use),
            dangerous_legacy_tls: self.dangerous_legacy_tls
                || (file.dangerous_legacy_tls && !self.dangerous_dtls),
            dangerous_dtls: self.dangerous_dtls || (file.dangerous_dtls && !self.dangerous_legacy_tls),
            dangerous_legacy_ciphers: self.dangerous_legacy_ciphers.or(file.dangerous_legacy_ciphers),
            dangerous_key_log: self.dangerous_key_log.or(file.dangerous_key_log),
            expect_name,
            expect_mac,
            service: first(self.service, file.service),
            ap_group: first(self.ap_group, file.ap_group),
            interval: self.interval.or(file.interval),
            rssi_threshold: self.rssi_threshold.or(file.rssi_threshold),
            floor: self.floor.or(file.floor),
            count: self.count.or(file.count),
            seconds: self.seconds.or(file.seconds),
            no_reconnect: self.no_reconnect || file.no_reconnect,
            longest_wait: self.longest_wait.or(file.longest_wait),
            json: self.json || (file.json && !shaped),
            plain: self.plain || (file.plain && !shaped),
            tui: self.tui || (file.tui && !shaped),
            summary: self.summary.or(file.summary),
            config: self.config,
        }
    }

    /// What the command line parser checks when there is no file.
    pub(in crate::cli) fn check(&self) -> Result<(), CliError> {
        let missing = [
            (self.controller.is_empty(), "controller"),
            (self.certificate.is_none(), "certificate"),
            (self.key.is_none(), "key"),
        ];
        if let Some((_, name)) = missing.iter().find(|(missing, _)| *missing) {
            return Err(CliError::usage(
                format!("no {name}"),
                "give it in the configuration file or on the command line",
            ));
        }
        if self.trust_anchors.is_empty()
            && self.controller_authlist.is_none()
            && self.dangerous_pin_on_first_use.is_none()
        {
            return Err(CliError::usage(
                "nothing to check the controller's certificate with".to_owned(),
                "give trust-anchors or controller-authlist",
            ));
        }
        self.check_pin()?;
        if self.expect_name.is_some() && self.expect_mac.is_some() {
            return Err(CliError::usage(
                "both expect-name and expect-mac".to_owned(),
                "give one of them",
            ));
        }
        if [self.json, self.plain, self.tui]
            .iter()
            .filter(|each| **each)
            .count()
            > 1
        {
            return Err(CliError::usage(
                "more than one of json, plain and tui".to_owned(),
                "give one of them",
            ));
        }
        if self.interval.is_some_and(|seconds| !(1..=180).contains(&seconds)) {
            return Err(CliError::usage(
                "interval is not 1 to 180".to_owned(),
                "give seconds from 1 to 180",
            ));
        }
        if self
            .longest_wait
            .is_some_and(|seconds| !LONGEST_WAIT.contains(&i64::from(seconds)))
        {
            return Err(CliError::usage(
                "longest-wait is not 1 to 86400".to_owned(),
                "give seconds from 1 to 86400",
            ));
        }
        Ok(())
    }

    /// A pinned certificate is compared as a whole; nothing else would be looked at.
    fn check_pin(&self) -> Result<(), CliError> {
        let others = !self.trust_anchors.is_empty()
            || self.controller_authlist.is_some()
            || self.expect_name.is_some()
            || self.expect_mac.is_some();
        if self.dangerous_pin_on_first_use.is_some() && others {
            return Err(CliError::usage(
                "dangerous-pin-on-first-use beside another check of the controller's certificate".to_owned(),
                "give a pin file, or trust anchors, authlist and names, but not both",
            ));
        }
        Ok(())
    }

    pub(super) fn shape(&self) -> Shape {
        match (self.json, self.tui, self.plain) {
            (true, _, _) => Shape::Json,
            (_, true, _) => Shape::Tui,
            (_, _, true) => Shape::Plain,
            _ if std::io::stdout().is_terminal() => Shape::Table,
            _ => Shape::Plain,
        }
    }

    /// When to connect again.
    pub(super) fn retry(&self) -> RetryPolicy {
        let usual = RetryPolicy::default();
        let Some(seconds) = self.longest_wait else {
            return usual;
        };
        let longest = Duration::from_secs(seconds.into());
        RetryPolicy {
            first: usual.first.min(longest),
            longest: usual.longest.min(longest),
            attention: usual.attention.min(longest),
            longest_asked: usual.longest_asked.min(longest),
            ..usual
        }
    }

    /// What to subscribe at a controller that offers these services.
    pub(super) fn subscription(&self, offered: Services) -> ServiceSubscribeRequest {
        let named = self.service.iter().map(|choice| match choice {
            ServiceChoice::All => offered,
            ServiceChoice::One(service) => Services::from(*service),
        });
        let mut services = named.fold(Services::NONE, |all, some| all | some);
        if services.is_empty() {
            services = Services::MEASUREMENTS;
            if self.tui {
                let facts = Services::INFO_MS | Services::INFO_RFID | Services::INFO_ROGUE;
                services = services | ((facts | Services::AP_INFO | Services::LOCATION) & offered);
            }
        }
        let asked = self.interval.is_some() || self.rssi_threshold.is_some();
        ServiceSubscribeRequest {
            services,
            access_point_groups: self.ap_group.iter().map(|group| group.as_str().into()).collect(),
            parameters: asked
                .then(|| ServiceParameters {
                    services,
                    interval_seconds: self.interval.unwrap_or(0),
                    rssi_threshold_db: self.rssi_threshold.unwrap_or(0),
                })
                .into_iter()
                .collect(),
        }
    }

    /// What old controllers speak, if that is wanted.
    pub(super) fn legacy(&self) -> LegacyChoice<'_> {
        LegacyChoice {
            tls: self.dangerous_legacy_tls,
            dtls: self.dangerous_dtls,
            ciphers: self.dangerous_legacy_ciphers.as_deref(),
        }
    }

    pub(super) fn floor_plan(&self) -> Result<Option<FloorPlan>, CliError> {
        self.floor.as_deref().map(crate::cli::floor_plan).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(text: &str) -> Options {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file = "controller = [\"a\", \"b\"]\ncertificate = \"c\"\nkey = \"k\"\nexpect-name = \"n\"\n\
                    trust-anchors = [\"t\"]\nservice = [\"rssi-ms\"]\njson = true\nseconds = 5\ninterval = 30\n";
        let merged = Options {
            controller: vec!["x".to_owned()],
            plain: true,
            expect_mac: Some(MacAddr::new([2, 0, 0, 0, 0, 1])),
            ..Options::default()
        }
        .over(from_file(file));
        merged.check().unwrap();
        assert_eq!(
            (merged.controller, merged.seconds),
            (vec!["x".to_owned()], Some(5))
        );
        assert_eq!(
            (merged.json, merged.plain, merged.expect_name),
            (false, true, None)
        );
        let alone = Options::default().over(from_file(file));
        assert_eq!(alone.controller, ["a", "b"]);
        assert_eq!(alone.shape(), Shape::Json);
        let request = alone.subscription(Services::MEASUREMENTS);
        assert_eq!(request.services, Services::RSSI_MS);
        assert_eq!(request.parameters[0].interval_seconds, 30);
    }

    #[test]
    fn a_file_without_what_is_needed_is_refused_by_name() {
        let refused = |file: &str| {
            let error = Options::default().over(from_file(file)).check().unwrap_err();
            error.to_string()
        };
        assert!(refused("").contains("no controller"));
        assert!(refused("controller = [\"a\"]\nkey = \"k\"\n").contains("no certificate"));
        let own = "controller = [\"a\"]\nkey = \"k\"\ncertificate = \"c\"\n";
        assert!(refused(own).contains("nothing to check"));
        let checked = format!("{own}trust-anchors = [\"t\"]\n");
        assert!(refused(&format!("{checked}interval = 181\n")).contains("1 to 180"));
        assert!(refused(&format!("{checked}longest-wait = 0\n")).contains("1 to 86400"));
        assert!(refused(&format!("{checked}json = true\ntui = true\n")).contains("more than one"));
        assert!(toml::from_str::<Options>("service = [\"rssi-mss\"]\n").is_err());
        assert!(toml::from_str::<Options>("contrller = [\"a\"]\n").is_err());
    }

    #[test]
    fn no_pause_is_longer_than_was_said() {
        assert_eq!(Options::default().retry(), RetryPolicy::default());
        let retry = Options::default().over(from_file("longest-wait = 1\n")).retry();
        let usual = RetryPolicy::default();
        let second = Duration::from_secs(1);
        assert_eq!((retry.first, retry.longest), (usual.first, second));
        assert_eq!((retry.attention, retry.longest_asked), (second, second));
        let day = Options::default()
            .over(from_file("longest-wait = 86400\n"))
            .retry();
        assert_eq!(day, usual, "pauses do not become longer");
    }

    #[test]
    fn the_full_screen_view_asks_for_what_it_shows_if_the_controller_has_it() {
        let options = Options {
            tui: true,
            ..Options::default()
        };
        let offered = Services::MEASUREMENTS | Services::AP_INFO;
        assert_eq!(options.subscription(offered).services, offered);
        let all = Options {
            service: vec![ServiceChoice::All],
            ..Options::default()
        };
        assert_eq!(all.subscription(offered).services, offered);
    }
}
