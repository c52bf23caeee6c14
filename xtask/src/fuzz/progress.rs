//! What libFuzzer says of itself, line by line.
//!
//! Its lines are `#EXECUTIONS EVENT cov: EDGES ft: N corp: INPUTS/SIZE ...`, and at the end
//! `stat::NAME: N`. Anything else is for people: a panic and its trace, above all.

/// The last of everything it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) executions: u64,
    pub(super) edges: u64,
    pub(super) inputs: u64,
    /// The input that broke something.
    pub(super) artifact: Option<String>,
}

impl Progress {
    /// Takes a line; true where a person should see it.
    pub(super) fn read_line(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix('#') {
            self.read_status(rest);
            return false;
        }
        if let Some((_, count)) = line.split_once("stat::number_of_executed_units:") {
            self.executions = count.trim().parse().unwrap_or(self.executions);
            return false;
        }
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.artifact = Some(path.trim().to_owned());
        }
        // What begins with a quote is a word that it would put into a dictionary.
        let own = ["INFO:", "stat::", "\""].iter().any(|begin| line.starts_with(begin));
        !own && !line.trim().is_empty()
    }

    fn read_status(&mut self, rest: &str) {
        let mut words = rest.split_whitespace();
        let Some(executions) = words.next().and_then(|count| count.parse().ok()) else { return };
        self.executions = executions;
        while let Some(word) = words.next() {
            let value = match word {
                "cov:" | "corp:" => words.next().unwrap_or_default(),
                _ => continue,
            };
            let count = value.split('/').next().and_then(|count| count.parse().ok());
            match (word, count) {
                ("cov:", Some(count)) => self.edges = count,
                ("corp:", Some(count)) => self.inputs = count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_are_counted_and_not_shown() {
        let mut progress = Progress::default();
        let line = "#4096\tNEW    cov: 12 ft: 30 corp: 7/81b lim: 4 exec/s: 100 rss: 30Mb L: 4/4";
        assert!(!progress.read_line(line));
        assert!(!progress.read_line("stat::number_of_executed_units: 5000"));
        assert!(!progress.read_line("INFO: Seed: 1"));
        assert!(!progress.read_line("\"\\001\" # Uses: 247"));
        let expected = Progress { executions: 5000, edges: 12, inputs: 7, artifact: None };
        assert_eq!(progress, expected);
    }

    #[test]
    fn panic_is_shown_and_its_input_is_kept() {
        let mut progress = Progress::default();
        assert!(progress.read_line("thread '<unnamed>' panicked at src/a.rs:1:1:"));
        let line = "artifact_prefix='a/'; Test unit written to a/crash-0123";
        assert!(progress.read_line(line));
        assert_eq!(progress.artifact.as_deref(), Some("a/crash-0123"));
    }
}
