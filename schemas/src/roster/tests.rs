use super::trust::{Distrust, Published, Revocation, Trust};
use super::*;
use crate::predicate::attestry::governance::RevokedSigner;

const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
const OTHER: &str = "SHA256:ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs";

fn document(version: u64, more: &str) -> String {
    format!("schema = \"roster/v1\"\nversion = {version}\nexpires = 2027-12-31T00:00:00Z\n{more}")
}

fn signer(name: &str, key: &str, more: &str) -> String {
    format!("[[signer]]\nname = \"{name}\"\nkey = \"{key}\"\nmay = [\"provenance\"]\n{more}\n")
}

fn roster(version: u64, more: &str) -> Roster {
    Roster::read(document(version, more).as_bytes()).unwrap()
}

fn time(text: &str) -> UtcTime {
    text.parse().unwrap()
}

fn key(text: &str) -> verify::Signer {
    verify::Signer::Key(text.parse().unwrap())
}

#[test]
fn reads_signers_groups_and_publishers() {
    let more = signer("ci", KEY, "builders = [{ id = \"https://ci.example/b\", level = 3 }]")
        + &signer("ci", OTHER, "principals = [\"token:ci\"]")
        + "[[signer]]\nname = \"gh\"\nissuer = \"https://i.example\"\nsubject = \"https://s.example\"\nmay = [\"signature\", \"https://example.org/p/v1\"]\n"
        + "[groups]\nbuild = [\"ci\", \"gh\"]\n[policies]\ngroup = \"build\"\nthreshold = 2\n";
    let roster = roster(7, &more);
    assert_eq!(roster.signers.len(), 3);
    assert_eq!(roster.policies, Some(Quorum { group: "build".to_owned(), threshold: 2 }));
    assert_eq!(roster.principal("token:ci"), Some("ci"));
    assert!(roster.is_named("ci", ["build"]) && !roster.is_named("x", ["build"]));
    assert_eq!(roster.signer(&key(OTHER)).unwrap().name, "ci");
    let identity = verify::Signer::Identity {
        subject: "https://s.example".to_owned(),
        issuer: "https://i.example".to_owned(),
    };
    assert_eq!(roster.signer(&identity).unwrap().name, "gh");
}

#[test]
fn refuses_what_could_trust_more_than_it_says() {
    let two = signer("a", KEY, "") + &signer("b", OTHER, "");
    for (more, expected) in [
        (signer("a", KEY, "") + &signer("b", KEY, ""), "each key and identity once"),
        (signer("a", KEY, "") + &signer("a", KEY, ""), "each key and identity once"),
        (signer("a b", KEY, ""), "a name of at most"),
        (signer("a", "SHA256:x", ""), "key to be a PEM public key"),
        (signer("a", KEY, "revoked_at = 2026-01-01T00:00:00Z"), "revoked_at and reason together"),
        (signer("a", KEY, "issuer = \"https://i\""), "either key, or issuer and subject"),
        (signer("a", KEY, "builders = [{ id = \"x\", level = 4 }]"), "0 to 3"),
        (signer("a", KEY, "admin = true"), "found \"signer[0].admin\""),
        (two.clone() + "[groups]\nall = []\n", "a list of 1 to"),
        (two.clone() + "[groups]\nall = [\"c\"]\n", "the name of a [[signer]]"),
        (two.clone() + "[groups]\na = [\"b\"]\n", "a name of its own"),
        (
            two.clone() + "[groups]\ng = [\"a\"]\n[policies]\ngroup = \"g\"\nthreshold = 0\n",
            "at least 1",
        ),
        (
            two.clone() + "[groups]\ng = [\"a\"]\n[policies]\ngroup = \"g\"\nthreshold = 2\n",
            "at most 1",
        ),
        (two + "[policies]\ngroup = \"g\"\nthreshold = 1\n", "the name of a group"),
        (String::new(), "at least one [[signer]]"),
        (
            signer(
                "a",
                KEY,
                "valid_from = 2026-02-01T00:00:00Z\nvalid_until = 2026-01-01T00:00:00Z",
            ),
            "valid_until after valid_from",
        ),
        (
            signer("a", KEY, "principals = [\"p\"]") + &signer("b", OTHER, "principals = [\"p\"]"),
            "a principal of one signer",
        ),
    ] {
        let faults = Roster::read(document(1, &more).as_bytes()).unwrap_err().to_string();
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
}

#[test]
fn warns_of_what_ends_soon_and_of_callers_that_nobody_can_be() {
    let more = signer(
        "a",
        KEY,
        "valid_until = 2026-02-01T00:00:00Z\nprincipals = [\"deploy\", \"token:a\", \"kubernetes:u\", \"token:\"]",
    ) + &signer("b", OTHER, "principals = [\"token:b\"]");
    let told = |more: &str, now: &str| roster(1, more).warnings(time(now));
    let found = told(&more, "2026-01-30T00:00:00Z");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].contains("\"deploy\"; it knows the name of a token as token:NAME"),
        "{found:?}"
    );
    assert!(found[1].contains("\"token:\""), "{found:?}");
    assert!(found[2].contains("no key of it is valid after 2026-02-01T00:00:00Z"), "{found:?}");
    let rotated = signer("a", KEY, "valid_until = 2026-02-01T00:00:00Z") + &signer("a", OTHER, "");
    assert_eq!(told(&rotated, "2026-01-30T00:00:00Z"), Vec::<String>::new());
    let found = told(&rotated, "2027-12-30T00:00:00Z");
    assert!(found[0].contains("it expires at 2027-12-31T00:00:00Z, in 1d"), "{found:?}");
}

