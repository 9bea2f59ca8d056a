//! A difference in words: one line for a message, and the two sides for `expected` and `observed` of a status.

use std::collections::BTreeSet;
use std::fmt;

use super::{ConditionDifference, Difference, ElementDifference, SetDifference};

#[derive(Clone, Copy)]
enum Side {
    Expected,
    Observed,
}

impl Difference {
    /// What differs, as it should be.
    pub fn expected_text(&self) -> String {
        self.side(Side::Expected)
    }

    /// What differs, as it is.
    pub fn observed_text(&self) -> String {
        self.side(Side::Observed)
    }

    fn side(&self, side: Side) -> String {
        let effect =
            self.effect.as_ref().map(|change| format!("effect: {}", side.of(&change.expected, &change.observed)));
        let sets = self.sets_with_names().into_iter().filter(|(_, set)| !set.is_empty());
        let sets = sets.map(|(name, set)| {
            let (with, without) = (side.of(&set.missing, &set.unexpected), side.of(&set.unexpected, &set.missing));
            match (with.is_empty(), without.is_empty()) {
                (false, true) => format!("{name}: {}", list(with)),
                (true, _) => format!("{name}: without {}", list(without)),
                (false, false) => format!("{name}: {}, without {}", list(with), list(without)),
            }
        });
        let conditions = self.conditions.iter().map(|condition| {
            let ConditionDifference { operator, key, expected, observed } = condition;
            format!("condition {operator} {key}: {}", values(side.of(expected, observed).as_ref()))
        });
        let other = self.other.iter().map(|element| element.side(side));
        effect.into_iter().chain(sets).chain(conditions).chain(other).collect::<Vec<_>>().join("; ")
    }

    fn sets_with_names(&self) -> [(&'static str, &SetDifference); 3] {
        [("principals", &self.principals), ("actions", &self.actions), ("resources", &self.resources)]
    }
}

impl Side {
    fn of<'a, T>(self, expected: &'a T, observed: &'a T) -> &'a T {
        match self {
            Self::Expected => expected,
            Self::Observed => observed,
        }
    }
}

impl ElementDifference {
    pub(super) fn expected_text(&self) -> String {
        self.side(Side::Expected)
    }

    pub(super) fn observed_text(&self) -> String {
        self.side(Side::Observed)
    }

    fn side(&self, side: Side) -> String {
        format!("{}: {}", self.element, side.of(&self.expected, &self.observed).as_deref().unwrap_or("absent"))
    }
}

impl fmt::Display for ElementDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "absent".to_owned());
        write!(f, "{}: expected {}, observed {}", self.element, text(&self.expected), text(&self.observed))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(change) = &self.effect {
            parts.push(format!("effect: expected {}, observed {}", change.expected, change.observed));
        }
        for (name, set) in self.sets_with_names() {
            match (set.missing.is_empty(), set.unexpected.is_empty()) {
                (true, true) => {}
                (false, true) => parts.push(format!("{name}: missing {}", list(&set.missing))),
                (true, false) => parts.push(format!("{name}: unexpected {}", list(&set.unexpected))),
                (false, false) => {
                    parts.push(format!("{name}: missing {}, unexpected {}", list(&set.missing), list(&set.unexpected)));
                }
            }
        }
        for ConditionDifference { operator, key, expected, observed } in &self.conditions {
            let (expected, observed) = (values(expected.as_ref()), values(observed.as_ref()));
            parts.push(format!("condition {operator} {key}: expected {expected}, observed {observed}"));
        }
        parts.extend(self.other.iter().map(ToString::to_string));
        if self.equivalent {
            parts.push("both cover the same known actions".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

/// One value bare, several in brackets.
fn list(values: &BTreeSet<String>) -> String {
    let joined = values.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if values.len() == 1 { joined } else { format!("[{joined}]") }
}

fn values(values: Option<&BTreeSet<String>>) -> String {
    values.map_or("absent".to_owned(), |values| {
        format!("[{}]", values.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    })
}
