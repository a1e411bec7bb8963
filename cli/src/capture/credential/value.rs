//! Values that look like credentials: keys, tokens of known issuers, URLs that give access, and
//! what looks random.
//!
//! Every check is one pass over the text.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{REDACTED, Sign, says_credential};

/// What tokens of known issuers start with, how many characters follow at least, and whose they
/// are. The issuers chose these beginnings so that scanners know a leaked token.
const TOKENS: &[(&str, usize, &str)] = &[
    ("attestry_", 40, "a token of an Attestry registry"),
    ("ghp_", 20, "a GitHub token"),
    ("gho_", 20, "a GitHub token"),
    ("ghu_", 20, "a GitHub token"),
    ("ghs_", 20, "a GitHub token"),
    ("ghr_", 20, "a GitHub token"),
    ("github_pat_", 20, "a GitHub token"),
    ("glpat-", 16, "a GitLab token"),
    ("glptt-", 16, "a GitLab token"),
    ("gldt-", 16, "a GitLab token"),
    ("glrt-", 16, "a GitLab token"),
    ("glcbt-", 16, "a GitLab token"),
    ("glsoat-", 16, "a GitLab token"),
    ("bkua_", 20, "a Buildkite token"),
    ("CCIPAT_", 20, "a CircleCI token"),
    ("CCIPRJ_", 20, "a CircleCI token"),
    ("xoxa-", 10, "a Slack token"),
    ("xoxb-", 10, "a Slack token"),
    ("xoxe-", 10, "a Slack token"),
    ("xoxp-", 10, "a Slack token"),
    ("xoxr-", 10, "a Slack token"),
    ("xoxs-", 10, "a Slack token"),
    ("xapp-", 10, "a Slack token"),
    ("sk_live_", 16, "a Stripe key"),
    ("rk_live_", 16, "a Stripe key"),
    ("sk_test_", 16, "a Stripe key"),
    ("sk-ant-", 20, "an Anthropic key"),
    ("sk-proj-", 20, "an OpenAI key"),
    ("AIza", 30, "a Google API key"),
    ("ya29.", 20, "a Google token"),
    ("npm_", 30, "an npm token"),
    ("pypi-", 40, "a PyPI token"),
    ("rubygems_", 40, "a RubyGems key"),
    ("dckr_pat_", 20, "a Docker token"),
    ("dop_v1_", 40, "a DigitalOcean token"),
    ("doo_v1_", 40, "a DigitalOcean token"),
    ("dor_v1_", 40, "a DigitalOcean token"),
    ("hvs.", 20, "a Vault token"),
    ("hvb.", 20, "a Vault token"),
    ("hvr.", 20, "a Vault token"),
    ("hf_", 30, "a Hugging Face token"),
    ("SG.", 20, "a SendGrid key"),
    ("shpat_", 30, "a Shopify token"),
    ("glsa_", 30, "a Grafana token"),
    ("ATATT3", 30, "an Atlassian token"),
];
/// What AWS access key ids start with; 16 capitals and digits follow.
const AWS_IDS: &[&str] = &["AKIA", "ASIA"];
/// How private keys of tools that do not use PEM show themselves.
const PRIVATE_KEYS: &[&str] = &["PRIVATE KEY", "AGE-SECRET-KEY-1", "PuTTY-User-Key-File"];
/// Parameters in the query of a URL that are a signature which gives access.
const SIGNATURES: &[&str] = &["sig", "signature", "x-amz-signature", "x-goog-signature"];
/// Schemes in which a user before the host is part of the place.
const WITH_USER: &[&str] = &["ssh", "git+ssh", "svn+ssh", "sftp", "rsync", "scp"];
/// Schemes in which even a user without a password may be a token.
const WEB: &[&str] = &["http", "https", "git+http", "git+https", "ftp", "ftps"];
/// What hashes that are written in base64 start with: SRI, fingerprints, go.sum.
const HASHES: &[&str] = &["sha1-", "sha256-", "sha384-", "sha512-", "md5-", "SHA256:", "h1:"];

