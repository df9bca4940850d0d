# shellcheck shell=bash disable=SC2154,SC2034
# An NVMe namespace whose answers the tests write down: a program of ours is the target, over TCP (tools/nvme.rs). Sourced
# in the guest, after target.sh, nvmet.sh and tcmu.sh.

# A new scripted subsystem that answers by the file $rules. Sets port (its name is lab:PORT), connection (how a host gets
# there), and handler (the process).
serve_scripted_subsystem() {
    port=4421
    load_tools
    load_nvme nvme_tcp
    while [[ -e /run/handler$port ]]; do port=$((port + 1)); done
    answer_by
    lab-tools nvme "$port" "$rules" "$commands" >"/run/handler$port" 2>&1 &
    handler=$!
    await is_ready "/run/handler$port" || return
    connection=transport=tcp,traddr=127.0.0.1,trsvcid=$port,nr_io_queues=1
}

# Such a subsystem, and the two hosts connected to it. Sets node1, node2, generic1, generic2, controller1, controller2, and
# handler (the process).
# export_scripted_namespace [FABRIC-OPTIONS]
export_scripted_namespace() {
    local port connection number
    serve_scripted_subsystem || return
    for number in 1 2; do
        host=host$number
        nvme_connect "lab:$port" "${!host}" "$connection$1" || return
        await test -b "/dev/nvme${controller}n1" -a -c "/dev/ng${controller}n1" || return
        printf -v "node$number" %s "/dev/nvme${controller}n1"
        printf -v "generic$number" %s "/dev/ng${controller}n1"
        printf -v "controller$number" %s "/dev/nvme$controller"
    done
}