#[test]
fn warns_of_identities_that_can_never_sign() {
    let identity = |name: &str, issuer: &str, subject: &str, may: &str| {
        format!(
            "[[signer]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nsubject = \"{subject}\"\nmay = {may}\n"
        )
    };
    let issuer = "https://token.example";
    let sound = identity("sound", issuer, "a@example.com", "[\"provenance\"]");
    let told = |more: &str| roster(1, more).warnings(time("2026-01-30T00:00:00Z"));
    assert_eq!(told(&sound), Vec::<String>::new());
    for (odd, expected) in [
        (identity("a", "token.example", "b", "[\"vsa\"]"), "such as https://token"),
        (identity("a", issuer, "https://ci.example/*", "[\"vsa\"]"), "compared exactly"),
        (identity("a", issuer, "mailto:a@example.com", "[\"vsa\"]"), "take mailto: out"),
        (identity("a", issuer, "b", "[\"link\", \"sbom\"]").replace("sbom", "spdx"), "link in may"),
        (identity("a", issuer, "b", "[\"policy\"]"), "policy in may"),
        (identity("a", issuer, "b", "[\"roster\"]"), "roster in may"),
    ] {
        let found = told(&odd);
        assert!(found.len() == 1 && found[0].contains(expected), "{odd}: {found:?}");
    }
    let policies = |members: &str, threshold: u64| {
        let signers = sound.clone() + &signer("key", KEY, "");
        told(&format!(
            "{signers}[groups]\ng = [{members}]\n[policies]\ngroup = \"g\"\nthreshold = {threshold}\n"
        ))
    };
    assert_eq!(policies("\"key\", \"sound\"", 1), Vec::<String>::new());
    let found = policies("\"key\", \"sound\"", 2);
    assert!(found.len() == 1 && found[0].contains("2 of group g"), "{found:?}");
    assert!(found[0].ends_with("which 1 of them have"), "{found:?}");
    assert!(policies("\"sound\"", 1)[0].contains("no policy can be published"));
}

#[test]
fn a_signature_counts_by_when_the_log_first_held_it() {
    let more =
        signer("ci", KEY, "valid_from = 2026-02-01T00:00:00Z\nvalid_until = 2026-03-01T00:00:00Z");
    let published = [Published { roster: roster(1, &more), at: time("2026-01-01T00:00:00Z") }];
    let trust = Trust::new(&published, &[], KEY.parse().unwrap()).unwrap();
    let at = |text| trust.signer(&key(KEY), time(text)).map(|entry| entry.name.clone());
    assert_eq!(at("2026-02-01T00:00:00Z").unwrap(), "ci");
    assert!(matches!(at("2026-01-31T23:59:59Z"), Err(Distrust::NotYetValid { .. })));
    assert!(matches!(at("2026-03-01T00:00:00Z"), Err(Distrust::NoLongerValid { .. })));
    let other = trust.signer(&key(OTHER), time("2026-02-01T00:00:00Z"));
    assert!(matches!(other, Err(Distrust::Unknown { version: 1, .. })));
}

