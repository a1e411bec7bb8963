//! Bundles of public Sigstore, GitHub and npm, with the roots that ship embedded.
//!
//! They are read from where they are collected and not copied here; without them these tests say
//! that they are skipped.

use std::path::Path;

use super::*;
use crate::bundle::SignerMaterial;

const GITHUB_ACTIONS: &str = "https://token.actions.githubusercontent.com";
/// The key with which npm signed what was published to it, as its log entries name it.
const NPM_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i
6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==
-----END PUBLIC KEY-----
";
const GUNDAM_VISOR: &str = "sha512:8d9d7972f676516c75014aa074e11ae604d98f0b64ec6725a61e2838ff3dab162118fa71433fb31e1550d30bd0dec9d086ce032b94457b583900c507acf39c40";

/// A bundle with a certificate, and what it proves.
struct Sample {
    file: &'static str,
    identity: &'static str,
    digest: &'static str,
    claim: &'static str,
}

const SAMPLES: &[Sample] = &[
    // GitHub's root, time by RFC 3161.
    Sample {
        file: "github-artifact-attestation.bundle.jsonl",
        identity: "https://github.com/actions/attest-demo/.github/workflows/build-python.yml@refs/heads/main",
        digest: "sha256:ae57936def59bc4c75edd3a837d89bcefc6d3a5e31d55a6fa7a71624f92c3c3b",
        claim: "provenance",
    },
    // Public Sigstore, entry of kind intoto, a subject with SHA-512 alone.
    Sample {
        file: "npm-sigstore-js-2.1.0.bundle.json",
        identity: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
        digest: "sha512:90f223f992e4c88dd068cd2a5fc57f9d2b30798343dd6e38f29c240e04ba090ef831f84490847c4e82b9232c78e8a258463b1e55c0f7469f730265008fa6633f",
        claim: "provenance",
    },
    // Public Sigstore, entry of kind dsse, Statement v0.1 with provenance v0.2.
    Sample {
        file: "slsa-github-generator-2.1.0.intoto.jsonl",
        identity: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@refs/tags/v2.1.0",
        digest: "sha256:376e7e01348585b6e6643bc6663146b9d525d9b41228bf180eaeb4d4a3706caa",
        claim: "slsaprovenance",
    },
    // Public Sigstore, entry of kind dsse, Statement v1.
    Sample {
        file: "bazel-central-registry.intoto.jsonl",
        identity: "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml@refs/tags/v0.0.1",
        digest: "sha256:06ce330900a7d6403bc8d88e5dfad6aeeb8ae40179f66bb89e69c8bf6f6b1a0b",
        claim: "provenance",
    },
];

fn read(file: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/provenance");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(std::fs::read(folder.join(file)).unwrap())
}

/// Everything of one verification by identity.
struct ByIdentity {
    bundle: Bundle,
    identity: Identity,
    digest: Digest,
    claim: Claim,
    root: Option<TrustedRoot>,
}

impl ByIdentity {
    fn of(sample: &Sample) -> Option<Self> {
        let text = read(sample.file)?;
        let line = text.split(|byte| *byte == b'\n').next().filter(|line| line.ends_with(b"}"));
        Some(Self {
            bundle: Bundle::parse(line.unwrap_or(&text)).unwrap(),
            identity: Identity {
                subject: sample.identity.to_owned(),
                issuer: GITHUB_ACTIONS.to_owned(),
            },
            digest: sample.digest.parse().unwrap(),
            claim: Claim::Type(sample.claim.to_owned()),
            root: None,
        })
    }

    fn verify(&self) -> Result<Evidence, Refusal> {
        let keys = Keys::Identity(self.identity.clone());
        let verifier = Verifier { keys, root: self.root.as_ref() };
        let subject = Subject::of_digest(&self.digest);
        verifier.bundle(&self.bundle, subject, &self.claim).map(Verified::into_inner)
    }
}

#[test]
fn real_bundles_verify_with_their_identity_and_the_embedded_roots() {
    for sample in SAMPLES {
        let Some(good) = ByIdentity::of(sample) else { return };
        let evidence = good.verify().unwrap_or_else(|e| panic!("{}: {e}", sample.file));
        let Identity { subject, issuer } = good.identity;
        assert_eq!(evidence.signer, Signer::Identity { subject, issuer }, "{}", sample.file);
        assert_eq!(evidence.subject, good.digest, "{}", sample.file);
        let checks: Vec<Check> = evidence.passed.iter().map(|passed| passed.check).collect();
        assert_eq!(checks, [Check::Certificate, Check::Type, Check::Subject], "{}", sample.file);
    }
}

