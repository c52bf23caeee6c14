//! What a shopper's token is for: scopes, as the token names them and as the table of routes asks.
//!
//! A route names the scopes of which one is enough; a route that names none takes any token. Names
//! that are not known here are passed over (RFC 6749, section 3.3): a token may serve others too,
//! and a node must not refuse the scopes of its successor. What is misspelt gives nothing.

/// One thing a token may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Carts, and the holds that a cart becomes.
    Cart = 1,
    /// Holds, checkouts and the orders they make.
    Checkout = 2,
    /// Seeing what becomes of an order.
    Watch = 4,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cart, Self::Checkout, Self::Watch];

    /// The name in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Watch => "watch",
        }
    }

    /// The scope of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Several scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// None.
    pub const NONE: Self = Self(0);

    /// These.
    pub const fn of<const N: usize>(scopes: [Scope; N]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < N {
            bits |= scopes[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Those named in a list with spaces between; other names are passed over.
    pub fn parse(list: &str) -> Self {
        let known = list.split(' ').filter_map(Scope::parse);
        Self(known.fold(0, |bits, scope| bits | scope as u8))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of them is among `others`.
    pub const fn meet(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Scope::ALL.into_iter().filter(move |&scope| self.0 & scope as u8 != 0).map(Scope::name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_what_is_not_known_gives_nothing() {
        let rows: [(&str, &[&str]); 6] = [
            ("cart checkout watch", &["cart", "checkout", "watch"]),
            ("watch cart", &["cart", "watch"]),
            ("openid cart  cart", &["cart"]),
            ("", &[]),
            ("Cart carts *", &[]),
            ("cart,checkout\twatch", &[]),
        ];
        for (list, names) in rows {
            assert_eq!(Scopes::parse(list).names().collect::<Vec<_>>(), names, "{list}");
        }
        assert!(Scopes::of([Scope::Cart, Scope::Watch]).meet(Scopes::parse("watch")));
        assert!(!Scopes::of([Scope::Cart]).meet(Scopes::of([Scope::Checkout])));
        assert!(Scopes::parse("all").is_empty());
    }
}
