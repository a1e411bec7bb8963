//! The program itself on a terminal, which `script` of util-linux lends.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::harness::Dir;

/// Runs `attestry ARGS` on a terminal, types `keys` once it asks for a password, and gives what the
/// terminal showed, with the exit status and the terminal's settings afterwards.
fn type_at_the_prompt(dir: &Dir, args: &str, keys: &[u8]) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_attestry");
    let line = format!("trap : INT; {program} {args}; echo status=$?; stty -a; exit");
    let spawned = Command::new("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .env_remove("ATTESTRY_PASSWORD")
        .current_dir(dir.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut script) = spawned else {
        let _ = writeln!(std::io::stderr(), "skipped: there is no `script` to lend a terminal");
        return None;
    };
    let (mut stdin, mut stdout) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    let asked = |shown: &[u8]| String::from_utf8_lossy(shown).contains("Password for");
    while !asked(&shown) && stdout.read(&mut byte).unwrap() > 0 {
        shown.extend(byte);
    }
    stdin.write_all(keys).unwrap();
    stdout.read_to_end(&mut shown).unwrap();
    script.wait().unwrap();
    Some(String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn a_terminal_echoes_again_after_ctrl_c_at_the_password() {
    let dir = Dir::new();
    let Some(shown) = type_at_the_prompt(&dir, "key generate --out k", b"abc\x03") else { return };
    let settings: Vec<&str> = shown.split_whitespace().collect();
    // A terminal may show the ^C before it.
    assert!(shown.contains("status=130"), "{shown}");
    for expected in ["echo", "icanon", "isig"] {
        assert!(settings.contains(&expected), "{expected} is off: {shown}");
    }
    assert!(!dir.path("k.key").exists());
}
