//! `claw keys tls`: a self-signed certificate, so that HTTPS can be tried without an authority.
//!
//! For development and tests: whoever is to trust it must be given the certificate itself. What
//! strangers reach needs one that an authority signed; this verb makes none of those.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::ToSpan as _;
use jiff::civil::Date;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::output;

/// Where the pair goes, in the store's folder.
const CERTIFICATE_FILE: &str = "keys/tls.crt";
const KEY_FILE: &str = "keys/tls.key";
/// What a machine calls itself.
const HOSTS_DEFAULT: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Longest life: what browsers accept at most.
const DAYS_MAX: i64 = 398;

/// Make a self-signed certificate for development, in keys/tls.crt and keys/tls.key.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw keys tls --store shop
  claw keys tls --host shop.test --host 192.168.1.10 --days 90 --store shop
  claw node --store shop --tls-certificate keys/tls.crt --tls-key keys/tls.key
  curl --cacert shop/keys/tls.crt https://localhost:7443/v1/health")]
pub(super) struct TlsArgs {
    /// A name or address that clients connect to; may be given several times
    #[arg(long, value_name = "NAME", default_values = HOSTS_DEFAULT)]
    host: Vec<String>,
    /// How long it is valid, from today
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = days())]
    days: i64,
    /// Put a new pair in the place of one that is there; a running node takes it over
    #[arg(long)]
    replace: bool,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

fn days() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(1..=DAYS_MAX)
}

/// Runs the verb.
pub(super) fn run(args: &TlsArgs) -> anyhow::Result<ExitCode> {
    let [certificate_path, key_path] =
        [CERTIFICATE_FILE, KEY_FILE].map(|file| args.store.join(file));
    let there = [&certificate_path, &key_path].into_iter().find(|path| path.exists());
    if let (Some(path), false) = (there, args.replace) {
        bail!("make a certificate: {} is there; --replace makes a new pair", path.display());
    }
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let made = make(args, today)?;
    // The key first: a node that looks in between sees a pair that does not match, and waits.
    write(&key_path, made.key_pem.as_bytes(), 0o600)?;
    write(&certificate_path, made.certificate_pem.as_bytes(), 0o644)?;
    if args.json {
        output::json(&json!({
            "certificate": certificate_path,
            "key": key_path,
            "hosts": args.host,
            "not_after": made.not_after.to_string(),
            "sha256": made.fingerprint,
        }))?;
    } else {
        output::data(&format!("{}  sha256 {}", certificate_path.display(), made.fingerprint))?;
        output::data(&key_path.display().to_string())?;
    }
    output::talk(&format!(
        "valid until {} for {}; self-signed: for development only. Serve it with [tls] \
         certificate = \"{CERTIFICATE_FILE}\", key = \"{KEY_FILE}\" in store.toml",
        made.not_after,
        args.host.join(", ")
    ));
    Ok(ExitCode::SUCCESS)
}

struct Made {
    certificate_pem: String,
    key_pem: String,
    not_after: Date,
    fingerprint: String,
}

fn make(args: &TlsArgs, today: Date) -> anyhow::Result<Made> {
    // A day back: clocks differ.
    let not_before = today.checked_sub(1.days()).context("count the days")?;
    let not_after = today.checked_add(args.days.days()).context("count the days")?;
    let mut params = CertificateParams::new(args.host.clone())
        .with_context(|| format!("name {} in a certificate", args.host.join(", ")))?;
    let [begin, end] = [ymd(not_before)?, ymd(not_after)?];
    params.not_before = rcgen::date_time_ymd(begin.0, begin.1, begin.2);
    params.not_after = rcgen::date_time_ymd(end.0, end.1, end.2);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, args.host[0].clone());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().context("make a key")?;
    let certificate = params.self_signed(&key).context("sign the certificate")?;
    let mut fingerprint = String::new();
    for byte in Sha256::digest(certificate.der()) {
        write!(fingerprint, "{byte:02x}").context("a String takes every byte")?;
    }
    Ok(Made {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        not_after,
        fingerprint,
    })
}

fn ymd(date: Date) -> anyhow::Result<(i32, u8, u8)> {
    let (month, day) = (u8::try_from(date.month())?, u8::try_from(date.day())?);
    Ok((i32::from(date.year()), month, day))
}

/// Replaces the file as a whole: whoever reads it meanwhile sees the old or the new one.
fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let attempt = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    attempt().with_context(|| format!("write {}", path.display()))
}
