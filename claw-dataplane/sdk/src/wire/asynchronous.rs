//! A connection for asynchronous code, without a runtime of its own.
//!
//! Works on any executor: bytes go through `futures-io`'s traits, and connecting and waiting are
//! the caller's ([`Connector`]). A connection has two halves. The [`Receiver`] drives it: whoever
//! awaits [`Receiver::answer`] connects, writes, reads, and connects again after a break, sending
//! what was not answered once more. [`Sender`]s (clones, in any task) put commands into the frame
//! being filled; what was sent between two polls of the receiver leaves as one frame. Where there
//! is no credit, no room, or no connection yet, [`Sender::send`] is pending; nothing grows.
//!
//! **Wake-ups.** Only the receiver's task touches the stream, so a stream's one waker a direction
//! is enough. A sender that pushed wakes the receiver; the receiver wakes every waiting sender
//! whenever a credit came back, a connection was welcomed, or it is all over. Wakers are stored
//! under the lock before the condition is looked at again, so none is lost. The lock is never held
//! over an await.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::backoff::Backoff;
use super::blocking::{now_ms, random};
use super::command::{Command, Extras};
use super::error::WireError;
use super::handshake::Welcome;
use super::machine::{Identity, Machine};

/// How a connection is made and a pause is waited for, on the caller's executor.
pub trait Connector {
    /// What bytes go through.
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// Makes a connection.
    fn connect(&mut self) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Waits. `false` gives up: the failure before becomes the answer.
    fn pause(&mut self, wait: Duration) -> impl Future<Output = bool>;
}

/// What both halves share.
#[derive(Debug)]
struct Shared {
    machine: Machine,
    driver: Option<Waker>,
    waiting: Vec<Waker>,
    senders: usize,
    /// The receiver is gone, or gave up.
    over: bool,
}

type SharedCell = Arc<Mutex<Shared>>;

/// A panic while the lock was held is the panicking task's; the state is whole between calls.
fn lock(shared: &SharedCell) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the receiver's task, once the lock is free: some executors poll at once.
fn wake_driver(mut shared: MutexGuard<'_, Shared>) {
    let driver = shared.driver.take();
    drop(shared);
    if let Some(driver) = driver {
        driver.wake();
    }
}

impl Shared {
    fn wait_here(&mut self, context: &Context<'_>) {
        if !self.waiting.iter().any(|known| known.will_wake(context.waker())) {
            self.waiting.push(context.waker().clone());
        }
    }
}

/// Makes the two halves; nothing is connected before the receiver is polled.
///
/// ```no_run
/// # use std::{io, sync::Arc, time::Duration};
/// # use claw_sdk::Signer;
/// use claw_sdk::wire::{Command, Connector, Extras, Identity, Mode, halves};
///
/// # async fn run(mut connector: impl Connector) -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Arc::new(Signer::load("shop".as_ref(), "storefront-hmac")?);
/// let identity = Identity { signer, mode: Mode::Session, session: [7; 16] };
/// let (sender, mut receiver) = halves(identity, 1, connector);
/// // In one task:
/// let sending = async move {
///     for sku in ["TEE-S", "TEE-M", "TEE-L"] {
///         sender.send(&Command::ReadProduct { sku }, Extras::default()).await?;
///     }
///     Ok::<_, claw_sdk::wire::WireError>(())
/// };
/// // In another, or joined with it; ends when every sender is gone and all is answered:
/// let receiving = async move {
///     while let Some(status) = receiver.answer(|answer| answer.status).await? {
///         println!("{status}");
///     }
///     Ok::<_, claw_sdk::wire::WireError>(())
/// };
/// # let _ = (sending, receiving);
/// # Ok(())
/// # }
/// ```
pub fn halves<C: Connector>(
    identity: Identity,
    sequence_first: u64,
    connector: C,
) -> (Sender, Receiver<C>) {
    let shared = Arc::new(Mutex::new(Shared {
        machine: Machine::new(identity, sequence_first),
        driver: None,
        waiting: Vec::new(),
        senders: 1,
        over: false,
    }));
    let sender = Sender { shared: Arc::clone(&shared) };
    let backoff = Backoff::default();
    (sender, Receiver { shared, connector, stream: None, backoff, waking: Vec::new() })
}

/// The half that asks.
#[derive(Debug)]
pub struct Sender {
    shared: SharedCell,
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        lock(&self.shared).senders += 1;
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.senders -= 1;
        // The last one: the receiver may have nothing more to wait for.
        wake_driver(shared);
    }
}

impl Sender {
    /// Sends a command and returns its number, which its answer names. Pending while there is no
    /// credit, no room or no connection.
    pub async fn send(&self, command: &Command<'_>, extras: Extras<'_>) -> Result<u64, WireError> {
        poll_fn(|context| self.poll_push(context, |machine| machine.push(command, extras))).await
    }

    /// Sends a command again under the number it had: after an answer that said "later" (429, 503).
    pub async fn send_again(
        &self,
        sequence: u64,
        command: &Command<'_>,
        extras: Extras<'_>,
    ) -> Result<(), WireError> {
        poll_fn(|context| {
            self.poll_push(context, |machine| machine.push_as(sequence, command, extras))
        })
        .await
    }

    fn poll_push<T>(
        &self,
        context: &Context<'_>,
        push: impl FnOnce(&mut Machine) -> Result<T, WireError>,
    ) -> Poll<Result<T, WireError>> {
        let mut shared = lock(&self.shared);
        if shared.over {
            return Poll::Ready(Err(WireError::Gone));
        }
        match push(&mut shared.machine) {
            Err(WireError::Full { .. } | WireError::NotOpen) => {
                shared.wait_here(context);
                Poll::Pending
            }
            pushed => {
                wake_driver(shared);
                Poll::Ready(pushed)
            }
        }
    }
}

