# shellcheck shell=bash disable=SC2154
# needs: dmsetup:dmsetup
# tools: ours
# The program killed at random moments while it changes the maps of two nodes, with SIGKILL and SIGTERM: half of a change
# is nobody's right to write that has none, and the same command given again brings it to its end. LAB_SECONDS is how long.
. "$lab/guest/tcmu.sh"
. "$lab/guest/maps.sh"

prepare() {
    export_lun 5
    make_map first "$node1" "$node2"
    first=$map
    make_map second "$node3" "$node4"
}

test_killed_at_maps() {
    load_tools
    lab-tools kill-maps /run/bin/sg_persist "${LAB_SECONDS-60}" "$node5" "$first" "$node1" "$node2" "$map" "$node3" \
        "$node4" >/run/killed 2>&1 || fail "$(cat /run/killed)"
    keep "$(cat /run/killed)"
}
