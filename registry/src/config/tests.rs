use attestry_schemas::key::SigningKey;
use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    settings: Settings,
}

fn flags(args: &[&str]) -> Settings {
    Command::try_parse_from([&["serve"], args].concat()).unwrap().settings
}

fn load(file: &str, args: &[&str]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), file).unwrap();
    Config::load(dir.path(), None, flags(args))
}

fn message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn pem(seed: u8) -> String {
    SigningKey::from_ed25519_seed([seed; 32]).public_key().to_pem()
}

#[test]
fn without_a_file_the_defaults_are_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::load(dir.path(), None, Settings::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert!(config.require_token_for_writes && !config.accept_unknown_signers);
    assert_eq!(config.max_body_bytes, 24 << 20);
    assert_eq!(config.max_items_per_request, 1000);
    assert!(config.trusted_keys.is_empty());
}

#[test]
fn a_flag_overrides_the_file_and_the_file_overrides_the_default() {
    let file = "max_batch = 7\nqueue_capacity = 9\nlog_format = \"json\"";
    let config = load(file, &["--max-batch", "8"]).unwrap();
    assert_eq!((config.max_batch, config.queue_capacity), (8, 9));
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!(config.max_connections, 1024);
}

#[test]
fn every_setting_is_a_flag_a_variable_and_a_key_of_the_same_name() {
    use clap::CommandFactory;
    let command = Command::command();
    let arguments: Vec<_> = command.get_arguments().filter(|a| a.get_id() != "help").collect();
    assert!(arguments.len() > 20);
    for argument in arguments {
        let id = argument.get_id().as_str();
        let variable = format!("ATTESTRY_REGISTRY_{}", id.to_uppercase());
        assert_eq!(argument.get_env().unwrap(), variable.as_str());
        let flag = argument.get_long().unwrap().replace('-', "_");
        let lists = [("trusted_keys", "trusted_key"), ("certificate_roots", "certificate_root")];
        assert!(flag == id || lists.contains(&(id, flag.as_str())), "{flag}");
        assert!(argument.get_help().is_some(), "{id}");
    }
}

#[test]
fn every_bound_on_a_body_has_a_range() {
    for name in ["max-body-bytes", "max-rekor-body-bytes", "max-content-bytes"] {
        for value in ["0", "1152921504606846976"] {
            let refused = load("", &[&format!("--{name}"), value]).unwrap_err();
            let setting = name.replace('-', "_");
            assert!(refused.to_string().contains(&setting), "{refused}");
        }
    }
}

#[test]
fn reads_need_a_token_away_from_loopback_unless_said_otherwise() {
    for (args, expected) in [
        (&["--listen", "127.0.0.1:1"][..], false),
        (&["--listen", "[::1]:1"], false),
        (&["--listen", "0.0.0.0:1"], true),
        (&["--listen", "0.0.0.0:1", "--require-token-for-reads", "false"], false),
        (&["--listen", "127.0.0.1:1", "--require-token-for-reads", "true"], true),
    ] {
        assert_eq!(load("", args).unwrap().require_token_for_reads, expected, "{args:?}");
    }
}

#[test]
fn an_error_in_the_file_names_file_line_and_column() {
    for (file, expected) in [
        ("max_batch = 7\nmax_bacth = 8", "line 2, column 1"),
        ("max_batch = \"many\"", "line 1, column 13"),
        ("max_batch = -1", "line 1, column 13"),
        ("max_batch = 1\nmax_batch = 2", "line 2, column 1"),
        ("listen = \"localhost\"", "line 1, column 10"),
        ("log_format = \"xml\"", "line 1, column 14"),
        ("[limits]\nmax_batch = 1", "line 1, column 2"),
        ("max_batch =", "line 1"),
    ] {
        let text = message(&load(file, &[]).unwrap_err());
        assert!(text.contains(expected) && text.contains(FILE_NAME), "{file}: {text}");
    }
}

#[test]
fn a_value_out_of_range_names_the_setting_and_the_range() {
    for (file, name) in [
        ("max_batch = 0", "max_batch"),
        ("max_body_bytes = 10", "max_body_bytes"),
        ("worker_threads = 0", "worker_threads"),
        ("request_timeout_ms = 0", "request_timeout_ms"),
        ("queue_capacity = 99999999", "queue_capacity"),
        ("log_level = \"ifno\"", "log_level"),
        ("log_level = \"\"", "log_level"),
        ("log_level = \"info,actix_web=\"", "log_level"),
        ("public_url = \"example.com\"", "public_url"),
        ("public_url = \"https://example.com/path\"", "public_url"),
        ("public_url = \"ftp://example.com\"", "public_url"),
        ("public_url = \"https://user@example.com\"", "public_url"),
    ] {
        let text = message(&load(file, &[]).unwrap_err());
        assert!(text.contains(&format!("the setting {name} must be")), "{text}");
    }
    for level in ["debug", "OFF", "info,attestry_registry=debug,actix_web::middleware=warn"] {
        assert_eq!(load("", &["--log-level", level]).unwrap().log_level, level);
    }
    for url in ["https://example.com", "http://localhost:8080", "https://[::1]:8443/"] {
        assert!(load(&format!("public_url = \"{url}\""), &[]).is_ok(), "{url}");
    }
}

