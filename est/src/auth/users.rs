//! Users and their password hashes, from a file or from code.

use core::fmt;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argon2::password_hash::{
    PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString, rand_core::OsRng,
};
use argon2::{Algorithm, Argon2, Params, Version};

use super::basic::{BasicCredentials, MAX_USER_NAME};
use super::cache::{DEFAULT_CACHE_CAPACITY, DEFAULT_CACHE_LIFETIME, VerifiedCredentials};
use super::{Authenticator, AuthenticatorUnavailable};

/// The most memory one password check may take, in KiB; a larger figure in a user file is taken for a mistake.
const MAX_MEMORY_COST: u32 = 256 * 1024;

/// The most passes over that memory one password check may take.
const MAX_TIME_COST: u32 = 32;

/// The most lanes one password check may take.
const MAX_LANES: u32 = 16;

/// The users of an EST server: names and argon2 hashes of their passwords.
///
/// The file has one `name:$argon2id$…` line per user, in the PHC string form that `argon2` and most tools print.
/// Empty lines and lines that begin with `#` are skipped.
///
/// Hashes may differ in cost, for instance while a file moves to a higher one. A check then does work in addition until
/// memory times passes come to those of the most expensive hash, so that time tells neither the users with cheaper
/// hashes nor the names that do not exist.
pub struct Users {
    hashes: HashMap<String, String>,
    stand_in: StandIn,
    verified: VerifiedCredentials,
}

/// Compared against when the name is unknown, with the parameters of the most expensive stored hash, so that the
/// answer takes as long as for a wrong password.
struct StandIn {
    hash: String,
    params: Params,
}

impl StandIn {
    fn new(params: Params) -> Self {
        Self {
            hash: hash_with(
                &Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()),
                STAND_IN,
            ),
            params,
        }
    }
}

/// Hashed for the stand-in. Knowing it is of no use: an unknown name is refused whatever the comparison says.
const STAND_IN: &str = "nobody has this password";

/// For work whose result is thrown away.
const PADDING_SALT: &[u8] = b"no salt needed";

impl Default for Users {
    fn default() -> Self {
        Self::new()
    }
}

impl Users {
    /// No users yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hashes: HashMap::new(),
            stand_in: StandIn::new(Params::default()),
            verified: VerifiedCredentials::new(DEFAULT_CACHE_CAPACITY, DEFAULT_CACHE_LIFETIME),
        }
    }

    /// Sets how many verified credentials are remembered and for how long; capacity 0 checks every time.
    #[must_use]
    pub fn remembering(mut self, capacity: usize, lifetime: Duration) -> Self {
        self.verified = VerifiedCredentials::new(capacity, lifetime);
        self
    }

    /// Reads a user file.
    ///
    /// # Errors
    /// [`UserFileError`] when it cannot be read or when any line is wrong; then no user is taken from it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, UserFileError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| UserFileError::Unreadable {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        Self::parse(&text).map_err(|faults| UserFileError::Lines {
            path: path.to_owned(),
            faults,
        })
    }

    /// Reads the text of a user file.
    ///
    /// # Errors
    /// Every wrong line with its number.
    pub fn parse(text: &str) -> Result<Self, Vec<UserFileFault>> {
        let mut users = Self::new();
        let mut faults = Vec::new();
        for (line, number) in super::entries(text) {
            if let Err(fault) = users.read_line(line) {
                faults.push(UserFileFault { line: number, fault });
            }
        }
        if faults.is_empty() { Ok(users) } else { Err(faults) }
    }

    fn read_line(&mut self, line: &str) -> Result<(), UserNameError> {
        let (name, hash) = line.split_once(':').ok_or(UserNameError::NoColon)?;
        self.insert_hash(name.trim(), hash.trim())
    }

    /// Adds a user with the argon2 hash of the password in PHC string form.
    ///
    /// # Errors
    /// [`UserNameError`] when the name cannot be used with HTTP Basic, exists already, or the hash is no argon2 hash.
    pub fn insert_hash(&mut self, name: &str, hash: &str) -> Result<(), UserNameError> {
        check_name(name)?;
        let params = check_hash(hash)?;
        if self.hashes.contains_key(name) {
            return Err(UserNameError::Duplicate(DuplicateUser {
                name: name.to_owned(),
            }));
        }
        self.hashes.insert(name.to_owned(), hash.to_owned());
        if cost(&params) > cost(&self.stand_in.params) {
            self.stand_in = StandIn::new(params);
        }
        Ok(())
    }

    /// Adds a user with a password, or gives an existing one a new password.
    ///
    /// # Errors
    /// [`UserNameError`] when name or password cannot be used with HTTP Basic.
    pub fn set_password(&mut self, name: &str, password: &str) -> Result<(), UserNameError> {
        check_name(name)?;
        BasicCredentials::new(name, password).map_err(UserNameError::NotForBasic)?;
        self.hashes.insert(name.to_owned(), hash_password(password));
        Ok(())
    }

    /// Works for as long as the stored hash is cheaper than the most expensive one.
    fn make_up(&self, hash: &PasswordHash<'_>) {
        let most = cost(&self.stand_in.params);
        let missing = Params::try_from(hash).map_or(0, |params| most.saturating_sub(cost(&params)));
        if let Some(params) = padding(missing) {
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let mut unused = [0; Params::DEFAULT_OUTPUT_LEN];
            // The outcome is of no interest; the parameters are in range by construction.
            let _worked = argon2.hash_password_into(STAND_IN.as_bytes(), PADDING_SALT, &mut unused);
        }
    }

    /// Removes a user; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.hashes.remove(name).is_some()
    }

    /// The names, sorted. For administration.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.hashes.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there are no users.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether this name exists. For administration; answering a client with it would tell which names exist.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// The text of a user file with these users, sorted by name.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut lines: Vec<_> = self
            .hashes
            .iter()
            .map(|(name, hash)| format!("{name}:{hash}\n"))
            .collect();
        lines.sort();
        lines.concat()
    }
}

