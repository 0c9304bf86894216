//! A controller, looked at as a location server: TLS, its authlist's verdict, capabilities, echo.

use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use nmsp::client::fleet::ClockSkew;
use nmsp::client::{Client, ClientConfig, DEFAULT_HANDSHAKE_TIMEOUT, with_default_port};
use nmsp::proto::{Event, MessageFrame};
use nmsp::wire::Services;
use pki_common::clock::SystemClock;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, HandshakeContext, PeerVerifier};
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Failure, KnownCause, Rung, TlsFault};
use rustls::ProtocolVersion;
use rustls::time_provider::TimeProvider as _;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Report;
use super::est::warn_of_time;
use super::ground::{Place, climb, plan};
use super::tls::{Handshake, Terms};
use super::walk::{Findings, Stopped, Walk};

const AUTHLIST: &str = "authlist verdict";
const CAPABILITY: &str = "capability";
const ECHO: &str = "echo";
const SUBSCRIPTION: &str = "subscription";
const CLOCK: &str = "clock";

/// Time between echo requests of this look: soon after the connection is up, without pressing the controller.
const ECHO_INTERVAL: Duration = Duration::from_millis(200);

/// A verdict that takes more than this part of what location servers wait is worth a warning.
const SLOW_VERDICT: Duration = Duration::from_millis(2_500);

/// What is to be looked at, and what we bring along.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `HOST` or `HOST:PORT`.
    pub controller: String,
    /// What the controller's certificate must satisfy.
    pub verifier: PeerVerifier,
    /// The anchors in it, to say what a chain lacks.
    pub anchors: Option<Arc<TrustStore>>,
    /// Our certificate, which the controller looks up in its authlist.
    pub identity: Option<Arc<Identity>>,
    /// How long one step may take.
    pub timeout: Duration,
    /// Subscribes these services for the length of this look. Without it, the controller is asked for nothing.
    pub subscribe: Option<Services>,
}

impl Settings {
    /// Looks at this controller, and brings nothing along.
    #[must_use]
    pub fn new(controller: impl Into<String>, verifier: PeerVerifier) -> Self {
        Self {
            controller: controller.into(),
            verifier,
            anchors: None,
            identity: None,
            timeout: super::DEFAULT_TIMEOUT,
            subscribe: None,
        }
    }
}

/// Climbs from the controller's name to an echo.
pub async fn diagnose(settings: &Settings) -> Report {
    let controller = with_default_port(&settings.controller);
    let mut walk = Walk::new("nmsp", controller.clone(), settings.timeout);
    // Where it stopped is in the report.
    let _: Result<(), Stopped> = climb_to_echo(&mut walk, &controller, settings).await;
    walk.end(&plan(false, &[AUTHLIST, CAPABILITY, ECHO, SUBSCRIPTION, CLOCK]))
}

async fn climb_to_echo(walk: &mut Walk, controller: &str, settings: &Settings) -> Result<(), Stopped> {
    let (host, port, name) = match place_of(controller) {
        Ok(place) => place,
        Err(failure) => {
            return walk
                .rung(super::ground::NAME_RESOLUTION, async |_| Err(failure))
                .await;
        }
    };
    let terms = Terms {
        name,
        verifier: settings.verifier.clone(),
        identity: settings.identity.clone(),
        alpn: Vec::new(),
        context: HandshakeContext::with_authlist("the controller"),
    };
    let place = Place {
        host: &host,
        port,
        proxy: None,
    };
    let (road, handshake) = climb(walk, place, &terms, settings.anchors.as_deref()).await?;
    walk.rung(AUTHLIST, async |findings| {
        verdict(handshake, &terms, road.limit, findings).await
    })
    .await?;
    let mut client = walk
        .rung(CAPABILITY, async |findings| {
            capability(controller, settings, findings).await
        })
        .await?;
    let limit = walk.limit;
    walk.rung(ECHO, async |findings| echo(&mut client, limit, findings).await)
        .await?;
    let measured = walk
        .rung(SUBSCRIPTION, async |findings| {
            let Some(services) = settings.subscribe else {
                findings.skip(
                    "--subscribe SERVICE asks the controller to send what it measures, as long as this runs",
                );
                return Ok(None);
            };
            subscription(&mut client, services, limit, findings).await
        })
        .await?;
    walk.rung(CLOCK, async |findings| {
        clock(measured, settings, findings);
        // The controller hears a goodbye; that it hears it is of no interest any more.
        drop(timeout(limit, client.close()).await);
        Ok(())
    })
    .await
}

