//! The `attestry` program: hands the process's arguments and streams to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    attestry::run(std::env::args_os(), attestry::Io::process())
}
