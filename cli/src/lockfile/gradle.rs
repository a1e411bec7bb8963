//! Gradle's lockfiles ("Locking Versions") and its `verification-metadata.xml` ("Verifying
//! dependencies").
//!
//! A lockfile has a line `group:artifact:version=configuration,…` for each module, in the older
//! form of one file for each configuration without the configurations. It states no checksums:
//! those are in the verification metadata, for every file that a build ever asked for.

use attestry_schemas::digest::Digest;

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::package::{Package, Type};
use super::xml::{Node, attribute, walk};

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        // The configurations that have no dependencies stand behind `empty=`.
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let module = line.split('=').next().unwrap_or(line);
        let (name, version) = module.rsplit_once(':').ok_or_else(|| {
            let expected = "group:artifact:version=configurations";
            LockfileError::malformed(found.kind(), Some(number), expected, line)
        })?;
        let package = Package::new(Type::Maven, name, Some(version));
        found.add(&package, Checksums::Unstated, Some(number))?;
    }
    Ok(())
}

/// A module of the verification metadata.
#[derive(Default)]
struct Component {
    name: String,
    artifact: String,
    version: String,
    files: Vec<File>,
    line: usize,
}

#[derive(Default)]
struct File {
    name: String,
    digests: Vec<Digest>,
}

pub(super) fn read_verification(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    const COMPONENT: &[&str] = &["verification-metadata", "components", "component"];
    let kind = found.kind();
    let mut component = Component::default();
    walk(kind, text, &mut |path, node, line| match (path.strip_prefix(COMPONENT), node) {
        (Some([]), Node::Start(element)) => {
            let [group, artifact, version] = ["group", "name", "version"]
                .map(|name| attribute(element, name).unwrap_or_default());
            let name = format!("{group}:{artifact}");
            component = Component { name, artifact, version, files: Vec::new(), line };
            Ok(())
        }
        (Some(["artifact"]), Node::Start(element)) => {
            let name = attribute(element, "name").unwrap_or_default();
            component.files.push(File { name, digests: Vec::new() });
            Ok(())
        }
        // Other checksums of the same file may be trusted as well, where the file has changed.
        (
            Some(["artifact", algorithm] | ["artifact", algorithm, "also-trust"]),
            Node::Start(element),
        ) => {
            // Signatures and who signed are no checksums.
            if !matches!(*algorithm, "sha256" | "sha512" | "sha1" | "md5") {
                return Ok(());
            }
            let value = attribute(element, "value").unwrap_or_default();
            let digest = checksum::hex(algorithm, &value).ok_or_else(|| {
                let expected = format!("a {algorithm} of {}", component.name);
                LockfileError::malformed(kind, Some(line), expected, &value)
            })?;
            if let Some(file) = component.files.last_mut() {
                file.digests.push(digest);
            }
            Ok(())
        }
        (Some([]), Node::End(_)) => std::mem::take(&mut component).add(found),
        (None, Node::Start(_)) if path.len() == 1 && path != ["verification-metadata"] => {
            let found = path.concat();
            Err(LockfileError::malformed(kind, Some(line), "verification-metadata", &found))
        }
        _ => Ok(()),
    })
}

impl Component {
    /// Adds each file of the module. What only describes the module is no dependency, unless there
    /// is nothing else.
    fn add(self, found: &mut Gathered) -> Result<(), LockfileError> {
        let describes = |file: &File| file.name.ends_with(".pom") || file.name.ends_with(".module");
        let has_more = self.files.iter().any(|file| !describes(file));
        for file in self.files.iter().filter(|file| !(has_more && describes(file))) {
            let qualifiers = self.qualifiers(&file.name);
            let package = Package::new(Type::Maven, &self.name, Some(&self.version));
            let package = Package { qualifiers: &qualifiers, ..package };
            let sums = Checksums::of_file(file.digests.iter().cloned());
            found.add(&package, sums, Some(self.line))?;
        }
        Ok(())
    }

