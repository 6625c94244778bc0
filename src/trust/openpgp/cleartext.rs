use crate::trust::refusal::{Refusal, malformed};

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A text that is signed in place (RFC 9580, section 7), taken apart.
///
/// Stricter than the standard, so that nothing that was not signed can be taken for the text: the
/// message is the whole file, its only header is `Hash`, there is no carriage return, and every
/// line that starts with a dash is escaped. `gpgv` is content with text before and after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cleartext {
    /// The signed text: dashes unescaped, blanks at line ends (which no signature covers) removed,
    /// the last line without an end.
    pub(super) text: String,
    /// The armored signatures.
    pub(super) signatures: String,
}

impl Cleartext {
    /// Takes the bytes of an `InRelease` apart. Nothing is verified yet.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse = |what: &str| Err(malformed(format!("the signed text {what}")));
        let Ok(whole) = std::str::from_utf8(bytes) else {
            return refuse("is not UTF-8");
        };
        if whole.contains(['\r', '\0']) {
            return refuse("has a carriage return or a NUL");
        }
        let mut lines = whole.split('\n');
        if lines.next() != Some(BEGIN) {
            return Err(if whole.contains(BEGIN) {
                malformed("text stands before the signed text")
            } else {
                Refusal::NotSigned("the index".to_owned())
            });
        }
        loop {
            match lines.next() {
                Some("") => break,
                Some(header) if header.starts_with("Hash: ") => {}
                _ => return refuse("has an unknown header"),
            }
        }
        let mut text = Vec::new();
        loop {
            match lines.next() {
                None => return refuse("has no signature"),
                Some(SIGNATURE) => break,
                Some(line) => {
                    let line = match line.strip_prefix("- ") {
                        Some(escaped) => escaped,
                        None if line.starts_with('-') => {
                            return refuse("has a line with an unescaped dash");
                        }
                        None => line,
                    };
                    text.push(line.trim_end_matches([' ', '\t']));
                }
            }
        }
        let mut signatures = format!("{SIGNATURE}\n");
        loop {
            match lines.next() {
                None => return refuse("has a signature that is cut off"),
                Some(END) => break,
                Some(line) => {
                    signatures.push_str(line);
                    signatures.push('\n');
                }
            }
        }
        signatures.push_str(END);
        signatures.push('\n');
        if lines.any(|line| !line.is_empty()) {
            return Err(malformed("text stands after the signed text"));
        }
        Ok(Self {
            text: text.join("\n"),
            signatures,
        })
    }
}
