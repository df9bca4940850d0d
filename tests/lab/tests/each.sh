# shellcheck shell=bash disable=SC2154
# tools: ours
# --each and --devices-from: the same done to many logical units at once, each with two nodes.
. "$lab/guest/tcmu.sh"

units=20

# The units' nodes on this host and those of the other: ours and theirs, /dev/sdX each.
prepare() {
    if [[ ! -e /run/many ]]; then
        load_target tcm_loop
        export_many
        # Sourced in a function, they would be its own.
        declare -p ours theirs addresses | sed 's/^declare -a/declare -ga/' >/run/many
    fi
    # shellcheck disable=SC1091
    . /run/many
    printf '%s\n' "${ours[@]}" >/run/ours
    printf '%s\n' "${theirs[@]}" >/run/theirs
    settle
    sg_persist --devices-from=/run/ours -n -o -I -S 1 >/run/out 2>/run/err || fail "$(cat /run/err)"
    sg_persist --devices-from=/run/ours -n -o -C -K 1 >/run/out 2>/run/err || fail "$(cat /run/err)"
    settle
}

# What happened to the units before is told to a question, and not to what follows.
settle() {
    sg_persist --devices-from=/run/ours --has-key=1 >/run/out 2>&1 || (($? == 36)) || fail "$(head -n 5 /run/out)"
    sg_persist --devices-from=/run/theirs --has-key=1 >/run/out 2>&1 || (($? == 36)) || fail "$(head -n 5 /run/out)"
}

export_many() {
    local number side tpg address nodes
    stores=() ours=() theirs=() addresses=()
    for ((number = 0; number < units; number++)); do
        make_store
        stores+=("$store")
    done
    for side in 1 2; do
        tpg=$config/loopback/naa.60014050000000f$side/tpgt_1
        mkdir -p "$tpg"
        [[ ! -e $tpg/rtpi ]] || echo "$side" >"$tpg/rtpi"
        echo "naa.600140500001000$side" >"$tpg/nexus"
        read -r address <"$tpg/address"
        for ((number = 0; number < units; number++)); do
            mkdir "$tpg/lun/lun_$number"
            ln -s "${stores[number]}" "$tpg/lun/lun_$number/"
        done
        for ((number = 0; number < units; number++)); do
            nodes=/sys/class/scsi_device/$address:$number/device/block
            await has_entry "$nodes" || return
            nodes=("$nodes"/*)
            await test -b "/dev/${nodes[0]##*/}" || return
            case $side in
            1) ours+=("/dev/${nodes[0]##*/}") addresses+=("$address:$number") ;;
            2) theirs+=("/dev/${nodes[0]##*/}") ;;
            esac
        done
    done
}

# many STATUS COUNT WORD...: ends with that status and has so many lines that end in "done".
many() {
    local wanted=$1 count=$2 status found
    shift 2
    sg_persist "$@" >/run/out 2>/run/err && status=0 || status=$?
    ((status == wanted)) || fail "status $status: $(head -n 5 /run/err)"
    found=$(grep -c "${words-done\$}" /run/out || :)
    ((found == count)) || fail "$found lines: $(head -n 5 /run/out) $(head -n 5 /run/err)"
}

test_all_units_are_registered_read_and_preempted() {
    local begin end
    many 0 "$units" --devices-from=/run/ours -n -o -G -S abc
    many 0 "$units" --devices-from=/run/theirs -n -o -G -S def
    begin=${EPOCHREALTIME/./}
    words='^    0xdef' many 0 "$units" --devices-from=/run/ours -n -k
    end=${EPOCHREALTIME/./}
    keep "$units units: keys read after $(((end - begin) / 1000)) ms"
    grep '^/dev' /run/out >/run/order
    same 'order' "$(sed 's/$/:/' /run/ours)" /run/order || exit 1
    many 0 "$units" --devices-from=/run/theirs -n -o -R -T 5 -K def
    begin=${EPOCHREALTIME/./}
    many 0 "$units" --devices-from=/run/ours -n -o -P -T 5 -K abc -S def --first-decides
    end=${EPOCHREALTIME/./}
    keep "$units units: preempted after $(((end - begin) / 1000)) ms"
    words='yes$' many 0 "$units" --devices-from=/run/ours --holder-is=abc
    words='yes$' many 36 0 --devices-from=/run/ours --has-key=def
    # One after the other, by processes of their own.
    begin=${EPOCHREALTIME/./}
    for node in "${ours[@]}"; do sg_persist -n -k "$node" >/run/out 2>/run/err || fail "$(cat /run/err)"; done
    end=${EPOCHREALTIME/./}
    keep "$units units: keys read in a loop after $(((end - begin) / 1000)) ms"
}

