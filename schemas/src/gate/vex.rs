//! What others say of the vulnerabilities that scanners find: OpenVEX as the gate reads it.
//!
//! A statement is about the products that it names, and those may be others than what the attestation is attached to. So
//! it says of one vulnerability, of one package, whether it is about it ([`Vex::scope`]). Doubt never helps: what does not matter must be
//! said of this very artifact or package, and what matters counts unless it is said of another.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::findings::Vulnerable;
use crate::digest::Sha256;
use crate::predicate::{
    self, UtcTime, canonical_purl, image_purl, names_image, purl_means, purl_sha256, same_purl_type,
};
use crate::statement::{ResourceDescriptor, Statement};

/// What a VEX document says of one vulnerability: a statement of OpenVEX 0.2.0, or of a version before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vex {
    /// Its name and aliases.
    pub names: Vec<String>,
    /// Whether it does not matter: `not_affected` or `fixed`.
    pub harmless: bool,
    /// Why, in the words of the document.
    pub why: String,
    /// When it was said, by its own time or the document's.
    pub at: Option<UtcTime>,
    /// What it is about; nothing when that is whatever it is attached to.
    pub products: Vec<Product>,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// An artifact or a package.
    pub what: Component,
    /// The packages inside that have the vulnerability; nothing when all of them are meant.
    pub inside: Vec<Component>,
}

/// A piece of software by what it is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// SHA-256 digests in hex: its hashes, and those in its names, such as `pkg:oci/api@sha256%3A…`.
    pub digests: BTreeSet<String>,
    /// Its IRI and identifiers, package URLs in their canonical spelling.
    pub names: BTreeSet<String>,
}

/// The artifact that an attestation is about, as that attestation calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its SHA-256 digest in hex.
    pub digest: String,
    /// Its names.
    pub names: BTreeSet<String>,
}

/// Whether a statement is about a vulnerability that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// It is about something else.
    Other,
    /// It does not say what it is about in a way that can be compared.
    Unclear,
    /// It is about this.
    This,
}

impl Vex {
    /// Reads an OpenVEX document, the oldest statement first; statements without a name are left out. One without a time of its own
    /// has the document's, that of its last change where there was one, and of one time the later one in the list is the newer.
    #[must_use]
    pub fn read(predicate: &Value) -> Vec<Self> {
        let member =
            |of: &Value, name: &str| of.get(name)?.as_str().and_then(UtcTime::from_rfc3339);
        let time = |of: &Value| member(of, "last_updated").max(member(of, "timestamp"));
        let whole = time(predicate);
        let read = |one: &Value| Self::statement(one, time(one).or(whole));
        let mut all: Vec<_> = items(predicate, "statements").filter_map(read).collect();
        all.sort_by_key(|statement| statement.at);
        all
    }

    fn statement(statement: &Value, at: Option<UtcTime>) -> Option<Self> {
        let vulnerability = statement.get("vulnerability")?;
        let mut names: Vec<String> = Vec::new();
        match vulnerability {
            // Before 0.2.0 it was a text.
            Value::String(name) => names.push(name.clone()),
            _ => {
                names.extend(vulnerability.get("name")?.as_str().map(str::to_owned));
                let aliases = items(vulnerability, "aliases").filter_map(Value::as_str);
                names.extend(aliases.map(str::to_owned));
            }
        }
        let status = statement.get("status").and_then(Value::as_str)?;
        let justification = statement.get("justification").and_then(Value::as_str);
        let why = match justification {
            Some(justification) => format!("{status}: {justification}"),
            None => status.to_owned(),
        };
        Some(Self {
            names,
            harmless: matches!(status, "not_affected" | "fixed"),
            why,
            at,
            products: products(statement),
        })
    }

    /// Whether it is about what was found in an artifact.
    #[must_use]
    pub fn scope(&self, artifact: &Named, found: &Vulnerable) -> Scope {
        let scopes = self.products.iter().map(|product| product.scope(artifact, found));
        scopes.max().unwrap_or(Scope::This)
    }

    /// What it is about, for people: its first product.
    #[must_use]
    pub fn first_product(&self) -> Option<String> {
        let product = self.products.first()?;
        let inside = product.inside.first().and_then(Component::told);
        let inside = inside.map_or_else(String::new, |package| format!("{package} in "));
        Some(format!("{inside}{}", product.what.told().unwrap_or("something without a name")))
    }
}

/// The first product of a document that keeps the gate from counting what it says does not matter: neither one of the subjects that
/// the document is attached to, as they are called there, nor a package. None of another predicate.
#[must_use]
pub fn foreign_product(statement: &Statement) -> Option<String> {
    predicate::from_uri(&statement.predicate_type).filter(|known| known.short == "openvex")?;
    let subjects: Vec<Named> = statement.subject.iter().filter_map(Named::of).collect();
    let foreign = |vex: &Vex| {
        let fits = |product: &Product| {
            let is_artifact = |subject| product.what.as_artifact(subject) == Scope::This;
            product.what.packages().next().is_some() && product.what.digests.is_empty()
                || subjects.iter().any(is_artifact)
        };
        vex.harmless && !vex.products.is_empty() && !vex.products.iter().any(fits)
    };
    Vex::read(&statement.predicate).iter().find(|vex| foreign(vex))?.first_product()
}

