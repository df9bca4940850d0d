# shellcheck shell=bash disable=SC2154
# One logical unit with 217 registrations, whose full status (48 bytes each) is longer than the original's room for it. The
# Linux target writes behind a buffer that is too small for it, into whatever comes there: this machine must live on.
# targets: lio lio-current

registrations=217

# 217 nexuses, to one backing store: 7 names with 31 portals each. Sets nodes to their sg nodes.
prepare() {
    local name portal initiator tpg address generic
    load_target tcm_loop
    make_store
    nodes=()
    for ((name = 0; name < 7; name++)); do
        for ((portal = 0; portal < 31; portal++)); do
            printf -v tpg '%s/loopback/naa.60014050000000%02x/tpgt_%d' "$config" "$name" "$portal"
            printf -v initiator '6001405000%02x%04x' "$name" "$portal"
            mkdir -p "$tpg"
            [[ ! -e $tpg/rtpi ]] || echo $((name * 31 + portal + 1)) >"$tpg/rtpi"
            mkdir "$tpg/lun/lun_0"
            echo "naa.$initiator" >"$tpg/nexus"
            ln -s "$store" "$tpg/lun/lun_0/"
            read -r address <"$tpg/address"
            await has_entry "/sys/class/scsi_device/$address:0/device/scsi_generic" || return
            for generic in "/sys/class/scsi_device/$address:0/device/scsi_generic"/*; do
                nodes+=("/dev/${generic##*/}")
            done
        done
    done
    for ((number = 0; number < registrations; number++)); do
        await test -c "${nodes[number]}" || return
        printf -v key 'abc%03x' "$number"
        succeeds prout --register --param-sark="$key" "${nodes[number]}"
    done
}

# alive: the target has not written where nothing of it is.
alive() {
    ! dmesg | grep -qE 'Oops|BUG:|general protection' || fail "the kernel: $(dmesg | grep -E 'Oops|BUG:|general protection')"
}

# Every list is whole, whatever the room that was asked for, and each of the ways to read it a hundred times.
whole() {
    local line round
    ((${#nodes[@]} == registrations)) || fail "${#nodes[@]} nodes"
    for ((round = 0; round < 100; round++)); do
        for line in '-s' '-s -j' '-s -y -H' '-s -v'; do
            # shellcheck disable=SC2086
            prin $line "${nodes[round]}" >/run/out 2>/run/err || fail "$line: status $?: $(cat /run/err)"
            case $line in
            -s) (($(grep -c '^    Key=' /run/out) == registrations)) || fail "$line: $(grep -c '^    Key=' /run/out)" ;;
            '-s -j') (($(grep -c '"relative_target_port"' /run/out) == registrations)) || fail "$line" ;;
            esac
        done
        sg_persist --overview "${nodes[round]}" >/run/out 2>/run/err || fail "overview: status $?: $(cat /run/err)"
        grep -q "^$registrations registrations:\$" /run/out || fail "overview: $(grep registrations /run/out)"
        # More than was asked for is not shown, nor is it found out by asking for too little.
        prin -s -m 1024 "${nodes[round]}" >/run/out 2>/run/err && fail 'a part of the list' || (($? == 97)) ||
            fail "status: $(cat /run/err)"
        [[ ! -s /run/out ]] || fail "$(cat /run/out)"
    done
    alive
}

# The keys, in rooms that end anywhere: all of them or none.
keys() {
    local room
    prin -k "${nodes[0]}" >/run/out || fail "status $?"
    (($(grep -c '^    0xabc' /run/out) == registrations)) || fail "$(head -1 /run/out)"
    for ((room = 1; room < 8192; room += 97)); do
        if prin -k -m "$room" "${nodes[0]}" >/run/out 2>/run/err; then
            (($(grep -c '^    0xabc' /run/out) == registrations)) || fail "-m $room: $(head -1 /run/out)"
        else
            [[ ! -s /run/out ]] || fail "-m $room: $(head -1 /run/out)"
        fi
    done
    for ((room = 1743; room < 1754; room++)); do
        prin -k -m "$room" "${nodes[0]}" >/run/out 2>/run/err && status=0 || status=$?
        ((status == (room < 1744 ? 97 : 0))) || fail "-m $room: status $status"
    done
    alive
}

# Programs that change it read it, too.
verified() {
    succeeds prout --register-ignore --param-sark=def --verify "${nodes[100]}"
    succeeds prout --preempt --param-rk=abc000 --param-sark=def --prout-type=5 --verify "${nodes[0]}"
    prin -s "${nodes[0]}" >/run/out || fail "status $?"
    (($(grep -c '^    Key=' /run/out) == registrations - 1)) || fail "$(grep -c '^    Key=' /run/out)"
    alive
}

test_lists_are_whole_and_the_target_lives() {
    whole
    keys
    verified
}
