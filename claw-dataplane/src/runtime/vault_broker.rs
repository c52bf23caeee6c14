//! The process that connects for the vault: started before the vault leaves the network.
//!
//! Owns the process from spawn to end, on both sides. It has neither the gateway's keys nor the
//! store: its environment is empty, files are shut but for what names are resolved with, and it
//! knows one address.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::vault::broker::{Broker, next_question};
use crate::vault::sandbox;
use crate::vault::settings::CALLS_MAX;

use super::vault::{end_with_parent, spawn};

/// How long one address of the gateway is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts a broker for the gateway at `base_url`.
///
/// # Errors
/// When the URL names no host, or the process cannot be started.
pub fn start(base_url: &str) -> Result<(Child, Broker)> {
    let target = target_of(base_url)?;
    let (own, theirs) = UnixStream::pair().context("make a socket for the broker")?;
    let child = Command::new(std::env::current_exe()?)
        .args(["vault", "--broker-for", &target])
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .context("start the vault's broker")?;
    Ok((child, Broker::new(own)))
}

/// `HOST:PORT` of a URL.
fn target_of(base_url: &str) -> Result<String> {
    let url: ureq::http::Uri = base_url.parse().context("read base_url")?;
    let host = url.host().with_context(|| format!("{base_url} names no host"))?;
    let default = if url.scheme_str() == Some("http") { 80 } else { 443 };
    Ok(format!("{host}:{}", url.port_u16().unwrap_or(default)))
}

/// Is the broker for `target` until the vault at the other end of the standard input is gone.
///
/// # Errors
/// When the standard input is no socket.
pub fn run(target: &str) -> Result<()> {
    end_with_parent();
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    sandbox::enter_broker();
    let under_way = Arc::new(AtomicUsize::new(0));
    while let Some(reply) = next_question(&socket).context("hear the vault")? {
        if under_way.fetch_add(1, Ordering::Relaxed) >= CALLS_MAX {
            under_way.fetch_sub(1, Ordering::Relaxed);
            // The vault never asks for so many; it has given up waiting if it does not hear this.
            reply.answer(Err(io::Error::from_raw_os_error(libc::EAGAIN))).ok();
            continue;
        }
        let (target, under_way) = (target.to_owned(), Arc::clone(&under_way));
        spawn(move || {
            let connected = connect(&target);
            under_way.fetch_sub(1, Ordering::Relaxed);
            // The vault may have given up.
            reply.answer(connected).ok();
        });
    }
    Ok(())
}

fn connect(target: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from_raw_os_error(libc::EHOSTUNREACH);
    for address in target.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::target_of;

    #[test]
    fn target_is_the_host_of_the_url_and_its_port() {
        let target = |url: &str| target_of(url).unwrap();
        assert_eq!(target("https://api.stripe.com"), "api.stripe.com:443");
        assert_eq!(target("http://127.0.0.1:8080/base"), "127.0.0.1:8080");
        assert_eq!(target("http://[::1]"), "[::1]:80");
        assert!(target_of("/nowhere").is_err());
    }
}
