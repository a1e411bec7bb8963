//! What a reader is told.

use super::*;
use crate::gate::consent::{self, Consents};

fn lines(trial: &Trial) -> Vec<String> {
    explain::lines(&trial.decide().summary(), &consents(trial)).unwrap()
}

/// The waivers of a trial, as whoever has its evidence knows them.
fn consents(trial: &Trial) -> Consents {
    let evidence = trial.evidence.iter().map(Arc::as_ref);
    Consents::among(evidence, Some(trial.trust().roster()))
}

/// Digests differ with every change of a statement; what they stand for does not.
fn without_digests(lines: &[String]) -> String {
    let words = |line: &String| {
        let word = |word: &str| {
            let hex = word.trim_start_matches('(').trim_start_matches("sha256:");
            let hex = hex.trim_end_matches([',', ':', ')']);
            let is_digest = hex.len() == 12 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            if is_digest { word.replace(hex, "…") } else { word.to_owned() }
        };
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_denial_says_what_was_wanted_what_was_found_and_what_to_do() {
    let rules = rule("signature", "signers = [\"ci\"]")
        + &rule("vuln-scan", "signers = [\"scanner\"]\nblock = \"high\"\nmax_age = \"1d\"")
        + &rule("approval", "signers = [\"leads\"]\nthreshold = 2")
        + "[waivers]\ngroup = \"leads\"\nthreshold = 1\nrules = [\"vuln-scan\"]\n";
    let mut trial = Trial::of(&rules);
    trial.say(signature("ci"));
    trial.say(scanned(&[("CVE-1", "high"), ("CVE-2", "critical"), ("CVE-3", "low")], LOGGED));
    trial.say(waiver("alice", "vuln-scan", "CVE-1", "2026-12-01T00:00:00Z"));
    trial.say(approval("alice", "2026-12-01T00:00:00Z"));
    let expected = "\
DENIED: pay/api in production
policy production@3 (enforce) denies
  ✓ signature: signed by ci
      evidence: sha256:…
  ✗ vuln-scan: 2 that block: CVE-1 (high), CVE-2 (critical); 0 not affected, 0 within their leeway
      wanted: a scan by scanner, at most 1d old, with nothing of severity high or above
      - CVE-1 (high) [CVE-1], waived by alice until 2026-12-01T00:00:00Z: not reachable (sha256:…)
      - CVE-2 (critical) [CVE-2]
      evidence: sha256:…, sha256:…
      fix: scan again and import the report, fix what is found, or have it assessed in an OpenVEX document
  ✗ approval: 1 of 2: alice [approval]
      wanted: the consent of 2 of leads to production
      evidence: sha256:…
      fix: attestry approve ARTIFACT --environment production --key KEY --registry URL
nearest pass: vuln-scan, approval are missing";
    assert_eq!(without_digests(&lines(&trial)), expected);
}

#[test]
fn an_exception_is_told_with_who_made_it_and_until_when() {
    let rules = rule("signature", "signers = [\"ci\"]")
        + &rule("vuln-scan", "block = \"high\"")
        + "[waivers]\ngroup = \"leads\"\nthreshold = 1\n"
        + "[break_glass]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(&rules);
    trial.say(scanned(&[("CVE-1", "high")], LOGGED));
    trial.say(waiver("alice", "vuln-scan", "CVE-1", "2026-12-01T00:00:00Z"));
    let predicate = json!({
        "environment": "production", "reason": "incident 7", "expires": "2026-11-27T12:00:00Z",
        "reviewBy": "2026-12-01T00:00:00Z", "group": "leads",
    });
    trial.say(Saying::of("bob", "break-glass", predicate));
    let expected = "\
ALLOWED: pay/api in production
policy production@3 (enforce) passes in an emergency alone
  ✗ signature: no signature [signature]
      wanted: a signature of the artifact by ci
      fix: attestry sign ARTIFACT --key KEY --registry URL
  ~ vuln-scan: 1 that block: CVE-1 (high); 0 not affected, 0 within their leeway
      waived: CVE-1 (high) by alice until 2026-12-01T00:00:00Z: not reachable (sha256:…)
      evidence: sha256:…, sha256:…
  ! the glass is broken by bob until 2026-11-27T12:00:00Z: incident 7; leads must review it by 2026-12-01T00:00:00Z, with attestry approve";
    assert_eq!(without_digests(&lines(&trial)), expected);
}

#[test]
fn a_waiver_is_told_with_all_who_signed_it_and_by_digest_alone_where_it_is_not_known() {
    let rules =
        rule("vuln-scan", "block = \"high\"") + "[waivers]\ngroup = \"leads\"\nthreshold = 2\n";
    let mut trial = Trial::of(&rules);
    trial.say(scanned(&[("CVE-1", "high")], LOGGED));
    for signer in ["bob", "alice"] {
        trial.say(waiver(signer, "vuln-scan", "CVE-1", "2026-12-01T00:00:00Z"));
    }
    let summary = trial.decide().summary();
    let waivers = consent::waivers(trial.decide().details());
    assert_eq!(waivers.len(), 2, "{waivers:?}");
    let told = |consents: &Consents| {
        let lines = without_digests(&explain::lines(&summary, consents).unwrap());
        let line = lines.lines().find(|line| line.contains("waived: ")).unwrap();
        line.trim().to_owned()
    };
    let (until, both) = ("until 2026-12-01T00:00:00Z: not reachable", "(sha256:…, sha256:…)");
    let waived = "waived: CVE-1 (high) by";
    assert_eq!(told(&consents(&trial)), format!("{waived} alice, bob {until} {both}"));
    assert_eq!(told(&Consents::default()), format!("{waived} sha256:…, sha256:…"));
    let trust = trial.trust();
    let some = |roster| Consents::among([trial.evidence[1].as_ref()], roster);
    assert_eq!(told(&some(Some(trust.roster()))), format!("{waived} bob, others {until} {both}"));
    // Who is not in the roster any more is told by the key.
    let key = key("bob").public_key().fingerprint();
    assert_eq!(told(&some(None)), format!("{waived} {key}, others {until} {both}"));
}

/// The explanation's lines about exceptions that do not count, without the digests in brackets.
fn set_aside(trial: &Trial) -> Vec<String> {
    let told = lines(trial);
    let about = told.iter().filter(|line| line.contains("does not count: "));
    let short = |line: &String| match line.split_once(" (") {
        Some((start, rest)) => start.to_owned() + rest.split_once(')').map_or("", |(_, end)| end),
        None => line.clone(),
    };
    about.map(short).collect()
}

#[test]
fn a_waiver_that_does_not_count_is_told_with_why() {
    const UNTIL: &str = "2026-12-01T00:00:00Z";
    let waivers = "[waivers]\ngroup = \"leads\"\nthreshold = 1\nlongest = \"7d\"\n";
    let told = |terms: &str, saying: Saying| {
        let rules = rule("vuln-scan", "block = \"high\"") + &rule("signature", "") + terms;
        let mut trial = Trial::of(&rules);
        trial.say(scanned(&[("CVE-1", "high")], LOGGED)).say(signature("ci")).say(saying);
        set_aside(&trial).join("\n")
    };
    let mut elsewhere = waiver("alice", "vuln-scan", "CVE-1", UNTIL);
    elsewhere.predicate["environment"] = "staging".into();
    let two = waivers.replace("threshold = 1", "threshold = 2");
    let only = format!("{waivers}rules = [\"signature\"]\n");
    for (terms, saying, expected) in [
        (
            waivers,
            waiver("alice", "vuln-scan", "CVE-1", "2026-11-27T09:30:00Z"),
            "it ended at 2026-11-27T09:30:00Z",
        ),
        (
            waivers,
            waiver("alice", "vuln-scan", "CVE-1", "2027-01-01T00:00:00Z"),
            "longer than the 7d",
        ),
        (
            waivers,
            waiver("alice", "vuln-scan", "CVE-2", UNTIL),
            "it is for another finding than CVE-1",
        ),
        (
            waivers,
            waiver("alice", "vulnscan", "CVE-1", UNTIL),
            "it is for a rule vulnscan, which the policy does not have",
        ),
        (
            waivers,
            waiver("ci", "vuln-scan", "CVE-1", UNTIL),
            "the roster does not let ci sign waiver",
        ),
        (waivers, waiver("stranger", "vuln-scan", "CVE-1", UNTIL), "is not in the roster"),
        (waivers, elsewhere, "it is for staging"),
        (
            &two,
            waiver("alice", "vuln-scan", "CVE-1", UNTIL),
            "1 of 2 of leads have signed this very statement",
        ),
        (
            &only,
            waiver("alice", "vuln-scan", "CVE-1", UNTIL),
            "the policy lets only signature be waived",
        ),
        ("", waiver("alice", "vuln-scan", "CVE-1", UNTIL), "the policy grants no waivers"),
    ] {
        let found = told(terms, saying);
        assert!(
            found.contains(expected) && found.contains("waiver for CVE-"),
            "{expected}: {found}"
        );
    }
    assert_eq!(told(waivers, waiver("alice", "signature", "CVE-1", UNTIL)), "");
    assert_eq!(told(waivers, waiver("alice", "vuln-scan", "CVE-1", UNTIL)), "");
}

#[test]
fn an_emergency_that_does_not_count_is_told_with_why() {
    let terms = "[break_glass]\ngroup = \"leads\"\nthreshold = 2\n";
    let glass = |signer: &str, environment: &str, expires: &str| {
        Saying::of(
            signer,
            "break-glass",
            json!({
                "environment": environment, "reason": "incident 7", "expires": expires,
                "reviewBy": "2026-12-01T00:00:00Z", "group": "leads",
            }),
        )
    };
    let told = |terms: &str, saying: Saying| {
        let mut trial = Trial::of(&(rule("signature", "") + terms));
        trial.say(saying);
        set_aside(&trial).join("\n")
    };
    let (here, soon) = ("production", "2026-11-27T12:00:00Z");
    assert_eq!(
        told(terms, glass("alice", here, soon)),
        "  does not count: break-glass by alice: 1 of 2 of leads have signed this very statement"
    );
    assert!(told(terms, glass("alice", "staging", soon)).ends_with(": it is for staging"));
    assert!(told(terms, glass("alice", here, LOGGED)).ends_with(&format!("it ended at {LOGGED}")));
    assert!(told("", glass("alice", here, soon)).ends_with("the policy allows no break-glass"));
    let mut many = Trial::of(&rule("signature", ""));
    for hour in 10..30 {
        many.say(glass("alice", here, &format!("2026-11-27T12:00:{hour}Z")));
    }
    let found = set_aside(&many);
    assert_eq!((found.len(), found[10].as_str()), (11, "  does not count: and 10 more"));
}

#[test]
fn a_refusal_says_what_is_missing_altogether() {
    let mut trial = Trial::of(&rule("signature", ""));
    trial.question.environment = "staging".to_owned();
    let expected = "\
DENIED: pay/api in staging
✗ expected a policy for pay/api in staging, found none that matches
    fix: publish a policy whose [match] names artifact and environment, or ask by the artifact's --name";
    assert_eq!(lines(&trial).join("\n"), expected);
}

#[test]
fn rules_of_which_one_suffices_are_told_below_it_and_the_nearest_pass_names_what_is_left() {
    let rules = "[[rule]]\nid = \"one-of\"\nany = [\n\
        { type = \"signature\", id = \"a\", signers = [\"ci\"] },\n\
        { type = \"test-result\", id = \"b\" },\n]\n";
    let mut trial = Trial::of(rules);
    trial.policy("later", "warn", &rule("sbom", ""));
    let told = lines(&trial).join("\n");
    assert!(told.contains("policy later@3 (warn) warns: it would deny"), "{told}");
    assert!(told.contains("  ✗ one-of: none of them holds [any]\n"), "{told}");
    assert!(told.contains("    ✗ a: no signature [signature]\n"), "{told}");
    assert!(told.ends_with("nearest pass: only one-of is missing"), "{told}");
}

#[test]
fn a_waiver_inside_rules_of_which_one_suffices_is_told() {
    let rules = "[[rule]]\nid = \"one-of\"\nany = [\n\
        { type = \"signature\", id = \"a\", signers = [\"ci\"] },\n\
        { type = \"test-result\", id = \"b\" },\n]\n\
        [waivers]\ngroup = \"leads\"\nthreshold = 1\n";
    let mut trial = Trial::of(rules);
    trial.say(waiver("alice", "a", "signature", "2026-12-01T00:00:00Z"));
    let told = without_digests(&lines(&trial));
    assert!(told.contains("  ~ one-of: a: no signature\n"), "{told}");
    let waived = "    ~ a: no signature\n        waived: no signature by alice until 2026-12-01T00:00:00Z: not reachable (sha256:…)\n";
    assert!(told.contains(waived), "{told}");
    assert!(told.contains("    ✗ b: no test result [test-result]\n"), "{told}");
    trial.say(tested("ci", "PASSED", &["unit"], &[]));
    let told = lines(&trial).join("\n");
    assert!(told.contains("  ✓ one-of: b: ") && !told.contains("waived"), "{told}");
}

#[test]
fn findings_that_are_not_shown_are_counted() {
    let ids: Vec<String> = (100..220).map(|number| format!("CVE-{number}")).collect();
    let told = |count: usize| {
        let found: Vec<(&str, &str)> =
            ids.iter().take(count).map(|id| (id.as_str(), "high")).collect();
        let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\""));
        trial.say(scanned(&found, LOGGED));
        let all = lines(&trial);
        let told = all.iter().filter(|line| line.starts_with("      - "));
        told.cloned().collect::<Vec<String>>()
    };
    let ten = told(10);
    assert_eq!(ten.len(), 10);
    assert!(ten.iter().all(|line| line.contains("CVE-1")), "{ten:?}");
    for (count, more) in [(11, 1), (13, 3), (100, 90), (101, 91), (120, 110)] {
        let found = told(count);
        assert_eq!((found.len(), &found[10]), (11, &format!("      - and {more} more")), "{count}");
    }
}

