//! The files of a release on their way from the process that reads them to the one that writes.
//!
//! Each item is a letter, the length of its name in 2 bytes, the length of its content in 8 bytes,
//! the name, the id of the content for a file, and the content.

use std::io::{self, BufRead, Write};

use crate::git::ExportItem;

/// The beginning of an item. Its content comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: HeadKind,
    pub(super) name: Vec<u8>,
    /// The id of a file's content; empty for everything else.
    pub(super) id: Vec<u8>,
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
    KnownFile,
    KnownExecutable,
    Link,
    End,
}

impl HeadKind {
    /// Whether it is a file that may be executed.
    pub(super) fn is_executable(self) -> bool {
        matches!(self, Self::Executable | Self::KnownExecutable)
    }

    fn has_id(self) -> bool {
        !matches!(self, Self::Folder | Self::Up | Self::Link | Self::End)
    }
}

const LETTERS: [(HeadKind, u8); 8] = [
    (HeadKind::Folder, b'd'),
    (HeadKind::Up, b'u'),
    (HeadKind::File, b'f'),
    (HeadKind::Executable, b'x'),
    (HeadKind::KnownFile, b'k'),
    (HeadKind::KnownExecutable, b'y'),
    (HeadKind::Link, b'l'),
    (HeadKind::End, b'e'),
];

/// Writes an item.
///
/// # Errors
/// The receiver is gone, or the name is too long.
pub(super) fn send(item: ExportItem<'_>, out: &mut impl Write) -> io::Result<()> {
    let nothing: &[u8] = &[];
    let (kind, name, id, size, content) = match item {
        ExportItem::Piece(content) => return out.write_all(content),
        ExportItem::Folder { name } => (HeadKind::Folder, name, nothing, 0, nothing),
        ExportItem::Up => (HeadKind::Up, nothing, nothing, 0, nothing),
        ExportItem::File {
            name,
            is_executable,
            id,
            size,
            content,
        } => match is_executable {
            true => (HeadKind::Executable, name, id, size, content),
            false => (HeadKind::File, name, id, size, content),
        },
        ExportItem::Known {
            name,
            is_executable,
            id,
        } => match is_executable {
            true => (HeadKind::KnownExecutable, name, id, 0, nothing),
            false => (HeadKind::KnownFile, name, id, 0, nothing),
        },
        ExportItem::Link { name, target } => {
            (HeadKind::Link, name, nothing, target.len() as u64, target)
        }
        ExportItem::End => (HeadKind::End, nothing, nothing, 0, nothing),
    };

    let letter = LETTERS.iter().find(|(known, _)| *known == kind);
    let letter = letter.map_or(b'?', |(_, letter)| *letter);
    let length = u16::try_from(name.len()).map_err(io::Error::other)?;
    out.write_all(&[letter])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&size.to_le_bytes())?;
    out.write_all(name)?;
    if kind.has_id() {
        out.write_all(&[u8::try_from(id.len()).map_err(io::Error::other)?])?;
        out.write_all(id)?;
    }
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
    let mut id = Vec::new();
    if kind.has_id() {
        let mut length = [0];
        input.read_exact(&mut length)?;
        id.resize(usize::from(length[0]), 0);
        input.read_exact(&mut id)?;
    }
    Ok(Head {
        kind: *kind,
        name,
        id,
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
            id: &[3; 20],
            size: content.len() as u64,
            content: &content,
        };
        let known = |is_executable| ExportItem::Known {
            name: b"known",
            is_executable,
            id: &[4; 32],
        };
        let link = ExportItem::Link {
            name: b"l",
            target: b"../x",
        };
        let folder = ExportItem::Folder { name: b"folder" };
        let sent: [(ExportItem<'_>, HeadKind, &[u8], &[u8]); 8] = [
            (folder, HeadKind::Folder, b"folder", b""),
            (file(false), HeadKind::File, b"a\n\xff", &content),
            (file(true), HeadKind::Executable, b"a\n\xff", &content),
            (known(false), HeadKind::KnownFile, b"known", b""),
            (known(true), HeadKind::KnownExecutable, b"known", b""),
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
            assert_eq!(
                head.id.len(),
                match item {
                    ExportItem::File { id, .. } | ExportItem::Known { id, .. } => id.len(),
                    _ => 0,
                }
            );
            let mut received = Vec::new();
            copy(&mut input, head.content, &mut received)
                .unwrap()
                .unwrap();
            assert_eq!(received, content);
        }
        receive(&mut input).unwrap_err();
    }

    #[test]
    fn content_that_is_sent_in_pieces_arrives_as_one() {
        let file = ExportItem::File {
            name: b"large",
            is_executable: false,
            id: &[3; 20],
            size: 6,
            content: b"",
        };
        let mut pipe = Vec::new();
        for item in [file, ExportItem::Piece(b"abc"), ExportItem::Piece(b"def")] {
            send(item, &mut pipe).unwrap();
        }
        let mut input = pipe.as_slice();
        let head = receive(&mut input).unwrap();
        let mut received = Vec::new();
        copy(&mut input, head.content, &mut received)
            .unwrap()
            .unwrap();
        assert_eq!(received, b"abcdef");
    }

    #[test]
    fn sender_that_is_cut_off_is_an_error() {
        let mut pipe = Vec::new();
        let file = ExportItem::File {
            name: b"file",
            is_executable: false,
            id: &[3; 20],
            size: 7,
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
