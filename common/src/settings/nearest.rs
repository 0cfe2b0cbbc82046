//! Finds the name that somebody probably meant. Pure: no I/O.

/// The candidate closest to `word` in any case, if one is close enough to be a slip of the finger.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let slips = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase());
            (distance, candidate)
        })
        .filter(|&(distance, candidate)| distance <= slips && distance < candidate.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_different_word_is_not() {
        let names = ["Port", "Idle", "MaxIdle", "4"];
        assert_eq!(nearest("prot", names), Some("Port"));
        assert_eq!(nearest("maxidel", names), Some("MaxIdle"));
        assert_eq!(nearest("xyzzy", names), None);
        assert_eq!(nearest("5", names), None);
    }
}
