# shellcheck shell=bash
# Linux's own SCSI target (LIO), set up by configfs; the machine is target and initiators at once. Sourced in the guest.

config=/sys/kernel/config/target
# This target does not count a registration that goes away as a change; SPC-5 and the other targets do.
# shellcheck disable=SC2034
unregistering_counts=0

load_target() {
    local loaded=1 module
    for module in sd_mod sg target_core_file "$@"; do
        [[ -d /sys/module/$module ]] || loaded=0
    done
    ((loaded == 0)) || return 0
    # Registrations that are to persist through power loss (APTPL) are kept in this folder; the module looks for it once,
    # when it is loaded, and without it refuses them.
    [[ -d /etc/target/pr ]] || mkdir -p /etc/target/pr
    modprobe -a sd_mod sg target_core_file "$@"
}

# Waits until the command says yes: devices appear some time after what makes them.
await() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$@" && return
        sleep 0.1
    done
    echo "in vain: $*" >&2
    return 1
}

# A message bus: administrators' programs for the target want to be found by others. (Needs dbus-daemon.)
start_bus() {
    [[ ! -e /run/dbus/pid ]] || return 0
    mkdir -p /run/dbus
    dbus-daemon --system --fork
}

# A new backing store of 16 MiB; sets $store to its folder. Each has its own serial number: it is known by that, to
# the kernel's list of registrations that are to persist, too.
make_store() {
    local number=0
    while [[ -e $config/core/fileio_$number ]]; do number=$((number + 1)); done
    store=$config/core/fileio_$number/lab
    image=/run/store$number.img
    truncate -s 16M "$image"
    mkdir -p "$store"
    echo "fd_dev_name=$image,fd_dev_size=16777216" >"$store/control"
    printf '%016x' $((0x10 + number)) >"$store/wwn/vpd_unit_serial"
    echo 1 >"$store/enable"
    store_number=$number
}

has_entry() {
    compgen -G "$1/*" >/dev/null
}

# Sets disk, generic and bsg to the three nodes of the logical unit with this address (H:C:T:L), as sysfs has them.
nodes_of() {
    local device=/sys/class/scsi_device/$1/device
    await has_entry "$device/block" || return
    await has_entry "$device/scsi_generic" || return
    # One entry each; its name is the node's.
    for disk in "$device"/block/*; do disk=/dev/${disk##*/}; done
    for generic in "$device"/scsi_generic/*; do generic=/dev/${generic##*/}; done
    bsg=/dev/bsg/$1
    await test -b "$disk" -a -c "$generic" -a -c "$bsg"
}

# export_lun [COUNT]: one logical unit, two nodes or so many: each is an I_T nexus of its own, initiator and target port,
# over the loopback fabric.
# Sets node1 and node2 (/dev/sdX), generic1 and generic2 (/dev/sgN), bsg1 and bsg2, initiator1 and initiator2 (SAS
# addresses), port1 and port2 (target names), address1 and address2 (H:C:T:L).
export_lun() {
    local number port tpg initiator address disk generic bsg
    load_target tcm_loop
    make_store
    for ((number = 1; number <= ${1-2}; number++)); do
        printf -v port 'naa.600140500000%02x%02x' "$store_number" "$number"
        printf -v initiator '600140500001%02x%02x' "$store_number" "$number"
        tpg=$config/loopback/$port/tpgt_1
        mkdir -p "$tpg"
        # Kernels that have the attribute number the ports 0, all of them, unless told.
        [[ ! -e $tpg/rtpi ]] || echo "$number" >"$tpg/rtpi"
        mkdir "$tpg/lun/lun_0"
        echo "naa.$initiator" >"$tpg/nexus"
        ln -s "$store" "$tpg/lun/lun_0/"
        read -r address <"$tpg/address"
        address+=:0
        nodes_of "$address" || return
        printf -v "node$number" %s "$disk"
        printf -v "generic$number" %s "$generic"
        printf -v "bsg$number" %s "$bsg"
        printf -v "initiator$number" %s "$initiator"
        printf -v "address$number" %s "$address"
        printf -v "port$number" %s "$port"
    done
}
