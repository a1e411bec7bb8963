//! A digest that was shortened, as explanations print them: the registry tells the whole one.

use attestry_schemas::digest::{Abbreviated, Sha256};

use crate::answers::Digests;
use crate::client::Client;
use crate::output::{Failure, printable};

/// The digest that a registry has an attestation of. What it says of another digest is not believed.
pub(super) fn whole(given: &Abbreviated, client: &Client) -> Result<Sha256, Failure> {
    if let Some(digest) = given.whole() {
        return Ok(digest);
    }
    let answer = client.fetch(&format!("/v1/digests/{given}"))?;
    let Digests { digests } = answer.json()?;
    match digests.as_slice() {
        [one] if given.begins(one) => Ok(*one),
        [] | [_] => Err(answer.malformed("it is about other digests than was asked").into()),
        several => {
            let told: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::undecided(printable(&format!(
                "expected one attestation whose digest begins with {given}, found {}",
                told.join(", ")
            )))
            .fix("give more of its digits"))
        }
    }
}
