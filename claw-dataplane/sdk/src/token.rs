//! Shoppers' tokens: what a shop signs so that a browser may act for one session.
//!
//! A JWT (RFC 7519) signed with an Ed25519 key of the store whose role may issue: `kid` is the
//! key's name, `aud` the store's, `sub` the session. The node verifies it with the public key it
//! has registered; who holds a token is the shopper until it ends, so it goes over TLS and lives
//! short. Making only: verifying is the node's, which trusts nothing that a token says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claw_common::id::parse_session;
use claw_common::limits::TOKEN_LIFE_S_MAX;
use serde_json::json;

use crate::key::Signer;

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub struct TokenClaims<'a> {
    /// The store's name.
    pub audience: &'a str,
    /// The shopper's session.
    pub session: &'a str,
    /// What it is for: of `cart`, `checkout`, `watch`, with spaces between.
    pub scope: &'a str,
    /// When it is made, seconds since 1970.
    pub issued_s: u64,
    /// How long it lives, seconds, at most a day.
    pub life_s: u64,
}

/// A token that would not be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The key is a shared secret.
    #[error("issue a token: the key {keyid} is not Ed25519; only an Ed25519 key signs tokens")]
    Key {
        /// Its name.
        keyid: String,
    },
    /// Not a session.
    #[error("issue a token: a session is 1 to 64 printable ASCII characters without spaces")]
    Session,
    /// No life, or more than a day.
    #[error("issue a token: it lives from 1 s to {TOKEN_LIFE_S_MAX} s (a day), not {life_s} s")]
    Life {
        /// As asked.
        life_s: u64,
    },
}

impl Signer {
    /// A token, to be sent as `Authorization: Bearer TOKEN`.
    pub fn token(&self, claims: &TokenClaims<'_>) -> Result<String, TokenError> {
        let TokenClaims { audience, session, scope, issued_s, life_s } = *claims;
        if self.algorithm() != "ed25519" {
            return Err(TokenError::Key { keyid: self.keyid().to_owned() });
        }
        if parse_session(session).is_none() {
            return Err(TokenError::Session);
        }
        if !(1..=TOKEN_LIFE_S_MAX).contains(&life_s) {
            return Err(TokenError::Life { life_s });
        }
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.keyid() });
        let payload = json!({
            "aud": audience,
            "sub": session,
            "scope": scope,
            "iat": issued_s,
            "exp": issued_s.saturating_add(life_s),
        });
        Ok(self.compact_jws(&header.to_string(), &payload.to_string()))
    }

    /// Signs any header and payload as a compact JWS (RFC 7515, section 7.1), whatever they say.
    pub fn compact_jws(&self, header: &str, payload: &str) -> String {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let tag = self.tag(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag.as_bytes(), &mut token);
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{generate_ed25519, generate_secret};

    const CLAIMS: TokenClaims<'static> = TokenClaims {
        audience: "shop",
        session: "ada",
        scope: "cart watch",
        issued_s: 1_800_000_000,
        life_s: 3600,
    };

    #[test]
    fn key_of_rfc_8037_makes_the_token_of_rfc_8037() {
        // Appendix A.4: the seed of A.1 in PKCS#8, and its message.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";
        let signer = Signer::ed25519("k", pem).unwrap();
        let token = signer.compact_jws("{\"alg\":\"EdDSA\"}", "Example of Ed25519 signing");
        assert_eq!(
            token,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn token_says_what_was_asked() {
        let signer = Signer::ed25519("front", &generate_ed25519().unwrap().pem).unwrap();
        let token = signer.token(&CLAIMS).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        let read = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
        };
        assert_eq!(read(parts[0]), json!({ "alg": "EdDSA", "typ": "JWT", "kid": "front" }));
        assert_eq!(
            read(parts[1]),
            json!({ "aud": "shop", "sub": "ada", "scope": "cart watch", "iat": 1_800_000_000,
                    "exp": 1_800_003_600 })
        );
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len(), 64);
    }

    #[test]
    fn token_that_no_node_would_take_is_not_made() {
        let signer = Signer::ed25519("front", &generate_ed25519().unwrap().pem).unwrap();
        let secret = Signer::hmac("till", &generate_secret().unwrap()).unwrap();
        let keyid = "till".to_owned();
        assert_eq!(secret.token(&CLAIMS), Err(TokenError::Key { keyid }));
        for session in ["", "a b", &"s".repeat(65)] {
            let claims = TokenClaims { session, ..CLAIMS };
            assert_eq!(signer.token(&claims), Err(TokenError::Session), "{session}");
        }
        for life_s in [0, 86_401, u64::MAX] {
            let claims = TokenClaims { life_s, ..CLAIMS };
            assert_eq!(signer.token(&claims), Err(TokenError::Life { life_s }));
        }
        assert!(signer.token(&TokenClaims { life_s: 86_400, ..CLAIMS }).is_ok());
    }
}
