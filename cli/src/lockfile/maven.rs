//! `pom.xml` (Maven's "POM Reference"): the direct dependencies whose versions it states.
//!
//! A POM is no lockfile. Of the modules that Maven resolves, the direct ones of the version that is
//! stated are known, because the nearest definition wins: those with a literal version, with one
//! made of properties of this file, and with one from this file's own `dependencyManagement`. What
//! comes from a parent, a profile, an imported POM or a range is not known here and not listed.

use std::collections::HashMap;

use super::LockfileError;
use super::checksum::Checksums;
use super::dependency::Gathered;
use super::package::{Package, Type};
use super::xml::{Node, walk};

/// How many properties one text may have, those in its properties with them.
const MAX_PROPERTIES: usize = 8;
/// The longest text that properties make.
const MAX_RESOLVED_BYTES: usize = 1_024;
/// The most dependencies of each kind that one file may have.
const MAX_DECLARED: usize = super::MAX_DEPENDENCIES;

#[derive(Default)]
struct Pom {
    /// `project.groupId` and its like, and the file's own.
    properties: HashMap<String, String>,
    dependencies: Vec<Declared>,
    managed: Vec<Declared>,
}

/// A dependency as it is declared.
#[derive(Default)]
struct Declared {
    /// By the names of the elements.
    values: HashMap<String, String>,
    line: usize,
}

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let pom = parse(text, found)?;
    let managed: HashMap<_, _> = pom
        .managed
        .iter()
        .filter_map(|managed| Some((pom.key(managed)?, managed.values.get("version")?)))
        .collect();
    for declared in &pom.dependencies {
        let Some(key) = pom.key(declared) else { continue };
        let version = declared.values.get("version").or_else(|| managed.get(&key).copied());
        let version = version.and_then(|version| pom.resolve(version)).filter(|v| is_exact(v));
        let Some(version) = version else { continue };
        let Key { name, ty, classifier } = &key;
        let qualifiers: Vec<(&'static str, &str)> = [("classifier", classifier), ("type", ty)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty() && *value != "jar")
            .map(|(key, value)| (key, value.as_str()))
            .collect();
        let package = Package::new(Type::Maven, name, Some(&version));
        let package = Package { qualifiers: &qualifiers, ..package };
        found.add(&package, Checksums::Unstated, Some(declared.line))?;
    }
    Ok(())
}

