//! The leaf with which every log begins: the log's key says which log it signs.

use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::PublicKey;
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::governance::Genesis;
use attestry_schemas::rekor::LogId;
use attestry_schemas::statement::Statement;

use crate::store::record::Kind;
use crate::store::{Reader, StoreError};

/// What stands at leaf 0 in the place of the genesis statement of this log; nothing when it is
/// that statement.
///
/// # Errors
/// [`StoreError`] when it cannot be read, among them [`StoreError::Missing`] for its content.
pub fn fault(
    reader: &Reader<'_>,
    origin: &str,
    key: &PublicKey,
) -> Result<Option<String>, StoreError> {
    let Some(record) = reader.record(0)? else { return Ok(Some("nothing".to_owned())) };
    if record.kind != Kind::Envelope || record.signer != key.fingerprint() {
        return Ok(Some(format!("an entry of {}", record.signer)));
    }
    let bytes = reader.stored_bytes(&record)?;
    let statement = Envelope::parse(&bytes).ok().and_then(|e| Statement::parse(&e.payload).ok());
    let genesis = statement
        .filter(|s| s.predicate_type == Genesis::URI)
        .and_then(|s| Genesis::from_value(&s.predicate).ok());
    let log_id = LogId::of_ed25519(origin, &key.ed25519_raw().unwrap_or_default()).to_string();
    Ok(match genesis {
        Some(genesis)
            if (genesis.origin.as_str(), &genesis.log_id) == (origin, &log_id)
                && genesis.public_key == key.to_pem() =>
        {
            None
        }
        Some(genesis) => Some(format!("that of {} with id {}", genesis.origin, genesis.log_id)),
        None => Some("another statement".to_owned()),
    })
}
