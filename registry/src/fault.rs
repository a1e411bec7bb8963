//! Named places where tests make the program die or fail.
//!
//! Without the cargo feature `faults` every point is an empty function. With it, the variable
//! `ATTESTRY_FAULT=batch.before=kill@17` ends the process at the 17th passing of a point, and
//! `=error@17` makes that passing fail as a full disk would.

/// The places. A name says what has just happened, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPoint {
    /// A large file is written and synced under its temporary name.
    ContentBeforeRename,
    /// A large file has its name; no batch refers to it yet.
    ContentAfterRename,
    /// A batch is formed and not yet committed.
    BatchBefore,
    /// A batch is committed; nobody was answered.
    BatchAfter,
    /// An answer is about to be given.
    AnswerBefore,
}

impl FaultPoint {
    /// Every point.
    pub const ALL: &'static [Self] = &[
        Self::ContentBeforeRename,
        Self::ContentAfterRename,
        Self::BatchBefore,
        Self::BatchAfter,
        Self::AnswerBefore,
    ];

    /// The name in `ATTESTRY_FAULT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ContentBeforeRename => "content.before_rename",
            Self::ContentAfterRename => "content.after_rename",
            Self::BatchBefore => "batch.before",
            Self::BatchAfter => "batch.after",
            Self::AnswerBefore => "answer.before",
        }
    }
}

/// Passes a point.
///
/// # Errors
/// The injected error, when this passing is the one that was asked to fail.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn point(_: FaultPoint) -> std::io::Result<()> {
    Ok(())
}

/// Passes a point.
///
/// # Errors
/// The injected error, when this passing is the one that was asked to fail.
#[cfg(feature = "faults")]
pub fn point(here: FaultPoint) -> std::io::Result<()> {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        point: FaultPoint,
        kill: bool,
        passing: u64,
    }

    fn parse(text: &str) -> Option<Plan> {
        let (point, action) = text.split_once('=')?;
        let (action, passing) = action.split_once('@')?;
        Some(Plan {
            point: FaultPoint::ALL.iter().copied().find(|p| p.name() == point)?,
            kill: ["error", "kill"].iter().position(|known| *known == action)? == 1,
            passing: passing.parse().ok()?,
        })
    }

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
        let text = std::env::var("ATTESTRY_FAULT").ok()?;
        let plan = parse(&text);
        if plan.is_none() {
            // A test with a misspelt fault would pass without testing anything.
            tracing::error!(text, "ATTESTRY_FAULT is not POINT=kill@N or POINT=error@N");
            std::process::exit(2);
        }
        plan
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    match &*PLAN {
        Some(plan) if plan.point == here => {
            if PASSED.fetch_add(1, Ordering::SeqCst) + 1 != plan.passing {
                return Ok(());
            }
            if plan.kill {
                // No destructor runs and no buffer is flushed, as with kill -9.
                std::process::abort();
            }
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        _ => Ok(()),
    }
}
