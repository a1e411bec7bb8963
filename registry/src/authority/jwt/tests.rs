//! Tokens of an issuer, and the ways in which others were made to believe one that is not.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use serde_json::json;

use super::*;
use crate::authority::document::{Access, ClaimValue};

pub(crate) const URL: &str = "https://issuer.example.org";
pub(crate) const AUDIENCE: &str = "https://attest.example.org";
const NOW_S: i64 = 1_900_000_000;

/// An issuer with a key of each kind.
pub(crate) struct Signing {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Signing {
    pub(crate) fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The RSA public key as PKCS#1, which is what attackers use as an HMAC secret.
    pub(crate) fn public_rsa(&self) -> &[u8] {
        self.rsa.public_key().as_ref()
    }

    fn rsa_key(&self) -> Value {
        // RFC 8017 A.1.1 for 2048 bits: two headers of 4 bytes, a zero, n, and e = 65537 at the end.
        let (n, e) = (&self.public_rsa()[9..265], &self.public_rsa()[267..270]);
        json!({"kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "n": encode(n), "e": encode(e)})
    }

    pub(crate) fn set(&self) -> Value {
        let point = self.p256.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        let p256 = json!({"kty": "EC", "crv": "P-256", "kid": "p256", "x": x, "y": y});
        let x = encode(self.ed25519.public_key().as_ref());
        let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x});
        // What no algorithm of ours uses is passed over.
        let secret = json!({"kty": "oct", "kid": "secret", "k": encode(b"secret")});
        json!({"keys": [self.rsa_key(), p256, ed25519, secret]})
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(self.set().to_string().as_bytes()).unwrap()
    }

