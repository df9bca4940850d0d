//! One logical unit that is named twice.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::multipath::Maps;

/// Two of `names` that lead to one logical unit, as far as the machine knows.
pub(super) fn named_twice(maps: &dyn Maps, names: &[OsString]) -> Option<[OsString; 2]> {
    let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let identities = maps.identities(Path::new(name)).into_iter();
        // What is not there may come, under that name.
        let typed = [b"name ", name.as_encoded_bytes()].concat();
        for identity in identities.map(String::into_bytes).chain([typed]) {
            if let Some(&other) = seen.get(&identity) {
                return Some([names[other].clone(), name.clone()]);
            }
            seen.insert(identity, index);
        }
    }
    None
}
