//! The machine: what it is, and how long its disk takes to sync.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::figures::Durations;
use crate::{Context as _, Failure};

/// How much each write of [`disk_sync`] adds.
const BLOCK_BYTES: usize = 4096;

/// One line about processors, kernel and load.
#[must_use]
pub fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim())
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{processors} processors ({}, family {} model {}), Linux {}, load {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        kernel.trim(),
        load.split(' ').next().unwrap_or("unknown"),
    )
}

/// How long it takes to add 4 KiB to a file in `folder` and sync it, `count` times.
///
/// # Errors
/// As the file system fails.
pub fn disk_sync(folder: &Path, count: usize) -> Result<Durations, Failure> {
    let path = folder.join("disk-sync");
    let mut file = File::create(&path).context("creating a file to sync")?;
    let block = [0x5a; BLOCK_BYTES];
    let mut measured = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        file.write_all(&block).and_then(|()| file.sync_data()).context("syncing a file")?;
        measured.push(started.elapsed());
    }
    fs::remove_file(&path).context("removing a file")?;
    Ok(Durations::new(measured))
}

/// How long it takes to write so many bytes to a new file in `folder` and sync it, `count` times.
///
/// # Errors
/// As the file system fails.
pub fn disk_write(folder: &Path, bytes: &[u8], count: usize) -> Result<Durations, Failure> {
    let path = folder.join("disk-write");
    let mut measured = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let mut file = File::create(&path).context("creating a file to write")?;
        file.write_all(bytes).and_then(|()| file.sync_all()).context("writing a file")?;
        measured.push(started.elapsed());
        fs::remove_file(&path).context("removing a file")?;
    }
    Ok(Durations::new(measured))
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time, in clock ticks of 10 ms.
    pub cpu_ticks: u64,
    /// The most memory it has held, in KiB.
    pub peak_memory_kib: u64,
}

impl Usage {
    /// Reads what the process `id`, a number or `self`, has used.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}"));
        let stat = read("stat").unwrap_or_default();
        // proc(5): behind the name in parentheses, fields 14 and 15 are utime and stime.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let cpu_ticks =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
        let status = read("status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Self { cpu_ticks, peak_memory_kib: peak.unwrap_or_default() }
    }

    /// The processor time since an earlier reading, in microseconds.
    #[must_use]
    pub fn cpu_us_since(&self, earlier: Self) -> u64 {
        (self.cpu_ticks - earlier.cpu_ticks) * 10_000
    }
}
