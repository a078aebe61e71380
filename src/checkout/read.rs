//! The process that reads a release out of the application's repository, and looks after the one
//! that writes it.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::error::CheckoutError;
use super::order::{CheckoutOrder, CheckoutStep, STEP_COMMAND, StepOrder};
use super::progress::Progress;
use super::stream::send;
use crate::git::{self, BaseTree, ExportItem, ReleaseTree};
use crate::sys::file::widen_pipe;
use crate::sys::poll::wait_until_readable;
use crate::sys::user::User;
use crate::text;

/// The program of every step: this one, even if its file was replaced meanwhile.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// How much is sent at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// The longest answer of the writer, in bytes.
const ANSWER_MAX: u64 = 4096;

/// How the answer of a writer begins that waits for files. The revision of a release of which it
/// has everything comes next, and the id of its tree; nothing: there is none.
pub(super) const SEND: &str = "send";

/// How an answer begins that names files which the writer could not take from the base, by their
/// numbers. When all of them are named, it waits for them.
pub(super) const NEEDS: &str = "needs ";

/// What the writer answers when the base is not what its list says.
pub(super) const BASE_CHANGED: &str = "changed";

/// How the answer of a writer begins that failed.
pub(super) const ERROR: &str = "error: ";

/// Exports the release of an order, and returns what the writer has said at the end: what it did,
/// and the name of the folder. The writer runs as the user whom the folder belongs to. `say` gets
/// told how far a long export is.
///
/// # Errors
/// The repository can't be read, or the release can't be written.
pub fn export(order: &CheckoutOrder, say: &mut dyn FnMut(&str)) -> Result<String, CheckoutError> {
    match export_once(order, say) {
        Err(CheckoutError::BaseChanged) => {
            let order = CheckoutOrder {
                is_alone: true,
                ..order.clone()
            };
            export_once(&order, say)
        }
        exported => exported,
    }
}

fn export_once(order: &CheckoutOrder, say: &mut dyn FnMut(&str)) -> Result<String, CheckoutError> {
    let mut writer = Writer::start(order)?;
    let line = order.line().map_err(CheckoutError::Order)?;
    writer.send(|input| input.write_all(line.as_bytes()))?;
    writer.send(BufWriter::flush)?;

    let answer = writer.answer()?;
    let Some(base) = answer.strip_prefix(SEND) else {
        return writer.end(answer);
    };
    let repository = order.repository.as_ref();
    let repository = git::open_application(repository.ok_or(CheckoutError::NoRepository)?)?;
    let subdirectory = order.subdirectory.as_deref();
    let mut tree = ReleaseTree::open(&repository, &order.revision, subdirectory, order.rules)?;

    let base = base_of(order, base, &tree);
    let mut progress = Progress::of(tree.files);
    tree.export(base, |item| send_one(item, &mut writer, &mut progress, say))?;
    writer.send(BufWriter::flush)?;
    progress.end(|time| writer.answers_within(time), say);

    let mut needed = Vec::new();
    let mut answer = writer.answer()?;
    while let Some(numbers) = answer.strip_prefix(NEEDS) {
        for number in numbers.split(' ') {
            let number = number.parse::<u64>().ok();
            let number = number.filter(|_| (needed.len() as u64) < tree.files);
            let unknown = || CheckoutError::Gone("writer", text::escape(&answer, 100));
            needed.push(number.ok_or_else(unknown)?);
        }
        answer = writer.answer()?;
    }
    if answer == SEND {
        progress.again(needed.len() as u64);
        tree.export_some(&needed, |item| {
            send_one(item, &mut writer, &mut progress, say)
        })?;
        writer.send(BufWriter::flush)?;
        progress.end(|time| writer.answers_within(time), say);
        answer = writer.answer()?;
    }
    writer.end(answer)
}

/// The tree of which the writer says that it has everything: the revision of a release, and the id
/// of its tree. It is only believed of a revision that was deployed: the writer's user is not to
/// find out what else is in the repository.
fn base_of(order: &CheckoutOrder, said: &str, tree: &ReleaseTree<'_>) -> Option<BaseTree> {
    let (revision, id) = said.trim_start().split_once(' ')?;
    let mut succeeded = order.succeeded.iter().map(|(revision, _)| revision);
    tree.base(succeeded.find(|known| known.as_str() == revision)?, id)
}

