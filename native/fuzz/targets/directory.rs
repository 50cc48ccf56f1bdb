//! What getdents64(2) writes: any bytes end, and entries as the kernel makes them are all found, in their order.
#![cfg_attr(feature = "libfuzzer", no_main)]

use kata_ts_native_fuzz::input::Input;
use kata_ts_native_fuzz::sys::files::add_entries;
use kata_ts_native_fuzz::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut found = Vec::new();
    add_entries(data, &mut found);
    assert!(found.len() * 19 <= data.len(), "more entries than headers");
    as_the_kernel_writes(&mut Input::new(data));
});

fn as_the_kernel_writes(input: &mut Input) {
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    while !input.is_empty() {
        let kind = input.byte();
        let name: Vec<u8> = input.some().iter().copied().filter(|byte| *byte != 0 && *byte != b'/').collect();
        // A name has at least one byte and a NUL behind it; records are padded to 8 bytes (fs/readdir.c).
        let length = (19 + name.len() + 1).next_multiple_of(8);
        let start = bytes.len();
        bytes.extend_from_slice(&[0xff; 16]);
        bytes.extend_from_slice(&(length as u16).to_ne_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(&name);
        bytes.resize(start + length, 0);
        if name != b"." && name != b".." {
            expected.push((String::from_utf8_lossy(&name).into_owned(), i32::from(kind)));
        }
    }
    let mut found = Vec::new();
    add_entries(&bytes, &mut found);
    let found: Vec<_> = found.into_iter().map(|entry| (entry.name, entry.type_)).collect();
    assert_eq!(found, expected);
}
