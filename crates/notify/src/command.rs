//! Telling a program: it gets the event's JSON on its standard input.

use std::process::Command;
use std::time::Duration;

use deploy_by_code::publish::Told;
use deploy_by_code::report::{EventRow, to_json};
use deploy_by_code::sys::file::in_memory;
use deploy_by_code::sys::output::output_of_input;
use deploy_by_code::sys::surroundings::PATH;
use deploy_by_code::text::decode;

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How much it may write, in bytes.
const OUTPUT_MAX: usize = 64 * 1024;

/// How much of a line is kept, in characters.
const KEPT_MAX: usize = 200;

/// Runs the program. It took the event if it ends with exit status 0.
pub(crate) fn send(argv: &[String], row: &EventRow) -> Told {
    let Some((program, arguments)) = argv.split_first() else {
        return Told::Refused("no program is named".to_owned());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .current_dir("/");

    let json = format!("{}\n", to_json(row));
    let output = match in_memory(json.as_bytes()) {
        Ok(input) => output_of_input(command, input, LIMIT, OUTPUT_MAX),
        Err(error) => return Told::Later(format!("{program}: no input: {error}")),
    };
    match output {
        Ok(output) if output.status.success() => Told::Delivered(last_line(&output.stdout)),
        Ok(output) => {
            let mut why = format!("{program}: {}", output.status);
            let said = last_line(&output.stderr);
            if !said.is_empty() {
                why.push_str(&format!(": {said}"));
            }
            Told::Later(why)
        }
        Err(error) => Told::Later(format!("{program}: {error}")),
    }
}

/// The last line of an output that says something.
fn last_line(output: &[u8]) -> String {
    let mut lines = output.rsplit(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !line.is_empty());
    decode(line.unwrap_or_default(), KEPT_MAX)
}
