use crate::failure::Failure;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// A `<solvable …/>` and the element it stands in.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Solvable {
    /// The element around it: `solvable-list`, `to-install`, `to-upgrade` …
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) edition: String,
    pub(super) edition_before: Option<String>,
    pub(super) architecture: String,
    pub(super) repository: String,
    pub(super) status: String,
}

/// What zypper's `--xmlout` says.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) solvables: Vec<Solvable>,
    /// The number of packages that the summary of a transaction announces.
    pub(super) packages_to_change: Option<usize>,
    /// What it says to people: messages, and the descriptions of problems.
    pub(super) texts: String,
}

/// Reads an answer. Progress, messages and unknown elements are passed over; a solvable or a
/// document that cannot be read is an error.
pub(super) fn read(text: &str) -> Result<Answer, Failure> {
    let unexpected = |what: String| Failure::Unexpected(format!("zypper's XML: {what}"));
    let mut reader = Reader::from_str(text);
    let mut answer = Answer::default();
    let mut open: Vec<String> = Vec::new();
    let mut finished = false;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| unexpected(error.to_string()))?;
        let (element, empty) = match event {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::Text(text) if is_prose(&open) => {
                let text = text
                    .decode()
                    .map_err(|error| unexpected(error.to_string()))?;
                answer.texts.push_str(&text);
                continue;
            }
            // quick-xml hands out `&apos;` apart from the text around it.
            Event::GeneralRef(reference) if is_prose(&open) => {
                let name = reference.decode().unwrap_or_default();
                answer
                    .texts
                    .push_str(resolve_predefined_entity(&name).unwrap_or("?"));
                continue;
            }
            Event::End(_) => {
                if is_prose(&open) {
                    answer.texts.push('\n');
                }
                finished |= open.pop().is_some_and(|name| name == "stream");
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
        match name.as_str() {
            "solvable" => {
                let group = open.last().cloned().unwrap_or_default();
                let solvable = solvable(&element, group)
                    .ok_or_else(|| unexpected("a bad solvable".to_owned()))?;
                answer.solvables.push(solvable);
            }
            "install-summary" => {
                let number =
                    attribute(&element, "packages-to-change").and_then(|text| text.parse().ok());
                answer.packages_to_change =
                    Some(number.ok_or_else(|| unexpected("a bad summary".to_owned()))?);
            }
            _ => {}
        }
        if !empty {
            open.push(name);
        }
    }
    if finished {
        Ok(answer)
    } else {
        Err(unexpected("the document has no end".to_owned()))
    }
}

fn is_prose(open: &[String]) -> bool {
    open.last()
        .is_some_and(|name| name == "message" || name == "description")
}

fn solvable(element: &BytesStart<'_>, group: String) -> Option<Solvable> {
    let or_empty = |name: &str| attribute(element, name).unwrap_or_default();
    Some(Solvable {
        group,
        name: attribute(element, "name")?,
        // A search says `kind`, a summary says `type`.
        kind: attribute(element, "kind")
            .or_else(|| attribute(element, "type"))
            .unwrap_or_default(),
        edition: or_empty("edition"),
        edition_before: attribute(element, "edition-old"),
        architecture: or_empty("arch"),
        repository: or_empty("repository"),
        status: or_empty("status"),
    })
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    Some(
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .ok()?
            .into_owned(),
    )
}
