//! The clocks of several logs, and what one log says of the events of another.
//!
//! Logs of different hosts have different zones, some do not say theirs, and clocks are off by seconds. Events that two logs
//! both have, such as a login to `/certsrv`, tell the distance: the nearest zone in use is the zone, the rest is the skew
//! (F002-20).

use core::fmt;

use pki_common::{KnownCause, Rung};

use super::Settings;
use super::line::Source;
use super::report::Report;
use super::session::{Anchor, Link, Moment, Outcome, Session, SessionKind, Verdict};
use super::time::{DAY, Zone};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// The zones in use that are no whole hours, in minutes.
const BROKEN_ZONES: [i64; 13] = [-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825];
/// The most that a clock of a known zone may be off, in milliseconds: TLS would have failed for less.
const MAX_SKEW: i64 = HOUR;
/// The most when only one event says so, in milliseconds: some zone brings any two events within half an hour of each other.
/// The clocks of the source document were 6 s apart.
const MAX_SKEW_OF_ONE: i64 = 30_000;
/// The most that two zones can be apart, with a skew, in milliseconds.
const MAX_DISTANCE: i64 = 27 * HOUR;
/// How far apart two lines about the same event are logged at most, in milliseconds: logs of whole seconds, and a program that
/// writes its line when the answer is done.
const TOLERANCE: i64 = 2_000;
/// The events of one log that are compared with those of another: enough to tell, and few enough for all pairs.
const MAX_COMPARED: usize = 300;
/// The lines of other logs that are shown with one session.
const MAX_LINKS: usize = 8;

/// Where a zone or a skew comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The lines or the format say it.
    Printed,
    /// The caller said it.
    Given,
    /// From events that another log has, too.
    Estimated,
    /// Nothing is known of it.
    Assumed,
}

impl Origin {
    /// The name in `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Given => "given",
            Self::Estimated => "estimated",
            Self::Assumed => "assumed",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Printed => "as the log says",
            Self::Given => "as given",
            Self::Estimated => "estimated",
            Self::Assumed => "assumed",
        })
    }
}

/// The clock of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// The place in [`Report::files`].
    pub file: usize,
    /// The log in that file.
    pub source: Source,
    /// Its zone.
    pub zone: Option<Zone>,
    /// Where the zone comes from.
    pub zone_from: Origin,
    /// By how many milliseconds it is ahead of the first clock of the report; negative when it is behind.
    pub skew: i64,
    /// Where the skew comes from.
    pub skew_from: Origin,
    /// The events that the estimate rests on.
    pub matches: usize,
    /// What to take from its times to get those that clocks have in common, once it is known.
    offset: Option<i64>,
    dated: bool,
}

pub(super) fn correlate(report: &mut Report, settings: &Settings) {
    let mut clocks = clocks(report, settings);
    // What the most is known of goes first: the others are placed beside it.
    clocks.sort_by_key(|clock| match clock.source {
        Source::RegistrationAuthority => 0,
        Source::Access => 1,
        Source::Iis => 2,
        Source::Capf => 3,
        Source::NmspTrace => 4,
    });
    for index in 0..clocks.len() {
        place(&mut clocks, index, &report.sessions);
    }
    link(&mut report.sessions, &clocks);
    report.clocks = clocks;
}

/// The clocks as far as they are known by themselves.
fn clocks(report: &Report, settings: &Settings) -> Vec<Clock> {
    let mut clocks = Vec::new();
    for (index, file) in report.files.iter().enumerate() {
        for source in file
            .sources
            .keys()
            .filter(|source| file.dated.contains_key(source))
        {
            let own = report
                .sessions
                .iter()
                .filter(|session| session.file == index && session.source == *source);
            let from_lines =
                own.flat_map(|session| &session.anchors)
                    .find_map(|anchor| match anchor.moment {
                        Moment::Zone(distance) => Zone::from_millis(nearest_zone(distance)),
                        _ => None,
                    });
            let given = settings.zones.get(&file.name).copied();
            let printed = file.zones.get(source).copied().or(from_lines);
            // Lines that print their zone know better; the format of IIS only says what it should be.
            let (zone, zone_from) = match (source, given, printed) {
                (Source::NmspTrace | Source::Access, _, Some(printed)) => (Some(printed), Origin::Printed),
                (_, Some(given), _) => (Some(given), Origin::Given),
                (_, None, Some(printed)) => (Some(printed), Origin::Printed),
                (_, None, None) => (None, Origin::Assumed),
            };
            let skew = settings.skews.get(&file.name).copied();
            clocks.push(Clock {
                file: index,
                source: *source,
                zone,
                zone_from,
                skew: skew.unwrap_or(0),
                skew_from: if skew.is_some() {
                    Origin::Given
                } else {
                    Origin::Assumed
                },
                matches: 0,
                offset: zone.map(|zone| zone.millis() + skew.unwrap_or(0)),
                dated: file.dated.get(source).copied().unwrap_or(true),
            });
        }
    }
    clocks
}

