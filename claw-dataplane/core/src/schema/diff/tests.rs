//! Every kind of change, with what it means.

use super::Verdict::{Breaking, Compatible, Covered, UpcasterMissing};
use super::{Change, Verdict, compare};
use crate::schema::{CompiledSchema, SchemaFile};

fn compile(text: &str) -> CompiledSchema {
    let file = SchemaFile { name: "a.toml".to_owned(), text: text.to_owned() };
    CompiledSchema::parse(&[file]).unwrap_or_else(|found| panic!("{found:?}\n{text}"))
}

/// Every version names whom its personal members are about, whether it has any or not.
fn own(version: u32, head: &str, fields: &str) -> CompiledSchema {
    let subject = if head.contains("subject") { "" } else { "subject = \"who\"" };
    let who = if subject.is_empty() { "" } else { "who = { type = \"sku\", required = true }" };
    compile(&format!(
        "[schema]\nversion = {version}\n[events.gift-wrapped]\n{head}\n{subject}\n\
         [events.gift-wrapped.fields]\n{fields}\n{who}\n"
    ))
}

fn said(changes: &[Change]) -> Vec<(&str, Verdict)> {
    changes.iter().map(|change| (change.member.as_str(), change.verdict)).collect()
}

/// Members before, members after, the steps between (empty: the version is not raised), and what
/// is said of which member.
type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, Verdict)]);

