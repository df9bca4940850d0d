# shellcheck shell=bash disable=SC2154,SC2034
# Multipath maps by hand, as multipath makes them. Sourced in the guest, after target.sh.

# make_map NAME NODE...: over these paths; sets map (/dev/mapper/NAME).
make_map() {
    local name=$1 node table minor
    shift
    modprobe -a dm_multipath dm_round_robin
    table="0 $(<"/sys/class/block/${1##*/}/size") multipath 0 0 1 1 round-robin 0 $# 1"
    for node; do table+=" $(number_of "$node") 1"; done
    dmsetup create "$name" --noudevsync --uuid "mpath-$name" --table "$table"
    minor=$(dmsetup info --columns --noheadings --options minor "$name")
    map=/dev/mapper/$name
    mkdir -p /dev/mapper
    [[ -e $map ]] || ln -s "/dev/dm-$minor" "$map"
    await test -b "$map"
}

# number_of NODE: MAJOR:MINOR
number_of() {
    cat "/sys/class/block/${1##*/}/dev"
}

# dies NODE, lives NODE: a path, for this machine.
dies() {
    echo offline >"/sys/class/block/${1##*/}/device/state"
}

lives() {
    echo running >"/sys/class/block/${1##*/}/device/state"
}
