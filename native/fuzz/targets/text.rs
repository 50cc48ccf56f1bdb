//! Text between JavaScript and bytes, and the digest, each against a second opinion.
#![cfg_attr(feature = "libfuzzer", no_main)]

use kata_ts_native_fuzz::access::sha256;
use kata_ts_native_fuzz::input::Input;
use kata_ts_native_fuzz::js::{Buffer, FromJs, Text};
use kata_ts_native_fuzz::script;
use kata_ts_native_fuzz::sys::text::FUNCTIONS;
use kata_ts_native_fuzz::fuzz_target;
use sha2::Digest;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => decodes(&mut input),
        1 => encodes(&mut input),
        _ => {
            let bytes = input.rest();
            assert_eq!(sha256::digest(bytes)[..], sha2::Sha256::digest(bytes)[..]);
        }
    }
});

/// A range of bytes becomes the text that Rust's own decoder reads in it; a range outside is refused.
fn decodes(input: &mut Input) {
    let (offset, length) = (input.below(300), input.below(300));
    let bytes = input.rest();
    let arguments = vec![script::bytes(bytes), script::number(offset as f64), script::number(length as f64)];
    let result = script::call(&[FUNCTIONS], "utf8Decode", arguments);
    let Some(range) = bytes.get(offset..offset + length) else {
        assert!(result.is_none(), "a range outside was read");
        return;
    };
    let text = result.expect("a range inside");
    {
        let seen = Text::from_js(script::context(), text).unwrap_or_else(|_| panic!("no string"));
        assert_eq!(String::from_utf8_lossy(range).as_bytes(), seen.as_bytes());
    }
    script::free(text);
}

/// Any sequence of UTF-16 units becomes UTF-8, halves of pairs becoming U+FFFD.
fn encodes(input: &mut Input) {
    let mut units = Vec::new();
    while !input.is_empty() {
        // Much of it near what is special: surrogates, and what starts with the same byte as they do in UTF-8.
        let unit = match input.byte() {
            low @ 0..=127 => low.into(),
            128..=179 => 0xd800 | u16::from(input.byte()) << 2,
            180..=199 => 0xd000 | u16::from(input.byte()) << 3,
            _ => u16::from(input.byte()) << 8 | u16::from(input.byte()),
        };
        units.push(unit);
    }
    let result = script::call(&[FUNCTIONS], "utf8Encode", vec![script::string16(&units)]).expect("bytes");
    let expected: String = char::decode_utf16(units.iter().copied()).map(|unit| unit.unwrap_or('\u{fffd}')).collect();
    {
        let seen = Buffer::from_js(script::context(), result).unwrap_or_else(|_| panic!("no bytes"));
        assert_eq!(expected.as_bytes(), &seen[..]);
    }
    script::free(result);
}