const MEMBERS: &[Row] = &[
    // Added.
    ("", "a = { type = \"sku\" }", "", &[("a", Compatible)]),
    ("", "a = { type = \"sku\", required = true }", "", &[("a", UpcasterMissing)]),
    ("", "a = { type = \"sku\", default = \"x\" }", "", &[("a", UpcasterMissing)]),
    (
        "",
        "a = { type = \"sku\", required = true }",
        "{ add = \"a\", default = \"x\" }",
        &[("a", Covered)],
    ),
    (
        "",
        "a = { type = \"sku\", default = \"x\" }",
        "{ add = \"a\", default = \"x\" }",
        &[("a", Covered)],
    ),
    ("", "a = { type = \"sku\", required = true }", "{ drop = \"z\" }", &[("a", UpcasterMissing)]),
    // Removed.
    ("a = { type = \"sku\" }", "", "", &[("a", UpcasterMissing)]),
    ("a = { type = \"sku\" }", "", "{ drop = \"a\" }", &[("a", Covered)]),
    // Renamed; without the step it is one gone and one come.
    (
        "a = { type = \"sku\" }",
        "b = { type = \"sku\" }",
        "{ rename = \"a\", to = \"b\" }",
        &[("b", Covered)],
    ),
    (
        "a = { type = \"sku\" }",
        "b = { type = \"sku\" }",
        "",
        &[("b", Compatible), ("a", UpcasterMissing)],
    ),
    // Split.
    (
        "a = { type = \"text\" }",
        "b = { type = \"text\" }\nc = { type = \"text\" }",
        "{ split = \"a\", by = \" \", into = [\"b\", \"c\"] }",
        &[("b", Covered), ("c", Covered)],
    ),
    // Another type: wider with and without the step, and one that cannot be read.
    ("a = { type = \"integer\" }", "a = { type = \"text\" }", "", &[("a", UpcasterMissing)]),
    (
        "a = { type = \"integer\" }",
        "a = { type = \"text\" }",
        "{ widen = \"a\", from = \"integer\", to = \"text\" }",
        &[("a", Covered)],
    ),
    (
        "a = { type = \"sku\" }",
        "a = { type = \"list\", of = \"sku\" }",
        "{ widen = \"a\", from = \"sku\", to = \"list\" }",
        &[("a", Covered)],
    ),
    ("a = { type = \"text\" }", "a = { type = \"integer\" }", "", &[("a", Breaking)]),
    // Dropped and declared anew is another member of the same name.
    (
        "a = { type = \"text\" }",
        "a = { type = \"integer\", default = 1 }",
        "{ drop = \"a\" }, { add = \"a\", default = 1 }",
        &[("a", Covered)],
    ),
    // Whether it must be there.
    (
        "a = { type = \"sku\" }",
        "a = { type = \"sku\", required = true }",
        "",
        &[("a", UpcasterMissing)],
    ),
    (
        "a = { type = \"sku\" }",
        "a = { type = \"sku\", required = true }",
        "{ add = \"a\", default = \"x\" }",
        &[("a", Covered)],
    ),
    (
        "a = { type = \"sku\" }",
        "a = { type = \"sku\", default = \"x\" }",
        "",
        &[("a", UpcasterMissing)],
    ),
    ("a = { type = \"sku\", required = true }", "a = { type = \"sku\" }", "", &[("a", Compatible)]),
    (
        "a = { type = \"sku\", default = \"x\" }",
        "a = { type = \"sku\", required = true }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"sku\", default = \"x\" }",
        "a = { type = \"sku\", default = \"y\" }",
        "",
        &[("a", Compatible)],
    ),
    // Personal.
    ("a = { type = \"sku\" }", "a = { type = \"sku\", personal = true }", "", &[("a", Compatible)]),
    ("a = { type = \"sku\", personal = true }", "a = { type = \"sku\" }", "", &[("a", Breaking)]),
    // Bounds.
    (
        "a = { type = \"integer\", min = 2 }",
        "a = { type = \"integer\", min = 1 }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"integer\", min = 1, max = 9 }",
        "a = { type = \"integer\", min = 2, max = 8 }",
        "",
        &[("a", Breaking), ("a", Breaking)],
    ),
    (
        "a = { type = \"json\", size_bytes_max = 9 }",
        "a = { type = \"json\", size_bytes_max = 8 }",
        "",
        &[("a", Breaking)],
    ),
    (
        "a = { type = \"text\", length_max = 9 }",
        "a = { type = \"text\", length_max = 10 }",
        "",
        &[("a", Compatible)],
    ),
    ("a = { type = \"text\" }", "a = { type = \"text\", length_min = 1 }", "", &[("a", Breaking)]),
    (
        "a = { type = \"money\", max = 5 }",
        "a = { type = \"money\", max = 4 }",
        "",
        &[("a", Breaking)],
    ),
    (
        "a = { type = \"money\" }",
        "a = { type = \"money\", currencies = [\"EUR\"] }",
        "",
        &[("a", Breaking)],
    ),
    (
        "a = { type = \"money\", currencies = [\"EUR\"] }",
        "a = { type = \"money\" }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"money\", currencies = [\"EUR\"] }",
        "a = { type = \"money\", currencies = [\"CHF\"] }",
        "",
        &[("a", Breaking), ("a", Compatible)],
    ),
    // Values.
    (
        "a = { type = \"text\", enum = [\"x\"] }",
        "a = { type = \"text\", enum = [\"x\", \"y\"] }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"text\", enum = [\"x\", \"y\"] }",
        "a = { type = \"text\", enum = [\"x\"] }",
        "",
        &[("a", Breaking)],
    ),
    ("a = { type = \"text\" }", "a = { type = \"text\", enum = [\"x\"] }", "", &[("a", Breaking)]),
    (
        "a = { type = \"text\", enum = [\"x\"] }",
        "a = { type = \"text\" }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"text\" }",
        "a = { type = \"text\", pattern = \"x+\" }",
        "",
        &[("a", Breaking)],
    ),
    (
        "a = { type = \"text\", pattern = \"x+\" }",
        "a = { type = \"text\" }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"text\", pattern = \"x+\" }",
        "a = { type = \"text\", pattern = \"x*\" }",
        "",
        &[("a", Breaking)],
    ),
    (
        "a = { type = \"text\", enum = [\"x\", \"xx\"] }",
        "a = { type = \"text\", pattern = \"x+\" }",
        "",
        &[("a", Compatible)],
    ),
    (
        "a = { type = \"text\", enum = [\"x\", \"y\"] }",
        "a = { type = \"text\", pattern = \"x+\" }",
        "",
        &[("a", Breaking)],
    ),
    // Lists and maps.
    (
        "a = { type = \"list\", of = \"text\", count_max = 3 }",
        "a = { type = \"list\", of = \"text\", count_max = 2 }",
        "",
        &[("a", Breaking)],
    ),
    (
        "a = { type = \"list\", of = { type = \"integer\", max = 3 } }",
        "a = { type = \"list\", of = { type = \"integer\", max = 2 } }",
        "",
        &[("a[]", Breaking)],
    ),
    (
        "a = { type = \"list\", of = \"integer\" }",
        "a = { type = \"list\", of = \"text\" }",
        "",
        &[("a[]", Breaking)],
    ),
    (
        "a = { type = \"list\", of = { type = \"group\", fields = { b = { type = \"sku\" } } } }",
        "a = { type = \"list\", of = { type = \"group\", fields = {} } }",
        "{ drop = \"z\" }",
        &[("a[].b", Breaking)],
    ),
    (
        "a = { type = \"map\", of = \"integer\", key_length_max = 3 }",
        "a = { type = \"map\", of = { type = \"integer\", min = 0 }, key_length_max = 4 }",
        "",
        &[("a", Compatible), ("a.*", Breaking)],
    ),
    // Groups: steps reach in, and what is inside follows a renamed group.
    (
        "a = { type = \"group\", fields = { b = { type = \"sku\" } } }",
        "a = { type = \"group\", fields = { c = { type = \"sku\" } } }",
        "{ rename = \"a.b\", to = \"a.c\" }",
        &[("a.c", Covered)],
    ),
    (
        "a = { type = \"group\", fields = { b = { type = \"sku\" }, d = { type = \"sku\" } } }",
        "c = { type = \"group\", fields = { b = { type = \"sku\" } } }",
        "{ rename = \"a\", to = \"c\" }, { drop = \"c.d\" }",
        &[("c", Covered), ("a.d", Covered)],
    ),
    (
        "a = { type = \"group\", fields = { b = { type = \"integer\", max = 9 } } }",
        "c = { type = \"group\", fields = { b = { type = \"integer\", max = 8 } } }",
        "{ rename = \"a\", to = \"c\" }",
        &[("c", Covered), ("c.b", Breaking)],
    ),
];

