//! The files of the page itself, which are parts of the program.

use crate::reply::{Reply, TextKind};
use crate::route::Asset;

/// The file.
pub(crate) fn reply(asset: Asset) -> Reply {
    let (kind, text) = match asset {
        Asset::Style => (TextKind::Css, include_str!("../assets/style.css")),
        Asset::Script => (TextKind::Script, include_str!("../assets/script.js")),
        Asset::Icon => (TextKind::Svg, include_str!("../assets/icon.svg")),
    };
    Reply::ok(kind, text)
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
