//! Both halves on an executor that polls a task only when it was woken: a lost wake-up hangs here.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use super::*;
use crate::wire::{Connector, Receiver, Sender, halves};

/// Bytes on their way, as small as a slow network: a stream with one waker a direction.
#[derive(Default)]
struct Pipe {
    to_node: VecDeque<u8>,
    to_client: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    broken: bool,
}

const PIPE_BYTES_MAX: usize = 100;

#[derive(Clone, Default)]
struct Stream(Rc<RefCell<Pipe>>);

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        if pipe.broken {
            return Poll::Ready(Ok(0));
        }
        if pipe.to_client.is_empty() {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = pipe.to_client.len().min(into.len());
        into.iter_mut().take(count).for_each(|byte| *byte = pipe.to_client.pop_front().unwrap());
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        let room = PIPE_BYTES_MAX - pipe.to_node.len();
        if room == 0 {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        pipe.to_node.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The node's end of whatever stream there is.
#[derive(Clone, Default)]
struct World {
    stream: Rc<RefCell<Option<Stream>>>,
    connected: Rc<RefCell<u32>>,
    patience: u32,
}

impl Connector for World {
    type Stream = Stream;

    fn connect(&mut self) -> impl Future<Output = io::Result<Stream>> {
        *self.connected.borrow_mut() += 1;
        let stream = Stream::default();
        *self.stream.borrow_mut() = Some(stream.clone());
        ready(Ok(stream))
    }

    fn pause(&mut self, _wait: Duration) -> impl Future<Output = bool> {
        ready(*self.connected.borrow() <= self.patience)
    }
}

impl World {
    /// Moves what there is; returns whether anything moved.
    fn pump(&self, node: &mut Node) -> bool {
        let Some(stream) = self.stream.borrow().clone() else { return false };
        let mut pipe = stream.0.borrow_mut();
        let bytes: Vec<u8> = pipe.to_node.drain(..).collect();
        node.take(&bytes);
        let count = node.out.len().min(PIPE_BYTES_MAX);
        pipe.to_client.extend(node.out.drain(..count));
        let moved = !bytes.is_empty() || count > 0;
        if moved {
            let wakers = [pipe.reader.take(), pipe.writer.take()];
            drop(pipe);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
        moved
    }

    fn break_off(&self, node: &mut Node) {
        let stream = self.stream.borrow_mut().take().unwrap();
        let mut pipe = stream.0.borrow_mut();
        pipe.broken = true;
        let wakers = [pipe.reader.take(), pipe.writer.take()];
        drop(pipe);
        node.hang_up();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
    done: bool,
}

#[derive(Default)]
struct Tasks(Vec<Task>);

impl Tasks {
    fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        self.0.push(Task { future: Box::pin(future), woken, done: false });
    }

    /// Polls what was woken; returns whether anything was.
    fn turn(&mut self) -> bool {
        let mut any = false;
        for task in self.0.iter_mut().filter(|task| !task.done) {
            if task.woken.0.swap(false, Ordering::SeqCst) {
                any = true;
                let waker = Waker::from(Arc::clone(&task.woken));
                task.done = task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            }
        }
        any
    }

    fn done(&self) -> bool {
        self.0.iter().all(|task| task.done)
    }
}

fn start(world: &World) -> (Sender, Receiver<World>) {
    halves(hmac_identity(Mode::Session), 1, world.clone())
}

async fn send_holds(sender: Sender, count: usize) {
    let lines = hold("A");
    let command = Command::CreateHold { session: "s", lines: &lines, ttl_ms: None };
    for _ in 0..count {
        sender.send(&command, Extras::default()).await.unwrap();
    }
}

/// Runs until every task is done; the node answers all it has been asked, each time nothing else
/// happens, unless `between`, which is called then, says that it broke the connection.
fn run(
    tasks: &mut Tasks,
    world: &World,
    node: &mut Node,
    mut between: impl FnMut(&mut Node) -> bool,
) {
    let mut answered = 0;
    while !tasks.done() {
        let moved = world.pump(node);
        let polled = tasks.turn();
        if moved || polled {
            continue;
        }
        let broken = between(node);
        let asked: Vec<u64> = node.commands[answered..].iter().map(|known| known.0).collect();
        answered = node.commands.len();
        if broken {
            continue;
        }
        asked.chunks(3).for_each(|part| node.answer(part));
        assert!(world.pump(node) || tasks.turn(), "nobody is woken any more: a lost wake-up");
    }
}

#[test]
fn senders_wait_for_credits_and_every_answer_comes() {
    let (world, mut node) = (World::default(), Node::hmac(SECRET));
    let (sender, mut receiver) = start(&world);
    let mut tasks = Tasks::default();
    for _ in 0..3 {
        tasks.spawn(send_holds(sender.clone(), 40));
    }
    drop(sender);
    let found = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&found);
    tasks.spawn(async move {
        while let Some(sequence) = receiver.answer(|answer| answer.sequence).await.unwrap() {
            into.borrow_mut().push(sequence);
        }
    });
    run(&mut tasks, &world, &mut node, |_| false);
    found.borrow_mut().sort_unstable();
    assert_eq!(*found.borrow(), (1..=120).collect::<Vec<u64>>());
    assert_eq!(*world.connected.borrow(), 1);
}

#[test]
fn break_in_the_middle_is_mended_and_nothing_is_lost() {
    let (world, mut node) = (World { patience: 100, ..World::default() }, Node::hmac(SECRET));
    let (sender, mut receiver) = start(&world);
    let mut tasks = Tasks::default();
    tasks.spawn(send_holds(sender, 30));
    let found = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&found);
    tasks.spawn(async move {
        while let Some(sequence) = receiver.answer(|answer| answer.sequence).await.unwrap() {
            into.borrow_mut().push(sequence);
        }
    });
    let mut breaks = 0;
    let breaking = world.clone();
    run(&mut tasks, &world, &mut node, |node| {
        breaks += 1;
        if breaks <= 5 {
            breaking.break_off(node);
        }
        breaks <= 5
    });
    found.borrow_mut().sort_unstable();
    assert_eq!(*found.borrow(), (1..=30).collect::<Vec<u64>>());
    assert_eq!(*world.connected.borrow(), 6);
}

#[test]
fn senders_are_told_when_the_receiver_gives_up_or_is_dropped() {
    let (world, mut node) = (World::default(), Node::hmac(SECRET));
    let (sender, mut receiver) = start(&world);
    let mut tasks = Tasks::default();
    let told = Rc::new(RefCell::new(0));
    for _ in 0..12 {
        let (sender, told) = (sender.clone(), Rc::clone(&told));
        tasks.spawn(async move {
            let lines = hold("A");
            let command = Command::CreateHold { session: "s", lines: &lines, ttl_ms: None };
            match sender.send(&command, Extras::default()).await {
                Err(WireError::Gone) => *told.borrow_mut() += 1,
                other => assert!(other.is_ok(), "{other:?}"),
            }
        });
    }
    tasks.spawn(async move {
        let error = receiver.answer(|answer| answer.sequence).await.unwrap_err();
        assert!(matches!(error, WireError::Io { .. }), "{error}");
    });
    while world.pump(&mut node) | tasks.turn() {}
    assert!(!tasks.done(), "four have no credit");
    world.break_off(&mut node);
    while world.pump(&mut node) | tasks.turn() {}
    assert!(tasks.done(), "everybody was told");
    assert_eq!(*told.borrow(), 4, "as many as had no credit");
}
