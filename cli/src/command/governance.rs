//! What `roster` and `policy` share: documents read and linted, who rules at a registry, and
//! publishing a document by a statement that all its signers sign alike.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::document::{Fault, Faults, MAX_DOCUMENT_BYTES};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::predicate::{Predicate, UtcTime};
use attestry_schemas::roster::Roster;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde::Serialize;

use super::publish::{self, AnswerRegistry, EvidenceFile, Place, Product, Publication};
use super::sign::open_key_and_read;
use crate::answers::governance::{Pending, RulingRoster};
use crate::args::{Destination, DocumentPushArgs};
use crate::client::{Client, ClientError};
use crate::output::{Exit, Failure, GREEN, RED, Session, chain, printable};
use crate::subject::Subject;

/// A document of the user's, as it was read.
pub(super) struct Document {
    /// Where it is from.
    pub(super) place: String,
    /// Its exact bytes.
    pub(super) text: Vec<u8>,
}

impl Document {
    /// Reads a file, or stdin for `-`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(path: &Path, session: &mut Session) -> Result<Self, Failure> {
        let fail = |e: std::io::Error| Failure::file("read", path, &e);
        let limit = MAX_DOCUMENT_BYTES as u64 + 1;
        let mut text = Vec::new();
        if path == Path::new("-") {
            session.stdin()?.take(limit).read_to_end(&mut text).map_err(fail)?;
            return Ok(Self { place: "stdin".to_owned(), text });
        }
        let file = std::fs::File::open(path).map_err(fail)?;
        file.take(limit).read_to_end(&mut text).map_err(fail)?;
        Ok(Self { place: path.display().to_string(), text })
    }

    /// What `read` makes of it; each fault is named.
    ///
    /// # Errors
    /// When it has faults.
    pub(super) fn demand<T>(
        &self,
        read: impl FnOnce(&[u8]) -> Result<T, Faults>,
        session: &mut Session,
    ) -> Result<T, Failure> {
        read(&self.text).map_err(|Faults(faults)| {
            for fault in &faults {
                session.name_error(format!("{}: {fault}", self.place));
            }
            let count = super::count(faults.len() as u64, "fault", "faults");
            Failure::undecided(format!("expected a document without faults, found {count}"))
                .fix(format!("correct {} where it is named above", self.place))
        })
    }

    /// A roster.
    ///
    /// # Errors
    /// As [`Self::demand`].
    pub(super) fn roster(&self, session: &mut Session) -> Result<Roster, Failure> {
        self.demand(Roster::read, session)
    }
}

/// What is told of a document without faults.
pub(super) struct Sound {
    /// What it is, in one line.
    pub(super) summary: String,
    /// What its author should look at twice.
    pub(super) warnings: Vec<String>,
}

/// The moment that a document's end is compared with.
pub(super) fn now(session: &Session) -> UtcTime {
    (session.io.now)().into()
}

/// What linting one document found.
#[derive(Serialize)]
struct Linted<'a> {
    place: &'a str,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    warnings: &'a [String],
    faults: &'a [Fault],
}

/// Lints files one by one; those that cannot be read are told of, and the others are still read.
///
/// # Errors
/// When an answer cannot be written.
pub(super) fn lint(
    files: &[PathBuf],
    read: impl Fn(&[u8]) -> Result<Sound, Faults>,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let mut worst = Exit::Success;
    for file in files {
        let document = match Document::read(file, session) {
            Ok(document) => document,
            Err(failure) => {
                worst = session.fail(&failure);
                continue;
            }
        };
        let (sound, faults) = match read(&document.text) {
            Ok(sound) => (Some(sound), Vec::new()),
            Err(Faults(faults)) => (None, faults),
        };
        let summary = sound.as_ref().map(|sound| sound.summary.as_str());
        let warnings = sound.as_ref().map_or(&[][..], |sound| sound.warnings.as_slice());
        if !faults.is_empty() && worst == Exit::Success {
            worst = Exit::Refused;
        }
        if session.json() {
            session.answer(&Linted {
                place: &document.place,
                digest: Sha256::of(&document.text).to_string(),
                summary,
                warnings,
                faults: &faults,
            })?;
            continue;
        }
        if let Some(summary) = summary {
            let mark = session.paint("✓", GREEN);
            session.line(format!("{mark} {}: {}", document.place, printable(summary)));
        }
        warn(&document.place, warnings, session);
        for Fault { line, column, message } in &faults {
            let mark = session.paint("✗", RED);
            let place = &document.place;
            session.line(format!("{mark} {place}:{line}:{column}: {}", printable(message)));
        }
    }
    Ok(worst)
}

