//! `attestry-registry fsck`.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Failed, REFUSED, answer, say};
use crate::fsck::{self, Progress, Report};

/// How long the work goes on without a word, and between two words.
const TALK_EVERY: Duration = Duration::from_secs(2);

/// `attestry-registry fsck`.
#[derive(Debug, Args)]
#[command(after_help = "\
Recomputes digests, signatures, leaf hashes, tiles, roots, checkpoints, index and graph, and names \
each fault. Stop the server first, or check a backup.
Exit status: 0 clean, 1 faults, 2 could not tell.

Example:
  attestry-registry fsck --data data --json")]
pub(super) struct FsckArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &FsckArgs) -> Result<ExitCode, Failed> {
    let mut talk = Talk { is_watched: io::stderr().is_terminal(), last: Instant::now() };
    let checked = fsck::check(&args.data, &mut |progress| {
        if let Some(line) = talk.about(progress, Instant::now()) {
            say(&line);
        }
    });
    let report = checked.map_err(Failed::to("check the data folder"))?;
    if args.json {
        let mut text =
            serde_json::to_string_pretty(&report).map_err(Failed::to("write the report"))?;
        text.push('\n');
        answer(&text)?;
    } else {
        answer(&words(&report))?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { REFUSED.into() })
}

/// Says how far the check is, when it takes long and somebody watches.
struct Talk {
    /// Whether stderr is a terminal: in a file or a pipe the lines would be noise.
    is_watched: bool,
    last: Instant,
}

impl Talk {
    fn about(&mut self, progress: Progress, now: Instant) -> Option<String> {
        if !self.is_watched || now.duration_since(self.last) < TALK_EVERY {
            return None;
        }
        self.last = now;
        let Progress { stage, done, of } = progress;
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        Some(format!("fsck: {stage} {done}{of}"))
    }
}

fn words(report: &Report) -> String {
    let mut text = String::new();
    for fault in &report.faults {
        text.push_str(&format!("{fault}\n"));
    }
    if report.more_faults > 0 {
        text.push_str(&format!("and {} further faults\n", report.more_faults));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    let counts = &report.counts;
    let verdict = match report.faults.len() as u64 + report.more_faults {
        0 => "clean".to_owned(),
        1 => "1 fault".to_owned(),
        many => format!("{many} faults"),
    };
    text.push_str(&format!(
        "{verdict}: {} leaves, {} checkpoints, {} tiles, {} records, {} signatures, {} lookups, \
         {} postings, {} edge keys, {} small contents, {} content files, {} repositories, {} links, \
         {} manifests, {} referrers, {} uses, {} tags, {} moves of tags\n",
        counts.leaves,
        counts.checkpoints,
        counts.tiles,
        counts.records,
        counts.signatures,
        counts.lookups,
        counts.postings,
        counts.edges,
        counts.inline_content,
        counts.content_files,
        counts.repositories,
        counts.links,
        counts.manifests,
        counts.referrers,
        counts.uses,
        counts.tags,
        counts.tag_moves,
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_talks_to_a_terminal_alone_and_not_too_often() {
        let progress = Progress { stage: "leaves", done: 5, of: Some(9) };
        let start = Instant::now();
        let mut talk = Talk { is_watched: true, last: start };
        assert_eq!(talk.about(progress, start), None);
        let line = talk.about(progress, start + TALK_EVERY);
        assert_eq!(line.as_deref(), Some("fsck: leaves 5 of 9"));
        assert_eq!(talk.about(progress, start + TALK_EVERY), None);
        let mut talk = Talk { is_watched: false, last: start };
        assert_eq!(talk.about(progress, start + TALK_EVERY), None);
    }
}
