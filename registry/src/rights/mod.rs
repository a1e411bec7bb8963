//! What may be done, and where: roles, and grants of them in namespaces. Who holds them is not known here.

pub mod grant;
pub mod role;

pub use grant::{Grant, Rights};
pub use role::{Role, Roles};