/// Tells what the author of a document should look at twice.
pub(super) fn warn(place: &str, warnings: &[String], session: &mut Session) {
    for warning in warnings {
        session.warn(printable(&format!("{place}: {warning}")));
    }
}

/// The roster that rules at a registry, or what is pending there; none where there is neither.
///
/// # Errors
/// When the registry cannot be asked.
pub(super) fn ruling(
    client: &Client,
    version: Option<u64>,
) -> Result<Option<RulingRoster>, Failure> {
    let query = version.map_or_else(String::new, |version| format!("?version={version}"));
    match client.fetch(&format!("/v1/roster{query}")) {
        Ok(answer) => Ok(Some(answer.json()?)),
        Err(ClientError::Problem { status: 404, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The text of a document that a registry gave, of which the digest was told.
///
/// # Errors
/// Refused, where the digest is another.
pub(super) fn same_digest<'d>(
    document: Option<&'d str>,
    digest: Option<&str>,
    client: &Client,
) -> Result<&'d str, Failure> {
    let document = document.unwrap_or_default();
    let found = Sha256::of(document.as_bytes()).to_string();
    let expected = digest.unwrap_or_default();
    if expected == found {
        return Ok(document);
    }
    Err(Failure::refused(format!(
        "{}: expected a document with digest {}, found {found}",
        client.url(),
        printable(expected)
    ))
    .fix("do not rely on this registry before its operator has explained this"))
}

/// The ruling roster as the gate reads it; none before one rules.
///
/// # Errors
/// When the registry cannot be asked, or gives what is no roster.
pub(super) fn ruling_roster(
    client: &Client,
    session: &mut Session,
) -> Result<Option<Roster>, Failure> {
    read_ruling(ruling(client, None)?, client, session)
}

/// What a registry gave as its roster, as the gate reads it; none before one rules.
///
/// # Errors
/// When it is no roster.
pub(super) fn read_ruling(
    ruling: Option<RulingRoster>,
    client: &Client,
    session: &mut Session,
) -> Result<Option<Roster>, Failure> {
    let Some(ruling) = ruling.filter(|ruling| ruling.version.is_some()) else {
        return Ok(None);
    };
    let text = same_digest(ruling.document.as_deref(), ruling.digest.as_deref(), client)?;
    let place = format!("the roster of {}", client.url());
    Document { place, text: text.as_bytes().to_vec() }.roster(session).map(Some)
}

/// A document that is to be published.
pub(super) struct Publishing<'d, P> {
    /// The document.
    pub(super) document: &'d Document,
    /// The name that the statement gives it.
    pub(super) name: String,
    /// What the statement says of it.
    pub(super) predicate: P,
}

/// The registry that a document is published to.
///
/// # Errors
/// When none is named, or it cannot be used.
pub(super) fn registry(
    args: &DocumentPushArgs,
    session: &mut Session,
) -> Result<Publication, Failure> {
    let settings = super::settings(session)?;
    let checked = &args.checked;
    let registry =
        publish::registry(settings, &checked.registry, None, &checked.trusted_root, session)?;
    registry.ok_or_else(|| crate::config::ConfigError::NoRegistry.into())
}

/// The statement that publishes a document: it follows from the document alone, so that all its signers
/// sign the same bytes.
///
/// # Errors
/// When the predicate cannot be written.
pub(super) fn statement<P: Predicate>(
    publishing: &Publishing<'_, P>,
) -> Result<Statement, Failure> {
    let fail = |e: &dyn std::error::Error| Failure::undecided(chain(e));
    let digest = Digest::from(Sha256::of(&publishing.document.text));
    let subject = ResourceDescriptor::named(&publishing.name, digest);
    let predicate = publishing.predicate.to_value().map_err(|e| fail(&e))?;
    Statement::new(vec![subject], P::URI, predicate).map_err(|e| fail(&e))
}

/// Signs a document's statement, sends the document and then the statement.
///
/// # Errors
/// When the key cannot be used, or the registry refuses either.
pub(super) fn publish<P: Predicate>(
    publishing: &Publishing<'_, P>,
    args: &DocumentPushArgs,
    registry: &Publication,
    session: &mut Session,
) -> Result<AnswerRegistry, Failure> {
    let statement = statement(publishing)?;
    let settings = super::settings(session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let (key, _) = open_key_and_read(&[], &key_path, &args.key.password, session)?;
    let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &statement.to_json(), &key);
    let text = &publishing.document.text;
    let sha256 = Sha256::of(text);
    let subject =
        Subject { name: publishing.name.clone(), digest: sha256.into(), begins_as_pae: false };
    let product = Product {
        bundle: Bundle::of_key(key.public_key(), Content::Envelope(envelope)),
        key: Some(key.public_key().clone()),
        subjects: vec![subject],
        predicate_type: Some(P::URI.to_owned()),
        out: Destination::Stdout,
        attachments: Vec::new(),
    };
    let fail = |e: std::io::Error| Failure::undecided(format!("cannot keep the document: {e}"));
    let mut file = tempfile::tempfile().map_err(fail)?;
    file.write_all(text).map_err(fail)?;
    let file = EvidenceFile { sha256, bytes: text.len() as u64, place: Place::Open(file) };
    session.say(format!(
        "signed {} {sha256} with {}",
        publishing.name,
        key.public_key().fingerprint()
    ));
    publish::log(product, vec![file], registry, session)
}

/// How far a document that was pushed is from ruling.
pub(super) enum Standing {
    /// It rules.
    Rules {
        /// How many have signed it, where the registry says so.
        have: Option<u64>,
        /// How many had to, where the registry says so.
        need: Option<u64>,
    },
    /// Too few have signed it.
    Pending(Pending),
    /// The registry does not mention it.
    Unknown,
}

#[derive(Serialize)]
struct Pushed<'a> {
    document: &'a str,
    name: &'a str,
    version: u64,
    digest: String,
    registry: &'a AnswerRegistry,
    rules: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    have: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    need: Option<u64>,
}