/// By what a value looks like a credential, if it does.
pub(super) fn sign(value: &str) -> Option<Sign> {
    if PRIVATE_KEYS.iter().any(|mark| value.contains(mark)) {
        return Some(Sign::PrivateKey);
    }
    if let Some(issuer) = token(value) {
        return Some(Sign::Token(issuer));
    }
    CHECKS.iter().find_map(|(check, sign)| check(value).then_some(*sign))
}

/// Whether a text has one sign of a credential.
type Check = fn(&str) -> bool;

const CHECKS: &[(Check, Sign)] = &[
    (user_info, Sign::UserInfo),
    (signed_url, Sign::SignedUrl),
    (jwt, Sign::Jwt),
    (authorization, Sign::Authorization),
    (pair, Sign::Pair),
    (random, Sign::Random),
];

/// The issuer whose tokens look like something in the text.
fn token(text: &str) -> Option<&'static str> {
    words(text, |c| c.is_ascii_alphanumeric() || "_-.".contains(c)).find_map(|(_, word)| {
        // A token may follow another word: `prefix-ghp_…`, `key.AKIA…`.
        let starts = word.char_indices().filter(|(at, _)| {
            *at == 0 || word.as_bytes().get(at - 1).is_some_and(|before| b"-._".contains(before))
        });
        starts.filter_map(|(at, _)| word.get(at..)).find_map(|start| {
            let known = TOKENS.iter().find(|(prefix, least, _)| {
                let rest = start.strip_prefix(prefix).and_then(|rest| rest.split('.').next());
                rest.is_some_and(|rest| rest.len() >= *least && mixed(rest))
            });
            known.map(|(_, _, issuer)| *issuer).or_else(|| aws_id(start).then_some("an AWS key"))
        })
    })
}

fn aws_id(word: &str) -> bool {
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    AWS_IDS.iter().filter_map(|prefix| word.strip_prefix(prefix)).any(|rest| {
        rest.chars().take_while(|c| capital(*c)).count() == 16
            && !rest.chars().nth(16).is_some_and(|c| c.is_ascii_alphanumeric())
    })
}

/// Names of things in plain words have no digits and one case; tokens have.
fn mixed(text: &str) -> bool {
    let has = |is: fn(&char) -> bool| text.chars().any(|c| is(&c));
    has(char::is_ascii_digit) || (has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase))
}

/// The place of a user in the text of a URL, with the scheme: `(https, "me:secret")`.
struct UserInfo<'t> {
    scheme: String,
    user: &'t str,
    password: Option<&'t str>,
    /// Where the user starts, and where the host starts.
    place: (usize, usize),
}

impl<'t> UserInfo<'t> {
    /// Reads the authority after the `://` at `separator` (RFC 3986 §3.2).
    fn at(text: &'t str, separator: usize) -> Option<Self> {
        let scheme_char = |c: &char| c.is_ascii_alphanumeric() || "+-.".contains(*c);
        let scheme: String = text.get(..separator)?.chars().rev().take_while(scheme_char).collect();
        let scheme = scheme.chars().rev().collect::<String>().to_ascii_lowercase();
        let start = separator + 3;
        let rest = text.get(start..)?;
        let ends = |c: char| c.is_whitespace() || "/?#\\\"'<>`|".contains(c);
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
        let at = match authority.rfind('@') {
            Some(at) => at,
            // A password with an unencoded slash: what follows the colon is no port.
            None => {
                let (_, port) = authority.split_once(':')?;
                let is_address = authority.starts_with('[');
                if is_address || port.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let whole = rest.split(|c: char| c.is_whitespace() || "\"'".contains(c)).next()?;
                whole.rfind('@')?
            }
        };
        let info = rest.get(..at)?;
        let (user, password) = match info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (info, None),
        };
        Some(Self { scheme, user, password, place: (start, start + at + 1) })
    }

    fn gives_access(&self) -> bool {
        let given = |text: &str| !text.is_empty() && !is_reference(text);
        match self.password {
            Some(password) => given(password),
            None => WEB.contains(&self.scheme.as_str()) && given(self.user),
        }
    }
}

