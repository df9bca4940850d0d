//! How the program is linked: what every run uses stands together (`order.ld`).
#![allow(clippy::print_stdout, reason = "this is how cargo is told")]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-changed=src/order.ld");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // The names in the script are those of what is optimised, for this processor and this system.
    if is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_OS", "linux")
    {
        let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/src/order.ld");
    }
}
