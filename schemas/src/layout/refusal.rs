//! Why links do not fulfil a layout.

use std::fmt;

/// The checks of [`super::verify`], in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayoutCheck {
    /// What is given, and the work that it takes, is bounded.
    Bounds,
    /// The layout has not expired.
    Expiry,
    /// The layout has no inspections, which would run commands.
    Inspections,
    /// Enough functionaries of a step report the same.
    Threshold,
    /// The artifact is a product of the last step.
    Artifact,
    /// The artifacts of a step are as its rules demand.
    Rule,
    /// No two sufficient groups of functionaries report different products of the same materials.
    Agreement,
}

impl LayoutCheck {
    /// The name in reports and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bounds => "bounds",
            Self::Expiry => "expiry",
            Self::Inspections => "inspections",
            Self::Threshold => "threshold",
            Self::Artifact => "artifact",
            Self::Rule => "rule",
            Self::Agreement => "agreement",
        }
    }
}

impl fmt::Display for LayoutCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A check that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}, found {found}", self.place())]
pub struct LayoutRefusal {
    /// Which check.
    pub check: LayoutCheck,
    /// The step, when the check is of one.
    pub step: Option<String>,
    /// The rule, as the layout writes it, when the check is of one.
    pub rule: Option<String>,
    /// What would have held.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl LayoutRefusal {
    pub(super) fn new(
        check: LayoutCheck,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { check, step: None, rule: None, expected: expected.into(), found: found.into() }
    }

    pub(super) fn of_step(self, step: &str) -> Self {
        Self { step: Some(step.to_owned()), ..self }
    }

    pub(super) fn of_rule(self, rule: String) -> Self {
        Self { rule: Some(rule), ..self }
    }

    fn place(&self) -> String {
        let mut place = self.check.to_string();
        if let Some(step) = &self.step {
            place += &format!(" of step {step:?}");
        }
        if let Some(rule) = &self.rule {
            place += &format!(", {rule}");
        }
        place
    }
}
