//! The process of one step of a checkout, which a runner starts.

use std::io::{self, BufReader};

use super::error::Error;
use super::exit::Exit;
use super::output::{Output, complain};
use crate::checkout::{self, CheckoutError, CheckoutOrder, CheckoutStep, FetchOrder};
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

    let done = if step == CheckoutStep::Fetch {
        let order = FetchOrder::read(input).map_err(CheckoutError::Order);
        // The runner decides what a failure means.
        order.map(|order| {
            order
                .fetch(&mut say)
                .map_or_else(|why| why.to_string(), |()| String::new())
        })
    } else {
        let order = CheckoutOrder::read(input).map_err(CheckoutError::Order);
        order.and_then(|order| of_checkout(step, &order, &mut say))
    };
    match done {
        Ok(done) => output.line(&text::escape(done, 2000)).map(|()| Exit::Done),
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

/// Carries out a step of a checkout, and returns what it says.
fn of_checkout(
    step: CheckoutStep,
    order: &CheckoutOrder,
    say: &mut dyn FnMut(&str),
) -> Result<String, CheckoutError> {
    match step {
        CheckoutStep::MakeCurrent => checkout::make_current(order, say).map(|()| String::new()),
        CheckoutStep::GoBack => checkout::go_back(order, say).map(|came| came.to_string()),
        CheckoutStep::Prune => checkout::prune(order, say).map(|()| String::new()),
        CheckoutStep::Fetch | CheckoutStep::Export | CheckoutStep::Write => {
            checkout::export(order, say)
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
