//! Targets for signed documents: JSON, digests, envelopes, statements, predicates, bundles, links.

use attestry_schemas::bundle::Bundle;
use attestry_schemas::classic_link::ClassicLink;
use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::json as strict;
use attestry_schemas::predicate::{self, Severity};
use attestry_schemas::statement::Statement;

use crate::{MAX_JSON_BYTES, text};

/// Strict JSON and its canonical form (RFC 8785), which must be a fixed point.
pub fn json(input: &[u8]) -> bool {
    let Ok(value) = strict::parse(input, MAX_JSON_BYTES) else { return false };
    assert!(serde_json::from_slice::<serde_json::Value>(input).is_ok(), "strict accepts less");
    let canonical = strict::canonical(&value).expect("parsed JSON has a canonical form");
    let again = strict::parse(&canonical, usize::MAX).expect("the canonical form parses");
    let twice = strict::canonical(&again).expect("the canonical form has one");
    assert_eq!(canonical, twice, "the canonical form is not a fixed point");
    true
}

/// A digest as text, or a digest set as JSON.
pub fn digest(input: &[u8]) -> bool {
    let one = text(input).and_then(|text| text.parse::<Digest>().ok());
    if let Some(digest) = &one {
        assert_eq!(Some(digest.to_string().as_str()), text(input), "a digest has one spelling");
        if let Some(raw) = digest.as_sha256() {
            assert_eq!(Digest::from(raw), *digest);
            assert_eq!(digest.to_string().parse(), Ok(raw) as Result<Sha256, _>);
        }
        assert!(DigestSet::from(digest.clone()).contains(digest));
    }
    let set: Option<DigestSet> = strict::read(input, MAX_JSON_BYTES, "the digest set").ok();
    if let Some(set) = &set {
        assert!(set.iter().count() > 0, "an empty digest set matches nothing");
        for digest in set.iter() {
            assert_eq!(digest.to_string().parse().as_ref(), Ok(&digest));
            assert!(set.contains(&digest));
        }
        let written = serde_json::to_vec(set).expect("a digest set is JSON");
        assert_eq!(strict::read(&written, usize::MAX, "the digest set").as_ref(), Ok(set));
    }
    one.is_some() || set.is_some()
}

/// A DSSE envelope; only its hint `keyid` may be lost.
pub fn dsse(input: &[u8]) -> bool {
    let Ok(envelope) = Envelope::parse(input) else { return false };
    let again =
        Envelope::parse(&envelope.to_json()).expect("what parsed is written so that it parses");
    assert_eq!(again.pae(), envelope.pae(), "the signed bytes changed");
    assert_eq!(again.to_json(), envelope.to_json(), "an envelope has one spelling");
    assert_eq!(again, Envelope { keyid: None, ..envelope });
    true
}

/// An in-toto statement.
pub fn statement(input: &[u8]) -> bool {
    let Ok(statement) = Statement::parse(input) else { return false };
    assert!(
        statement.subject_digests().count() >= statement.subject.len(),
        "a subject without digest"
    );
    let written = statement.to_json();
    let again = Statement::parse(&written).expect("what parsed is written so that it parses");
    assert_eq!(again, statement);
    assert_eq!(again.to_json(), written);
    true
}

/// The validators of predicates and the facts taken from them, behind every statement that parses.
pub fn predicate_lint(input: &[u8]) -> bool {
    let Ok(statement) = Statement::parse(input) else { return false };
    let (uri, body) = (statement.predicate_type.as_str(), &statement.predicate);
    let findings = predicate::lint(uri, body);
    assert_eq!(findings, predicate::lint(uri, body), "a lint is a pure function");
    let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    let checked = predicate::check(uri, body);
    assert_eq!(checked.is_err(), refused, "check refuses what lint calls an error, and only that");
    let _ = predicate::facts(uri, body);
    checked.is_ok()
}

/// A Sigstore bundle, any version that is read.
pub fn bundle(input: &[u8]) -> bool {
    let Ok(bundle) = Bundle::parse(input) else { return false };
    let written = bundle.to_json();
    let again = Bundle::parse(&written).expect("what parsed is written so that it parses");
    assert_eq!(again.to_json(), written, "a bundle has one spelling");
    let stripped = bundle.stripped();
    assert!(stripped.tlog_entries.is_empty() && stripped.timestamps.is_empty());
    true
}

/// A classic in-toto link; what its signatures cover must not change.
pub fn classic_link(input: &[u8]) -> bool {
    let Ok(link) = ClassicLink::parse(input) else { return false };
    let written = link.to_json();
    let again = ClassicLink::parse(&written).expect("what parsed is written so that it parses");
    assert_eq!(again, link);
    assert_eq!(again.to_json(), written);
    assert!(!link.file_name().contains(['/', '\\']), "a file name with folders");
    assert_eq!(link.file_names().len(), link.signatures().len());
    true
}
