//! A token's bytes: three parts, a header and claims, read strictly. Nothing of it is believed yet.
//!
//! JWS compact serialisation (RFC 7515, section 7.1) with JWT claims (RFC 7519, section 4.1). What
//! could be read in two ways is refused: members that come twice, base64 with left-over bits, times
//! that are no whole seconds, documents that are no objects. Members that nobody here asks for are
//! passed over, as both documents demand; `crit` is refused, since it says that this is wrong.
//! Refusals repeat nothing of what they read: a session may be personal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claw_common::id::{Session, parse_session};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::ingest::problem::{Problem, ProblemKind};

/// Bytes of an ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// The parts of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenParts<'t> {
    /// What is signed: header, dot, claims.
    pub(super) signed: &'t str,
    header: &'t str,
    claims: &'t str,
    signature: &'t str,
}

/// Who signed, and how they say they did.
#[derive(Debug, Deserialize)]
pub(super) struct TokenHeader {
    /// What the token calls its algorithm; the key has the last word.
    pub(super) alg: String,
    /// The key's name.
    pub(super) kid: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Present,
}

/// What the signer says of the bearer.
#[derive(Debug)]
pub(super) struct TokenClaims {
    /// The store it is for.
    pub(super) audience: String,
    /// When it was made, seconds.
    pub(super) issued_s: u64,
    /// When it ends, seconds.
    pub(super) expires_s: u64,
    /// When it begins, seconds, where it says so.
    pub(super) begins_s: Option<u64>,
    /// The shopper's session.
    pub(super) session: Session,
    /// What it is for; empty where it does not say.
    pub(super) scope: String,
}

#[derive(Deserialize)]
struct RawClaims {
    aud: Audience,
    iat: u64,
    exp: u64,
    #[serde(default)]
    nbf: Option<u64>,
    sub: String,
    #[serde(default)]
    scope: Option<String>,
}

/// One name, as a text or as a list of one: a token for several could be used by one of them here.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Text(String),
    List([String; 1]),
}

/// Whether a member is there, whatever it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl<'t> TokenParts<'t> {
    /// Takes a token apart.
    pub(super) fn split(token: &'t str) -> Result<Self, Problem> {
        let shape = || bad("a token is header.claims.signature, each in base64url");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = signed.split_once('.').ok_or_else(shape)?;
        if header.is_empty() || claims.is_empty() || claims.contains('.') {
            return Err(shape());
        }
        Ok(Self { signed, header, claims, signature })
    }

    /// The header.
    pub(super) fn header(&self) -> Result<TokenHeader, Problem> {
        let wrong = || bad("the token's header is not an object with one alg and one kid as texts");
        let header: TokenHeader = object(self.header).ok_or_else(wrong)?;
        if header.crit.0 {
            return Err(bad(
                "the token's header demands extensions (crit) that are not known here",
            ));
        }
        let kind = header.typ.as_deref().unwrap_or("JWT");
        if !["jwt", "at+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(bad("the token's typ is neither JWT nor at+jwt"));
        }
        Ok(header)
    }

    /// The claims.
    pub(super) fn claims(&self) -> Result<TokenClaims, Problem> {
        let raw: RawClaims = object(self.claims).ok_or_else(|| {
            bad("the token's claims are not an object with aud, iat, exp and sub, each once, \
                 times as whole seconds")
        })?;
        let session = parse_session(&raw.sub)
            .ok_or_else(|| bad("the token's sub is not a session: 1 to 64 printable characters"))?;
        let audience = match raw.aud {
            Audience::Text(name) | Audience::List([name]) => name,
        };
        Ok(TokenClaims {
            audience,
            issued_s: raw.iat,
            expires_s: raw.exp,
            begins_s: raw.nbf,
            session,
            scope: raw.scope.unwrap_or_default(),
        })
    }

    /// The signature.
    pub(super) fn signature(&self) -> Result<[u8; SIGNATURE_BYTES], Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(self.signature).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| bad("the token's signature is not 64 bytes in base64url"))
    }
}

/// A JSON object in base64url; a list that happens to fit is none.
fn object<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    let opens = bytes.trim_ascii_start().first() == Some(&b'{');
    opens.then(|| serde_json::from_slice(&bytes).ok()).flatten()
}

