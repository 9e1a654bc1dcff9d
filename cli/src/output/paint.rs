//! Colour, always on a word that says the same. The stream strips it where it is not wanted.

const RESET: &str = "\u{1b}[0m";

/// What a word means, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Ended well, ready.
    Good,
    /// At work.
    Active,
    /// Waiting.
    Waiting,
    /// Went wrong.
    Bad,
    /// Over, away.
    Dim,
    /// A heading.
    Bold,
}

impl Tone {
    const ALL: [Self; 6] = [
        Self::Good,
        Self::Active,
        Self::Waiting,
        Self::Bad,
        Self::Dim,
        Self::Bold,
    ];

    const fn code(self) -> &'static str {
        match self {
            Self::Good => "\u{1b}[32m",
            Self::Active => "\u{1b}[36m",
            Self::Waiting => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Dim => "\u{1b}[2m",
            Self::Bold => "\u{1b}[1m",
        }
    }

    fn paint(self, text: &str) -> String {
        format!("{}{text}{RESET}", self.code())
    }
}

/// The tone of a public word: a task's or node's state, an eligibility.
pub fn tone(word: &str) -> Option<Tone> {
    Some(match word {
        "completed" | "online" | "yes" => Tone::Good,
        "running" | "scheduled" | "busy" => Tone::Active,
        "pending" | "maintenance" | "waiting" => Tone::Waiting,
        "failed" | "timeout" | "error" | "no" => Tone::Bad,
        "cancelled" | "offline" => Tone::Dim,
        _ => return None,
    })
}

/// A public word in its colour.
pub fn word(text: &str) -> String {
    tone(text).map_or_else(|| text.to_owned(), |tone| tone.paint(text))
}

/// A heading.
pub fn bold(text: &str) -> String {
    Tone::Bold.paint(text)
}

/// Leaves this module's own sequences in and makes every other control character visible: what a task or a node
/// calls itself must not move the cursor of the one who looks at it.
pub(super) fn tame(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let own = Tone::ALL
            .iter()
            .map(|tone| tone.code())
            .chain([RESET])
            .find(|code| rest.starts_with(code));
        let step = own.map_or(next.len_utf8(), str::len);
        match own {
            Some(code) => tamed.push_str(code),
            None if next.is_control() && next != '\n' && next != '\t' => {
                tamed.extend(next.escape_default());
            }
            None => tamed.push(next),
        }
        rest = rest.get(step..).unwrap_or_default();
    }
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_get_a_colour_and_stay_words() {
        assert_eq!(word("completed"), "\u{1b}[32mcompleted\u{1b}[0m");
        assert_eq!(word("something"), "something");
    }

    #[test]
    fn foreign_control_characters_become_visible() {
        let evil = format!("{} \u{1b}]0;title\u{7} \u{1b}[2J\r x\ty\n", word("failed"));
        let tamed = tame(&evil);
        assert!(tamed.starts_with("\u{1b}[31mfailed\u{1b}[0m "), "{tamed:?}");
        assert_eq!(tamed.matches('\u{1b}').count(), 2, "{tamed:?}");
        assert!(
            tamed.contains("\\u{1b}[2J") && tamed.contains("\\r") && tamed.ends_with("x\ty\n"),
            "{tamed:?}"
        );
    }
}
