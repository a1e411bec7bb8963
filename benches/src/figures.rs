//! Durations that were measured, and the tables they are printed in.

use std::fmt;
use std::time::Duration;

/// Durations of one kind, sorted.
#[derive(Debug, Clone, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Sorts what was measured.
    #[must_use]
    pub fn new(mut measured: Vec<Duration>) -> Self {
        measured.sort_unstable();
        Self(measured)
    }

    /// These and others together.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self::new([self.0, others.0].concat())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The duration that `permille` of 1000 do not exceed; zero when nothing was measured.
    #[must_use]
    pub fn quantile(&self, permille: usize) -> Duration {
        let rank = (self.0.len() * permille).div_ceil(1000).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.quantile(500)
    }

    /// The longest.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.quantile(1000)
    }

    /// The shortest.
    #[must_use]
    pub fn min(&self) -> Duration {
        self.quantile(0)
    }
}

/// A duration in milliseconds with three decimals.
#[must_use]
pub fn ms(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1000.0)
}

/// A table in Markdown: the first row is the head.
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// Starts a table.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|&cell| cell.to_owned()).collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, row) in self.0.iter().enumerate() {
            writeln!(f, "| {} |", row.join(" | "))?;
            if place == 0 {
                writeln!(f, "|{}", "---|".repeat(row.len()))?;
            }
        }
        Ok(())
    }
}