#[test]
fn an_ordinary_revocation_leaves_what_was_logged_before_it_was_known_and_a_compromise_does_not() {
    let published = |reason: &str| {
        let revoked = format!("revoked_at = 2026-02-01T00:00:00Z\nreason = \"{reason}\"");
        [
            Published {
                roster: roster(1, &signer("ci", KEY, "")),
                at: time("2026-01-01T00:00:00Z"),
            },
            Published {
                roster: roster(2, &signer("ci", KEY, &revoked)),
                at: time("2026-03-01T00:00:00Z"),
            },
            Published {
                roster: roster(3, &signer("ci", KEY, &revoked)),
                at: time("2026-05-01T00:00:00Z"),
            },
        ]
    };
    let counts = |reason: &str, logged_at: &str| {
        let trust = Trust::new(&published(reason), &[], KEY.parse().unwrap()).unwrap();
        trust.signer(&key(KEY), time(logged_at)).is_ok()
    };
    assert!(counts("superseded", "2026-02-15T00:00:00Z"));
    assert!(!counts("superseded", "2026-04-01T00:00:00Z"));
    assert!(!counts("compromised", "2026-02-15T00:00:00Z"));
    assert!(counts("compromised", "2026-01-15T00:00:00Z"));
}

#[test]
fn a_revocation_statement_needs_no_new_roster() {
    let published =
        [Published { roster: roster(1, &signer("ci", KEY, "")), at: time("2026-01-01T00:00:00Z") }];
    let revocation = Revocation {
        signer: RevokedSigner::Fingerprint(KEY.parse().unwrap()),
        reason: RevocationReason::Compromised,
        effective_at: time("2026-02-01T00:00:00Z"),
        logged_at: time("2026-04-01T00:00:00Z"),
    };
    let trust = Trust::new(&published, &[revocation], KEY.parse().unwrap()).unwrap();
    assert!(trust.signer(&key(KEY), time("2026-01-31T00:00:00Z")).is_ok());
    let after = trust.signer(&key(KEY), time("2026-02-01T00:00:00Z"));
    assert!(matches!(after, Err(Distrust::Revoked { reason: "compromised", .. })));
}

#[test]
fn a_diff_warns_of_what_makes_old_evidence_fall() {
    let old =
        roster(2, &(signer("a", KEY, "") + &signer("b", OTHER, "") + "[groups]\ng = [\"a\"]\n"));
    let new = roster(2, &signer("a", KEY, "valid_until = 2027-01-01T00:00:00Z"));
    let changes = diff::changes(&old, &new);
    let told: Vec<String> = changes.iter().map(|c| format!("{}: {}", c.what, c.change)).collect();
    assert_eq!(
        told,
        [
            "signer a: valid_until none → 2027-01-01T00:00:00Z".to_owned(),
            format!("signer b: removed: {OTHER}"),
            "group g: removed".to_owned(),
        ]
    );
    assert!(changes.iter().skip(1).all(|change| change.warning.is_some()));
    assert_eq!(diff::changes(&old, &old), []);
    let older = roster(1, &signer("a", KEY, ""));
    assert!(diff::changes(&old, &older)[0].warning.as_ref().unwrap().contains("only grows"));
}

#[test]
fn a_diff_warns_of_what_takes_their_signatures_from_policies() {
    let of = |members: &str, more: &str| {
        let signers = signer("a", KEY, "") + &signer("b", OTHER, "");
        roster(2, &format!("{signers}[groups]\ng = [{members}]\nh = [\"b\"]\n{more}"))
    };
    let by = |group: &str, threshold: u64| {
        format!("[policies]\ngroup = \"{group}\"\nthreshold = {threshold}\n")
    };
    let (a, both) = ("\"a\"", "\"a\", \"b\"");
    let old = of(both, &by("g", 1));
    for (new, warns) in [
        (of(a, &by("g", 1)), true),
        (of(both, &by("g", 2)), true),
        (of(both, &by("h", 1)), true),
        (of(both, ""), false),
    ] {
        let [change] = diff::changes(&old, &new).try_into().unwrap();
        let told = change.warning.unwrap_or_default();
        assert_eq!(told.contains("roster impact"), warns, "{told}");
        assert!(warns || told.contains("everything is denied"), "{told}");
    }
    for (old, new, told) in [
        (of(a, &by("g", 1)), of(both, &by("g", 1)), "those who join"),
        (of(both, &by("g", 2)), of(both, &by("g", 1)), "fewer signers suffice"),
    ] {
        let [change] = diff::changes(&old, &new).try_into().unwrap();
        assert!(change.warning.unwrap().contains(told), "{told}");
    }
    for (old, new) in [
        (of(both, &by("h", 1)), of(both, &by("g", 1))),
        (of(both, ""), of(both, &by("g", 1))),
        (of(both, ""), of(a, "")),
    ] {
        let [change] = diff::changes(&old, &new).try_into().unwrap();
        assert_eq!(change.warning, None);
    }
}