#[test]
fn a_named_file_must_exist_and_replaces_the_one_in_the_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), "max_batch = 1").unwrap();
    let named = dir.path().join("other.toml");
    let missing = Config::load(dir.path(), Some(&named), Settings::default()).unwrap_err();
    assert!(message(&missing).contains("other.toml"), "{missing}");
    std::fs::write(&named, "queue_capacity = 5").unwrap();
    let config = Config::load(dir.path(), Some(&named), Settings::default()).unwrap();
    assert_eq!((config.max_batch, config.queue_capacity), (1024, 5));
}

#[test]
fn trusted_keys_are_texts_and_files_beside_the_settings_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.pub"), pem(1)).unwrap();
    let file = format!("trusted_keys = ['one.pub', '''{}''', '''{}''']", pem(2), pem(1));
    std::fs::write(dir.path().join(FILE_NAME), file).unwrap();
    let config = Config::load(dir.path(), None, Settings::default()).unwrap();
    assert_eq!(config.trusted_keys.len(), 2, "the repeated key counts once");
    let path = dir.path().join("one.pub");
    let given = flags(&["--trusted-key", path.to_str().unwrap()]);
    let config = Config::load(dir.path(), None, given).unwrap();
    assert_eq!(config.trusted_keys, [PublicKey::from_pem(&pem(1)).unwrap()]);
}

#[test]
fn a_bad_trusted_key_is_named() {
    let text = message(&load("trusted_keys = ['missing.pub']", &[]).unwrap_err());
    assert!(text.contains("missing.pub") && text.contains("trusted_keys"), "{text}");
    let bad = "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----";
    let file = format!("trusted_keys = [\"{bad}\"]");
    let text = message(&load(&file, &[]).unwrap_err());
    assert!(text.contains("number 1 of trusted_keys"), "{text}");
}

#[test]
fn certificates_are_those_of_the_roots_that_ship_or_of_the_files_that_are_named() {
    assert_eq!(load("", &[]).unwrap().certificate_roots, CertificateRoots::embedded());
    let dir = tempfile::tempdir().unwrap();
    let (_, github) = attestry_schemas::verify::EMBEDDED_ROOTS[1];
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("mine.json", github);
    write(FILE_NAME, "certificate_roots = ['mine.json']");
    let given = Config::load(dir.path(), None, Settings::default()).unwrap().certificate_roots;
    assert_eq!(given, CertificateRoots::given([("x", github)]).unwrap());
    let path = dir.path().join("mine.json");
    let flag = load("", &["--certificate-root", path.to_str().unwrap()]).unwrap();
    assert_eq!(flag.certificate_roots, given);
    let refused = |text: &str, words: &[&str]| {
        write("mine.json", text);
        let refused = message(&Config::load(dir.path(), None, Settings::default()).unwrap_err());
        assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
    };
    refused("{", &["mine.json", "certificate_roots", "does not parse"]);
    let registrys = github.replace("certificateAuthorities", "others");
    refused(&registrys, &["mine.json", "certificate_roots", "certificate authorities"]);
    std::fs::remove_file(&path).unwrap();
    let missing = message(&Config::load(dir.path(), None, Settings::default()).unwrap_err());
    assert!(missing.contains("mine.json") && missing.contains("certificate_roots"), "{missing}");
    let none = message(&load("certificate_roots = []", &[]).unwrap_err());
    assert!(none.contains("the setting certificate_roots must be"), "{none}");
}

#[test]
fn certificate_and_key_come_together_from_flags_or_beside_the_settings_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = "tls_certificate = \"tls.crt\"\ntls_key = \"/etc/tls.key\"";
    std::fs::write(dir.path().join(FILE_NAME), file).unwrap();
    let tls = |args: &[&str]| Config::load(dir.path(), None, flags(args)).unwrap().tls.unwrap();
    let (certificate, key) = (dir.path().join("tls.crt"), PathBuf::from("/etc/tls.key"));
    assert_eq!(tls(&[]), TlsFiles { certificate, key: key.clone(), client_ca: None });
    assert_eq!(
        tls(&["--tls-certificate", "a"]),
        TlsFiles { certificate: "a".into(), key, client_ca: None }
    );
    assert_eq!(load("", &[]).unwrap().tls, None);
    for (alone, missing) in [("--tls-certificate", "tls_key"), ("--tls-key", "tls_certificate")] {
        let text = message(&load("", &[alone, "x"]).unwrap_err());
        assert!(text.contains(&format!("the setting {missing} must be")), "{text}");
    }
}

#[test]
fn the_environment_of_admission_is_a_name() {
    let environment = |text: &str| load("", &["--admission-environment", text]);
    assert_eq!(
        environment("pay/production").unwrap().admission_environment.unwrap(),
        "pay/production"
    );
    for text in ["", "a b", "a//b", "../a"] {
        let text = message(&environment(text).unwrap_err());
        assert!(text.contains("admission_environment"), "{text}");
    }
}
