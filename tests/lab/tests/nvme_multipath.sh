# shellcheck shell=bash disable=SC2154,SC2034
# Native multipath, the kernel's default: the controllers of one host are paths of one node, which may have none that is
# usable.
# kernel: current
# tools: ours
multipath=Y
. "$lab/guest/nvmet.sh"
. "$lab/guest/tcmu.sh"
. "$lab/guest/nvme_scripted.sh"

EARO='Exclusive Access, registrants only'

# Each test makes what it needs.
prepare() { :; }

# head_of NQN: sets $node and $generic, the nodes of the subsystem's first namespace.
head_of() {
    local subsystem
    for subsystem in /sys/class/nvme-subsystem/nvme-subsys*; do
        [[ $(<"$subsystem/subsysnqn") = "$1" ]] || continue
        node=/dev/nvme${subsystem##*subsys}n1 generic=/dev/ng${subsystem##*subsys}n1
        await test -b "$node" -a -c "$generic"
        return
    done
    fail "no subsystem $1"
}

# Linux's target, and one host through two controllers.
test_two_paths() {
    local namespace=$nvmet/subsystems/lab/namespaces/1 path controllers=()
    load_nvme nvmet nvme_loop
    mkdir "$nvmet/subsystems/lab" "$nvmet/ports/1"
    echo 1 >"$nvmet/subsystems/lab/attr_allow_any_host"
    truncate -s 16M /run/namespace.img
    mkdir "$namespace"
    printf /run/namespace.img >"$namespace/device_path"
    echo 1 >"$namespace/resv_enable"
    echo 1 >"$namespace/enable"
    echo loop >"$nvmet/ports/1/addr_trtype"
    ln -s "$nvmet/subsystems/lab" "$nvmet/ports/1/subsystems/"
    for path in 1 2; do
        nvme_connect lab "$host1" transport=loop,duplicate_connect
        controllers+=("$controller")
    done
    head_of lab
    [[ ${controllers[0]} != "${controllers[1]}" && ! -e /dev/nvme${controllers[1]}n2 ]] || fail 'not two paths of one node'

    succeeds prout --register --param-sark=abc123 --verify "$node"
    succeeds prout --register-ignore --param-sark=abc124 --verify "$generic"
    succeeds prout --reserve --param-rk=abc124 --prout-type=6 --verify "$generic"
    succeeds sg_persist --holder-is=abc124 "$node"
    answers 0 "  PR generation=0x2
    Key=0xabc124
      All target ports bit set
      << Reservation holder >>
      scope: LU_SCOPE,  type: $EARO
      Transport Id of initiator:
        NVMe host identifier: $host1" '' prin --read-full-status "$node"
    # The registration is the host's: it stays when a path goes.
    echo 1 >"/sys/class/nvme/nvme${controllers[0]}/delete_controller"
    succeeds sg_persist --holder-is=abc124 "$node"
    succeeds prout --release --param-rk=abc124 --prout-type=6 --verify "$generic"
    succeeds prout --register --param-rk=abc124 --verify "$node"
    answers 0 '  PR generation=0x3, there are NO registered reservation keys' '' prin --read-keys "$generic"
}

# no_path WAY MESSAGE COMMAND...: nothing was sent, and that is what is said.
no_path() {
    local way=$1 message=$2
    shift 2
    "$@" </dev/null >/run/out 2>/run/err && status=0 || status=$?
    ((status == 35)) || fail "$*: status $status: $(cat /run/err)"
    [[ ! -s /run/out ]] || fail "$*: $(cat /run/out)"
    [[ $(</run/err) = "Persistent reservation $way: transport: Host_status=0x01 [DID_NO_CONNECT]

Persistent reservation $way: no path to the namespace is usable now, so "*" was not sent
PR $way ($message): Transport error
sg_persist failed: Transport error" ]] || fail "$*: $(cat /run/err)"
}

# The only controller is gone and may come back: the node stays, and refuses everything with EAGAIN.
test_no_path() {
    local controller device
    serve_scripted_subsystem
    nvme_connect "lab:$port" "$host1" "$connection,reconnect_delay=30"
    head_of "lab:$port"
    for device in "$node" "$generic"; do
        answers 0 '  PR generation=0x0, there are NO registered reservation keys' '' prin --read-keys "$device"
    done
    kill "$handler"
    await without_path
    for device in "$node" "$generic"; do
        no_path in 'Read keys' prin --read-keys "$device"
        no_path in 'Read full status' prin --read-full-status "$device"
        no_path out Register prout --register --param-sark=1 "$device"
        no_path out Preempt prout --preempt --param-rk=1 --param-sark=2 --prout-type=5 "$device"
    done
}

without_path() {
    [[ $(<"/sys/class/nvme/nvme$controller/state") != live ]]
}