fn parse(text: &str, found: &Gathered) -> Result<Pom, LockfileError> {
    let kind = found.kind();
    let mut pom = Pom::default();
    let mut declared = Declared::default();
    walk(kind, text, &mut |path, node, line| {
        match (path, node) {
            (["project"], Node::Start(_)) => {}
            ([root], Node::Start(_)) => {
                return Err(LockfileError::malformed(kind, Some(line), "a project", root));
            }
            (
                ["project", "dependencies", "dependency"]
                | ["project", "dependencyManagement", "dependencies", "dependency"],
                Node::Start(_),
            ) => declared = Declared { line, ..Declared::default() },
            (["project", "dependencies", "dependency"], Node::End(_)) => {
                push(&mut pom.dependencies, &mut declared, found)?;
            }
            (["project", "dependencyManagement", "dependencies", "dependency"], Node::End(_)) => {
                push(&mut pom.managed, &mut declared, found)?;
            }
            (
                ["project", "dependencies", "dependency", name]
                | ["project", "dependencyManagement", "dependencies", "dependency", name],
                Node::End(text),
            ) if matches!(
                *name,
                "groupId" | "artifactId" | "version" | "type" | "classifier" | "scope"
            ) =>
            {
                declared.values.insert((*name).to_owned(), text.to_owned());
            }
            (["project", "properties", name], Node::End(text)) => {
                pom.properties.insert((*name).to_owned(), text.to_owned());
            }
            (["project", name @ ("groupId" | "artifactId" | "version")], Node::End(text)) => {
                pom.properties.insert(format!("project.{name}"), text.to_owned());
            }
            (["project", "parent", name @ ("groupId" | "version")], Node::End(text)) => {
                pom.properties.insert(format!("project.parent.{name}"), text.to_owned());
                // A project without its own has its parent's.
                let own = format!("project.{name}");
                pom.properties.entry(own).or_insert_with(|| text.to_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(pom)
}

fn push(
    list: &mut Vec<Declared>,
    declared: &mut Declared,
    found: &Gathered,
) -> Result<(), LockfileError> {
    if list.len() == MAX_DECLARED {
        let (what, limit) = ("dependencies", MAX_DECLARED);
        return Err(LockfileError::TooMuch { kind: found.kind(), what, limit });
    }
    list.push(std::mem::take(declared));
    Ok(())
}

/// What Maven tells dependencies apart by.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// `group:artifact`.
    name: String,
    ty: String,
    classifier: String,
}

impl Pom {
    /// Nothing where a part is missing or of properties that are not known, and for imported POMs
    /// and files of the machine.
    fn key(&self, declared: &Declared) -> Option<Key> {
        let value = |name: &str| declared.values.get(name).map(String::as_str);
        if matches!(value("scope"), Some("import" | "system")) {
            return None;
        }
        let part = |name: &str, default: &str| self.resolve(value(name).unwrap_or(default));
        Some(Key {
            name: format!(
                "{}:{}",
                self.resolve(value("groupId")?)?,
                self.resolve(value("artifactId")?)?
            ),
            ty: part("type", "jar")?,
            classifier: part("classifier", "")?,
        })
    }

    /// A text with its properties, `${name}`, in their place; nothing where one is not known.
    fn resolve(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for _ in 0..MAX_PROPERTIES {
            let Some((before, rest)) = text.split_once("${") else { return Some(text) };
            let (name, after) = rest.split_once('}')?;
            // The old form of `project.version`, which Maven still reads.
            let old = name.strip_prefix("pom.").map(|name| format!("project.{name}"));
            let value = self.properties.get(old.as_deref().unwrap_or(name))?;
            let resolved = format!("{before}{value}{after}");
            if resolved.len() > MAX_RESOLVED_BYTES {
                return None;
            }
            text = resolved;
        }
        None
    }
}

/// Whether a version is one, not a range or a name for the newest.
fn is_exact(version: &str) -> bool {
    let range = version.contains(['[', ']', '(', ')', ',', '$', ' ']);
    !version.is_empty() && !range && !matches!(version, "LATEST" | "RELEASE")
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    fn dependency(version: &str, more: &str) -> String {
        format!(
            "<dependency><groupId>g</groupId><artifactId>a</artifactId>{version}{more}</dependency>"
        )
    }

    fn pom(before: &str, dependencies: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
             <parent><groupId>parent</groupId><artifactId>p</artifactId><version>7</version>\
             </parent>\n{before}<dependencies>{dependencies}</dependencies></project>"
        )
    }

    #[test]
    fn takes_the_versions_that_the_file_itself_states() {
        let managed = |inner: &str| {
            format!(
                "<dependencyManagement><dependencies>{inner}</dependencies></dependencyManagement>"
            )
        };
        let version = |text: &str| format!("<version>{text}</version>");
        let properties = |text: &str| format!("<properties>{text}</properties>");
        let plain = "pkg:maven/g/a@1.0";
        for (before, dependencies, expected) in [
            (String::new(), dependency(&version(" 1.0 "), ""), Some(plain)),
            (
                String::new(),
                dependency(&version("1.<!-- - -->0"), "<scope>test</scope>"),
                Some(plain),
            ),
            (String::new(), dependency(&version("<![CDATA[1.0]]>"), ""), Some(plain)),
            (properties("<v>1.0</v>"), dependency(&version("${v}"), ""), Some(plain)),
            (properties("<v>1.${w}</v><w>0</w>"), dependency(&version("${v}"), ""), Some(plain)),
            (managed(&dependency(&version("1.0"), "")), dependency("", ""), Some(plain)),
            (
                String::new(),
                dependency(&version("${project.version}"), ""),
                Some("pkg:maven/g/a@7"),
            ),
            (version("8"), dependency(&version("${pom.version}"), ""), Some("pkg:maven/g/a@8")),
            (
                String::new(),
                dependency(&version("1.0"), "").replace(">g<", ">${project.groupId}.x<"),
                Some("pkg:maven/parent.x/a@1.0"),
            ),
            (
                String::new(),
                dependency(&version("1.0"), "<type>zip</type><classifier>c</classifier>"),
                Some("pkg:maven/g/a@1.0?classifier=c&type=zip"),
            ),
            (String::new(), dependency(&version("1.0"), "<type>jar</type>"), Some(plain)),
            // What another file, a range or the newest decides.
            (String::new(), dependency("", ""), None),
            (String::new(), dependency(&version("${v}"), ""), None),
            (properties("<v>${v}</v>"), dependency(&version("${v}"), ""), None),
            (properties("<v>${v}${v}</v>"), dependency(&version("${v}"), ""), None),
            (String::new(), dependency(&version("${v"), ""), None),
            (String::new(), dependency(&version("[1.0,2.0)"), ""), None),
            (String::new(), dependency(&version("LATEST"), ""), None),
            (String::new(), dependency(&version("1.0"), "<scope>system</scope>"), None),
            (managed(&dependency(&version("1.0"), "<type>zip</type>")), dependency("", ""), None),
            (managed(&dependency(&version("1.0"), "")), String::new(), None),
            (
                format!(
                    "<profiles><profile><dependencies>{}</dependencies></profile></profiles>",
                    dependency(&version("1.0"), "")
                ),
                String::new(),
                None,
            ),
        ] {
            let expected: Vec<&str> = expected.into_iter().collect();
            check(Kind::Pom, &pom(&before, &dependencies), &expected);
        }
    }

    /// The version of an exclusion or a plugin is not that of the dependency around it.
    #[test]
    fn takes_nothing_from_elements_within_others() {
        let inner = "<exclusions><exclusion><groupId>x</groupId><artifactId>y</artifactId>\
                     <version>9</version></exclusion></exclusions>";
        check(
            Kind::Pom,
            &pom(
                "<build><plugins><plugin><dependencies><dependency><groupId>p</groupId>\
                 <artifactId>q</artifactId><version>1</version></dependency></dependencies>\
                 </plugin></plugins></build>",
                &dependency("<version>1.0</version>", inner),
            ),
            &["pkg:maven/g/a@1.0"],
        );
    }

    #[test]
    fn refuses_what_is_no_pom() {
        let deep = format!("<project>{}", "<a>".repeat(10_000));
        for (text, expected) in [
            ("", "expected well-formed XML in pom.xml line 1, found no single root"),
            ("<html/>", "expected a project in pom.xml line 1, found html"),
            ("<project>\n<a></b></project>", "pom.xml line 2, found"),
            ("<project>\n", "pom.xml line 2, found an element without an end"),
            ("<project/><project/>", "found no single root"),
            (&deep, "expected at most 64 elements in each other in pom.xml line 1"),
            (&pom("", &dependency("<version>1.0</version>", "").replace(">g<", "><")), "\":a\""),
        ] {
            check_refused(Kind::Pom, text, expected);
        }
    }

    /// An entity that the document declares stays unresolved, however much it would stand for.
    #[test]
    fn resolves_no_entities_of_the_document() {
        let text = pom("", &dependency("<version>1&amp;&#x32;&lol;</version>", ""));
        let text = text.replacen(
            "<project",
            "<!DOCTYPE project [<!ENTITY lol \"lollollol\">]><project",
            1,
        );
        check(Kind::Pom, &text, &["pkg:maven/g/a@1&2&lol%3B"]);
    }
}
