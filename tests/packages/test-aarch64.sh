# shellcheck shell=bash disable=SC2154
# The program for aarch64: built here, started in emulation.

test_program_and_packages() {
    local program version
    tests/packages/build aarch64-unknown-linux-gnu
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    program=target/packages/sg_persist-$version-aarch64-linux
    readelf --file-header "$program" | grep 'Machine: *AArch64'
    readelf --file-header "$program" | grep 'Type: *DYN'
    readelf --program-headers --dynamic "$program" >"$work/headers"
    lacks 'INTERP|NEEDED' "$work/headers"
    expect 0 "version: $version" qemu-aarch64-static "$program" -V
    expect 52 'sg_persist: error opening file /nonexistent (ro): No such file or directory' \
        qemu-aarch64-static "$program" -n -k /nonexistent
    # The emulator has no SG_IO.
    expect 88 'Persistent reservation in: pass-through os error: Function not implemented
PR in (Read keys): Function not implemented
sg_persist failed: Function not implemented' qemu-aarch64-static "$program" -n -k /dev/null
    # A change gets its thread: this C library wants the largest stacks.
    qemu-aarch64-static -strace "$program" -n -o -C -K 1 /dev/null 2>"$work/calls" || true
    grep 'clone(' "$work/calls"
    qemu-aarch64-static "$program" -h >"$work/help"
    "target/packages/sg_persist-$version-x86_64-linux" -h | cmp - "$work/help"

    expect 0 arm64 dpkg-deb --field target/packages/*-1_arm64.deb Architecture
    dpkg-deb --fsys-tarfile target/packages/*-1_arm64.deb | tar --extract --to-stdout ./usr/bin/sg_persist | cmp - "$program"
    expect 0 aarch64 rpm --query --package --queryformat '%{ARCH}\n' target/packages/*-1.aarch64.rpm
    rpm --query --package --dump target/packages/*-1.aarch64.rpm | grep "^/usr/bin/sg-persist .* $(sha256sum <"$program" | cut -d ' ' -f 1) "
}
