//! A log that begins with a genesis statement, and the packs of what it holds.

use attestry_schemas::base64;
use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::gate::pack::Pack;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::{Value, json};

use super::{FakeRegistry, Item, ORIGIN};

const GOVERNANCE: [&str; 3] = [
    "https://attestry.dev/roster/v1",
    "https://attestry.dev/policy/v1",
    "https://attestry.dev/revocation/v1",
];

impl FakeRegistry {
    /// Begins the log anew, with a genesis statement that names these root keys.
    pub(crate) fn found(&self, root_keys: &[&str]) {
        let mut state = self.state.lock().unwrap();
        let key = state.log_key.public_key().clone();
        let predicate = json!({
            "origin": ORIGIN, "logId": "AAAA", "publicKey": key.to_pem(), "rootKeys": root_keys,
            "rootThreshold": 1, "createdAt": "2023-01-01T00:00:00Z", "version": "0",
        });
        let subject = ResourceDescriptor::named("log", Digest::from(Sha256::of(b"log")));
        let uri = "https://attestry.dev/genesis/v1";
        let payload = Statement::new(vec![subject], uri, predicate).unwrap().to_json();
        let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &payload, &state.log_key);
        state.trusted.push(key.clone());
        state.bodies.clear();
        state.add(Bundle::of_key(&key, Content::Envelope(envelope))).unwrap();
    }

    /// Everything that the log holds, as `GET /v1/packs` gives it.
    pub(crate) fn pack(&self, subject: &str, environment: &str) -> Value {
        let state = self.state.lock().unwrap();
        let rules = |item: &&Item| {
            item.predicate_type.as_deref().is_some_and(|uri| GOVERNANCE.contains(&uri))
        };
        let mut items: Vec<&Item> = state.items.values().collect();
        items.sort_by_key(|item| item.index);
        let packed = |item: &Item| json!({"bundle": state.complete(item)});
        let (governance, evidence): (Vec<&Item>, Vec<&Item>) =
            items.iter().skip(1).copied().partition(|item| rules(item));
        let documents = state.contents.iter().map(|(d, bytes)| (d.clone(), base64::encode(bytes)));
        let pack = json!({
            "mediaType": "application/vnd.attestry.pack.v1+json",
            "subject": subject,
            "environment": environment,
            "size": state.size(),
            "genesis": state.complete(items[0]),
            "keys": state.trusted.iter().map(|key| key.to_pem()).collect::<Vec<_>>(),
            "governance": governance.into_iter().map(packed).collect::<Vec<_>>(),
            "evidence": evidence.into_iter().map(packed).collect::<Vec<_>>(),
            "documents": documents.collect::<std::collections::BTreeMap<_, _>>(),
        });
        drop(state);
        self.signed(&pack)
    }

    /// A pack with the signature of the log's key, as the registry gives it.
    pub(crate) fn signed(&self, pack: &Value) -> Value {
        let state = self.state.lock().unwrap();
        let pack = Pack::parse(pack.to_string().as_bytes()).unwrap();
        serde_json::to_value(pack.signed(&state.log_key).unwrap()).unwrap()
    }
}