impl Authenticator for Users {
    fn recall(&self, credentials: &BasicCredentials, now: Instant) -> Option<bool> {
        let hash = self.hashes.get(credentials.user()).unwrap_or(&self.stand_in.hash);
        self.verified.contains(credentials, hash, now).then_some(true)
    }

    fn check(&self, credentials: &BasicCredentials, now: Instant) -> Result<bool, AuthenticatorUnavailable> {
        let known = self.hashes.get(credentials.user());
        let hash = known.unwrap_or(&self.stand_in.hash);
        let parsed = PasswordHash::new(hash)
            .map_err(|error| AuthenticatorUnavailable::new(format!("a stored hash is damaged: {error}")))?;
        // verify_password compares in constant time.
        let right = Argon2::default()
            .verify_password(credentials.password().as_bytes(), &parsed)
            .is_ok();
        let right = right && known.is_some();
        self.make_up(&parsed);
        if right {
            self.verified.insert(credentials, hash, now);
        }
        Ok(right)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("users", &self.hashes.len())
            .field("verified", &self.verified)
            .finish()
    }
}

/// Hashes a password with argon2id and the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane).
#[must_use]
pub fn hash_password(password: &str) -> String {
    hash_with(&Argon2::default(), password)
}

fn hash_with(argon2: &Argon2<'_>, password: &str) -> String {
    let salt = SaltString::generate(&mut OsRng);
    argon2
        .hash_password(password.as_bytes(), &salt)
        .expect("checked parameters and a fresh salt are valid for any password under 4 GiB")
        .to_string()
}

fn check_name(name: &str) -> Result<(), UserNameError> {
    if name.is_empty() || name.len() > MAX_USER_NAME || name.starts_with('#') {
        return Err(UserNameError::BadName);
    }
    if name
        .chars()
        .any(|character| character == ':' || character.is_control())
    {
        return Err(UserNameError::BadName);
    }
    Ok(())
}

/// Memory times passes: proportional to the time one check takes.
fn cost(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// Parameters whose cost is `missing`, `None` for what is too little to be told from noise.
fn padding(missing: u64) -> Option<Params> {
    let passes = missing.div_ceil(u64::from(MAX_MEMORY_COST)).max(1);
    let memory = u32::try_from(missing / passes).ok()?;
    let passes = u32::try_from(passes).ok()?;
    Params::new(memory, passes, 1, None).ok()
}

fn check_hash(hash: &str) -> Result<Params, UserNameError> {
    if !hash.starts_with("$argon2") {
        return Err(UserNameError::NotArgon2);
    }
    let parsed = PasswordHash::new(hash).map_err(|error| UserNameError::BadHash {
        cause: error.to_string(),
    })?;
    if parsed.hash.is_none() || parsed.salt.is_none() {
        return Err(UserNameError::BadHash {
            cause: "salt or hash is missing".into(),
        });
    }
    let params = Params::try_from(&parsed).map_err(|error| UserNameError::BadHash {
        cause: error.to_string(),
    })?;
    if params.m_cost() > MAX_MEMORY_COST || params.t_cost() > MAX_TIME_COST || params.p_cost() > MAX_LANES {
        return Err(UserNameError::TooExpensive);
    }
    Ok(params)
}

/// A user file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserFileError {
    /// The file cannot be read.
    #[error("user file {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: String,
    },
    /// Some lines are wrong; all of them are listed.
    #[error("{}", list(path, faults))]
    Lines {
        /// The file.
        path: PathBuf,
        /// The wrong lines, in order.
        faults: Vec<UserFileFault>,
    },
}

