//! Names of variables, flags and parameters that say that their value is a credential.

/// How much of a name is looked at.
const MAX_NAME_CHARS: usize = 256;

/// Words that say so wherever they stand, also within a longer word: `PGPASSWORD`, `authSecret`.
const WITHIN: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "CREDENTIAL",
    "APIKEY",
    "ACCESSKEY",
    "PRIVATEKEY",
    "AUTHKEY",
    "KEYPASS",
    "STOREPASS",
];
/// Words that say so when they are a word of their own.
const WHOLE: &[&str] = &[
    "AUTH",
    "AUTHORIZATION",
    "BEARER",
    "COOKIE",
    "CRED",
    "CREDS",
    "JWT",
    "NETRC",
    "PASS",
    "PASSIN",
    "PASSOUT",
    "PAT",
    "PRIVATE",
    "PWD",
    "SAS",
];
/// Kinds of `KEY` that are secret: `AWS_ACCESS_KEY_ID`, `ssh-key`. A cache key is none.
const KEYS: &[&str] = &[
    "ACCESS",
    "ACCOUNT",
    "API",
    "DEPLOY",
    "ENCRYPTION",
    "GPG",
    "LICENSE",
    "MASTER",
    "SERVICE",
    "SHARED",
    "SIGNING",
    "SSH",
    "STORAGE",
];
/// Last words of names that tell about a credential, where it is or how it is used.
const ABOUT: &[&str] = &[
    "DIR", "ENABLED", "ENDPOINT", "ENV", "FILE", "ISSUER", "LENGTH", "METHOD", "MODE", "NAME",
    "PATH", "POLICY", "PROMPT", "PROVIDER", "STDIN", "TIMEOUT", "TTL", "TYPE", "URI", "URL",
];
/// First words of names that count something or switch it off: `--no-auth`, `MAX_TOKENS`.
const NO_VALUE: &[&str] = &["DISABLE", "IGNORE", "MAX", "MIN", "NO", "NUM", "SKIP", "WITHOUT"];
/// The shell's own variables, where `PWD` is a folder.
const FOLDERS: &[&str] = &["PWD", "OLDPWD"];

/// Tells whether a name says that its value is a credential. Names are read word by word, so that
/// `GIT_AUTHOR` and `TOKENIZER` are none.
pub(crate) fn says_credential(name: &str) -> bool {
    let words = words(name);
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return false };
    if ABOUT.contains(&last.as_str())
        || NO_VALUE.contains(&first.as_str())
        || FOLDERS.contains(&name)
    {
        return false;
    }
    let says = |word: &String| {
        WITHIN.iter().any(|part| word.contains(part))
            || WHOLE.contains(&word.as_str())
            || word.ends_with("TOKEN")
            || word.ends_with("TOKENS")
    };
    let key = |pair: &[String]| match pair {
        [kind, key] => key == "KEY" && KEYS.contains(&kind.as_str()),
        _ => false,
    };
    words.iter().any(says) || words.windows(2).any(key)
}

/// The words of a name in capitals: `clientSecret`, `client-secret` and `CLIENT_SECRET` have the
/// same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let mut letters = name.chars().take(MAX_NAME_CHARS).peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            words.push(String::new());
        } else {
            let ends_capitals = letter.is_uppercase()
                && before.is_uppercase()
                && letters.peek().is_some_and(|next| next.is_lowercase());
            if (letter.is_uppercase() && before.is_lowercase()) || ends_capitals {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(letter.to_uppercase());
            }
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_word_by_word() {
        let check = |name: &str, expected: &[&str]| assert_eq!(words(name), expected, "{name}");
        check("CLIENT_SECRET", &["CLIENT", "SECRET"]);
        check("--client-secret", &["CLIENT", "SECRET"]);
        check("keyStorePassword", &["KEY", "STORE", "PASSWORD"]);
        check("APIKey2", &["API", "KEY2"]);
        check("javax.net.ssl.x", &["JAVAX", "NET", "SSL", "X"]);
        check("_-.", &[]);
    }

    #[test]
    fn names_of_credentials_say_so() {
        for name in [
            "GITHUB_TOKEN",
            "CI_JOB_TOKEN",
            "NPMTOKEN",
            "API_TOKENS",
            "_authToken",
            "CLIENT_SECRET",
            "clientSecret",
            "SECRETS",
            "DB_PASSWORD",
            "PGPASSWORD",
            "PASSWD",
            "GPG_PASSPHRASE",
            "MYSQL_PWD",
            "DB_PASS",
            "API_KEY",
            "apikey",
            "X-Api-Key",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AccountKey",
            "PRIVATE_KEY",
            "SSH_PRIVATE",
            "SIGNING_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "NPM_CONFIG__AUTH",
            "HTTP_AUTHORIZATION",
            "GH_PAT",
        ] {
            assert!(says_credential(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_sound_like_it_pass() {
        for name in [
            "",
            "PATH",
            "PWD",
            "OLDPWD",
            "GIT_AUTHOR_NAME",
            "CI_COMMIT_AUTHOR",
            "AUTHORS",
            "TOKENIZERS_PARALLELISM",
            "MAX_TOKENS",
            "--no-auth",
            "--password-stdin",
            "--token-file",
            "PASSWORD_FILE",
            "CACHE_KEY",
            "BUILDKITE_STEP_KEY",
            "KEY",
            "--key",
            "MONKEY",
            "COMPASS",
            "BYPASS",
            "CFLAGS",
            "SOURCE_DATE_EPOCH",
        ] {
            assert!(!says_credential(name), "{name}");
        }
    }
}