# The other node was faster on the first unit.
test_the_first_decides() {
    many 0 "$units" --devices-from=/run/ours -n -o -G -S abc
    many 0 "$units" --devices-from=/run/theirs -n -o -G -S def
    succeeds sg_persist -n -o -P -T 5 -K def -S abc "${theirs[0]}"
    settle
    words='not sent: it was not done on' many 24 $((units - 1)) --devices-from=/run/ours -n -o -P -T 5 -K abc -S def \
        --first-decides
    words='yes$' many 0 "$units" --devices-from=/run/theirs --has-key=def
}

test_some_units_are_offline() {
    local number
    many 0 "$units" --devices-from=/run/ours -n -o -G -S abc
    for number in 3 4 5; do echo offline >"/sys/class/scsi_device/${addresses[number]}/device/state"; done
    words='yes$' many 39 $((units - 3)) --devices-from=/run/ours --has-key=abc
    grep -q "^${ours[3]}: " /run/err || fail "$(cat /run/err)"
    sg_persist --devices-from=/run/ours -n -k -j >/run/out 2>/run/err && fail 'all well' || (($? == 39)) || fail "$(cat /run/err)"
    (($(grep -c '"device": "/dev/sd' /run/out) == units)) || fail "$(head -n 20 /run/out)"
    for number in 3 4 5; do echo running >"/sys/class/scsi_device/${addresses[number]}/device/state"; done
}

# Two nodes of one unit are one to be changed, and two to be asked.
test_one_unit_named_twice() {
    local generic status
    generic=(/sys/class/scsi_device/"${addresses[0]}"/device/scsi_generic/*)
    for other in "${theirs[0]}" "/dev/${generic[0]##*/}" "${ours[0]}"; do
        sg_persist --each -n -o -G -S abc "${ours[1]}" "${ours[0]}" "$other" >/run/out 2>/run/err && status=0 || status=$?
        ((status == 31)) || fail "$other: status $status"
        same 'standard error' "sg_persist: ${ours[0]} and $other are one logical unit; nothing was sent" /run/err || exit 1
        words='no$' many 36 3 --each --has-key=abc "${ours[1]}" "${ours[0]}" "$other"
    done
}

test_more_units_than_descriptors() {
    (ulimit -n 64 && sg_persist --devices-from=/run/ours -n -o -G -S abc) >/run/out 2>/run/err || fail "$(cat /run/err)"
    (($(grep -c 'done$' /run/out) == units)) || fail "$(head -n 5 /run/out)"
}

# What was sent to a unit that does not answer is unknown, what was not is not sent, and the rest is done.
test_a_signal() {
    local status disk generic bsg
    export_scripted
    answer_by '12 data 00 00 06 02 1f 00*2 02 4c41422020202020 4f4e45 20*13 312e3020' '5f wait 9000'
    timeout --preserve-status --signal=TERM 5 sg_persist --each --parallel=1 -n -o -I -S abc "${ours[0]}" "$disk" "${ours[1]}" \
        >/run/out 2>/run/err && status=0 || status=$?
    ((status == 143)) || fail "status $status: $(cat /run/err)"
    # One that is slow makes room for the next one.
    same 'standard error' "sg_persist: SIGTERM; nothing more was sent
${ours[0]}: done
$disk: its outcome is unknown: read the keys and the reservation to see
${ours[1]}: done" /run/err || exit 1
    same 'standard output' "0	${ours[0]}	done
0	${ours[1]}	done" /run/out || exit 1
}
