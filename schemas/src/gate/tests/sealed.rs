//! Facts at rest. That every kind of evidence is read back as it was, every test of the gate demands: see [`Trial::held`].

use super::*;
use crate::note::NoteKey;
use crate::verify::{OwnLeaves, Verified};

/// The leaves of a log of 256, and the seal of its registry.
pub(super) struct Own {
    pub(super) seal: Seal,
    pub(super) leaves: Verified<OwnLeaves>,
}

impl Own {
    pub(super) fn of(name: &str) -> Self {
        let key = key(name);
        let mut tile = crate::tile::Pyramid::new();
        let hashes: Vec<Sha256> = (0..=255).map(|n| Sha256([n; 32])).collect();
        hashes.iter().for_each(|hash| tile.push(*hash).unwrap());
        let head = crate::checkpoint::Checkpoint {
            origin: "registry.example.com".to_owned(),
            size: 256,
            root: tile.node(8, 0).unwrap(),
            extensions: Vec::new(),
        };
        let signed = crate::checkpoint::SignedCheckpoint::sign(&head, &key, 1_700_000_000).unwrap();
        let raw = key.public_key().ed25519_raw().unwrap();
        let note_key = NoteKey::ed25519(&head.origin, raw).unwrap();
        let leaves = verify::own_leaves(&signed.into_string(), &note_key, &tile, 0, &[]).unwrap();
        Self { seal: Seal::of(&key), leaves }
    }

    pub(super) fn leaf(&self, index: u64) -> Sha256 {
        *self.leaves.get().hash(index).unwrap()
    }

    /// Closes and opens.
    #[track_caller]
    pub(super) fn demand_kept(&self, evidence: &Evidence) {
        let sealed = self.seal.close(evidence, &self.leaf(evidence.index())).expect("it is kept");
        let opened = self.seal.open(&sealed, &self.leaves, evidence.index());
        assert_eq!(opened, Ok(evidence.clone()));
    }
}

#[test]
fn whatever_a_predicate_holds_is_read_back() {
    let own = Own::of("log");
    let mut predicate = provenance_of(BUILDER, REPOSITORY, COMMIT);
    predicate["buildDefinition"]["externalParameters"] = json!({
        "numbers": [0, -1, u64::MAX, i64::MIN, 1.0, -0.0, 1.5, 1e300, 5e-324, 0.1],
        "texts": ["", "ü", "\u{0}", "𝄞"],
        "nothing": null, "": { "": [[], {}] }, "yes": true,
    });
    own.demand_kept(&Saying::of("ci", "provenance", predicate).evidence(3));
    let unknown = Saying::of("ci", "https://example.com/unknown/v1", json!({ "a": [1.5, null] }));
    own.demand_kept(&unknown.evidence(0));
    let malformed = Saying::of("scanner", "vulns", json!({ "scanner": 1 })).evidence(255);
    assert!(matches!(malformed.said(), Said::Malformed(_)));
    own.demand_kept(&malformed);
}

/// The verdict about something that runs.
fn judged_while_running() -> Saying {
    let mut trial = Trial::of(&rule("signature", ""));
    trial.question.purpose = Purpose::Run(Run {
        deployment: other_artifact(),
        name: Some(NAME.to_owned()),
        because: Some(artifact()),
        since: Some(time(LOGGED)),
    });
    Saying::of("gate", "vsa", trial.decide().statement().predicate)
}

/// What is kept has members by number and no names: another order, another member, another variant before one would be read as
/// something else. Whoever changes a type that is kept changes [`SEALED_FORMAT`] with it, and then this digest.
#[test]
fn what_is_kept_has_its_form_by_its_format() {
    let own = Own::of("log");
    let product = json!({ "products": [{ "@id": "pkg:oci/api", "subcomponents": [{ "@id": "pkg:deb/debian/x" }] }] });
    let package = json!({ "package": "x", "purl": "pkg:deb/debian/x", "aliases": ["GHSA-1"] });
    let sayings = [
        signature("ci"),
        built(),
        tested("tester", "FAILED", &["unit"], &["e2e"]),
        vuln_scan::annotated("CVE-1", package, LOGGED),
        vuln_scan::vex("triage", "not_affected", "CVE-1", product),
        sbom::cyclonedx(json!([{ "type": "library", "name": "x", "purl": "pkg:deb/debian/x" }])),
        secret_scan::searched("gitleaks", &["one"], LOGGED),
        readiness::checked("kube-bench", "production", &[("1", "PASSED", "HIGH")], LOGGED),
        summary("verifier", "https://verifier.example", "PASSED", &["SLSA_BUILD_LEVEL_3"]),
        reviewed("host", "alice", &["bob"]),
        approval("alice", "2026-12-01T00:00:00Z"),
        waiver("alice", "vuln-scan", "CVE-1", "2026-12-01T00:00:00Z"),
        break_glass::glass("alice", "2026-11-27T12:00:00Z"),
        deployed("deployed", "production", Some(artifact()), LOGGED),
        judged_while_running(),
    ];
    let mut all = Vec::new();
    for saying in sayings {
        all.extend(own.seal.close(&saying.evidence(7), &own.leaf(7)).expect("it is kept"));
    }
    let expected = match SEALED_FORMAT {
        0x04 => "fee79a9c2b1a0ebe80022116c72452f7d0ba18062436e73437180c42e8d9222e",
        _ => "51a17cca46f29f10579d6e6f1935239c39ef8bf9b99389ca177560ec2714a6d3",
    };
    assert_eq!(Sha256::of(&all).hex(), expected, "format {SEALED_FORMAT:#04x}");
}

#[test]
fn facts_are_of_one_leaf_and_of_one_registry() {
    let own = Own::of("log");
    let evidence = tested("tester", "PASSED", &["unit"], &[]).evidence(5);
    let sealed = own.seal.close(&evidence, &own.leaf(5)).unwrap();
    let refused = |own: &Own, sealed: &[u8], index: u64| {
        own.seal.open(sealed, &own.leaves, index).unwrap_err()
    };
    let broken = SealError::Seal(own.leaf(5));
    assert_eq!(refused(&own, &sealed, 6), SealError::Seal(own.leaf(6)), "another leaf");
    assert_eq!(refused(&own, &sealed, 256), SealError::Leaf(256));
    assert_eq!(refused(&Own::of("another log"), &sealed, 5), broken, "another registry");
    for length in 1..sealed.len() {
        assert_eq!(refused(&own, &sealed[..length], 5), broken, "{length}");
    }
    assert_eq!(refused(&own, &[], 5), SealError::Format(0));
    for place in 1..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert_eq!(refused(&own, &changed, 5), broken, "{place}");
    }
    let mut other = sealed;
    other[0] ^= 0x40;
    assert_eq!(refused(&own, &other, 5), SealError::Format(SEALED_FORMAT ^ 0x40));
}

#[test]
fn the_secrets_of_two_purposes_and_of_two_keys_differ() {
    let (one, other) = (key("one"), key("other"));
    assert_eq!(one.derived(b"a"), one.derived(b"a"));
    assert_ne!(one.derived(b"a"), one.derived(b"b"));
    assert_ne!(one.derived(b"a"), other.derived(b"a"));
}
