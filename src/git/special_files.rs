//! Files whose content decides whether a revision can be checked out: pointers of Git LFS, and
//! symbolic links.

use gix::hash::oid;
use gix::objs::Kind;

use super::error::Error;
use super::repository::Repository;

/// How many bytes a path in a release may have, and the target of a link: no program can use longer
/// ones (`PATH_MAX`, path_resolution(7)).
pub(super) const PATH_MAX: usize = 4095;

/// The name of the files that say which filter keeps the content of others (gitattributes(5)).
pub(super) const ATTRIBUTES: &[u8] = b".gitattributes";

/// How much of such a file is read, in bytes. A larger one may say anything.
const ATTRIBUTES_MAX: u64 = 1024 * 1024;

/// How the pointer begins that Git LFS puts in the place of a file (git-lfs, docs/spec.md).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// How large such a pointer may be, in bytes (the same).
const LFS_POINTER_MAX: u64 = 1024;

/// Whether a file is a pointer of Git LFS.
pub(super) fn is_lfs_pointer(content: &[u8]) -> bool {
    content.len() as u64 <= LFS_POINTER_MAX && content.starts_with(LFS_POINTER)
}

/// Whether a symbolic link can have this target.
pub(super) fn is_link_target(content: &[u8]) -> bool {
    !content.is_empty() && content.len() <= PATH_MAX && !content.contains(&0)
}

/// Whether attributes name the filter of Git LFS for some files.
fn names_lfs(attributes: &[u8]) -> bool {
    let mut lines = attributes
        .split(|b| *b == b'\n')
        .filter(|line| !line.trim_ascii_start().starts_with(b"#"));
    lines.any(|line| {
        let mut words = line.split(u8::is_ascii_whitespace);
        words.any(|word| word == b"filter=lfs")
    })
}

impl Repository {
    /// Whether a file of attributes says that Git LFS may keep files.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn may_use_lfs(&self, attributes: &oid) -> Result<bool, Error> {
        if self.size(attributes)? > ATTRIBUTES_MAX {
            return Ok(true);
        }
        let mut buffer = Vec::new();
        Ok(names_lfs(self.find(attributes, Kind::Blob, &mut buffer)?))
    }

    /// Whether a file is a pointer of Git LFS. Large files are not read.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn has_lfs_pointer(&self, file: &oid) -> Result<bool, Error> {
        let size = self.size(file)?;
        if size > LFS_POINTER_MAX || size < LFS_POINTER.len() as u64 {
            return Ok(false);
        }
        let mut buffer = Vec::new();
        Ok(is_lfs_pointer(self.find(file, Kind::Blob, &mut buffer)?))
    }

    /// Whether a symbolic link has a target that it can have. A longer one is not read.
    ///
    /// # Errors
    /// The link can't be read.
    pub(super) fn has_link_target(&self, link: &oid) -> Result<bool, Error> {
        if self.size(link)? > PATH_MAX as u64 {
            return Ok(false);
        }
        let mut buffer = Vec::new();
        Ok(is_link_target(self.find(link, Kind::Blob, &mut buffer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_of_lfs_is_found_in_attributes() {
        let table: &[(&[u8], bool)] = &[
            (b"*.png filter=lfs diff=lfs merge=lfs -text\n", true),
            (b"# comment\n\"a b\"\tfilter=lfs", true),
            (b"[attr]large -text filter=lfs\r\n", true),
            (b"*.png\tfilter=lfs\r\n", true),
            (b"# *.png filter=lfs\n", false),
            (b"*.png filter=lfsx\n*.c filter=indent\n", false),
            (b"*.png -filter diff=lfs\n", false),
            (b"", false),
        ];
        for (attributes, expected) in table {
            assert_eq!(names_lfs(attributes), *expected, "{attributes:?}");
        }
    }

    #[test]
    fn pointer_is_known_by_its_beginning_and_its_size() {
        let rest = b"oid sha256:0\nsize 5\n".as_slice();
        let long = vec![b'x'; 1024];
        let table: [(&[&[u8]], bool); 4] = [
            (&[LFS_POINTER, rest], true),
            (&[LFS_POINTER], true),
            (&[b"# ", LFS_POINTER, rest], false),
            (&[LFS_POINTER, &long], false),
        ];
        for (parts, expected) in table {
            assert_eq!(is_lfs_pointer(&parts.concat()), expected, "{parts:?}");
        }
    }

    #[test]
    fn target_of_a_link_is_a_path() {
        let (longest, longer) = (vec![b'x'; 4095], vec![b'x'; 4096]);
        let table: [(&[u8], bool); 6] = [
            (b"/etc/passwd", true),
            (b"\xff\n", true),
            (&longest, true),
            (&longer, false),
            (b"", false),
            (b"a\0b", false),
        ];
        for (target, expected) in table {
            assert_eq!(is_link_target(target), expected, "{} bytes", target.len());
        }
    }
}