/// A token that is none.
pub(super) fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::BadToken, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode([7; 64]))
    }

    const HEADER: &str = r#"{"alg":"EdDSA","kid":"k"}"#;
    const CLAIMS: &str = r#"{"aud":"shop","iat":1,"exp":2,"sub":"s"}"#;

    #[test]
    fn tokens_of_other_makers_are_read() {
        for header in [
            HEADER,
            r#" {"typ":"JWT","alg":"Ed25519","kid":"k"}"#,
            r#"{"alg":"EdDSA","kid":"\u006b","typ":"at+jwt","jwk":{"x":"y"},"cty":"x"}"#,
        ] {
            let text = token(header, CLAIMS);
            let parts = TokenParts::split(&text).unwrap();
            assert_eq!(parts.header().unwrap().kid, "k", "{header}");
            assert_eq!(parts.signature().unwrap(), [7; 64]);
        }
        let rows = [
            (CLAIMS, None, ""),
            (
                r#"{"sub":"s","exp":2,"iat":1,"nbf":1,"aud":["shop"],"scope":"cart","x":{}}"#,
                Some(1),
                "cart",
            ),
        ];
        for (claims, begins_s, scope) in rows {
            let text = token(HEADER, claims);
            let read = TokenParts::split(&text).unwrap().claims().unwrap();
            assert_eq!((read.audience.as_str(), read.issued_s, read.expires_s), ("shop", 1, 2));
            assert_eq!((read.session.as_str(), read.begins_s), ("s", begins_s));
            assert_eq!(read.scope, scope);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in ["", ".", "..", "a.b", "a.b.c.d", ".b.c", "a..c"] {
            assert!(TokenParts::split(text).is_err(), "{text}");
        }
        for header in [
            "",
            "[]",
            r#"["EdDSA","k",null,false]"#,
            r#"{"alg":"EdDSA"}"#,
            r#"{"kid":"k"}"#,
            r#"{"alg":"EdDSA","kid":"k","kid":"k"}"#,
            r#"{"alg":"EdDSA","alg":"EdDSA","kid":"k"}"#,
            r#"{"alg":"EdDSA","kid":"k","crit":["b64"],"b64":false}"#,
            r#"{"alg":"EdDSA","kid":"k","crit":null}"#,
            r#"{"alg":"EdDSA","kid":"k","typ":"JWE"}"#,
            r#"{"alg":["EdDSA"],"kid":"k"}"#,
            r#"{"alg":"EdDSA","kid":"k"} {}"#,
        ] {
            let text = token(header, CLAIMS);
            let read = TokenParts::split(&text).and_then(|parts| parts.header());
            assert_eq!(read.unwrap_err().kind, ProblemKind::BadToken, "{header}");
        }
        for claims in [
            r#"{"aud":"shop","iat":1,"sub":"s"}"#,
            r#"{"aud":"shop","exp":2,"sub":"s"}"#,
            r#"{"iat":1,"exp":2,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":2}"#,
            r#"{"aud":"shop","iat":1,"exp":2,"exp":9,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":2,"sub":"s","sub":"t"}"#,
            r#"{"aud":"shop","iat":1,"exp":2.5,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":2e9,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":"2","sub":"s"}"#,
            r#"{"aud":"shop","iat":-1,"exp":2,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":18446744073709551616,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":null,"sub":"s"}"#,
            r#"{"aud":[],"iat":1,"exp":2,"sub":"s"}"#,
            r#"{"aud":["shop","other"],"iat":1,"exp":2,"sub":"s"}"#,
            r#"{"aud":"shop","iat":1,"exp":2,"sub":""}"#,
            r#"{"aud":"shop","iat":1,"exp":2,"sub":"a b"}"#,
            r#"{"aud":"shop","iat":1,"exp":2,"sub":7}"#,
            r#"{"aud":"shop","iat":1,"exp":2,"sub":"s","scope":["cart"]}"#,
        ] {
            let text = token(HEADER, claims);
            let read = TokenParts::split(&text).and_then(|parts| parts.claims());
            assert_eq!(read.unwrap_err().kind, ProblemKind::BadToken, "{claims}");
        }
        // One signature has one spelling: left-over bits and padding are not passed over.
        let good = token(HEADER, CLAIMS);
        let cut = &good[..good.len() - 1];
        for bad in [format!("{cut}x"), format!("{good}="), format!("{good}AA"), cut.to_owned()] {
            assert!(TokenParts::split(&bad).unwrap().signature().is_err(), "{bad}");
        }
    }
}