/// The products of a statement. Before 0.2.0 they were texts, and what is inside stood beside them.
fn products(statement: &Value) -> Vec<Product> {
    let beside: Vec<Component> = items(statement, "subcomponents").map(Component::read).collect();
    let read = |product: &Value| {
        let own = items(product, "subcomponents").map(Component::read);
        Product { what: Component::read(product), inside: own.chain(beside.clone()).collect() }
    };
    let products: Vec<Product> = items(statement, "products").map(read).collect();
    if products.is_empty() && !beside.is_empty() {
        return vec![Product { what: Component::default(), inside: beside }];
    }
    products
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    // What stands alone where a list belongs is one item: it must not look as if nothing were there.
    match value.get(name) {
        None | Some(Value::Null) => [].iter(),
        Some(Value::Array(items)) => items.iter(),
        Some(item) => std::slice::from_ref(item).iter(),
    }
}

impl Product {
    fn scope(&self, artifact: &Named, found: &Vulnerable) -> Scope {
        let of_artifact = self.what.as_artifact(artifact);
        let inside = self.inside.iter().map(|component| component.as_package(found)).max();
        if let Some(inside) = inside {
            // Whatever it is called, it can be the artifact, or a part of it.
            return of_artifact.min(inside);
        }
        match (of_artifact, self.what.as_package(found)) {
            (Scope::This, _) | (_, Scope::This) => Scope::This,
            (Scope::Other, _) => Scope::Other,
            // Another package of the same kind. One of another kind can be the artifact itself.
            (_, Scope::Other) if self.what.is_of_type_of(found) => Scope::Other,
            _ => Scope::Unclear,
        }
    }
}

impl Component {
    fn read(component: &Value) -> Self {
        let hashes = component.get("hashes").and_then(|hashes| hashes.get("sha-256")?.as_str());
        let mut digests: BTreeSet<String> =
            hashes.map(str::to_ascii_lowercase).into_iter().collect();
        let identifiers =
            component.get("identifiers").and_then(Value::as_object).into_iter().flatten();
        let texts =
            identifiers.map(|(_, value)| value).chain(component.get("@id")).chain(Some(component));
        let names: BTreeSet<String> = texts.filter_map(Value::as_str).map(canonical_purl).collect();
        digests.extend(names.iter().filter_map(|name| digest_in(name)));
        Self { digests, names }
    }

    /// What it is called, for people.
    fn told(&self) -> Option<&str> {
        self.names.iter().chain(&self.digests).next().map(String::as_str)
    }

    /// The package URLs of something else than an image.
    fn packages(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| name.starts_with("pkg:") && !names_image(name))
    }

    fn is_of_type_of(&self, found: &Vulnerable) -> bool {
        let purl = found.purl.as_deref().unwrap_or_default();
        self.packages().any(|name| same_purl_type(name, purl))
    }

    /// Whether it is the package in which something was found: all its package URLs must mean that. A plain name is one
    /// among those of many ecosystems, and means it where the scanner has no other either.
    fn as_package(&self, found: &Vulnerable) -> Scope {
        let Some(purl) = &found.purl else {
            let is_named = found.package.as_ref().is_some_and(|name| self.names.contains(name));
            let is_plain = self.packages().next().is_none();
            return if is_named && is_plain { Scope::This } else { Scope::Unclear };
        };
        let means: Vec<Option<bool>> = self.packages().map(|name| purl_means(name, purl)).collect();
        let is_this = !means.is_empty() && means.iter().all(|means| *means == Some(true));
        let is_other = !means.is_empty() && means.iter().all(|means| *means == Some(false));
        match (is_this, is_other) {
            (true, _) => Scope::This,
            (_, true) => Scope::Other,
            _ => Scope::Unclear,
        }
    }

    /// Whether it is the artifact: by all its digests, or else by one of its names.
    fn as_artifact(&self, artifact: &Named) -> Scope {
        let same = self.digests.iter().filter(|digest| **digest == artifact.digest).count();
        let is_called = || self.names.iter().any(|name| artifact.is_called(name));
        match (same, self.digests.len()) {
            (0, 0) if is_called() => Scope::This,
            (0, 0) => Scope::Unclear,
            (0, _) => Scope::Other,
            (same, all) if same == all => Scope::This,
            _ => Scope::Unclear,
        }
    }
}

/// The SHA-256 in a name that ends in it: a package URL's, or that of an image's reference, such as `HOST/NAME@sha256:…`.
fn digest_in(name: &str) -> Option<String> {
    if name.starts_with("pkg:") {
        return purl_sha256(name);
    }
    let schemes = ["oci://", "docker://"];
    let reference = schemes.iter().find_map(|scheme| name.strip_prefix(scheme)).unwrap_or(name);
    let digest = match reference.rsplit_once('@') {
        Some((path, digest)) if !path.contains("://") => digest,
        Some(_) => return None,
        None => reference,
    };
    let hex = digest.strip_prefix("sha256:")?.to_ascii_lowercase();
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hex)
}

impl Named {
    /// The artifact of this digest under the names that an attestation gives to it.
    pub fn new<'n>(digest: &Sha256, names: impl Iterator<Item = &'n str>) -> Self {
        Self { digest: digest.hex(), names: names.map(str::to_owned).collect() }
    }

    /// A subject of a statement by its SHA-256.
    fn of(subject: &ResourceDescriptor) -> Option<Self> {
        let digest = subject.digest.as_ref()?.iter().find_map(|digest| digest.as_sha256())?;
        Some(Self::new(&digest, subject.name.as_deref().into_iter()))
    }

    /// Whether a name of a product is one of its own: the same text, or a package URL that covers it.
    fn is_called(&self, product: &str) -> bool {
        self.names.iter().any(|name| {
            name == product
                || purl_means(product, &canonical_purl(name)) == Some(true)
                || image_purl(name).is_some_and(|image| purl_means(product, &image) == Some(true))
        })
    }
}
