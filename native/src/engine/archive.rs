//! The modules of a bundle, one after the other in one blob:
//!
//! ```text
//!   entry: name length u32 LE │ data length u32 LE │ name │ data
//! ```
//! The first is the bundle's entry. `prelude.js`, where there is one, is evaluated before it; the others are chunks,
//! which are read when an import asks for them. Two are no modules but lists, an entry a line: `native-names`, the functions
//! of `native:sys` that the modules use, and `read-only-words`, the arguments with which the program runs from a
//! read-only mount of its file.

pub const PRELUDE: &[u8] = b"prelude.js";
pub const NATIVE_NAMES: &[u8] = b"native-names";
pub const READ_ONLY_WORDS: &[u8] = b"read-only-words";

pub struct Entry<'a> {
    pub name: &'a [u8],
    pub data: &'a [u8],
}

/// Reads a blob; ends at the first entry that is not whole.
pub fn entries(blob: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = blob;
    std::iter::from_fn(move || {
        let (name_length, behind) = length(rest)?;
        let (data_length, behind) = length(behind)?;
        let (name, behind) = behind.split_at_checked(name_length)?;
        let (data, behind) = behind.split_at_checked(data_length)?;
        rest = behind;
        Some(Entry { name, data })
    })
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word) as usize, rest))
}

pub fn append(blob: &mut Vec<u8>, name: &[u8], data: &[u8]) {
    for part in [name, data] {
        blob.extend_from_slice(&(part.len() as u32).to_le_bytes());
    }
    blob.extend_from_slice(name);
    blob.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_found_in_order() {
        let mut blob = Vec::new();
        let parts: [(&[u8], &[u8]); 3] = [(b"main.js", b"code"), (b"empty", b""), (b"x", b"\0\x01")];
        for (name, data) in parts {
            append(&mut blob, name, data);
        }
        let found: Vec<_> = entries(&blob).map(|entry| (entry.name, entry.data)).collect();
        assert_eq!(found, parts);
    }

    #[test]
    fn a_blob_that_is_cut_off_ends_early() {
        let mut blob = Vec::new();
        append(&mut blob, b"main.js", b"code");
        for length in 0..blob.len() {
            assert_eq!(entries(&blob[..length]).count(), 0);
        }
    }
}