fn place_of(controller: &str) -> Result<(String, u16, ServerName<'static>), Failure> {
    let wrong = |problem: &str| {
        let cause = format!("{controller:?} is no controller: {problem}.");
        Failure::new(
            Rung::Local,
            cause,
            "Give HOST or HOST:PORT, an IPv6 address in brackets.",
        )
    };
    let (host, port) = controller
        .rsplit_once(':')
        .ok_or_else(|| wrong("the port is missing"))?;
    let port = port
        .parse()
        .map_err(|_| wrong("the port is no number up to 65535"))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(host.clone())
            .map_err(|_| wrong("the host is neither a name nor an address"))?,
    };
    Ok((host, port, name))
}

/// Waits until the controller has let us in or not: with TLS 1.2 the handshake says so, with TLS 1.3 the first thing that
/// comes after it. In the vendor's trace that takes a second (F001-24).
async fn verdict(
    mut handshake: Handshake,
    terms: &Terms,
    limit: Duration,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let Some(asked) = handshake.asked.take() else {
        findings.warn(Failure::new(
            Rung::Tls(TlsFault::AuthList),
            "The controller asks for no certificate: it cannot tell who we are, and lets anybody in.",
            "Switch the authlist on, unless this is wanted.",
        ));
        return Ok(());
    };
    let stream = &mut handshake.stream;
    let mut decided = handshake.finished;
    if stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        let mut byte = [0; 1];
        let first = timeout(limit, stream.read(&mut byte)).await;
        decided = Instant::now();
        match first {
            Ok(Ok(0)) => {
                return Err(KnownCause::ConnectionLost
                    .failure("The controller ended the connection after the handshake without a word."));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                findings.fact("milliseconds", milliseconds(decided - asked.at));
                return Err(terms.explain(terms.context.diagnose_io(&error, None), Some(&asked)));
            }
            Err(_) => {
                let cause = format!(
                    "The controller said nothing for {} s after the handshake.",
                    limit.as_secs_f32()
                );
                return Err(KnownCause::AnswerTimedOut.failure(cause));
            }
        }
    }
    // A goodbye of TLS; whether it arrives is of no interest.
    drop(stream.shutdown().await);
    let took = decided.saturating_duration_since(asked.at);
    findings.note(format!(
        "let in {} ms after our certificate had left",
        took.as_millis()
    ));
    findings.fact("milliseconds", milliseconds(took));
    if took > SLOW_VERDICT {
        let cause = format!(
            "The verdict took {} ms; location servers of this project give up after {} s.",
            took.as_millis(),
            DEFAULT_HANDSHAKE_TIMEOUT.as_secs()
        );
        findings.warn(KnownCause::AnswerTimedOut.failure(cause));
    }
    Ok(())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn capability(
    controller: &str,
    settings: &Settings,
    findings: &mut Findings,
) -> Result<Client, Failure> {
    let mut tls = ClientTls::new(settings.verifier.clone());
    tls.identity.clone_from(&settings.identity);
    let mut config = ClientConfig::new(tls);
    config.connect_timeout = settings.timeout;
    config.handshake_timeout = settings.timeout;
    config.connection.echo_interval = ECHO_INTERVAL;
    config.connection.request_timeout = settings.timeout;
    config.connection.capability_timeout = settings.timeout;
    config.connection.services = settings.subscribe.unwrap_or(Services::NONE);
    let client = Client::connect(controller, config)
        .await
        .map_err(|error| error.diagnose())?;
    let capability = client.capability();
    findings.note(format!("protocol version {}", capability.version));
    findings.note(format!("services {}", capability.services));
    findings.fact("version", capability.version);
    findings.fact("services", capability.services.to_string());
    for (name, text) in [
        ("system name", &capability.system_name),
        ("software version", &capability.software_version),
    ] {
        if let Some(text) = text {
            findings.note(format!("{name} {text}"));
            findings.fact(name, text.to_string());
        }
    }
    Ok(client)
}

