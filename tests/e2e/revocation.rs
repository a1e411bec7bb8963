//! A key of CI from its first use to its rotation and its revocation, with the real programs.

use attestry_schemas::key::PublicKey;
use attestry_tests::{Dir, Registry, programs, wait_for};

const POLICY: &str = r#"schema = "policy/v1"
name = "production"
version = 1
expires = 2099-01-01T00:00:00Z
mode = "enforce"
[match]
artifacts = ["pay/**"]
environments = ["production"]
[[rule]]
type = "signature"
signers = ["ci"]
"#;

fn entry(name: &str, pem: &str, more: &str) -> String {
    format!("[[signer]]\nname = \"{name}\"\nkey = \"\"\"\n{pem}\"\"\"\n{more}\n")
}

fn roster(version: u64, entries: &str) -> String {
    format!(
        "schema = \"roster/v1\"\nversion = {version}\nexpires = 2099-01-01T00:00:00Z\n{entries}[groups]\nleads = [\"lead\"]\n[policies]\ngroup = \"leads\"\nthreshold = 1\n"
    )
}

/// A folder with keys and an artifact, of which the public halves are also given as text.
fn setting() -> (Dir, [String; 4]) {
    let dir = Dir::new(&programs!());
    let pems = ["root", "lead", "ci", "next"].map(|name| {
        let _ = dir.run(&["key", "generate", "--out", name]).expect(0);
        String::from_utf8(dir.read(&format!("{name}.pub"))).unwrap()
    });
    dir.write("app", "the artifact");
    (dir, pems)
}

#[test]
fn a_ci_key_is_rotated_without_harm_and_revoked_with_all_that_falls_told_before() {
    let (mut dir, [root, lead, ci, next]) = setting();
    let programs = programs!();
    let registry = Registry::with_roots(&programs, &[&PublicKey::from_pem(&root).unwrap()]);
    let data = registry.data.display().to_string();
    let made = dir.run_program(&programs.registry, &["token", "new", "deploy", "--data", &data]);
    let token = made.expect(0).stdout;
    let again = dir.run_program(&programs.registry, &["token", "new", "deploy", "--data", &data]);
    let _ = again.expect(1).says(&["there is a token deploy already"]);
    let server = registry.serve();
    dir.set("ATTESTRY_REGISTRY", &server.url);
    dir.set("ATTESTRY_TOKEN", token.trim());
    dir.write("trusted_root.json", std::fs::read(registry.data.join("trusted_root.json")).unwrap());
    let trusted = dir.path("trusted_root.json").display().to_string();
    dir.set("ATTESTRY_TRUSTED_ROOT", &trusted);
    let run = |line: &str, status: i32| {
        let args: Vec<&str> = line.split(' ').collect();
        dir.run(&args).expect(status)
    };

    let lead = entry("lead", &lead, "may = [\"policy\", \"deployment\"]");
    let may = "may = [\"signature\"]";
    dir.write("roster.toml", roster(1, &(lead.clone() + &entry("ci", &ci, may))));
    dir.write("policy.toml", POLICY);
    let _ = run("roster push roster.toml --key root.key", 0);
    let _ = run("policy push policy.toml --key lead.key", 0);
    let _ = run("sign app --key ci.key", 0);
    let place = "app --environment production --name pay/api";
    let decided = run(&format!("gate {place} --json"), 0).json();
    let decision = decided["decision"].as_str().unwrap();
    let recorded = run(&format!("deploy record {place} --decision {decision} --key lead.key"), 0);
    assert!(!recorded.stderr.contains("warning"), "{}", recorded.stderr);

    // Rotation: the old key ends later, the new one stands beside it.
    let old = entry("ci", &ci, &format!("{may}\nvalid_until = 2098-01-01T00:00:00Z"));
    dir.write("roster.toml", roster(2, &(lead.clone() + &old + &entry("ci", &next, may))));
    let nothing = "0 attestations would no longer count; of 1 running artifact, 0 would no longer";
    let _ = run("roster impact roster.toml", 0).says(&["signs until 2098-01-01", nothing]);
    let _ = run("roster push roster.toml --key root.key", 0);
    let _ = run(&format!("gate {place}"), 0).says(&["ALLOWED"]);
    // Leaving the old key out instead would take what it signed along.
    dir.write("less.toml", roster(3, &(lead + &entry("ci", &next, may))));
    let _ = run("roster impact less.toml", 1)
        .says(&["removed", "1 would no longer count: 1 signature"]);

    // Compromise: everything from a stated moment on.
    let fingerprint = PublicKey::from_pem(&ci).unwrap().fingerprint().to_string();
    let revoke = format!("roster revoke {fingerprint} --reason compromised --from");
    let _ = run(&format!("{revoke} 2090-01-01 --dry-run"), 0).says(&[nothing]);
    let told = run(&format!("{revoke} 2020-01-01 --dry-run"), 1);
    let _ = told.says(&[
        "revoked (compromised) from 2020-01-01T00:00:00Z on",
        "1 would no longer count: 1 signature",
        "production pay/api sha256:",
        "production@1: signature: ",
        "of 1 running artifact, 1 would no longer be allowed",
    ]);
    let status = run("deploy status", 0);
    assert!(status.stdout.starts_with("✓ production pay/api"), "{}", status.stdout);
    let ambiguous = run("roster revoke ci --reason compromised --from 2020-01-01 --dry-run", 2);
    let _ = ambiguous.says(&["expected one key of ci, which has several"]);
    let _ = run(&format!("{revoke} 2020-01-01 --key ci.key"), 1);
    let done = run(&format!("{revoke} 2020-01-01 --key root.key"), 0);
    let _ = done.says(&["ci is revoked (compromised): nothing that is logged from 2020-01-01"]);
    let _ = run("roster show", 0)
        .says(&["revoked: ci SHA256:", "(compromised) from 2020-01-01T00:00:00Z on, logged at"]);
    let denied = run(&format!("gate {place}"), 1);
    let _ = denied.says(&["DENIED", "ci is revoked (compromised)", "[signature]"]);
    wait_for("the flag of what runs", || {
        let told = run("deploy status", 0).stdout;
        told.contains("✗ production pay/api").then_some(())
    });
    let _ = run(&format!("{revoke} 2020-01-01 --dry-run"), 0).says(&["0 attestations would"]);
    server.terminate();
    registry.demand_clean();
}
