//! The `attestry-registry` program: hands the process's arguments to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    attestry_registry::command::run(std::env::args_os())
}