async fn echo(client: &mut Client, limit: Duration, findings: &mut Findings) -> Result<(), Failure> {
    let answered = timeout(limit + ECHO_INTERVAL, async {
        loop {
            match client.next().await.map_err(|error| error.diagnose())? {
                Some(Event::EchoAnswered { round_trip }) => return Ok(round_trip),
                Some(_) => {}
                None => {
                    return Err(KnownCause::ConnectionLost
                        .failure("The controller said goodbye before it answered an echo request."));
                }
            }
        }
    });
    let Ok(answered) = answered.await else {
        let cause = format!(
            "The controller answered no echo request within {} s.",
            limit.as_secs_f32()
        );
        return Err(KnownCause::AnswerTimedOut.failure(cause));
    };
    let round_trip = answered?;
    let shown = round_trip.as_micros();
    findings.note(format!("round trip {}.{:03} ms", shown / 1000, shown % 1000));
    findings.fact("microseconds", u64::try_from(shown).unwrap_or(u64::MAX));
    Ok(())
}

/// How far the controller is ahead at least, by the first measurement that comes.
async fn subscription(
    client: &mut Client,
    services: Services,
    limit: Duration,
    findings: &mut Findings,
) -> Result<Option<ClockSkew>, Failure> {
    let request = nmsp::wire::message::ServiceSubscribeRequest {
        services,
        ..Default::default()
    };
    let outcome = client
        .subscribe(request)
        .await
        .map_err(|error| error.diagnose())?;
    findings.note(format!("accepted {}", outcome.accepted));
    findings.fact("accepted", outcome.accepted.to_string());
    if !outcome.rejected.is_empty() {
        findings.warn(Failure::new(
            Rung::Body,
            format!("The controller does not offer {}.", outcome.rejected),
            "Ask for what its capability lists.",
        ));
    }
    let measured = timeout(limit, async {
        loop {
            match client.next().await.map_err(|error| error.diagnose())? {
                Some(Event::Notification(frame)) => {
                    if let Some(skew) = skew(&frame) {
                        return Ok(Some(skew));
                    }
                }
                Some(_) => {}
                None => {
                    return Err(KnownCause::ConnectionLost
                        .failure("The controller said goodbye before it sent a measurement."));
                }
            }
        }
    });
    match measured.await {
        Ok(measured) => {
            findings.note("a measurement arrived");
            measured
        }
        Err(_) => {
            findings.note(format!(
                "no measurement within {} s; there may be no stations",
                limit.as_secs_f32()
            ));
            Ok(None)
        }
    }
}

fn skew(frame: &MessageFrame) -> Option<ClockSkew> {
    let measured = frame
        .measurement()?
        .stations()
        .map(|station| station.timestamp)
        .max()?;
    let arrived = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let arrived = i64::try_from(arrived.as_millis()).ok()?;
    let measured = i64::try_from(measured.0).ok()?;
    Some(ClockSkew {
        at_least_ahead_ms: measured.saturating_sub(arrived),
    })
}

/// The controller's clock by what it measured; and whether our own certificate is valid at all.
fn clock(measured: Option<ClockSkew>, settings: &Settings, findings: &mut Findings) {
    match measured {
        Some(skew) => {
            findings.note(skew.to_string());
            findings.fact("at-least-ahead-ms", skew.at_least_ahead_ms);
            let far_ahead = i64::try_from(nmsp::client::fleet::TOLERATED_LAG.as_millis()).unwrap_or(i64::MAX);
            if skew.seems_behind() || skew.at_least_ahead_ms > far_ahead {
                findings.warn(KnownCause::ClockSkew.failure(format!("Of the controller: {skew}.")));
            }
        }
        None => {
            findings.note("NMSP has the controller's clock in measurements only: --subscribe compares it");
        }
    }
    if let (Some(identity), Some(now)) = (&settings.identity, SystemClock.current_time()) {
        warn_of_time("Our own certificate", identity.certificate(), now, findings);
    }
}
