//! `attestry tree`: an artifact of an OCI registry, the manifests within it, and everything that refers to any of
//! them, as the registry lists it.

use std::collections::BTreeSet;

use attestry_schemas::oci::{BlobDigest, Kind};
use serde::Serialize;

use crate::args::TreeArgs;
use crate::oci::attach::{PREDICATE_TYPE, SIGNER};
use crate::oci::family::{Around, MAX_DEPTH, MAX_MANIFESTS, role};
use crate::oci::repository::Descriptor;
use crate::oci::{Access, Fetched, OciError, Repository};
use crate::output::{Exit, Failure, Session, printable};

/// One manifest and what belongs to it.
#[derive(Debug, Serialize)]
struct Node {
    /// How it belongs to what stands above: `artifact`, `manifest`, `referrer`, or a tag of cosign 2.
    #[serde(rename = "as")]
    relation: String,
    digest: String,
    media_type: String,
    size: u64,
    /// What it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    /// Its platform, or what else its index says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The type of the statement that it says it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    /// The signer that it says it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Node>,
}

#[derive(Serialize)]
struct Answer<'a> {
    reference: String,
    complete: bool,
    artifact: &'a Node,
}

/// Runs `attestry tree`.
pub(super) fn run(args: &TreeArgs, session: &mut Session) -> Result<Exit, Failure> {
    super::reach(&args.oci, &args.registry, session);
    let reference = &args.reference.0;
    let repository = Access::of(session)?.repository(reference);
    let root = repository.resolve(reference)?;
    let mut walk = Walk { repository: &repository, seen: BTreeSet::new(), count: 0, is_cut: false };
    let mut artifact = walk.node(&root, "artifact");
    walk.fill(&mut artifact, &root, 0)?;
    let (complete, count) = (!walk.is_cut, walk.count);
    if session.json() {
        let reference = repository.place(&root.digest);
        session.answer(&Answer { reference, complete, artifact: &artifact })?;
    } else {
        session.line(repository.place(&root.digest));
        print(&artifact, "", "", session);
    }
    if complete {
        return Ok(Exit::Success);
    }
    Err(Failure::undecided(format!(
        "showed {count} manifests and not all: more than {MAX_MANIFESTS}, or more than {MAX_DEPTH} within each other"
    ))
    .fix("name one of the manifests that are shown, to see what belongs to it"))
}

/// A walk through what belongs to an artifact, each manifest once.
struct Walk<'r> {
    repository: &'r Repository,
    seen: BTreeSet<BlobDigest>,
    count: usize,
    is_cut: bool,
}

impl Walk<'_> {
    fn node(&mut self, fetched: &Fetched, relation: &str) -> Node {
        self.count += 1;
        let manifest = &fetched.manifest;
        let said = |name: &str| manifest.annotations.get(name).cloned();
        Node {
            relation: relation.to_owned(),
            digest: fetched.digest.to_string(),
            media_type: manifest.media_type.clone(),
            size: fetched.bytes.len() as u64,
            artifact_type: manifest.artifact_type.clone(),
            role: None,
            predicate_type: said(PREDICATE_TYPE),
            signer: said(SIGNER),
            unreadable: None,
            children: Vec::new(),
        }
    }

    /// Adds what belongs to a manifest: those within it, then what refers to it.
    fn fill(&mut self, node: &mut Node, fetched: &Fetched, depth: usize) -> Result<(), OciError> {
        if !self.seen.insert(fetched.digest.clone()) {
            return Ok(());
        }
        if depth == MAX_DEPTH || self.count >= MAX_MANIFESTS {
            self.is_cut = true;
            return Ok(());
        }
        if fetched.manifest.kind == Kind::Index {
            for (place, link) in fetched.manifest.manifests.iter().enumerate() {
                let listed = Descriptor {
                    media_type: link.media_type.clone(),
                    digest: link.digest.clone(),
                    size: link.size_bytes,
                    artifact_type: None,
                    annotations: link.annotations.clone(),
                };
                let mut child = self.child(&listed, "manifest", depth)?;
                child.role = role(fetched, place, link);
                node.children.push(child);
            }
        }
        let around = Around::of(self.repository, fetched)?;
        self.is_cut |= around.is_cut;
        for (tag, tagged) in around.tagged {
            let mut child = self.node(&tagged, &format!("tag {tag}"));
            self.fill(&mut child, &tagged, depth + 1)?;
            node.children.push(child);
        }
        for referrer in around.referrers {
            if self.count >= MAX_MANIFESTS {
                self.is_cut = true;
                break;
            }
            let child = self.child(&referrer, "referrer", depth)?;
            node.children.push(child);
        }
        Ok(())
    }

    fn child(
        &mut self,
        listed: &Descriptor,
        relation: &str,
        depth: usize,
    ) -> Result<Node, OciError> {
        match self.repository.manifest(&listed.digest) {
            Ok(fetched) => {
                let mut child = self.node(&fetched, relation);
                self.fill(&mut child, &fetched, depth + 1)?;
                Ok(child)
            }
            // An index may name what was never pushed, and a list what was removed since.
            Err(error) if error.is_of_item() => {
                self.count += 1;
                Ok(Node {
                    relation: relation.to_owned(),
                    digest: listed.digest.to_string(),
                    media_type: listed.media_type.clone(),
                    size: listed.size,
                    artifact_type: listed.artifact_type.clone(),
                    role: None,
                    predicate_type: None,
                    signer: None,
                    unreadable: Some(match error.is_absent() {
                        true => "absent".to_owned(),
                        false => crate::output::chain(&error),
                    }),
                    children: Vec::new(),
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Draws a node behind `before`, and what belongs to it behind `below`.
fn print(node: &Node, before: &str, below: &str, session: &mut Session) {
    let kind = node.predicate_type.as_ref().or(node.artifact_type.as_ref());
    let mut text = format!("{} {}", node.relation, node.digest);
    for part in [Some(kind.unwrap_or(&node.media_type)), node.role.as_ref()].into_iter().flatten() {
        text += &format!("  {part}");
    }
    text += &format!("  {} bytes", node.size);
    if let Some(signer) = &node.signer {
        text += &format!("  said to be by {signer}");
    }
    if let Some(why) = &node.unreadable {
        text += &format!("  cannot be read: {why}");
    }
    // What a registry says may hold a line's end.
    session.line(format!("{before}{}", printable(&text).replace('\n', "\u{fffd}")));
    for (place, child) in node.children.iter().enumerate() {
        let is_last = place + 1 == node.children.len();
        let (branch, further) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        print(child, &format!("{below}{branch}"), &format!("{below}{further}"), session);
    }
}
