//! The product tree of CSAF: from the identifiers that a document uses within itself to names that
//! mean something outside of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::Component;
use crate::evidence::bounded::List;

/// How many products may be parts of each other.
const MAX_NESTED: usize = 8;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ProductTree {
    branches: List<Branch>,
    full_product_names: List<FullProductName>,
    relationships: List<Relationship>,
    product_groups: List<Group>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    branches: List<Branch>,
    product: Option<FullProductName>,
}

#[derive(Deserialize)]
struct FullProductName {
    name: String,
    product_id: String,
    #[serde(rename = "product_identification_helper")]
    identification: Option<Identification>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Identification {
    cpe: Option<String>,
    /// CSAF 2.0.
    purl: Option<String>,
    /// CSAF 2.1.
    purls: List<String>,
    hashes: List<File>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    file_hashes: List<Hash>,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: FullProductName,
    product_reference: String,
    relates_to_product_reference: String,
}

#[derive(Deserialize)]
struct Group {
    group_id: String,
    #[serde(default)]
    product_ids: List<String>,
}

/// The products of a document by their identifiers.
pub(super) struct Products {
    known: BTreeMap<String, Known>,
    groups: BTreeMap<String, Vec<String>>,
    /// An identifier that was asked for and is not known.
    unknown: RefCell<Option<String>>,
}

struct Known {
    name: String,
    identification: Identification,
    /// What is a part of what, where the product is that.
    parts: Option<(String, String)>,
}

impl Identification {
    fn purls(&self) -> impl Iterator<Item = &str> {
        self.purl.iter().chain(&self.purls.0).map(String::as_str)
    }

    fn identifies(&self) -> bool {
        self.cpe.is_some() || self.purls().next().is_some()
    }
}

impl Products {
    pub(super) fn of(tree: ProductTree) -> Self {
        let mut known = BTreeMap::new();
        let mut add = |product: FullProductName, parts| {
            let identification = product.identification.unwrap_or_default();
            known.insert(product.product_id, Known { name: product.name, identification, parts });
        };
        let mut waiting = tree.branches.0;
        while let Some(Branch { branches, product }) = waiting.pop() {
            waiting.extend(branches);
            if let Some(product) = product {
                add(product, None);
            }
        }
        for product in tree.full_product_names {
            add(product, None);
        }
        for relationship in tree.relationships {
            let Relationship { product_reference, relates_to_product_reference, .. } = relationship;
            let parts = Some((product_reference, relates_to_product_reference));
            add(relationship.full_product_name, parts);
        }
        let groups = tree.product_groups.0.into_iter();
        let groups = groups.map(|group| (group.group_id, group.product_ids.0)).collect();
        Self { known, groups, unknown: RefCell::new(None) }
    }

    /// The products of a group.
    pub(super) fn group(&self, id: &str) -> &[String] {
        self.groups.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the document calls a product.
    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.known.get(id).map_or(id, |known| &known.name)
    }

    /// An identifier that was asked for and is not described.
    pub(super) fn first_unknown(&self) -> Option<String> {
        self.unknown.borrow().clone()
    }

    /// A product as OpenVEX names it: one for each of its package URLs.
    pub(super) fn components(&self, id: &str) -> Vec<Component> {
        match self.known.get(id) {
            Some(Known { identification, .. }) if identification.purls().nth(1).is_some() => {
                let cpe = identification.cpe.as_deref();
                identification
                    .purls()
                    .map(|purl| Component::identified(Some(purl), cpe, purl))
                    .collect()
            }
            _ => vec![self.component(id, 0)],
        }
    }

    fn component(&self, id: &str, depth: usize) -> Component {
        let Some(Known { name, identification, parts }) = self.known.get(id) else {
            self.unknown.borrow_mut().get_or_insert_with(|| id.to_owned());
            return Component::called(id);
        };
        if let Some((part, whole)) = parts
            && !identification.identifies()
            && depth < MAX_NESTED
        {
            let mut component = self.component(whole, depth + 1);
            component.subcomponents.push(self.component(part, MAX_NESTED));
            return component;
        }
        let purl = identification.purls().next();
        let mut component = Component::identified(purl, identification.cpe.as_deref(), name);
        // Hashes of several files are those of no one product.
        if let [File { file_hashes }] = identification.hashes.0.as_slice() {
            let hashes = file_hashes.0.iter();
            component.hashes = hashes
                .filter_map(|hash| Some((hash_name(&hash.algorithm)?, hash.value.clone())))
                .collect();
        }
        component
    }
}

/// The IANA names of hash functions that OpenVEX has.
fn hash_name(algorithm: &str) -> Option<&'static str> {
    Some(match algorithm {
        "md5" => "md5",
        "sha1" => "sha1",
        "sha256" => "sha-256",
        "sha384" => "sha-384",
        "sha512" => "sha-512",
        "sha3-256" => "sha3-256",
        "sha3-384" => "sha3-384",
        "sha3-512" => "sha3-512",
        "blake2b512" => "blake2b-512",
        _ => return None,
    })
}
