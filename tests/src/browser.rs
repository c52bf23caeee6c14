//! A real browser: Chromium without a window, driven through `scripts/browse.mjs`.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// What the package is called on the systems that have it.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A running browser. Ended when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    shots: PathBuf,
}

impl Browser {
    /// Starts one; nothing where `cargo xtask test` has said that there is none here.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Option<Self> {
        if ["CLAW_WITHOUT_NODE", "CLAW_WITHOUT_CHROMIUM"]
            .iter()
            .any(|name| env::var_os(name).is_some())
        {
            return None;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let packages = root.join(".node");
        assert!(packages.is_dir(), "no .node here: run `cargo xtask setup`");
        let path = env::var_os("PATH").unwrap_or_default();
        let found = env::split_paths(&path)
            .flat_map(|folder| PROGRAMS.map(|name| folder.join(name)))
            .find(|program| program.is_file())
            .expect("no Chromium here: run `cargo xtask setup`");
        let shots = root.join("target/screenshots");
        fs::create_dir_all(&shots).expect("there is room");
        let mut child = Command::new("node")
            .arg(root.join("scripts/browse.mjs"))
            .env("CLAW_NODE_PACKAGES", packages)
            .env("CLAW_CHROMIUM", found)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Some(Self { child, orders, answers, shots })
    }

    /// Folder of Node packages, with HTMX.
    pub fn packages() -> String {
        format!("{}/../.node/node_modules", env!("CARGO_MANIFEST_DIR"))
    }

    fn ask(&mut self, order: &Value) -> Value {
        let orders = self.orders.as_mut().expect("still open");
        writeln!(orders, "{order}").expect("the browser listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the browser answers");
        let mut answer: Value = serde_json::from_str(&line).expect("the browser is alive");
        assert!(answer["failed"].is_null(), "{order}: {}", answer["failed"]);
        answer["done"].take()
    }

    /// Opens a page in a private window of this name.
    pub fn open(&mut self, window: &str, url: &str) {
        self.ask(&json!(["open", window, url]));
    }

    /// Clicks an element.
    pub fn click(&mut self, window: &str, selector: &str) {
        self.ask(&json!(["click", window, selector]));
    }

    /// Clicks the same element in several windows at once.
    pub fn click_all(&mut self, windows: &[&str], selector: &str) {
        self.ask(&json!(["clickAll", windows, selector]));
    }

    /// Waits until an element says exactly this; how long that took, milliseconds.
    pub fn says(&mut self, window: &str, selector: &str, text: &str) -> f64 {
        self.ask(&json!(["says", window, selector, text])).as_f64().expect("a time")
    }

    /// Waits until one of the elements says one of these; which.
    pub fn says_any(&mut self, window: &str, selector: &str, texts: &[&str]) -> String {
        let said = self.ask(&json!(["saysAny", window, selector, texts]));
        said.as_str().expect("a text").to_owned()
    }

    /// What an element says now.
    pub fn text(&mut self, window: &str, selector: &str) -> String {
        let text = self.ask(&json!(["text", window, selector]));
        text.as_str().expect("a text").to_owned()
    }

    /// Loads a page again.
    pub fn reload(&mut self, window: &str) {
        self.ask(&json!(["reload", window]));
    }

    /// Leaves a picture of a window in `target/screenshots`.
    pub fn shot(&mut self, window: &str, name: &str) {
        let path = self.shots.join(format!("{name}.png"));
        self.ask(&json!(["shot", window, path]));
    }

    /// What a page complained about in its console.
    pub fn complaints(&mut self, window: &str) -> Vec<String> {
        let said = self.ask(&json!(["complaints", window]));
        serde_json::from_value(said).expect("texts")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It closes its windows and ends when it is told nothing more.
        self.orders = None;
        self.child.wait().ok();
    }
}