/// Places a clock beside those before it, by events that both have.
fn place(clocks: &mut [Clock], index: usize, sessions: &[Session]) {
    let (before, rest) = clocks.split_at_mut(index);
    let Some(clock) = rest.first_mut() else { return };
    if clock.zone.is_some() && clock.skew_from == Origin::Given {
        return;
    }
    for other in before {
        let zones = (clock.zone.map(Zone::millis), other.zone.map(Zone::millis));
        let (ours, theirs) = (anchors(sessions, clock), anchors(sessions, other));
        // What of a distance comes from the zones.
        let by_zones = |distance: i64| match zones {
            (Some(zone), Some(other_zone)) => zone - other_zone,
            (Some(zone), None) => zone - nearest_zone(zone - distance),
            (None, Some(other_zone)) => nearest_zone(other_zone + distance) - other_zone,
            (None, None) => nearest_zone(distance),
        };
        let dates = clock.dated && other.dated;
        let Some((distance, matches)) =
            distance(&theirs, &ours, dates, |distance| by_zones(distance) - other.skew)
        else {
            continue;
        };
        clock.matches = matches;
        clock.skew = whole(distance - by_zones(distance), dates) + other.skew;
        if clock.zone.is_none() {
            clock.zone_from = Origin::Estimated;
        }
        match zones {
            (Some(zone), None) => {
                other.zone = Zone::from_millis(zone - by_zones(distance));
                other.zone_from = Origin::Estimated;
                other.offset = other.zone.map(|zone| zone.millis() + other.skew);
            }
            (None, Some(other_zone)) => clock.zone = Zone::from_millis(other_zone + by_zones(distance)),
            _ => {}
        }
        clock.skew_from = Origin::Estimated;
        // Without any zone, the first clock's own time is what they have in common.
        let base = *other.offset.get_or_insert(0);
        clock.offset = Some(base + distance);
        return;
    }
}

/// The moments of a log that another one may have.
fn anchors<'a>(sessions: &'a [Session], clock: &Clock) -> Vec<&'a Anchor> {
    let own = sessions
        .iter()
        .filter(|session| session.file == clock.file && session.source == clock.source);
    let pages = own
        .flat_map(|session| &session.anchors)
        .filter(|anchor| matches!(anchor.moment, Moment::Page(_)));
    pages.take(MAX_COMPARED).collect()
}

/// By how much the second clock shows more than the first, from the most events that agree; and how many do. `expected` is
/// what a distance would be if no clock were off.
fn distance(
    first: &[&Anchor],
    second: &[&Anchor],
    dates: bool,
    expected: impl Fn(i64) -> i64,
) -> Option<(i64, usize)> {
    let off = |distance: i64| whole(distance - expected(distance), dates).abs();
    let same = |one: &Anchor| {
        let moment = one.moment;
        second.iter().filter(move |other| other.moment == moment)
    };
    let mut distances: Vec<i64> = first
        .iter()
        .flat_map(|one| same(one).map(|other| whole(other.at - one.at, dates)))
        .filter(|distance| distance.abs() <= MAX_DISTANCE && off(*distance) <= MAX_SKEW)
        .collect();
    distances.sort_unstable();
    let mut best: Option<(usize, i64, i64)> = None;
    for start in 0..distances.len() {
        let Some(window) = distances.get(start..) else {
            break;
        };
        let Some(least) = window.first().copied() else {
            break;
        };
        // Each event counts once, however many it agrees with.
        let agreeing = window.partition_point(|distance| *distance <= least + TOLERANCE);
        let count = agreeing.min(first.len()).min(second.len());
        let middle = window.get(agreeing / 2).copied().unwrap_or(least);
        let off = off(middle);
        let enough = count > 1 || off <= MAX_SKEW_OF_ONE;
        if enough
            && best.is_none_or(|(most, least_off, _)| count > most || (count == most && off < least_off))
        {
            best = Some((count, off, middle));
        }
    }
    best.map(|(count, _, middle)| (middle, count))
}

