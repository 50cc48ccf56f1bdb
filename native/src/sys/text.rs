//! Text and digests

use crate::js::{Buffer, Checked, Mismatch, Text, text_of};
use crate::sys_functions;

mod sha256;

sys_functions! {
    fn utf8_encode as "utf8Encode"(text: Text) -> Vec<u8> {
        text.as_bytes().to_vec()
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
