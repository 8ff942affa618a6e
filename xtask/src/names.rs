// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The names nearest to one that was mistyped.

/// Up to three of `known` that are close to `name`, nearest first.
pub(crate) fn nearest<'a>(name: &str, known: &'a [String]) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut ranked: Vec<_> = known
        .iter()
        .map(|candidate| (distance(&name, candidate), candidate.as_str()))
        .filter(|(edits, candidate)| {
            *edits <= candidate.len().max(name.len()) / 2
                || (name.len() >= 2 && candidate.contains(&name))
        })
        .collect();
    ranked.sort();
    ranked.truncate(3);
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The Levenshtein distance: how many letters must be changed, added or taken away.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, &other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        let known = ["exynos5250", "imx8mq", "midway", "virt"].map(str::to_owned);
        assert_eq!(nearest("vrit", &known), ["virt"]);
        assert_eq!(nearest("Midwya", &known), ["midway"]);
        assert_eq!(nearest("exynos", &known), ["exynos5250"]);
        assert!(nearest("zzz", &known).is_empty());
        assert!(nearest("", &known).is_empty());
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
