//! A skill by exact name, optionally with a requirement on its version: `whisper`, `whisper >= 1.2`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// How a version is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `=`
    Exactly,
    /// `<=`
    AtMost,
    /// `<`
    Below,
}

const OPS: [(&str, Op); 5] = [
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    (">", Op::Above),
    ("<", Op::Below),
    ("=", Op::Exactly),
];

/// A skill that a node must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkillReq {
    /// Exact name.
    pub name: Box<str>,
    /// What its version must be.
    pub version: Option<(Op, Box<str>)>,
}

/// Not a skill name with an optional version requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}`: write a skill as `name` or `name >= 1.2` (also >, =, <=, <); names have 1 to 64 of a-z, 0-9, `-`, `_`, `.`"
)]
pub struct SkillReqError(String);

impl FromStr for SkillReq {
    type Err = SkillReqError;

    fn from_str(text: &str) -> Result<Self, SkillReqError> {
        let fail = || SkillReqError(text.chars().take(80).collect());
        let at = text.find(['<', '>', '=']).unwrap_or(text.len());
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(fail());
        }
        let version = if rest.is_empty() {
            None
        } else {
            let (sign, op) = OPS
                .iter()
                .find(|(sign, _)| rest.starts_with(sign))
                .ok_or_else(fail)?;
            let version = rest[sign.len()..].trim();
            if version.is_empty()
                || version.len() > 64
                || !version.chars().all(|c| plain(c) || c == '+')
            {
                return Err(fail());
            }
            Some((*op, version.into()))
        };
        Ok(Self {
            name: name.into(),
            version,
        })
    }
}

impl fmt::Display for SkillReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some((op, version)) = &self.version {
            let sign = OPS
                .iter()
                .find(|(_, o)| o == op)
                .map_or("=", |(sign, _)| sign);
            write!(f, " {sign} {version}")?;
        }
        Ok(())
    }
}

impl SkillReq {
    /// Whether a skill of this name has a version that will do.
    pub fn accepts(&self, version: &str) -> bool {
        let Some((op, wanted)) = &self.version else {
            return true;
        };
        let order = compare(version, wanted);
        match op {
            Op::AtLeast => order.is_ge(),
            Op::Above => order.is_gt(),
            Op::Exactly => order.is_eq(),
            Op::AtMost => order.is_le(),
            Op::Below => order.is_lt(),
        }
    }
}

/// Compares dotted versions part by part: numbers as numbers, missing parts as 0, words before numbers.
fn compare(a: &str, b: &str) -> Ordering {
    let split = |text: &str| -> Vec<String> {
        text.trim_start_matches('v')
            .split(['.', '-', '+'])
            .map(str::to_owned)
            .collect()
    };
    let (a, b) = (split(a), split(b));
    for i in 0..a.len().max(b.len()) {
        let part = |parts: &[String]| parts.get(i).cloned().unwrap_or_else(|| "0".to_owned());
        let (x, y) = (part(&a), part(&b));
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => Ordering::Greater,
            (Err(_), Ok(_)) => Ordering::Less,
            (Err(_), Err(_)) => x.cmp(&y),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::SkillReq;

    fn req(text: &str) -> SkillReq {
        text.parse().unwrap()
    }

    #[test]
    fn a_bare_name_takes_any_version() {
        assert!(req("whisper").accepts(""));
        assert!(req("whisper").accepts("0.1"));
    }

    #[test]
    fn versions_compare_part_by_part() {
        assert!(req("whisper >= 1.2").accepts("1.10"));
        assert!(req("whisper>=1.2").accepts("1.2.0"));
        assert!(!req("whisper >= 1.2").accepts("1.1.9"));
        assert!(!req("whisper < 2").accepts("2.0"));
        assert!(req("whisper = 1.0").accepts("v1"));
        assert!(req("whisper > 1.0-rc").accepts("1.0"));
    }

    #[test]
    fn a_requirement_prints_as_it_parses() {
        for text in ["echo", "whisper >= 1.2", "a_b.c < 3"] {
            assert_eq!(req(text).to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", ">= 1", "a b", "x >=", "x ! 2", &"n".repeat(65)] {
            assert!(bad.parse::<SkillReq>().is_err(), "{bad}");
        }
    }
}