#[test]
fn a_registry_takes_them_from_whoever_they_are_and_reads_them_back() {
    for sample in SAMPLES {
        let Some(good) = ByIdentity::of(sample) else { return };
        let certified = certified(&good.bundle, &CertificateRoots::embedded())
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", sample.file));
        let Identity { subject, issuer } = good.identity;
        assert_eq!(certified.author().signer(), Signer::Identity { subject, issuer });
        assert_eq!(own_bundle_signature(&good.bundle).unwrap(), certified, "{}", sample.file);
        let canonical = crate::json::canonical(&good.bundle.to_value()).unwrap();
        assert_eq!(good.bundle.to_json(), canonical, "{}", sample.file);
    }
}

#[test]
fn anyone_s_certificate_verifies_and_says_whose_it_is() {
    let verify = |trial: &ByIdentity| {
        let verifier = Verifier { keys: Keys::AnyIdentity, root: trial.root.as_ref() };
        let subject = Subject::of_digest(&trial.digest);
        verifier.bundle(&trial.bundle, subject, &trial.claim).map(Verified::into_inner)
    };
    for sample in SAMPLES {
        let Some(good) = ByIdentity::of(sample) else { return };
        let evidence = verify(&good).unwrap_or_else(|e| panic!("{}: {e}", sample.file));
        let Identity { subject, issuer } = good.identity;
        assert_eq!(evidence.signer, Signer::Identity { subject, issuer }, "{}", sample.file);
    }
    for (rule, change, failing, _) in ATTACKS {
        let of_identity = rule.contains("identity") || rule.contains("issuer");
        let Some(mut trial) = ByIdentity::of(&SAMPLES[1]) else { return };
        change(&mut trial);
        match verify(&trial) {
            Ok(_) => assert!(of_identity, "{rule}"),
            Err(refusal) => assert_eq!(refusal.check, *failing, "{rule}"),
        }
    }
    let mut managed = Trial::attestation();
    managed.keys = Keys::AnyIdentity;
    let refusal = managed.verify().unwrap_err();
    assert_eq!(refusal.check, Check::Certificate);
    assert!(refusal.found.contains("managed key"), "{refusal}");
}

#[test]
fn a_real_bundle_is_asked_for_the_digest_that_its_statement_names() {
    for sample in SAMPLES {
        let Some(good) = ByIdentity::of(sample) else { return };
        let (algorithm, _) = sample.digest.split_once(':').unwrap();
        let sha256 = match algorithm {
            "sha256" => good.digest,
            _ => digest(ARTIFACT),
        };
        assert_eq!(subject_algorithm(&good.bundle, &sha256).name(), algorithm, "{}", sample.file);
    }
}

/// The rule, how it is broken, the check that says so, and what it found.
type RealCase = (&'static str, fn(&mut ByIdentity), Check, &'static str);

const ATTACKS: &[RealCase] = &[
    (
        "the identity is exact",
        |t| t.identity.subject.push('x'),
        Check::Certificate,
        "identity mismatch",
    ),
    (
        "the identity is whole",
        |t| {
            t.identity.subject.pop();
        },
        Check::Certificate,
        "identity mismatch",
    ),
    (
        "the identity is not any",
        |t| t.identity.subject.clear(),
        Check::Certificate,
        "identity mismatch",
    ),
    (
        "the issuer is exact",
        |t| t.identity.issuer = "https://accounts.google.com".to_owned(),
        Check::Certificate,
        "issuer mismatch",
    ),
    ("the issuer is not any", |t| t.identity.issuer.clear(), Check::Certificate, "issuer mismatch"),
    ("the artifact is the one", |t| t.digest = digest(OTHER), Check::Subject, "an artifact with"),
    ("the type is the one", |t| t.claim = Claim::Type("vsa".to_owned()), Check::Type, "provenance"),
    ("provenance is no signature", |t| t.claim = Claim::Signature, Check::Type, "provenance"),
    (
        "a certificate is only as good as its time, which something must prove",
        |t| t.bundle = t.bundle.stripped(),
        Check::Certificate,
        "Sigstore's public root: the bundle has no log entry",
    ),
    (
        "the certificate chains to the root that was given",
        |t| t.root = Some(Trial::attestation().log.root()),
        Check::Certificate,
        "the given trusted root",
    ),
    (
        "the signature covers the payload",
        |t| {
            if let Content::Envelope(envelope) = &mut t.bundle.content {
                envelope.payload.push(b' ');
            }
        },
        Check::Certificate,
        "",
    ),
    (
        "the signature is the certificate's",
        |t| {
            if let Content::Envelope(envelope) = &mut t.bundle.content {
                envelope.signature = p256(1).sign(&envelope.pae());
            }
        },
        Check::Certificate,
        "",
    ),
    (
        "the certificate is as it was issued",
        |t| {
            let SignerMaterial::Certificate { der } = &mut t.bundle.signer else {
                panic!("a certificate is expected");
            };
            let last = der.len() - 1;
            der[last] ^= 1;
        },
        Check::Certificate,
        "",
    ),
];

