//! The released programs, built as they are released.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Context as _, Failure};

/// Where the programs are.
pub struct Programs {
    /// `attestry`
    pub cli: PathBuf,
    /// `attestry-registry`
    pub registry: PathBuf,
}

impl Programs {
    /// Takes the programs in `folder`, or builds both and finds them beside this bench.
    ///
    /// # Errors
    /// A failed build.
    pub fn find(folder: Option<&str>) -> Result<Self, Failure> {
        match folder {
            Some(folder) => {
                let folder = Path::new(folder).canonicalize().context("looking for programs")?;
                Ok(Self::inside(&folder))
            }
            None => Self::build(),
        }
    }

    fn inside(folder: &Path) -> Self {
        Self { cli: folder.join("attestry"), registry: folder.join("attestry-registry") }
    }

    fn build() -> Result<Self, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--quiet", "-p", "attestry", "-p", "attestry-registry"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()
            .context("starting cargo")?;
        if !status.success() {
            return Err(format!("cargo build ended with {status}").into());
        }
        // This program is target/release/deps/NAME-HASH.
        let here = std::env::current_exe().context("finding this program")?;
        let folder =
            here.parent().and_then(|deps| deps.parent()).ok_or("a bench without a folder")?;
        Ok(Self::inside(folder))
    }
}
