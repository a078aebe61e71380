//! The files of a release on their way from the process that reads them to the one that writes.
//!
//! Each item is a letter, the length of its name in 2 bytes, a number in 8 bytes, the name, and the
//! content. The number is the length of the content; for a folder that is the same in the base, it
//! is how many files and folders are below it.

use std::io::{self, BufRead, Read, Write};

use crate::git::ExportItem;

/// How long the target of a link may be, in bytes (`PATH_MAX`, symlink(2)).
const TARGET_MAX: u64 = 4096;

/// The beginning of an item. Its content comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: HeadKind,
    /// One part of a path; the id of the tree for [`HeadKind::Root`].
    pub(super) name: Vec<u8>,
    pub(super) number: u64,
}

/// What an item is; see [`ExportItem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadKind {
    Root,
    Folder,
    ChangedFolder,
    SameFolder,
    Up,
    File,
    Executable,
    SameFile,
    SameExecutable,
    Link,
    End,
}

impl HeadKind {
    /// Whether it is a file that may be executed.
    pub(super) fn is_executable(self) -> bool {
        matches!(self, Self::Executable | Self::SameExecutable)
    }

    /// Whether its name is one of something in a folder.
    fn has_name(self) -> bool {
        !matches!(self, Self::Root | Self::Up | Self::End)
    }
}

const LETTERS: [(HeadKind, u8); 11] = [
    (HeadKind::Root, b'r'),
    (HeadKind::Folder, b'd'),
    (HeadKind::ChangedFolder, b'c'),
    (HeadKind::SameFolder, b's'),
    (HeadKind::Up, b'u'),
    (HeadKind::File, b'f'),
    (HeadKind::Executable, b'x'),
    (HeadKind::SameFile, b'k'),
    (HeadKind::SameExecutable, b'y'),
    (HeadKind::Link, b'l'),
    (HeadKind::End, b'e'),
];

/// Writes an item.
///
/// # Errors
/// The receiver is gone, or the name is too long.
pub(super) fn send(item: ExportItem<'_>, out: &mut impl Write) -> io::Result<()> {
    let nothing: &[u8] = &[];
    let (kind, name, number, content) = match item {
        ExportItem::Piece(content) => return out.write_all(content),
        ExportItem::Root { tree } => (HeadKind::Root, tree.as_bytes(), 0, nothing),
        ExportItem::Folder { name } => (HeadKind::Folder, name, 0, nothing),
        ExportItem::ChangedFolder { name } => (HeadKind::ChangedFolder, name, 0, nothing),
        ExportItem::SameFolder { name, inside } => {
            (HeadKind::SameFolder, name, inside.entries, nothing)
        }
        ExportItem::Up => (HeadKind::Up, nothing, 0, nothing),
        ExportItem::File {
            name,
            is_executable,
            size,
            content,
        } => match is_executable {
            true => (HeadKind::Executable, name, size, content),
            false => (HeadKind::File, name, size, content),
        },
        ExportItem::SameFile {
            name,
            is_executable,
        } => match is_executable {
            true => (HeadKind::SameExecutable, name, 0, nothing),
            false => (HeadKind::SameFile, name, 0, nothing),
        },
        ExportItem::Link { name, target } => (HeadKind::Link, name, target.len() as u64, target),
        ExportItem::End => (HeadKind::End, nothing, 0, nothing),
    };

    let letter = LETTERS.iter().find(|(known, _)| *known == kind);
    let letter = letter.map_or(b'?', |(_, letter)| *letter);
    let length = u16::try_from(name.len()).map_err(io::Error::other)?;
    out.write_all(&[letter])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&number.to_le_bytes())?;
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
    let [letter, name_0, name_1, number @ ..] = start;

    let known = LETTERS.iter().find(|(_, known)| *known == letter);
    let (kind, _) = *known.ok_or(io::ErrorKind::InvalidData)?;
    let mut name = vec![0; usize::from(u16::from_le_bytes([name_0, name_1]))];
    input.read_exact(&mut name)?;
    if kind.has_name() && !is_one_part(&name) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Head {
        kind,
        name,
        number: u64::from_le_bytes(number),
    })
}

