//! HTMX and its WebSocket extension, as their packages have them. Served as they are.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Where the packages have what a page needs.
const HTMX: &str = "htmx.org/dist/htmx.min.js";
/// See [`HTMX`].
const HTMX_SOCKETS: &str = "htmx-ext-ws/dist/ws.min.js";

/// See the module.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) htmx: String,
    pub(super) htmx_sockets: String,
}

impl Assets {
    /// Reads them from a folder of Node packages.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| {
                format!(
                    "read {}: run `npm install htmx.org@2 htmx-ext-ws@2` and give its node_modules \
                     with --assets",
                    path.display()
                )
            })
        };
        Ok(Self { htmx: read(HTMX)?, htmx_sockets: read(HTMX_SOCKETS)? })
    }
}
