//! What a skill needs, directly and by way of others.

use std::collections::{BTreeMap, BTreeSet};

/// Everything one skill needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolution {
    /// What it names itself and what exists.
    pub direct: Vec<String>,
    /// What these need in turn, without the direct ones.
    pub transitive: Vec<String>,
    /// What somebody among these names and nobody has: the name, and who names it.
    pub missing: Vec<(String, String)>,
    /// The first cycle among these, beginning and ending with the same name.
    pub cycle: Option<Vec<String>>,
}

/// Resolves what `skill` needs. `needs` maps every existing skill to the names it depends on; a skill without an entry
/// does not exist.
pub fn resolve(skill: &str, needs: &BTreeMap<String, Vec<String>>) -> Resolution {
    let mut resolution = Resolution::default();
    let mut closed: BTreeSet<&str> = BTreeSet::new();
    let Some((start, direct)) = needs.get_key_value(skill) else {
        return resolution;
    };
    // Each open skill with the position of its next dependency: the way from the start to here.
    let mut way: Vec<(&str, usize)> = vec![(start, 0)];
    while let Some((name, next)) = way.last_mut() {
        let name = *name;
        let Some(dependency) = needs.get(name).and_then(|list| list.get(*next)) else {
            closed.insert(name);
            way.pop();
            continue;
        };
        *next += 1;
        if let Some(at) = way.iter().position(|(open, _)| open == dependency) {
            if resolution.cycle.is_none() {
                let mut cycle: Vec<String> = way[at..]
                    .iter()
                    .map(|(open, _)| (*open).to_owned())
                    .collect();
                cycle.push(dependency.clone());
                resolution.cycle = Some(cycle);
            }
        } else if !needs.contains_key(dependency) {
            resolution
                .missing
                .push((dependency.clone(), name.to_owned()));
        } else if !closed.contains(dependency.as_str()) {
            way.push((dependency, 0));
        }
    }
    closed.remove(skill);
    let is_direct = |name: &&&str| direct.iter().any(|dependency| dependency == **name);
    resolution.direct = closed
        .iter()
        .filter(is_direct)
        .map(|&name| name.to_owned())
        .collect();
    resolution.transitive = closed
        .iter()
        .filter(|name| !is_direct(name))
        .map(|&name| name.to_owned())
        .collect();
    resolution
}
