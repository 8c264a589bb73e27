//! Who listens to a run, in a thread of its own: whoever reads nothing holds up the run, but not its end.

use std::{
    io::{self, ErrorKind},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use protocol::Event;

use crate::{output, say, signals};

/// Hears everything that a run says.
pub(crate) trait Listener {
    fn hear(&mut self, event: &Event) -> io::Result<()>;

    /// Tells a person what is no event of the run.
    fn warn(&mut self, text: &str) {
        say(text);
    }
}

/// What a listener is told.
enum Told {
    Event(Box<Event>),
    Warning(String),
}

/// A listener in a thread of its own. As long as the run goes on it is waited for; once the run is to end, no longer than
/// [`signals::PATIENCE`].
pub(crate) struct Threaded {
    tell: Sender<Told>,
    heard: Receiver<io::Result<()>>,
    /// It has not come back from what it was told last.
    is_stuck: bool,
}

impl Threaded {
    pub(crate) fn new(mut listener: impl Listener + Send + 'static) -> io::Result<Self> {
        let (tell, told) = channel();
        let (reply, heard) = channel();
        let listen = move || {
            for told in told {
                let result = match told {
                    Told::Event(event) => listener.hear(&event),
                    Told::Warning(text) => {
                        listener.warn(&text);
                        Ok(())
                    }
                };
                if reply.send(result).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("listener".into()).spawn(listen)?;
        Ok(Threaded { tell, heard, is_stuck: false })
    }

    fn tell(&mut self, told: Told) -> io::Result<()> {
        let gone = || io::Error::other("the listener has gone");
        let stuck = || output::marked(io::Error::new(ErrorKind::TimedOut, "nobody reads it"));
        if self.is_stuck {
            return Err(stuck()); // what it says of earlier things would be taken for this one's
        }
        self.tell.send(told).map_err(|_| gone())?;
        let mut patience = signals::PATIENCE;
        loop {
            const TURN: Duration = Duration::from_millis(50);
            match self.heard.recv_timeout(TURN) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()), // it has panicked, and said so
                Err(RecvTimeoutError::Timeout) if signals::is_asked() => patience = patience.saturating_sub(TURN),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if patience.is_zero() {
                self.is_stuck = true;
                return Err(stuck());
            }
        }
    }
}

impl Listener for Threaded {
    fn hear(&mut self, event: &Event) -> io::Result<()> {
        self.tell(Told::Event(Box::new(event.clone())))
    }

    fn warn(&mut self, text: &str) {
        if self.tell(Told::Warning(text.into())).is_err() {
            say(text);
        }
    }
}
