//! The width of a terminal.
//!
//! Protocol: the kernel keeps it (ioctl(2), `TIOCGWINSZ`). It is asked each time, because a window
//! can be resized.
//!
//! It does not promise that there is a width: a serial line has none.

use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// How many characters a line of a terminal has; `None`: the output is no terminal, or the terminal
/// does not know.
#[must_use]
pub fn width(output: &impl AsFd) -> Option<usize> {
    // SAFETY: the structure has only numbers, for which zero is a value.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one winsize to the address, which is that of a winsize.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let answer =
        unsafe { libc::ioctl(output.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_has_no_width() {
        let (_reader, writer) = std::io::pipe().unwrap();
        assert_eq!(width(&writer), None);
    }
}