/// The zone in use that is the nearest, in milliseconds.
fn nearest_zone(millis: i64) -> i64 {
    let whole_hours = (-12..=14).map(|hours| hours * HOUR);
    let zones = whole_hours.chain(BROKEN_ZONES.iter().map(|minutes| minutes * MINUTE));
    zones.min_by_key(|zone| (millis - zone).abs()).unwrap_or(0)
}

/// A distance of two times; on the clock face when one of them has no date.
fn whole(distance: i64, dates: bool) -> i64 {
    if dates { distance } else { within_a_day(distance) }
}

/// A distance of times without dates, between minus and plus half a day.
fn within_a_day(millis: i64) -> i64 {
    (millis + DAY / 2).rem_euclid(DAY) - DAY / 2
}

/// Where and how a session is told of in another log.
struct Witness {
    file: usize,
    source: Source,
    anchor: Anchor,
    dated: bool,
    /// In the time that clocks have in common.
    at: i64,
}

/// A failed exchange of the registration authority, which a phone's failure may come from.
struct Reason {
    file: usize,
    line: u64,
    dated: bool,
    from: i64,
    to: i64,
    verdict: Verdict,
}

fn link(sessions: &mut [Session], clocks: &[Clock]) {
    let clock_of = |session: &Session| {
        let own = |clock: &&Clock| clock.file == session.file && clock.source == session.source;
        clocks
            .iter()
            .find(own)
            .and_then(|clock| clock.offset.map(|offset| (offset, clock.dated)))
    };
    let mut witnesses = Vec::new();
    let mut reasons = Vec::new();
    for session in &*sessions {
        let Some((offset, dated)) = clock_of(session) else {
            continue;
        };
        if session.kind == SessionKind::Visit {
            witnesses.extend(session.anchors.iter().map(|anchor| Witness {
                file: session.file,
                source: session.source,
                anchor: anchor.clone(),
                dated,
                at: anchor.at - offset,
            }));
        }
        if let (SessionKind::EstExchange | SessionKind::AuthorityStart, Outcome::Failed(verdict)) =
            (session.kind, &session.outcome)
            && let Some((from, to)) = session.began.zip(session.ended)
        {
            reasons.push(Reason {
                file: session.file,
                line: session.events.first().map_or(0, |event| event.line),
                dated,
                from: from - offset,
                to: to - offset,
                verdict: (**verdict).clone(),
            });
        }
    }
    for session in sessions {
        let Some((offset, dated)) = clock_of(session) else {
            continue;
        };
        match session.kind {
            SessionKind::AuthorityStart | SessionKind::EstExchange => {
                same_pages(session, offset, dated, &witnesses);
                slow_answers(session, offset, dated, &witnesses);
            }
            SessionKind::Phone => {
                slow_answers(session, offset, dated, &witnesses);
                reported_reason(session, offset, dated, &reasons);
            }
            SessionKind::Tunnel | SessionKind::Visit | SessionKind::Request => {}
        }
    }
}

/// Pages that the registration authority fetched, as IIS has them.
fn same_pages(session: &mut Session, offset: i64, dated: bool, witnesses: &[Witness]) {
    for anchor in &session.anchors {
        let at = anchor.at - offset;
        let near = witnesses
            .iter()
            .filter(|witness| {
                witness.anchor.moment == anchor.moment && matches!(anchor.moment, Moment::Page(_))
            })
            .map(|witness| (whole(at - witness.at, dated && witness.dated).abs(), witness))
            .filter(|(distance, _)| *distance <= TOLERANCE)
            .min_by_key(|(distance, _)| *distance);
        if let Some((_, witness)) = near
            && session.links.len() < MAX_LINKS
        {
            session.links.push(witness.link());
        }
    }
}

