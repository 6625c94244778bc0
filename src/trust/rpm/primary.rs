use super::package::Nevra;
use super::repomd::{checksum, names, once};
use super::xml::{Step, Walk, attribute};
use crate::trust::apt::is_location;
use crate::trust::compression::decoded;
use crate::trust::digest::{Checksum, Expected};
use crate::trust::refusal::{Refusal, malformed};
use std::io::BufRead;

/// Largest `primary.xml`, decompressed; Fedora's whole release is a third of it. Memory does not
/// grow with it.
const MOST_BYTES: u64 = 1 << 30;

/// A package as the index lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rpm {
    /// Its file in the repository, size and checksum.
    pub file: Expected,
}

/// A `<package>` while it is read.
#[derive(Default)]
struct Package {
    name: Option<String>,
    architecture: Option<String>,
    version: Option<[String; 3]>,
    checksum_kind: Option<String>,
    checksum: Option<Result<Checksum, Refusal>>,
    size: Option<u64>,
    location: Option<String>,
}

/// Finds a package in a `primary.xml`, plain or compressed, by equality of everything in its name,
/// and checks the file against `repomd.xml` while it is read. `None` when the file is right and does
/// not list it.
///
/// A caller that has the file on disk compares it first ([`Expected::check`]), so that bytes that
/// nobody signed reach neither decoder nor parser.
pub fn find_rpm(
    primary: impl BufRead,
    expected: &Expected,
    wanted: &Nevra,
) -> Result<Option<Rpm>, Refusal> {
    let mut reader = expected.reading(primary);
    let found = decoded(&mut reader, "primary.xml").and_then(|document| search(document, wanted));
    reader.finish().map_err(|_| expected.mismatch())?;
    found
}

/// Lists everything of that name in a `primary.xml`, in its order, and checks the file against
/// `repomd.xml` while it is read, as [`find_rpm`] does.
pub fn list_rpms(
    primary: impl BufRead,
    expected: &Expected,
    name: &str,
) -> Result<Vec<Nevra>, Refusal> {
    let mut reader = expected.reading(primary);
    let mut list = Vec::new();
    let read = decoded(&mut reader, "primary.xml").and_then(|document| {
        each_package(document, |package| {
            list.extend(package.nevra().filter(|nevra| nevra.name == name));
            Ok(())
        })
    });
    reader.finish().map_err(|_| expected.mismatch())?;
    read.map(|()| list)
}

fn search(document: impl BufRead, wanted: &Nevra) -> Result<Option<Rpm>, Refusal> {
    let mut found: Option<Rpm> = None;
    each_package(document, |package| {
        let Some(rpm) = package.rpm(wanted)? else {
            return Ok(());
        };
        if found.as_ref().is_some_and(|other| *other != rpm) {
            return Err(malformed(format!("the index lists {wanted} twice")));
        }
        found = Some(rpm);
        Ok(())
    })?;
    Ok(found)
}

/// Hands over every `<package>`.
fn each_package(
    document: impl BufRead,
    mut take: impl FnMut(Package) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut walk = Walk::new(document, MOST_BYTES);
    let mut package = Package::default();
    loop {
        match walk.step()? {
            Step::End => return Ok(()),
            Step::Open(path, element) => match names(path).as_slice() {
                ["metadata", "package"] => package = Package::default(),
                ["metadata", "package", "version"] => {
                    let epoch = attribute(&element, "epoch").unwrap_or_else(|| "0".to_owned());
                    let version = (|| {
                        let (version, release) =
                            (attribute(&element, "ver")?, attribute(&element, "rel")?);
                        Some([epoch, version, release])
                    })();
                    once(&mut package.version, version, "version")?;
                }
                ["metadata", "package", "checksum"] => {
                    package.checksum_kind = attribute(&element, "type");
                }
                ["metadata", "package", "size"] => {
                    let size = attribute(&element, "package").and_then(|text| text.parse().ok());
                    once(&mut package.size, size, "size")?;
                }
                ["metadata", "package", "location"] => {
                    // `xml:base` would lead to another server.
                    let href = attribute(&element, "href").filter(|path| is_location(path));
                    once(
                        &mut package.location,
                        href.or_else(|| Some(String::new())),
                        "location",
                    )?;
                }
                [root] if *root != "metadata" => {
                    return Err(malformed("primary.xml is something else"));
                }
                _ => {}
            },
            Step::Close(path, text) => match names(path).as_slice() {
                ["metadata", "package", "name"] => {
                    once(&mut package.name, Some(text.to_owned()), "name")?;
                }
                ["metadata", "package", "arch"] => {
                    once(&mut package.architecture, Some(text.to_owned()), "arch")?;
                }
                ["metadata", "package", "checksum"] => {
                    let found = checksum(package.checksum_kind.as_deref(), text);
                    once(&mut package.checksum, Some(found), "checksum")?;
                }
                ["metadata", "package"] => take(std::mem::take(&mut package))?,
                _ => {}
            },
        }
    }
}

impl Package {
    /// Everything in its name, where all of it is there and can be read.
    fn nevra(&self) -> Option<Nevra> {
        let [epoch, version, release] = self.version.as_ref()?;
        Some(Nevra {
            name: self.name.clone()?,
            epoch: epoch.parse().ok()?,
            version: version.clone(),
            release: release.clone(),
            architecture: self.architecture.clone()?,
        })
    }

    /// The package, when it is the wanted one.
    fn rpm(self, wanted: &Nevra) -> Result<Option<Rpm>, Refusal> {
        if self.nevra().as_ref() != Some(wanted) {
            return Ok(None);
        }
        let incomplete = || {
            malformed(format!(
                "size, checksum or location of {wanted} in the index"
            ))
        };
        let file = Expected {
            name: self
                .location
                .filter(|location| !location.is_empty())
                .ok_or_else(incomplete)?,
            size: Some(self.size.ok_or_else(incomplete)?),
            checksum: self.checksum.ok_or_else(incomplete)??,
        };
        Ok(Some(Rpm { file }))
    }
}