#[test]
fn refuses_each_attack_on_a_real_bundle() {
    for sample in SAMPLES {
        for (rule, change, failing, found) in ATTACKS {
            let Some(mut trial) = ByIdentity::of(sample) else { return };
            change(&mut trial);
            let file = sample.file;
            let refusal = match trial.verify() {
                Ok(evidence) => panic!("{file}: {rule}: verified as {evidence:?}"),
                Err(refusal) => refusal,
            };
            assert_eq!(refusal.check, *failing, "{file}: {rule}: {refusal}");
            assert!(
                refusal.found.to_lowercase().contains(&found.to_lowercase()),
                "{file}: {rule}: {refusal}"
            );
        }
    }
}

#[test]
fn a_time_that_nobody_signed_proves_nothing() {
    for sample in SAMPLES {
        let Some(good) = ByIdentity::of(sample) else { return };
        for at in 0..good.bundle.tlog_entries.len() {
            let changes: [fn(&mut TlogEntry); 5] = [
                |e| e.inclusion_promise = None,
                |e| e.integrated_time += 1,
                |e| e.integrated_time = 0,
                |e| e.log_index += 1,
                |e| e.inclusion_promise.as_mut().unwrap().signed_entry_timestamp[10] ^= 1,
            ];
            for (n, change) in changes.into_iter().enumerate() {
                let mut trial = ByIdentity::of(sample).unwrap();
                change(&mut trial.bundle.tlog_entries[at]);
                let refusal = trial.verify().expect_err(&format!("{} change {n}", sample.file));
                assert_eq!(refusal.check, Check::Certificate, "{} change {n}", sample.file);
            }
        }
        for at in 0..good.bundle.timestamps.len() {
            let mut trial = ByIdentity::of(sample).unwrap();
            let last = trial.bundle.timestamps[at].len() - 1;
            trial.bundle.timestamps[at][last] ^= 1;
            let refusal = trial.verify().expect_err(sample.file);
            assert_eq!(refusal.check, Check::Certificate, "{}", sample.file);
        }
    }
}

#[test]
fn a_real_inclusion_proof_counts_to_its_last_bit() {
    for sample in SAMPLES {
        let Some(good) = ByIdentity::of(sample) else { return };
        for at in 0..good.bundle.tlog_entries.len() {
            let changes: [fn(&mut InclusionProof); 4] = [
                |p| p.hashes[0][0] ^= 1,
                |p| {
                    p.hashes.pop();
                },
                |p| p.log_index ^= 1,
                |p| p.root_hash[0] ^= 1,
            ];
            for (n, change) in changes.into_iter().enumerate() {
                let mut trial = ByIdentity::of(sample).unwrap();
                change(trial.bundle.tlog_entries[at].inclusion_proof.as_mut().unwrap());
                let refusal = trial.verify().expect_err(&format!("{} change {n}", sample.file));
                assert_eq!(refusal.check, Check::Certificate, "{} change {n}", sample.file);
            }
        }
    }
}

/// The bundles of npm's answer: one of npm's own key, one of a certificate whose signature was
/// changed.
fn npm() -> Option<[Bundle; 2]> {
    let answer: serde_json::Value =
        serde_json::from_slice(&read("tampered-npm-attestations.json")?).unwrap();
    let bundle = |at: usize| Bundle::from_value(answer["attestations"][at]["bundle"].clone());
    Some([bundle(0).unwrap(), bundle(1).unwrap()])
}

#[test]
fn npm_provenance_whose_signature_was_changed_does_not_verify() {
    let Some([_, tampered]) = npm() else { return };
    let trial = ByIdentity {
        bundle: tampered,
        identity: Identity {
            subject: "https://github.com/ramonpetgrave64/gundam-visor/.github/workflows/npm-publish.yml@refs/tags/v1.0.1".to_owned(),
            issuer: GITHUB_ACTIONS.to_owned(),
        },
        digest: GUNDAM_VISOR.parse().unwrap(),
        claim: Claim::Type("provenance".to_owned()),
        root: None,
    };
    let refusal = trial.verify().unwrap_err();
    assert_eq!(refusal.check, Check::Certificate);
    assert!(refusal.found.contains("signature"), "{refusal}");
}

