//! Check sums of what is written and read: they show that a disk has changed it, and not that
//! somebody has.

use std::io::{self, BufRead as _, BufReader, Read, Write};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Something that is written, of which the CRC-32 is made meanwhile.
pub(super) struct Summed<T> {
    inner: T,
    sum: crc32fast::Hasher,
    left: u64,
}

impl<T> Summed<T> {
    /// At most `most` bytes can be written.
    pub(super) fn new(inner: T, most: u64) -> Self {
        Self {
            inner,
            sum: crc32fast::Hasher::new(),
            left: most,
        }
    }

    /// What it is written to, and the check sum.
    pub(super) fn into_parts(self) -> (T, u32) {
        (self.inner, self.sum.finalize())
    }
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.inner.write_all(bytes)?;
        self.sum.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The CRC-32 of the next `length` bytes.
///
/// # Errors
/// They can't be read.
pub(super) fn sum_of(input: &mut impl Read, length: u64) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    let mut input = BufReader::with_capacity(CHUNK, input.take(length));
    loop {
        let bytes = input.fill_buf()?;
        let read = bytes.len();
        if read == 0 {
            return Ok(sum.finalize());
        }
        sum.update(bytes);
        input.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_has_the_sum_of_what_is_read() {
        let mut out = Summed::new(Vec::new(), 1_000_000);
        for part in [vec![b'x'; 600_000], vec![], vec![b'y'; 3]] {
            out.write_all(&part).unwrap();
        }
        let (written, sum) = out.into_parts();
        let mut input = written.as_slice();
        assert_eq!(sum_of(&mut input, 600_003).unwrap(), sum);
        assert!(input.is_empty());
        assert_ne!(sum_of(&mut written.as_slice(), 600_002).unwrap(), sum);
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(sum_of(&mut &b"123456789"[..], 9).unwrap(), 0xcbf4_3926);
    }

    #[test]
    fn too_much_is_not_written() {
        let mut out = Summed::new(Vec::new(), 3);
        out.write_all(b"abc").unwrap();
        let error = out.write_all(b"d").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(out.into_parts().0, b"abc");
    }
}