    /// Signs a header and claims as the header's `alg` says.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match header["alg"].as_str().unwrap_or_default() {
            "ES256" => {
                self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec()
            }
            "EdDSA" => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
            _ => self.rsa_signature(signed.as_bytes()),
        };
        format!("{signed}.{}", encode(&signature))
    }

    fn rsa_signature(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn part(value: &Value) -> String {
    encode(value.to_string().as_bytes())
}

/// A token whose HMAC has this secret.
pub(crate) fn symmetric(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

pub(crate) fn claims(expires_s: i64) -> Value {
    json!({"iss": URL, "aud": AUDIENCE, "sub": "repo:acme/pay:ref:refs/heads/main", "exp": expires_s,
        "repository": "acme/pay", "ref": "refs/heads/main", "groups": ["dev", "ops"], "protected": true})
}

fn issuer(algorithms: &[Algorithm]) -> Issuer {
    Issuer {
        name: "ci".to_owned(),
        url: URL.to_owned(),
        audience: vec![AUDIENCE.to_owned(), "other".to_owned()],
        algorithms: algorithms.to_vec(),
        jwks: None,
        leeway_seconds: 60,
    }
}

const ALL: &[Algorithm] = &[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

fn judge(keys: &KeySet, token: &str, algorithms: &[Algorithm]) -> Result<Claims, JwtError> {
    Jwt::parse(token)?.verified(&issuer(algorithms), keys, NOW_S)
}

#[test]
fn a_token_of_each_configured_algorithm_verifies_and_of_another_does_not() {
    let signing = Signing::new();
    let keys = signing.keys();
    for (name, id, one) in [
        ("RS256", "rsa", Algorithm::Rs256),
        ("ES256", "p256", Algorithm::Es256),
        ("EdDSA", "ed", Algorithm::EdDsa),
    ] {
        let token =
            signing.token(&json!({"alg": name, "typ": "JWT", "kid": id}), &claims(NOW_S + 10));
        assert!(looks_like(&token));
        let read = judge(&keys, &token, &[one]).unwrap();
        assert_eq!(read.subject, "repo:acme/pay:ref:refs/heads/main");
        let unnamed = signing.token(&json!({"alg": name}), &claims(NOW_S + 10));
        assert!(judge(&keys, &unnamed, &[one]).is_ok(), "the only key of its kind");
        let others: Vec<Algorithm> = ALL.iter().copied().filter(|other| *other != one).collect();
        assert!(matches!(judge(&keys, &token, &others), Err(JwtError::Key(_))), "{name}");
    }
}

#[test]
fn a_token_that_chooses_its_own_algorithm_or_key_is_not_believed() {
    let signing = Signing::new();
    let (keys, stranger) = (signing.keys(), Signing::new());
    let claims = claims(NOW_S + 10);
    let refused = |token: &str, why: &str| {
        let judged = judge(&keys, token, ALL);
        assert!(
            matches!(judged, Err(JwtError::Key(_) | JwtError::Malformed(_))),
            "{why}: {judged:?}"
        );
    };
    for none in ["none", "None", "NONE", "nOnE", "", "rs256", "HS256", "RS512"] {
        let header = json!({"alg": none, "kid": "rsa"});
        refused(&format!("{}.{}.", part(&header), part(&claims)), none);
        refused(&signing.token(&header, &claims), none);
    }
    // The public key as the secret: as PKCS#1, and as its set gives it.
    for secret in [
        signing.public_rsa().to_vec(),
        signing.rsa_key().to_string().into_bytes(),
        b"secret".to_vec(),
    ] {
        refused(&symmetric(&json!({"alg": "HS256", "kid": "rsa"}), &claims, &secret), "HS256");
        refused(&symmetric(&json!({"alg": "HS256", "kid": "secret"}), &claims, &secret), "HS256");
        refused(
            &symmetric(&json!({"alg": "RS256", "kid": "rsa"}), &claims, &secret),
            "an HMAC as RS256",
        );
    }
    for id in
        ["../../../dev/null", "/dev/null", "' OR 1=1 --", "p256", "ed", "secret", "nobody", ""]
    {
        refused(&symmetric(&json!({"alg": "HS256", "kid": id}), &claims, b""), id);
        refused(&signing.token(&json!({"alg": "RS256", "kid": id}), &claims), id);
    }
    for header in [
        json!({"alg": "RS256", "kid": "rsa", "jwk": stranger.rsa_key()}),
        json!({"alg": "RS256", "kid": "rsa", "jku": "https://evil.example.org/keys"}),
        json!({"alg": "RS256", "kid": "rsa", "x5u": "https://evil.example.org/x"}),
        json!({"alg": "RS256", "kid": "rsa", "x5c": ["MIIB"]}),
        json!({"alg": "RS256", "kid": "rsa"}),
        json!({"alg": "ES256", "kid": "p256"}),
    ] {
        refused(&stranger.token(&header, &claims), &header.to_string());
    }
    refused(&signing.token(&json!({"alg": "RS256", "kid": 1}), &claims), "a number as kid");
    refused(
        &signing.token(&json!({"alg": "RS256", "kid": "x".repeat(300)}), &claims),
        "a long kid",
    );
    refused(&signing.token(&json!({"alg": "RS256", "kid": "rsa", "crit": ["x"]}), &claims), "crit");
    refused(
        &signing.token(&json!({"alg": "RS256", "kid": "rsa", "typ": "dpop+jwt"}), &claims),
        "typ",
    );
}

#[test]
fn a_changed_token_is_not_the_one_that_was_signed() {
    let signing = Signing::new();
    let keys = signing.keys();
    let token = signing.token(&json!({"alg": "ES256", "kid": "p256"}), &claims(NOW_S + 10));
    let parts: Vec<&str> = token.split('.').collect();
    let other = part(&json!({"iss": URL, "aud": AUDIENCE, "sub": "x", "exp": NOW_S + 10}));
    let twice = encode(br#"{"alg":"ES256","alg":"none","kid":"p256"}"#);
    for changed in [
        format!("{}.{other}.{}", parts[0], parts[2]),
        format!("{twice}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}.x", parts[0], parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        // The DER form of an ECDSA signature is none here (RFC 7518 §3.4).
        format!("{}.{}.{}", parts[0], parts[1], encode(&[0x30, 6, 2, 1, 1, 2, 1, 1])),
        // r = s = 0 verifies everything where nobody looks.
        format!("{}.{}.{}", parts[0], parts[1], encode(&[0; 64])),
        "x".repeat(20_000),
    ] {
        assert!(judge(&keys, &changed, ALL).is_err(), "{changed}");
    }
}

#[test]
fn what_a_verified_token_says_must_be_for_here_and_now() {
    let signing = Signing::new();
    let keys = signing.keys();
    let judged = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims(NOW_S + 10);
        change(&mut claims);
        judge(&keys, &signing.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims), ALL)
    };
    let set =
        |name: &'static str, value: Value| move |claims: &mut Value| claims[name] = value.clone();
    let without = |name: &'static str| {
        move |claims: &mut Value| {
            claims.as_object_mut().unwrap().remove(name);
        }
    };
    assert!(judged(&set("aud", json!(["x", AUDIENCE]))).is_ok());
    assert!(judged(&set("exp", json!(NOW_S - 59))).is_ok(), "within the leeway");
    assert!(judged(&set("nbf", json!(NOW_S + 60))).is_ok());
    assert!(judged(&set("exp", json!(NOW_S as f64 + 0.5))).is_ok());
    for (name, value) in [
        ("aud", json!("https://attest.example.org.evil.org")),
        ("aud", json!(["https://attest.example.org/"])),
        ("aud", json!([])),
        ("aud", json!({"a": AUDIENCE})),
        ("exp", json!(NOW_S - 60)),
        ("exp", json!("9999999999")),
        ("exp", json!(null)),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("nbf", json!(NOW_S + 61)),
        ("nbf", json!("0")),
        ("iat", json!(NOW_S + 61)),
        ("sub", json!("")),
        ("sub", json!(["x"])),
    ] {
        let refused = judged(&set(name, value.clone()));
        assert!(matches!(refused, Err(JwtError::Claim { .. })), "{name} {value}: {refused:?}");
    }
    for name in ["aud", "exp", "sub"] {
        assert!(matches!(judged(&without(name)), Err(JwtError::Claim { .. })), "{name}");
    }
    for iss in
        ["https://issuer.example.org/", "https://ISSUER.example.org", "http://issuer.example.org"]
    {
        assert!(matches!(judged(&set("iss", json!(iss))), Err(JwtError::Key(_))), "{iss}");
    }
    assert!(matches!(judged(&without("iss")), Err(JwtError::Malformed(_))));
}

#[test]
fn an_identity_is_one_whose_every_claim_is_there_and_fits() {
    let signing = Signing::new();
    let token = signing.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims(NOW_S + 10));
    let read = judge(&signing.keys(), &token, ALL).unwrap();
    let fits = |text: &str| {
        let document = format!(
            "schema = \"access/v1\"\n[[issuer]]\nname = \"ci\"\nurl = \"{URL}\"\naudience = [\"a\"]\nalgorithms = [\"EdDSA\"]\n[[identity]]\nname = \"x\"\nissuer = \"ci\"\nclaims = {text}\n"
        );
        read.fit(&Access::read(document.as_bytes()).unwrap().identities[0])
    };
    for (text, expected) in [
        ("{ repository = [\"acme/pay\"] }", true),
        ("{ repository = [\"acme/web\", \"acme/pay\"], ref = [\"refs/heads/*\"] }", true),
        ("{ repository = [\"acme/*\"], protected = [\"true\"] }", true),
        ("{ groups = [\"ops\"] }", true),
        ("{ groups = [\"admin\"] }", false),
        ("{ repository = [\"acme/pay\"], ref = [\"refs/tags/*\"] }", false),
        ("{ repository = [\"acme\"] }", false),
        ("{ repository = [\"*\"] }", false),
        ("{ repository = [\"ACME/pay\"] }", false),
        ("{ environment = [\"production\"] }", false),
    ] {
        assert_eq!(fits(text), expected, "{text}");
    }
    assert!(!ClaimValue::Like("acme/*".parse().unwrap()).fits("acme/../x"));
}

#[test]
fn a_set_in_which_two_keys_fit_or_none_is_decides_nothing() {
    let (one, two) = (Signing::new(), Signing::new());
    let set = |keys: Vec<Value>| KeySet::parse(json!({"keys": keys}).to_string().as_bytes());
    let doubled = set(vec![one.rsa_key(), two.rsa_key()]).unwrap();
    assert_eq!(doubled.select(Some("rsa"), Algorithm::Rs256), None);
    assert_eq!(doubled.select(None, Algorithm::Rs256), None);
    let mut encrypting = one.rsa_key();
    encrypting["use"] = json!("enc");
    for keys in [vec![], vec![encrypting], vec![json!({"kty": "oct", "k": "AA"})], vec![json!(1)]] {
        assert!(set(keys.clone()).is_err(), "{keys:?}");
    }
    let mut pss = one.rsa_key();
    pss["alg"] = json!("PS256");
    let pss = set(vec![pss]).unwrap();
    assert_eq!(pss.select(Some("rsa"), Algorithm::Rs256), None, "a key keeps to its algorithm");
    for text in ["", "[]", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}"] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
}