#[test]
fn every_change_of_a_member_has_its_verdict() {
    let mut wrong = Vec::new();
    for (before, after, steps, expected) in MEMBERS {
        let old = own(1, "", before);
        let head = if steps.is_empty() {
            String::new()
        } else {
            format!("version = 2\nupcasters = [{{ from = 1, to = 2, steps = [{steps}] }}]")
        };
        let changes = compare(&old, &own(2, &head, after));
        if said(&changes) != **expected {
            wrong.push(format!("{before}\n{after}\n{steps}\n  {changes:#?}"));
        }
        assert!(changes.iter().all(|change| change.event == "gift-wrapped"), "{changes:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn chain_of_several_versions_is_followed_from_the_old_one() {
    let head = "version = 3\nupcasters = [\
        { from = 1, to = 2, steps = [{ rename = \"a\", to = \"b\" }] },\
        { from = 2, to = 3, steps = [{ rename = \"b\", to = \"c\" }] }]";
    let new = own(2, head, "c = { type = \"sku\" }");
    let one = compare(&own(1, "", "a = { type = \"sku\" }"), &new);
    assert_eq!(said(&one), [("c", Covered)]);
    assert_eq!(one[0].clients.as_deref(), Some("send `c`, not `a`"));
    // A version 2 that never was as the chain says it: what it held is not what the steps take.
    let head = "version = 2\nupcasters = [{ from = 1, to = 2, steps = [{ drop = \"z\" }] }]";
    let other = compare(&own(1, head, "x = { type = \"sku\" }"), &new);
    assert_eq!(said(&other), [("c", Compatible), ("x", UpcasterMissing)]);
}

#[test]
fn types_come_go_and_change_who_sends_them() {
    let sku = "a = { type = \"sku\", required = true }";
    let without = compile("[schema]\nversion = 1\n");
    let with = own(2, "", sku);
    let whole = |old: &CompiledSchema, new: &CompiledSchema| {
        let changes = compare(old, new);
        changes.iter().map(|change| (change.event.clone(), change.verdict)).collect::<Vec<_>>()
    };
    let gift = |verdict| vec![("gift-wrapped".to_owned(), verdict)];
    assert_eq!(whole(&without, &with), gift(Compatible));
    let gone = compile("[schema]\nversion = 3\n");
    assert_eq!(whole(&with, &gone), gift(Breaking));
    let both = own(3, "by = [\"source\", \"storefront\"]", sku);
    assert_eq!(whole(&with, &both), gift(Compatible));
    assert_eq!(whole(&both, &own(4, "by = [\"storefront\"]", sku)), gift(Breaking));
    assert_eq!(whole(&with, &own(3, "key = \"a\"", sku)), gift(Breaking));
    let two_names =
        "s = { type = \"sku\", required = true }\np = { type = \"text\", personal = true }";
    let about = |version, name: &str| {
        own(version, &format!("subject = \"{name}\""), &format!("{sku}\n{two_names}"))
    };
    assert_eq!(whole(&about(3, "a"), &about(4, "s")), gift(Breaking));
    let two = "version = 2\nupcasters = [{ from = 1, to = 2, steps = [{ drop = \"z\" }] }]";
    assert_eq!(whole(&own(3, two, sku), &own(4, "", sku)), gift(Breaking));
    assert_eq!(whole(&own(3, "", sku), &own(4, two, sku)), []);
}

#[test]
fn version_of_the_schema_rises_with_every_change() {
    let (small, large) =
        ("a = { type = \"sku\" }", "a = { type = \"sku\" }\nb = { type = \"sku\" }");
    let same = compare(&own(1, "", small), &own(1, "", large));
    assert_eq!(said(&same), [("", Breaking), ("b", Compatible)]);
    assert!(same[0].reason.contains("still 1"), "{}", same[0].reason);
    let back = compare(&own(2, "", small), &own(1, "", large));
    assert_eq!(said(&back), [("", Breaking), ("b", Compatible)]);
    assert_eq!(compare(&own(2, "", small), &own(2, "", small)), []);
    assert_eq!(compare(&own(2, "", small), &own(3, "", small)), []);
}

/// The same without steps.
type Pair = (&'static str, &'static str, &'static [(&'static str, Verdict)]);

