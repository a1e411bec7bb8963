//! Stock clients of OCI registries against the real server: each where it is installed, else the test says that
//! it is not.

use std::path::{Path, PathBuf};

use attestry_schemas::oci::media_type::OCI_MANIFEST;
use attestry_tests::oci::{descriptor, digest};
use attestry_tests::{Answer, Dir, Registry, Server, programs};
use serde_json::{Value, json};

/// Finds a program: the variable `ATTESTRY_<NAME>`, the tools' folder beside the build, the path.
fn client(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(format!("ATTESTRY_{}", name.to_uppercase())).map(PathBuf::from);
    // The programs under test lie in <target>/release.
    let target = programs!().cli.ancestors().nth(2).map(Path::to_path_buf);
    let tools = target.map(|target| target.join("tools").join(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_path: Vec<PathBuf> = std::env::split_paths(&path).map(|dir| dir.join(name)).collect();
    let found = named.into_iter().chain(tools).chain(of_path).find(|place| place.is_file());
    if found.is_none() {
        use std::io::Write as _;
        // On the real stderr: the output of a test that passes is not shown.
        let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed");
    }
    found
}

/// A server and a folder with an OCI layout of one image.
struct Setting {
    dir: Dir,
    registry: Registry,
    server: Server,
    /// The image's manifest.
    manifest: Vec<u8>,
    /// The host and port of references.
    host: String,
}

fn setting() -> Setting {
    let programs = programs!();
    // Clients ask for a token where the registry's URL points.
    let (registry, server) = Registry::init_and_serve_at_its_url(&programs, &[]);
    let host = server.url.trim_start_matches("http://").to_owned();
    let mut dir = Dir::new(&programs);
    // Whatever is configured on this machine, nothing of it is asked.
    for variable in ["HTTP_PROXY", "HTTPS_PROXY"] {
        dir.set(variable, "http://127.0.0.1:9");
    }
    dir.set("NO_PROXY", "127.0.0.1");
    let manifest = layout(&dir);
    Setting { dir, registry, server, manifest, host }
}

/// Writes an OCI layout (image-spec `image-layout.md`) with one image `v1`; gives its manifest.
fn layout(dir: &Dir) -> Vec<u8> {
    let write = |bytes: &[u8]| {
        let hex = digest(bytes).trim_start_matches("sha256:").to_owned();
        dir.write(&format!("layout/blobs/sha256/{hex}"), bytes);
    };
    std::fs::create_dir_all(dir.path("layout/blobs/sha256")).unwrap();
    // An empty tar: two blocks of zeros.
    let layer = vec![0; 1024];
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut entry = descriptor(OCI_MANIFEST, &manifest);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    for bytes in [&layer, &config, &manifest] {
        write(bytes);
    }
    dir.write("layout/oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string());
    dir.write("layout/index.json", json!({"schemaVersion": 2, "manifests": [entry]}).to_string());
    manifest
}

impl Setting {
    fn run(&self, program: &Path, args: &[&str]) -> Answer {
        self.dir.run_program(program, args)
    }

    fn reference(&self, tag: &str) -> String {
        format!("{}/pay/api:{tag}", self.host)
    }

    fn credentials(&self) -> String {
        format!("ci:{}", self.server.token)
    }

    fn tags(&self) -> Value {
        self.server.client().get("/v2/pay/api/tags/list").expect(200).json()["tags"].clone()
    }

    fn finish(self) {
        self.server.terminate();
        self.registry.demand_clean();
    }
}

#[test]
fn skopeo_copies_in_and_out_inspects_and_deletes() {
    let Some(skopeo) = client("skopeo") else { return };
    let setting = setting();
    let (credentials, place) =
        (setting.credentials(), format!("docker://{}", setting.reference("v1")));
    let (from, to) = (
        ["--src-tls-verify=false", "--src-creds", &credentials],
        ["--dest-tls-verify=false", "--dest-creds", &credentials],
    );
    let plain = ["--tls-verify=false", "--creds", &credentials];
    // Else it compresses the layer on its way, which makes another image of it.
    let as_it_is = ["copy", "--preserve-digests"];
    setting.run(&skopeo, &[&as_it_is[..], &to[..], &["oci:layout:v1", &place]].concat()).expect(0);
    let inspected =
        setting.run(&skopeo, &[&["inspect"][..], &plain[..], &[&place]].concat()).expect(0);
    assert_eq!(inspected.json()["Digest"], digest(&setting.manifest));
    setting.run(&skopeo, &[&["copy"][..], &from[..], &[&place, "dir:out"]].concat()).expect(0);
    assert_eq!(setting.dir.read("out/manifest.json"), setting.manifest);
    let other = format!("docker://{}/pay/web:copy", setting.host);
    let within = [&["copy"][..], &from[..], &to, &[&place, &other]].concat();
    setting.run(&skopeo, &within).expect(0);
    let wrong = ["inspect", "--tls-verify=false", "--creds", "ci:attestry_wrong", &place];
    assert_ne!(setting.run(&skopeo, &wrong).status, Some(0), "with another password");
    let listed = setting
        .run(&skopeo, &[&["list-tags"][..], &plain[..], &[&place.replace(":v1", "")]].concat());
    assert_eq!(listed.expect(0).json()["Tags"], json!(["v1"]));
    setting.run(&skopeo, &[&["delete"][..], &plain[..], &[&place]].concat()).expect(0);
    assert_eq!(setting.tags(), json!([]));
    setting.finish();
}

#[test]
fn buildah_pushes_and_pulls() {
    let Some(buildah) = client("buildah") else { return };
    let setting = setting();
    let (root, run) = (setting.dir.path("root"), setting.dir.path("run"));
    let credentials = setting.credentials();
    let storage = [
        "--storage-driver",
        "vfs",
        "--root",
        root.to_str().unwrap(),
        "--runroot",
        run.to_str().unwrap(),
    ];
    let remote = ["--tls-verify=false", "--creds", &credentials];
    let pulled = setting.run(&buildah, &[&storage[..], &["pull", "oci:layout:v1"]].concat());
    if pulled.status != Some(0) && pulled.stderr.contains("user namespace") {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "skipped: buildah cannot keep images here");
        return;
    }
    let image = pulled.expect(0).stdout.lines().last().unwrap().trim().to_owned();
    let place = format!("docker://{}", setting.reference("built"));
    let push = [&storage[..], &["push"], &remote, &[&image, &place]].concat();
    setting.run(&buildah, &push).expect(0);
    setting.run(&buildah, &[&storage[..], &["rmi", "--all", "--force"]].concat()).expect(0);
    let pull = [&storage[..], &["pull"], &remote, &[&place]].concat();
    setting.run(&buildah, &pull).expect(0);
    assert_eq!(setting.tags(), json!(["built"]));
    setting.finish();
}

#[test]
fn oras_attaches_and_discovers() {
    let Some(oras) = client("oras") else { return };
    let setting = setting();
    let token = setting.server.token.clone();
    let login = ["--plain-http", "--username", "ci", "--password", &token];
    let place = setting.reference("v1");
    setting.dir.write("report.json", "{}");
    let push = [&["push"][..], &login[..], &[&place, "report.json:application/json"]].concat();
    setting.run(&oras, &push).expect(0);
    let attach = [
        &["attach", "--artifact-type", "application/x-report"][..],
        &login[..],
        &[&place, "report.json:application/json"],
    ];
    setting.run(&oras, &attach.concat()).expect(0);
    let discover = [&["discover", "--format", "json"][..], &login[..], &[&place]].concat();
    let found = setting.run(&oras, &discover).expect(0);
    assert!(found.stdout.contains("application/x-report"), "{}", found.stdout);
    setting
        .run(&oras, &[&["pull", "--output", "pulled"][..], &login[..], &[&place]].concat())
        .expect(0);
    assert_eq!(setting.dir.read("pulled/report.json"), b"{}");
    setting.finish();
}

#[test]
fn crane_pushes_lists_and_pulls() {
    let Some(crane) = client("crane") else { return };
    let setting = setting();
    let token = setting.server.token.clone();
    let login = ["auth", "login", &setting.host, "-u", "ci", "-p", &token];
    setting.run(&crane, &login).expect(0);
    let place = setting.reference("v1");
    setting.run(&crane, &["push", "layout", &place, "--insecure"]).expect(0);
    let found = setting.run(&crane, &["digest", &place, "--insecure"]).expect(0);
    assert_eq!(found.stdout.trim(), digest(&setting.manifest));
    let copy = setting.reference("v2");
    setting.run(&crane, &["copy", &place, &copy, "--insecure"]).expect(0);
    assert_eq!(setting.tags(), json!(["v1", "v2"]));
    setting.finish();
}

#[test]
fn cosign_signs_attests_and_verifies_images() {
    let (Some(cosign), Some(skopeo)) = (client("cosign"), client("skopeo")) else { return };
    let mut setting = setting();
    setting.dir.set("COSIGN_PASSWORD", "");
    let (user, token) = ("ci", setting.server.token.clone());
    let key_pair = ["generate-key-pair", "--output-key-prefix", "ci"];
    setting.run(&cosign, &key_pair).expect(0);
    let credentials = setting.credentials();
    let place = format!("{}/pay/api@{}", setting.host, digest(&setting.manifest));
    let tagged = format!("docker://{}", setting.reference("v1"));
    let to = ["--dest-tls-verify=false", "--dest-creds", &credentials];
    setting
        .run(
            &skopeo,
            &[&["copy", "--preserve-digests"][..], &to[..], &["oci:layout:v1", &tagged]].concat(),
        )
        .expect(0);
    let remote = [
        "--allow-http-registry",
        "--allow-insecure-registry",
        "--registry-username",
        user,
        "--registry-password",
        &token,
    ];
    let offline = ["--key", "ci.key", "--use-signing-config=false", "--tlog-upload=false", "--yes"];
    let verify = ["--key", "ci.pub", "--insecure-ignore-tlog"];
    setting.run(&cosign, &[&["sign"][..], &offline[..], &remote, &[&place]].concat()).expect(0);
    setting.run(&cosign, &[&["verify"][..], &verify[..], &remote, &[&place]].concat()).expect(0);
    setting.dir.write("predicate.json", attestry_tests::provenance().to_string());
    let what = ["--predicate", "predicate.json", "--type", "slsaprovenance1"];
    let attest = [&["attest"][..], &what[..], &offline, &remote, &[&place]].concat();
    setting.run(&cosign, &attest).expect(0);
    let verify =
        [&["verify-attestation", "--type", "slsaprovenance1"][..], &verify[..], &remote, &[&place]];
    setting.run(&cosign, &verify.concat()).expect(0);
    let tree = setting.run(&cosign, &[&["tree"][..], &remote[..], &[&place]].concat()).expect(0);
    assert!(tree.stdout.contains("sha256:"), "{}", tree.stdout);
    setting.finish();
}
