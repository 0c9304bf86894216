//! Takes the protection off records.
//!
//! This reads what was captured long ago with keys that the owner gave; nobody learns anything from how long it takes, so
//! the padding of CBC is checked without the care that a live TLS stack needs.

use aes::cipher::{BlockDecryptMut as _, KeyIvInit as _, block_padding::NoPadding};
use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit as _};
use chacha20poly1305::ChaCha20Poly1305;

use super::keys::{Keys, record_mac};
use super::suite::{Bulk, Mac, Suite};
use crate::capture::error::TlsVersion;

/// The length of the authentication tag of every AEAD here.
const TAG: usize = 16;

/// The block of AES.
const BLOCK: usize = 16;

/// A record that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOpened;

/// Opens the records of one direction, in their order.
pub(super) struct Opener {
    version: TlsVersion,
    bulk: Bulk,
    keys: Keys,
    encrypt_then_mac: bool,
    /// How many records were opened.
    pub(super) records: u64,
}

impl core::fmt::Debug for Opener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opener")
            .field("version", &self.version)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl Opener {
    pub(super) fn new(version: TlsVersion, suite: Suite, keys: Keys, encrypt_then_mac: bool) -> Self {
        Self {
            version,
            bulk: suite.bulk,
            keys,
            encrypt_then_mac,
            records: 0,
        }
    }

    /// The content of a record and its type. `header` is the record's header. Nothing changes if it does not open.
    pub(super) fn open(&mut self, header: [u8; 5], body: &[u8]) -> Result<(u8, Vec<u8>), NotOpened> {
        let [kind, ..] = header;
        let opened = match (self.version, self.bulk.mac()) {
            (TlsVersion::Tls13, _) => self.open_tls13(header, body)?,
            (_, Some(mac)) => (kind, self.open_cbc(header, body, mac)?),
            (_, None) => (kind, self.open_aead(header, body)?),
        };
        self.records += 1;
        Ok(opened)
    }

    /// The nonce of TLS 1.3, and of ChaCha20-Poly1305 before (RFC 8446 section 5.3, RFC 7905 section 2).
    fn mixed_nonce(&self) -> Result<[u8; 12], NotOpened> {
        let mut nonce: [u8; 12] = self.keys.iv.as_slice().try_into().map_err(|_| NotOpened)?;
        let sequence = self.records.to_be_bytes();
        for (byte, mask) in nonce.iter_mut().skip(4).zip(sequence) {
            *byte ^= mask;
        }
        Ok(nonce)
    }

    fn open_tls13(&self, header: [u8; 5], body: &[u8]) -> Result<(u8, Vec<u8>), NotOpened> {
        let mut plain = self.decrypt(self.mixed_nonce()?, &header, body)?;
        // The type stands behind the content, and zeros behind the type (RFC 8446 section 5.2).
        while plain.last() == Some(&0) {
            plain.pop();
        }
        let kind = plain.pop().ok_or(NotOpened)?;
        Ok((kind, plain))
    }

    fn open_aead(&self, header: [u8; 5], body: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (nonce, body) = if self.bulk == Bulk::ChaCha20Poly1305 {
            (self.mixed_nonce()?, body)
        } else {
            let (explicit, rest) = body.split_at_checked(8).ok_or(NotOpened)?;
            let nonce = [&self.keys.iv, explicit].concat();
            (nonce.try_into().map_err(|_| NotOpened)?, rest)
        };
        let length = body.len().checked_sub(TAG).ok_or(NotOpened)?;
        let additional = self.pseudo_header(header, length)?;
        self.decrypt(nonce, &additional, body)
    }

    /// Sequence number, type, version, length of the content (RFC 5246 sections 6.2.3.1 and 6.2.3.3).
    fn pseudo_header(&self, header: [u8; 5], length: usize) -> Result<[u8; 13], NotOpened> {
        let [a, b, c, d, e, f, g, h] = self.records.to_be_bytes();
        let [kind, major, minor, ..] = header;
        let [high, low] = u16::try_from(length).map_err(|_| NotOpened)?.to_be_bytes();
        Ok([a, b, c, d, e, f, g, h, kind, major, minor, high, low])
    }

    fn decrypt(&self, nonce: [u8; 12], additional: &[u8], body: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let at = body.len().checked_sub(TAG).ok_or(NotOpened)?;
        let (content, tag) = body.split_at(at);
        let tag: [u8; TAG] = tag.try_into().map_err(|_| NotOpened)?;
        let mut plain = content.to_vec();
        let (nonce, tag) = (nonce.into(), tag.into());
        macro_rules! open {
            ($cipher:ty) => {
                <$cipher>::new_from_slice(&self.keys.key)
                    .map_err(|_| NotOpened)?
                    .decrypt_in_place_detached(&nonce, additional, &mut plain, &tag)
            };
        }
        let outcome = match self.bulk {
            Bulk::Aes128Gcm => open!(Aes128Gcm),
            Bulk::Aes256Gcm => open!(Aes256Gcm),
            Bulk::ChaCha20Poly1305 => open!(ChaCha20Poly1305),
            Bulk::Aes128Cbc(_) | Bulk::Aes256Cbc(_) => return Err(NotOpened),
        };
        outcome.map_err(|_| NotOpened)?;
        Ok(plain)
    }

    fn open_cbc(&mut self, header: [u8; 5], body: &[u8], mac: Mac) -> Result<Vec<u8>, NotOpened> {
        let (protected, outer_mac) = if self.encrypt_then_mac {
            // RFC 7366: the MAC stands behind what is encrypted and covers it.
            let at = body.len().checked_sub(mac.length()).ok_or(NotOpened)?;
            let (protected, outer) = body.split_at(at);
            (protected, Some(outer))
        } else {
            (body, None)
        };
        let (iv, content) = match self.version {
            TlsVersion::Tls10 => (self.keys.iv.as_slice(), protected),
            _ => protected.split_at_checked(BLOCK).ok_or(NotOpened)?,
        };
        let plain = self.decrypt_blocks(iv, content)?;
        let padding = plain.last().copied().ok_or(NotOpened)?;
        let without = plain
            .len()
            .checked_sub(usize::from(padding) + 1)
            .ok_or(NotOpened)?;
        let (inner, pad) = plain.split_at_checked(without).ok_or(NotOpened)?;
        if pad.iter().any(|byte| *byte != padding) {
            return Err(NotOpened);
        }
        let data = if let Some(outer) = outer_mac {
            self.check_mac(mac, header, protected, outer)?;
            inner
        } else {
            let at = inner.len().checked_sub(mac.length()).ok_or(NotOpened)?;
            let (data, found) = inner.split_at(at);
            self.check_mac(mac, header, data, found)?;
            data
        };
        let data = data.to_vec();
        if self.version == TlsVersion::Tls10 {
            // The last block of a record is the initialisation vector of the next one.
            let at = content.len().checked_sub(BLOCK).ok_or(NotOpened)?;
            self.keys.iv = content.split_at(at).1.to_vec();
        }
        Ok(data)
    }

    fn check_mac(&self, mac: Mac, header: [u8; 5], data: &[u8], found: &[u8]) -> Result<(), NotOpened> {
        let pseudo_header = self.pseudo_header(header, data.len())?;
        let expected = record_mac(mac, &self.keys.mac, &[&pseudo_header, data]);
        if expected.as_deref() == Some(found) {
            Ok(())
        } else {
            Err(NotOpened)
        }
    }

    fn decrypt_blocks(&self, iv: &[u8], content: &[u8]) -> Result<Vec<u8>, NotOpened> {
        macro_rules! blocks {
            ($cipher:ty) => {
                cbc::Decryptor::<$cipher>::new_from_slices(&self.keys.key, iv)
                    .map_err(|_| NotOpened)?
                    .decrypt_padded_vec_mut::<NoPadding>(content)
                    .map_err(|_| NotOpened)
            };
        }
        match self.bulk {
            Bulk::Aes128Cbc(_) => blocks!(aes::Aes128),
            _ => blocks!(aes::Aes256),
        }
    }
}
