//! The process of one step of a checkout, which a runner starts.

use std::io::{self, BufReader};

use super::error::Error;
use super::exit::Exit;
use super::output::{Output, complain};
use crate::checkout::{self, CheckoutError, CheckoutOrder, CheckoutStep};
use crate::text;

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Carries out a step. On standard output it says what it did, or what went wrong.
pub(super) fn step(step: CheckoutStep) -> Result<Exit, Error> {
    let output = Output::new();
    let mut input = BufReader::with_capacity(CHUNK, io::stdin().lock());
    let mut say = |line: &str| complain(line, None);

    if step == CheckoutStep::Write {
        let mut answer = |line: &str| match output.line(line) {
            Err(Error::Output(error)) => Err(error),
            _ => Ok(()),
        };
        let is_written = checkout::write(&mut input, &mut answer, &mut say);
        return Ok(Exit::of(is_written.map_err(Error::Output)?));
    }

    let order = CheckoutOrder::read(input).map_err(CheckoutError::Order);
    let done = order.and_then(|order| match step {
        CheckoutStep::Export | CheckoutStep::Write => checkout::export(&order, &mut say),
        CheckoutStep::MakeCurrent => {
            checkout::make_current(&order, &mut say).map(|()| String::new())
        }
        CheckoutStep::GoBack => checkout::go_back(&order, &mut say).map(|came| came.to_string()),
        CheckoutStep::Prune => checkout::prune(&order, &mut say).map(|()| String::new()),
    });
    match done {
        Ok(done) => output.line(&done).map(|()| Exit::Done),
        Err(error) => {
            output.line(&text::escape(error.to_string(), 2000))?;
            Ok(if error.may_pass() {
                Exit::State
            } else {
                Exit::Refused
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runner_knows_the_exit_code_of_what_may_pass() {
        assert_eq!(Exit::State as i32, checkout::TRY_AGAIN);
    }
}
