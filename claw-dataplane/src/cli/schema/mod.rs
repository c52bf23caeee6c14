//! `claw schema`: what a store's events may hold, checked, compared and put into other languages.
//!
//! Owns the arguments. Nothing here starts a node or changes a store; what a schema means, what two
//! of them differ in and what one looks like in a language is `claw_core::schema`'s.

mod check;
mod codegen;
mod diff;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

/// Look at a store's State-Schema.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    #[command(subcommand)]
    verb: SchemaVerb,
}

#[derive(Debug, Subcommand)]
enum SchemaVerb {
    Check(CheckArgs),
    Codegen(CodegenArgs),
    Diff(DiffArgs),
}

/// Check schema/*.toml and say everything that is wrong, with file, line and reason.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw schema check --store shop
  claw schema check --store shop --json | jq .events

Exit code 0 when a node would start with it, 1 when it would not.")]
struct CheckArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Say what changes from one State-Schema to another: compatible, to be read by an upcaster, or
/// breaking, member by member.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw schema diff shop shop-next
  git worktree add ../before main && claw schema diff ../before/shop shop
  claw schema diff shop/schema next/schema --clients
  claw schema diff shop shop-next --json | jq '.changes[] | select(.verdict == \"breaking\")'

OLD and NEW are stores, folders of schema files, or single files.

Exit code 0 when every change is compatible or covered by an upcaster of NEW, 1 when an upcaster is
missing or a change is breaking, 2 when OLD or NEW cannot be used.")]
struct DiffArgs {
    /// What events were written with
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What is to be read and taken from now on
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Answer no also when those who send must do something differently
    #[arg(long)]
    clients: bool,
    /// Print the changes as JSON
    #[arg(long)]
    json: bool,
}

/// Print the store's requests and events as types of a language.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw schema codegen --lang rust --store shop --out src/shop_events.rs
  claw schema codegen --lang typescript --store shop > shop-events.ts
  claw schema codegen --lang json-schema --schema shop/schema | jq '.\"$defs\" | keys'

The same schema gives the same text, so that it can be kept under version control and compared.")]
struct CodegenArgs {
    /// Which language
    #[arg(long, value_name = "LANG")]
    lang: Language,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// A folder of schema files, or one file, instead of a store
    #[arg(long, value_name = "DIR", conflicts_with = "store")]
    schema: Option<PathBuf>,
    /// Write to this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What types can be printed in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// Structs for serde
    Rust,
    /// Interfaces
    Typescript,
    /// JSON Schema 2020-12
    JsonSchema,
}

/// Runs the verb.
pub fn run(args: SchemaArgs) -> anyhow::Result<ExitCode> {
    match args.verb {
        SchemaVerb::Check(args) => check::run(&args),
        SchemaVerb::Codegen(args) => codegen::run(&args),
        SchemaVerb::Diff(args) => diff::run(&args),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every character");
        text
    })
}
