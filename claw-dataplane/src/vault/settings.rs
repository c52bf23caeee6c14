//! `vault.toml`: who is asked for money, and with which keys. Read by `claw vault` alone.
//!
//! The environment wins (`CLAW_PAYMENTS_KIND`, `_BASE_URL`, `_API_KEY`, `_WEBHOOK_SECRET`,
//! `_DEVICE`), so that keys need no file. Secrets are wiped when they are dropped and never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use zeroize::Zeroizing;

/// The file's name, in the store's folder.
pub const SETTINGS_FILE: &str = "vault.toml";
/// What the template writes.
pub const TEMPLATE: &str = "\
# Who is asked for money. Read by `claw vault` alone: the node that serves shoppers never sees it.
# CLAW_PAYMENTS_KIND, CLAW_PAYMENTS_BASE_URL, CLAW_PAYMENTS_API_KEY, CLAW_PAYMENTS_WEBHOOK_SECRET
# and CLAW_PAYMENTS_DEVICE in the environment of `claw vault` win over this file.

# \"none\": nothing is paid for. \"local\": the vault starts `claw gateway`, which moves no money.
# \"stripe\": a gateway that speaks Stripe's API, at base_url, with api_key.
kind = \"local\"

# base_url = \"https://api.stripe.com\"
# api_key = \"sk_...\"
# webhook_secret = \"whsec_...\"

# How the local gateway behaves, as `claw gateway --help` says.
# gateway_args = [\"--decline\", \"0.2\", \"--latency-ms\", \"20\"]

# How long one call may take, and how many run at once.
# timeout_ms = 10000
# calls_max = 16

# Where its own log lies, apart from the store's: a folder here, or on a device of its own.
# device = \"file:log\"

# The CPU it runs on; any when it is not given.
# cpu = 1
";
/// Where Stripe is.
const STRIPE_URL: &str = "https://api.stripe.com";
/// How long a call may take unless the file says otherwise.
const TIMEOUT_MS_DEFAULT: u64 = 10_000;
/// Calls at once unless the file says otherwise.
const CALLS_DEFAULT: usize = 16;
/// Where the log lies unless the file says otherwise.
const DEVICE_DEFAULT: &str = "file:log";
/// Most calls at once.
pub const CALLS_MAX: usize = 256;

/// The vault's folder in a store.
pub fn folder(store_dir: &Path) -> PathBuf {
    store_dir.join("vault")
}

/// Where the vault of a store listens.
pub fn socket_path(store_dir: &Path) -> PathBuf {
    folder(store_dir).join("vault.sock")
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nobody.
    None,
    /// `claw gateway`.
    Local,
    /// Stripe, or who speaks its API.
    Stripe,
}

impl Kind {
    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Local => "local",
            Self::Stripe => "stripe",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Local, Self::Stripe].into_iter().find(|kind| kind.name() == text)
    }
}

/// A text that is not shown.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Secret {
    /// One made of this text.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: Option<Kind>,
    base_url: Option<String>,
    #[serde(default)]
    api_key: Secret,
    #[serde(default)]
    webhook_secret: Secret,
    #[serde(default)]
    gateway_args: Vec<String>,
    timeout_ms: Option<u64>,
    calls_max: Option<usize>,
    device: Option<String>,
    cpu: Option<usize>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who is asked.
    pub kind: Kind,
    /// Where; `None` for a local gateway that the vault starts.
    pub base_url: Option<String>,
    /// The gateway's key.
    pub api_key: Secret,
    /// What webhooks are signed with.
    pub webhook_secret: Secret,
    /// Arguments of the local gateway.
    pub gateway_args: Vec<String>,
    /// How long a call may take.
    pub timeout_ms: u64,
    /// Calls at once.
    pub calls_max: usize,
    /// URL of the device that its log lies on; a folder may be relative to the vault's.
    pub device: String,
    /// The CPU to run on.
    pub cpu: Option<usize>,
}

