//! Large inputs out of small ones. A blow-up that grows with the square of the input's size does
//! not show in the few kilobytes that mutation reaches.

/// Sizes of each form, in bytes: one below the version server's limit, and a large one.
const SIZES: [usize; 2] = [48 << 10, 192 << 10];
/// Most lines of an input of which forms are made.
const MOST_LINES: usize = 40;

/// The whole repeated, each of its lines repeated where it stands, and each kind of opening
/// bracket and quote repeated.
pub(crate) fn forms_of(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    SIZES
        .into_iter()
        .flat_map(move |size| forms_of_size(data, size))
}

fn forms_of_size(data: &[u8], size: usize) -> impl Iterator<Item = Vec<u8>> {
    let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
    let whole = std::iter::once((0, data.len(), data.len()));
    let mut at = 0;
    let each: Vec<(usize, usize, usize)> = lines
        .iter()
        .take(MOST_LINES)
        .map(|line| {
            let start = at;
            at += line.len();
            (start, line.len(), at)
        })
        .collect();
    // A line without its end grows in itself.
    let long = each
        .clone()
        .into_iter()
        .map(|(start, length, end)| (start, length.saturating_sub(1), end));
    let forms = whole.chain(each.clone()).chain(long);
    let repeated = forms
        .filter(|(_, length, _)| *length > 0)
        .map(move |(start, length, end)| {
            let mut form = data[..start].to_vec();
            while form.len() < size {
                form.extend_from_slice(&data[start..start + length]);
            }
            form.extend_from_slice(&data[end.min(data.len())..]);
            form
        });
    let brackets = [
        &b"["[..],
        b"{",
        b"<a>",
        b"{\"a\":",
        b"(",
        b"\"",
        b" ",
        b"a.",
        b"1",
        b"%",
    ];
    let half = data.len() / 2;
    let bracketed = brackets.into_iter().map(move |bracket| {
        let mut form = data[..half].to_vec();
        form.extend(bracket.repeat(size / bracket.len()));
        form.extend_from_slice(&data[half..]);
        form
    });
    repeated.chain(bracketed)
}
