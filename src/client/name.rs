//! Which texts can be the name of a client: only those that a person can read.

/// Whether a person can read this text as a name on a consent page: it has a letter or a digit, no control
/// character, no line break, and nothing that is invisible or reverses the direction of the text. Of the
/// default-ignorable code points (Unicode Standard Annex 44) it allows only these, and only where they change
/// what is seen: the joiners U+200C and U+200D between letters of a script that needs them, such as Persian
/// or Hindi, or between emoji, and U+FE0F after an emoji.
///
/// A valid name is still only what its developer claims. The rule is applied to the names of self-registered
/// clients and metadata documents; apply it yourself to names from your own forms.
#[must_use]
pub fn is_readable_name(name: &str) -> bool {
    let mut before = Neighbour::Other;
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let next = characters.peek().copied().unwrap_or_default();
        let is_seen = match c {
            '\u{200C}' | '\u{200D}' => match (before, Neighbour::of(next)) {
                (Neighbour::Letter | Neighbour::Mark, Neighbour::Letter) => true,
                (Neighbour::Emoji, Neighbour::Emoji) => c == '\u{200D}',
                _ => false,
            },
            '\u{FE0F}' => before == Neighbour::Emoji || next == KEYCAP,
            c => !c.is_control() && !is_invisible(c),
        };
        if !is_seen {
            return false;
        }
        // The selector belongs to the emoji before it.
        if c != '\u{FE0F}' {
            before = Neighbour::of(c);
        }
    }
    name.chars().any(char::is_alphanumeric)
}

/// U+20E3 combines with a digit and the selector into a keycap emoji.
const KEYCAP: char = '\u{20E3}';

/// What may be next to a joiner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Neighbour {
    /// A letter of a script in which a joiner changes the shape of its neighbours; it never does in Latin,
    /// Greek or Cyrillic.
    Letter,
    /// A combining mark of such a script, such as the virama.
    Mark,
    Emoji,
    Other,
}

impl Neighbour {
    fn of(c: char) -> Self {
        match c {
            c if is_invisible(c) => Self::Other,
            c if c.is_alphabetic() && c >= '\u{0530}' => Self::Letter,
            '\u{0900}'..='\u{1CFF}' if !c.is_alphanumeric() => Self::Mark,
            KEYCAP | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{25A0}'..='\u{27BF}' => {
                Self::Emoji
            }
            '\u{2B00}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}' | '\u{1F000}'..='\u{1FAFF}' => Self::Emoji,
            '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{3297}'
            | '\u{3299}' => Self::Emoji,
            _ => Self::Other,
        }
    }
}

/// `Default_Ignorable_Code_Point`, and other characters that are line breaks or that fonts show as a blank.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        | '\u{2028}' | '\u{2029}' | '\u{2800}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ft_16_a_name_is_one_that_a_person_can_see() {
        for good in [
            "Notes",
            "7",
            "Notes (beta)",
            "żółw 🐢",
            "می\u{200C}خواهم",
            "क्\u{200D}ष",
            "Family 👩\u{200D}👩\u{200D}👧",
            "Love ❤\u{FE0F}",
            "👩\u{200D}❤\u{FE0F}\u{200D}👨 Chat",
            "1\u{FE0F}\u{20E3} Password",
            "שלום",
            "名前",
        ] {
            assert!(is_readable_name(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "---",
            "🐢",
            "\u{3164}",
            "\u{2800}",
            "\u{FFA0}",
            "\u{00AD}",
            "\u{034F}",
            "\u{FE0F}",
            "\u{FFF9}",
            "No\u{00AD}tes",
            "Notes\u{3164}",
            "Notes\u{FE0F}",
            "Goo\u{200D}gle",
            "1\u{200D}2",
            "Goo\u{200C}gle",
            "\u{200D}Notes",
            "Notes\u{200D}",
            "می\u{200C}",
            "Bank\u{202E}knaB",
            "Two\nlines",
            "Two\u{2028}lines",
            "tag\u{E0041}",
        ] {
            assert!(!is_readable_name(bad), "{bad:?}");
        }
    }
}
