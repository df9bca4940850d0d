# shellcheck shell=bash disable=SC2154,SC2119
# The article's walk (guest/article.sh): two nodes that are two names of initiators in one machine.
# needs: tgtd:tgt iscsistart:open-iscsi sfdisk:fdisk mkfs.ext3:e2fsprogs
. "$lab/guest/tgt.sh"
. "$lab/guest/article.sh"

prepare() {
    local image=
    [[ $name != file_system ]] || with_file_system
    export_lun_tgt $image
}

test_type_1() { walk 1 'Write Exclusive'; }
test_type_3() { walk 3 'Exclusive Access'; }
test_type_5() { walk 5 'Write Exclusive, registrants only'; }
test_type_6() { walk 6 'Exclusive Access, registrants only'; }
test_type_7() { walk 7 'Write Exclusive, all registrants' 0; }
test_type_8() { walk 8 'Exclusive Access, all registrants' 0; }

test_file_system() { file_system_walk; }
