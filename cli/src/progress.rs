//! A progress bar for work that takes more than a second, on a stderr that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Session;

/// Work that is shorter than this shows nothing.
const QUIET_START: Duration = Duration::from_secs(1);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes, shown as KiB, MiB, GiB.
    Bytes,
    /// Things, shown as they are.
    Count,
}

/// The progress of one piece of work.
pub(crate) struct Progress {
    label: String,
    unit: Unit,
    total: Option<u64>,
    done: u64,
    started: Instant,
    drawn: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts to measure. `total` is the whole amount, where it is known.
    pub(crate) fn start(
        session: &Session,
        label: impl Into<String>,
        unit: Unit,
        total: Option<u64>,
    ) -> Self {
        let global = &session.global;
        let drawn = session.io.terminals.stderr && !global.quiet && !global.no_progress;
        Self {
            label: label.into(),
            unit,
            total,
            done: 0,
            started: Instant::now(),
            drawn,
            bar: None,
        }
    }

    /// Counts without ever drawing.
    pub(crate) fn hidden(unit: Unit) -> Self {
        let label = String::new();
        Self { label, unit, total: None, done: 0, started: Instant::now(), drawn: false, bar: None }
    }

    /// Counts `amount` more as done.
    pub(crate) fn advance(&mut self, amount: u64) {
        self.done = self.done.saturating_add(amount);
        if !self.drawn {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_position(self.done),
            None if self.started.elapsed() >= QUIET_START => self.bar = Some(self.draw()),
            None => {}
        }
    }

    fn draw(&self) -> ProgressBar {
        let amount = match (self.unit, self.total) {
            (Unit::Bytes, Some(_)) => "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (Unit::Bytes, None) => "{spinner} {bytes} {bytes_per_sec}",
            (Unit::Count, Some(_)) => "{wide_bar} {pos}/{len} {eta}",
            (Unit::Count, None) => "{spinner} {pos}",
        };
        let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template(&format!("{{msg}} {amount}")) {
            bar.set_style(style);
        }
        bar.set_message(self.label.clone());
        // The bar is drawn late: what was done before must not count as done in an instant.
        bar.set_position(self.done);
        bar.set_elapsed(self.started.elapsed());
        bar.reset_eta();
        bar
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
