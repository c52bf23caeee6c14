//! The few system calls that std has no name for: epoll, a connect that does not wait, limits
//! and affinity.
//!
//! Owns all `unsafe` of the traffic engine. Every call passes pointers to locals that outlive it.

use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn size_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("a kernel structure is small")
}

/// One ready connection.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// What [`Epoll::add`] was given.
    pub token: u64,
    /// Bytes or an end to read.
    pub readable: bool,
    /// Room to send, or connected.
    pub writable: bool,
    /// The peer has ended its side: read until the end.
    pub over: bool,
}

/// An epoll set, edge-triggered: one registration for a connection's whole life.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoll").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl Epoll {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX] })
    }

    /// Watches `stream` until it is closed.
    pub fn add(&self, stream: &TcpStream, token: u64) -> io::Result<()> {
        let flags = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        let mut event = libc::epoll_event { events: flags.cast_unsigned(), u64: token };
        let (set, fd) = (self.fd.as_raw_fd(), stream.as_raw_fd());
        // SAFETY: both descriptors are open and `event` outlives the call.
        check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &raw mut event) })?;
        Ok(())
    }

    /// Waits for events, at most `timeout`; returns how many [`Epoll::ready`] has.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        let timeout = libc::timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        // The system call itself: C libraries have had a name for it only since 2022, and the
        // older call rounds to milliseconds, which an open loop cannot use.
        // SAFETY: `events` has room for `EVENTS_MAX`, and the pointers outlive the call.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS_MAX,
                &raw const timeout,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }

    /// Event `index` of the last wait.
    pub fn ready(&self, index: usize) -> Ready {
        let libc::epoll_event { events, u64: token } = self.events[index];
        let has = |flags: libc::c_int| events & flags.cast_unsigned() != 0;
        let over = libc::EPOLLHUP | libc::EPOLLERR | libc::EPOLLRDHUP;
        Ready {
            token,
            readable: has(libc::EPOLLIN | over),
            writable: has(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR),
            over: has(over),
        }
    }
}

fn socket_address(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).expect("a small number"),
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

/// Starts to connect; the socket becomes writable when that has ended.
pub fn connect(source: Option<Ipv4Addr>, target: SocketAddrV4) -> io::Result<TcpStream> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: the descriptor is new, nobody else's, and a TCP socket.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    stream.set_nodelay(true)?;
    if let Some(source) = source {
        // The kernel picks the port when it knows both ends, so each source has a full range.
        set_option(&stream, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &1_i32)?;
        let address = socket_address(SocketAddrV4::new(source, 0));
        let length = size_u32::<libc::sockaddr_in>();
        // SAFETY: `address` is a whole sockaddr_in and outlives the call.
        check(unsafe { libc::bind(fd, (&raw const address).cast(), length) })?;
    }
    let address = socket_address(target);
    let length = size_u32::<libc::sockaddr_in>();
    // SAFETY: `address` is a whole sockaddr_in and outlives the call.
    match check(unsafe { libc::connect(fd, (&raw const address).cast(), length) }) {
        Ok(_) => Ok(stream),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(stream),
        Err(error) => Err(error),
    }
}

/// Makes the close of `stream` a reset, which leaves no port in `TIME_WAIT`.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set_option(stream, libc::SOL_SOCKET, libc::SO_LINGER, &linger)
}

fn set_option<T>(
    stream: &TcpStream,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let fd = stream.as_raw_fd();
    let pointer: *const T = value;
    // SAFETY: the pointer is to a whole T of the length given.
    check(unsafe { libc::setsockopt(fd, level, name, pointer.cast(), size_u32::<T>()) })?;
    Ok(())
}

/// Raises the soft limit of open files to the hard one and returns it.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_max)
}

/// The CPUs that this thread may run on, ascending.
pub fn affinity() -> io::Result<Vec<usize>> {
    // SAFETY: a cpu_set_t is plain bits, and zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is a whole cpu_set_t and outlives the call.
    check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) })?;
    let most = 8 * size_of::<libc::cpu_set_t>();
    // SAFETY: `cpu` is below the number of bits of the set.
    Ok((0..most).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect())
}

/// Keeps this thread, and the processes that it starts from now on, on `cpus`.
pub fn set_affinity(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: a cpu_set_t is plain bits, and zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        // SAFETY: CPU numbers come from `affinity`, so they are below the number of bits.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: `set` is a whole cpu_set_t and outlives the call.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })?;
    Ok(())
}

/// Makes the process that `command` starts end (SIGTERM) when the calling thread does, however that
/// comes: nobody else would stop it.
pub fn end_with_caller(command: &mut Command) {
    let before_exec = || {
        let signal = libc::c_ulong::from(libc::SIGTERM.cast_unsigned());
        // SAFETY: no pointers.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) }).map(|_| ())
    };
    // SAFETY: the closure only makes a system call; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(before_exec) };
}

/// Asks process `pid` to end.
pub fn terminate(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: no pointers.
    check(unsafe { libc::kill(pid, libc::SIGTERM) })?;
    Ok(())
}

/// CPU time that this thread has used.
pub fn thread_cpu_time() -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    check(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) })?;
    let whole = Duration::from_secs(time.tv_sec.unsigned_abs());
    Ok(whole + Duration::from_nanos(time.tv_nsec.unsigned_abs()))
}
