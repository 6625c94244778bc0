use rustix::io::Errno;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Which of an agent's files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileOf {
    /// What is remembered from tick to tick.
    State,
    /// What is about to be done.
    Journal,
}

/// A file of ours that is there and says nothing. Nothing may be changed on a guess of what it said.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("the {} {} is damaged: {cause}", .of.name(), .path.display())]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// Which one.
    pub of: FileOf,
    /// What is wrong with it.
    pub cause: String,
}

impl FileOf {
    fn name(self) -> &'static str {
        match self {
            Self::State => "state file",
            Self::Journal => "journal",
        }
    }
}

impl Damaged {
    /// The damage of a file.
    pub fn new(path: &Path, of: FileOf, cause: String) -> Self {
        Self {
            path: path.to_owned(),
            of,
            cause,
        }
    }

    /// The way out, and what it costs.
    pub fn hint(&self) -> String {
        let path = self.path.display();
        let costs = match self.of {
            FileOf::State => {
                "it forgets this agent's holds and quarantine; say them again with \
                 `agent-updater hold` before the next run"
            }
            FileOf::Journal => {
                "look first whether the package is installed completely, since a change that was cut \
                 off is not finished or undone any more"
            }
        };
        format!("restore it, or as root: mv {path} {path}.damaged ({costs})")
    }
}

/// Reads a file of ours; `None` when it is not there.
///
/// # Errors
/// [`Damaged`] for whatever is there and is not such a file; another error where it cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path, of: FileOf) -> anyhow::Result<Option<T>> {
    let damaged = |cause: String| Damaged::new(path, of, cause);
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            return Err(damaged("it is a folder".to_owned()).into());
        }
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(damaged("it is a link to itself".to_owned()).into());
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            // What is in the way is what has to be moved out of it.
            let is_file = |path: &&Path| path.symlink_metadata().is_ok_and(|found| !found.is_dir());
            let in_the_way = path.ancestors().skip(1).find(is_file).unwrap_or(path);
            let cause = "it is in the place of a folder".to_owned();
            return Err(Damaged::new(in_the_way, of, cause).into());
        }
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("read {}", path.display())));
        }
    };
    if bytes.is_empty() {
        return Err(damaged("it is empty".to_owned()).into());
    }
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    // Every field but this one may be missing in a file of another version of this program.
    if value
        .get("schema")
        .and_then(serde_json::Value::as_u64)
        .is_none()
    {
        return Err(damaged("it names no schema".to_owned()).into());
    }
    let read = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::agent::AgentState;

    #[test]
    fn whatever_is_no_state_is_damage_and_never_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.json");
        let load = || read::<AgentState>(&path, FileOf::State);
        assert_eq!(load().unwrap(), None);
        let mut whole = serde_json::to_value(AgentState::default()).unwrap();
        whole["schema"] = 1.into();
        fs::write(&path, whole.to_string()).unwrap();
        assert!(load().unwrap().is_some());
        let truncated = whole.to_string()[..whole.to_string().len() / 2].to_owned();
        whole["quarantine"] = 7.into();
        let table = [
            ("empty", Vec::new()),
            ("truncated", truncated.into_bytes()),
            ("zeros", vec![0; 4096]),
            ("bytes", vec![0xff, 0xfe, b'{', b'}']),
            ("a list", b"[]".to_vec()),
            ("nothing", b"{}".to_vec()),
            ("a word", b"null".to_vec()),
            ("a field of another type", whole.to_string().into_bytes()),
        ];
        for (what, content) in table {
            fs::write(&path, content).unwrap();
            let error = load().unwrap_err();
            let damaged = error.downcast_ref::<Damaged>();
            let damaged = damaged.unwrap_or_else(|| panic!("{what}: {error}"));
            assert!(
                damaged.to_string().contains("demo.json is damaged"),
                "{what}: {damaged}"
            );
            assert!(damaged.hint().contains("demo.json.damaged"), "{what}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(load().unwrap_err().downcast_ref::<Damaged>().is_some());
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink("demo.json", &path).unwrap();
        assert!(load().unwrap_err().downcast_ref::<Damaged>().is_some());
        fs::write(folder.path().join("agents"), "").unwrap();
        let below = folder.path().join("agents/demo.json");
        let error = read::<AgentState>(&below, FileOf::State).unwrap_err();
        let hint = error.downcast_ref::<Damaged>().unwrap().hint();
        assert!(
            hint.contains("/agents /") && hint.contains("/agents.damaged"),
            "{hint}"
        );
    }
}
