//! What the package manager printed in each transaction: two files each, `TIME-AGENT.out` and `.err`.

use super::Layout;
use std::fs;

/// So many transactions of an agent are kept.
pub const KEPT: usize = 30;

/// Removes an agent's oldest transcripts; the history goes on naming them.
pub fn rotate(layout: &Layout, agent: &str, kept: usize) {
    for ending in [".out", ".err"] {
        let mut names: Vec<_> = fs::read_dir(layout.transcripts())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| {
                let rest = name.split_once('-').map(|(_time, rest)| rest);
                rest.and_then(|rest| rest.strip_suffix(ending)) == Some(agent)
            })
            .collect();
        // Their names begin with the time.
        names.sort_unstable();
        for name in names.iter().take(names.len().saturating_sub(kept)) {
            // What cannot be removed now is met again by the next transaction.
            let _ = fs::remove_file(layout.transcripts().join(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_the_agent_stay() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        fs::create_dir_all(layout.transcripts()).unwrap();
        rotate(&layout, "missing", 2);
        let names = |day: u32| {
            ["demo.out", "demo.err", "other-demo.out"]
                .map(|rest| format!("202611{day:02}T001426.354Z-{rest}"))
        };
        for day in 1..=4 {
            for name in names(day) {
                fs::write(layout.transcripts().join(name), "").unwrap();
            }
        }
        rotate(&layout, "demo", 2);
        let is_there = |name: &String| layout.transcripts().join(name).exists();
        let left = |day| names(day).each_ref().map(is_there);
        assert_eq!(left(2), [false, false, true]);
        assert_eq!(left(3), [true, true, true]);
        assert_eq!(left(4), [true, true, true]);
    }
}
