use super::*;

fn check(arguments: &[&str], expected: &[&str], warned: &[&str]) {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let (recorded, refused) = redact_arguments(&arguments);
    assert_eq!(recorded, expected, "{arguments:?}");
    let names: Vec<String> = refused.iter().map(|refused| refused.name.clone()).collect();
    assert_eq!(names, warned, "{arguments:?}");
    for (argument, kept) in arguments.iter().zip(&recorded) {
        let secret = argument.rsplit('=').next().unwrap_or(argument);
        for text in refused.iter().map(ToString::to_string) {
            let told = secret.len() > 3 && text.contains(secret);
            assert!(argument == kept || !told, "{text} tells {secret}");
        }
    }
}

#[test]
fn redacts_by_the_flag_and_keeps_its_name() {
    check(
        &["deploy", "--password=hunter2", "--token", "hunter3", "--verbose", "here"],
        &["deploy", "--password=REDACTED", "--token", "REDACTED", "--verbose", "here"],
        &["argument 1 of the command (--password)", "argument 3 of the command (--token)"],
    );
    check(
        &["keytool", "-storepass", "changeit", "-alias", "a"],
        &["keytool", "-storepass", "REDACTED", "-alias", "a"],
        &["argument 2 of the command (-storepass)"],
    );
    check(
        &["env", "NPM_TOKEN=hunter2", "npm", "ci"],
        &["env", "NPM_TOKEN=REDACTED", "npm", "ci"],
        &["argument 1 of the command (NPM_TOKEN)"],
    );
    check(
        &["mvn", "-Dgpg.passphrase=hunter2", "-DskipTests", "verify"],
        &["mvn", "-Dgpg.passphrase=REDACTED", "-DskipTests", "verify"],
        &["argument 1 of the command (-Dgpg.passphrase)"],
    );
    check(
        &["docker", "build", "--build-arg", "API_KEY=hunter2", "."],
        &["docker", "build", "--build-arg", "API_KEY=REDACTED", "."],
        &["argument 3 of the command (API_KEY)"],
    );
    check(
        &["docker", "run", "--env=API_KEY=hunter2"],
        &["docker", "run", "--env=REDACTED"],
        &["argument 2 of the command (--env)"],
    );
}

#[test]
fn redacts_by_the_form() {
    let argument = "argument 1 of the command";
    for secret in [
        "https://u:p@git.example.com/a",
        "Authorization: Basic dXNlcjpwYXNz",
        "X-Api-Key: hunter2",
        "set -e; curl -H 'Authorization: token hunter2' https://example.com",
    ] {
        check(&["x", secret], &["x", REDACTED], &[argument]);
    }
    check(
        &["pip", "--index-url=https://u:p@pypi.example.com/simple"],
        &["pip", "--index-url=REDACTED"],
        &["argument 1 of the command (--index-url)"],
    );
    let secret_name = format!("ghp_{}=1", "aB3".repeat(12));
    check(&["x", &secret_name], &["x", REDACTED], &[argument]);
}

#[test]
fn redacts_what_one_program_means_by_a_flag() {
    check(
        &["curl", "-u", "me:hunter2", "https://example.com"],
        &["curl", "-u", "REDACTED", "https://example.com"],
        &["argument 2 of the command (-u)"],
    );
    check(
        &["sudo", "/usr/bin/sshpass", "-phunter2", "ssh", "host"],
        &["sudo", "/usr/bin/sshpass", "-pREDACTED", "ssh", "host"],
        &["argument 2 of the command (-p)"],
    );
    check(
        &["docker", "login", "-u", "me", "-p", "hunter2"],
        &["docker", "login", "-u", "me", "-p", "REDACTED"],
        &["argument 5 of the command (-p)"],
    );
    check(
        &["openssl", "rsa", "-passin", "pass:hunter2", "-in", "key.pem"],
        &["openssl", "rsa", "-passin", "REDACTED", "-in", "key.pem"],
        &["argument 3 of the command (-passin)"],
    );
}

#[test]
fn redacts_what_stands_in_a_script_and_leaves_the_rest_of_it() {
    let script = "set -e; curl -u me:hunter2 https://h && NPM_TOKEN=hunter3 npm ci";
    let kept = "set -e; curl -u REDACTED https://h && NPM_TOKEN=REDACTED npm ci";
    for before in [
        &["sh", "-c"][..],
        &["/bin/bash", "-euo", "pipefail", "-c"],
        &["sudo", "env", "A=1", "dash", "-ec"],
        &["docker", "run", "image", "zsh", "-l", "-c", "-e"],
    ] {
        let [arguments, expected] = [script, kept].map(|text| [before, &[text, "x"]].concat());
        let index = before.len();
        let warned = ["-u", "NPM_TOKEN"]
            .map(|flag| format!("argument {index} of the command ({flag} in its script)"));
        check(&arguments, &expected, &warned.each_ref().map(String::as_str));
    }
    // The name of a script's file is no script.
    check(&["sh", "-e", "a b", "-c", "x y"], &["sh", "-e", "a b", "-c", "x y"], &[]);
}

#[test]
fn redacts_headers_cookies_and_uploads() {
    let warned = |flag: &str| format!("argument 2 of the command ({flag})");
    for (arguments, kept, flag) in [
        (["curl", "-b", "s=hunter2"], ["curl", "-b", "REDACTED"], "-b"),
        (["curl", "--cookie", "s=hunter2"], ["curl", "--cookie", "REDACTED"], "--cookie"),
        (["curl", "-H", "X-Api-Key:hunter2"], ["curl", "-H", "REDACTED"], "-H"),
        (["wget", "--header", "Cookie:hunter2"], ["wget", "--header", "REDACTED"], "--header"),
        (["deploy", "--auth", "hunter2"], ["deploy", "--auth", "REDACTED"], "--auth"),
        (["http", "-a", "me:hunter2"], ["http", "-a", "REDACTED"], "-a"),
    ] {
        check(&arguments, &kept, &[&warned(flag)]);
    }
    check(
        &["twine", "upload", "-p", "hunter2", "dist/a.whl"],
        &["twine", "upload", "-p", "REDACTED", "dist/a.whl"],
        &["argument 3 of the command (-p)"],
    );
}

#[test]
fn commands_without_credentials_stay_as_they_are() {
    for arguments in [
        &["cargo", "build", "--release", "--locked", "--target=x86_64-unknown-linux-gnu"][..],
        &["sh", "-c", "make all && sha256sum out/* > sums"],
        &["sh", "-c", "curl -H \"Authorization: Bearer $TOKEN\" https://example.com"],
        &["docker", "run", "-u", "1000:1000", "-p", "8080:80", "nginx:1.27"],
        &["docker", "build", "--secret", "id=npm,src=npmrc", "--secret=id=a", "."],
        &["docker", "login", "--password-stdin", "registry.example.com"],
        &["cosign", "sign", "--key", "cosign.key", "registry.example.com/a@sha256:00"],
        &["npm", "publish", "--no-auth", "--access", "public"],
        &["gh", "repo", "create", "--private", "o/r"],
        &["curl", "-u", "me:$PASSWORD", "--netrc", "https://example.com"],
        &["deploy", "--token", "--verbose", "--token", "$TOKEN", "--token="],
        &["llm", "--max-tokens", "4096", "--tokenizer", "bpe"],
        &["git", "clone", "git@github.com:o/r.git"],
        &["go", "build", "-ldflags", "-X main.commit=83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d"],
    ] {
        check(arguments, arguments, &[]);
    }
}
