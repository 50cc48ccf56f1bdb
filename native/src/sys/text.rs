//! Text and digests

use crate::js::{Buffer, Checked, Mismatch, Text, text_of};
use crate::sys_functions;

mod sha256;

sys_functions! {
    /// A surrogate without its other half becomes U+FFFD, as with TextEncoder.
    fn utf8_encode as "utf8Encode"(text: Text) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        replace_surrogates(&mut bytes);
        bytes
    }

    /// Invalid sequences become U+FFFD.
    fn utf8_decode as "utf8Decode"(buffer: Buffer, offset: usize, length: usize) -> Checked<String> {
        let mut buffer = buffer;
        let range = buffer.range(offset, length).map_err(|_| Mismatch("a range inside the buffer"))?;
        Ok(text_of(range))
    }

    fn sha256 as "sha256"(data: Buffer) -> Vec<u8> {
        sha256::digest(&data).to_vec()
    }
}

/// The engine writes a lone surrogate as three bytes, ED A0…BF xx, which are no UTF-8: they become U+FFFD's three.
fn replace_surrogates(bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == 0xed) {
        let at = from + at;
        // ED 80…9F is an ordinary character (U+D000 to U+D7FF).
        if bytes.get(at + 1).is_some_and(|second| *second >= 0xa0) && at + 3 <= bytes.len() {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
        from = at + 1;
    }
}
