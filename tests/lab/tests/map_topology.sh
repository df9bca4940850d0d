# shellcheck shell=bash disable=SC2154
# needs: dmsetup:dmsetup
# tools: ours
# Maps as multipath makes them, by hand, and what this machine says of their paths.
. "$lab/guest/tcmu.sh"

# dm NAME TABLE [UUID]: a device of the device mapper; sets $made to its node and $number to its number.
dm() {
    local uuid=()
    [[ -z ${3-} ]] || uuid=(--uuid "$3")
    dmsetup create "$1" --noudevsync "${uuid[@]}" --table "$2"
    number=$(dmsetup info --columns --noheadings --separator : --options major,minor "$1")
    made=/dev/dm-${number#*:}
    await test -b "$made"
}

# make_map NAME [UUID]: a map of both paths.
make_map() {
    local size
    load_tools
    modprobe -a dm-mod dm-multipath dm-round-robin
    number1=$(<"/sys/block/${node1##*/}/dev")
    number2=$(<"/sys/block/${node2##*/}/dev")
    size=$(<"/sys/block/${node1##*/}/size")
    dm "$1" "0 $size multipath 0 0 1 1 round-robin 0 2 1 $number1 1 $number2 1" "${2-}"
    # Where the kernel asks them, the ports of this target are all the best.
    access=$(cat "/sys/block/${node1##*/}/device/access_state" 2>/dev/null) || access='?'
    one="$node1 $number1 Scsi" two="$node2 $number2 Scsi"
}

# told LINES NODE
told() {
    answers 0 "$1" '' lab-tools map "$2"
}

test_map() {
    local both map
    make_map mp0 mpath-36001405
    map=$made
    both="mp0 open Some(0)
+ $one running $access Some((1, 0, false))
+ $two running $access Some((1, 1, false))"
    told "$both" "$map"
    told "$both" "$node1"
    told "$both" "$node2"

    dmsetup message mp0 0 fail_path "$number1"
    both="
+ $two running $access Some((1, 1, false))
+ $one running $access Some((1, 0, true))"
    told "mp0 open Some(0)$both" "$map"
    dmsetup suspend --noflush mp0
    told "mp0 open Some(0) suspended$both" "$map"
    dmsetup resume --noudevsync mp0

    # What stands on it: a partition, and a volume made by hand on that.
    dm mp0-part1 "0 8 linear $number 0" part1-mpath-36001405
    dm volume "0 8 linear $number 0"
    told "mp0 open Some(1)$both" "$made"

    echo offline >"/sys/block/${node2##*/}/device/state"
    told "mp0 open Some(1)
+ $one running $access Some((1, 0, true))
- $two offline $access Some((1, 1, false))" "$made"

    # A path that is deleted while the map has it.
    echo 1 >"/sys/block/${node2##*/}/device/delete"
    await test ! -e "/sys/block/${node2##*/}"
    told "mp0 open Some(1)
+ $one running $access Some((1, 0, true))
- /dev/block/$number2 $number2 Scsi deleted gone ? Some((1, 1, false))" "$made"
}

# Without multipath's name it is known by its table.
test_by_hand() {
    make_map mp1
    told "mp1 open Some(0)
+ $one running $access Some((1, 0, false))
+ $two running $access Some((1, 1, false))" "$made"
    dmsetup remove --noudevsync mp1
    told 'no map' "$node1"
}

# On two maps.
test_two() {
    local first second
    make_map mp2 mpath-36001406
    first=$number
    export_lun
    make_map mp3 mpath-36001407
    second=$number
    dm both "0 8 linear $first 0
8 8 linear $second 0"
    answers 2 '' "lab-tools: ${made#/dev/} stands on dm-${first#*:}, dm-${second#*:}, which are not one logical unit" \
        lab-tools map "$made"
}
