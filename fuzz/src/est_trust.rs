//! What a client believes of the certificates in an answer: which roots of `cacerts` it trusts from now on, and whether the
//! certificate of an enrolment is the one that was asked for.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use est::ca::issue::issue;
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::exchange::{
    ClientError, Difference, DifferenceKind, Expectation, Issued, IssuedChecks, Rollover, TrustSource,
    compare, find_by_key, validate,
};
use est::request::{KeyAndRequest, RequestKey, RequestTemplate};
use est::wire::csr::{CsrLimits, RequestedExtension, UnverifiedCsr, VerificationPolicy};
use pki_common::Certificate;
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::crypto_provider;
use pki_common::trust_store::TrustStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::keys;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Most certificates that one answer is made of: more bring nothing new.
const MAX_CERTIFICATES: usize = 24;

/// What a script has made happen; tests of the corpus ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Roots that are new and trusted.
    pub added: usize,
    /// Roots that are new and not trusted.
    pub refused: usize,
    /// The certificate of an enrolment was the one that was asked for.
    pub issued: bool,
    /// It was another one.
    pub differs: bool,
}

/// A script. With the first byte's highest bit it is about an enrolment, else about roots; each byte behind the second
/// is a certificate of the answer, from a list that is made once per process.
///
/// Roots: the first byte says by what the server was authenticated, the second which of the roots are known before. What
/// is trusted afterwards is what the list of who vouches for whom says, and nothing is lost or told twice.
///
/// An enrolment: the first byte says which request was made, the second which roots are known. The certificate that is
/// found is for the request's key; it leads to a root that is known, and has what was asked for, or is refused.
pub fn est_trust(data: &[u8]) {
    let _reached = script(data);
}

/// Runs a script; see [`est_trust`].
#[must_use]
pub fn script(data: &[u8]) -> Reached {
    let [choice, known, answer @ ..] = data else {
        return Reached::default();
    };
    let answer = answer.get(..MAX_CERTIFICATES).unwrap_or(answer);
    if choice & 0x80 == 0 {
        roots(*choice, *known, answer)
    } else {
        enrolment(*choice, *known, answer)
    }
}

/// The certificates of an answer to `cacerts`, by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Old,
    /// The old key and name, for longer.
    OldRenewed,
    New,
    NewWithOld,
    OldWithNew,
    Newer,
    NewerWithNew,
    NewWithNewer,
    /// Somebody else's, under the same name as all of these.
    Stranger,
    StrangersNext,
    NextWithStranger,
    StrangerWithNext,
    /// Its time is over.
    Ended,
    AfterEnded,
    AfterWithEnded,
    EndedWithAfter,
    Intermediate,
    Leaf,
    /// Another authority's.
    OtherName,
    /// The key and name of the one whose time is over, for longer.
    EndedRenewed,
}

impl Place {
    const ALL: [Self; 20] = [
        Self::Old,
        Self::OldRenewed,
        Self::New,
        Self::NewWithOld,
        Self::OldWithNew,
        Self::Newer,
        Self::NewerWithNew,
        Self::NewWithNewer,
        Self::Stranger,
        Self::StrangersNext,
        Self::NextWithStranger,
        Self::StrangerWithNext,
        Self::Ended,
        Self::AfterEnded,
        Self::AfterWithEnded,
        Self::EndedWithAfter,
        Self::Intermediate,
        Self::Leaf,
        Self::OtherName,
        Self::EndedRenewed,
    ];

    /// Which of them can be known before.
    const KNOWN: [Self; 6] = [
        Self::Old,
        Self::New,
        Self::Stranger,
        Self::Ended,
        Self::OtherName,
        Self::EndedRenewed,
    ];

    /// Self-signed, an authority, and within its time.
    const fn is_root(self) -> bool {
        matches!(
            self,
            Self::Old
                | Self::OldRenewed
                | Self::New
                | Self::Newer
                | Self::Stranger
                | Self::StrangersNext
                | Self::AfterEnded
                | Self::OtherName
                | Self::EndedRenewed
        )
    }

    /// Neither a root nor one that its time or its form keeps from being one.
    const fn is_other(self) -> bool {
        !self.is_root() && !matches!(self, Self::Ended)
    }