fn list(path: &Path, faults: &[UserFileFault]) -> String {
    let lines: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}:{}: {}", path.display(), fault.line, fault.fault))
        .collect();
    lines.join("\n")
}

impl pki_common::Diagnose for UserFileError {
    fn diagnose(&self) -> pki_common::Failure {
        pki_common::Failure {
            rung: pki_common::Rung::Local,
            refused_by: None,
            alert: None,
            known_cause: None,
            cause: self.to_string(),
            remedy: "Correct the file; `est user add` writes well-formed lines.".into(),
        }
    }
}

/// One wrong line of a user file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFileFault {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: UserNameError,
}

/// The name is already there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateUser {
    /// The name.
    pub name: String,
}

/// A user that cannot be taken. Never repeats a hash or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserNameError {
    /// No colon between name and hash.
    #[error("no colon between name and hash; expected `name:$argon2id$...`")]
    NoColon,
    /// Empty, too long, begins with `#`, or holds a colon or a control character.
    #[error(
        "the name is empty, longer than {MAX_USER_NAME} bytes, begins with # or has a colon or control character"
    )]
    BadName,
    /// The name is already there.
    #[error("the user {:?} appears twice", .0.name)]
    Duplicate(DuplicateUser),
    /// Something else than an argon2 hash, perhaps a plain password.
    #[error("what follows the colon is not an argon2 hash ($argon2id$...)")]
    NotArgon2,
    /// An argon2 hash that cannot be read.
    #[error("damaged argon2 hash: {cause}")]
    BadHash {
        /// What the parser says.
        cause: String,
    },
    /// The parameters of the hash would make each check a burden for the server.
    #[error("the hash asks for more than {MAX_MEMORY_COST} KiB, {MAX_TIME_COST} passes or {MAX_LANES} lanes")]
    TooExpensive,
    /// The password cannot be sent by HTTP Basic.
    #[error("{0}")]
    NotForBasic(super::BasicError),
}

