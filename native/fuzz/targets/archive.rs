//! The blob of modules: any bytes end; what was appended is found again.
#![cfg_attr(feature = "libfuzzer", no_main)]

use kata_ts_native_fuzz::access::archive;
use kata_ts_native_fuzz::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut again = Vec::new();
    for entry in archive::entries(data) {
        archive::append(&mut again, entry.name, entry.data);
    }
    assert!(data.starts_with(&again), "the entries are not the bytes they were read from");
});
