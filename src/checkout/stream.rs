//! The files of a release on their way from the process that reads them to the one that writes.
//!
//! Each item is a letter, the length of its name in 2 bytes, the length of its content in 8 bytes,
//! the name, and the content.

use std::io::{self, BufRead, Write};

use crate::git::ExportItem;

/// The beginning of an item. Its content comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: HeadKind,
    pub(super) name: Vec<u8>,
    /// In bytes.
    pub(super) content: u64,
}

/// What an item is; see [`ExportItem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadKind {
    Folder,
    Up,
    File,
    Executable,
    Link,
    End,
}

const LETTERS: [(HeadKind, u8); 6] = [
    (HeadKind::Folder, b'd'),
    (HeadKind::Up, b'u'),
    (HeadKind::File, b'f'),
    (HeadKind::Executable, b'x'),
    (HeadKind::Link, b'l'),
    (HeadKind::End, b'e'),
];

/// Writes an item.
///
/// # Errors
/// The receiver is gone, or the name is too long.
pub(super) fn send(item: ExportItem<'_>, out: &mut impl Write) -> io::Result<()> {
    let nothing: &[u8] = &[];
    let (kind, name, content) = match item {
        ExportItem::Folder { name } => (HeadKind::Folder, name, nothing),
        ExportItem::Up => (HeadKind::Up, nothing, nothing),
        ExportItem::File {
            name,
            is_executable: false,
            content,
        } => (HeadKind::File, name, content),
        ExportItem::File { name, content, .. } => (HeadKind::Executable, name, content),
        ExportItem::Link { name, target } => (HeadKind::Link, name, target),
        ExportItem::End => (HeadKind::End, nothing, nothing),
    };

    let letter = LETTERS.iter().find(|(known, _)| *known == kind);
    let letter = letter.map_or(b'?', |(_, letter)| *letter);
    let length = u16::try_from(name.len()).map_err(io::Error::other)?;
    out.write_all(&[letter])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&(content.len() as u64).to_le_bytes())?;
    out.write_all(name)?;
    out.write_all(content)
}

/// Reads the beginning of the next item.
///
/// # Errors
/// The sender is gone, or has sent something else.
pub(super) fn receive(input: &mut impl BufRead) -> io::Result<Head> {
    let mut start = [0; 11];
    input.read_exact(&mut start)?;
    let [letter, name_0, name_1, content @ ..] = start;

    let known = LETTERS.iter().find(|(_, known)| *known == letter);
    let (kind, _) = known.ok_or(io::ErrorKind::InvalidData)?;
    let mut name = vec![0; usize::from(u16::from_le_bytes([name_0, name_1]))];
    input.read_exact(&mut name)?;
    Ok(Head {
        kind: *kind,
        name,
        content: u64::from_le_bytes(content),
    })
}

/// Copies the content of an item.
///
/// # Errors
/// The outer error: the sender is gone. The inner one: the content can't be written.
pub(super) fn copy(
    input: &mut impl BufRead,
    mut left: u64,
    out: &mut impl Write,
) -> io::Result<io::Result<()>> {
    while left > 0 {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if let Err(error) = out.write_all(&buffer[..length]) {
            return Ok(Err(error));
        }
        input.consume(length);
        left -= length as u64;
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_arrive_as_they_were_sent() {
        let content = vec![b'x'; 100_000];
        let file = |is_executable| ExportItem::File {
            name: b"a\n\xff",
            is_executable,
            content: &content,
        };
        let link = ExportItem::Link {
            name: b"l",
            target: b"../x",
        };
        let folder = ExportItem::Folder { name: b"folder" };
        let sent: [(ExportItem<'_>, HeadKind, &[u8], &[u8]); 6] = [
            (folder, HeadKind::Folder, b"folder", b""),
            (file(false), HeadKind::File, b"a\n\xff", &content),
            (file(true), HeadKind::Executable, b"a\n\xff", &content),
            (link, HeadKind::Link, b"l", b"../x"),
            (ExportItem::Up, HeadKind::Up, b"", b""),
            (ExportItem::End, HeadKind::End, b"", b""),
        ];
        let mut pipe = Vec::new();
        for (item, ..) in &sent {
            send(*item, &mut pipe).unwrap();
        }

        let mut input = io::BufReader::with_capacity(1000, pipe.as_slice());
        for (item, kind, name, content) in sent {
            let head = receive(&mut input).unwrap();
            assert_eq!((head.kind, head.name.as_slice()), (kind, name), "{item:?}");
            let mut received = Vec::new();
            copy(&mut input, head.content, &mut received)
                .unwrap()
                .unwrap();
            assert_eq!(received, content);
        }
        receive(&mut input).unwrap_err();
    }

    #[test]
    fn sender_that_is_cut_off_is_an_error() {
        let mut pipe = Vec::new();
        let file = ExportItem::File {
            name: b"file",
            is_executable: false,
            content: b"content",
        };
        send(file, &mut pipe).unwrap();
        for length in 0..pipe.len() {
            let mut input = &pipe[..length];
            let result = receive(&mut input)
                .and_then(|head| copy(&mut input, head.content, &mut Vec::new()));
            assert!(result.is_err(), "{length} bytes");
        }
        receive(&mut [b'?'; 11].as_slice()).unwrap_err();
    }
}
