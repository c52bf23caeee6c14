//! "Did you mean": the declared name nearest to one that was not found.
//!
//! Only for messages; nothing is ever accepted because it is near to something.

/// The candidate nearest to `name`, when near enough to be a slip of the fingers: at most one edit
/// in three letters, swapped neighbours counting as one.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let names = ["listen", "cores", "memory"];
        assert_eq!(closest("lisen", names), Some("listen"));
        assert_eq!(closest("croes", names), Some("cores"));
        assert_eq!(closest("telephone", names), None);
        assert_eq!(closest("", names), None);
    }
}
