//! The rest of a script: bytes that say what happens next.

/// A script, from where it is read on. Behind its end there are zeros.
pub(crate) struct Steps<'a> {
    bytes: &'a [u8],
}

impl<'a> Steps<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// The next byte, and 0 at the end: for what belongs to a step that has begun.
    pub(crate) fn byte(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    /// The byte that comes after so many others, which stay; 0 behind the end.
    pub(crate) fn byte_at(&self, after: usize) -> u8 {
        self.bytes.get(after).copied().unwrap_or_default()
    }

    /// Two bytes, the high one first.
    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// As many bytes as there are, up to this number.
    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }
}
