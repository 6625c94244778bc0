use crate::trust::refusal::{Refusal, malformed};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// Deepest element of the two documents is the fifth.
const MOST_DEPTH: usize = 32;
/// Largest single piece: a text, a tag.
const MOST_PIECE: u64 = 4 << 20;

/// One step through a document, elements by their names from the root.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// An element begins; the path ends with it.
    Open(&'a [String], BytesStart<'a>),
    /// An element ends; the path ends with it, the text is all that stood directly in it.
    Close(&'a [String], &'a str),
    /// The document ended, with every element closed.
    End,
}

/// Walks a document whose size nobody vouches for: with limits on the whole, on one piece and on
/// depth, and without document types or entities of its own.
#[derive(Debug)]
pub(super) struct Walk<R: BufRead> {
    reader: Reader<Limited<R>>,
    piece: Rc<Cell<u64>>,
    buffer: Vec<u8>,
    path: Vec<String>,
    texts: Vec<String>,
    closing: bool,
    seen_root: bool,
    text: String,
}

impl<R: BufRead> Walk<R> {
    pub(super) fn new(document: R, most_bytes: u64) -> Self {
        let piece = Rc::new(Cell::new(0));
        let limited = Limited {
            inner: document,
            left: most_bytes,
            piece: Rc::clone(&piece),
        };
        let mut reader = Reader::from_reader(limited);
        // An empty element is told as an opening and a closing.
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            piece,
            buffer: Vec::new(),
            path: Vec::new(),
            texts: Vec::new(),
            closing: false,
            seen_root: false,
            text: String::new(),
        }
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Refusal> {
        if std::mem::take(&mut self.closing) {
            self.path.pop();
        }
        loop {
            self.buffer.clear();
            self.piece.set(0);
            let event = self
                .reader
                .read_event_into(&mut self.buffer)
                .map_err(|error| malformed(format!("XML: {error}")))?;
            match event {
                Event::Start(element) => {
                    let element = element.into_owned();
                    self.open(&element)?;
                    return Ok(Step::Open(&self.path, element));
                }
                Event::End(_) => {
                    self.closing = true;
                    self.text = self.texts.pop().unwrap_or_default();
                    return Ok(Step::Close(&self.path, &self.text));
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| malformed("XML: not UTF-8"))?;
                    if let Some(texts) = self.texts.last_mut() {
                        texts.push_str(&text);
                    } else if !text.trim().is_empty() {
                        return Err(malformed("XML: text outside of the document"));
                    }
                }
                // No value that is looked at has one; a mark keeps it from being mistaken.
                Event::GeneralRef(_) | Event::CData(_) => {
                    if let Some(text) = self.texts.last_mut() {
                        text.push('\u{fffd}');
                    }
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
                Event::DocType(_) => return Err(malformed("XML: a document type")),
                Event::Eof if self.path.is_empty() && self.seen_root => return Ok(Step::End),
                Event::Eof => return Err(malformed("XML: the document is cut off")),
            }
        }
    }

    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), Refusal> {
        if self.path.is_empty() && std::mem::replace(&mut self.seen_root, true) {
            return Err(malformed("XML: a second document"));
        }
        if self.path.len() == MOST_DEPTH {
            return Err(malformed("XML: too deep"));
        }
        self.path
            .push(String::from_utf8_lossy(element.name().as_ref()).into_owned());
        self.texts.push(String::new());
        Ok(())
    }
}

/// The value of an attribute.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    Some(
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .ok()?
            .into_owned(),
    )
}

#[derive(Debug)]
struct Limited<R> {
    inner: R,
    left: u64,
    piece: Rc<Cell<u64>>,
}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 || self.piece.get() > MOST_PIECE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too large"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.piece.set(self.piece.get() + amount as u64);
        self.inner.consume(amount);
    }
}
