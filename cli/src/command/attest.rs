//! `attestry attest`: a signed statement about artifacts.

use std::io::Read as _;
use std::path::Path;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::gate::vex::foreign_product;
use attestry_schemas::json::{self, JsonError};
use attestry_schemas::predicate::{self, Finding, Severity};
use attestry_schemas::statement::{MAX_STATEMENT_BYTES, ResourceDescriptor, Statement};
use serde_json::Value;

use super::publish::{self, Delivery, Product};
use super::sign::open_key_and_read;
use crate::args::{AttestArgs, Destination, SubjectArg};
use crate::bundle_file;
use crate::output::{Exit, Failure, Session, chain, printable};

/// Runs `attestry attest`.
pub(super) fn run(args: &AttestArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    super::reach(&args.push.oci, &args.logging.registry, session);
    let predicate_type = args.predicate_type.uri();
    let predicate = read_predicate(&args.predicate, session)?;
    check(predicate_type, &predicate, session)?;
    let out = destination(args);
    publish::check_output(&out, session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let target = publish::target(settings, &args.logging, &args.trusted_root, session)?;
    let (key, subjects) =
        open_key_and_read(&args.subjects, &key_path, &args.key.password, session)?;
    let descriptors = subjects
        .iter()
        .map(|subject| ResourceDescriptor::named(&subject.name, subject.digest.clone()))
        .collect();
    let statement = Statement::new(descriptors, predicate_type, predicate)
        .map_err(|e| Failure::undecided(chain(&e)))?;
    warn_of_products(&statement, session);
    let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &statement.to_json(), &key);
    let bundle = Bundle::of_key(key.public_key(), Content::Envelope(envelope));
    let key = Some(key.public_key().clone());
    let predicate_type = Some(predicate_type.to_owned());
    let attachments = publish::attachments(&args.subjects, &subjects, &args.push, session)?;
    let product = Product { bundle, key, subjects, predicate_type, out, attachments };
    publish::deliver(Delivery::one(product), &target, session)
}

/// Beside the only subject; several subjects have no one place.
fn destination(args: &AttestArgs) -> Destination {
    if let Some(out) = &args.out {
        return out.clone();
    }
    let in_registry = |subject: &SubjectArg| matches!(subject, SubjectArg::Oci(_));
    match args.subjects.as_slice() {
        subjects if subjects.iter().all(in_registry) => Destination::Registry,
        [subject] => bundle_file::beside(subject, Some(&args.predicate_type))
            .map_or(Destination::Stdout, Destination::File),
        _ => Destination::Stdout,
    }
}

fn read_predicate(path: &Path, session: &mut Session) -> Result<Value, Failure> {
    let mut text = Vec::new();
    let limit = MAX_STATEMENT_BYTES as u64 + 1;
    let fail = |e: std::io::Error| Failure::file("read", path, &e);
    if path == Path::new("-") {
        session.stdin()?.take(limit).read_to_end(&mut text).map_err(fail)?;
    } else {
        let file = std::fs::File::open(path).map_err(fail)?;
        file.take(limit).read_to_end(&mut text).map_err(fail)?;
    }
    json::parse(&text, MAX_STATEMENT_BYTES).map_err(|e| {
        let fix = match &e {
            JsonError::TooLarge { .. } => {
                "leave out what is large, and have the predicate name it by digest"
            }
            _ => "a predicate is one JSON object, without repeated keys",
        };
        Failure::undecided(format!("the predicate in {}: {e}", path.display())).fix(fix)
    })
}

/// Tells of what an OpenVEX document says of something else than what it is attached to.
pub(super) fn warn_of_products(statement: &Statement, session: &mut Session) {
    if let Some(product) = foreign_product(statement) {
        session.warn(printable(&format!(
            "the document says of {product} that it is not affected: that is no name of what it is attached to, and no package, so the gate will not count it; name the product by its digest (pkg:oci/NAME@sha256%3A..., or hashes), or state no products"
        )));
    }
}

/// Refuses a predicate that breaks its specification, and tells of what is unusual.
pub(super) fn check(
    predicate_type: &str,
    value: &Value,
    session: &mut Session,
) -> Result<(), Failure> {
    let findings = predicate::lint(predicate_type, value);
    let mut errors = 0;
    for Finding { severity, field, message, clause } in findings {
        let text = printable(&format!("{field}: {message} ({clause})"));
        match severity {
            Severity::Error => {
                errors += 1;
                session.name_error(text);
            }
            Severity::Warning => session.warn(text),
        }
    }
    if errors == 0 {
        return Ok(());
    }
    let clauses = super::count(errors, "clause", "clauses");
    Err(Failure::undecided(format!(
        "expected a predicate of {predicate_type}, found one that breaks {clauses} of its specification"
    ))
    .fix("correct the fields that are named above"))
}
