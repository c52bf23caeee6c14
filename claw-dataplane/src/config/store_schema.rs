//! The files of a store's State-Schema, read and compiled.
//!
//! Reads `schema/*.toml`, in no deeper folder. What the texts mean is `claw_core::schema`'s.

use std::fs;
use std::path::{Path, PathBuf};

use claw_common::limits::{SCHEMA_FILE_BYTES_MAX, SCHEMA_FILES_MAX};
use claw_core::schema::{CompiledSchema, Diagnostic, SchemaFile};

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaLoadError {
    /// Its texts are wrong; everything that is.
    #[error("{}", join(.found))]
    Invalid {
        /// In the order of their places.
        found: Vec<Diagnostic>,
    },
    /// A file or the folder cannot be read.
    #[error("read the State-Schema {path} (a store has schema/*.toml; `--store` names it)")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Compiles the schema of the store in `store_dir`.
pub fn load_schema(store_dir: &Path) -> Result<CompiledSchema, SchemaLoadError> {
    let files = read_files(&store_dir.join("schema"))?;
    CompiledSchema::parse(&files).map_err(|found| SchemaLoadError::Invalid { found })
}

/// Compiles the schema at `place`: a store, a folder of schema files, or one file.
pub fn load_schema_at(place: &Path) -> Result<CompiledSchema, SchemaLoadError> {
    if place.join("schema").is_dir() {
        return load_schema(place);
    }
    let files = if place.is_dir() {
        read_files(place)?
    } else {
        let name = place.display().to_string();
        let text = fs::read_to_string(place)
            .map_err(|source| SchemaLoadError::Read { path: place.to_owned(), source })?;
        vec![SchemaFile { name, text }]
    };
    CompiledSchema::parse(&files).map_err(|found| SchemaLoadError::Invalid { found })
}

fn read_files(folder: &Path) -> Result<Vec<SchemaFile>, SchemaLoadError> {
    let failed = |path: &Path, source| SchemaLoadError::Read { path: path.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if path.extension().is_none_or(|extension| extension != "toml") || path.is_dir() {
            continue;
        }
        // Files beyond the limits are still handed over, cut short, so that the compiler says so.
        if files.len() > SCHEMA_FILES_MAX {
            break;
        }
        let size = fs::metadata(&path).map_err(|source| failed(&path, source))?.len();
        let text = if size > u64::try_from(SCHEMA_FILE_BYTES_MAX).unwrap_or(u64::MAX) {
            " ".repeat(SCHEMA_FILE_BYTES_MAX + 1)
        } else {
            fs::read_to_string(&path).map_err(|source| failed(&path, source))?
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        files.push(SchemaFile { name: format!("schema/{}", name.unwrap_or_default()), text });
    }
    Ok(files)
}

fn join(found: &[Diagnostic]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