impl pki_common::Diagnose for UserNameError {
    fn diagnose(&self) -> pki_common::Failure {
        let remedy = match self {
            Self::NotForBasic(error) => return error.diagnose(),
            Self::NoColon | Self::NotArgon2 | Self::BadHash { .. } => {
                "Write the line with `est user add`, or take the hash from a tool that prints argon2 in PHC form."
            }
            Self::BadName => "Choose another name.",
            Self::Duplicate(_) => "Remove one of the two lines.",
            Self::TooExpensive => {
                "Hash the password with lower parameters; `est user add` uses 19 MiB and 2 passes."
            }
        };
        pki_common::Failure::new(pki_common::Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: &str) -> BasicCredentials {
        BasicCredentials::new(user, password).unwrap()
    }

    /// Made with `argon2` of the reference implementation: password "password", salt "somesalt", -t 2 -m 16 -p 1.
    const REFERENCE: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn accepts_a_hash_of_the_reference_implementation() {
        let users = Users::parse(&format!("# staff\n\nphone:{REFERENCE}\r\n")).unwrap();
        let now = Instant::now();
        assert_eq!(users.check(&credentials("phone", "password"), now), Ok(true));
        assert_eq!(users.check(&credentials("phone", "Password"), now), Ok(false));
        assert_eq!(users.check(&credentials("other", "password"), now), Ok(false));
    }

    #[test]
    fn a_faulty_user_is_explained_without_a_secret() {
        use pki_common::Diagnose as _;
        for (error, says) in [
            (UserNameError::NoColon, "est user add"),
            (UserNameError::BadName, "another name"),
            (
                UserNameError::NotForBasic(super::super::BasicError::ControlCharacter),
                "control character",
            ),
        ] {
            let found = error.diagnose();
            assert_eq!(found.rung, pki_common::Rung::Local);
            assert!(
                found.remedy.contains(says) && found.remedy.ends_with('.'),
                "{found}"
            );
        }
        let down = AuthenticatorUnavailable::new("no answer");
        assert_eq!(down.diagnose().rung, pki_common::Rung::Upstream);
        assert_eq!(
            down.diagnose().cause,
            "credentials cannot be checked at present: no answer."
        );
    }

    #[test]
    fn remembers_right_credentials_only() {
        let mut users = Users::new();
        users.set_password("a", "right").unwrap();
        let now = Instant::now();
        assert_eq!(users.recall(&credentials("a", "right"), now), None);
        assert_eq!(users.check(&credentials("a", "right"), now), Ok(true));
        assert_eq!(users.check(&credentials("a", "wrong"), now), Ok(false));
        assert_eq!(users.recall(&credentials("a", "right"), now), Some(true));
        assert_eq!(users.recall(&credentials("a", "wrong"), now), None);
        users.set_password("a", "new").unwrap();
        assert_eq!(
            users.recall(&credentials("a", "right"), now),
            None,
            "a changed password is not remembered"
        );
    }

    #[test]
    fn nobody_can_log_in_with_the_password_of_the_stand_in() {
        let users = Users::new();
        assert_eq!(
            users.check(&credentials("", "nobody has this password"), Instant::now()),
            Ok(false)
        );
    }

    #[test]
    fn an_unknown_name_costs_what_the_most_expensive_user_costs() {
        let mut users = Users::new();
        assert_eq!(users.stand_in.params.m_cost(), Params::default().m_cost());
        users.insert_hash("phone", REFERENCE).unwrap();
        users.set_password("other", "cheaper").unwrap();
        assert_eq!(users.stand_in.params.m_cost(), 65536);
        assert!(users.stand_in.hash.contains("m=65536,t=2,p=1"));
    }

    #[test]
    fn a_cheaper_hash_is_made_up_to_the_most_expensive_one() {
        for missing in [8, 38_912, 131_072, 262_144, 262_145, 4_000_000, 8_388_608] {
            let found = cost(&padding(missing).unwrap());
            assert!(found <= missing && missing - found < 32, "{missing}: {found}");
        }
        assert!(padding(0).is_none() && padding(7).is_none());
        let mut users = Users::new();
        users.insert_hash("phone", REFERENCE).unwrap();
        users.set_password("cheap", "right").unwrap();
        let missing = cost(&users.stand_in.params) - cost(&Params::default());
        assert_eq!(missing, 2 * 65_536 - 2 * 19_456);
        assert_eq!(
            users.check(&credentials("cheap", "right"), Instant::now()),
            Ok(true)
        );
        assert_eq!(
            users.check(&credentials("cheap", "wrong"), Instant::now()),
            Ok(false)
        );
    }

    #[test]
    fn names_every_wrong_line_and_takes_none() {
        let text = format!(
            "good:{REFERENCE}\nplain\nclear:text\n:{REFERENCE}\ngood:{REFERENCE}\nx:$argon2id$v=19$m\n"
        );
        let faults = Users::parse(&text).unwrap_err();
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        assert_eq!(faults[0].fault, UserNameError::NoColon);
        assert_eq!(faults[1].fault, UserNameError::NotArgon2);
        assert_eq!(faults[2].fault, UserNameError::BadName);
        assert!(matches!(faults[3].fault, UserNameError::Duplicate(_)));
        assert!(
            matches!(faults[4].fault, UserNameError::BadHash { .. }),
            "{:?}",
            faults[4]
        );
    }

    #[test]
    fn refuses_a_hash_that_would_take_gigabytes() {
        let text = format!("a:{}", REFERENCE.replace("m=65536", "m=4194304"));
        assert_eq!(
            Users::parse(&text).unwrap_err()[0].fault,
            UserNameError::TooExpensive
        );
    }

    #[test]
    fn what_it_writes_it_reads() {
        let mut users = Users::new();
        users.set_password("b", "1").unwrap();
        users.set_password("a", "2").unwrap();
        let again = Users::parse(&users.to_text()).unwrap();
        assert!(again.to_text().starts_with("a:$argon2id$"));
        assert_eq!(again.check(&credentials("b", "1"), Instant::now()), Ok(true));
    }

    #[test]
    fn debug_shows_no_hash() {
        let users = Users::parse(&format!("a:{REFERENCE}")).unwrap();
        assert!(!format!("{users:?}").contains("argon2"));
    }
}
