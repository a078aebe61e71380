//! The end of a deployment's log.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use deploy_by_code::sys::open;
use deploy_by_code::text::push_output_line;

/// How many bytes of the end are read.
const BYTES_MAX: u64 = 16 * 1024;

/// How many lines are shown.
const LINES_MAX: usize = 30;

/// The last lines of a log, as they can be shown. Empty: there is none, or it can't be read.
pub(super) fn log_end(path: &Path) -> Vec<String> {
    read_end(path).map_or_else(|_| Vec::new(), |bytes| lines(&bytes))
}

fn read_end(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open::regular(open::without_following(path)?)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(BYTES_MAX)))?;

    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    // What stands before the first newline is the end of a line.
    if size > BYTES_MAX
        && let Some(newline) = bytes.iter().position(|byte| *byte == b'\n')
    {
        bytes.drain(..=newline);
    }
    Ok(bytes)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let mut text = String::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        push_output_line(&mut text, line);
        text.push('\n');
    }
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let first = lines.len().saturating_sub(LINES_MAX);
    let shown = lines.into_iter().skip(first);
    shown.map(|line| line.replace('\t', "  ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_are_shown_without_colours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        let many: String = (0..5000).map(|number| format!("line {number}\n")).collect();
        let table = [
            (String::new(), 0, ""),
            (
                "\x1b[31mred\x1b[0m \x1b]0;x\n".to_owned(),
                1,
                "red \\u{1b}]0;x",
            ),
            ("at\tColumn\n\n\n".to_owned(), 1, "at  Column"),
            (many, LINES_MAX, "line 4999"),
        ];
        for (content, count, last) in table {
            std::fs::write(&path, &content).unwrap();
            let lines = log_end(&path);
            assert_eq!(lines.len(), count);
            assert_eq!(lines.last().map_or("", |line| line), last);
        }
        assert!(log_end(&folder.path().join("missing")).is_empty());
    }
}