    /// Who signed, in which certificate, for this root: `(in, by)`. The end of a vouching root or certificate ends it.
    const fn vouched_by(self) -> &'static [(Self, Self)] {
        match self {
            Self::Old => &[
                (Self::Old, Self::OldRenewed),
                (Self::OldRenewed, Self::OldRenewed),
                (Self::OldWithNew, Self::New),
            ],
            Self::OldRenewed => &[
                (Self::Old, Self::Old),
                (Self::OldRenewed, Self::Old),
                (Self::OldWithNew, Self::New),
            ],
            Self::New => &[
                (Self::NewWithOld, Self::Old),
                (Self::NewWithOld, Self::OldRenewed),
                (Self::NewWithNewer, Self::Newer),
            ],
            Self::Newer => &[(Self::NewerWithNew, Self::New)],
            Self::Stranger => &[(Self::StrangerWithNext, Self::StrangersNext)],
            Self::StrangersNext => &[(Self::NextWithStranger, Self::Stranger)],
            _ => &[],
        }
    }
}

struct Pool {
    certificates: Vec<Certificate>,
}

impl Pool {
    fn get(&self, place: Place) -> &Certificate {
        let index = Place::ALL.iter().position(|other| *other == place);
        let found = index.and_then(|index| self.certificates.get(index));
        found.expect("each place has a certificate")
    }
}

fn key() -> PrivateKeyDer<'static> {
    generate_key(NewKey::EcP256)
        .expect("the provider makes P-256 keys")
        .into()
}

fn root(subject: &str, key: PrivateKeyDer<'static>, now: UnixTime, validity: Duration) -> Issuer {
    let provider = crypto_provider().expect("the feature aws-lc-rs is on");
    Issuer::self_signed(subject, key, validity, now, provider).expect("a valid subject")
}

fn earlier(years: u32) -> UnixTime {
    let before = keys::NOW.as_secs() - u64::from(years) * YEAR.as_secs();
    UnixTime::since_unix_epoch(Duration::from_secs(before))
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    const NAME: &str = "CN=Root,O=Example";
    let rolls = "the key is one, and the root is self-signed";
    let old_key = key();
    let old = root(NAME, old_key.clone_key(), earlier(1), 10 * YEAR);
    let old_renewed = old.renewed(old_key, 20 * YEAR, earlier(1)).expect(rolls);
    let new = old.roll_over(key(), 10 * YEAR, earlier(0)).expect(rolls);
    let newer = new.issuer.roll_over(key(), 10 * YEAR, earlier(0)).expect(rolls);
    let stranger = root(NAME, key(), earlier(1), 10 * YEAR);
    let next = stranger.roll_over(key(), 10 * YEAR, earlier(0)).expect(rolls);
    let ended_key = key();
    let ended = root(NAME, ended_key.clone_key(), earlier(5), 3 * YEAR);
    let ended_renewed = ended.renewed(ended_key, 10 * YEAR, earlier(1)).expect(rolls);
    let after = ended.roll_over(key(), 10 * YEAR, earlier(4)).expect(rolls);
    let other = root("CN=Another Root", key(), earlier(1), 10 * YEAR);
    let all = [
        old.certificate(),
        old_renewed.certificate(),
        new.issuer.certificate(),
        &new.new_with_old,
        &new.old_with_new,
        newer.issuer.certificate(),
        &newer.new_with_old,
        &newer.old_with_new,
        stranger.certificate(),
        next.issuer.certificate(),
        &next.new_with_old,
        &next.old_with_new,
        ended.certificate(),
        after.issuer.certificate(),
        &after.new_with_old,
        &after.old_with_new,
        &CertificateDer::from(keys::INTERMEDIATE),
        &CertificateDer::from(keys::LEAF),
        other.certificate(),
        ended_renewed.certificate(),
    ];
    let read = |der: &CertificateDer<'_>| Certificate::from_der(der).expect("a certificate");
    Pool {
        certificates: all.into_iter().map(read).collect(),
    }
});

fn chosen<T: Copy>(from: &[T], byte: u8) -> T {
    let found = from.iter().cycle().nth(byte.into());
    *found.expect("a cycle has no end")
}

