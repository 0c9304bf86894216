//! Numbers to meanings and back, fast for the small numbers that real traffic has.

use std::collections::BTreeMap;

use super::{ProfileError, field_maximum};

/// Something a profile gives numbers to.
pub(crate) trait Numbered: Copy + PartialEq + 'static {
    /// A dense index.
    fn index(self) -> usize;
    /// The name for messages to people.
    fn name(self) -> &'static str;
}

/// A one-to-one relation between 16-bit numbers and meanings.
#[derive(Clone, Debug)]
pub(super) struct Numbering<T> {
    kind: &'static str,
    /// Meanings of the numbers below 256: one load instead of a search.
    low: [Option<T>; 256],
    high: BTreeMap<u16, T>,
    numbers: Vec<Option<u16>>,
}

impl<T: Numbered> Numbering<T> {
    pub(super) fn new(
        kind: &'static str,
        width: u8,
        entries: impl Iterator<Item = (T, u16)>,
    ) -> Result<Self, ProfileError> {
        let mut numbering = Self {
            kind,
            low: [None; 256],
            high: BTreeMap::new(),
            numbers: Vec::new(),
        };
        for (meaning, number) in entries {
            let name = meaning.name();
            if u32::from(number) > field_maximum(width) {
                return Err(ProfileError::NumberTooLarge { kind, number, name });
            }
            if numbering.meaning(number).is_some() || numbering.number(meaning).is_some() {
                return Err(ProfileError::DuplicateNumber { kind, number, name });
            }
            match numbering.low.get_mut(usize::from(number)) {
                Some(slot) => *slot = Some(meaning),
                None => {
                    numbering.high.insert(number, meaning);
                }
            }
            if numbering.numbers.len() <= meaning.index() {
                numbering.numbers.resize(meaning.index() + 1, None);
            }
            if let Some(slot) = numbering.numbers.get_mut(meaning.index()) {
                *slot = Some(number);
            }
        }
        Ok(numbering)
    }

    pub(super) fn require(&self, needed: &[T]) -> Result<(), ProfileError> {
        match needed.iter().find(|meaning| self.number(**meaning).is_none()) {
            Some(missing) => Err(ProfileError::MissingNumber {
                kind: self.kind,
                name: missing.name(),
            }),
            None => Ok(()),
        }
    }

    #[inline]
    pub(super) fn meaning(&self, number: u16) -> Option<T> {
        match self.low.get(usize::from(number)) {
            Some(meaning) => *meaning,
            None => self.high.get(&number).copied(),
        }
    }

    #[inline]
    pub(super) fn number(&self, meaning: T) -> Option<u16> {
        self.numbers.get(meaning.index()).copied().flatten()
    }
}
