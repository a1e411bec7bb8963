//! What the sequencer is given: a leaf, and what the store keeps beside it.
//!
//! Only verified values become submissions; the index terms and graph edges are taken from the
//! statement here, in one place, so that `fsck` can take them again and compare.

use std::sync::Arc;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::{Fingerprint, PublicKey};
use attestry_schemas::merkle;
use attestry_schemas::oci::image_signature::ImageSignature;
use attestry_schemas::predicate::attestry::tag::TagMove;
use attestry_schemas::predicate::vsa::VerificationSummary;
use attestry_schemas::predicate::{self, Predicate as _};
use attestry_schemas::rekor::{Entry, Verifier};
use attestry_schemas::statement::Statement;
use attestry_schemas::verify::{self, Certified, SignedMessage, SignedStatement, Signer, Verified};

use crate::store::content::Claim;
use crate::store::key::{Edge, EdgeKind, Term, TermKind};
use crate::store::record::{Kind, MAX_RECORDED_SUBJECTS, RecordedSubject};
use crate::store::{Store, StoreError};

/// A leaf with its payload, ready for the sequencer.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The leaf's body.
    pub body: Vec<u8>,
    /// The leaf's hash.
    pub leaf_hash: Sha256,
    /// The hash of the leaf that the same signature has in its other form, where it has one. The
    /// two are one entry of the log.
    pub other_hash: Option<Sha256>,
    /// What the store keeps beside the leaf.
    pub payload: Payload,
    /// Keeps a file of the payload until the batch refers to it.
    pub claim: Option<Arc<Claim>>,
}

/// What the store keeps beside a leaf.
#[derive(Debug, Clone)]
pub struct Payload {
    /// What the leaf stands for.
    pub kind: Kind,
    /// The digest of `bytes`; of the leaf's body when there are none.
    pub digest: Sha256,
    /// The bytes that are kept as content.
    pub bytes: Vec<u8>,
    /// The namespace.
    pub namespace: String,
    /// Whether it came over the path that needs no token, so that nobody has claimed it.
    pub unclaimed: bool,
    /// Who signed.
    pub signer: Signer,
    /// Whether the registry is told to trust the signer.
    pub signer_known: bool,
    /// The predicate type, for envelopes.
    pub predicate_type: Option<String>,
    /// The subjects that listings show.
    pub subjects: Vec<RecordedSubject>,
    /// How many subjects there are.
    pub subject_count: u64,
    /// The terms by which it is found.
    pub terms: Vec<Term>,
    /// The edges of the graph that it proves.
    pub edges: Vec<Edge>,
}

impl Payload {
    /// Says that the signature is one of this digest, too; listings show it first.
    fn extend_to(&mut self, digest: Option<Digest>) {
        let Some(digest) = digest else { return };
        let (text, to) = (digest.to_string(), self.signer.to_string());
        self.terms.push(Term::new(TermKind::Subject, text.as_str()));
        self.edges.push(Edge { from: text, kind: EdgeKind::SignedBy, to });
        self.subjects.insert(0, RecordedSubject { name: None, digests: vec![digest] });
        self.subject_count += 1;
        self.terms.sort();
        self.edges.sort();
    }

    /// As [`Kind::completeness`].
    #[must_use]
    pub fn completeness(&self) -> u8 {
        self.kind.completeness(self.predicate_type.is_some())
    }

    /// Whether it is what the registry itself records with this key, a verification summary or the move of a tag.
    #[must_use]
    pub fn is_own_record(&self, key: &Fingerprint) -> bool {
        let is_record = |text: &str| text == VerificationSummary::URI || text == TagMove::URI;
        self.predicate_type.as_deref().is_some_and(is_record) && self.signer == *key
    }
}

impl Submission {
    /// The submission of a verified envelope. `bytes` is the envelope as it was sent.
    #[must_use]
    pub fn of_statement(
        signed: &Verified<SignedStatement>,
        bytes: Vec<u8>,
        namespace: &str,
        signer_known: bool,
    ) -> Self {
        let signed = signed.get();
        Self::new(&signed.entry, |_| {
            let signer = signed.author.signer();
            let kind = Kind::Envelope;
            statement_payload(kind, &signed.statement, signer, bytes, namespace, signer_known)
        })
    }

