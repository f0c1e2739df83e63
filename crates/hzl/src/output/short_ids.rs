//! Short forms of the ids shown together in one output for people.

use std::collections::BTreeSet;

const SHORTEST: usize = 8;

/// How far the ids of one output are shortened: all to one length, at least 8 characters, and long
/// enough to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShortIds {
    length: usize,
}

impl ShortIds {
    /// Finds the length for these ids.
    pub(crate) fn of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        // In sorted order the longest common prefix is between neighbours.
        let sorted: BTreeSet<&str> = ids.into_iter().collect();
        let next = sorted.iter().skip(1);
        let common = sorted.iter().zip(next).map(|(a, b)| {
            let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
            same.count() + 1
        });
        Self {
            length: common.max().unwrap_or(0).max(SHORTEST),
        }
    }

    /// Returns the beginning of the id that tells it from the others.
    pub(crate) fn show<'a>(&self, id: &'a str) -> &'a str {
        let end = id.char_indices().nth(self.length);
        end.map_or(id, |(end, _)| id.split_at(end).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_id_has_eight_characters() {
        let id = "01K9ZZ3D1H7E2GQ4S8V5KJTMNP";
        assert_eq!(ShortIds::of([id]).show(id), "01K9ZZ3D");
        assert_eq!(ShortIds::of([id, id]).show(id), "01K9ZZ3D");
        assert_eq!(ShortIds::of([]).show("short"), "short");
    }

    #[test]
    fn ids_shown_together_can_be_told_apart() {
        let ids = ["01K9ZZ3D1HAAAA", "01K9ZZ3D1HABBB", "01K8ZZ3D1HABBB"];
        let short = ShortIds::of(ids);
        assert_eq!(short.show(ids[0]), "01K9ZZ3D1HAA");
        assert_eq!(short.show(ids[1]), "01K9ZZ3D1HAB");
    }

    #[test]
    fn ids_of_any_script_are_cut_between_characters() {
        let ids = ["åäöåäöåäöåäö", "åäöåäöåäöåäx"];
        assert_eq!(ShortIds::of(ids).show(ids[1]), ids[1]);
        assert_eq!(ShortIds::of(["åäöåäöåäöåäö"]).show(ids[0]), "åäöåäöåä");
    }
}