fn send_one(
    item: ExportItem<'_>,
    writer: &mut Writer,
    progress: &mut Progress,
    say: &mut dyn FnMut(&str),
) -> Result<(), CheckoutError> {
    writer.send(|input| send(item, input))?;
    let (files, bytes) = size(item);
    progress.add(files, bytes, say);
    Ok(())
}

/// How many files and bytes an item has.
fn size(item: ExportItem<'_>) -> (u64, u64) {
    match item {
        ExportItem::SameFolder { inside, .. } => (inside.files, 0),
        ExportItem::File { content, .. } => (1, content.len() as u64),
        ExportItem::Piece(content) => (0, content.len() as u64),
        ExportItem::SameFile { .. } | ExportItem::Link { .. } => (1, 0),
        ExportItem::Root { .. }
        | ExportItem::Folder { .. }
        | ExportItem::ChangedFolder { .. }
        | ExportItem::Up
        | ExportItem::End => (0, 0),
    }
}

/// The process that writes. When this is dropped, the process gets no more files and is waited for.
struct Writer {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Writer {
    fn start(order: &CheckoutOrder) -> Result<Self, CheckoutError> {
        let mut command = Command::new(OWN_PROGRAM);
        command
            .args([STEP_COMMAND, CheckoutStep::Write.as_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let user = order.user.as_deref().map(User::find).transpose();
        let user = user.map_err(CheckoutError::Start)?;
        if let Some(user) = user.filter(|user| !user.is_current()) {
            let credentials = user.credentials().map_err(CheckoutError::Start)?;
            credentials.run(&mut command);
        }

        let mut child = command.spawn().map_err(CheckoutError::Start)?;
        let missing = || CheckoutError::Start(io::ErrorKind::BrokenPipe.into());
        let input = child.stdin.take().ok_or_else(missing)?;
        widen_pipe(&input);
        let answers = child.stdout.take().ok_or_else(missing)?;
        Ok(Self {
            child,
            input: Some(BufWriter::with_capacity(CHUNK, input)),
            answers: BufReader::new(answers),
        })
    }

    /// Sends something. Where that fails, the writer says why, and gets no more: one that still
    /// lives would wait for the rest, while this waits for what it says.
    fn send(
        &mut self,
        work: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()>,
    ) -> Result<(), CheckoutError> {
        let sent = match self.input.as_mut() {
            Some(input) => work(input),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let Err(error) = sent else { return Ok(()) };
        self.input = None;
        self.answer()?;
        Err(CheckoutError::Gone("writer", error.to_string()))
    }

    /// Whether the writer says something within a time, or ends. `true` where the kernel can't
    /// tell: then it is only waited for.
    fn answers_within(&self, time: Duration) -> bool {
        let answers = self.answers.get_ref().as_fd();
        !self.answers.buffer().is_empty() || wait_until_readable(&[answers], time).unwrap_or(true)
    }

    /// What the writer says next.
    fn answer(&mut self) -> Result<String, CheckoutError> {
        let mut line = Vec::new();
        let read = (&mut self.answers)
            .take(ANSWER_MAX)
            .read_until(b'\n', &mut line);
        let line = text::decode(line.trim_ascii_end(), line.len());
        match line.strip_prefix(ERROR) {
            Some(error) => Err(CheckoutError::Writer(error.to_owned())),
            None if line == BASE_CHANGED => Err(CheckoutError::BaseChanged),
            None if read.is_err() || line.is_empty() => Err(self.gone()),
            None => Ok(line),
        }
    }

    /// Waits for the end of the writer, which said `answer` last.
    fn end(mut self, answer: String) -> Result<String, CheckoutError> {
        self.input = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(answer),
            _ => Err(self.gone()),
        }
    }

    /// The error of a writer that ended without a word.
    fn gone(&mut self) -> CheckoutError {
        self.input = None;
        let end = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        CheckoutError::Gone("writer", end)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without more input it ends, and first removes what it has not completed.
        self.input = None;
        let _ = self.child.wait();
    }
}
