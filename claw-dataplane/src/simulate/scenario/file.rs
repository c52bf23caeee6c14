//! The scenario file as it is written: TOML, every member checked, every mistake with its line.
//!
//! Turns text into [`super::Scenario`]. Behaviours share one flat table here, because only a flat
//! table keeps the line numbers; which members a kind allows is checked after parsing. Does not
//! look for files and draws nothing.

use std::ops::Range;
use std::time::Duration;

use claw_common::id::parse_sku;
use claw_common::limits::{HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN};
use serde::Deserialize;
use toml::Spanned;

use super::{
    Behaviour, Between, Coupon, HoldEnd, Kind, PRODUCTS_MAX, Product, Scenario, ScenarioError,
    StormTarget,
};
use crate::simulate::ledger::LINES_MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    about: String,
    users: u32,
    duration: Spanned<String>,
    #[serde(default)]
    think_ms: Option<Spanned<[u32; 2]>>,
    #[serde(default)]
    product: Vec<Spanned<ProductText>>,
    catalogue: Option<Spanned<CatalogueText>>,
    popularity: Option<Spanned<PopularityText>>,
    #[serde(default)]
    coupon: Vec<Spanned<CouponText>>,
    behaviour: Vec<Spanned<BehaviourText>>,
    /// What orders are paid with, where the store takes payments.
    payment: Option<String>,
}

