# shellcheck shell=bash disable=SC2154
# needs: dmsetup:dmsetup
# targets: lio lio-current
# A multipath map is all its paths: maps of the device mapper over two I_T nexuses to one logical unit. What became of it is
# read over each path alone.

prepare() {
    load_target tcm_loop
    modprobe -a dm_multipath dm_round_robin
    export_lun
    local sectors
    sectors=$(blockdev --getsz "$node1")
    map=mp$store_number
    table="0 $sectors multipath 0 0 1 1 round-robin 0 2 1 $(number_of "$node1") 1 $(number_of "$node2") 1"
    dmsetup create "$map" --uuid "mpath-3600140500000000$store_number" --table "$table"
    mkdir -p /dev/mapper
    [[ -e /dev/mapper/$map ]] || ln -s "/dev/$(basename "$(readlink -f "/sys/dev/block/$(map_number)")")" "/dev/mapper/$map"
    map=/dev/mapper/$map
    await test -b "$map"
}

number_of() {
    cat "/sys/class/block/${1##*/}/dev"
}

map_number() {
    dmsetup info -c --noheadings --separator : -o major,minor "$map"
}

offline() {
    echo offline >"/sys/class/scsi_device/$1/device/state"
}

# The keys that the logical unit has, by the path $1, in one line.
keys_by() {
    prin --read-keys "$1" >/run/keys 2>/run/err || fail "$1: status $?: $(cat /run/err)"
    sed -n 's/^    0x//p' /run/keys | tr '\n' ' '
}

# is_registered NODE KEY: whether the nexus of this path has the key: no other can replace it by itself.
is_registered() {
    prout --register --param-rk="$2" --param-sark="$2" "$1" >/run/out 2>/run/err
}

test_registers_every_path() {
    succeeds prout --register --param-sark=abc "$map"
    [[ $(keys_by "$node1") = 'abc abc ' ]] || fail "$(cat /run/keys)"
    is_registered "$node1" abc || fail 'the first path is not registered'
    is_registered "$node2" abc || fail 'the second path is not registered'
    # Again, and with another key, and not any more.
    succeeds prout --register-ignore --param-sark=abc "$map"
    succeeds prout --register --param-rk=abc --param-sark=def "$map"
    [[ $(keys_by "$node1") = 'def def ' ]] || fail "$(cat /run/keys)"
    succeeds prout --register --param-rk=def "$map"
    [[ -z $(keys_by "$node1") ]] || fail "$(cat /run/keys)"
    succeeds prout --register-ignore --param-sark=abc "$map"
    succeeds prout --register-ignore --param-sark=0 "$map"
    [[ -z $(keys_by "$node1") ]] || fail "$(cat /run/keys)"
}

# A command through the map itself goes over one path, nobody knows which.
test_one_path_is_as_before() {
    succeeds prout --one-path --register-ignore --param-sark=abc "$map"
    [[ $(keys_by "$node1") = 'abc ' ]] || fail "$(cat /run/keys)"
}

test_a_path_for_its_map() {
    succeeds prout --register --param-sark=1 "$node1"
    [[ $(keys_by "$node1") = '1 ' ]] || fail "$(cat /run/keys)"
    succeeds prout --all-paths --register-ignore --param-sark=abc "$node2"
    [[ $(keys_by "$node1") = 'abc abc ' ]] || fail "$(cat /run/keys)"
}

test_reads_while_one_path_lives() {
    local tries
    succeeds prout --register --param-sark=abc "$map"
    offline "$address1"
    for tries in 1 2 3 4; do
        [[ $(keys_by "$map") = 'abc abc ' ]] || fail "$tries: $(cat /run/keys)"
    done
    answers 0 '' '' sg_persist --has-key=abc "$map"
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    succeeds prout --release --param-rk=abc --prout-type=5 "$map"
    # A dead path is named, and keeps nobody from registering.
    prout --register-ignore --param-sark=abc "$map" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    grep -q "^sg_persist: path ${node1##*/} of .* was not reached: offline\$" /run/err || fail "$(cat /run/err)"
    prout --register-ignore --param-sark=abc --every-path "$map" >/run/out 2>/run/err && fail 'success without a path'
    offline "$address2"
    prin -k "$map" >/run/out 2>/run/err && fail 'an answer without a path' || (($? == 35)) || fail "$(cat /run/err)"
    [[ ! -s /run/out ]] || fail "$(cat /run/out)"
    prout --clear --param-rk=abc "$map" >/run/out 2>/run/err && fail 'a change without a path' || (($? == 35)) ||
        fail "$(cat /run/err)"
}

# A path that is gone for the SCSI midlayer and still in the table.
test_a_deleted_path() {
    echo 1 >"/sys/class/scsi_device/$address2/device/delete"
    prout --register --param-sark=abc "$map" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    grep -q 'was not reached' /run/err || fail "$(cat /run/err)"
    [[ $(keys_by "$node1") = 'abc ' ]] || fail "$(cat /run/keys)"
}

test_another_key_on_one_path() {
    succeeds prout --register --param-sark=1 "$node2"
    prout --register --param-sark=abc "$map" >/run/out 2>/run/err && fail 'success' || (($? == 24)) || fail "$(cat /run/err)"
    grep -q "path ${node2##*/} is registered with another key" /run/err || fail "$(cat /run/err)"
    [[ $(keys_by "$node1") = '1 ' ]] || fail "$(cat /run/keys)"
}

