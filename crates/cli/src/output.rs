//! Stdout, whose failures are told apart from those of everything else.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
};

use crate::terminal::Escaped;

/// Where results go.
pub(crate) fn stdout() -> Escaped<Output<io::Stdout>> {
    Escaped(Output(io::stdout()))
}

/// Marks what fails here.
pub(crate) struct Output<W>(W);

/// The results could not be written.
#[derive(Debug)]
struct OutputError(io::Error);

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stdout cannot be written: {}", self.0)
    }
}

impl Error for OutputError {}

/// As a failure of stdout.
pub(crate) fn marked(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), OutputError(error))
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(marked)
    }
}

/// The failure of stdout among the causes of an error, if that is what it was.
pub(crate) fn failure(error: &anyhow::Error) -> Option<&io::Error> {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .find(|error| error.get_ref().is_some_and(|inner| inner.is::<OutputError>()))
}