#[test]
fn built_in_requests_and_attributes_are_compared_too() {
    let store =
        |version: u32, rest: &str| compile(&format!("[schema]\nversion = {version}\n{rest}"));
    let plain = store(1, "");
    let rows: [Pair; 7] = [
        ("", "[events.hold-granted.fields]\nttl_ms = { max = 60_000 }", &[("ttl_ms", Breaking)]),
        ("[events.hold-granted.fields]\nttl_ms = { max = 60_000 }", "", &[("ttl_ms", Compatible)]),
        (
            "",
            "[events.order-started.fields]\nregion = { required = true }",
            &[("region", Breaking)],
        ),
        ("", "[events.hold-granted.extra]\nx = { type = \"sku\" }", &[("x", Compatible)]),
        (
            "",
            "[events.product-put.attributes]\nx = { type = \"sku\" }",
            &[("attributes", Compatible)],
        ),
        (
            "[events.product-put.attributes]\nmaker = { type = \"sku\" }\n\
             \"*\" = { type = \"json\" }",
            "[events.product-put]\nversion = 2\nupcasters = [{ from = 1, to = 2, steps = [\
             { rename = \"attributes.maker\", to = \"attributes.brand\" }] }]\n\
             [events.product-put.attributes]\nbrand = { type = \"sku\" }",
            &[("attributes.brand", Covered), ("attributes.*", Breaking)],
        ),
        (
            "[events.product-put.attributes]\n\"*\" = { type = \"json\" }",
            "[events.product-put.attributes]\nx = { type = \"sku\" }\n\"*\" = { type = \"json\" }",
            &[("attributes.x", Breaking)],
        ),
    ];
    for (before, after, expected) in rows {
        let changes = compare(&store(1, before), &store(2, after));
        assert_eq!(said(&changes), expected, "{changes:#?}");
    }
    assert_eq!(compare(&plain, &plain), []);
}
