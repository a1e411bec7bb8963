//! Damage of the families of repositories, each named.

use super::*;
use crate::store::oci::{LinkKind, LinkRecord, MoveRecord, TagRecord, key as keys};
use crate::testing::oci::{Artifacts, digest, image, index, name};

const NAME: &str = "pay/api";

/// What the tests push: an image, an index of it, a referrer to it, and tags that moved.
struct Pushed {
    registry: Registry,
    thing: Vec<u8>,
    about: Vec<u8>,
    large: Vec<u8>,
}

fn pushed() -> Pushed {
    let registry = Registry::new();
    let large = vec![7; 100_000];
    let (thing, other) = (image(&[b"layer", &large], None), image(&[], None));
    let about = image(&[b"layer"], Some(&thing));
    {
        let artifacts = Artifacts::open(&registry);
        for bytes in [&b"{}"[..], b"layer", &large] {
            artifacts.blob(NAME, bytes).unwrap();
        }
        let long = attestry_schemas::oci::BlobDigest::sha512_of(&large);
        artifacts.blob_as(NAME, &large, long).unwrap();
        assert!(artifacts.mount("pay/web", NAME, &digest(b"layer")).unwrap());
        artifacts.push(NAME, "latest", &thing).unwrap();
        artifacts.push(NAME, "all", &index(&[&thing])).unwrap();
        artifacts.push(NAME, &digest(&about).to_string(), &about).unwrap();
        artifacts.push(NAME, "moved", &thing).unwrap();
        artifacts.push(NAME, "moved", &other).unwrap();
        artifacts.push(NAME, "gone", &thing).unwrap();
        artifacts.delete(NAME, "gone").unwrap();
    }
    Pushed { registry, thing, about, large }
}

#[test]
fn a_registry_of_artifacts_is_clean_and_counted() {
    let pushed = pushed();
    let report = fsck(&pushed.registry);
    assert_eq!(report.faults, []);
    assert_eq!(report.notes, Vec::<String>::new());
    let counts = report.counts;
    assert_eq!((counts.repositories, counts.links, counts.manifests), (2, 9, 4));
    assert_eq!((counts.referrers, counts.tags, counts.tag_moves), (1, 4, 6));
    assert_eq!(counts.leaves, 1 + 6, "each move has its leaf");
}

#[test]
fn a_backup_has_the_repositories() {
    let pushed = pushed();
    let copy = pushed.registry.beside("copy");
    {
        let store = pushed.registry.store();
        crate::store::backup::copy(pushed.registry.path(), &store, &copy).unwrap();
    }
    let report = check(&copy, &mut |_| {}).unwrap();
    assert_eq!((report.faults, report.counts), (vec![], fsck(&pushed.registry).counts));
    let artifacts = Artifacts::open(&Registry::of(copy));
    assert_eq!(artifacts.manifest(NAME, "latest"), Some(digest(&pushed.thing)));
    assert_eq!(artifacts.read(NAME, &digest(&pushed.large)), Some(pushed.large));
}

/// Damages a registry through a batch, and expects faults of exactly these kinds and places.
#[track_caller]
fn damaged(damage: impl FnOnce(&Pushed, &Store, &mut Batch), expected: &[(FaultKind, &str)]) {
    let pushed = pushed();
    {
        let store = pushed.registry.store();
        let mut batch = Batch::default();
        damage(&pushed, &store, &mut batch);
        store.commit(batch).unwrap();
    }
    let faults = fsck(&pushed.registry).faults;
    let found: Vec<_> = faults.iter().map(|f| (f.kind, f.place.as_str())).collect();
    assert_eq!(found.len(), expected.len(), "{faults:#?}");
    for (kind, place) in expected {
        assert!(found.iter().any(|f| f.0 == *kind && f.1.contains(place)), "{place}: {faults:#?}");
    }
}

fn edit<T: serde::Serialize + serde::de::DeserializeOwned>(
    store: &Store,
    batch: &mut Batch,
    (family, key): (Family, Vec<u8>),
    change: impl FnOnce(&mut T),
) {
    let bytes = store.engine().get(family, &key).unwrap().unwrap();
    let mut value: T = record::decode(&bytes, "a record").unwrap();
    change(&mut value);
    batch.put(family, key, record::encode(&value));
}

fn link_key(kind: LinkKind, bytes: &[u8]) -> (Family, Vec<u8>) {
    (Family::Links, keys::link(&name(NAME), kind, &digest(bytes)))
}

fn tag_key(tag: &str) -> (Family, Vec<u8>) {
    (Family::Tags, keys::tag(&name(NAME), &tag.parse().unwrap()))
}

fn move_key(tag: &str, number: u64) -> (Family, Vec<u8>) {
    (Family::TagMoves, keys::tag_move(&name(NAME), &tag.parse().unwrap(), number))
}

