//! What an order keeps of its payment: names that the gateway gave, never a card.

use crate::codec::{CodecError, Encode, Reader, Writer};
use crate::payment::bounded_text;

/// See the module. Kept from the checkout on while the order takes payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// The shopper's means of payment, as the gateway's own token; empty where none was given.
    pub token: Box<str>,
    /// The gateway's name for the payment; empty while it is not known.
    pub intent: Box<str>,
    /// The last thing the gateway, or the vault, gave as a reason; empty for none.
    pub code: Box<str>,
}

impl Charge {
    /// A payment to come, by this means.
    pub fn by(token: &str) -> Self {
        Self { token: token.into(), ..Self::default() }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut text = || Ok(bounded_text(r)?.into());
        Ok(Self { token: text()?, intent: text()?, code: text()? })
    }
}

impl Encode for Charge {
    fn encode(&self, w: &mut Writer<'_>) {
        w.text(&self.token);
        w.text(&self.intent);
        w.text(&self.code);
    }
}
