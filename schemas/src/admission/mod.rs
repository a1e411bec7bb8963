//! What Kubernetes asks before it lets something run, and what it is answered.
//!
//! The API server sends an AdmissionReview (`admission.k8s.io/v1`) to a validating webhook for each change of the
//! kinds that its configuration selects. Here is everything about that which is pure: [`Review`] reads it,
//! [`Workload`] finds the images that the object would run, [`Demand`] tells which of them must be decided about,
//! [`AdmissionReview`] answers. Deciding is the gate's business.

pub mod answer;
pub mod demand;
pub mod image;
pub mod review;
pub mod workload;

pub use answer::{AdmissionReview, Judged, Logged};
pub use demand::{Asked, Demand, Undecidable};
pub use image::{Image, ImageError};
pub use review::{MAX_REVIEW_BYTES, Operation, Review, ReviewError};
pub use workload::{Use, Workload};

#[cfg(test)]
mod tests;