/// A card of the local gateway that is good.
const PAYMENT_DEFAULT: &str = "pm_card_visa";

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct PriceText {
    amount: u64,
    currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductText {
    sku: String,
    name: Option<String>,
    price: PriceText,
    stock: u64,
    #[serde(default)]
    hot: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueText {
    sku_prefix: String,
    count: u32,
    price: PriceText,
    stock: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PopularityText {
    #[serde(default)]
    hot_share: f64,
    #[serde(default = "zipf_exponent_default")]
    zipf_exponent: f64,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct CouponText {
    code: String,
    kind: String,
    value: u64,
    uses_max: u64,
    currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BehaviourText {
    kind: Spanned<String>,
    weight: u32,
    think_ms: Option<[u32; 2]>,
    lines: Option<[u32; 2]>,
    quantity: Option<[u32; 2]>,
    views: Option<[u32; 2]>,
    resends: Option<[u32; 2]>,
    tries: Option<[u32; 2]>,
    ttl_ms: Option<u32>,
    checkout: Option<f64>,
    release: Option<f64>,
    abandon: Option<f64>,
    reconnect_share: Option<f64>,
    of: Option<String>,
    coupon: Option<String>,
    coupon_share: Option<f64>,
}

/// Lines a shopper may have: what `super::super::ledger::Lines` has room for.
const LINES_DRAWN_MAX: u32 = 8;
const _: () = assert!(LINES_DRAWN_MAX as usize == LINES_MAX);

/// Members a behaviour may have beside `kind`, `weight` and `think_ms`, by kind.
const MEMBERS: &[(&str, &[&str])] = &[
    ("browse", &["views"]),
    ("hold", &["lines", "quantity", "ttl_ms", "checkout", "release", "abandon", "coupon"]),
    ("cart", &["lines", "quantity", "checkout", "coupon"]),
    ("checkout", &["lines", "quantity", "coupon"]),
    ("retry-storm", &["of", "resends", "reconnect_share", "lines", "quantity", "ttl_ms"]),
    ("bot", &["tries", "quantity", "ttl_ms"]),
];

const fn zipf_exponent_default() -> f64 {
    1.0
}

/// A mistake and where it stands, before the file's name and the line are known.
struct Mistake {
    span: Range<usize>,
    what: String,
    allowed: String,
}

fn mistake<T>(
    span: Range<usize>,
    what: impl Into<String>,
    allowed: impl Into<String>,
) -> Result<T, Mistake> {
    Err(Mistake { span, what: what.into(), allowed: allowed.into() })
}

/// Parses the text of `name`, called `file` in messages.
pub(super) fn parse(name: &str, file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let line_of =
        |offset: usize| 1 + text.get(..offset).map_or(0, |before| before.matches('\n').count());
    let parsed: FileText = toml::from_str(text).map_err(|error| ScenarioError::Syntax {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| line_of(span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    build(name, parsed).map_err(|found| ScenarioError::Invalid {
        file: file.to_owned(),
        line: line_of(found.span.start),
        what: found.what,
        allowed: found.allowed,
    })
}

fn build(name: &str, text: FileText) -> Result<Scenario, Mistake> {
    let think_ms = match text.think_ms {
        Some(think) => between(think.span(), "think_ms", *think.as_ref(), 0..=3_600_000)?,
        None => Between { least: 0, most: 0 },
    };
    let (products, hot_count) = build_products(&text.product, text.catalogue.as_ref())?;
    let coupons = build_coupons(&text.coupon)?;
    let popularity = match &text.popularity {
        Some(found) => {
            share(found.span(), "hot_share", found.as_ref().hot_share)?;
            let exponent = found.as_ref().zipf_exponent;
            if !(0.0..=10.0).contains(&exponent) {
                return mistake(found.span(), "zipf_exponent out of range", "0.0 to 10.0");
            }
            (found.as_ref().hot_share, exponent)
        }
        None => (0.0, zipf_exponent_default()),
    };
    let duration = duration_of(text.duration.as_ref()).ok_or_else(|| Mistake {
        span: text.duration.span(),
        what: format!("duration {:?} is not understood", text.duration.as_ref()),
        allowed: "a number with ms, s or m, such as \"30s\"".to_owned(),
    })?;
    if text.behaviour.is_empty() {
        return mistake(0..0, "no [[behaviour]]", "at least one");
    }
    let behaviours = text
        .behaviour
        .iter()
        .map(|found| build_behaviour(found, think_ms, &coupons))
        .collect::<Result<Vec<_>, _>>()?;
    if behaviours.iter().all(|found| found.weight == 0) {
        return mistake(text.behaviour[0].span(), "every weight is 0", "a sum above 0");
    }
    Ok(Scenario {
        name: name.to_owned(),
        about: text.about,
        users: text.users,
        duration,
        products,
        hot_count,
        hot_share: popularity.0,
        zipf_exponent: popularity.1,
        coupons,
        behaviours,
        payment: text.payment.unwrap_or_else(|| PAYMENT_DEFAULT.to_owned()),
    })
}

/// Hot products come first, so that "is it hot" is a comparison.
fn build_products(
    named: &[Spanned<ProductText>],
    catalogue: Option<&Spanned<CatalogueText>>,
) -> Result<(Vec<Product>, usize), Mistake> {
    let mut products: Vec<Product> = Vec::new();
    for hot in [true, false] {
        for found in named.iter().filter(|found| found.as_ref().hot == hot) {
            let text = found.as_ref();
            check_sku(found.span(), &text.sku)?;
            if products.iter().any(|known| known.sku == text.sku) {
                return mistake(found.span(), format!("{} is named twice", text.sku), "once");
            }
            products.push(Product {
                sku: text.sku.clone(),
                name: text.name.clone().unwrap_or_else(|| text.sku.clone()),
                price: (text.price.amount, text.price.currency.clone()),
                stock: text.stock,
            });
        }
    }
    let hot_count = named.iter().filter(|found| found.as_ref().hot).count();
    if let Some(found) = catalogue {
        let text = found.as_ref();
        for number in 1..=text.count {
            let sku = format!("{}-{number:04}", text.sku_prefix);
            check_sku(found.span(), &sku)?;
            products.push(Product {
                name: format!("{} number {number}", text.sku_prefix),
                sku,
                price: (text.price.amount, text.price.currency.clone()),
                stock: text.stock,
            });
            if products.len() > PRODUCTS_MAX {
                return mistake(found.span(), "too many products", format!("{PRODUCTS_MAX}"));
            }
        }
    }
    if products.is_empty() {
        return mistake(0..0, "no products", "[[product]] tables or a [catalogue]");
    }
    Ok((products, hot_count))
}

fn build_coupons(texts: &[Spanned<CouponText>]) -> Result<Vec<Coupon>, Mistake> {
    texts
        .iter()
        .map(|found| {
            let text = found.as_ref();
            check_sku(found.span(), &text.code)?;
            if !matches!(text.kind.as_str(), "percent" | "amount") {
                return mistake(
                    found.span(),
                    format!("coupon kind {:?}", text.kind),
                    "percent, amount",
                );
            }
            Ok(Coupon {
                code: text.code.clone(),
                kind: text.kind.clone(),
                value: text.value,
                uses_max: text.uses_max,
                currency: text.currency.clone(),
            })
        })
        .collect()
}

fn build_behaviour(
    found: &Spanned<BehaviourText>,
    think_ms: Between,
    coupons: &[Coupon],
) -> Result<Behaviour, Mistake> {
    let (text, span) = (found.as_ref(), found.span());
    check_members(text)?;
    let ranged = |member: &str, value: Option<[u32; 2]>, most: u32| {
        between(span.clone(), member, value.unwrap_or([1, 1]), 1..=most)
    };
    let ttl_ms = text.ttl_ms.map(u64::from);
    if ttl_ms.is_some_and(|ttl| !(HOLD_TTL_MS_MIN..=HOLD_TTL_MS_MAX).contains(&ttl)) {
        let allowed = format!("{HOLD_TTL_MS_MIN} to {HOLD_TTL_MS_MAX}");
        return mistake(span, "ttl_ms out of range", allowed);
    }
    let coupon = match &text.coupon {
        None => None,
        Some(code) => match coupons.iter().position(|known| known.code == *code) {
            Some(index) => Some(index),
            None => {
                return mistake(span, format!("coupon {code:?} is not in this file"), {
                    let known: Vec<_> = coupons.iter().map(|known| known.code.as_str()).collect();
                    format!("[{}]", known.join(", "))
                });
            }
        },
    };
    let coupon_share = share(span.clone(), "coupon_share", text.coupon_share.unwrap_or(1.0))?;
    let is_bot = text.kind.as_ref() == "bot";
    let own_think = match text.think_ms {
        Some(think) => between(span.clone(), "think_ms", think, 0..=3_600_000)?,
        None if is_bot => Between { least: 0, most: 0 },
        None => think_ms,
    };
    Ok(Behaviour {
        kind: build_kind(text, &span)?,
        weight: text.weight,
        think_ms: own_think,
        lines: ranged("lines", text.lines, LINES_DRAWN_MAX)?,
        quantity: ranged("quantity", text.quantity, 1000)?,
        ttl_ms,
        coupon,
        coupon_share,
    })
}

fn build_kind(text: &BehaviourText, span: &Range<usize>) -> Result<Kind, Mistake> {
    let ranged = |member: &str, value: Option<[u32; 2]>| {
        between(span.clone(), member, value.unwrap_or([1, 3]), 1..=1000)
    };
    let part = |member: &str, value: Option<f64>| share(span.clone(), member, value.unwrap_or(0.0));
    Ok(match text.kind.as_ref().as_str() {
        "browse" => Kind::Browse { views: ranged("views", text.views)? },
        "hold" => {
            let end = HoldEnd {
                checkout: part("checkout", text.checkout)?,
                release: part("release", text.release)?,
            };
            let abandon = part("abandon", text.abandon)?;
            if (end.checkout + end.release + abandon - 1.0).abs() > 1e-6 {
                let what = "checkout + release + abandon is not 1";
                return mistake(span.clone(), what, "three shares whose sum is 1");
            }
            Kind::Hold { end }
        }
        "cart" => {
            Kind::Cart { checkout: share(span.clone(), "checkout", text.checkout.unwrap_or(1.0))? }
        }
        "checkout" => Kind::Checkout,
        "retry-storm" => Kind::RetryStorm {
            of: match text.of.as_deref().unwrap_or("holds") {
                "holds" => StormTarget::Holds,
                "checkouts" => StormTarget::Checkouts,
                other => {
                    return mistake(span.clone(), format!("of = {other:?}"), "holds, checkouts");
                }
            },
            resends: ranged("resends", text.resends)?,
            reconnect_share: part("reconnect_share", text.reconnect_share)?,
        },
        _ => Kind::Bot { tries: ranged("tries", text.tries)? },
    })
}

fn check_members(text: &BehaviourText) -> Result<(), Mistake> {
    let kind = text.kind.as_ref().as_str();
    let Some((_, allowed)) = MEMBERS.iter().find(|(known, _)| *known == kind) else {
        let kinds: Vec<_> = MEMBERS.iter().map(|(known, _)| *known).collect();
        return mistake(text.kind.span(), format!("behaviour kind {kind:?}"), kinds.join(", "));
    };
    let present = [
        ("lines", text.lines.is_some()),
        ("quantity", text.quantity.is_some()),
        ("views", text.views.is_some()),
        ("resends", text.resends.is_some()),
        ("tries", text.tries.is_some()),
        ("ttl_ms", text.ttl_ms.is_some()),
        ("checkout", text.checkout.is_some()),
        ("release", text.release.is_some()),
        ("abandon", text.abandon.is_some()),
        ("reconnect_share", text.reconnect_share.is_some()),
        ("of", text.of.is_some()),
        ("coupon", text.coupon.is_some() || text.coupon_share.is_some()),
    ];
    match present.iter().find(|(member, there)| *there && !allowed.contains(member)) {
        None => Ok(()),
        Some((member, _)) => mistake(
            text.kind.span(),
            format!("{member} means nothing to a {kind} behaviour"),
            format!("kind, weight, think_ms, {}", allowed.join(", ")),
        ),
    }
}

fn check_sku(span: Range<usize>, sku: &str) -> Result<(), Mistake> {
    match parse_sku(sku) {
        Some(_) => Ok(()),
        None => mistake(span, format!("{sku:?} is no code"), "1 to 64 of A-Z a-z 0-9 . _ -"),
    }
}

fn between(
    span: Range<usize>,
    member: &str,
    [least, most]: [u32; 2],
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<Between, Mistake> {
    if least > most || !allowed.contains(&least) || !allowed.contains(&most) {
        let limits = format!("[least, most] within {} to {}", allowed.start(), allowed.end());
        return mistake(span, format!("{member} = [{least}, {most}]"), limits);
    }
    Ok(Between { least, most })
}

fn share(span: Range<usize>, member: &str, value: f64) -> Result<f64, Mistake> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    mistake(span, format!("{member} = {value}"), "a share from 0.0 to 1.0")
}

/// `500ms`, `30s`, `2m`.
pub fn duration_of(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let duration = match &text[digits..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        _ => return None,
    };
    (!duration.is_zero()).then_some(duration)
}
