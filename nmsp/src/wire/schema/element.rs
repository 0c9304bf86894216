//! Elements: their identity, and what is declared about each.

use core::fmt;

use super::kind::Kind;
use crate::wire::elements;
use crate::wire::profile::{Numbered, Provenance};

/// An element that this crate gives a meaning to. Its number on the wire belongs to the profile; inside the crate it is
/// known by the number that the built-in profile gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element(u8);

impl Element {
    /// Every element with a meaning, in the order of the built-in numbers.
    pub const ALL: &'static [Self] = elements::ALL;

    /// The elements that a connection cannot do without; a profile must give them numbers.
    pub const NEEDED: &'static [Self] = &[
        Self::PROTOCOL_VERSION,
        Self::SERVICES,
        Self::SERVICES_REJECTED,
        Self::SUBSCRIBE_STATUS,
        Self::STATION_MEASUREMENT,
    ];

    /// Only the declarations make elements.
    pub(crate) const fn declared(number: u8) -> Self {
        Self(number)
    }

    /// The number in the built-in profile (ours).
    #[must_use]
    pub const fn built_in_number(self) -> u8 {
        self.0
    }

    /// What is declared about the element.
    #[must_use]
    pub fn schema(self) -> &'static ElementSchema {
        elements::schema(self)
    }

    /// The name used in `PROTOCOL.md`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.schema().name
    }
}

impl Numbered for Element {
    #[inline]
    fn index(self) -> usize {
        usize::from(self.0)
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is declared about one element.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ElementSchema {
    /// Which element it is.
    pub element: Element,
    /// The name in `PROTOCOL.md`.
    pub name: &'static str,
    /// How well its number is known.
    pub provenance: Provenance,
    /// What it means.
    pub meaning: &'static str,
    /// The fixed fields at the start of the value, in the order of the wire.
    pub fields: &'static [FieldSchema],
    /// The elements that may stand behind the fixed fields.
    pub children: &'static [Child],
    /// Whether the fields must fill the value. Otherwise further elements may follow, known or unknown.
    pub exact: bool,
}

/// One fixed field of a value.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FieldSchema {
    /// The name in `PROTOCOL.md` and in errors.
    pub name: &'static str,
    /// Its form on the wire.
    pub kind: Kind,
    /// The unit, or the range where it is narrower than the width; empty if there is neither.
    pub unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl FieldSchema {
    pub(crate) const fn new(
        name: &'static str,
        kind: Kind,
        unit: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            unit,
            meaning,
        }
    }
}

/// An element inside a body or inside another element.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Child {
    /// Which element.
    pub element: Element,
    /// How often it occurs.
    pub occurrence: Occurrence,
    /// What it means there.
    pub meaning: &'static str,
}

impl Child {
    pub(crate) const fn new(element: Element, occurrence: Occurrence, meaning: &'static str) -> Self {
        Self {
            element,
            occurrence,
            meaning,
        }
    }
}

/// How often an element may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Exactly once.
    Required,
    /// Once or not at all.
    Optional,
    /// Any number of times.
    Many,
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Required => "once",
            Self::Optional => "at most once",
            Self::Many => "any number",
        })
    }
}