/// Tells what became of a document that was pushed; `another` is who must still sign.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn tell_pushed(
    (document, name, version): (&Document, &str, u64),
    answer: &AnswerRegistry,
    standing: &Standing,
    another: (&str, &str),
    session: &mut Session,
) -> Result<(), Failure> {
    if let Some(index) = answer.index {
        session.say(format!(
            "  logged by {} at index {index} ({})",
            answer.url,
            answer.status.as_str()
        ));
    }
    let (rules, have, need) = match standing {
        Standing::Rules { have, need } => (true, *have, *need),
        Standing::Pending(pending) => (false, Some(pending.have), Some(pending.need)),
        Standing::Unknown => (false, None, None),
    };
    if session.json() {
        return session.answer(&Pushed {
            document: &document.place,
            name,
            version,
            digest: Sha256::of(&document.text).to_string(),
            registry: answer,
            rules,
            have,
            need,
        });
    }
    session.line(match standing {
        Standing::Rules { .. } => format!("{name} version {version} rules"),
        Standing::Pending(pending) => {
            let signatures = super::count(pending.need, "signature", "signatures");
            let left = match pending.need.saturating_sub(pending.have) {
                1 => format!("another {} has signed", another.0),
                left => format!("{left} more {} have signed", another.1),
            };
            let have = pending.have;
            format!("{name} version {version}: {have} of {signatures}; it rules once {left}")
        }
        Standing::Unknown => format!("{name} version {version} is logged; it does not rule yet"),
    });
    Ok(())
}