/// The half that drives the connection and gives the answers.
#[derive(Debug)]
pub struct Receiver<C: Connector> {
    shared: SharedCell,
    connector: C,
    stream: Option<C::Stream>,
    backoff: Backoff,
    /// Senders on their way to be woken; empty between calls.
    waking: Vec<Waker>,
}

impl<C: Connector> Drop for Receiver<C> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<C: Connector> Receiver<C> {
    /// What the node said last; `None` while there is no connection.
    pub fn welcome(&self) -> Option<Welcome> {
        lock(&self.shared).machine.welcome().cloned()
    }

    /// Waits for the next answer and gives it to `read`, which takes from it what it needs.
    /// `None` when every sender is gone and everything is answered.
    ///
    /// Dropping the future is safe: no answer is lost, and the next call goes on.
    pub async fn answer<R>(
        &mut self,
        read: impl FnOnce(&Answer<'_>) -> R,
    ) -> Result<Option<R>, WireError> {
        let mut read = Some(read);
        loop {
            let failed = match self.stream {
                Some(_) => match poll_fn(|context| self.poll_answer(context, &mut read)).await {
                    Ok(answer) => {
                        self.backoff.reset();
                        return Ok(answer);
                    }
                    Err(error) => error,
                },
                None if self.finished() => return Ok(None),
                None => match self.connector.connect().await {
                    Ok(stream) => {
                        let entropy = random()?;
                        lock(&self.shared).machine.connect(now_ms(), entropy);
                        self.stream = Some(stream);
                        continue;
                    }
                    Err(source) => failed("connect to", source),
                },
            };
            self.recover(failed).await?;
        }
    }

    /// Forgets the connection; waits when a new one may go better.
    async fn recover(&mut self, error: WireError) -> Result<(), WireError> {
        self.stream = None;
        lock(&self.shared).machine.disconnected();
        if error.is_momentary() {
            let wait = self.backoff.next_wait(u64::from_le_bytes(random()?));
            if self.connector.pause(wait).await {
                return Ok(());
            }
        }
        self.end();
        Err(error)
    }

    fn end(&mut self) {
        lock(&self.shared).over = true;
        self.wake_senders();
    }

    /// Wakes every waiting sender, without the lock: some executors poll at once.
    fn wake_senders(&mut self) {
        std::mem::swap(&mut lock(&self.shared).waiting, &mut self.waking);
        self.waking.drain(..).for_each(Waker::wake);
    }

    fn finished(&self) -> bool {
        let shared = lock(&self.shared);
        shared.senders == 0 && shared.machine.unanswered() == 0
    }

    fn poll_answer<R>(
        &mut self,
        context: &mut Context<'_>,
        read: &mut Option<impl FnOnce(&Answer<'_>) -> R>,
    ) -> Poll<Result<Option<R>, WireError>> {
        let stream = self.stream.as_mut().expect("polled with a connection");
        let mut shared = lock(&self.shared);
        let credits = shared.machine.credits();
        let answer = shared.advance(stream, context, read);
        let more = shared.machine.credits() > credits;
        drop(shared);
        if more {
            self.wake_senders();
        }
        answer
    }
}

impl Shared {
    /// Moves bytes until there is an answer, or nothing moves any more.
    fn advance<R>(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        context: &mut Context<'_>,
        read: &mut Option<impl FnOnce(&Answer<'_>) -> R>,
    ) -> Poll<Result<Option<R>, WireError>> {
        self.driver = Some(context.waker().clone());
        loop {
            if self.machine.answer_ready()? {
                let answer = self.machine.next_answer()?;
                let result = answer.zip(read.take()).map(|(answer, read)| read(&answer));
                return Poll::Ready(Ok(result));
            }
            self.machine.set_now(now_ms());
            self.machine.flush();
            poll_write(&mut self.machine, stream, context)?;
            if self.senders == 0 && self.machine.unanswered() == 0 {
                return Poll::Ready(Ok(None));
            }
            // Whatever could not be written wakes us too: its waker is registered.
            ready!(poll_read(&mut self.machine, stream, context))?;
        }
    }
}

/// Writes what the stream takes; what it does not take now, it will wake us for.
fn poll_write<S: AsyncWrite + Unpin>(
    machine: &mut Machine,
    stream: &mut S,
    context: &mut Context<'_>,
) -> Result<(), WireError> {
    let mut stream = Pin::new(stream);
    while !machine.transmit().is_empty() {
        match stream.as_mut().poll_write(context, machine.transmit()) {
            Poll::Ready(Ok(0)) => return Err(failed("write to", io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => machine.transmitted(count),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => return Err(failed("write to", error)),
            Poll::Pending => return Ok(()),
        }
    }
    match stream.poll_flush(context) {
        Poll::Ready(Err(error)) => Err(failed("write to", error)),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
    }
}

fn poll_read<S: AsyncRead + Unpin>(
    machine: &mut Machine,
    stream: &mut S,
    context: &mut Context<'_>,
) -> Poll<Result<(), WireError>> {
    match ready!(Pin::new(stream).poll_read(context, machine.space())) {
        Ok(0) => Poll::Ready(Err(failed("read from", io::ErrorKind::UnexpectedEof.into()))),
        Ok(count) => {
            machine.received(count);
            Poll::Ready(Ok(()))
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Poll::Ready(Ok(())),
        Err(error) => Poll::Ready(Err(failed("read from", error))),
    }
}

fn failed(action: &'static str, source: io::Error) -> WireError {
    WireError::Io { action, peer: "the node".to_owned(), source }
}
