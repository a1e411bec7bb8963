//! Guards of the pull: which repositories' manifests are held against an environment's policies when they are pulled.
//!
//! They are a document in the data folder, read strictly:
//!
//! ```toml
//! schema = "guards/v1"
//!
//! [[guards]]
//! repositories = ["pay/**"]
//! environment = "production"
//! mode = "enforce"          # or "report", which serves and tells
//! quarantine = true         # in "report": what was never decided is refused all the same
//! exempt = ["token:ci"]     # who pulls in order to scan, sign and attest
//! ```
//!
//! Of the guards of a repository all must let a manifest pass. Signatures, attestations and bills of materials are
//! never held back: without them nobody could verify.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use attestry_schemas::document::{self, Faults, Pattern, Section, quoted};
use attestry_schemas::oci::media_type::OCI_MANIFEST;
use attestry_schemas::oci::{Form, Kind, Manifest, RepositoryName, carried};

use crate::watched::Watched;

/// The document's name in the data folder.
pub const GUARDS_FILE: &str = "guards.toml";

/// What becomes of a manifest that the gate would not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is served, and that is told.
    Report,
    /// It is refused.
    Enforce,
}

/// One guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    repositories: Vec<Pattern>,
    /// The environment whose policies count.
    pub environment: String,
    /// What becomes of what may not pass.
    pub mode: Mode,
    /// Whether what was never decided is refused also when it would only be reported.
    pub quarantine: bool,
    exempt: Vec<String>,
}

impl Guard {
    /// Whether it guards a repository against a caller.
    #[must_use]
    pub fn guards(&self, name: &RepositoryName, caller: &str) -> bool {
        self.repositories.iter().any(|pattern| pattern.matches(name.as_str()))
            && !self.exempt.iter().any(|exempt| exempt == caller)
    }
}

/// The guards of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards(Vec<Guard>);

/// The guards of a data folder as they stand now: a change counts from the next pull on. A document that is malformed or gone
/// leaves the guards that stood before; guards are taken away by a document that has none.
#[derive(Default)]
pub struct Standing(Option<Watched<Guards, GuardsError>>);

impl Standing {
    /// Reads the guards of a data folder; none where there is no document.
    ///
    /// # Errors
    /// [`GuardsError`].
    pub fn open(data: &Path) -> Result<Self, GuardsError> {
        let path = data.join(GUARDS_FILE);
        let (from, was_there) = (path.clone(), AtomicBool::new(false));
        let watched = Watched::open(vec![path], move || {
            let found = Guards::load(&from)?;
            if found.is_none() && was_there.load(Ordering::Relaxed) {
                return Err(GuardsError::Gone { path: from.clone() });
            }
            was_there.fetch_or(found.is_some(), Ordering::Relaxed);
            Ok(found.unwrap_or_default())
        });
        watched.map(|watched| Self(Some(watched)))
    }

    /// The guards now; none of what was made without a folder.
    #[must_use]
    pub fn now(&self) -> Arc<Guards> {
        self.0.as_ref().map_or_else(Arc::default, Watched::now)
    }
}

/// Why there are no guards.
#[derive(Debug, thiserror::Error)]
pub enum GuardsError {
    /// The document is not readable.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// There was a document, and now there is none.
    #[error(
        "expected {}, which was there, found nothing; to take guards away, leave schema = \"guards/v1\" in it, or start the server anew",
        path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// The document is malformed.
    #[error("{} does not hold valid guards", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Every fault.
        source: Faults,
    },
}

impl Guards {
    /// Reads a document of guards; nothing where there is none.
    fn load(path: &Path) -> Result<Option<Self>, GuardsError> {
        let path = path.to_owned();
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(GuardsError::Unreadable { path, source }),
            Ok(text) => match Self::parse(&text) {
                Ok(guards) => Ok(Some(guards)),
                Err(source) => Err(GuardsError::Malformed { path, source }),
            },
        }
    }

    fn parse(text: &[u8]) -> Result<Self, Faults> {
        document::read(text, "guards/v1", |section| {
            let guards = section.sections("guards", guard);
            Some(Self(guards))
        })
    }

    /// The guards of a repository against a caller.
    pub fn of<'g>(
        &'g self,
        name: &'g RepositoryName,
        caller: &'g str,
    ) -> impl Iterator<Item = &'g Guard> {
        self.0.iter().filter(move |guard| guard.guards(name, caller))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a text can be what the registry calls a caller.
fn is_principal(text: &str) -> bool {
    let name = ["token:", "oidc:", "mtls:"].iter().find_map(|kind| text.strip_prefix(kind));
    text == "anyone" || name.is_some_and(document::pattern::is_plain)
}

