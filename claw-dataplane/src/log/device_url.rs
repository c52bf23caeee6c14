//! Device URLs, as given on the command line.
//!
//! Owns their grammar: `file:DIR`, and `fault:PLAN:file:DIR` for tests. The other kinds that the
//! interface names are refused with what to use instead.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::fault_plan::{FaultPlan, FaultPlanError};

/// Where a log lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUrl {
    /// The folder.
    pub folder: PathBuf,
    /// What is to go wrong, in tests.
    pub faults: Option<FaultPlan>,
}

impl DeviceUrl {
    /// The URL of a folder.
    pub fn file(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), faults: None }
    }
}

/// A device URL that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceUrlError {
    /// Nothing behind the colon.
    #[error("the device {url} names no folder; write file:DIR")]
    FolderMissing {
        /// As given.
        url: String,
    },
    /// The plan of a fault device is wrong.
    #[error("the fault plan of the device {url} is wrong")]
    Plan {
        /// As given.
        url: String,
        /// What is wrong with it.
        #[source]
        source: FaultPlanError,
    },
    /// No driver for this kind.
    #[error("there is no driver for the device {url}; write file:DIR")]
    Unsupported {
        /// As given.
        url: String,
    },
}

impl FromStr for DeviceUrl {
    type Err = DeviceUrlError;

    fn from_str(url: &str) -> Result<Self, DeviceUrlError> {
        let unsupported = || DeviceUrlError::Unsupported { url: url.into() };
        let (kind, rest) = url.split_once(':').ok_or_else(unsupported)?;
        match kind {
            "file" if rest.is_empty() => Err(DeviceUrlError::FolderMissing { url: url.into() }),
            "file" => Ok(Self::file(rest)),
            "fault" => {
                let (plan, inner) = rest.split_once(':').ok_or_else(unsupported)?;
                let inner: Self = inner.parse()?;
                if inner.faults.is_some() {
                    return Err(unsupported());
                }
                let plan = plan
                    .parse()
                    .map_err(|source| DeviceUrlError::Plan { url: url.into(), source })?;
                Ok(Self { faults: Some(plan), ..inner })
            }
            _ => Err(unsupported()),
        }
    }
}

impl fmt::Display for DeviceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(faults) = &self.faults {
            write!(formatter, "fault:{faults}:")?;
        }
        write!(formatter, "file:{}", self.folder.display())
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceUrl, DeviceUrlError};

    #[test]
    fn urls_survive_printing() {
        for url in [
            "file:data/log",
            "fault:eio-after=3:file:/srv/log",
            "fault:volatile-cache=7,no-flush:file:log",
        ] {
            assert_eq!(url.parse::<DeviceUrl>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn other_kinds_are_refused_with_what_to_use() {
        for url in ["block:/dev/nvme1n1", "data/log", "fault:no-flush:block:x"] {
            let error = url.parse::<DeviceUrl>().unwrap_err();
            assert!(matches!(error, DeviceUrlError::Unsupported { .. }));
            assert!(error.to_string().contains("file:DIR"));
        }
        assert!(matches!(
            "fault:eio-after=soon:file:x".parse::<DeviceUrl>(),
            Err(DeviceUrlError::Plan { .. })
        ));
        assert!(matches!("file:".parse::<DeviceUrl>(), Err(DeviceUrlError::FolderMissing { .. })));
    }
}