#[test]
fn names_that_others_give_show_as_no_others() {
    let mut trial = Trial::of(&rule("signature", ""));
    for c in "\u{202e}\u{2066}\u{200b}\u{200f}\u{2060}\u{feff}\u{61c}".chars() {
        trial.question.name = Some(format!("pay/a{c}pi"));
        let told = lines(&trial).join("\n");
        assert!(!told.contains(c) && told.contains("pay/a\u{fffd}pi"), "{told:?}");
    }
}

#[test]
fn names_that_others_give_steer_no_terminal() {
    let mut trial = Trial::of(&rule("test-result", ""));
    trial.question.name = Some("pay/\u{1b}[2Japi".to_owned());
    trial.say(tested("ci", "FAILED", &[], &["a\n✓ test-result: all passed\u{9b}"]));
    let told = lines(&trial);
    assert!(told.iter().all(|line| !line.chars().any(char::is_control)), "{told:?}");
}

#[test]
fn who_signs_by_certificate_is_not_told_to_use_a_key() {
    let mut trial = Trial::of(&rule("signature", "signers = [\"keyless\"]"));
    let entry = "[[signer]]\nname = \"keyless\"\nissuer = \"https://token.example\"\nsubject = \"a@example.com\"\nmay = [\"signature\"]\n";
    trial.signers.insert("keyless".to_owned(), entry.to_owned());
    let fix = trial.fails("signature", &["signature"]).fix.unwrap();
    assert!(fix.contains("attestry push BUNDLE"), "{fix}");
    trial.signer("keyless", "a key of it", "may = [\"signature\"]\n");
    let fix = trial.fails("signature", &["signature"]).fix.unwrap();
    assert!(fix.ends_with("--key KEY --registry URL"), "{fix}");
}