fn user_info(text: &str) -> bool {
    let urls = text.match_indices("://");
    urls.filter_map(|(at, _)| UserInfo::at(text, at)).any(|info| info.gives_access())
}

/// A URL without what gives access; see [`super::without_credentials`].
pub(super) fn without_credentials(url: &str) -> String {
    let Some(separator) = url.find("://") else { return url.to_owned() };
    let mut kept = url.to_owned();
    if let Some(info) = UserInfo::at(url, separator) {
        let (start, host) = info.place;
        let stays = WITH_USER.contains(&info.scheme.as_str())
            && !info.user.is_empty()
            && sign(info.user).is_none();
        let user = if stays { format!("{}@", info.user) } else { String::new() };
        let (before, after) = (url.get(..start), url.get(host..));
        kept = format!("{}{user}{}", before.unwrap_or_default(), after.unwrap_or_default());
    }
    let (rest, fragment) = split_off(&kept, '#');
    let (place, query) = split_off(rest, '?');
    let mut url = place.to_owned();
    for (mark, parameters) in [('?', query), ('#', fragment)] {
        let all = parameters.iter().flat_map(|parameters| parameters.split('&'));
        let harmless: Vec<&str> = all.filter(|parameter| !gives_access(parameter)).collect();
        if !harmless.is_empty() {
            url.push(mark);
            url.push_str(&harmless.join("&"));
        }
    }
    url
}

/// What stands before a mark, and after it where there is one.
fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Whether one parameter of a query gives access.
fn gives_access(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let signs = SIGNATURES.contains(&name.to_ascii_lowercase().as_str());
    !value.is_empty()
        && !is_reference(value)
        && (signs || says_credential(name) || sign(value).is_some())
}

fn signed_url(text: &str) -> bool {
    const LEAST_CHARS: usize = 16;
    text.contains("://")
        && words(text, |c| !c.is_whitespace() && !"?&\"'".contains(c)).any(|(_, word)| {
            word.split_once('=').is_some_and(|(name, value)| {
                value.len() >= LEAST_CHARS
                    && SIGNATURES.contains(&name.to_ascii_lowercase().as_str())
            })
        })
}

/// Header and payload of a JSON Web Token are JSON objects in base64url: `eyJ…`.
fn jwt(text: &str) -> bool {
    words(text, |c| c.is_ascii_alphanumeric() || "_-.".contains(c)).any(|(_, word)| {
        let mut parts = word.split('.').skip_while(|part| !part.starts_with("eyJ"));
        matches!((parts.next(), parts.next()), (Some(header), Some(payload))
            if header.len() > 10 && (payload.starts_with("eyJ") || parts.count() == 3))
    })
}

/// `Bearer` or `Basic` and what follows (RFC 6750 §2.1, RFC 7617 §2).
fn authorization(text: &str) -> bool {
    const LEAST_CHARS: usize = 16;
    let all: Vec<&str> =
        words(text, |c| !c.is_whitespace() && !"\"',:".contains(c)).map(|(_, word)| word).collect();
    all.windows(2).any(|pair| {
        let [scheme, credentials] = pair else { return false };
        let credentials = credentials.trim_end_matches('=');
        if scheme.eq_ignore_ascii_case("bearer") {
            return credentials.len() >= LEAST_CHARS
                && mixed(credentials)
                && !is_reference(credentials);
        }
        scheme.eq_ignore_ascii_case("basic")
            && STANDARD_NO_PAD
                .decode(credentials)
                .is_ok_and(|plain| plain.is_ascii() && plain.contains(&b':'))
    })
}

