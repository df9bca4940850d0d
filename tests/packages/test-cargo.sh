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
    for name in LICENSE README.md man/sg_persist.8 tests/packages/build src/main.rs tests/whole_runs.rs; do
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

test_install() {
    local folder
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    cargo package --locked --allow-dirty --no-verify --target-dir target
    unpacked "$folder/crate"
    CARGO_HOME=$folder/home cargo install --locked --path "$folder/crate" --root "$folder/installed" --target-dir "$folder/target"
    expect 0 "$("$program" -V)" "$folder/installed/bin/sg_persist" -V
    expect 0 "$("$program" -h)" "$folder/installed/bin/sg_persist" -h
    # One static file, as a checkout gives.
    readelf --program-headers "$folder/installed/bin/sg_persist" >"$work/headers"
    lacks INTERP "$work/headers"
}
