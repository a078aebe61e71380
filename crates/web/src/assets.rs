//! The files of the page itself, which are parts of the program.

use crate::reply::{Reply, TextKind};

/// A file of the page itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asset {
    /// How it looks.
    Style,
    /// What it does in the browser.
    Script,
    /// Its picture.
    Icon,
}

/// The file.
pub(crate) fn reply(asset: Asset) -> Reply {
    let (kind, text) = match asset {
        Asset::Style => (TextKind::Css, include_str!("../assets/style.css")),
        Asset::Script => (TextKind::Script, include_str!("../assets/script.js")),
        Asset::Icon => (TextKind::Svg, include_str!("../assets/icon.svg")),
    };
    Reply::asset(kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_small() {
        assert!(include_str!("../assets/style.css").len() < 20 * 1024);
        assert!(include_str!("../assets/script.js").len() < 10 * 1024);
        let _ = reply(Asset::Icon);
    }
}