/// A name that says so with a value: `--token=…`, `-Dpassword=…`, `"secret": "…"`, `Password: …`.
fn pair(text: &str) -> bool {
    let named = |c: &char| c.is_ascii_alphanumeric() || "_.-".contains(*c);
    text.match_indices(['=', ':']).any(|(at, separator)| {
        let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) else {
            return false;
        };
        let unquoted = before.trim_end_matches(['"', '\'']);
        let in_quotes = unquoted.len() < before.len();
        // A colon stands in images and paths, too; as a separator, something shows it.
        if separator == ":" && !in_quotes && !after.starts_with([' ', '\t', '"', '\'']) {
            return false;
        }
        let name_chars = unquoted.chars().rev().take_while(named).count();
        let name = unquoted.get(unquoted.len() - name_chars..).unwrap_or_default();
        // `PASS: name` is how tests report.
        !(separator == ":" && name == "PASS") && says_credential(flag_name(name)) && is_given(after)
    })
}

/// A flag's name without dashes, and without the letter of `-Dname=value` and `-Pname=value`.
pub(crate) fn flag_name(flag: &str) -> &str {
    let short = flag.strip_prefix("-D").or_else(|| flag.strip_prefix("-P"));
    short.unwrap_or(flag)
}

/// Whether a value follows, and not a reference to one.
fn is_given(after: &str) -> bool {
    let start = |text: &str| text.trim_start_matches(['=', ' ', '\t', '"', '\'']).len();
    let mut value = after.get(after.len() - start(after)..).unwrap_or_default();
    for scheme in ["Bearer ", "Basic ", "token ", "Digest "] {
        value = value.strip_prefix(scheme).unwrap_or(value);
    }
    !value.is_empty() && !value.starts_with(['&', ';', ',', '}', ')']) && !is_reference(value)
}

/// Whether a text starts with where a secret comes from, as a shell, CI system or tool fills it in
/// (`$TOKEN`, `${token}`, `$(cat file)`, `%TOKEN%`, `{{ token }}`, `env:TOKEN`), or is covered up
/// already. A password may start with a dollar, too, so that names of variables have to be all
/// capitals.
pub(crate) fn is_reference(text: &str) -> bool {
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let variable = text.strip_prefix('$').is_some_and(|rest| {
        let after = rest.trim_start_matches(capital);
        after.len() < rest.len() && !after.starts_with(|c: char| c.is_alphanumeric() || c == '!')
    });
    let closed = |open: &str, close: &str, fits: fn(char) -> bool| {
        let inner = text.strip_prefix(open).and_then(|rest| rest.split_once(close));
        inner.is_some_and(|(inner, _)| !inner.is_empty() && inner.chars().all(fits))
    };
    let name = |c: char| c.is_ascii_alphanumeric() || " _.-".contains(c);
    variable
        || closed("${", "}", |_| true)
        || closed("$(", ")", |_| true)
        || closed("`", "`", |_| true)
        || closed("{{", "}}", |_| true)
        || closed("%", "%", |c| c.is_ascii_uppercase() || c == '_')
        || closed("<", ">", name)
        || ["env:", "file:", "fd:", REDACTED].iter().any(|mark| text.starts_with(mark))
        || text.chars().all(|c| c == '*')
}

/// A long run that looks random, and no hash, name or path.
fn random(text: &str) -> bool {
    const LEAST_CHARS: usize = 32;
    const LEAST_CHARS_BASE64: usize = 40;
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/_-".contains(c);
    words(text, base64).any(|(at, word)| {
        let before = text.get(..at).unwrap_or_default();
        if HASHES.iter().any(|mark| word.starts_with(mark) || before.ends_with(mark)) {
            return false;
        }
        // Standard base64 has slashes, as paths have; but most paths start with one.
        if word.len() >= LEAST_CHARS_BASE64 && !word.starts_with('/') {
            let mix = Mix::of(word);
            if mix.is_random() || (word.len() == LEAST_CHARS_BASE64 && mix.is_aws_secret()) {
                return true;
            }
        }
        word.split('/').any(|part| part.len() >= LEAST_CHARS && Mix::of(part).is_random())
    })
}

