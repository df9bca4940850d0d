# shellcheck shell=bash disable=SC2154
# What cargo would publish, and what it installs, from a registry cache that is empty.

# The package without the tree around it.
unpacked() {
    rm -rf "$1"
    mkdir -p "$1"
    tar --extract --gzip --file target/package/sg_persist-*.crate --directory "$1" --strip-components 1
}

test_package() {
    # Everything is there for it, and nothing of it is complained about.
    cargo package --locked --allow-dirty --target-dir target >"$work/cargo-package" 2>&1
    cat "$work/cargo-package"
    lacks '[Ww]arning' "$work/cargo-package"
    cargo package --locked --allow-dirty --list | LC_ALL=C sort >"$work/list"
    for name in LICENSE README.md man/sg_persist.8 tests/packages/build src/bin/sg_persist/main.rs tests/suite/main.rs; do
        grep -qxF "$name" "$work/list"
    done
    lacks '^(\.ci|target|tests/fuzz)/' "$work/list"
}

# Whoever packages it for a distribution has the crate alone, and wants to know whether it works.
test_its_tests() {
    local folder
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    cargo package --locked --allow-dirty --no-verify --target-dir target
    unpacked "$folder/crate"
    cd "$folder/crate" || exit
    cargo test --locked --quiet --target-dir "$top/target"
}

# The places and linkers of other people's machines: a comma and a blank in every path, and each of Debian's linkers.

# In $folder: not below this checkout, whose settings cargo would find.
elsewhere() {
    base=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$base'" EXIT
    folder="$base/a, b"
    mkdir "$folder"
}

# linked FOLDER COMMAND...: the command builds in FOLDER, with each linker, what works.
linked() {
    mkdir -p "$1/linked"
    rm -f "$1"/linked/*
    (
        cd "$1" || exit
        export LINKED=$1/linked CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=$top/tests/packages/every-linker
        "${@:2}"
    )
    expect 0 $'gold\nld\nlld\nmold' ls "$1/linked"
    for name in gold ld lld mold; do
        same_program "$1/linked/$name"
    done
}

same_program() {
    expect 0 "$("$program" -V)" "$1" -V
    expect 0 "$("$program" -h)" "$1" -h
    expect 75 "$("$program" -n -k /dev/null 2>&1)" "$1" -n -k /dev/null
}

# is_static FILE...: each is one file that needs nothing else.
is_static() {
    local file
    for file; do
        readelf --program-headers "$file" >"$work/headers"
        lacks INTERP "$work/headers"
    done
}

test_checkout() {
    local base folder
    elsewhere
    git ls-files -z | tar --create --null --files-from - | tar --extract --directory "$folder"
    linked "$folder" cargo build --locked --release
    same_program "$folder/target/x86_64-unknown-linux-gnu/release/sg_persist"
    is_static "$folder"/linked/* "$folder/target/x86_64-unknown-linux-gnu/release/sg_persist"
    # The functions of a run stand where the linker left them: nobody's build needs tests/packages/order.ld.
    readelf --wide --section-headers "$folder/target/x86_64-unknown-linux-gnu/release/sg_persist" >"$work/sections"
    lacks 'text\.first' "$work/sections"

    (cd "$folder" && cargo install --locked --path . --root "$folder/installed")
    same_program "$folder/installed/bin/sg_persist"
    is_static "$folder/installed/bin/sg_persist"
}

# The crate with the settings that come with it: one static file, as a checkout gives.
test_install() {
    local base folder
    elsewhere
    cargo package --locked --allow-dirty --no-verify --target-dir target
    unpacked "$folder"
    export CARGO_HOME=$folder/home
    linked "$folder" cargo install --locked --path . --root "$folder/installed"
    same_program "$folder/installed/bin/sg_persist"
    is_static "$folder"/linked/* "$folder/installed/bin/sg_persist"
}

# From a registry cargo takes the crate without them: the program needs the C library of the machine, and works as well.
test_install_from_a_registry() {
    local base folder
    elsewhere
    cargo package --locked --allow-dirty --no-verify --target-dir target
    unpacked "$folder"
    rm -r "$folder/.cargo"
    linked "$folder" cargo install --locked --path . --root "$folder/installed"
    same_program "$folder/installed/bin/sg_persist"
    readelf --program-headers "$folder/installed/bin/sg_persist" | grep INTERP
}

# The oldest cargo and compiler that the manifest names.
test_oldest_toolchain() {
    local oldest
    oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    rustup toolchain install "$oldest" --profile minimal --no-self-update
    rustup run "$oldest" cargo build --locked --release --config profile.release.lto=false \
        --config profile.release.opt-level=0 --target-dir target/oldest
    same_program target/oldest/x86_64-unknown-linux-gnu/release/sg_persist
    is_static target/oldest/x86_64-unknown-linux-gnu/release/sg_persist
}

# What is released has its functions in order, whatever linker the machine's settings name, and says so where it has not.
test_order() {
    RUSTFLAGS='-C link-arg=-fuse-ld=mold' tests/packages/program x86_64-unknown-linux-musl
    readelf --wide --section-headers "$(tests/packages/program x86_64-unknown-linux-musl)" >"$work/sections"
    grep ' \.text\.first ' "$work/sections"
    grep ' \.bss\.last ' "$work/sections"
}
