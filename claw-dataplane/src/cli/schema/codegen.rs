//! `claw schema codegen`: the store's requests and events as types of a language.
//!
//! The text is the core's; here the schema is found and the text put where it is wanted, whole or
//! not at all.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use claw_core::schema::{CompiledSchema, codegen};

use super::{CodegenArgs, Language};
use crate::cli::output;
use crate::config::{load_schema, load_schema_at};

pub(super) fn run(args: &CodegenArgs) -> anyhow::Result<ExitCode> {
    let schema = match &args.schema {
        Some(place) => load_schema_at(place)?,
        None => load_schema(&args.store)?,
    };
    let text = generate(&schema, args.lang);
    match &args.out {
        None => output::data(text.trim_end())?,
        Some(path) => {
            let mut draft = path.clone().into_os_string();
            draft.push(".new");
            fs::write(&draft, &text)
                .and_then(|()| fs::rename(&draft, path))
                .with_context(|| format!("write {}: is its folder there?", path.display()))?;
            output::talk(&format!("wrote {}", path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn generate(schema: &CompiledSchema, language: Language) -> String {
    match language {
        Language::Rust => codegen::rust(schema),
        Language::Typescript => codegen::typescript(schema),
        Language::JsonSchema => format!("{:#}\n", codegen::json_schema(schema)),
    }
}
