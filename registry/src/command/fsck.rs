//! `attestry-registry fsck`.

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
    let mut talk = Talk { last: Instant::now() };
    let checked = fsck::check(&args.data, &mut |progress| talk.about(progress));
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

/// Says how far the check is, when it takes long.
struct Talk {
    last: Instant,
}

impl Talk {
    fn about(&mut self, progress: Progress) {
        if self.last.elapsed() < TALK_EVERY {
            return;
        }
        self.last = Instant::now();
        let Progress { stage, done, of } = progress;
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        say(&format!("fsck: {stage} {done}{of}"));
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
         {} postings, {} edge keys, {} small contents, {} content files\n",
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
    ));
    text
}