#[test]
fn a_lost_repository_is_named_by_each_of_its_links() {
    damaged(
        |_, _, batch| batch.remove(Family::Repositories, keys::repository(&name("pay/web"))),
        &[(FaultKind::Repository, "of pay/web")],
    );
    damaged(
        |_, _, batch| batch.put(Family::Repositories, "Pay", record::encode(&())),
        &[(FaultKind::StrayKey, "of repositories")],
    );
}

#[test]
fn a_lost_or_changed_link_is_named() {
    // Its two uses have nothing to account for them, and manifests need it.
    damaged(
        |_, _, batch| {
            let (family, key) = link_key(LinkKind::Blob, b"{}");
            batch.remove(family, key);
        },
        &[
            (FaultKind::Use, "Content"),
            (FaultKind::Use, "Holder"),
            (FaultKind::Stored, "token:test"),
        ],
    );
    let place = format!("blob {}", digest(b"layer"));
    damaged(
        |_, s, b| {
            edit::<LinkRecord>(s, b, link_key(LinkKind::Blob, b"layer"), |l| l.size_bytes += 1);
        },
        &[(FaultKind::Link, &place), (FaultKind::Stored, "token:test")],
    );
    // The content of another: its digest is another one, and the use of its own is left alone.
    let mut all = vec![(FaultKind::Link, "blob"), (FaultKind::Link, "blob")];
    all.extend([(FaultKind::Use, "blob"), (FaultKind::Use, "Content")]);
    let other = attestry_schemas::digest::Sha256::of(b"{}");
    damaged(
        |_, s, b| {
            edit::<LinkRecord>(s, b, link_key(LinkKind::Blob, b"layer"), |l| l.content = other);
        },
        &all,
    );
    damaged(
        |_, _, batch| batch.put(Family::Links, "x", record::encode(&())),
        &[(FaultKind::StrayKey, "of links")],
    );
}

#[test]
fn lost_content_of_a_link_is_named() {
    damaged(
        |_, _, batch| {
            batch.remove(Family::Content, attestry_schemas::digest::Sha256::of(b"{}").0);
        },
        &[(FaultKind::Content, "blob")],
    );
    let pushed = pushed();
    let file = attestry_schemas::digest::Sha256::of(&pushed.large);
    let path = pushed.registry.store().files().path(&file);
    std::fs::remove_file(&path).unwrap();
    let report = fsck(&pushed.registry);
    // It is linked by both of its digests.
    let kinds: Vec<_> = report.faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [FaultKind::Content, FaultKind::Content], "{:#?}", report.faults);
    std::fs::write(&path, &pushed.large[1..]).unwrap();
    let report = fsck(&pushed.registry);
    let of = |kind| report.faults.iter().filter(|fault| fault.kind == kind).count();
    // Twice the size, once its SHA-512, and its SHA-256 where all content is checked.
    assert_eq!((of(FaultKind::Link), of(FaultKind::Content)), (3, 1), "{:#?}", report.faults);
}

#[test]
fn a_manifest_whose_record_says_something_else_is_named() {
    damaged(
        |pushed, s, b| {
            edit::<LinkRecord>(s, b, link_key(LinkKind::Manifest, &pushed.about), |l| {
                l.subject = None;
            });
        },
        &[(FaultKind::Link, "manifest"), (FaultKind::Referrer, "of pay/api")]
            .map(|(kind, _)| (kind, "pay/api")),
    );
    damaged(
        |pushed, s, b| {
            let index = attestry_schemas::oci::media_type::OCI_INDEX.to_owned();
            edit::<LinkRecord>(s, b, link_key(LinkKind::Manifest, &pushed.about), |l| {
                l.media_type = Some(index);
            });
        },
        &[(FaultKind::Manifest, "manifest")],
    );
}

#[test]
fn a_lost_or_stray_referrer_is_named() {
    let key = |subject: &[u8], manifest: &[u8]| {
        keys::referrer(&name(NAME), &digest(subject), &digest(manifest))
    };
    damaged(
        |pushed, _, batch| batch.remove(Family::Referrers, key(&pushed.thing, &pushed.about)),
        &[(FaultKind::Referrer, "manifest")],
    );
    damaged(
        |pushed, store, batch| {
            let kept = key(&pushed.thing, &pushed.about);
            let value = store.engine().get(Family::Referrers, &kept).unwrap().unwrap();
            batch.put(Family::Referrers, key(&pushed.thing, &pushed.thing), value);
        },
        &[(FaultKind::Referrer, "referrer")],
    );
}

