# shellcheck shell=bash
# A host whose writable layer is an ext4 image, and what is left of it after a power cut.

# disk_create FOLDER MIB: the image begins with what the layer has so far.
disk_create() {
    local folder="$1" seed="$1/seed"
    mkdir -p "$seed/work"
    mv "$folder/upper" "$seed/upper"
    mkdir "$folder/upper"
    truncate --size="$2M" "$folder/disk.img"
    mke2fs -q -t ext4 -m 0 -d "$seed" "$folder/disk.img"
    rm -rf "$seed"
}

# The image as a power cut leaves it has what reached the loop device: synced data, and whatever the
# kernel had written back by itself. A host that stands still writes no more, but the kernel may be
# in the middle of it; two equal copies in a row are one moment.
disk_copy() {
    local folder="$1"
    for _ in 1 2 3 4 5 6 7 8; do
        cp --sparse=always "$folder/disk.img" "$folder/disk.cut"
        ! cmp -s "$folder/disk.img" "$folder/disk.cut" || return 0
    done
    die "the image of '$(basename "$folder")' does not stand still"
}

cut_command() {
    local name="${1:?cut: which host?}" folder="$hosts/${1:-}" leader root=/sys/fs/cgroup group status=0
    need_root
    host_exists "$name"
    [ -f "$folder/disk.img" ] || die "host '$name' has no disk of its own (lab up --disk)"
    leader="$(host_leader "$name")" || die "host '$name' is off"
    [ "$(stat -f -c %T "$root")" = cgroup2fs ] || root=/sys/fs/cgroup/unified
    group="$root$(sed -n 's/^0:://p' "/proc/$leader/cgroup" | grep -o '.*/boot-[0-9]*')"
    echo 1 >"$group/cgroup.freeze"
    disk_copy "$folder"
    kill -9 "$leader"
    echo 0 >"$group/cgroup.freeze"
    host_wait_off "$name"
    # What was unmounted meanwhile went into the file of before.
    mv "$folder/disk.cut" "$folder/disk.img"
    # The journal is replayed; anything but that would be a copy of two moments.
    e2fsck -p -f "$folder/disk.img" >>"$folder/console.log" 2>&1 || status=$?
    [ "$status" -le 1 ] || die "the disk of '$name' is damaged after the cut ($status): $(tail -n 3 "$folder/console.log")"
}
