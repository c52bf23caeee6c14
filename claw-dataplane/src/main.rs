//! The claw binary: hands the command line to the library and its verdict to the shell.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: claw_dataplane::buffer::LargePages = claw_dataplane::buffer::LargePages;

fn main() -> ExitCode {
    claw_dataplane::cli::main()
}
