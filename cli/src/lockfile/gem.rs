//! `Gemfile.lock` and `gems.locked` (Bundler): the `specs` of each source, and the checksums that
//! Bundler 2.5 and later state.

use std::collections::HashMap;

use attestry_schemas::digest::Digest;

use super::LockfileError;
use super::checksum::{self, Checksums};
use super::dependency::Gathered;
use super::package::{Origin, Package, Type};

/// How far a resolved gem is indented; what it depends on is indented further.
const GEM: &str = "    ";
/// How far what is said of a source is indented, and a line of `CHECKSUMS`.
const ITEM: &str = "  ";
/// Where gems are from that are from RubyGems itself.
const RUBYGEMS: &[&str] = &["https://rubygems.org/", "http://rubygems.org/"];

/// The sources of gems, by the head of their section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Gem,
    Git,
    Checksums,
    /// Folders of the project, and what is no source.
    Other,
}

pub(super) fn read(text: &str, found: &mut Gathered) -> Result<(), LockfileError> {
    let checksums = checksums(text, found)?;
    let (mut remotes, mut remote, mut revision) = (0, None, None);
    for (section, line, number) in lines(text) {
        if !line.starts_with(' ') {
            (remotes, remote, revision) = (0, None, None);
        } else if let Some(gem) = gem(line, GEM) {
            let origin = match (section, remote) {
                (Section::Gem, Some(url)) if !RUBYGEMS.contains(&url) => Origin::OtherRegistry(url),
                (Section::Gem, _) => Origin::Registry,
                (Section::Git, Some(url)) => {
                    Origin::Git { repository: url.into(), commit: revision }
                }
                _ => continue,
            };
            let sums = checksums.get(&(gem.name, gem.full_version)).cloned().unwrap_or_default();
            let qualifiers: Vec<_> =
                gem.platform.map(|platform| ("platform", platform)).into_iter().collect();
            let package = Package::new(Type::Gem, gem.name, Some(gem.version)).from(origin);
            let package = Package { qualifiers: &qualifiers, ..package };
            found.add(&package, Checksums::of_file(sums), Some(number))?;
        } else if let Some(url) = line.strip_prefix("  remote: ") {
            // A section of several sources does not say which gem is from which.
            remotes += 1;
            remote = (remotes == 1).then(|| url.trim());
        } else if let Some(commit) = line.strip_prefix("  revision: ") {
            revision = Some(commit.trim());
        }
    }
    Ok(())
}

/// The lines with their sections and numbers. The head of a section is in its own section.
fn lines(text: &str) -> impl Iterator<Item = (Section, &str, usize)> {
    let mut section = Section::Other;
    text.lines().zip(1..).map(move |(line, number)| {
        if !line.starts_with(' ') {
            section = match line.trim_end() {
                "GEM" => Section::Gem,
                "GIT" => Section::Git,
                "CHECKSUMS" => Section::Checksums,
                _ => Section::Other,
            };
        }
        (section, line, number)
    })
}

type Sums<'a> = HashMap<(&'a str, &'a str), Vec<Digest>>;

/// The section `CHECKSUMS`: `  name (version) sha256=<hex>`.
fn checksums<'a>(text: &'a str, found: &Gathered) -> Result<Sums<'a>, LockfileError> {
    let mut sums = Sums::new();
    for (_, line, number) in lines(text).filter(|(section, ..)| *section == Section::Checksums) {
        let Some(gem) = gem(line, ITEM) else { continue };
        for sum in gem.rest.split([' ', ',']).filter(|sum| !sum.is_empty()) {
            let digest = checksum::tagged_hex(sum).ok_or_else(|| {
                let expected = format!("a checksum of {} such as sha256=<hex>", gem.name);
                LockfileError::malformed(found.kind(), Some(number), expected, sum)
            })?;
            sums.entry((gem.name, gem.full_version)).or_default().push(digest);
        }
    }
    Ok(sums)
}

/// A gem as a line names it.
struct Gem<'a> {
    name: &'a str,
    version: &'a str,
    /// `x86_64-linux`; nothing for gems that run everywhere.
    platform: Option<&'a str>,
    /// Both, as they are written.
    full_version: &'a str,
    rest: &'a str,
}

/// Reads `name (version-platform) rest` at an indentation; nothing where the line is no such line.
fn gem<'a>(line: &'a str, indent: &str) -> Option<Gem<'a>> {
    let line = line.strip_prefix(indent).filter(|line| !line.starts_with(' '))?;
    let (name, rest) = line.split_once(" (")?;
    let (full_version, rest) = rest.split_once(')')?;
    // Versions have no dash (RubyGems, `Gem::Version`).
    let (version, platform) = full_version
        .split_once('-')
        .map_or((full_version, None), |(version, platform)| (version, Some(platform)));
    Some(Gem { name, version, platform, full_version, rest })
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{check, check_refused};

    #[test]
    fn reads_the_gems_of_every_source_but_folders() {
        check(
            Kind::Gem,
            "\
GIT
  remote: https://git.example.com/g.git
  revision: <commit:e>
  branch: main
  specs:
    from-git (0.1.0)
      rack (>= 2)

PATH
  remote: .
  specs:
    app (1.0.0)

GEM
  remote: https://gems.example.com/
  specs:
    elsewhere (4.0.0)

GEM
  remote: https://rubygems.org/
  specs:
    native (1.15.4)
      rack (~> 3.0)
    native (1.15.4-x86_64-linux)
    rack (3.0.8)
    unsummed (1.0.0.rc1)

PLATFORMS
  ruby
  x86_64-linux

DEPENDENCIES
  app!
  rack (>= 2)

CHECKSUMS
  app (1.0.0)
  native (1.15.4) sha256=<sha256:a>
  native (1.15.4-x86_64-linux) sha256=<sha256:b>
  rack (3.0.8) sha256=<sha256:c>,sha512=<sha512:c>
  unsummed (1.0.0.rc1)

BUNDLED WITH
   2.5.6
",
            &[
                "pkg:gem/elsewhere@4.0.0?repository_url=https:%2F%2Fgems.example.com%2F",
                "pkg:gem/from-git@0.1.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fg.git\
                 %40eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee gitCommit:e",
                "pkg:gem/native@1.15.4 sha256:a",
                "pkg:gem/native@1.15.4?platform=x86_64-linux sha256:b",
                "pkg:gem/rack@3.0.8 sha256:c sha512:c",
                "pkg:gem/unsummed@1.0.0.rc1",
            ],
        );
    }

    #[test]
    fn does_not_say_which_of_several_remotes_a_gem_is_from() {
        let remotes = "  remote: https://a/\n  remote: https://b/\n  remote: https://c/\n";
        check(Kind::Gem, &format!("GEM\n{remotes}  specs:\n    a (1)\n"), &["pkg:gem/a@1"]);
    }

    #[test]
    fn says_the_line_of_a_malformed_checksum() {
        let expected =
            "a checksum of a such as sha256=<hex> in Gemfile.lock line 2, found sha256=x";
        check_refused(Kind::Gem, "CHECKSUMS\n  a (1) sha256=x\n", expected);
    }
}
