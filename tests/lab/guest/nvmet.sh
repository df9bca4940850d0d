# shellcheck shell=bash disable=SC2154,SC2034
# Linux's own NVMe target (nvmet), set up by configfs: one namespace, two hosts; the machine is target and hosts at once.
# Sourced in the guest, after target.sh and check.sh.

nvmet=/sys/kernel/config/nvmet
unregistering_counts=1
# What the hosts are known by, to the target and in its reports.
host1=aaaaaaaa-0000-4000-8000-000000000001
host2=bbbbbbbb-0000-4000-8000-000000000002

# Every host is to have its own device nodes: otherwise the kernel takes two hosts' controllers for two paths of one. A
# file that wants that, the kernel's default, sets multipath=Y.
load_nvme() {
    [[ -d /sys/module/nvme_core ]] || modprobe nvme_core "multipath=${multipath-N}"
    modprobe -a "$@"
    /run/busybox ip link set lo up
}

# nvme_connect NQN HOST-ID FABRIC-OPTIONS: a controller for that host; sets $controller (the number N in /dev/nvmeN).
# (nvme-cli refuses a second host at the same address.)
nvme_connect() {
    local answer
    exec 3<>/dev/nvme-fabrics
    printf '%s,nqn=%s,hostnqn=nqn.2014-08.org.nvmexpress:uuid:%s,hostid=%s' "$3" "$1" "$2" "$2" >&3 || return
    read -r answer <&3
    exec 3>&-
    answer=${answer#instance=}
    controller=${answer%%,*}
}

# A subsystem that both hosts are connected to, by $fabric (loop or tcp). Once a machine.
connect_hosts() {
    local fabric=$1 subsystem=$nvmet/subsystems/lab port=$nvmet/ports/1 options=transport=$1 host
    load_nvme nvmet "nvme_$fabric"
    mkdir "$subsystem"
    echo 1 >"$subsystem/attr_allow_any_host"
    echo 'Laboratory target' >"$subsystem/attr_model"
    echo 0042 >"$subsystem/attr_firmware"
    mkdir "$port"
    if [[ $fabric = tcp ]]; then
        modprobe nvmet_tcp
        echo ipv4 >"$port/addr_adrfam"
        echo 127.0.0.1 >"$port/addr_traddr"
        echo 4420 >"$port/addr_trsvcid"
        options+=,traddr=127.0.0.1,trsvcid=4420,nr_io_queues=1
    fi
    echo "$fabric" >"$port/addr_trtype"
    ln -s "$subsystem" "$port/subsystems/"
    for host in "$host1" "$host2"; do
        nvme_connect lab "$host" "$options" || return
        echo "$controller"
    done >/run/nvmet
}

# One namespace, two nodes, of two hosts. Sets node1 and node2 (/dev/nvmeXnY), generic1 and generic2 (/dev/ngXnY),
# controller1 and controller2 (/dev/nvmeX), and namespace (its folder in configfs).
export_namespace() {
    local number=1 instances=() index node
    [[ -s /run/nvmet ]] || connect_hosts "$1" || return
    mapfile -t instances </run/nvmet
    while [[ -e $nvmet/subsystems/lab/namespaces/$number ]]; do number=$((number + 1)); done
    namespace=$nvmet/subsystems/lab/namespaces/$number
    image=/run/namespace$number.img
    truncate -s 16M "$image"
    mkdir "$namespace"
    printf %s "$image" >"$namespace/device_path"
    echo 1 >"$namespace/resv_enable"
    echo 1 >"$namespace/enable"
    for index in 0 1; do
        node=${instances[index]}n$number
        # The hosts hear of it and look, most of the time.
        echo 1 >"/sys/class/nvme/nvme${instances[index]}/rescan_controller"
        await test -b "/dev/nvme$node" -a -c "/dev/ng$node" || return
        printf -v "controller$((index + 1))" %s "/dev/nvme${instances[index]}"
        printf -v "node$((index + 1))" %s "/dev/nvme$node"
        printf -v "generic$((index + 1))" %s "/dev/ng$node"
    done
}

# In place of Linux's SCSI target, for the tests that are run on both.
export_lun() {
    export_namespace "${LAB_TARGET#nvmet-}"
}

# NVMe tells nobody in place of an answer that his registration is gone.
takes_attention() { :; }

# By NVMe's numbers.
type_words=('' 'Write Exclusive' 'Exclusive Access' 'Write Exclusive, registrants only'
    'Exclusive Access, registrants only' 'Write Exclusive, all registrants' 'Exclusive Access, all registrants')

# A descriptor of READ FULL STATUS, added to $status. NVMe registers a host, not one of its ways in.
# registrant KEY HOST HOLDS-IT TYPE
registrant() {
    status+=$'\n'"    Key=0x$1"$'\n''      All target ports bit set'
    if (($3)); then
        status+=$'\n''      << Reservation holder >>'$'\n'"      scope: LU_SCOPE,  type: ${type_words[$4]}"
    else
        status+=$'\n''      not reservation holder'
    fi
    status+=$'\n''      Transport Id of initiator:'$'\n'"        NVMe host identifier: $2"
}

# confirmed keys|reservation NODE: what was just asked of the device (the answer is in /run/out), and its full status, is
# what nvme-cli says of it.
confirmed() {
    local name value generation=0 type=0 key=0 holds_it=0 holder=0 keys='' status='' count=0 answer host
    nvme resv-report -e -o json "$2" >/run/report 2>&1 || fail "nvme: $(cat /run/report)"
    # One member a line; a registrant's last one is its host.
    sed -n 's/^ *"\([a-z]*\)":"\{0,1\}\([0-9a-f]*\).*/\1 \2/p' /run/report >/run/members
    while read -r name value; do
        case $name in
        gen) printf -v generation %x "$value" ;;
        rtype) type=$value ;;
        rcsts) holds_it=$((value & 1)) ;;
        rkey) printf -v key %x "$value" ;;
        hostid)
            host=${value:0:8}-${value:8:4}-${value:12:4}-${value:16:4}-${value:20}
            registrant "$key" "$host" "$holds_it" "$type"
            ((holds_it == 0)) || holder=$key
            keys+=$'\n'"    0x$key"
            count=$((count + 1))
            ;;
        esac
    done </run/members
    case $1/$count in
    keys/0) answer='there are NO registered reservation keys' ;;
    keys/1) answer="1 registered reservation key follows:$keys" ;;
    keys/*) answer="$count registered reservation keys follow:$keys" ;;
    *)
        # No single key holds what all registrants hold.
        ((type < 5)) || holder=0
        answer='there is NO reservation held'
        ((type == 0)) || answer="Reservation follows:
    Key=0x$holder
    scope: LU_SCOPE,  type: ${type_words[type]}"
        ;;
    esac
    same 'what nvme-cli says' "  PR generation=0x$generation, $answer" /run/out || fail "$2: $1"
    ((count)) || status=$'\n''  No full status descriptors'
    answers 0 "  PR generation=0x$generation$status" '' prin --read-full-status "$2"
}
