use super::*;

fn check(script: &str, expected: &str, flags: &[&str]) {
    let Recorded::Script(kept, findings) = redacted(script, 0) else { panic!("{script}") };
    assert_eq!(kept, expected, "{script}");
    let found: Vec<&str> = findings.iter().map(|finding| finding.flag.as_str()).collect();
    assert_eq!(found, flags, "{script}");
}

#[test]
fn only_the_credential_is_replaced() {
    for (script, expected, flag) in [
        ("deploy --token hunter2 && ls", "deploy --token REDACTED && ls", "--token"),
        ("deploy --token='hunter 2'; ls", "deploy --token=REDACTED; ls", "--token"),
        ("deploy --auth \"hunter2\"|cat", "deploy --auth REDACTED|cat", "--auth"),
        ("NPM_TOKEN=hunter2 npm ci", "NPM_TOKEN=REDACTED npm ci", "NPM_TOKEN"),
        ("export A=1 DB_PASSWORD=x", "export A=1 DB_PASSWORD=REDACTED", "DB_PASSWORD"),
        ("twine upload -p hunter2 dist/*", "twine upload -p REDACTED dist/*", "-p"),
        ("curl 2>&1 -u me:hunter2 h", "curl 2>&1 -u REDACTED h", "-u"),
        ("curl -b s=hunter2 h >out", "curl -b REDACTED h >out", "-b"),
        ("curl --cookie s=hunter2 h", "curl --cookie REDACTED h", "--cookie"),
        ("curl -H 'Authorization: Basic x y' h", "curl -H REDACTED h", "-H"),
        ("curl -H \"PRIVATE-TOKEN:hunter2\" h", "curl -H REDACTED h", "-H"),
        ("curl -HAuthorization:hunter2 h", "curl -HREDACTED h", "-H"),
        ("x=$(curl -u me:hunter2 h) make", "x=$(curl -u REDACTED h) make", "-u"),
        ("echo \"got `curl -u me:hunter2 h`\"", "echo \"got `curl -u REDACTED h`\"", "-u"),
        (
            "a &&\\\n  b --pass\\\nword h\\unter2",
            "a &&\\\n  b --pass\\\nword REDACTED",
            "--password",
        ),
        ("(cd x; mysql -phunter2 <in)", "(cd x; mysql -pREDACTED <in)", "-p"),
        ("bash -ec 'b --token \"hunter2\"'", "bash -ec 'b --token REDACTED'", "--token"),
        ("git clone https://u:p@h/x", "git clone REDACTED", ""),
    ] {
        check(script, expected, &[flag]);
    }
    check(
        "a --token x1 --password x2; b --token x3",
        "a --token REDACTED --password REDACTED; b --token REDACTED",
        &["--token", "--password", "--token"],
    );
    check("b --token \"ab$(c --token x)\"", "b --token REDACTED", &["--token", "--token"]);
}

#[test]
fn scripts_without_credentials_stay_as_they_are() {
    for script in [
        "",
        "make all && sha256sum out/* > sums",
        "curl -H \"Authorization: Bearer $TOKEN\" -u \"me:$PASSWORD\" -b jar.txt https://h",
        "deploy --token \"$TOKEN\" --password $(cat file) --secret `cat file` --auth ${AUTH}",
        "for x in a b; do echo \"$x\" 'a b'; done # it is done",
        "case $x in a) echo a;; *) echo $((1 + 2));; esac",
        "cat <<EOF\nit's open\nEOF",
        "echo 'open",
        "printf $'a\\n'",
    ] {
        check(script, script, &[]);
    }
}

#[test]
fn of_a_script_that_cannot_be_read_nothing_is_recorded_in_doubt() {
    for script in [
        "cat <<EOF\nx --token hunter2\nEOF",
        "deploy --token 'hunter2",
        "printf $'a' && curl -u me:hunter2 h",
        "x `a \\`b --token hunter2\\``",
        "$($($($($($($($($($(x --token hunter2))))))))))",
    ] {
        check(script, REDACTED, &[""]);
    }
    // A comment is no word, and still a text.
    check("ls # password: hunter2", REDACTED, &[""]);
}
