//! Evidence as whole processes: what `attestry run` adds to a build of many files, and what
//! `attestry evidence` takes for reports of 500 MB.
//!
//! `cargo bench --profile release -p attestry-benches --bench evidence -- --runs 5 --files 20000 --mb 500`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for the terminal")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use attestry_benches::machine;
use attestry_benches::options::Options;
use attestry_benches::process::{Named, Program, print, write_keys};
use attestry_benches::programs::Programs;
use attestry_benches::{Context as _, Failure, fixtures};

/// Files of the build, unless said otherwise.
const FILES: u64 = 20_000;
/// Megabytes of a large report, unless said otherwise.
const REPORT_MB: u64 = 500;
/// Bytes of one source file.
const SOURCE_BYTES: usize = 8 * 1024;
/// What a step of the build does: reads every source and writes one product.
const BUILD: &str = "cat src/*/* | wc -c > product";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evidence: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["runs", "files", "mb", "programs"])?;
    if !options.wants("evidence") {
        return Ok(());
    }
    let runs = usize::try_from(options.number("runs", 5)?)?;
    let programs = Programs::find(options.text("programs"))?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("making a folder")?;
    let folder = folder.path();
    println!("machine: {}", machine::describe());
    write_keys(&fixtures::p256_key(), folder)?;
    let program = Program { cli: programs.cli.into_os_string(), folder, token: String::new() };
    build(&program, runs, options.number("files", FILES)?)?;
    reports(&program, options.number("mb", REPORT_MB)?)
}

/// A build of many files, captured with all of them as materials, beside the same build alone.
fn build(program: &Program<'_>, runs: usize, files: u64) -> Result<(), Failure> {
    let sources = program.folder.join("src");
    for index in 0..files {
        let folder = sources.join(format!("d{}", index / 100));
        std::fs::create_dir_all(&folder).context("making sources")?;
        let text = format!("source {index}\n").repeat(SOURCE_BYTES / 13);
        std::fs::write(folder.join(format!("f{index}.c")), text).context("writing sources")?;
    }
    let alone: Vec<OsString> = ["sh", "-c", BUILD].iter().map(OsString::from).collect();
    let capture = |materials: &[&str]| {
        let mut words =
            vec!["run", "--step", "build", "--key", "plain.key", "--subject", "product"];
        words.extend_from_slice(materials);
        words.extend_from_slice(&["--offline", "--", "sh", "-c", BUILD]);
        program.attestry(&words)
    };
    let commands = [
        Named { name: "the command alone", words: alone },
        Named { name: "attestry run, no materials", words: capture(&[]) },
        Named {
            name: "attestry run, every file a material",
            words: capture(&["--material", "src"]),
        },
    ];
    println!("\na build that reads {files} files of {SOURCE_BYTES} bytes, {runs} runs each");
    let measured = program.measure(&commands, runs)?;
    print(program, &commands, &measured)?;
    if let [alone, .., captured] = measured.as_slice() {
        let beyond = captured.median().as_secs_f64() - alone.median().as_secs_f64();
        println!("attestry run beyond the command: {beyond:.2} s at the median");
    }
    Ok(())
}

/// Reports that are large in different ways.
fn reports(program: &Program<'_>, mb: u64) -> Result<(), Failure> {
    let bytes = mb * 1_000_000;
    let made: [(&str, Writer); 4] = [
        ("junit-cases.xml", junit_cases),
        ("junit-output.xml", junit_output),
        ("gotest.jsonl", go_test),
        ("trivy.json", trivy),
    ];
    for (name, write) in made {
        let file = File::create(program.folder.join(name)).context("creating a report")?;
        let mut file = BufWriter::new(file);
        write(&mut file, bytes).and_then(|()| file.flush()).context("writing a report")?;
    }
    let commands: Vec<Named<'_>> = made
        .iter()
        .map(|(name, _)| {
            let add = ["evidence", "add", *name, "--subject", "product", "--key", "plain.key"];
            Named { name, words: program.attestry(&[&add[..], &["--offline"]].concat()) }
        })
        .collect();
    println!("\nreports of {mb} MB, one run each");
    let measured = program.measure(&commands, 1)?;
    print(program, &commands, &measured)
}

type Writer = fn(&mut BufWriter<File>, u64) -> std::io::Result<()>;

/// Few tests with much to say: the output of each stands in the report.
fn junit_cases(file: &mut BufWriter<File>, bytes: u64) -> std::io::Result<()> {
    let output = "a line that a test wrote, with &lt;markup&gt; in it\n".repeat(200);
    writeln!(file, "<?xml version=\"1.0\"?><testsuites><testsuite name=\"s\">")?;
    for index in 0..bytes / output.len() as u64 {
        let case = format!("<testcase classname=\"suite\" name=\"case{index}\" time=\"0.1\">");
        writeln!(file, "{case}<system-out>{output}</system-out></testcase>")?;
    }
    writeln!(file, "</testsuite></testsuites>")
}

/// One test, and one piece of output that is nearly all of the report.
fn junit_output(file: &mut BufWriter<File>, bytes: u64) -> std::io::Result<()> {
    let line = "a line of the one output that there is\n";
    write!(file, "<testsuite name=\"s\" tests=\"1\"><testcase classname=\"a\" name=\"b\"/>")?;
    write!(file, "<system-out><![CDATA[")?;
    for _ in 0..bytes / line.len() as u64 {
        file.write_all(line.as_bytes())?;
    }
    writeln!(file, "]]></system-out></testsuite>")
}

/// Tests that say much, as `go test -json -v` has it: an event for each line.
fn go_test(file: &mut BufWriter<File>, bytes: u64) -> std::io::Result<()> {
    let event = |action: &str, test: u64, more: &str| {
        format!(
            "{{\"Time\":\"2026-01-31T12:00:00Z\",\"Action\":\"{action}\",\"Package\":\"example.org/p\",\"Test\":\"Test{test}\"{more}}}\n"
        )
    };
    let mut written = 0;
    let mut test = 0;
    while written < bytes {
        test += 1;
        let mut text = event("run", test, "");
        for _ in 0..200 {
            text.push_str(&event(
                "output",
                test,
                ",\"Output\":\"    a line that a test wrote\\n\"",
            ));
        }
        text.push_str(&event("pass", test, ",\"Elapsed\":0.1"));
        file.write_all(text.as_bytes())?;
        written += text.len() as u64;
    }
    Ok(())
}

/// Findings with long descriptions.
fn trivy(file: &mut BufWriter<File>, bytes: u64) -> std::io::Result<()> {
    let description = "what could go wrong and how, at length. ".repeat(500);
    write!(
        file,
        "{{\"SchemaVersion\":2,\"CreatedAt\":\"2026-01-31T12:00:00Z\",\"ArtifactName\":\"app\",\"ArtifactType\":\"container_image\",\"Results\":[{{\"Target\":\"app\",\"Class\":\"lang-pkgs\",\"Type\":\"npm\",\"Vulnerabilities\":["
    )?;
    for index in 0..bytes / description.len() as u64 {
        let comma = if index == 0 { "" } else { "," };
        write!(
            file,
            "{comma}{{\"VulnerabilityID\":\"CVE-2026-{index}\",\"PkgName\":\"p{index}\",\"InstalledVersion\":\"1.0.0\",\"Severity\":\"LOW\",\"Description\":\"{description}\"}}"
        )?;
    }
    writeln!(file, "]}}]}}")
}
