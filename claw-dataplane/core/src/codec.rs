//! Sequential little-endian fields over caller-owned bytes: the payload codec of events,
//! commands, outcomes and messages between shards.
//!
//! Strings are a `u16` length and UTF-8 bytes; lists a `u16` count and their items. Reading borrows
//! from the input. There is no self-description: the record's kind and version say what is read.

use claw_common::id::Id;
use claw_common::money::Currency;
use claw_common::text::read_text;

/// Bytes that do not decode: damage or a version from the future, never a user's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ends inside a field.
    #[error("read {wanted} bytes at {at} of {length}: past the end")]
    Truncated {
        /// Offset of the field.
        at: usize,
        /// Bytes wanted.
        wanted: usize,
        /// Bytes there are.
        length: usize,
    },
    /// A field holds a value its type does not allow.
    #[error("read {field} at {at}: value not allowed")]
    Value {
        /// Offset after the field.
        at: usize,
        /// The field's name.
        field: &'static str,
    },
}

/// Anything that writes itself as a sequence of fields.
pub trait Encode {
    /// Writes all fields.
    fn encode(&self, writer: &mut Writer<'_>);
}

/// Writes fields into a slice; running out is our mistake, since callers reserve the bound.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.at
    }

    /// Bytes left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Raw bytes without a length.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        assert!(end <= self.bytes.len(), "the caller reserved too little");
        self.bytes[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.raw(&[value]);
    }

    /// A 16-bit number.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_le_bytes());
    }

    /// A 32-bit number.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    /// A 64-bit number.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// A signed 64-bit number.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_le_bytes());
    }

    /// An id.
    #[inline]
    pub fn id(&mut self, value: Id) {
        self.raw(&value.0);
    }

    /// A currency.
    #[inline]
    pub fn currency(&mut self, value: Currency) {
        self.raw(&value.bytes());
    }

    /// A string of at most 65,535 bytes.
    #[inline]
    pub fn text(&mut self, value: &str) {
        self.blob(value.as_bytes());
    }

    /// Bytes of at most 65,535.
    #[inline]
    pub fn blob(&mut self, value: &[u8]) {
        self.u16(u16::try_from(value.len()).expect("longer than its limit"));
        self.raw(value);
    }

    /// Bytes longer than 65,535 allow: a `u32` length.
    pub fn large(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("longer than its limit"));
        self.raw(value);
    }

    /// Presence byte, then the value.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Reads fields from a slice, borrowing from it.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes left.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The error for a field just read.
    pub const fn invalid(&self, field: &'static str) -> CodecError {
        CodecError::Value { at: self.at, field }
    }

    /// Succeeds at the end only.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.invalid("end")) }
    }

    /// Raw bytes without a length.
    #[inline]
    pub fn raw(&mut self, wanted: usize) -> Result<&'a [u8], CodecError> {
        let bytes = self
            .bytes
            .get(self.at..self.at.saturating_add(wanted))
            .ok_or(CodecError::Truncated { at: self.at, wanted, length: self.bytes.len() })?;
        self.at += wanted;
        Ok(bytes)
    }

    /// Raw bytes of a fixed count.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let bytes = self.raw(N)?;
        Ok(bytes.try_into().expect("raw gives the count asked for"))
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.array::<1>()?[0])
    }

    /// A 16-bit number.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_le_bytes)
    }

    /// A 32-bit number.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A 64-bit number.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A signed 64-bit number.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, CodecError> {
        self.array().map(i64::from_le_bytes)
    }

    /// A time, or a length of time, in milliseconds: of 48 bits, as stamps and timers have them.
    pub fn milliseconds(&mut self) -> Result<u64, CodecError> {
        let time = self.u64()?;
        if time < 1 << 48 { Ok(time) } else { Err(self.invalid("milliseconds")) }
    }

    /// An id.
    #[inline]
    pub fn id(&mut self) -> Result<Id, CodecError> {
        self.array().map(Id)
    }

    /// A currency.
    pub fn currency(&mut self) -> Result<Currency, CodecError> {
        let bytes = self.array::<3>()?;
        Currency::from_bytes(bytes).ok_or_else(|| self.invalid("currency"))
    }

    /// A string.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, CodecError> {
        let bytes = self.blob()?;
        read_text(bytes).ok_or_else(|| self.invalid("text"))
    }

    /// Bytes of at most 65,535.
    #[inline]
    pub fn blob(&mut self) -> Result<&'a [u8], CodecError> {
        let length = usize::from(self.u16()?);
        self.raw(length)
    }

    /// Bytes with a `u32` length.
    pub fn large(&mut self) -> Result<&'a [u8], CodecError> {
        let length = usize::try_from(self.u32()?).ok().ok_or_else(|| self.invalid("length"))?;
        self.raw(length)
    }

    /// Presence byte, then the value.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(self.invalid("option")),
        }
    }
}

/// A value read from bytes it borrows.
pub trait Decode<'a>: Sized {
    /// Reads all fields.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError>;
}
