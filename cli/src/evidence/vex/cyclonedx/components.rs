//! The components that a CycloneDX document refers to: its own, and those of others by BOM-Link.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Component;
use crate::evidence::bounded::List;

/// A component in the document.
#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    purl: Option<String>,
    cpe: Option<String>,
    #[serde(default)]
    components: List<Listed>,
}

/// The components of a document that can be referred to.
pub(super) struct Components {
    /// The UUID in the document's serial number.
    serial: Option<String>,
    main: Option<Component>,
    known: BTreeMap<String, Component>,
}

impl Components {
    pub(super) fn of(
        serial_number: Option<String>,
        main: Option<Listed>,
        components: List<Listed>,
    ) -> Self {
        let serial = serial_number.as_deref().and_then(|n| n.strip_prefix("urn:uuid:"));
        let mut known = BTreeMap::new();
        let of_main = main.as_ref().and_then(identified);
        let mut waiting: Vec<Listed> = main.into_iter().chain(components).collect();
        while let Some(listed) = waiting.pop() {
            if let (Some(reference), Some(component)) = (&listed.reference, identified(&listed)) {
                known.insert(reference.clone(), component);
            }
            waiting.extend(listed.components);
        }
        Self { serial: serial.map(str::to_ascii_lowercase), main: of_main, known }
    }

    /// What the document is about.
    pub(super) fn main(&self) -> Option<Component> {
        self.main.clone()
    }

    /// The component that is referred to. What is not known is called as it is referred to.
    pub(super) fn resolve(&self, reference: &str) -> Component {
        if let Some(component) = self.known.get(reference) {
            return component.clone();
        }
        if reference.starts_with("pkg:") {
            return Component::identified(Some(reference), None, reference);
        }
        // BOM-Link: urn:cdx:serial/version#bom-ref, the last of them percent-encoded.
        let linked = reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#'));
        let Some((document, element)) = linked else { return Component::called(reference) };
        let element = decoded(element);
        let serial = document.split('/').next().unwrap_or(document).to_ascii_lowercase();
        let own = self.serial.as_ref() == Some(&serial);
        match self.known.get(&element).filter(|_| own) {
            Some(component) => component.clone(),
            None if element.starts_with("pkg:") => {
                Component::identified(Some(&element), None, reference)
            }
            None => Component::called(reference),
        }
    }
}

/// A component by what it says of itself, or else by its reference; nothing where it has none.
fn identified(listed: &Listed) -> Option<Component> {
    let Listed { reference, purl, cpe, .. } = listed;
    let reference = reference.as_deref().filter(|reference| !reference.is_empty());
    let named = purl.as_deref().or(cpe.as_deref()).or(reference)?;
    let mut component =
        Component::identified(purl.as_deref(), cpe.as_deref(), reference.unwrap_or(named));
    // A CPE is of many components, so it identifies and does not name.
    if purl.is_none()
        && let Some(reference) = reference
    {
        component.id = reference.to_owned();
    }
    Some(component)
}

/// The component in one version, or in a range of them, where its identifier does not say it already.
pub(super) fn versioned(component: &Component, version: &str, range: bool) -> Component {
    let id = component.id.as_str();
    if !id.starts_with("pkg:") {
        return Component::called(&format!("{id}@{}", encoded(version)));
    }
    let path_end = id.find(['?', '#']).unwrap_or(id.len());
    let (path, rest) = id.split_at(path_end);
    let last = path.rsplit('/').next().unwrap_or(path);
    if last.contains('@') {
        return component.clone();
    }
    let (qualifiers, subpath) = match rest.split_once('#') {
        Some((qualifiers, subpath)) => (qualifiers, format!("#{subpath}")),
        None => (rest, String::new()),
    };
    let version = encoded(version);
    let purl = match (range, qualifiers.is_empty()) {
        (false, _) => format!("{path}@{version}{qualifiers}{subpath}"),
        (true, true) => format!("{path}?vers={version}{subpath}"),
        (true, false) => format!("{path}{qualifiers}&vers={version}{subpath}"),
    };
    Component::identified(Some(&purl), None, &purl)
}

/// Percent-encodes what may not stand in a version of a package URL or in a URI.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes percent-encoding; what is no encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| hex::decode(digits).ok()?.first().copied());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_goes_where_its_identifier_has_room_for_it() {
        let check = |id: &str, version: &str, range: bool, expected: &str| {
            let purl = Some(id).filter(|id| id.starts_with("pkg:"));
            let component = Component::identified(purl, None, id);
            assert_eq!(versioned(&component, version, range).id, expected, "{id} {version}");
        };
        check("pkg:npm/a", "1.0", false, "pkg:npm/a@1.0");
        check("pkg:deb/d/a?arch=x#s", "1:2+3", false, "pkg:deb/d/a@1:2%2B3?arch=x#s");
        check("pkg:npm/%40a/b@1", "2", false, "pkg:npm/%40a/b@1");
        check("pkg:npm/a", "vers:npm/>=1|<2", true, "pkg:npm/a?vers=vers:npm%2F%3E%3D1%7C%3C2");
        check("pkg:npm/a?x=1", "vers:npm/1", true, "pkg:npm/a?x=1&vers=vers:npm%2F1");
        check("urn:cdx:s/1#ABC", "2.4", false, "urn:cdx:s/1#ABC@2.4");
        check("urn:cdx:s/1#ABC", "vers:x/>1", true, "urn:cdx:s/1#ABC@vers:x%2F%3E1");
    }

    #[test]
    fn undoes_percent_encoding_and_leaves_what_is_none() {
        for (text, expected) in
            [("a%2Fb%40", "a/b@"), ("100%", "100%"), ("%zz", "%zz"), ("%ff", "%ff"), ("", "")]
        {
            assert_eq!(decoded(text), expected);
        }
    }
}