#[test]
fn a_lost_or_stray_use_is_named() {
    let of = name(NAME);
    damaged(
        |pushed, _, batch| {
            let thing = digest(&pushed.thing);
            batch.remove(Family::Uses, keys::need(&of, &digest(b"layer"), &thing));
            batch.remove(Family::Uses, keys::points(&of, &thing, &"latest".parse().unwrap()));
            batch.remove(Family::Uses, keys::holder(&digest(b"layer"), &of));
        },
        &[(FaultKind::Use, "manifest"), (FaultKind::Use, "tag latest"), (FaultKind::Use, "blob")],
    );
    let nobody = attestry_schemas::digest::Sha256::of(b"nobody");
    damaged(
        |pushed, _, batch| {
            let thing = digest(&pushed.thing);
            batch.put(Family::Uses, keys::pin(&nobody), []);
            batch.put(Family::Uses, keys::need(&of, &nobody.into(), &thing), []);
            batch.put(Family::Uses, keys::need(&of, &nobody.into(), &nobody.into()), []);
            batch.put(Family::Uses, keys::holder(&nobody.into(), &of), []);
            batch.put(Family::Uses, keys::points(&of, &thing, &"gone".parse().unwrap()), []);
            batch.put(Family::Uses, "z", []);
        },
        &[
            (FaultKind::Use, "Pin"),
            (FaultKind::Use, "Need"),
            (FaultKind::Use, "Need"),
            (FaultKind::Use, "Holder"),
            (FaultKind::Use, "Points"),
            (FaultKind::StrayKey, "of uses"),
        ],
    );
}

#[test]
fn a_tag_that_is_lost_or_points_elsewhere_is_named() {
    // Its move has no tag, and what pointed to its manifest points from nowhere.
    damaged(
        |_, _, batch| {
            let (family, key) = tag_key("latest");
            batch.remove(family, key);
        },
        &[(FaultKind::Use, "Points"), (FaultKind::TagMove, "move 1 of tag latest")],
    );
    damaged(
        |pushed, s, b| {
            let about = digest(&pushed.about);
            edit::<TagRecord>(s, b, tag_key("latest"), |tag| tag.digest = Some(about));
        },
        &[
            (FaultKind::Use, "tag latest"),
            (FaultKind::Use, "Points"),
            (FaultKind::Tag, "tag latest"),
        ],
    );
    damaged(
        |_, s, b| edit::<TagRecord>(s, b, tag_key("moved"), |tag| tag.number = 3),
        &[(FaultKind::TagMove, "tag moved")],
    );
    damaged(
        |_, s, b| edit::<TagRecord>(s, b, tag_key("latest"), |tag| tag.moved_at_ms += 1),
        &[(FaultKind::Tag, "tag latest")],
    );
    damaged(
        |_, _, batch| batch.put(Family::Tags, "x", record::encode(&())),
        &[(FaultKind::StrayKey, "of tags")],
    );
}

#[test]
fn a_move_that_is_lost_or_says_something_else_than_the_log_is_named() {
    let kind = FaultKind::TagMove;
    // Once as a gap, once by the log, and the next one lacks the one before it.
    damaged(
        |_, _, batch| {
            let (family, key) = move_key("moved", 1);
            batch.remove(family, key);
        },
        &[(kind, "tag moved"), (kind, "move 1 of tag moved")],
    );
    damaged(
        |_, s, b| edit::<MoveRecord>(s, b, move_key("moved", 1), |one| one.at_ms -= 1),
        &[(kind, "move 1 of tag moved")],
    );
    damaged(
        |pushed, s, b| {
            let about = digest(&pushed.about);
            edit::<MoveRecord>(s, b, move_key("gone", 1), |one| one.digest = about);
        },
        // The move after it replaces nothing, so that the subject is what tells.
        &[(kind, "move 1 of tag gone")],
    );
    damaged(
        |_, s, b| {
            let other = s.reader().tag(&name(NAME), &"all".parse().unwrap()).unwrap().unwrap();
            edit::<MoveRecord>(s, b, move_key("moved", 1), |one| one.statement = other.statement);
        },
        // It proves another tag, the next has another before it, and the log has one that nobody names.
        &[
            (kind, "move 1 of tag moved"),
            (kind, "move 1 of tag moved"),
            (kind, "move 2 of tag moved"),
            (kind, "move 1 of tag moved"),
        ],
    );
    damaged(
        |_, s, b| {
            let (family, key) = move_key("moved", 2);
            let bytes = s.engine().get(family, &key).unwrap().unwrap();
            b.put(family, move_key("moved", 9).1, bytes);
        },
        &[(kind, "move 9 of tag moved")],
    );
}

#[test]
fn evidence_that_the_log_does_not_have_is_named() {
    use crate::store::oci::{EvidenceOutcome, EvidenceRecord};
    damaged(
        |pushed, s, b| {
            edit::<LinkRecord>(s, b, link_key(LinkKind::Manifest, &pushed.about), |link| {
                link.evidence.push(EvidenceRecord {
                    layer: digest(b"layer"),
                    reason: None,
                    outcome: EvidenceOutcome::Logged,
                    attestation: Some(attestry_schemas::digest::Sha256::of(b"nobody")),
                });
            });
        },
        &[(FaultKind::Manifest, "manifest")],
    );
}

#[test]
fn a_manifest_whose_blob_was_deleted_is_worth_a_note_and_no_fault() {
    let pushed = pushed();
    Artifacts::open(&pushed.registry).delete_blob(NAME, &digest(b"layer")).unwrap();
    let report = fsck(&pushed.registry);
    assert_eq!(report.faults, []);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(report.notes[0].contains("2 manifests"), "{:?}", report.notes);
}