/// The anchors that the bits name, and their places.
fn anchors(bits: u8) -> (TrustStore, BTreeSet<Place>) {
    let places: BTreeSet<_> = Place::KNOWN
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, place)| place)
        .collect();
    let mut store = TrustStore::empty("known before");
    for place in &places {
        store.add(POOL.get(*place)).expect("a root");
    }
    (store, places)
}

fn roots(choice: u8, known_bits: u8, answer: &[u8]) -> Reached {
    let sources = [
        TrustSource::Explicit,
        TrustSource::Implicit,
        TrustSource::Fingerprint,
    ];
    let source = chosen(&sources, choice);
    let (known, known_places) = anchors(known_bits);
    let answer: Vec<Place> = answer.iter().map(|byte| chosen(&Place::ALL, *byte)).collect();
    let certificates: Vec<Certificate> = answer.iter().map(|place| POOL.get(*place).clone()).collect();
    let found = Rollover::compare(&known, &certificates, source, keys::NOW);

    let candidates: BTreeSet<Place> = answer
        .iter()
        .copied()
        .filter(|place| place.is_root() && !known_places.contains(place))
        .collect();
    let chained = vouched(&known_places, &candidates, &answer);
    let by_connection = match source {
        TrustSource::Explicit => true,
        TrustSource::Implicit => known_places.is_empty(),
        TrustSource::Fingerprint => false,
    };
    let trusted = if by_connection { &candidates } else { &chained };
    let added: Vec<Certificate> = found.added.iter().map(|new| new.certificate.clone()).collect();
    assert_eq!(places(&added), *trusted, "trusted from now on");
    let ended = answer.contains(&Place::Ended) && !known_places.contains(&Place::Ended);
    let mut refused: BTreeSet<Place> = candidates.difference(trusted).copied().collect();
    refused.extend(ended.then_some(Place::Ended));
    assert_eq!(places(&found.refused), refused, "not trusted");
    let others = answer.iter().copied().filter(|place| place.is_other()).collect();
    assert_eq!(places(&found.others), others, "no roots");
    let present: BTreeSet<Place> = answer.iter().copied().collect();
    let kept = known_places.intersection(&present).copied().collect();
    assert_eq!(places(&found.kept), kept, "known before, and still there");
    let missing: BTreeSet<Place> = known_places.difference(&present).copied().collect();
    assert_eq!(places(&found.missing), missing, "known before, and gone");
    assert_eq!(found.is_unchanged(), trusted.is_empty() && missing.is_empty());
    let told = found.kept.len() + found.added.len() + found.refused.len() + found.others.len();
    assert_eq!(told, answer.len(), "each certificate is told once");
    let now_known = found.anchors(&known).expect("a few roots");
    let all: BTreeSet<Place> = known_places.union(trusted).copied().collect();
    assert_eq!(places(now_known.anchors()), all, "the anchors from now on");
    Reached {
        added: trusted.len(),
        refused: refused.len(),
        ..Reached::default()
    }
}

fn places(certificates: &[Certificate]) -> BTreeSet<Place> {
    let place = |certificate: &Certificate| {
        let all = Place::ALL.into_iter();
        all.zip(&POOL.certificates)
            .find(|(_, other)| *other == certificate)
            .map(|(place, _)| place)
            .expect("it is of the list")
    };
    certificates.iter().map(place).collect()
}

/// Those of the candidates for which somebody vouches who is trusted, or becomes so.
fn vouched(known: &BTreeSet<Place>, candidates: &BTreeSet<Place>, answer: &[Place]) -> BTreeSet<Place> {
    let mut trusted = known.clone();
    loop {
        let next = candidates.difference(&trusted).copied().find(|root| {
            root.vouched_by()
                .iter()
                .any(|(paper, by)| answer.contains(paper) && trusted.contains(by))
        });
        match next {
            Some(root) => trusted.insert(root),
            None => break,
        };
    }
    trusted.difference(known).copied().collect()
}

/// A request and what was issued for it.
struct Enrolled {
    expected: Expectation,
    certificate: Certificate,
}

struct Enrolments {
    enrolled: Vec<Enrolled>,
    root: Certificate,
    /// The same root, which ends before what it has issued.
    short: Certificate,
}