    /// The submission of a verified signature over an artifact's digest. The stored bytes are its
    /// bundle without log entries, in canonical form.
    #[must_use]
    pub fn of_message(
        signed: &Verified<SignedMessage>,
        namespace: &str,
        signer_known: bool,
    ) -> Self {
        let signed = signed.get();
        let content = Content::Message(signed.message.clone());
        let bytes = Bundle::of_signer(signed.author.material(), content).to_json();
        Self::new(&signed.entry, |_| {
            let (kind, digest) = (Kind::Message, signed.message.digest.clone());
            let signer = signed.author.signer();
            digest_payload(kind, digest, signer, bytes, namespace, signer_known)
        })
    }

    /// The submission of a verified signature over a document that names an image; `signature` is both.
    #[must_use]
    pub fn of_image_signature(
        signed: &Verified<SignedMessage>,
        signature: &ImageSignature,
        namespace: &str,
        signer_known: bool,
    ) -> Self {
        let signed = signed.get();
        let bytes = signature.to_json(&signed.author);
        Self::new(&signed.entry, |_| {
            let digest = signed.message.digest.clone();
            let mut payload = digest_payload(
                Kind::ImageSignature,
                digest,
                signed.author.signer(),
                bytes,
                namespace,
                signer_known,
            );
            payload.extend_to(signed.image.clone());
            payload
        })
    }

    /// The submission of what a certificate's holder signed. `bytes` is its bundle, in canonical form, with what proves when the
    /// certificate was used.
    #[must_use]
    pub fn of_bundle(
        certified: &Certified,
        bytes: Vec<u8>,
        namespace: &str,
        signer_known: bool,
    ) -> Self {
        let signer = certified.author().signer();
        Self::new(certified.entry(), |_| {
            let kind = Kind::Bundle;
            match certified {
                Certified::Statement(signed) => {
                    let statement = &signed.get().statement;
                    statement_payload(kind, statement, signer, bytes, namespace, signer_known)
                }
                Certified::Message(signed) => {
                    let digest = signed.get().message.digest.clone();
                    digest_payload(kind, digest, signer, bytes, namespace, signer_known)
                }
            }
        })
    }

    /// The submission of a verified entry of which nothing but the digest is known.
    #[must_use]
    pub fn of_entry(entry: &Entry, key: &PublicKey, namespace: &str, signer_known: bool) -> Self {
        Self::new(entry, |_| {
            let digest = entry.digest.into();
            let signer = key.fingerprint().into();
            digest_payload(Kind::Entry, digest, signer, Vec::new(), namespace, signer_known)
        })
        .unclaimed()
    }

    /// Marks it as come over the path that needs no token: whoever submits it with one may still
    /// say where it belongs.
    #[must_use]
    pub fn unclaimed(mut self) -> Self {
        self.payload.unclaimed = true;
        self
    }

    /// What the forms of one signature have in common.
    #[must_use]
    pub fn identity(&self) -> Sha256 {
        self.other_hash.map_or(self.leaf_hash, |other| other.min(self.leaf_hash))
    }

    /// Makes its content durable where that is too large for a batch, and keeps it until the batch is written.
    ///
    /// # Errors
    /// [`StoreError::Content`].
    pub fn prepared(mut self, store: &Store) -> Result<Self, StoreError> {
        let claim = store.prepare_content(self.payload.digest, &self.payload.bytes)?;
        self.claim = claim.map(Arc::new);
        Ok(self)
    }

    fn new(entry: &Entry, payload: impl FnOnce(&[u8]) -> Payload) -> Self {
        let body = entry.body();
        let leaf_hash = merkle::leaf_hash(&body);
        let mut payload = payload(&body);
        payload.digest = match payload.kind {
            Kind::Entry => Sha256::of(&body),
            _ => Sha256::of(&payload.bytes),
        };
        let other_hash = entry.other_form().map(|other| other.leaf_hash());
        Self { body, leaf_hash, other_hash, payload, claim: None }
    }