#[test]
fn a_managed_key_in_a_rekor_v1_log_verifies_with_the_public_root() {
    let Some([good, _]) = npm() else { return };
    let text = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
    let root = TrustedRoot::parse(text.as_bytes()).unwrap();
    let verify = |bundle: &Bundle, digest: &Digest| {
        let keys = Keys::Managed(vec![PublicKey::from_pem(NPM_KEY).unwrap()]);
        let subject = Subject::of_digest(digest);
        Verifier { keys, root: Some(&root) }.bundle(bundle, subject, &Claim::AnyType)
    };
    let artifact: Digest = GUNDAM_VISOR.parse().unwrap();
    let evidence = verify(&good, &artifact).unwrap().into_inner();
    let last = evidence.passed.last().unwrap();
    assert_eq!((last.check, last.detail.as_str()), (Check::LogEntry, "recorded in a Rekor v1 log"));

    type Change = fn(&mut Bundle);
    let cases: &[(Change, Check)] = &[
        (|b| b.tlog_entries.clear(), Check::LogEntry),
        (|b| b.tlog_entries[0].canonicalized_body.push(b' '), Check::LogEntry),
        (|b| b.tlog_entries[0].log_id.key_id[0] ^= 1, Check::LogEntry),
        (
            |b| b.tlog_entries[0].inclusion_proof.as_mut().unwrap().hashes[0][0] ^= 1,
            Check::LogEntry,
        ),
        (
            |b| {
                let proof = b.tlog_entries[0].inclusion_proof.as_mut().unwrap();
                // What the log signed is the text above the blank line.
                proof.checkpoint.envelope = proof.checkpoint.envelope.replacen('\n', "x\n", 1);
            },
            Check::LogEntry,
        ),
        (|b| *b = b.stripped(), Check::LogEntry),
        (|b| b.tlog_entries[0].kind_version.version = "0.0.9".to_owned(), Check::LogEntry),
        (
            |b| {
                let kind = &mut b.tlog_entries[0].kind_version;
                (kind.kind, kind.version) = (KIND.to_owned(), VERSION.to_owned());
            },
            Check::LogEntry,
        ),
    ];
    for (n, (change, failing)) in cases.iter().enumerate() {
        let mut bundle = good.clone();
        change(&mut bundle);
        let refusal = verify(&bundle, &artifact).expect_err(&format!("case {n}"));
        assert_eq!(refusal.check, *failing, "case {n}: {refusal}");
    }
    let refusal = verify(&good, &digest(OTHER)).unwrap_err();
    assert_eq!(refusal.check, Check::Subject, "{refusal}");
}

/// A root that ships embedded, changed.
fn changed(root: &str, change: impl FnOnce(&mut serde_json::Value)) -> Option<TrustedRoot> {
    let mut root: serde_json::Value = serde_json::from_str(root).unwrap();
    change(&mut root);
    Some(TrustedRoot::parse(root.to_string().as_bytes()).unwrap())
}

#[test]
fn a_root_decides_what_a_certificate_must_prove() {
    let public = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
    let github = sigstore_trust_root::SIGSTORE_GITHUB_TRUSTED_ROOT;
    let check = |rule: &str, sample: &Sample, root: Option<TrustedRoot>, found: Option<&str>| {
        let Some(trial) = ByIdentity::of(sample) else { return };
        let told = match (ByIdentity { root, ..trial }.verify(), found) {
            (Ok(_), None) => return,
            (Ok(_), Some(_)) => panic!("{rule}: verified"),
            (Err(refusal), _) => refusal.to_string(),
        };
        assert!(found.is_some_and(|found| told.contains(found)), "{rule}: {told}");
    };
    let [of_github, npm, ..] = SAMPLES else { panic!("two samples at least") };
    check("the public root by name", npm, changed(public, |_| ()), None);
    check("GitHub's root by name", of_github, changed(github, |_| ()), None);
    check("one root is not another", npm, changed(github, |_| ()), Some("tlog entry or timestamp"));
    let githubs: serde_json::Value = serde_json::from_str(github).unwrap();
    let mut authorities = githubs["certificateAuthorities"].clone();
    for authority in authorities.as_array_mut().unwrap() {
        authority["validFor"] = serde_json::json!({"start": "2020-01-01T00:00:00Z"});
    }
    let other_chain = changed(public, |root| root["certificateAuthorities"] = authorities);
    check("a certificate is of an authority of the root", npm, other_chain, Some("chain"));
    check("nor the other way", of_github, changed(public, |_| ()), Some("no log entry"));
    let other_logs = changed(public, |root| {
        for (log, id) in root["ctlogs"].as_array_mut().unwrap().iter_mut().zip(7..) {
            log["logId"]["keyId"] = crate::base64::encode([id; 32]).into();
        }
    });
    check("the certificate was logged where the root says", npm, other_logs, Some("SCT"));
    let no_logs = changed(public, |root| root["tlogs"] = serde_json::json!([]));
    let nothing = Some("tlog entry or timestamp");
    check("a time of a log that is not trusted proves nothing", npm, no_logs, nothing);
    let no_authorities =
        changed(github, |root| root["timestampAuthorities"] = serde_json::json!([]));
    check("nor one of another authority", of_github, no_authorities, Some("timestamp"));
}