/// `extKeyUsage` with `id-kp-clientAuth` (RFC 5280, section 4.2.1.12).
const FOR_CLIENTS: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";
/// With `id-kp-serverAuth`.
const FOR_SERVERS: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
/// `keyUsage` with `digitalSignature` (RFC 5280, section 4.2.1.3).
const SIGNS: &[u8] = b"\x03\x02\x07\x80";

fn extension(oid: &str, value: &[u8]) -> RequestedExtension {
    RequestedExtension {
        oid: ObjectIdentifier::new_unwrap(oid),
        critical: false,
        value: value.to_vec(),
    }
}

/// Requests that differ in one thing each, all but the last for one key.
static ENROLMENTS: LazyLock<Enrolments> = LazyLock::new(|| {
    let issuer_key = key();
    let issuer = root("CN=Root", issuer_key.clone_key(), earlier(0), 10 * YEAR);
    let day = Duration::from_secs(24 * 3600);
    let short = issuer.renewed(issuer_key, day, earlier(0)).expect("a root");
    let shared = generate_key(NewKey::EcP256).expect("the provider makes P-256 keys");
    let clients = || vec![extension("2.5.29.37", FOR_CLIENTS)];
    let requests: [(&str, &[&str], Vec<RequestedExtension>); 8] = [
        ("CN=device", &["DNS:device.example.com"], Vec::new()),
        ("CN=other", &["DNS:device.example.com"], Vec::new()),
        (
            "CN=device",
            &["DNS:device.example.com", "IP:192.0.2.1"],
            Vec::new(),
        ),
        ("CN=device", &[], Vec::new()),
        ("CN=device", &["DNS:device.example.com"], clients()),
        (
            "CN=device",
            &["DNS:device.example.com"],
            vec![extension("2.5.29.37", FOR_SERVERS)],
        ),
        (
            "CN=device",
            &["DNS:device.example.com"],
            vec![extension("2.5.29.15", SIGNS)],
        ),
        ("CN=device", &["DNS:device.example.com"], Vec::new()),
    ];
    let last = requests.len() - 1;
    let enrolled = requests
        .into_iter()
        .enumerate()
        .map(|(index, (subject, names, extensions))| {
            let key = match index == last {
                true => RequestKey::generate(NewKey::EcP256),
                false => RequestKey::from_pkcs8(shared.clone_key()),
            };
            let names: Vec<_> = names.iter().map(|name| name.parse().expect("a name")).collect();
            let subject = subject.parse().expect("a subject");
            let mut template = RequestTemplate::new(subject, &names).expect("the names can be written");
            template.extensions.extend(extensions);
            let request = key.and_then(|key| KeyAndRequest::new(template, key));
            enrol(&issuer, &request.expect("a P-256 key signs"))
        })
        .collect();
    let read = |issuer: &Issuer| Certificate::from_der(issuer.certificate()).expect("a certificate");
    Enrolments {
        enrolled,
        root: read(&issuer),
        short: read(&short),
    }
});

fn enrol(issuer: &Issuer, request: &KeyAndRequest) -> Enrolled {
    let csr = UnverifiedCsr::from_der(request.csr_der(), &CsrLimits::default());
    let csr = csr.and_then(|csr| csr.verify(&VerificationPolicy::default()));
    let csr = csr.expect("a request of ours");
    let expected = Expectation::of_request(request);
    assert_eq!(
        Expectation::of_csr(&csr).as_ref(),
        Ok(&expected),
        "the same is expected of a request and of who made it"
    );
    let serial = issuer.random_serial().expect("the provider gives random bytes");
    let issued = issue(issuer, &csr, &IssuancePolicy::default(), serial, keys::NOW);
    let issued = issued.expect("the policy allows it");
    Enrolled {
        expected,
        certificate: Certificate::from_der(&issued.certificate).expect("a certificate"),
    }
}

/// Whose certificates have all that a request asked for. A purpose that nobody asked for is no difference, and each of
/// these may sign.
const fn fits(wanted: usize) -> &'static [usize] {
    match wanted {
        0 | 6 => &[0, 4, 5, 6],
        1 => &[1],
        2 => &[2],
        3 => &[3],
        4 => &[4],
        5 => &[5],
        _ => &[7],
    }
}

