//! `claw demo-store`: a page where a person buys from a drop, and sees what becomes of it.
//!
//! ```text
//!  browser --HTTP--> [`routes`] --[`desk`]: signed, as a storefront--> node
//!     \______________WebSocket: notices as HTML, swapped in by HTMX______/
//! ```
//! A process of its own beside a node, as a shop would be: it has a storefront's key, knows its
//! visitors by a cookie ([`visitors`]) and hands each browser tickets for a WebSocket of the
//! node's, so that stock and orders move on the page without it. [`pages`] writes the HTML,
//! [`assets`] finds HTMX, which is not ours and not in the program.
//!
//! Deliberately has no accounts, no basket and no words but English, and is no shop to run: it
//! listens for browsers in plain and believes whoever has the cookie.

mod assets;
mod desk;
mod pages;
mod routes;
mod visitors;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, bail};

use assets::Assets;
use desk::Desk;
pub use desk::Door;
use visitors::Visitors;

/// Sells for any session.
const SELLER_KEY: &str = "storefront";
/// Puts products up.
const MAKER_KEY: &str = "source";

/// What it is started with.
#[derive(Debug)]
pub struct Options {
    /// The node.
    pub door: Door,
    /// What is sold.
    pub sku: String,
    /// Units of a product that is made where there is none; `None`: it has to be there.
    pub make_units: Option<u32>,
    /// Folder of Node packages with HTMX.
    pub assets: PathBuf,
    /// Where browsers come.
    pub listen: SocketAddr,
}

/// What all requests share.
#[derive(Debug)]
struct Shop {
    desk: Desk,
    visitors: Mutex<Visitors>,
    assets: Assets,
    sku: String,
    /// Where browsers open their WebSockets: `ws(s)://HOST:PORT`.
    sockets_at: String,
}

/// Serves until the process ends; hands what is to be said on stdout, where it listens, to `say`.
pub fn run(options: Options, say: fn(&str) -> Result<()>) -> Result<()> {
    let assets = Assets::load(&options.assets)?;
    if let Some(units) = options.make_units {
        Desk::new(options.door.clone(), MAKER_KEY).make_product(&options.sku, units)?;
    }
    let sockets_at = options.door.node.trim_end_matches('/').replacen("http", "ws", 1);
    let desk = Desk::new(options.door, SELLER_KEY);
    desk.product(&options.sku)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("listen on {}", options.listen))?;
        let origin = format!("http://{}", listener.local_addr()?);
        if !desk.lets_in(&origin)? {
            bail!(
                "the node lets no page of {origin} watch: set http.cors_origins = [\"{origin}\"] \
                 in its store.toml and start it again"
            );
        }
        let visitors = Mutex::new(Visitors::default());
        let shop = Shop { desk, visitors, assets, sku: options.sku, sockets_at };
        say(&format!("open {origin}"))?;
        axum::serve(listener, routes::router(Arc::new(shop))).await.context("serve")
    })
}
