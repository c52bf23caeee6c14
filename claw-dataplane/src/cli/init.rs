//! `claw init`: from nothing to a store that a node can serve.
//!
//! Built in a folder beside the target and renamed into place, so a store is there whole or not at
//! all. Never touches a folder that holds something: that is answered with 1 ("no"), since the
//! command line itself was fine.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use claw_common::id::{Id, ShardId, is_sku};
use claw_common::limits::SHARDS_MAX;
use serde_json::json;

use super::output::{self, UsageError};
use super::templates::{self, Template};
use crate::config::key_registry::{KeyDraft, NewMaterial, Role};
use crate::config::{Config, KeyRegistry, Overrides, load_schema, render};
use crate::simulate::scenarios;
use crate::vault::settings::{SETTINGS_FILE as VAULT_FILE, TEMPLATE as VAULT_TEMPLATE};

/// The keys of a new store: enough for each role to sign from the first minute.
const KEYS: [(&str, Role, NewMaterial); 4] = [
    ("source", Role::Source, NewMaterial::Ed25519),
    ("storefront", Role::Storefront, NewMaterial::Ed25519),
    ("storefront-hmac", Role::Storefront, NewMaterial::HmacSha256),
    ("operator", Role::Operator, NewMaterial::Ed25519),
];

/// Make a new store in a folder of its own.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw init shop --template=enterprise-retail
  claw init midnight --template=flash-drop --shards 4
  claw init /srv/claw/shop --json

Templates:
  enterprise-retail  a long catalogue: variants, bundles, locations, price lists, returns
  flash-drop         few products that many want at once: short holds, small baskets
  minimal            the least that sells

