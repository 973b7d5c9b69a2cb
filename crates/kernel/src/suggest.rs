//! "Did you mean": the nearest of the allowed words.

/// The candidate nearest to `word`, if one is near enough to be a likely slip.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let allowed = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= allowed && *distance < c.chars().count())
        .min_by_key(|(distance, c)| (*distance, !c.to_lowercase().starts_with(&lower), *c))
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn near_words_are_offered_and_far_ones_are_not() {
        let fields = ["state", "variants", "defaultVariant", "targeting"];
        for (word, expected) in [
            ("stat", Some("state")),
            ("defaultVarient", Some("defaultVariant")),
            ("Targeting", Some("targeting")),
            ("tragetting", Some("targeting")),
            ("colour", None),
            // Of two as near, the one that only needs more letters.
            ("targetin", Some("targeting")),
        ] {
            assert_eq!(did_you_mean(word, fields), expected, "{word}");
        }
    }
}