# The reservation is held by one path; the others release it, and reserve it again.
test_reserves_and_releases() {
    local type
    succeeds prout --register --param-sark=abc "$map"
    for type in 5 6 7 8; do
        succeeds prout --reserve --param-rk=abc --prout-type=$type "$map"
        succeeds prout --reserve --param-rk=abc --prout-type=$type "$map"
        prin -r "$map" >/run/out 2>/run/err || fail "$(cat /run/err)"
        grep -q 'Reservation follows' /run/out || fail "$(cat /run/out)"
        succeeds prout --release --param-rk=abc --prout-type=$type "$map"
        answers 36 '' '' sg_persist --reserved "$map"
    done
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$node2"
    succeeds prout --release --param-rk=abc --prout-type=5 "$map"
    answers 36 '' '' sg_persist --reserved "$map"
}

# A path that has come back gets the key of the others, and no path of a node that was fenced does.
test_repairs_a_path() {
    succeeds prout --register --param-sark=abc "$map"
    succeeds prout --register --param-rk=abc "$node2"
    [[ $(keys_by "$node1") = 'abc ' ]] || fail "$(cat /run/keys)"
    succeeds sg_persist --repair --param-rk=abc "$node2"
    is_registered "$node2" abc || fail 'the second path is not registered'
    succeeds sg_persist --repair --param-rk=abc "$map"
    [[ $(keys_by "$node1") = 'abc abc ' ]] || fail "$(cat /run/keys)"
    succeeds prout --clear --param-rk=abc "$node1"
    sg_persist --repair --param-rk=abc "$node2" >/run/out 2>/run/err && fail 'success' || (($? == 24)) ||
        (($? == 6)) || fail "$(cat /run/err)"
    [[ -z $(keys_by "$node1") ]] || fail "$(cat /run/keys)"
}

# This fabric does not tell this host's ports: what is known of the paths is said, and no more.
test_overview_names_the_paths() {
    succeeds prout --register --param-sark=abc "$map"
    offline "$address2"
    sg_persist --overview "$map" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    grep -q "^Path .*${node1##*/} (running.*not known" /run/out || fail "$(cat /run/out)"
    grep -q "^Path .*${node2##*/}: not asked: offline" /run/out || fail "$(cat /run/out)"
    sg_persist --registered=abc "$map" >/run/out 2>/run/err && fail 'yes' || (($? == 38)) || fail "$(cat /run/err)"
}

# A map that is suspended takes no command; its paths do.
test_suspended() {
    succeeds prout --register --param-sark=abc "$map"
    dmsetup suspend --noflush "${map##*/}"
    [[ $(keys_by "$map") = 'abc abc ' ]] || fail "$(cat /run/keys)"
    succeeds prout --clear --param-rk=abc "$map"
    dmsetup resume "${map##*/}"
}

# A device on the map: the map. One on two maps is refused.
test_devices_on_maps() {
    local sectors stacked
    sectors=$(blockdev --getsz "$node1")
    stacked=/dev/mapper/on$store_number
    dmsetup create "on$store_number" --uuid "LVM-$store_number" --table "0 $((sectors / 2)) linear $map 0"
    [[ -e $stacked ]] || ln -s "/dev/$(basename "$(readlink -f "/sys/dev/block/$(
        dmsetup info -c --noheadings --separator : -o major,minor "on$store_number"
    )")")" "$stacked"
    succeeds prout --register --param-sark=abc "$stacked"
    [[ $(keys_by "$node1") = 'abc abc ' ]] || fail "$(cat /run/keys)"
    dmsetup remove "on$store_number"
}

# What the kernel does on its own: with one path dead, registering again leaves the dead path's key alone. We do not.
test_nothing_is_lost_by_a_dead_path() {
    succeeds prout --register --param-sark=abc "$map"
    offline "$address2"
    prout --register-ignore --param-sark=abc "$map" >/run/out 2>/run/err || fail "$(cat /run/err)"
    [[ $(keys_by "$node1") = 'abc abc ' ]] || fail "$(cat /run/keys)"
}

# Nothing of the process that sends commands is left, and nobody waits for it.
test_leaves_nothing() {
    succeeds prout --register --param-sark=abc "$map"
    await test -z "$(pgrep -f 'sg_persist worker')"
    [[ $(timeout 5 sg_persist -n -k "$map") = *abc* ]] || fail 'no answer'
}

# access PORT STATE: the state of asymmetric access of a path's target port (SPC-5 5.16.2.4).
access() {
    local group=$store/alua/g$1
    if [[ ! -d $group ]]; then
        mkdir "$group"
        echo "$1" >"$group/tg_pt_gp_id"
        echo 3 >"$group/alua_access_type"
        echo "g$1" >"$config/loopback/$3/tpgt_1/lun/lun_0/alua_tg_pt_gp"
    fi
    echo "$2" >"$group/alua_access_state"
}

# A path in standby takes part, one that is unavailable is left out and named.
test_asymmetric_access() {
    access 7 2 "$port1"
    succeeds prout --register --param-sark=abc "$map"
    [[ $(keys_by "$node2") = 'abc abc ' ]] || fail "$(cat /run/keys)"
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    succeeds prout --release --param-rk=abc --prout-type=5 "$map"
    succeeds prout --register --param-rk=abc "$map"
    access 7 3 "$port1"
    prout --register --param-sark=abc "$map" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    grep -q "path ${node1##*/} of .* was not reached" /run/err || fail "$(cat /run/err)"
    [[ $(keys_by "$map") = 'abc ' ]] || fail "$(cat /run/keys)"
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    access 7 0 "$port1"
    succeeds prout --register-ignore --param-sark=abc "$map"
    [[ $(keys_by "$node1") = 'abc abc ' ]] || fail "$(cat /run/keys)"
}
