//! Attacks on who rules: rosters and policies that must not be published. Each is refused with a reason, and
//! changes nothing.

use serde_json::{Value, json};

use super::scene::{POLICY, Scene};

/// An attempt to publish something.
struct Attempt {
    name: &'static str,
    kind: &'static str,
    signer: &'static str,
    /// Changes the document that would be fine as version 2.
    change: fn(&Scene, String) -> String,
    /// Changes what the statement says of it.
    says: fn(&mut Value),
    /// What the refusal says.
    words: &'static str,
}

const ATTEMPTS: &[Attempt] = &[
    Attempt {
        name: "an empty policy",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.split("[[rule]]").next().unwrap().to_owned(),
        says: |_| (),
        words: "an empty policy would allow everything",
    },
    Attempt {
        name: "a threshold of zero",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.replacen("threshold = 2", "threshold = 0", 1),
        says: |_| (),
        words: "at least 1",
    },
    Attempt {
        name: "a group that nobody knows",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.replace("signers = [\"leads\"]", "signers = [\"everyone\"]"),
        says: |_| (),
        words: "everyone",
    },
    Attempt {
        name: "a pattern that matches nothing possible",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.replace("pay/**", "pay//**"),
        says: |_| (),
        words: "without empty segments",
    },
    Attempt {
        name: "a key of the document that nobody knows",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.replace("max_age", "maxage"),
        says: |_| (),
        words: "maxage",
    },
    Attempt {
        name: "an older version of the policy, sent again",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.replace("version = 2", "version = 1") + "# again\n",
        says: |says| says["version"] = 1.into(),
        words: "above 1",
    },
    Attempt {
        name: "a policy that has expired",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text.replace("2099-01-01", "2020-01-01"),
        says: |says| says["expires"] = "2020-01-01T00:00:00Z".into(),
        words: "an expiry after",
    },
    Attempt {
        name: "a version that the document does not have",
        kind: "policy",
        signer: "lead-one",
        change: |_, text| text,
        says: |says| says["version"] = 9.into(),
        words: "the version of the document",
    },
    Attempt {
        name: "a policy by a signer who may not publish any",
        kind: "policy",
        signer: "ci",
        change: |_, text| text,
        says: |_| (),
        words: "a signer of the group leads",
    },
    Attempt {
        name: "a policy by a stranger",
        kind: "policy",
        signer: "outsider",
        change: |_, text| text,
        says: |_| (),
        words: "roster",
    },
    Attempt {
        name: "a roster by somebody who has no root key",
        kind: "roster",
        signer: "lead-one",
        change: |_, text| text,
        says: |_| (),
        words: "root key",
    },
    Attempt {
        name: "one key under two names",
        kind: "roster",
        signer: "root",
        change: |scene, text| {
            let pem = scene.keys["ci"].public_key().to_pem();
            let again = format!(
                "[[signer]]\nname = \"twin\"\nkey = \"\"\"\n{pem}\"\"\"\nmay = [\"approval\"]\n[groups]"
            );
            text.replacen("[groups]", &again, 1)
        },
        says: |_| (),
        words: "under one name",
    },
    Attempt {
        name: "a quorum of nobody",
        kind: "roster",
        signer: "root",
        change: |_, text| text.replace("threshold = 1", "threshold = 0"),
        says: |_| (),
        words: "at least 1",
    },
    Attempt {
        name: "an older version of the roster, sent again",
        kind: "roster",
        signer: "root",
        change: |_, text| text.replace("version = 2", "version = 1") + "# again\n",
        says: |says| says["version"] = 1.into(),
        words: "above 1",
    },
    Attempt {
        name: "a roster that has expired",
        kind: "roster",
        signer: "root",
        change: |_, text| text.replacen("2099-01-01", "2020-01-01", 1),
        says: |says| says["expires"] = "2020-01-01T00:00:00Z".into(),
        words: "an expiry after",
    },
];

#[test]
fn no_roster_and_no_policy_rules_that_should_not() {
    let scene = Scene::new();
    let before = scene.ruling();
    for attempt in ATTEMPTS {
        let (document, mut says) = match attempt.kind {
            "roster" => (scene.roster(), json!({"version": 2})),
            _ => (POLICY.to_owned(), json!({"name": "production", "version": 2})),
        };
        let document = (attempt.change)(&scene, document.replacen("version = 1", "version = 2", 1));
        (attempt.says)(&mut says);
        let (status, text) = scene.try_to_publish(attempt.kind, &document, attempt.signer, says);
        assert_eq!(status, 422, "{}: {text}", attempt.name);
        assert!(text.contains(attempt.words), "{}: {text}", attempt.name);
        assert_eq!(scene.ruling(), before, "{}", attempt.name);
    }
}
