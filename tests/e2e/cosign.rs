//! Stock cosign (3.1 or newer) against the registry and the command line: the real program, where
//! it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use attestry_schemas::key::PublicKey;
use attestry_tests::{Answer, Dir, Programs, Registry, Server, programs};

/// The oldest version that speaks to a Rekor v2 log with a managed key.
const OLDEST: (u32, u32) = (3, 1);

/// Finds cosign: the variable `ATTESTRY_COSIGN`, the tools' folder beside the build, the path.
pub(crate) fn cosign() -> Option<PathBuf> {
    let named = std::env::var_os("ATTESTRY_COSIGN").map(PathBuf::from);
    // The programs under test lie in <target>/release.
    let target = programs!().cli.ancestors().nth(2).map(Path::to_path_buf);
    let tools = target.map(|target| target.join("tools"));
    let tools = tools.iter().flat_map(|tools| [tools.join("cosign"), tools.join("bin/cosign")]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_path = std::env::split_paths(&path).map(|folder| folder.join("cosign"));
    let found = named.into_iter().chain(tools).chain(of_path).find(|place| place.is_file());
    let Some(program) = found else {
        skipped("cosign is not installed; ./dev cosign installs it");
        return None;
    };
    let output = Command::new(&program).arg("version").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.lines().find_map(|line| line.strip_prefix("GitVersion:"));
    let version = version.unwrap_or_default().trim().trim_start_matches('v').to_owned();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    // A build from source may not know its version.
    if (major, minor) < OLDEST && version.starts_with(|c: char| c.is_ascii_digit()) {
        skipped(&format!("{} is of version {version}, older than 3.1", program.display()));
        return None;
    }
    Some(program)
}

/// Says why on the real stderr: the output of a test that passes is not shown.
fn skipped(why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

struct Setting {
    dir: Dir,
    cosign: PathBuf,
    server: Server,
    registry: Registry,
}

impl Setting {
    /// A registry that trusts a key of ours and one of cosign's.
    fn new(cosign: PathBuf) -> Self {
        let programs: Programs = programs!();
        let mut dir = Dir::new(&programs);
        dir.run(&["key", "generate", "--out", "ours", "--type", "p256"]).expect(0);
        for name in ["theirs", "stranger"] {
            let args = ["generate-key-pair", "--output-key-prefix", name];
            dir.run_program(&cosign, &args).expect(0);
        }
        let key =
            |name: &str| PublicKey::from_pem(&String::from_utf8(dir.read(name)).unwrap()).unwrap();
        let keys = [key("ours.pub"), key("theirs.pub")];
        let (registry, server) = Registry::init_and_serve_at_its_url(&programs, &keys.each_ref());
        let client = server.client().with_token(None);
        for name in ["trusted-root", "signing-config"] {
            dir.write(name, client.get(&format!("/v1/{name}")).expect(200).body);
        }
        dir.set("ATTESTRY_TOKEN", &server.token);
        // Nothing may be fetched: a proxy that nobody serves stands before every other host.
        for variable in ["HTTP_PROXY", "HTTPS_PROXY"] {
            dir.set(variable, "http://127.0.0.1:9");
        }
        dir.write("app", b"an artifact of a build");
        dir.write("provenance.json", attestry_tests::provenance().to_string());
        Self { dir, cosign, server, registry }
    }

    fn cosign(&self, args: &[&str]) -> Answer {
        self.dir.run_program(&self.cosign, args)
    }
}

#[test]
fn cosign_verifies_what_attestry_signed() {
    let Some(cosign) = cosign() else { return };
    let setting = Setting::new(cosign);
    let Setting { dir, .. } = &setting;
    let url = setting.server.url.clone();
    let attest = ["attest", "app", "--type", "provenance", "--predicate", "provenance.json"];
    let sign = ["sign", "app", "--key", "ours.key"];
    let attest = [&attest[..], &["--key", "ours.key"]].concat();
    dir.run(&[&sign[..], &["--out", "s.json"]].concat()).expect(0);
    dir.run(&[&attest[..], &["--out", "a.json"]].concat()).expect(0);
    let online = ["--registry", &url, "--trusted-root", "trusted-root"];
    dir.run(&[&sign[..], &["--out", "s.logged.json"], &online].concat()).expect(0);
    dir.run(&[&attest[..], &["--out", "a.logged.json"], &online].concat()).expect(0);
    // From here on there is no server to ask.
    let Setting { dir, cosign, server, registry } = setting;
    server.terminate();

    let offline = ["--insecure-ignore-tlog"];
    let rooted = ["--trusted-root", "trusted-root"];
    let blob = |artifact: &str, bundle: &str, key: &str, how: &[&str]| {
        let args = ["verify-blob", "--key", key, "--bundle", bundle];
        dir.run_program(&cosign, &[&args[..], how, &[artifact]].concat())
    };
    let attestation = |artifact: &str, bundle: &str, kind: &str, how: &[&str]| {
        let args = ["verify-blob-attestation", "--key", "ours.pub", "--bundle", bundle];
        let kind = ["--type", kind];
        dir.run_program(&cosign, &[&args[..], &kind, how, &[artifact]].concat())
    };
    let kind = "slsaprovenance1";
    blob("app", "s.json", "ours.pub", &offline).expect(0).says(&["Verified OK"]);
    attestation("app", "a.json", kind, &offline).expect(0).says(&["Verified OK"]);
    blob("app", "s.logged.json", "ours.pub", &rooted).expect(0).says(&["Verified OK"]);
    attestation("app", "a.logged.json", kind, &rooted).expect(0).says(&["Verified OK"]);

    // What cosign must not take, so that its word means something.
    let refused = |answer: Answer| assert_ne!(answer.status, Some(0), "{answer:?}");
    refused(blob("app", "s.json", "ours.pub", &rooted));
    refused(blob("app", "s.logged.json", "theirs.pub", &rooted));
    refused(attestation("app", "a.logged.json", "spdxjson", &rooted));
    dir.tamper("app");
    refused(blob("app", "s.logged.json", "ours.pub", &rooted));
    refused(attestation("app", "a.logged.json", kind, &rooted));
    registry.demand_clean();
}

#[test]
fn attestry_verifies_what_cosign_logged_here() {
    let Some(cosign) = cosign() else { return };
    let setting = Setting::new(cosign);
    let Setting { dir, server, .. } = &setting;
    let ours = ["--signing-config", "signing-config", "--trusted-root", "trusted-root", "--yes"];
    let with_key = |command: &str, key: &str, rest: &[&str]| {
        let args = [command, "--key", key];
        setting.cosign(&[&args[..], &ours, rest, &["app"]].concat())
    };
    with_key("sign-blob", "theirs.key", &["--bundle", "s.json"]).expect(0);
    let kind = ["--type", "slsaprovenance1", "--predicate", "provenance.json"];
    with_key("attest-blob", "theirs.key", &[&kind[..], &["--bundle", "a.json"]].concat()).expect(0);

    let verify = ["verify", "app", "--key", "theirs.pub", "--trusted-root", "trusted-root"];
    let verified = |rest: &[&str]| dir.run(&[&verify[..], rest].concat());
    let typed = ["--bundle", "a.json", "--type", "provenance"];
    verified(&["--bundle", "s.json"]).expect(0).says(&["✓ inclusion", "✓ checkpoint"]);
    verified(&typed).expect(0).says(&["✓ inclusion", "✓ checkpoint"]);
    // The bundle joins the entry that cosign made; then the registry alone is enough.
    let online = ["--registry", &server.url];
    dir.run(&[&["push", "s.json", "a.json"][..], &online].concat()).expect(0);
    verified(&online).expect(0);
    verified(&[&online[..], &["--type", "provenance"]].concat()).expect(0);
    let found = server.client().get("/v1/attestations").expect(200).json();
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "genesis and one leaf for each: {found}");

    let refused = with_key("sign-blob", "stranger.key", &["--bundle", "x.json"]);
    assert_ne!(refused.status, Some(0), "{refused:?}");
    refused.says(&["403", "not one that"]);
    assert!(!dir.path("x.json").exists());
    dir.tamper("app");
    verified(&["--bundle", "s.json"]).expect(1);
    verified(&typed).expect(1);
    let Setting { server, registry, .. } = setting;
    server.terminate();
    registry.demand_clean();
}