impl Settings {
    /// Reads a store's `vault.toml` under the environment.
    pub fn load(store_dir: &Path) -> Result<Self> {
        let path = store_dir.join(SETTINGS_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let environment = |name: &str| std::env::var(format!("CLAW_PAYMENTS_{name}")).ok();
        Self::parse(&text, environment).with_context(|| format!("read {}", path.display()))
    }

    pub(super) fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| without_secrets(&error))?;
        let kind = match environment("KIND") {
            Some(name) => match Kind::parse(&name) {
                Some(kind) => kind,
                None => bail!("CLAW_PAYMENTS_KIND is {name:?}: it is none, local or stripe"),
            },
            None => file.kind.unwrap_or(Kind::None),
        };
        let base_url = environment("BASE_URL").or(file.base_url);
        let base_url = match kind {
            Kind::Stripe => Some(base_url.unwrap_or_else(|| STRIPE_URL.to_owned())),
            Kind::Local | Kind::None => base_url,
        };
        let secret = |name: &str, own: Secret| environment(name).map_or(own, |t| Secret::new(&t));
        let settings = Self {
            kind,
            base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
            api_key: secret("API_KEY", file.api_key),
            webhook_secret: secret("WEBHOOK_SECRET", file.webhook_secret),
            gateway_args: file.gateway_args,
            timeout_ms: file.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT),
            calls_max: file.calls_max.unwrap_or(CALLS_DEFAULT),
            device: environment("DEVICE")
                .or(file.device)
                .unwrap_or_else(|| DEVICE_DEFAULT.to_owned()),
            cpu: file.cpu,
        };
        let missing = kind == Kind::Stripe && settings.api_key.reveal().is_empty();
        ensure!(!missing, "kind = \"stripe\" needs api_key, or CLAW_PAYMENTS_API_KEY");
        ensure!((1..=CALLS_MAX).contains(&settings.calls_max), "calls_max is 1 to {CALLS_MAX}");
        ensure!(settings.timeout_ms >= 100, "timeout_ms is at least 100");
        Ok(settings)
    }
}

/// The parser quotes the line it fails on, which may hold a key: only what and where is told.
fn without_secrets(error: &toml::de::Error) -> anyhow::Error {
    anyhow::anyhow!("{}", error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_name: &str) -> Option<String> {
        None
    }

    #[test]
    fn template_is_local_and_every_line_of_it_can_be_said() {
        let settings = Settings::parse(TEMPLATE, nothing).unwrap();
        assert_eq!(settings.kind, Kind::Local);
        let said: String =
            TEMPLATE.lines().filter(|l| l.contains(" = ")).fold(String::new(), |mut said, line| {
                said.push_str(line.trim_start_matches("# "));
                said.push('\n');
                said
            });
        let said: String = said.lines().filter(|l| !l.starts_with("kind = \"local\"")).fold(
            "kind = \"stripe\"\n".to_owned(),
            |mut all, line| {
                all.push_str(line);
                all.push('\n');
                all
            },
        );
        let settings = Settings::parse(&said, nothing).unwrap();
        assert_eq!(settings.base_url.as_deref(), Some("https://api.stripe.com"));
        assert_eq!((settings.device.as_str(), settings.cpu), ("file:log", Some(1)));
    }

    #[test]
    fn environment_wins_and_nothing_is_none() {
        assert_eq!(Settings::parse("", nothing).unwrap().kind, Kind::None);
        let environment = |name: &str| match name {
            "KIND" => Some("stripe".to_owned()),
            "API_KEY" => Some("sk_test".to_owned()),
            "BASE_URL" => Some("http://127.0.0.1:1/".to_owned()),
            _ => None,
        };
        let settings = Settings::parse("kind = \"local\"", environment).unwrap();
        assert_eq!(settings.kind, Kind::Stripe);
        assert_eq!(settings.api_key.reveal(), "sk_test");
        assert_eq!(settings.base_url.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn mistakes_are_told_and_secrets_are_not() {
        let fails = |text: &str| format!("{:#}", Settings::parse(text, nothing).unwrap_err());
        assert!(fails("kind = \"stripe\"").contains("api_key"));
        assert!(fails("knid = \"local\"").contains("knid"));
        let told = fails("api_key = \"sk_live_1\" \"");
        assert!(!told.contains("sk_live"), "{told}");
        let settings = Settings::parse("api_key = \"sk_live_1\"", nothing).unwrap();
        assert!(!format!("{settings:?}").contains("sk_live"));
    }
}