/// Requests that AD CS answered late while the session waited.
fn slow_answers(session: &mut Session, offset: i64, dated: bool, witnesses: &[Witness]) {
    let waited = session
        .verdict()
        .is_some_and(|verdict| verdict.failure.known_cause == Some(KnownCause::AnswerTimedOut));
    let Some((began, ended)) = session.began.zip(session.ended).filter(|_| waited) else {
        return;
    };
    for witness in witnesses {
        let Moment::Slow(taken) = witness.anchor.moment else {
            continue;
        };
        let dated = dated && witness.dated;
        let asked = whole(witness.at - i64::from(taken) - (began - offset), dated);
        if asked < -TOLERANCE || asked > ended - began + TOLERANCE || session.links.len() >= MAX_LINKS {
            continue;
        }
        session.links.push(witness.link());
        if let Outcome::Failed(verdict) = &mut session.outcome {
            let more = format!(" AD CS was slow at that time: {}.", witness.anchor.text);
            if !verdict.failure.cause.contains(&more) {
                verdict.failure.cause.push_str(&more);
            }
        }
    }
}

/// The reason that the registration authority logged for what the phone saw only the end of.
fn reported_reason(session: &mut Session, offset: i64, dated: bool, reasons: &[Reason]) {
    let Some((began, ended)) = session.began.zip(session.ended) else {
        return;
    };
    let Outcome::Failed(verdict) = &mut session.outcome else {
        return;
    };
    let overlapping = reasons.iter().find(|reason| {
        let from = whole(reason.from - (began - offset), dated && reason.dated);
        let to = from + (reason.to - reason.from);
        from <= ended - began + TOLERANCE && to >= -TOLERANCE
    });
    let Some(reason) = overlapping else { return };
    let failure = &reason.verdict.failure;
    verdict.failure.cause.push_str(&format!(
        " The registration authority's own log has the reason: {}.",
        reason.verdict.headline
    ));
    verdict.failure.remedy.clone_from(&failure.remedy);
    verdict.failure.rung = Rung::Upstream;
    verdict.failure.known_cause = failure.known_cause.or(verdict.failure.known_cause);
    if session.links.len() < MAX_LINKS {
        let text = reason.verdict.headline.clone();
        session.links.push(Link {
            file: reason.file,
            line: reason.line,
            text,
        });
    }
}

impl Witness {
    fn link(&self) -> Link {
        Link {
            file: self.file,
            line: self.anchor.line,
            text: format!("{}: {}", self.source, self.anchor.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::line::registration_authority::Page;

    fn anchor(page: Page, at: i64) -> Anchor {
        Anchor {
            moment: Moment::Page(page),
            at,
            line: 1,
            text: String::new(),
        }
    }

    #[test]
    fn the_distance_of_two_clocks_is_a_zone_and_a_skew() {
        // 12:31:21 -0500 in one log is 17:31:15 UTC in the other.
        let nginx = [anchor(Page::Login, 45_081_000), anchor(Page::Chain, 45_081_000)];
        let iis = [anchor(Page::Login, 63_075_000), anchor(Page::Chain, 63_075_000)];
        let (nginx, iis) = (nginx.iter().collect::<Vec<_>>(), iis.iter().collect::<Vec<_>>());
        let (found, matches) = distance(&nginx, &iis, true, nearest_zone).unwrap();
        assert_eq!((found, matches), (17_994_000, 2));
        assert_eq!(nearest_zone(found), 5 * HOUR);
        assert_eq!(distance(&nginx, &iis, true, |_| 0), None);
    }

    #[test]
    fn one_event_does_not_make_a_zone() {
        // A quarter past four apart: no two zones are.
        let first = anchor(Page::Login, 0);
        for (apart, agrees) in [
            (4 * HOUR + 15 * MINUTE, false),
            (5 * HOUR + MINUTE, false),
            (5 * HOUR + 6000, true),
        ] {
            let second = anchor(Page::Login, apart);
            let found = distance(&[&first], &[&second], true, nearest_zone);
            assert_eq!(found, agrees.then_some((apart, 1)), "{apart}");
        }
    }

    #[test]
    fn most_events_decide() {
        let first = [
            anchor(Page::Login, 0),
            anchor(Page::Login, 100_000),
            anchor(Page::Login, 777_000),
        ];
        let second = [
            anchor(Page::Login, 3_000),
            anchor(Page::Login, 103_000),
            anchor(Page::Login, 900_000),
        ];
        let found = distance(
            &first.iter().collect::<Vec<_>>(),
            &second.iter().collect::<Vec<_>>(),
            true,
            nearest_zone,
        );
        assert_eq!(found, Some((3_000, 2)));
    }

    #[test]
    fn without_dates_midnight_is_no_distance() {
        assert_eq!(within_a_day(DAY - 1), -1);
        assert_eq!(within_a_day(1 - DAY), 1);
    }
}
