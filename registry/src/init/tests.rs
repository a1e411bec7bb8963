use std::os::unix::fs::PermissionsExt as _;

use attestry_schemas::merkle;

use super::*;
use crate::fsck;
use crate::testing::{self, Registry, options};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_registry_has_its_genesis_at_leaf_0_and_its_secrets_closed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (root, trusted) = (testing::p256(), testing::ed25519());
    let made = init(InitOptions {
        root_keys: vec![root.public_key().clone()],
        trusted_keys: vec![trusted.public_key().clone()],
        url: "https://attest.example.org:8443/".to_owned(),
        ..options(&data)
    })
    .unwrap();
    assert_eq!(
        (made.url.as_str(), made.origin.as_str()),
        ("https://attest.example.org:8443", "attest.example.org")
    );
    assert_eq!(
        (made.genesis.created, made.genesis.proven.index, made.genesis.proven.size),
        (true, 0, 1)
    );
    assert_eq!(made.genesis.proven.root, merkle::leaf_hash(&made.genesis.body));

    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join(data::LOG_KEY_FILE)), 0o600);
    assert_eq!(mode(&data.join(data::TOKENS_FILE)), 0o600);
    assert!(!data.join(data::INIT_MARKER).exists());

    let folder = DataFolder::open(&data).unwrap();
    assert_eq!(folder.log_key().unwrap().public_key(), &made.log_key);
    assert_eq!(folder.log().unwrap().origin, made.origin);
    assert_eq!(folder.log().unwrap().log_id, made.log_id.0);
    assert_eq!(folder.signing_config().unwrap().logs()[0].url, made.url);
    assert_eq!(
        folder.tokens().unwrap().find(made.token.reveal()).map(|found| found.name.clone()),
        Some(tokens::ADMIN.to_owned())
    );
    assert_eq!(folder.root_keys().unwrap(), [root.public_key().clone()]);
    let mut both = [root.public_key().clone(), trusted.public_key().clone()];
    both.sort();
    assert_eq!(folder.trusted_keys().unwrap(), both, "a root key may sign, too");

    let config = Config::load(&data, None, Settings::default()).unwrap();
    assert_eq!(config.public_url, Some(made.url));
    assert!(fsck::check(&data, &mut |_| {}).unwrap().is_clean());
}

#[test]
fn the_comments_of_the_settings_are_the_defaults() {
    let text = settings_text("https://attest.example.org");
    let given: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = ") && !line.starts_with("trusted_keys"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(given.lines().count() > 10, "{given}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(config::FILE_NAME), given).unwrap();
    let config = Config::load(dir.path(), None, Settings::default()).unwrap();
    assert_eq!(config, Config::defaults());
}

#[test]
fn the_token_is_nowhere_in_the_data_folder() {
    let registry = Registry::new();
    let token = Token::of_random([8; 32]);
    let mut folders = vec![registry.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let secret = token.reveal().as_bytes();
            assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{}", path.display());
        }
    }
}

#[test]
fn a_folder_that_holds_something_is_refused_and_kept() {
    let registry = Registry::new();
    let key = std::fs::read(registry.path().join(data::LOG_KEY_FILE)).unwrap();
    let refused = init(options(registry.path())).unwrap_err();
    assert!(matches!(refused, InitError::NotEmpty { .. }), "{refused}");
    assert_eq!(std::fs::read(registry.path().join(data::LOG_KEY_FILE)).unwrap(), key);
}

#[test]
fn an_empty_folder_is_filled() {
    let dir = tempfile::tempdir().unwrap();
    init(options(dir.path())).unwrap();
    assert_eq!(mode(dir.path()), 0o700);
    DataFolder::open(dir.path()).unwrap();
}

#[test]
fn a_url_that_cannot_name_a_log_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for url in
        ["example.org", "ftp://example.org", "https://", "https://example.org/base", "https://u@h"]
    {
        let data = dir.path().join("data");
        let refused = init(InitOptions { url: url.to_owned(), ..options(&data) }).unwrap_err();
        assert!(matches!(refused, InitError::Url(_) | InitError::Origin(_)), "{url}: {refused}");
        assert!(!data.exists(), "{url}");
    }
}

#[test]
fn what_a_crash_in_init_leaves_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let refused = DataFolder::open(&empty).unwrap_err();
    assert!(matches!(refused, DataError::NotThere { .. }), "{refused}");
    let registry = Registry::new();
    std::fs::write(registry.path().join(data::INIT_MARKER), "").unwrap();
    let refused = DataFolder::open(registry.path()).unwrap_err();
    assert!(matches!(refused, DataError::Incomplete { .. }), "{refused}");
    let refused = init(options(registry.path())).unwrap_err();
    assert!(matches!(refused, InitError::Unfinished(_)), "{refused}");
}
