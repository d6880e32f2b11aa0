//! Which of the known words was meant?

/// The one of `known` that `word` most likely stands for; none when nothing is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.len() / 3).max(2);
    let near = known.into_iter().map(|name| (strsim::levenshtein(word, name), name));
    near.filter(|&(distance, _)| distance <= limit)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}
