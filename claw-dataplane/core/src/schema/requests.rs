//! The bodies of built-in requests as one object each: built-in members, the store's own beside
//! them.
//!
//! Built-in members are declared by dotted path (`items.quantity`); here they stand where they are
//! in a body. What a path of the interface says (the SKU of a product) is no member of the body.

use super::built_in::BuiltIn;
use super::compiled::CompiledSchema;
use super::field::{Field, Fields, Kind, Presence};

impl BuiltIn {
    /// Members that stand in the request's path.
    pub(super) const fn path_members(self) -> &'static [&'static str] {
        match self {
            Self::ProductPut | Self::StockMoved | Self::PriceChanged | Self::CartChanged => {
                &["sku"]
            }
            Self::CouponPut => &["code"],
            _ => &[],
        }
    }
}

impl CompiledSchema {
    /// The members of the body that a built-in request takes, the store's own among them; nothing
    /// for events that no request with a body causes.
    pub fn request_fields(&self, event: BuiltIn) -> Fields {
        if !event.takes_body() {
            return Fields::default();
        }
        let members = self.built_in_members(event);
        let mut fields: Vec<Field> = Vec::new();
        for field in members {
            if event.path_members().contains(&field.name.as_str()) {
                continue;
            }
            match field.name.split_once('.') {
                None => fields.push(with_entries(field, members)),
                Some((object, _)) if members.declared(object).is_none() => {
                    if fields.iter().all(|held| held.name != object) {
                        let kind = Kind::Group(under(object, members));
                        fields.push(object_of(object, kind));
                    }
                }
                Some(_) => {}
            }
        }
        fields.extend(self.extra_type(event).fields.iter().cloned());
        if event == BuiltIn::ProductPut
            && let Some(attributes) = self.attribute_fields()
        {
            fields.push(object_of("attributes", Kind::Group(attributes.clone())));
        }
        Fields::new(fields)
    }
}

/// A list whose entries' members are declared beside it holds objects of these.
fn with_entries(field: &Field, members: &Fields) -> Field {
    let entries = under(&field.name, members);
    match &field.kind {
        Kind::List { count_min, count_max, .. } if !entries.is_empty() => {
            let (count_min, count_max) = (*count_min, *count_max);
            let kind = Kind::List { of: Box::new(Kind::Group(entries)), count_min, count_max };
            Field { kind, ..field.clone() }
        }
        _ => field.clone(),
    }
}

fn under(object: &str, members: &Fields) -> Fields {
    let inner = members.iter().filter_map(|field| {
        let name = field.name.strip_prefix(object)?.strip_prefix('.')?;
        Some(Field { name: name.to_owned(), ..field.clone() })
    });
    Fields::new(inner.collect())
}

/// An object that must be there when one of its members must.
fn object_of(name: &str, kind: Kind) -> Field {
    let needed = matches!(&kind, Kind::Group(fields)
        if fields.iter().any(|field| field.presence == Presence::Required));
    let presence = if needed { Presence::Required } else { Presence::Optional };
    Field { name: name.to_owned(), kind, presence, personal: false }
}

#[cfg(test)]
mod tests {
    use super::super::SchemaFile;
    use super::*;

    #[test]
    fn bodies_hold_their_own_members_and_the_stores_where_they_stand() {
        let text = "[schema]\nversion = 1\n[events.order-started.extra]\ngift = { type = \"text\" }\n\
                    [events.product-put.attributes]\nbrand = { type = \"text\", required = true }\n";
        let file = SchemaFile { name: "a.toml".to_owned(), text: text.to_owned() };
        let schema = CompiledSchema::parse(&[file]).unwrap();
        let body = |event| {
            let fields = schema.request_fields(event);
            let names = fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
            (fields, names)
        };
        let (order, names) = body(BuiltIn::OrderStarted);
        let expected = [
            "cart_id", "coupon", "gift", "hold_id", "items", "payment", "region", "session",
            "ship_to",
        ];
        assert_eq!(names, expected);
        assert_eq!(order.declared("payment").unwrap().presence, Presence::Optional);
        let Kind::List { of, count_max: 32, .. } = &order.declared("items").unwrap().kind else {
            panic!("items are a list")
        };
        let Kind::Group(line) = &**of else { panic!("of objects") };
        assert_eq!(line.declared("quantity").unwrap().presence, Presence::Required);
        let (product, names) = body(BuiltIn::ProductPut);
        assert_eq!(names, ["attributes", "name", "price"], "the SKU stands in the path");
        assert_eq!(product.declared("attributes").unwrap().presence, Presence::Required);
        assert!(body(BuiltIn::OrderShipped).1.is_empty());
    }
}
