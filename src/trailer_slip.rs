//! Lines that somebody may have meant to be a trailer `Deploy-…`, and that are spelt otherwise.
//! Pure.

use crate::text;

/// How much of a line is looked at, in characters.
const LOOKED_AT_MAX: usize = 40;

/// How many letters of a name can be wrong, missing, too many or swapped.
const LETTERS_MAX: usize = 2;

/// What people write between a name and its value. Only the first of these makes a trailer.
const SIGNS: [char; 4] = [':', '：', '=', ';'];

/// The beginning of a line that is not spelt like a trailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailerSlip<'n> {
    /// How it is written, escaped.
    pub written: String,
    /// The name that was probably meant, without `deploy-`.
    pub meant: &'n str,
}

/// The trailer that somebody may have meant with a line. `names` are the names of trailers, in
/// lower case and without `deploy-`. `None`: the line resembles none of them.
///
/// These are slips: wrong letters, other signs between the words or none (`Deploy_Rollback`), more
/// words behind the name, no colon, another sign for the colon, and no `Deploy-` in front.
#[must_use]
pub fn trailer_slip<'n>(line: &[u8], names: &[&'n str]) -> Option<TrailerSlip<'n>> {
    let bytes = &line[..line.len().min(4 * LOOKED_AT_MAX)];
    let start = text::decode(bytes, LOOKED_AT_MAX);
    let before_sign = start.split_once(SIGNS).map(|(name, _)| name);

    let name = before_sign.map(|name| (name, letters(name)));
    let name = name.and_then(|(name, letters)| {
        let is_meant = |known: &&&str| letters == **known || resembles(&letters, known);
        Some((name, names.iter().find(is_meant)?))
    });
    // Without a sign the first word is the name, unless it is the name of a file.
    let word = || {
        let word = before_sign.unwrap_or(&start).split_whitespace().next()?;
        let letters = letters(word);
        let mut known = names.iter().filter(|known| resembles(&letters, known));
        let meant = known.next()?;
        (!word.contains(['.', '/'])).then_some((word, meant))
    };

    let (written, meant) = name.or_else(word)?;
    let written = text::escape(written.trim(), LOOKED_AT_MAX);
    Some(TrailerSlip { written, meant })
}

/// The letters and digits of a name, in lower case.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether some letters are most probably meant to be those of `Deploy-<name>`.
fn resembles(letters: &str, name: &str) -> bool {
    let rest = letters.strip_prefix("deployment");
    let letters = rest.map_or_else(|| letters.to_owned(), |rest| format!("deploy{rest}"));
    let whole = format!("deploy{name}");
    // What differs more in its length needs no closer look.
    let is_near = letters.chars().count().abs_diff(whole.len()) <= LETTERS_MAX
        && strsim::osa_distance(&letters, &whole) <= LETTERS_MAX;
    is_near || letters.starts_with(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["rollback", "release", "override", "alone"];

    fn slip(line: &str) -> Option<(String, &'static str)> {
        let slip = trailer_slip(line.as_bytes(), &NAMES)?;
        Some((slip.written, slip.meant))
    }

    #[test]
    fn slip_of_a_trailer_shows_what_was_meant() {
        let table = [
            ("Deploy-Rolback: why", "Deploy-Rolback", "rollback"),
            ("Deploy-Rollbcak: why", "Deploy-Rollbcak", "rollback"),
            ("Depoly-Rollback: why", "Depoly-Rollback", "rollback"),
            ("Deploy-Roll-Back: why", "Deploy-Roll-Back", "rollback"),
            ("Deploy-Rollbacks: why", "Deploy-Rollbacks", "rollback"),
            (
                "Deploy-Rollback-Reason: why",
                "Deploy-Rollback-Reason",
                "rollback",
            ),
            ("Deploy_Rollback: why", "Deploy_Rollback", "rollback"),
            ("Deploy Rollback: why", "Deploy Rollback", "rollback"),
            ("DeployRollback: why", "DeployRollback", "rollback"),
            (
                "Deploy\u{2010}Rollback: why",
                "Deploy\u{2010}Rollback",
                "rollback",
            ),
            (
                "Deployment-Rollback: why",
                "Deployment-Rollback",
                "rollback",
            ),
            (
                "\u{feff}Deploy-Rollback: why",
                "\\u{feff}Deploy-Rollback",
                "rollback",
            ),
            ("1. Deploy-Rollback: why", "1. Deploy-Rollback", "rollback"),
            ("Rollback: why", "Rollback", "rollback"),
            ("deploy-rollback why", "deploy-rollback", "rollback"),
            (
                "Deploy-Rollback why: this",
                "Deploy-Rollback why",
                "rollback",
            ),
            ("Deploy-Rollback", "Deploy-Rollback", "rollback"),
            ("Deploy-Rollback - why", "Deploy-Rollback", "rollback"),
            ("Deploy-Rollback = why", "Deploy-Rollback", "rollback"),
            ("Deploy-Rollback：why", "Deploy-Rollback", "rollback"),
            ("deploy-rolback why", "deploy-rolback", "rollback"),
            ("Deploy-Overide: why", "Deploy-Overide", "override"),
            ("Deploy-Realease: why", "Deploy-Realease", "release"),
            ("Deploy-Alon: why", "Deploy-Alon", "alone"),
        ];
        for (line, written, meant) in table {
            assert_eq!(slip(line), Some((written.to_owned(), meant)), "{line}");
        }
    }

    #[test]
    fn other_line_resembles_no_trailer() {
        for line in [
            "",
            ":",
            "Deploy the old endpoint again",
            "Deploy rollback because of the alarms",
            "Deploy-Freeze: why",
            "Deploy: why",
            "See Deploy-Rollback: why",
            "run Deploy-Rollback",
            "deploy-release.sh has failed",
            "The rollback: it was too late",
            "Reviewed-by: A <a>",
        ] {
            assert_eq!(slip(line), None, "{line}");
        }
        assert_eq!(slip(&"x".repeat(1_000_000)), None);
        assert_eq!(trailer_slip(b"\xff\xff", &NAMES), None);
    }
}