/// How capitals, small letters and digits stand in a word. Chance makes them take turns; words,
/// also in camel case, turn from one to the other seldom; hashes in hex have one case.
struct Mix {
    small: usize,
    capitals: usize,
    digits: usize,
    /// Of 100 neighbours, how many differ in kind: 62 by chance, 30 in camel case.
    turns_percent: usize,
    bits_per_char: f64,
}

impl Mix {
    fn of(word: &str) -> Self {
        let kind = |byte: u8| match byte {
            b'a'..=b'z' => 'a',
            b'A'..=b'Z' => 'A',
            b'0'..=b'9' => '0',
            _ => ' ',
        };
        let word = &without_hashes(word);
        let kinds: Vec<char> = word.bytes().map(kind).collect();
        let count = |wanted: char| kinds.iter().filter(|kind| **kind == wanted).count();
        let pairs = kinds.windows(2).filter(|pair| !pair.contains(&' '));
        let (mut neighbours, mut turns) = (0, 0);
        for pair in pairs {
            neighbours += 1;
            turns += usize::from(pair.first() != pair.last());
        }
        Self {
            small: count('a'),
            capitals: count('A'),
            digits: count('0'),
            turns_percent: turns * 100 / neighbours.max(1),
            bits_per_char: bits_per_char(word),
        }
    }

    fn is_random(&self) -> bool {
        self.small > 0
            && self.capitals > 0
            && self.digits >= 2
            && self.turns_percent >= 42
            && self.bits_per_char >= 3.5
    }

    /// The secret half of an AWS key is 40 characters of base64, few of which repeat.
    fn is_aws_secret(&self) -> bool {
        self.small > 0
            && self.capitals > 0
            && self.digits > 0
            && self.turns_percent >= 30
            && self.bits_per_char >= 4.5
    }
}

/// A word with a space in the place of each UUID and each long run of hex digits in one case, which
/// names often end with.
fn without_hashes(word: &str) -> String {
    const LEAST_CHARS: usize = 16;
    const UUID_CHARS: usize = 36;
    let small = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let capital = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    let is_uuid = |text: &[u8]| {
        let dashes = [8, 13, 18, 23];
        (0..).zip(text).all(|(index, byte)| match dashes.contains(&index) {
            true => *byte == b'-',
            false => byte.is_ascii_hexdigit(),
        })
    };
    let mut rest = word.as_bytes();
    let mut kept = String::with_capacity(word.len());
    while let Some((first, tail)) = rest.split_first() {
        let uuid = rest.get(..UUID_CHARS).is_some_and(is_uuid);
        let run = |is: fn(&u8) -> bool| rest.iter().take_while(|byte| is(byte)).count();
        let hex = run(small).max(run(capital));
        let hash = if uuid { UUID_CHARS } else { hex };
        if hash >= LEAST_CHARS {
            kept.push(' ');
            rest = rest.get(hash..).unwrap_or_default();
        } else {
            kept.push(char::from(*first));
            rest = tail;
        }
    }
    kept
}

/// Shannon's entropy of the characters.
fn bits_per_char(word: &str) -> f64 {
    let mut counts = BTreeMap::new();
    for byte in word.bytes().filter(|byte| *byte != b' ') {
        *counts.entry(byte).or_insert(0_u32) += 1;
    }
    let total = f64::from(counts.values().sum::<u32>());
    counts.values().map(|count| f64::from(*count) / total).map(|share| -share * share.log2()).sum()
}

/// The runs of characters of one kind, with where they start.
fn words(text: &str, of: fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text.get(rest..)?.find(of)?;
        let tail = text.get(start..)?;
        let end = start + tail.find(|c| !of(c)).unwrap_or(tail.len());
        rest = end;
        Some((start, text.get(start..end)?))
    })
}