    /// What tells a file of the module from its jar: `artifact-version-classifier.type`.
    fn qualifiers<'a>(&self, file: &'a str) -> Vec<(&'static str, &'a str)> {
        let Some((stem, ty)) = file.rsplit_once('.') else { return vec![("file_name", file)] };
        let Self { artifact, version, .. } = self;
        let Some(rest) = stem.strip_prefix(&format!("{artifact}-{version}")) else {
            // A snapshot, or a name that its repository chose.
            return vec![("file_name", file)];
        };
        let classifier = rest.strip_prefix('-').map(|classifier| ("classifier", classifier));
        let ty = Some(("type", ty)).filter(|(_, ty)| *ty != "jar");
        classifier.into_iter().chain(ty).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    #[test]
    fn reads_lockfiles_of_both_forms() {
        let guava = "com.google.guava:guava:31.1-jre";
        for text in [
            format!("# comment\n{guava}=compileClasspath,runtimeClasspath\nempty=annotations\n"),
            format!("# comment\n{guava}\r\n"),
        ] {
            check(Kind::Gradle, &text, &["pkg:maven/com.google.guava/guava@31.1-jre"]);
        }
        let expected = "expected group:artifact:version=configurations in gradle.lockfile line 2";
        check_refused(Kind::Gradle, "\nnothing\n", expected);
        check_refused(Kind::Gradle, "a:1=x\n", "found \"a\"");
    }

    #[test]
    fn reads_the_checksum_of_each_file() {
        check(
            Kind::GradleVerification,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<verification-metadata xmlns="https://schema.gradle.org/dependency-verification">
  <configuration>
    <verify-metadata>true</verify-metadata>
    <trusted-artifacts><trust group="trusted" name="a" version="1"/></trusted-artifacts>
  </configuration>
  <components>
    <component group="com.example" name="a" version="1.0">
      <artifact name="a-1.0.jar">
        <sha256 value="<sha256:a>" origin="Generated by Gradle"/>
        <sha512 value="<sha512:a>"/>
        <pgp value="0123"/>
      </artifact>
      <artifact name="a-1.0-natives.zip"><sha256 value="<sha256:b>"/></artifact>
      <artifact name="a-1.0.pom"><sha256 value="<sha256:1>"/></artifact>
      <artifact name="a-1.0.module"><sha256 value="<sha256:1>"/></artifact>
      <artifact name="odd.jar"><sha256 value="<sha256:c>"/></artifact>
    </component>
    <component group="com.example" name="bom" version="2.0">
      <artifact name="bom-2.0.pom"><sha256 value="<sha256:d>"/></artifact>
    </component>
    <component group="com.example" name="changed" version="3.0">
      <artifact name="changed-3.0.jar">
        <sha256 value="<sha256:e>"><also-trust value="<sha256:f>"/></sha256>
      </artifact>
    </component>
  </components>
</verification-metadata>
"#,
            &[
                "pkg:maven/com.example/a@1.0 sha256:a sha512:a",
                "pkg:maven/com.example/a@1.0?classifier=natives&type=zip sha256:b",
                "pkg:maven/com.example/a@1.0?file_name=odd.jar sha256:c",
                "pkg:maven/com.example/bom@2.0?type=pom sha256:d",
                "pkg:maven/com.example/changed@3.0 [sha256:e sha256:f]",
            ],
        );
    }

    #[test]
    fn refuses_metadata_that_gradle_would_not_have_written() {
        let component = |attributes: &str, inner: &str| {
            format!(
                "<verification-metadata>\n<components>\n<component {attributes}>\n{inner}\
                 </component></components></verification-metadata>"
            )
        };
        let named = "group='g' name='a' version='1'";
        let sum = "<artifact name='a-1.jar'><sha256 value='x'/></artifact>";
        for (text, expected) in [
            ("<project/>".to_owned(), "expected verification-metadata in"),
            (
                component(named, sum),
                "expected a sha256 of g:a in verification-metadata.xml line 4, found x",
            ),
            (
                component("group='g' version='1'", "<artifact name='x.jar'/>"),
                "line 3, found \"g:\"",
            ),
            (component("group='g' name='a'", "<artifact name='x.jar'/>"), "expected a version"),
            (component(named, "<artifact>"), "expected well-formed XML"),
        ] {
            check_refused(Kind::GradleVerification, &text, expected);
        }
    }
}