fn guard(section: &Section<'_, '_>) -> Option<Guard> {
    let mut repositories = Vec::new();
    for text in section.texts("repositories") {
        match text.value.parse::<Pattern>() {
            Ok(pattern) => repositories.push(pattern),
            Err(_) => section.fault(
                text.span,
                "a pattern of repositories such as pay/**",
                &quoted(&text.value),
            ),
        }
    }
    let environment = section.text("environment");
    let environment = environment.filter(|text| {
        let plain = document::pattern::is_plain(&text.value);
        if !plain {
            section.fault(text.span.clone(), "a name such as production", &quoted(&text.value));
        }
        plain
    });
    let mode = section.word("mode", &[("report", Mode::Report), ("enforce", Mode::Enforce)]);
    let quarantine = section.flag("quarantine");
    let exempt = section.optional_texts("exempt").unwrap_or_default();
    for text in exempt.iter().filter(|text| !is_principal(&text.value)) {
        let expected =
            "a principal, as token:…, oidc:…, mtls:… or anyone; groups of access.toml are none";
        section.fault(text.span.clone(), expected, &quoted(&text.value));
    }
    Some(Guard {
        repositories,
        environment: environment?.value,
        mode: mode?,
        quarantine,
        exempt: exempt.into_iter().map(|text| text.value).collect(),
    })
}

/// What a manifest is to a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Evidence alone: it has layers, all of them of types that hold evidence, and nothing that a runtime takes for the configuration
    /// of an image.
    Evidence,
    /// The same with the configuration of an image, as cosign 2 gives its signatures: evidence if the layers are what they say.
    Documents,
    /// Anything else: whatever it says of itself, some client might run it.
    Other,
}

/// What a manifest is to a guard. Only the specification's own manifests can be evidence: clients read the configuration of a
/// manifest of Docker without a look at its type.
#[must_use]
pub fn nature(manifest: &Manifest) -> Nature {
    let is_carried =
        !manifest.layers.is_empty() && carried(manifest).len() == manifest.layers.len();
    if manifest.kind == Kind::Index || manifest.media_type != OCI_MANIFEST || !is_carried {
        return Nature::Other;
    }
    match &manifest.config {
        Some(config)
            if IMAGE_CONFIGS.iter().any(|one| one.eq_ignore_ascii_case(&config.media_type)) =>
        {
            match carried(manifest).iter().all(|one| matches!(one.form, Form::SimpleSigning { .. }))
            {
                true => Nature::Documents,
                false => Nature::Other,
            }
        }
        _ => Nature::Evidence,
    }
}

/// Media types of the configuration of an image, and those that clients take for one.
const IMAGE_CONFIGS: [&str; 6] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "text/html",
    "",
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "schema = \"guards/v1\"\n[[guards]]\nrepositories = [\"pay/**\"]\nenvironment = \"production\"\nmode = \"enforce\"\nexempt = [\"token:ci\"]\n";

    #[test]
    fn a_guard_stands_before_its_repositories_and_lets_the_exempt_by() {
        let guards = Guards::parse(DOCUMENT.as_bytes()).unwrap();
        let count = |name: &str, caller: &str| guards.of(&name.parse().unwrap(), caller).count();
        assert_eq!(count("pay/api", "token:dev"), 1);
        assert_eq!(count("pay/api", "token:ci"), 0);
        assert_eq!(count("web", "token:dev"), 0);
    }

    #[test]
    fn a_change_counts_at_once_and_a_document_that_is_broken_or_gone_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(GUARDS_FILE);
        let standing = Standing::open(dir.path()).unwrap();
        let count = || {
            let name: RepositoryName = "pay/api".parse().unwrap();
            standing.now().of(&name, "token:dev").count()
        };
        assert_eq!(count(), 0);
        for (text, expected) in [(DOCUMENT, 1), ("schema = ", 1), ("schema = \"guards/v1\"\n", 0)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(count(), expected, "{text}");
        }
        std::fs::write(&path, DOCUMENT).unwrap();
        assert_eq!(count(), 1);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(count(), 1, "what stood before stands");
    }

    #[test]
    fn faults_are_told_by_line_and_column() {
        let check = |from: &str, to: &str, place: &str| {
            let refused = Guards::parse(DOCUMENT.replace(from, to).as_bytes()).unwrap_err();
            assert!(refused.to_string().contains(place), "{refused}");
        };
        check("\"enforce\"", "\"enforced\"", "line 5, column 8");
        check("mode", "mood", "line 5");
        check("guards/v1", "guards/v2", "line 1, column 10");
        check("\"pay/**\"", "", "line 3");
        check("token:ci", "group:builders", "line 6, column 11");
        check("token:ci", "ci", "line 6, column 11");
    }
}
