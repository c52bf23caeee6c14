//! The claw binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    claw_dataplane::cli::main()
}
