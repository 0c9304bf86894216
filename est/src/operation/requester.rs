//! For whom a client may ask.

/// Whose certificate a client may ask for.
///
/// # Defaults
/// A user may ask for any subject: in the source documents one account enrols a whole fleet of phones (fact F002-24).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequesterPolicy {
    /// A user name must be the one common name of the subject.
    pub subject_must_name_user: bool,
}