/// Whether a name is one part of a path, and no way up.
fn is_one_part(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/')
}

/// Reads where a symbolic link leads. `length` is the number of the item.
///
/// # Errors
/// The sender is gone, or no link can lead there.
pub(super) fn receive_target(input: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    if length > TARGET_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut target = Vec::new();
    input.take(length).read_to_end(&mut target)?;
    if (target.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(target)
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
    use crate::git::Inside;

    #[test]
    fn items_arrive_as_they_were_sent() {
        let content = vec![b'x'; 100_000];
        let file = |is_executable| ExportItem::File {
            name: b"a\n\xff",
            is_executable,
            size: content.len() as u64,
            content: &content,
        };
        let same = |is_executable| ExportItem::SameFile {
            name: b"same",
            is_executable,
        };
        let link = ExportItem::Link {
            name: b"l",
            target: b"../x",
        };
        let inside = Inside {
            entries: 3,
            files: 2,
            contents: 1,
        };
        let name: &[u8] = b"folder";
        let sent: [(ExportItem<'_>, HeadKind, &[u8], u64); 11] = [
            (ExportItem::Root { tree: "0f" }, HeadKind::Root, b"0f", 0),
            (ExportItem::Folder { name }, HeadKind::Folder, name, 0),
            (
                ExportItem::ChangedFolder { name },
                HeadKind::ChangedFolder,
                name,
                0,
            ),
            (
                ExportItem::SameFolder { name, inside },
                HeadKind::SameFolder,
                name,
                3,
            ),
            (file(false), HeadKind::File, b"a\n\xff", 100_000),
            (file(true), HeadKind::Executable, b"a\n\xff", 100_000),
            (same(false), HeadKind::SameFile, b"same", 0),
            (same(true), HeadKind::SameExecutable, b"same", 0),
            (link, HeadKind::Link, b"l", 4),
            (ExportItem::Up, HeadKind::Up, b"", 0),
            (ExportItem::End, HeadKind::End, b"", 0),
        ];
        let mut pipe = Vec::new();
        for (item, ..) in &sent {
            send(*item, &mut pipe).unwrap();
        }

        let mut input = io::BufReader::with_capacity(1000, pipe.as_slice());
        for (item, kind, name, number) in sent {
            let head = receive(&mut input).unwrap();
            let received = (head.kind, head.name.as_slice(), head.number);
            assert_eq!(received, (kind, name, number), "{item:?}");
            match kind {
                HeadKind::Link => {
                    assert_eq!(receive_target(&mut input, number).unwrap(), b"../x");
                }
                HeadKind::File | HeadKind::Executable => {
                    let mut received = Vec::new();
                    copy(&mut input, number, &mut received).unwrap().unwrap();
                    assert_eq!(received, content);
                }
                _ => {}
            }
        }
        receive(&mut input).unwrap_err();
    }

    #[test]
    fn name_that_leads_out_of_its_folder_is_an_error() {
        for name in ["", ".", "..", "a/b", "/"] {
            let name = name.as_bytes();
            for item in [
                ExportItem::Folder { name },
                ExportItem::Link { name, target: b"x" },
                ExportItem::SameFile {
                    name,
                    is_executable: false,
                },
            ] {
                let mut pipe = Vec::new();
                send(item, &mut pipe).unwrap();
                let error = receive(&mut pipe.as_slice()).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{item:?}");
            }
        }
    }

    #[test]
    fn content_that_is_sent_in_pieces_arrives_as_one() {
        let file = ExportItem::File {
            name: b"large",
            is_executable: false,
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
        copy(&mut input, head.number, &mut received)
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
            size: 7,
            content: b"content",
        };
        send(file, &mut pipe).unwrap();
        for length in 0..pipe.len() {
            let mut input = &pipe[..length];
            let result =
                receive(&mut input).and_then(|head| copy(&mut input, head.number, &mut Vec::new()));
            assert!(result.is_err(), "{length} bytes");
        }
        receive(&mut [b'?'; 11].as_slice()).unwrap_err();
    }
}
