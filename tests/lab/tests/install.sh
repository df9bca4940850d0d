# shellcheck shell=bash disable=SC2154
# Two programs of one name on a machine that has sg3-utils, as README tells it: ours beside the packaged one, and in its
# place.
# needs: sg_turs:sg3-utils

packaged=/usr/bin/sg_persist

# The package, as the system's own tools see it. (The layer with its files, which the machine has, is not an installation.)
prepare() {
    local fetched=${lab%/*/*}/target/lab/fetched
    export_lun
    if ! dpkg -s sg3-utils 2>/run/err | grep -q '^Status: install ok installed'; then
        dpkg --force-unsafe-io -i "$fetched"/libsgutils2*.deb "$fetched"/sg3-utils_*.deb
    fi
    # Where cargo and administrators put it, and not where the other tests have it.
    PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    rm -f /usr/local/bin/sg_persist
}

# which PATH-NAME: is it ours? Only ours says so of itself in this way.
is_ours() {
    cmp -s "$1" /run/bin/sg_persist
}

test_beside() {
    install -m 755 /run/bin/sg_persist /usr/local/bin/sg_persist
    [[ $(command -v sg_persist) = /usr/local/bin/sg_persist ]] || fail "found: $(command -v sg_persist)"
    ! is_ours "$packaged" || fail 'the packaged program is gone'
    # Both work, on the same disk.
    succeeds sg_persist -n --out --register --param-sark=abc123 "$node1"
    succeeds "$packaged" -n --out --register --param-sark=123abc "$node2"
    answers 0 '  PR generation=0x2, 2 registered reservation keys follow:
    0xabc123
    0x123abc' '' sg_persist -n --in --read-keys "$node1"
    answers 0 '  PR generation=0x2, 2 registered reservation keys follow:
    0xabc123
    0x123abc' '' "$packaged" -n --in --read-keys "$node2"
}

test_in_its_place() {
    install -m 755 /run/bin/sg_persist /usr/local/bin/sg_persist
    dpkg-divert --local --rename --divert "$packaged.sg3-utils" --add "$packaged" >/run/out
    ln -s /usr/local/bin/sg_persist "$packaged"
    is_ours "$packaged" || fail 'ours is not in its place'
    succeeds "$packaged" -n --out --register --param-sark=abc123 "$node1"
    answers 0 '  PR generation=0x1, 1 registered reservation key follows:
    0xabc123' '' "$packaged.sg3-utils" -n --in --read-keys "$node1"

    # The package comes again, as with each of its updates: ours stays, its own goes where it was told.
    local fetched=${lab%/*/*}/target/lab/fetched
    rm "$packaged.sg3-utils"
    dpkg --force-unsafe-io -i "$fetched"/sg3-utils_*.deb
    is_ours "$packaged" || fail 'ours did not survive the update'
    answers 0 '  PR generation=0x1, 1 registered reservation key follows:
    0xabc123' '' "$packaged.sg3-utils" -n --in --read-keys "$node1"
    dpkg --verify sg3-utils >/run/out || :
    same 'what the package system finds wrong' '' /run/out || exit 1

    # And back.
    rm "$packaged"
    dpkg-divert --local --rename --remove "$packaged" >/run/out
    ! is_ours "$packaged" || fail 'ours is still in its place'
    [[ ! -e $packaged.sg3-utils ]] || fail 'the package has its program twice'
    answers 0 '  PR generation=0x1, 1 registered reservation key follows:
    0xabc123' '' "$packaged" -n --in --read-keys "$node1"
}