/// The certificates that a client sends along, out of whatever came with its own: each signs the one before it.
fn check_chain(certificate: &Certificate, others: &[Certificate]) {
    let issued = Issued {
        certificate: certificate.clone(),
        others: others.to_vec(),
        accepted: Vec::new(),
        answer_length: None,
    };
    let chain: Vec<Certificate> = issued
        .chain()
        .iter()
        .map(|der| Certificate::from_der(der).expect("it was read before"))
        .collect();
    assert_eq!(chain.first(), Some(certificate));
    for pair in chain.windows(2) {
        if let [below, above] = pair {
            assert_eq!(below.issuer_der(), above.subject_der());
            assert!(!above.is_self_issued() && others.contains(above));
        }
    }
    let leaf = certificate == POOL.get(Place::Leaf);
    let comes_along = others.contains(POOL.get(Place::Intermediate));
    assert_eq!(chain.len(), 1 + usize::from(leaf && comes_along));
}

fn enrolment(choice: u8, known: u8, answer: &[u8]) -> Reached {
    let Enrolments {
        enrolled,
        root,
        short,
    } = &*ENROLMENTS;
    let mut anchors = TrustStore::empty("known before");
    if known & 1 == 1 {
        anchors.add(root).expect("a root");
    }
    let indexes: Vec<usize> = (0..enrolled.len()).collect();
    let wanted = chosen(&indexes, choice & 7);
    let request = enrolled.get(wanted).expect("it was chosen");
    let mut pool: Vec<&Certificate> = enrolled.iter().map(|one| &one.certificate).collect();
    let [leaf, intermediate] = [Place::Leaf, Place::Intermediate].map(|place| POOL.get(place));
    pool.extend([root, leaf, intermediate, short]);
    let certificates: Vec<Certificate> = answer.iter().map(|byte| chosen(&pool, *byte).clone()).collect();
    check_chain(leaf, &certificates);
    let count = certificates.len();
    let spki = &request.expected.spki_der;
    let is_there = certificates.iter().any(|one| one.spki_der() == spki);
    let (certificate, others) = match find_by_key(certificates, spki) {
        Ok(found) => found,
        Err(error) => {
            assert!(!is_there, "{error}");
            return Reached::default();
        }
    };
    assert!(certificate.spki_der() == spki && others.len() + 1 == count);
    assert_eq!(
        validate(&anchors, &certificate, &others, keys::NOW).is_ok(),
        !anchors.is_empty(),
        "its root is known, or it is not"
    );
    check_chain(&certificate, &others);
    let is_the_one = fits(wanted)
        .iter()
        .filter_map(|index| enrolled.get(*index))
        .any(|other| other.certificate == certificate);
    check_judgement(&request.expected, is_the_one, &certificate, &others);
    Reached {
        issued: is_the_one,
        differs: !is_the_one,
        ..Reached::default()
    }
}

/// A certificate is accepted when it has what was asked for; else every difference is told, whoever accepts it.
fn check_judgement(
    expected: &Expectation,
    is_the_one: bool,
    certificate: &Certificate,
    others: &[Certificate],
) {
    let outlives = |difference: &Difference| difference.kind() == DifferenceKind::OutlivesIssuer;
    let above: Vec<&Certificate> = others.iter().collect();
    let judge = |checks: &IssuedChecks| compare(certificate, expected, &above, checks, keys::NOW);
    match judge(&IssuedChecks::default()) {
        Ok(accepted) => {
            let ends_early = others.contains(&ENROLMENTS.short);
            assert!(is_the_one && accepted.iter().all(|one| outlives(one) && ends_early));
        }
        Err(ClientError::Differs(found)) => {
            assert!(!is_the_one && !found.is_empty());
            let all = IssuedChecks {
                accept: DifferenceKind::ALL.to_vec(),
                validity: None,
            };
            let mut told = judge(&all).expect("all are accepted");
            told.retain(|difference| !outlives(difference));
            assert_eq!(told, found);
        }
        Err(error) => panic!("{error}"),
    }
    let too_long = IssuedChecks {
        validity: Some(100 * YEAR),
        ..IssuedChecks::default()
    };
    assert!(judge(&too_long).is_err(), "nothing lasts for a century");
}
