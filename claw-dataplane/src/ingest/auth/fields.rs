//! `Signature-Input` and `Signature` as structured fields (RFC 8941), as far as they are allowed.
//!
//! The value of a label is taken as written for the signature base, so it must be written as
//! RFC 8941 serialises it: one space between components, none around semicolons. Components with
//! parameters are refused. Nothing is allocated.

/// Most labels one request may carry.
pub const LABELS_MAX: usize = 8;
/// Most components one signature may cover.
pub const COMPONENTS_MAX: usize = 32;

/// One label of `Signature-Input`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignatureInput<'a> {
    /// The label.
    pub label: &'a str,
    /// Everything after the label's `=`: what `@signature-params` stands for.
    pub parameters: &'a str,
    /// What stands between the parentheses.
    pub components_text: &'a str,
    /// `created`, seconds.
    pub created_s: Option<u64>,
    /// `expires`, seconds.
    pub expires_s: Option<u64>,
    /// `keyid`.
    pub keyid: Option<&'a str>,
    /// `alg`.
    pub algorithm: Option<&'a str>,
}

impl<'a> SignatureInput<'a> {
    /// Names of the covered components in order.
    pub fn components(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        // Odd pieces are what stands between quotes; names hold neither quotes nor escapes.
        self.components_text.split('"').skip(1).step_by(2)
    }
}

/// Reads the next label from the front of `rest`; `None` when it is not written as required.
pub fn parse_signature_input<'a>(rest: &mut &'a str) -> Option<SignatureInput<'a>> {
    parse_known_input(rest, |_| None)
}

/// The same; `known_bytes` says how long a well-formed list of components at the front of what it
/// is given is, without the parenthesis that must follow, where it knows that without reading it.
pub fn parse_known_input<'a>(
    rest: &mut &'a str,
    known_bytes: impl FnOnce(&str) -> Option<usize>,
) -> Option<SignatureInput<'a>> {
    let label = take_key(rest)?;
    take(rest, "=")?;
    let start = *rest;
    take(rest, "(")?;
    let components_text = match known_bytes(rest) {
        Some(length) => {
            let (known, behind) = rest.split_at(length);
            *rest = behind;
            take(rest, ")")?;
            known
        }
        None => take_components(rest)?,
    };
    let mut input = SignatureInput { label, components_text, ..SignatureInput::default() };
    while take(rest, ";").is_some() {
        let name = take_key(rest)?;
        take(rest, "=")?;
        match name {
            "created" => put_once(&mut input.created_s, take_integer(rest)?)?,
            "expires" => put_once(&mut input.expires_s, take_integer(rest)?)?,
            "keyid" => put_once(&mut input.keyid, take_string(rest)?)?,
            "alg" => put_once(&mut input.algorithm, take_string(rest)?)?,
            "nonce" | "tag" => {
                take_string(rest)?;
            }
            _ => return None,
        }
    }
    input.parameters = &start[..start.len() - rest.len()];
    take_separator(rest)?;
    Some(input)
}

/// The base64 text of `label` in `Signature`; none when the label comes twice, since readers differ
/// in which of the two counts.
pub fn find_signature<'a>(field: &'a str, label: &str) -> Option<&'a str> {
    let mut rest = field;
    let mut found = None;
    while !rest.is_empty() {
        let name = take_key(&mut rest)?;
        take(&mut rest, "=:")?;
        let end = rest.find(':')?;
        let value = &rest[..end];
        rest = &rest[end + 1..];
        take_separator(&mut rest)?;
        if name == label {
            put_once(&mut found, value)?;
        }
    }
    found
}

fn take(rest: &mut &str, expected: &str) -> Option<()> {
    *rest = rest.strip_prefix(expected)?;
    Some(())
}

fn take_while<'a>(rest: &mut &'a str, allowed: impl Fn(u8) -> bool) -> &'a str {
    let end = rest.bytes().position(|byte| !allowed(byte)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

fn take_key<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let starts = rest.as_bytes().first().is_some_and(|b| b.is_ascii_lowercase() || *b == b'*');
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b);
    starts.then(|| take_while(rest, allowed))
}

/// A string without escapes: no name or key of ours needs them.
fn take_string<'a>(rest: &mut &'a str) -> Option<&'a str> {
    take(rest, "\"")?;
    let text = take_while(rest, |b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
    take(rest, "\"")?;
    Some(text)
}

fn take_integer(rest: &mut &str) -> Option<u64> {
    let digits = take_while(rest, |b| b.is_ascii_digit());
    let canonical = !digits.starts_with('0') || digits.len() == 1;
    (canonical && digits.len() <= 15).then(|| digits.parse().ok()).flatten()
}

fn take_components<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let start = *rest;
    let mut count = 0;
    while take(rest, ")").is_none() {
        if count > 0 {
            take(rest, " ")?;
        }
        let name = take_string(rest)?;
        count += 1;
        let lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if count > COMPONENTS_MAX || name.is_empty() || !lower {
            return None;
        }
    }
    Some(&start[..start.len() - rest.len() - 1])
}

/// Between two members of a dictionary: a comma with optional white space; nothing at the end.
fn take_separator(rest: &mut &str) -> Option<()> {
    if rest.is_empty() {
        return Some(());
    }
    *rest = rest.trim_start_matches([' ', '\t']);
    take(rest, ",")?;
    *rest = rest.trim_start_matches([' ', '\t']);
    (!rest.is_empty()).then_some(())
}

fn put_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_one_after_the_other() {
        let text = r#"a=("@method" "x-y");created=5;keyid="k";alg="ed25519", b=();nonce="n""#;
        let mut rest = text;
        let first = parse_signature_input(&mut rest).unwrap();
        assert_eq!(first.label, "a");
        assert_eq!(first.components().collect::<Vec<_>>(), ["@method", "x-y"]);
        assert_eq!(first.parameters, r#"("@method" "x-y");created=5;keyid="k";alg="ed25519""#);
        assert_eq!((first.created_s, first.keyid), (Some(5), Some("k")));
        let second = parse_signature_input(&mut rest).unwrap();
        assert_eq!((second.label, second.components().count()), ("b", 0));
        assert_eq!(rest, "");
        assert_eq!(find_signature("a=:AA==:, b=:BB==:", "b"), Some("BB=="));
        assert_eq!(find_signature("a=:AA==:", "b"), None);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "",
            "a",
            "A=()",
            "a=(",
            "a=(\"x\"",
            "a=( \"x\")",
            "a=(\"x\"  \"y\")",
            "a=(\"x\";sf)",
            "a=(\"X\")",
            "a=(\"\")",
            "a=();created=05",
            "a=();created=-5",
            "a=();created=1;created=2",
            "a=();created=1234567890123456",
            "a=(); created=1",
            "a=();keyid=k",
            "a=();keyid=\"a\\\"b\"",
            "a=();other=1",
            "a=(),",
            "a=() b=()",
        ] {
            assert_eq!(parse_signature_input(&mut &*bad), None, "{bad}");
        }
        for bad in ["a", "a=:", "a=:A", "a=AA", "a=:A:,", "a=:A: b=:B:", "a=:A:, b=:B:, a=:A:"] {
            assert_eq!(find_signature(bad, "a"), None, "{bad}");
        }
    }
}
