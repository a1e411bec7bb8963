//! `attestry key`: make, import and show keys.

use std::path::Path;

use attestry_schemas::key::{KeyType, PublicKey, SigningKey};
use serde::Serialize;

use crate::args::{
    KeyCommand, KeyGenerateArgs, KeyImportArgs, KeyShowArgs, KeyTypeArg, PasswordArgs,
};
use crate::keyfile::{self, KeyFileKind, KeyText, PairPaths};
use crate::output::{Exit, Failure, Session};

/// What is told of a key.
#[derive(Serialize)]
struct Answer {
    #[serde(rename = "type")]
    key_type: String,
    fingerprint: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_file: Option<String>,
}

impl Answer {
    fn of(key: &PublicKey) -> Self {
        Self {
            key_type: key.key_type().to_string(),
            fingerprint: key.fingerprint().to_string(),
            public_key: key.to_pem(),
            private_file: None,
            public_file: None,
        }
    }
}

/// Runs `attestry key …`.
pub(super) fn run(command: &KeyCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Generate(args) => generate(args, session),
        KeyCommand::Import(args) => import(args, session),
        KeyCommand::Show(args) => show(args, session),
    }
}

fn generate(args: &KeyGenerateArgs, session: &mut Session) -> Result<Exit, Failure> {
    let key_type = match args.key_type {
        KeyTypeArg::P256 => KeyType::P256,
        KeyTypeArg::Ed25519 => KeyType::Ed25519,
    };
    let paths = pair(&args.out, args.force)?;
    let key = keyfile::generate(key_type)?;
    keep(&key, &paths, &args.password, args.force, session)
}

fn import(args: &KeyImportArgs, session: &mut Session) -> Result<Exit, Failure> {
    let paths = pair(&args.out, args.force)?;
    let text = KeyText::read(&args.file, session)?;
    let key = match text.kind() {
        // That it lies open is why it is imported, so nobody is warned of it.
        KeyFileKind::Plain => text.open_plain()?,
        KeyFileKind::Encrypted | KeyFileKind::Public => {
            text.private(session, &args.password)?.unlock()?
        }
    };
    keep(&key, &paths, &args.password, args.force, session)
}

fn pair(out: &Path, force: bool) -> Result<PairPaths, Failure> {
    let paths = PairPaths::of(out);
    if !force {
        paths.demand_absent()?;
    }
    Ok(paths)
}

fn keep(
    key: &SigningKey,
    paths: &PairPaths,
    flags: &PasswordArgs,
    force: bool,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let place = paths.private.display().to_string();
    let password = keyfile::new_password(session, flags, &place)?;
    if password.is_empty() {
        session.warn(format!("the password of {place} is empty: whoever has the file can sign"));
    }
    keyfile::write_pair(key, paths, password.as_bytes(), force)?;
    let mut answer = Answer::of(key.public_key());
    if session.json() {
        answer.private_file = Some(place);
        answer.public_file = Some(paths.public.display().to_string());
        session.answer(&answer)?;
    } else {
        session.line(&answer.fingerprint);
        let public = paths.public.display();
        session.say(format!("wrote {place} (keep it secret) and {public} ({})", answer.key_type));
    }
    Ok(Exit::Success)
}

fn show(args: &KeyShowArgs, session: &mut Session) -> Result<Exit, Failure> {
    let text = KeyText::read(&args.file, session)?;
    let key = match text.kind() {
        KeyFileKind::Public => text.public()?,
        KeyFileKind::Encrypted | KeyFileKind::Plain => {
            text.private(session, &args.password)?.unlock()?.public_key().clone()
        }
    };
    let answer = Answer::of(&key);
    if session.json() {
        session.answer(&answer)?;
    } else {
        session.line(format!("type         {}", answer.key_type));
        session.line(format!("fingerprint  {}", answer.fingerprint));
        session.line(answer.public_key.trim_end());
    }
    Ok(Exit::Success)
}