An existing folder that holds something is left alone (exit code 1).")]
pub struct InitArgs {
    /// The store's folder; its last part becomes the store's name
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// What kind of store
    #[arg(
        long,
        default_value = "minimal",
        value_parser = PossibleValuesParser::new(templates::ALL.map(|template| template.name))
    )]
    template: String,
    /// Owners of stock, fixed for the store's life [default: one per core of this machine]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    shards: Option<u16>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: InitArgs) -> anyhow::Result<ExitCode> {
    let template = templates::find(&args.template).context("the parser admits known templates")?;
    let plan = Plan {
        name: store_name(&args.path)?,
        target: args.path,
        template,
        shards: args.shards.unwrap_or_else(shards_of_machine),
        id: new_store_id()?,
    };
    refuse_occupied(&plan.target)?;
    plan.make()?;
    plan.tell(args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What will be made.
struct Plan {
    name: String,
    target: PathBuf,
    template: &'static Template,
    shards: u16,
    id: Id,
}

impl Plan {
    fn make(&self) -> anyhow::Result<()> {
        let parent = match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let draft = DraftFolder::create(parent, &self.name)?;
        self.fill(&draft.path).with_context(|| format!("make {}", self.target.display()))?;
        draft.place_at(&self.target)?;
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .with_context(|| format!("sync {}", parent.display()))
    }

    fn fill(&self, folder: &Path) -> anyhow::Result<()> {
        for name in ["data", "functions", "scenarios", "schema"] {
            fs::create_dir(folder.join(name)).with_context(|| format!("create {name}/"))?;
        }
        fs::DirBuilder::new().mode(0o700).create(folder.join("keys")).context("create keys/")?;
        write(folder, "store.toml", &self.store_toml())?;
        write(folder, VAULT_FILE, VAULT_TEMPLATE)?;
        write(folder, "README.md", &self.readme())?;
        write(folder, ".gitignore", templates::GITIGNORE)?;
        write(folder, "functions/README.md", templates::FUNCTIONS_README)?;
        for (name, text) in self.template.schema {
            write(folder, &format!("schema/{name}"), text)?;
        }
        for (name, text) in scenarios::ALL {
            write(folder, &format!("scenarios/{name}.toml"), text)?;
        }
        KeyRegistry::create(folder)?;
        for (name, role, material) in KEYS {
            let draft = KeyDraft { name: name.to_owned(), role, material };
            KeyRegistry::add(folder, &draft)?;
        }
        // What we write, a node must start with.
        Config::load(folder, &Overrides::default())?;
        load_schema(folder)?;
        Ok(())
    }

    fn store_toml(&self) -> String {
        let introduction = format!("{}: {}", self.name, self.template.about);
        let mut chosen = vec![
            ("store.name", format!("\"{}\"", self.name)),
            ("store.id", format!("\"{}\"", self.id)),
            ("store.shards", self.shards.to_string()),
            ("store.profile", "\"development\"".to_owned()),
            ("node.listen", "\"127.0.0.1:7070\"".to_owned()),
            ("log.device", "\"file:data\"".to_owned()),
        ];
        let settings = self.template.settings.iter();
        chosen.extend(settings.map(|(path, value)| (*path, (*value).to_owned())));
        render(&introduction, &chosen)
    }

    fn readme(&self) -> String {
        templates::README
            .replace("{name}", &self.name)
            .replace("{about}", self.template.about)
            .replace("{template}", self.template.name)
            .replace("{scenario}", self.template.scenario)
            .replace("{choices}", self.template.choices)
            .replace("{examples}", self.template.examples)
    }

    fn tell(&self, as_json: bool) -> io::Result<()> {
        if as_json {
            return output::json(&json!({
                "path": self.target.display().to_string(),
                "name": self.name,
                "id": self.id.to_string(),
                "template": self.template.name,
                "shards": self.shards,
                "keys": KEYS.map(|(name, _, _)| name),
            }));
        }
        let path = self.target.display();
        output::data(&format!("made {path}/ from {}", self.template.name))?;
        output::talk(self.template.about);
        output::talk(&format!("next: claw node --store {path}    (see {path}/README.md)"));
        Ok(())
    }
}

/// A folder that vanishes unless it is placed.
struct DraftFolder {
    path: PathBuf,
}

impl DraftFolder {
    fn create(parent: &Path, name: &str) -> anyhow::Result<Self> {
        let path = parent.join(format!(".{name}.claw-init-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| {
            format!("create a folder in {}: make it writable or choose another", parent.display())
        })?;
        Ok(Self { path })
    }

    /// An empty folder at `target` is replaced; anything else makes the rename fail.
    fn place_at(self, target: &Path) -> anyhow::Result<()> {
        let placed = fs::rename(&self.path, target);
        placed.with_context(|| {
            format!("put the store at {}: something came in between", target.display())
        })
    }
}

impl Drop for DraftFolder {
    fn drop(&mut self) {
        // After a rename there is nothing left; otherwise the error that brought us here counts.
        fs::remove_dir_all(&self.path).ok();
    }
}

fn store_name(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let allowed = is_sku(name) && !name.starts_with(['.', '-']);
    if !allowed {
        let reason = format!(
            "make a store at {}: its name is 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first",
            path.display()
        );
        return Err(UsageError(reason).into());
    }
    Ok(name.to_owned())
}

fn refuse_occupied(target: &Path) -> anyhow::Result<()> {
    match fs::read_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| {
            format!("make a store at {}: it is there and no folder we can read", target.display())
        }),
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!(
                    "make a store at {}: the folder is not empty, and nothing of it will be \
                     touched: choose another name",
                    target.display()
                );
            }
            Ok(())
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let write = || {
        let mut file = File::create_new(&path)?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("write {name}"))
}

fn shards_of_machine() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u16::try_from(cores.min(SHARDS_MAX)).unwrap_or(1)
}

fn new_store_id() -> anyhow::Result<Id> {
    let mut entropy = [0; 8];
    getrandom::fill(&mut entropy).map_err(|error| {
        anyhow::anyhow!("make the store's id: the system gave no randomness ({error})")
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or_default();
    Ok(Id::version_7(now_ms, u64::from_le_bytes(entropy), ShardId(0)))
}
