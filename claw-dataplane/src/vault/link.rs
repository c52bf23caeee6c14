//! What a node and its vault say to each other over a Unix socket.
//!
//! ```text
//!  u32 length (of what follows)  u8 kind  payload
//!    1 hello          vault -> node   u16 version, text kind of payments
//!    2 ask            node -> vault   claw_core::payment::Ask
//!    3 answer         vault -> node   claw_core::payment::Answer
//!    4 webhook        node -> vault   u64 number, text signature, the raw body
//!    5 webhook answer vault -> node   u64 number, u16 HTTP status
//! ```
//! Numbers are little-endian, a text is its `u16` length and its bytes. Owns the frames; who
//! connects, and what is said again after a break, is each side's own.

use std::io::{self, Read, Write};

use claw_core::codec::{CodecError, Reader, Writer};

/// The version of this protocol.
pub const VERSION: u16 = 1;
/// Largest frame: a webhook's body is a request's.
pub const FRAME_BYTES_MAX: usize = 80 * 1024;

const HELLO: u8 = 1;
const ASK: u8 = 2;
const ANSWER: u8 = 3;
const WEBHOOK: u8 = 4;
const WEBHOOK_ANSWER: u8 = 5;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The vault is there.
    Hello {
        /// [`VERSION`].
        version: u16,
        /// `none`, `local` or `stripe`.
        kind: &'a str,
    },
    /// An encoded `Ask`.
    Ask(&'a [u8]),
    /// An encoded `Answer`.
    Answer(&'a [u8]),
    /// A webhook as it came in.
    Webhook {
        /// Names it in the answer.
        number: u64,
        /// What `Stripe-Signature` said.
        signature: &'a str,
        /// The raw body.
        body: &'a [u8],
    },
    /// What the gateway is answered.
    WebhookAnswer {
        /// Which webhook.
        number: u64,
        /// HTTP status.
        status: u16,
    },
}

impl<'a> Frame<'a> {
    /// Writes the frame, in one call.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.to_bytes())
    }

    /// The frame with its length.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = [0; 1 + 8 + 2 + 512];
        let mut writer = Writer::new(&mut head);
        let rest: &[u8] = match *self {
            Self::Hello { version, kind } => {
                writer.u8(HELLO);
                writer.u16(version);
                writer.text(kind);
                &[]
            }
            Self::Ask(ask) => {
                writer.u8(ASK);
                ask
            }
            Self::Answer(answer) => {
                writer.u8(ANSWER);
                answer
            }
            Self::Webhook { number, signature, body } => {
                writer.u8(WEBHOOK);
                writer.u64(number);
                writer.text(signature);
                body
            }
            Self::WebhookAnswer { number, status } => {
                writer.u8(WEBHOOK_ANSWER);
                writer.u64(number);
                writer.u16(status);
                &[]
            }
        };
        let written = writer.written();
        let length = u32::try_from(written + rest.len()).expect("frames are bounded");
        let mut bytes = Vec::with_capacity(4 + written + rest.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head[..written]);
        bytes.extend_from_slice(rest);
        bytes
    }

    /// Reads a frame from the bytes that [`read`] gave.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let frame = match reader.u8()? {
            HELLO => Self::Hello { version: reader.u16()?, kind: reader.text()? },
            ASK => Self::Ask(rest(&mut reader)),
            ANSWER => Self::Answer(rest(&mut reader)),
            WEBHOOK => {
                let (number, signature) = (reader.u64()?, reader.text()?);
                Self::Webhook { number, signature, body: rest(&mut reader) }
            }
            WEBHOOK_ANSWER => Self::WebhookAnswer { number: reader.u64()?, status: reader.u16()? },
            _ => return Err(reader.invalid("frame of the vault")),
        };
        reader.finish()?;
        Ok(frame)
    }
}

fn rest<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let remaining = reader.remaining();
    reader.raw(remaining).expect("what remains is there")
}

/// Reads the next frame's bytes; `None` where the other side has ended between frames.
pub fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = usize::try_from(u32::from_le_bytes(length)).expect("32 bits fit");
    if length == 0 || length > FRAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame's length is out of bounds",
        ));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_went() {
        let frames = [
            Frame::Hello { version: VERSION, kind: "local" },
            Frame::Ask(b"ask"),
            Frame::Answer(b"answer"),
            Frame::Webhook { number: 7, signature: "t=1,v1=ab", body: b"{}" },
            Frame::WebhookAnswer { number: 7, status: 400 },
        ];
        let mut stream = Vec::new();
        for frame in &frames {
            frame.write(&mut stream).unwrap();
        }
        let mut from = stream.as_slice();
        for frame in frames {
            let bytes = read(&mut from).unwrap().unwrap();
            assert_eq!(Frame::parse(&bytes), Ok(frame));
        }
        assert_eq!(read(&mut from).unwrap(), None);
    }

    #[test]
    fn lengths_out_of_bounds_and_ends_within_a_frame_are_errors() {
        for length in [0, u32::MAX] {
            assert!(read(&mut length.to_le_bytes().as_slice()).is_err());
        }
        let frame = Frame::Ask(b"ask").to_bytes();
        assert!(read(&mut &frame[..frame.len() - 1]).is_err());
        assert!(Frame::parse(&[9]).is_err());
    }
}
