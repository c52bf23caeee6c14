//! Files stay small enough to be read in one go.
//!
//! The numbers sit among the long files of tidy projects of our kind, and well below every file
//! people regret. Tests inside a file do not count; files of tests may be longer, not endless.

use super::{Finding, Tree};

const LINES_LOOK: usize = 500;
const LINES_MAX: usize = 800;
/// A file of tests is a list: it is searched, not read.
const TEST_LINES_MAX: usize = 1600;
/// Inline tests longer than this hide the code above them.
const INLINE_TEST_LINES_LOOK: usize = 200;

pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    tree.sources().filter_map(|(path, text)| judge(path, text)).collect()
}

fn judge(path: &str, text: &str) -> Option<Finding> {
    let all = text.lines().count();
    if of_tests(path) {
        return (all > TEST_LINES_MAX)
            .then(|| Finding::error(path, 0, format!("{all} lines of tests: split by subject")));
    }
    let code = lines_before_tests(text);
    let tests = all - code;
    if code > LINES_MAX {
        Some(Finding::error(path, 0, format!("{code} lines, at most {LINES_MAX}: split it")))
    } else if code > LINES_LOOK {
        Some(Finding::note(path, 0, format!("{code} lines: does it still own one thing?")))
    } else if tests > INLINE_TEST_LINES_LOOK {
        let what = format!("{tests} lines of inline tests: move them to tests.rs beside the file");
        Some(Finding::note(path, 0, what))
    } else {
        None
    }
}

pub(super) fn of_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_tests.rs")
}

fn lines_before_tests(text: &str) -> usize {
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let module = lines.peek().is_some_and(|(_, next)| next.starts_with("mod tests {"));
        if line == "#[cfg(test)]" && module {
            return index;
        }
    }
    text.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Option<(super::super::Weight, String)> {
        judge(path, text).map(|finding| (finding.weight, finding.what))
    }

    #[test]
    fn long_file_is_an_error_and_a_longish_one_a_note() {
        use super::super::Weight;
        assert_eq!(found("a.rs", &"x\n".repeat(500)), None);
        assert_eq!(found("a.rs", &"x\n".repeat(501)).unwrap().0, Weight::Note);
        assert_eq!(found("a.rs", &"x\n".repeat(801)).unwrap().0, Weight::Error);
    }

    #[test]
    fn inline_tests_do_not_count_as_code() {
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"x\n".repeat(100) + "}\n";
        assert_eq!(found("a.rs", &("x\n".repeat(450) + &tests)), None);
        let long = tests + &"x\n".repeat(100);
        assert!(found("a.rs", &long).unwrap().1.contains("tests.rs"));
    }

    #[test]
    fn files_of_tests_may_be_longer_but_not_endless() {
        assert_eq!(found("a/tests.rs", &"x\n".repeat(1600)), None);
        assert!(found("a/tests.rs", &"x\n".repeat(1601)).is_some());
        assert!(found("tests/tests/crash.rs", &"x\n".repeat(1601)).is_some());
    }
}
