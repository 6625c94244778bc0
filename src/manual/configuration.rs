//! The page of the configuration, out of the example of it: blocks of comments, each above the
//! keys that it explains.

use crate::config::EXAMPLE;
use clap_mangen::roff::{Roff, bold, roman};

/// The example's first line, which is for whoever meets the file by itself.
const TITLE: &str = "agent-updater: /etc/agent-updater/config.toml";

/// What the example says of its own marks, and what stands for it in the page.
const MARKS: (&str, &str) = (
    "Below, `#key = value` shows a default. `##key = value` is an example of a key that has none.",
    "Below, a value marked (default) is what a key means that is not set; the others are examples.",
);

/// One paragraph of the example.
#[derive(Debug, Eq, PartialEq)]
enum Block<'a> {
    /// `# --- Health ---`
    Heading(&'a str),
    /// Comment lines, and the keys below them.
    Keys {
        comment: Vec<&'a str>,
        keys: Vec<Key<'a>>,
    },
}

#[derive(Debug, Eq, PartialEq)]
struct Key<'a> {
    /// `restart = "auto"`
    line: &'a str,
    /// Whether the value is the default, else an example.
    is_default: bool,
}

/// The page agent-updater.toml(5).
pub(crate) fn page() -> String {
    let mut roff = Roff::default();
    let version = concat!("agent-updater ", env!("CARGO_PKG_VERSION"));
    roff.control(
        "TH",
        ["agent-updater.toml", "5", "", version, "File Formats"],
    );
    roff.control("SH", ["NAME"]);
    roff.text([roman(
        "agent-updater.toml - which agents agent-updater(8) keeps up to date, and how",
    )]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman("/etc/agent-updater/config.toml")]);
    roff.control("br", []);
    roff.text([roman("/etc/agent-updater/config.d/*.toml")]);
    roff.control("SH", ["DESCRIPTION"]);
    let mut headed = false;
    for block in blocks(EXAMPLE) {
        match block {
            Block::Heading(title) => {
                headed = true;
                roff.control("SH", [title.to_uppercase().as_str()]);
            }
            Block::Keys { comment, keys } if keys.is_empty() => comments(&mut roff, &comment),
            Block::Keys { comment, keys } => {
                if !headed {
                    headed = true;
                    roff.control("SH", ["AN AGENT"]);
                }
                for (index, key) in keys.iter().enumerate() {
                    roff.control(if index == 0 { "TP" } else { "TQ" }, []);
                    let remark = if key.is_default { "   (default)" } else { "" };
                    roff.text([bold(key.line), roman(remark)]);
                }
                comments(&mut roff, &comment);
            }
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("agent-updater"), roman("(8)")]);
    roff.to_roff()
}

fn blocks(example: &str) -> Vec<Block<'_>> {
    let paragraphs = example.split("\n\n").map(str::trim);
    paragraphs
        .filter(|paragraph| !paragraph.is_empty())
        .map(block)
        .collect()
}

fn block(paragraph: &str) -> Block<'_> {
    if let Some(rest) = paragraph.strip_prefix("# --- ") {
        return Block::Heading(rest.trim_end_matches(['-', ' ']));
    }
    let (mut comment, mut keys) = (Vec::new(), Vec::new());
    for line in paragraph.lines() {
        if let Some(line) = line.strip_prefix("##") {
            keys.push(Key {
                line,
                is_default: false,
            });
        } else if line == "#" {
            comment.push("");
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if let Some(line) = line.strip_prefix('#') {
            keys.push(Key {
                line,
                is_default: true,
            });
        }
    }
    Block::Keys { comment, keys }
}

/// Comment lines as running text; indented ones as they stand.
fn comments(roff: &mut Roff, lines: &[&str]) {
    let mut is_verbatim = false;
    for line in lines {
        let indented = line.starts_with("  ");
        if indented != is_verbatim {
            roff.control(if indented { "nf" } else { "fi" }, []);
            is_verbatim = indented;
        }
        if line == &TITLE {
            continue;
        }
        let line = if line == &MARKS.0 { &MARKS.1 } else { line };
        if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(*line)]);
        }
    }
    if is_verbatim {
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_example_is_in_the_page() {
        let page = page();
        assert!(
            !page.contains("##key") && !page.contains(TITLE),
            "the marks of the example"
        );
        let mut count = 0;
        for block in blocks(EXAMPLE) {
            let Block::Keys { keys, .. } = block else {
                continue;
            };
            for key in keys {
                let name = key.line.split(" =").next().unwrap();
                assert!(page.contains(name), "{name}");
                count += 1;
            }
        }
        assert_eq!(count, EXAMPLE.lines().filter(|line| is_key(line)).count());
        assert!(count > 30, "{count}");
    }

    fn is_key(line: &str) -> bool {
        line.starts_with('#') && !line.starts_with("# ") && line != "#"
    }
}
