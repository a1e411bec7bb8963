//! Reports as commands name them: opened, recognised, imported, told.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use attestry_schemas::key::PublicKey;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::statement::ResourceDescriptor;
use attestry_schemas::verify::Identity;

use crate::args::{ReadingArgs, ScannedAt};
use crate::capture::ci;
use crate::config::Settings;
use crate::evidence::{self, Format, Imported, Report, Supplement, Trust};
use crate::keyfile::KeyText;
use crate::output::{Failure, Session, printable};
use crate::progress::{Progress, Unit};
use crate::subject;
use crate::trust;

/// A report that was recognised and read.
pub(super) struct Reading {
    /// The report.
    pub(super) report: Report,
    /// Where it lies, unless it came on stdin.
    pub(super) path: Option<PathBuf>,
    /// What it is.
    pub(super) format: &'static Format,
    /// What it says.
    pub(super) imported: Imported,
    /// When the scan ran, where that was said for this report.
    scanned_at: Option<ScannedAt>,
}

impl Reading {
    /// Reads a file, or stdin for `-`.
    ///
    /// # Errors
    /// When it cannot be read, is of no known format, or is not what its format says.
    pub(super) fn of(
        path: &Path,
        args: &ReadingArgs,
        session: &mut Session,
    ) -> Result<Self, Failure> {
        let report = open(path, session)?;
        let (format, imported) = evidence::import(&report, args.report_type.as_deref())?;
        let path = Some(path.to_path_buf()).filter(|path| path != Path::new("-"));
        Ok(Self { report, path, format, imported, scanned_at: args.scanned_at })
    }

    /// What is known beside this report.
    pub(super) fn supplement(&self, supplement: &Supplement) -> Supplement {
        Supplement { scanned_at: self.scanned_at(), ..supplement.clone() }
    }

    /// Says what was recognised, and what is in it.
    pub(super) fn tell(&self, session: &mut Session) {
        for item in &self.imported.evidence {
            let tool = item.tool().map(|tool| format!(" by {tool}")).unwrap_or_default();
            let becomes = self.format.becomes.or(item.predicate_type());
            let becomes = becomes.map(|kind| format!(", becomes {kind}")).unwrap_or_default();
            let totals: Vec<String> =
                item.totals().iter().map(|(what, count)| format!("{count} {what}")).collect();
            session.say(printable(&format!(
                "{}: {}{tool}{becomes}: {}",
                self.report.name(),
                self.format.title,
                totals.join(", ")
            )));
        }
        for warning in self.warnings() {
            session.warn(printable(&warning));
        }
    }

    /// What a person should know about how the report was read, and about what was said beside it.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.imported.warnings.clone();
        if let Some(given) = self.scanned_at() {
            let stated = self.imported.evidence.iter().filter_map(|item| item.stated_time());
            let unused: BTreeSet<UtcTime> = stated.filter(|stated| *stated != given).collect();
            warnings.extend(unused.into_iter().map(|stated| {
                format!(
                    "{}: --scanned-at ({given}) is not used, because the report states its own time, {stated}",
                    self.report.name()
                )
            }));
        }
        warnings
    }

    fn scanned_at(&self) -> Option<UtcTime> {
        match self.scanned_at? {
            ScannedAt::File => self.report.written(),
            ScannedAt::Time(time) => Some(time),
        }
    }
}

fn open(path: &Path, session: &mut Session) -> Result<Report, Failure> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if path == Path::new("-") {
        let fail = |e: std::io::Error| Failure::file("read", path, &e);
        let mut file = tempfile::tempfile().map_err(fail)?;
        std::io::copy(&mut session.stdin()?.by_ref(), &mut file).map_err(fail)?;
        let progress = Progress::start(session, "reading stdin", Unit::Bytes, None);
        return Ok(Report::of_stdin(file, progress)?);
    }
    let file = evidence::open(path)?;
    // The report is read twice.
    let total = file.metadata().ok().map(|metadata| metadata.len().saturating_mul(2));
    let label = format!("reading {}", path.display());
    let progress = Progress::start(session, label, Unit::Bytes, total);
    Ok(Report::of_file(&name, file, progress)?)
}

/// What flags, environment and the CI system say beside all reports.
///
/// # Errors
/// When a configuration, key or trusted root that is named cannot be read.
pub(super) fn supplement(
    args: &ReadingArgs,
    settings: &Settings,
    session: &mut Session,
) -> Result<Supplement, Failure> {
    if let Some(ScannedAt::Time(time)) = args.scanned_at
        && time > UtcTime::from((session.io.now)())
    {
        return Err(Failure::undecided(format!(
            "expected --scanned-at to be a time that has passed, found {time}"
        ))
        .fix("give the time at which the scan ran, in UTC"));
    }
    let mut configuration = Vec::new();
    for argument in &args.configuration {
        let found = subject::resolve(argument, session, &AtomicBool::new(false))?;
        configuration.push(ResourceDescriptor::named(&found.name, found.digest));
    }
    let key = |path: &PathBuf| -> Result<PublicKey, Failure> {
        Ok(KeyText::read(path, session)?.public()?)
    };
    let keys = args.verify_keys.iter().map(key).collect::<Result<_, _>>()?;
    let identity = args.identity.clone().zip(args.issuer.clone());
    let identity = identity.map(|(subject, issuer)| Identity { subject, issuer });
    let flag = args.trusted_root.trusted_root.as_deref();
    // Keys stand for a registry's log, certificates for their authorities; where neither is asked for, only
    // a root that is named for this very command counts.
    let root = if !args.verify_keys.is_empty() {
        trust::named(flag, settings, session)?
    } else if identity.is_some() || flag.is_some() {
        trust::of_certificates(flag, settings, session)?
    } else {
        None
    };
    let environment =
        args.environment.clone().or_else(|| session.io.variable("ATTESTRY_ENVIRONMENT"));
    let url = args.url.clone().or_else(|| ci::detect(&|name| session.io.variable(name)).run_url);
    Ok(Supplement {
        scanned_at: None,
        database_updated: args.database_updated.map(|time| time.moment()),
        tool_version: args.tool_version.clone(),
        environment: environment.filter(|name| !name.is_empty()),
        configuration,
        subject: None,
        url,
        trust: Trust { keys, identity, root },
    })
}
