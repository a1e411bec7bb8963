//! What a review asks of the gate: which images would run that do not yet.
//!
//! | request | asks about |
//! |---|---|
//! | CREATE of a workload | all of its images |
//! | UPDATE of a workload, its subresources included (`ephemeralcontainers`, `status`, `resize`) | the images that the object has and had not; so an unchanged or smaller set passes, and a scale-down that swaps an image does not |
//! | UPDATE of one that is being deleted | the same: it runs until it is gone |
//! | DELETE, CONNECT | nothing |
//! | another kind (`Scale`, `Binding`, a custom resource) | nothing, with a warning |
//!
//! The last row is no hole: the configuration of the webhook selects the kinds, and whatever a custom resource describes
//! runs as Pods, which are asked about when they are made. Refusing kinds that are not understood would stop clusters,
//! and prove nothing. A kind that is understood and does not read is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::image::{Image, ImageError};
use super::review::{Operation, Review};
use super::workload::{MAX_IMAGES, Use, Workload};

/// An image that must be decided about, once, however often the object uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The image.
    pub image: Image,
    /// What uses it, such as `container api`.
    pub places: Vec<String>,
}

/// What must be decided before the object may be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// The images, in the order of their names.
    pub images: Vec<Asked>,
    /// What no decision can admit: images without a digest, each once, and an object that does not read.
    pub undecidable: Vec<Undecidable>,
    /// What whoever asks should know although it is admitted.
    pub warning: Option<String>,
    /// Whether the object may be what a restart makes: new, and a Pod or kept by a controller.
    pub may_be_restart: bool,
}

/// What no decision can admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecidable {
    /// What was expected, and found.
    pub reason: String,
    /// The image reference that has no digest to decide about; none where the object itself does not read.
    pub reference: Option<String>,
}

impl Undecidable {
    fn object(reason: String) -> Self {
        Self { reason, reference: None }
    }

    fn image(reference: &str, places: &[&str], error: &ImageError) -> Self {
        let reason = format!("{}: {error}", places.join(", "));
        Self { reason, reference: Some(reference.to_owned()) }
    }
}

/// What tells images apart from those that were there. Tags beside a digest do not.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'u> {
    Pinned(Image),
    Unpinned(&'u str),
    /// A place that names none: workload controllers may fill it in.
    Unnamed(&'u str),
}

impl<'u> Identity<'u> {
    fn of(used: &'u Use) -> Self {
        match &used.reference {
            Ok(reference) => {
                Image::parse(reference).map_or(Self::Unpinned(reference), Self::Pinned)
            }
            Err(_) => Self::Unnamed(&used.place),
        }
    }
}

/// What an object would run that it does not run yet.
#[derive(Default)]
struct New<'u> {
    images: BTreeMap<Image, Vec<String>>,
    /// The references that have no digest, each with why and where.
    without: BTreeMap<&'u str, (ImageError, Vec<&'u str>)>,
    unnamed: Vec<Undecidable>,
}

impl<'u> New<'u> {
    fn add(&mut self, used: &'u Use) {
        let reference = match &used.reference {
            Ok(reference) => reference,
            Err(why) => {
                self.unnamed.push(Undecidable::object(format!("{}: {why}", used.place)));
                return;
            }
        };
        match Image::parse(reference) {
            Ok(image) => self.images.entry(image).or_default().push(used.place.clone()),
            Err(error) => {
                let (_, places) = self.without.entry(reference).or_insert((error, Vec::new()));
                places.push(&used.place);
            }
        }
    }

    fn undecidable(self) -> (BTreeMap<Image, Vec<String>>, Vec<Undecidable>) {
        let count = self.images.len() + self.without.len() + self.unnamed.len();
        if count > MAX_IMAGES {
            let why = format!("expected at most {MAX_IMAGES} new images, found {count}");
            return (BTreeMap::new(), vec![Undecidable::object(why)]);
        }
        let one = |(reference, (error, places)): (&str, (ImageError, Vec<&str>))| {
            Undecidable::image(reference, &places, &error)
        };
        (self.images, self.without.into_iter().map(one).chain(self.unnamed).collect())
    }
}

impl Demand {
    /// What a review asks.
    #[must_use]
    pub fn of(review: &Review) -> Self {
        if matches!(review.operation, Operation::Delete | Operation::Connect) {
            return Self::default();
        }
        let Some(workload) = Workload::of(&review.kind.group, &review.kind.kind) else {
            let kind: String = review.kind.kind.chars().take(40).collect();
            let warning =
                format!("attestry: a {kind} names no images that are known; its Pods are checked");
            return Self { warning: Some(warning), ..Self::default() };
        };
        let uses = match workload.uses(&review.object) {
            Ok(uses) => uses,
            Err(reason) => {
                return Self { undecidable: vec![Undecidable::object(reason)], ..Self::default() };
            }
        };
        // What was there and cannot be read excuses nothing.
        let before = match review.operation {
            Operation::Update => workload.uses(&review.old_object).unwrap_or_default(),
            _ => Vec::new(),
        };
        let before: BTreeSet<Identity<'_>> = before.iter().map(Identity::of).collect();
        let mut new = New::default();
        let is_new = |used: &&Use| !before.contains(&Identity::of(used));
        uses.iter().filter(is_new).for_each(|used| new.add(used));
        let (images, undecidable) = new.undecidable();
        let is_created = review.operation == Operation::Create;
        Self {
            images: images.into_iter().map(|(image, places)| Asked { image, places }).collect(),
            undecidable,
            warning: None,
            may_be_restart: is_created && (workload.is_pod() || review.is_by_controller()),
        }
    }

    /// Whether there is nothing to deny.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.undecidable.is_empty()
    }
}
