//! Child processes, started the same way by every verb.
//!
//! Each command is printed before it runs, and a failure names the command, how it ended and what
//! to do about it. Deliberately does not retry and does not capture what a person should see:
//! [`Task::counted`] echoes every line it reads.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::steps::Tally;

/// Talk goes to stderr; a closed stderr is no reason to stop working.
pub(crate) fn talk(line: fmt::Arguments<'_>) {
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// One child process to be: what to start, where, and what a person can do when it fails.
#[derive(Debug)]
pub(crate) struct Task {
    program: OsString,
    args: Vec<OsString>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    remedy: String,
    descriptors_count: Option<u64>,
}

impl Task {
    pub(crate) fn new(program: impl AsRef<OsStr>, remedy: &str) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            dir: crate::workspace::root(),
            env: Vec::new(),
            remedy: remedy.to_owned(),
            descriptors_count: None,
        }
    }

    /// The cargo that runs us, so that the pinned toolchain is used throughout.
    pub(crate) fn cargo(remedy: &str) -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), remedy)
    }

    /// A nightly cargo, through rustup: ours would go on with the pinned toolchain.
    pub(crate) fn cargo_nightly(remedy: &str) -> Self {
        Self::new("cargo", remedy).args(["+nightly"])
    }

    pub(crate) fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn inside(mut self, dir: &Path) -> Self {
        dir.clone_into(&mut self.dir);
        self
    }

    /// Raise the child's limit of open files to this. The shell does it, because a limit can only
    /// be set in the process that will own it, and that would take `unsafe` here.
    pub(crate) fn descriptors(mut self, count: u64) -> Self {
        self.descriptors_count = Some(count);
        self
    }

    /// Run to the end; anything but success is an error that says what to do.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.status()?;
        if status.success() { Ok(()) } else { bail!(self.failure(status)) }
    }

    /// Run to the end and answer how it ended.
    pub(crate) fn status(&self) -> Result<ExitStatus> {
        self.announce();
        self.command().status().with_context(|| self.cannot_start())
    }

    /// Run silently; the answer is only whether it worked.
    pub(crate) fn probe(&self) -> bool {
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Run a test runner: echo all it says, and read its counts from that.
    ///
    /// A runner that fails without naming a failed test (a build error, say) counts one failure.
    pub(crate) fn counted(&self) -> Result<Tally> {
        self.counted_into(&mut io::stdout())
    }

    fn counted_into(&self, out: &mut impl Write) -> Result<Tally> {
        let mut tally = Tally::default();
        let status = self.lines(|line| {
            out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).ok();
            tally.read_line(line);
        })?;
        if !status.success() {
            talk(format_args!("{}", self.failure(status)));
            tally.failed_count = tally.failed_count.max(1);
        }
        Ok(tally)
    }

    /// Run to the end, hand on each line of either stream, and answer how it ended.
    pub(crate) fn lines(&self, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
        self.announce();
        let (reader, writer) =
            io::pipe().with_context(|| format!("cannot make a pipe for {self}"))?;
        let mut command = self.command();
        if io::stdout().is_terminal() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        command.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
        let mut child = command.spawn().with_context(|| self.cannot_start())?;
        // The command holds the writing end: while it lives, reading never ends.
        drop(command);
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.with_context(|| format!("cannot read what {self} says"))?;
            each(&String::from_utf8_lossy(&line));
        }
        child.wait().with_context(|| format!("cannot wait for {self}"))
    }

    fn announce(&self) {
        talk(format_args!("$ {self}"));
    }

    fn command(&self) -> Command {
        let mut command = if let Some(count) = self.descriptors_count {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\""]).arg(count.to_string());
            shell.arg(&self.program);
            shell
        } else {
            Command::new(&self.program)
        };
        command.args(&self.args).current_dir(&self.dir);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn cannot_start(&self) -> String {
        format!("cannot start {self}: {}", self.remedy)
    }

    fn failure(&self, status: ExitStatus) -> String {
        format!("`{self}` failed ({status}): {}", self.remedy)
    }
}

impl fmt::Display for Task {
    /// As a person would type it, with paths inside the checkout made short.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(formatter, "{}={} ", name.display(), short(value))?;
        }
        let program = Path::new(&self.program);
        let cargo = program.file_name().is_some_and(|name| name == "cargo");
        formatter.write_str(&if cargo { "cargo".to_owned() } else { short(&self.program) })?;
        for arg in &self.args {
            let arg = short(arg);
            if arg.is_empty() || arg.contains([' ', '\'', '"', '$', '|', '(']) {
                write!(formatter, " '{}'", arg.replace('\'', r"'\''"))?;
            } else {
                write!(formatter, " {arg}")?;
            }
        }
        Ok(())
    }
}

fn short(text: &OsStr) -> String {
    let path = Path::new(text);
    path.strip_prefix(crate::workspace::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_child_names_itself_and_the_remedy() {
        let error = Task::new("false", "there is nothing to do").run().unwrap_err().to_string();
        assert_eq!(error, "`false` failed (exit status: 1): there is nothing to do");
    }

    #[test]
    fn printed_command_can_be_typed() {
        let task = Task::new("sh", "").args(["-c", "echo 'a b'", ""]);
        assert_eq!(task.to_string(), r"sh -c 'echo '\''a b'\''' ''");
    }

    #[test]
    fn absent_program_names_the_remedy() {
        let error = Task::new("no-such-program", "install it").run().unwrap_err().to_string();
        assert_eq!(error, "cannot start no-such-program: install it");
    }

    #[test]
    fn counts_are_read_from_either_stream() {
        let mut echo = Vec::new();
        let script = "echo 'test result: ok. 3 passed; 0 failed; 1 ignored;'; \
                      echo '     Summary [ 0.1s] 5 tests run: 4 passed (1 slow), 1 failed' >&2";
        let task = Task::new("sh", "").args(["-c", script]);
        let tally = task.counted_into(&mut echo).unwrap();
        assert_eq!(String::from_utf8_lossy(&echo).lines().count(), 2);
        assert_eq!(tally, Tally { passed_count: 7, failed_count: 1 });
    }

    #[test]
    fn runner_that_dies_before_any_test_counts_one_failure() {
        let task = Task::new("sh", "").args(["-c", "exit 101"]);
        let tally = task.counted_into(&mut Vec::new()).unwrap();
        assert_eq!(tally, Tally { passed_count: 0, failed_count: 1 });
    }

    #[test]
    fn descriptor_limit_reaches_the_child() {
        let script = "test \"$(ulimit -n)\" = 64";
        assert!(Task::new("sh", "").args(["-c", script]).descriptors(64).probe());
        assert!(!Task::new("sh", "").args(["-c", script]).descriptors(65).probe());
    }
}