    /// Takes a payload again from what is stored, as it was taken when it came.
    ///
    /// # Errors
    /// What does not parse, in words.
    pub fn from_stored(
        kind: Kind,
        body: &[u8],
        bytes: Vec<u8>,
        namespace: &str,
        signer_known: bool,
    ) -> Result<Self, String> {
        let words = |e: &(dyn std::error::Error + 'static)| attestry_schemas::problem::chain(e);
        let entry = Entry::parse(body).map_err(|e| words(&e))?;
        let mut submission = match (&entry.verifier, kind) {
            (Verifier::PublicKey(key), _) => {
                Self::from_stored_of_key(kind, &entry, key, bytes, namespace, signer_known)?
            }
            (Verifier::Certificate { .. }, Kind::Bundle) => {
                let bundle = Bundle::parse(&bytes).map_err(|e| words(&e))?;
                let certified = verify::own_bundle_signature(&bundle).map_err(|e| words(&e))?;
                Self::of_bundle(&certified, bytes, namespace, signer_known)
            }
            (Verifier::Certificate { .. }, _) => {
                return Err("the leaf was not made by a key".to_owned());
            }
        };
        let leaf_hash = merkle::leaf_hash(body);
        if submission.other_hash == Some(leaf_hash) {
            // It joined a leaf that records its signature in the other form.
            submission.other_hash = Some(std::mem::replace(&mut submission.leaf_hash, leaf_hash));
            submission.body = body.to_vec();
        }
        if submission.body == body {
            Ok(submission)
        } else {
            Err("the leaf records another signature".to_owned())
        }
    }

    fn from_stored_of_key(
        kind: Kind,
        entry: &Entry,
        key: &PublicKey,
        bytes: Vec<u8>,
        namespace: &str,
        signer_known: bool,
    ) -> Result<Self, String> {
        let words = |e: &(dyn std::error::Error + 'static)| attestry_schemas::problem::chain(e);
        let keys = std::slice::from_ref(key);
        Ok(match kind {
            Kind::Entry => Self::of_entry(entry, key, namespace, signer_known),
            Kind::Envelope => {
                let envelope = Envelope::parse(&bytes).map_err(|e| words(&e))?;
                let signed = verify::envelope(&envelope, keys).map_err(|e| words(&e))?;
                Self::of_statement(&signed, bytes, namespace, signer_known)
            }
            Kind::Message => {
                let bundle = Bundle::parse(&bytes).map_err(|e| words(&e))?;
                let Content::Message(message) = &bundle.content else {
                    return Err("expected a message signature, found an envelope".to_owned());
                };
                let signed = verify::message(message, keys).map_err(|e| words(&e))?;
                Self::of_message(&signed, namespace, signer_known)
            }
            Kind::ImageSignature => {
                let signature = ImageSignature::parse(&bytes).map_err(|e| words(&e))?;
                let signed = verify::image_signature(&signature, keys).map_err(|e| words(&e))?;
                Self::of_image_signature(&signed, &signature, namespace, signer_known)
            }
            Kind::Bundle => return Err("the leaf was not made by a certificate".to_owned()),
        })
    }
}

fn digest_payload(
    kind: Kind,
    artifact: Digest,
    signer: Signer,
    bytes: Vec<u8>,
    namespace: &str,
    signer_known: bool,
) -> Payload {
    let terms = vec![
        Term::new(TermKind::Subject, artifact.to_string()),
        Term::new(TermKind::Signer, signer.to_string()),
        Term::new(TermKind::Namespace, namespace),
    ];
    let edges =
        vec![Edge { from: artifact.to_string(), kind: EdgeKind::SignedBy, to: signer.to_string() }];
    Payload {
        kind,
        digest: Sha256([0; 32]),
        bytes,
        namespace: namespace.to_owned(),
        unclaimed: false,
        signer,
        signer_known,
        predicate_type: None,
        subjects: vec![RecordedSubject { name: None, digests: vec![artifact] }],
        subject_count: 1,
        terms,
        edges,
    }
}

fn statement_payload(
    kind: Kind,
    statement: &Statement,
    signer: Signer,
    bytes: Vec<u8>,
    namespace: &str,
    signer_known: bool,
) -> Payload {
    let (terms, edges) = index(statement, &signer, namespace);
    let subjects = statement.subject.iter().take(MAX_RECORDED_SUBJECTS).map(|subject| {
        let digests = subject.digest.iter().flat_map(|set| set.iter().collect::<Vec<_>>());
        RecordedSubject { name: subject.name.clone(), digests: digests.collect() }
    });
    Payload {
        kind,
        digest: Sha256([0; 32]),
        bytes,
        namespace: namespace.to_owned(),
        unclaimed: false,
        signer,
        signer_known,
        predicate_type: Some(statement.predicate_type.clone()),
        subjects: subjects.collect(),
        subject_count: statement.subject.len() as u64,
        terms,
        edges,
    }
}

/// The terms and edges of a statement, sorted and each once.
fn index(statement: &Statement, signer: &Signer, namespace: &str) -> (Vec<Term>, Vec<Edge>) {
    let facts = predicate::facts(&statement.predicate_type, &statement.predicate);
    let mut terms = vec![
        Term::new(TermKind::PredicateType, statement.predicate_type.clone()),
        Term::new(TermKind::Signer, signer.to_string()),
        Term::new(TermKind::Namespace, namespace),
    ];
    let mut add = |kind: TermKind, value: &str| terms.push(Term::new(kind, value));
    if let Some(known) = predicate::from_uri(&statement.predicate_type) {
        add(TermKind::TypeName, known.short);
    }
    // What the subjects are tied to, with the kind of the tie.
    let mut ties = vec![
        (EdgeKind::SignedBy, signer.to_string()),
        (EdgeKind::Attests, statement.predicate_type.clone()),
    ];
    if let Some(builder) = &facts.builder_id {
        add(TermKind::Builder, builder);
        ties.push((EdgeKind::BuiltBy, builder.clone()));
    }
    for source in &facts.sources {
        add(TermKind::Source, &source.repository);
        if let Some(commit) = &source.commit {
            add(TermKind::Commit, commit);
            ties.push((EdgeKind::BuiltFromCommit, format!("gitCommit:{commit}")));
        }
    }
    for digest in facts.materials.iter().flat_map(|m| &m.digests) {
        add(TermKind::Material, &digest.to_string());
        ties.push((EdgeKind::BuiltFrom, digest.to_string()));
    }
    for digest in &facts.component_digests {
        add(TermKind::Component, &digest.to_string());
    }
    for purl in &facts.purls {
        // In its one spelling, in full, without qualifiers, and without version: each finds it.
        for name in predicate::purl_names(purl) {
            add(TermKind::Component, &name);
        }
        ties.push((EdgeKind::Contains, purl.clone()));
    }
    for (kind, value) in
        [(TermKind::Verdict, &facts.verdict), (TermKind::Environment, &facts.environment)]
    {
        if let Some(value) = value {
            add(kind, value);
        }
    }
    // Where a tag points is no evidence about the manifest: whoever may push could make any number of such statements.
    let is_tag = statement.predicate_type == TagMove::URI;
    let names = statement.subject.iter().filter_map(|s| s.name.as_deref());
    for name in names.filter(|_| !is_tag) {
        add(TermKind::SubjectName, name);
    }
    let mut edges = Vec::new();
    for digest in statement.subject_digests() {
        let from = digest.to_string();
        add(if is_tag { TermKind::Tagged } else { TermKind::Subject }, &from);
        // The graph hangs on the first digests; a statement of a thousand subjects and a
        // thousand materials is not a million edges.
        if edges.len() < MAX_EDGES {
            let edge = |(kind, to): &(EdgeKind, String)| Edge {
                from: from.clone(),
                kind: *kind,
                to: to.clone(),
            };
            edges.extend(ties.iter().map(edge));
        }
    }
    terms.sort();
    terms.dedup();
    edges.sort();
    edges.dedup();
    edges.truncate(MAX_EDGES);
    (terms, edges)
}

/// The most edges that one statement adds to the graph.
pub const MAX_EDGES: usize = 4096;
